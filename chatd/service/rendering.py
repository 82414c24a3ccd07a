"""Messages of pages: renders many without holding up other tasks, and says what was replied to
them."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import trio

from chatd.chat.rendering import shown_user
from chatd.store import Replies
from chatd.wire.encoder import with_fields
from chatd.wire.events import ThreadReplies

T = TypeVar("T")
R = TypeVar("R")

RENDERED_PER_TURN = 10  # messages that are rendered before other tasks get their turn


async def render_in_turns(items: Iterable[T], render: Callable[[T], R]) -> list[R]:
    """What `render` makes of each; an item is taken just before it is rendered."""
    made: list[R] = []
    for item in items:
        made.append(render(item))
        if len(made) % RENDERED_PER_TURN == 0:
            await trio.lowlevel.checkpoint()
    return made


def telling_replies(body: bytes, replies: Replies | None) -> bytes:
    """A rendered message with what was replied to it, if anything."""
    if replies is None:
        return body
    users = list(map(shown_user, replies.user_ids))
    told = ThreadReplies(count=replies.count, last_seq=replies.last_seq, users=users)
    return with_fields(body, replies=told)
