"""How many answers may be under way for a user, a room and a database (SPEC 6, "Bounds").

A question that finds no place waits, for a bounded time. Where a place is given back, it goes to
the user who has waited the longest since they were given one or gave one back, not to the question
that has waited the longest; a user's own questions go in their order. Nobody waits behind a
question that waits for other places.

One user never has all of the places of a kind that users share: with N of them a user has N - 1 at
most, so that one is left for others. Where there is one only, users have it in turn.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import attrs
import trio

Place: TypeAlias = tuple[str, str]
"""A kind and a key: ("user", "ann"), ("room", "demo")."""

USER: Final = "user"
ROOM: Final = "room"
DATABASE: Final = "database"


@attrs.frozen
class Most:
    """How many places there are of a kind: by key, as that may change meanwhile."""

    of: Callable[[str], float]
    is_shared: bool = False  # by users, of whom none has all


@attrs.define(eq=False)
class _Wanted:
    """What a question waits for."""

    places: Sequence[Place]
    given: trio.Event = attrs.field(factory=trio.Event)


class Places:
    """Places by what they are for. A taker holds several at once, all of them or none."""

    def __init__(self, most: Mapping[str, Most]) -> None:
        self._most = dict(most)
        self._taken: Counter[Place] = Counter()
        self._taken_by: Counter[tuple[str, Place]] = Counter()  # by userId
        # Who waits by user, never empty; the user that is served next comes first.
        self._lines: dict[str, deque[_Wanted]] = {}

    def take(self, user_id: str, places: Sequence[Place]) -> bool:
        """Take all of the places for a user, or none, at once."""
        if not all(self._is_free(user_id, place) for place in places):
            return False
        self._taken.update(places)
        self._taken_by.update((user_id, place) for place in places)
        return True

    async def wait(self, user_id: str, places: Sequence[Place]) -> None:
        """Take all of the places as soon as there are such, in the user's turn. A cancelled wait
        takes none: an event that was set before wakes its task normally."""
        if self.take(user_id, places):
            return
        wanted = _Wanted(places)
        self._lines.setdefault(user_id, deque()).append(wanted)
        try:
            await wanted.given.wait()
        finally:
            if not wanted.given.is_set():
                self._remove(user_id, wanted)

    def leave(self, user_id: str, places: Sequence[Place]) -> None:
        """Give places of a user back, to who is next."""
        self._taken.subtract(places)
        self._taken_by.subtract((user_id, place) for place in places)
        for place in places:
            if not self._taken[place]:
                del self._taken[place]
            if not self._taken_by[user_id, place]:
                del self._taken_by[user_id, place]
        self._go_behind(user_id)
        for waiting_id, waiting in list(self._lines.items()):
            for wanted in list(waiting):
                if self.take(waiting_id, wanted.places):
                    self._remove(waiting_id, wanted)
                    self._go_behind(waiting_id)
                    wanted.given.set()

    def _is_free(self, user_id: str, place: Place) -> bool:
        kind, key = place
        most = self._most[kind].of(key)
        if self._taken[place] >= most:
            return False
        is_shared = self._most[kind].is_shared
        return not is_shared or self._taken_by[user_id, place] < max(1, most - 1)

    def _go_behind(self, user_id: str) -> None:
        line = self._lines.pop(user_id, None)
        if line is not None:
            self._lines[user_id] = line

    def _remove(self, user_id: str, wanted: _Wanted) -> None:
        line = self._lines[user_id]
        line.remove(wanted)
        if not line:
            del self._lines[user_id]
