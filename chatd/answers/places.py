"""How many answers may be under way for a user, a room and a database (SPEC 6, "Bounds").

Whoever finds no place waits in line, for a bounded time. Places are given in the order in which
they were asked for, except that nobody waits behind somebody who waits for other places.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

import trio


class Places:
    """Places by what they are for; `most` says how many there are of each kind.

    A place is a (kind, key) pair: ("user", "ann"), ("room", "demo"). A taker holds several at once,
    all of them or none.
    """

    def __init__(self, most: Mapping[str, float]) -> None:
        self._most = dict(most)
        self._taken: Counter[tuple[str, Hashable]] = Counter()
        self._waiting: dict[trio.Event, Sequence[tuple[str, Hashable]]] = {}

    def take(self, places: Sequence[tuple[str, Hashable]]) -> bool:
        """Take all of the places, or none, at once."""
        if any(self._taken[place] >= self._most[place[0]] for place in places):
            return False
        self._taken.update(places)
        return True

    async def wait(self, places: Sequence[tuple[str, Hashable]]) -> None:
        """Take all of the places as soon as there are such. A cancelled wait takes none: an event
        that was set before wakes its task normally."""
        if self.take(places):
            return
        given = trio.Event()
        self._waiting[given] = places
        try:
            await given.wait()
        finally:
            self._waiting.pop(given, None)

    def leave(self, places: Sequence[tuple[str, Hashable]]) -> None:
        """Give the places back, to whoever waits for them."""
        self._taken.subtract(places)
        for place in places:
            if not self._taken[place]:
                del self._taken[place]
        for given, wanted in list(self._waiting.items()):
            if self.take(wanted):
                del self._waiting[given]
                given.set()
