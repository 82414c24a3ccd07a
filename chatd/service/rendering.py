"""Many messages are rendered without holding up other tasks."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import trio

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
