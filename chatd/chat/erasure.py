"""What is left of a message whose author was erased: its place, and who replied to it.

As the author of those places, and of what was done to messages of others, an erased user has a name
that says nothing, another one each time. The name is one of the daemon's own
(`chatd.wire.identifiers`), so nobody can sign in by it.
"""

import attrs

from chatd.chat.records import Changes, Message
from chatd.wire.identifiers import ERASED_USER_PREFIX, RESERVED_USER_PREFIX


def erased_name(digits: str) -> str:
    """What an erased user is called; `digits` are random."""
    return f"{ERASED_USER_PREFIX}{digits}"


def erased(message: Message, author: str, rev: int, at_ms: int) -> Message:
    """What is left of a message, as of change number `rev` of its room. One that a database wrote
    stays its own."""
    is_answer = message.user_id.startswith(RESERVED_USER_PREFIX)
    return attrs.evolve(
        message,
        user_id=message.user_id if is_answer else author,
        name=None,
        content="",
        context=None,
        answer=None,
        is_damaged=False,
        mentions=(),
        changes=Changes(rev, at_ms, deleted_ms=at_ms),
    )


def without_mention(message: Message, user_id: str) -> Message:
    """The message without its mention of this user."""
    mentions = tuple(one for one in message.mentions if one != user_id)
    return attrs.evolve(message, mentions=mentions)
