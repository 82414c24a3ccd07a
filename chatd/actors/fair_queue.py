"""Slots that users share and wait for in turn: for a search, for reading a question, for an answer.

A slot is a kind and a key, as ("room", "demo"); each kind has a limit. A caller holds several slots
at once, all of them or none, for its user. A caller that finds one taken waits. A slot that is
given back goes to the user who has waited the longest since they were served or gave a slot back,
not to the request that has waited the longest: one user's many requests, on however many sockets,
make others wait for one of them. A user's own requests go in their order. Nobody waits behind a
request that waits for other slots.

One user never has all slots of a shared kind: of N a user has N - 1 at most. If there is only one,
users have it in turn. No thread is held by a waiting request.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import attrs
import trio

WAITING_MAX = 8  # requests of one user that wait for a turn; one more is refused at once
WAIT_S = 5.0  # a request waits so long for its turn; beyond: refused
RETRY_MS = 2_000  # a refused request has to wait so long: about what two slow searches take

Slot: TypeAlias = tuple[str, str]
"""A kind and a key."""

_TURN: Slot = ("turn", "")


@attrs.frozen
class Limit:
    """How many slots there are for a key of a kind; asked each time, as that may change."""

    of: Callable[[str], float]
    is_shared: bool = False  # by users, none of whom ever has all


@attrs.define(eq=False)
class _Waiting:
    """A request that waits."""

    slots: Sequence[Slot]
    given: trio.Event = attrs.field(factory=trio.Event)


class FairSlots:
    """Slots within limits, by kind."""

    def __init__(self, limits: Mapping[str, Limit], *, wanted_by_all: Slot | None = None) -> None:
        """`wanted_by_all`: a slot that each request wants; no request can be served without it."""
        self._limits = dict(limits)
        self._wanted_by_all = wanted_by_all
        self._taken: Counter[Slot] = Counter()
        self._taken_by: Counter[tuple[str, Slot]] = Counter()  # by userId
        # Waiting requests by user, never empty; the user that is served next comes first.
        self._lines: dict[str, deque[_Waiting]] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no slot is taken, and no request waits."""
        return not (self._taken or self._taken_by or self._lines)

    def waiting_of(self, user_id: str) -> int:
        """How many requests of a user wait."""
        return len(self._lines.get(user_id, ()))

    def taken_by(self, user_id: str, slot: Slot) -> int:
        """How many of a slot a user has."""
        return self._taken_by[user_id, slot]

    def has_all(self, user_id: str, slot: Slot) -> bool:
        """Whether a user has as many of a slot as one user may have."""
        return self._taken_by[user_id, slot] >= self._most_of_one(slot)

    def acquire_nowait(self, user_id: str, slots: Sequence[Slot]) -> bool:
        """Take all of the slots for a user, or none."""
        if not all(self._is_free(user_id, slot) for slot in slots):
            return False
        self._taken.update(slots)
        self._taken_by.update((user_id, slot) for slot in slots)
        return True

    async def acquire(self, user_id: str, slots: Sequence[Slot]) -> None:
        """Take all of the slots as soon as they are free, in the user's turn. A cancelled wait
        takes no slot, in whatever order the cancellation and the turn come."""
        if self.acquire_nowait(user_id, slots):
            return
        waiting = _Waiting(slots)
        self._lines.setdefault(user_id, deque()).append(waiting)
        try:
            await waiting.given.wait()
        except trio.Cancelled:
            if waiting.given.is_set():  # its turn came after the cancellation
                self.release(user_id, slots)
            else:
                self._remove(user_id, waiting)
            raise

    def release(self, user_id: str, slots: Sequence[Slot]) -> None:
        """Give slots of a user back, to the next users in turn."""
        self._taken.subtract(slots)
        self._taken_by.subtract((user_id, slot) for slot in slots)
        for slot in slots:
            if not self._taken[slot]:
                del self._taken[slot]
            if not self._taken_by[user_id, slot]:
                del self._taken_by[user_id, slot]
        self._go_behind(user_id)
        self.look_again()

    def look_again(self) -> None:
        """Give free slots to the next users in turn: a limit may have become larger."""
        for waiting_id in list(self._lines):
            for waiting in list(self._lines[waiting_id]):
                if self._wanted_by_all is not None and not self._is_left(self._wanted_by_all):
                    return
                if self.acquire_nowait(waiting_id, waiting.slots):
                    self._remove(waiting_id, waiting)
                    self._go_behind(waiting_id)
                    waiting.given.set()

    def _is_left(self, slot: Slot) -> bool:
        return self._taken[slot] < self._limits[slot[0]].of(slot[1])

    def _is_free(self, user_id: str, slot: Slot) -> bool:
        return self._is_left(slot) and not self.has_all(user_id, slot)

    def _most_of_one(self, slot: Slot) -> float:
        limit = self._limits[slot[0]]
        most = limit.of(slot[1])
        return max(1, most - 1) if limit.is_shared else most

    def _go_behind(self, user_id: str) -> None:
        line = self._lines.pop(user_id, None)
        if line is not None:
            self._lines[user_id] = line

    def _remove(self, user_id: str, waiting: _Waiting) -> None:
        line = self._lines[user_id]
        line.remove(waiting)
        if not line:
            del self._lines[user_id]


class FairQueue:
    """Turns of users, one at a time for each: `at_once` turns may be taken at the same time, and
    `waiting_max` requests of one user wait, each for `WAIT_S` at most."""

    def __init__(self, at_once: int, *, waiting_max: int = WAITING_MAX) -> None:
        self._waiting_max = waiting_max
        limits = {"turn": Limit(lambda _: at_once), "user": Limit(lambda _: 1)}
        self._slots = FairSlots(limits, wanted_by_all=_TURN)

    @property
    def is_idle(self) -> bool:
        """Whether no turn is taken, and no request waits."""
        return self._slots.is_idle

    async def acquire(self, user_id: str) -> int | None:
        """Take a turn, which `release` gives back; or the milliseconds to wait before a retry.

        A cancelled wait takes none.
        """
        slots = _slots_of(user_id)
        if self._slots.acquire_nowait(user_id, slots):
            return None
        if self._slots.waiting_of(user_id) >= self._waiting_max:
            return RETRY_MS
        with trio.move_on_after(WAIT_S) as bound:
            await self._slots.acquire(user_id, slots)
        return RETRY_MS if bound.cancelled_caught else None

    def release(self, user_id: str) -> None:
        """Give the turn of a user back, to the next user."""
        self._slots.release(user_id, _slots_of(user_id))


def _slots_of(user_id: str) -> Sequence[Slot]:
    return _TURN, ("user", user_id)
