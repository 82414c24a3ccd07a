"""The places that answers run in, and the wait for them: of their user, their room, their database.

All waiting is done here. A database has as many places as sessions at most, so that whoever has one
has a session at once. Users have places in turn (`actors.fair_queue`); exports take the same ones.
"""

import math
from collections.abc import Callable, Sequence

import trio

from chatd.actors.fair_queue import FairSlots, Limit, Slot
from chatd.answers.active import ActiveAnswer
from chatd.answers.answer import AnswerState
from chatd.answers.requests import Database

USER, ROOM, DATABASE = "user", "room", "database"
"""The kinds of slots; their keys are a userId and, twice, a connectionId."""


class AnswerSlots:
    """The slots of all answers, and of exports that run a question again."""

    def __init__(
        self,
        per_user: float,
        per_room: float,
        sessions_of: Callable[[str], float],
        wait_s: float,
    ) -> None:
        """`sessions_of` says how many answers the database of a connectionId works on at once;
        `wait_s` is how long an answer waits at most."""
        self._wait_s = wait_s
        self._slots = FairSlots(
            {
                USER: Limit(lambda _: per_user),
                ROOM: Limit(lambda _: per_room, is_shared=True),
                DATABASE: Limit(sessions_of, is_shared=True),
            }
        )

    def release(self, user_id: str, slots: Sequence[Slot]) -> None:
        """Give slots of a user back."""
        self._slots.release(user_id, slots)

    async def acquire_in_time(self, user_id: str, slots: Sequence[Slot]) -> bool:
        """Take slots for a user; False where they are not free in time."""
        with trio.move_on_after(self._wait_s):
            await self._slots.acquire(user_id, slots)
            return True
        return False

    async def acquire(self, slots: Sequence[Slot], one: ActiveAnswer, database: Database) -> bool:
        """Take slots for an answer; False where they are not free when it is due, or it is to
        end."""
        if one.wanted_end is not None:
            return False
        if self._slots.acquire_nowait(one.of.user_id, slots):
            return True
        is_acquired = False
        async with trio.open_nursery() as nursery:
            one.waiting = nursery.cancel_scope
            nursery.start_soon(self._wait_until_due, one, database, nursery.cancel_scope)
            await self._slots.acquire(one.of.user_id, slots)
            is_acquired = True
            nursery.cancel_scope.cancel()
        one.waiting = None
        return is_acquired

    async def _wait_until_due(
        self, one: ActiveAnswer, database: Database, scope: trio.CancelScope
    ) -> None:
        """End a wait for slots when it is due. While the database is being started it is never
        due: nobody is at fault, and the deadline of the answer bounds it."""
        is_due = False
        while not is_due:
            if database.is_starting:
                one.due_s = math.inf
                await database.started()
            if one.due_s == math.inf:  # it has waited for a start, here or in its wait before
                one.due_s = trio.current_time() + self._wait_s
                one.status(AnswerState.QUEUED)
            await trio.sleep_until(one.due_s)
            is_due = not database.is_starting
        scope.cancel()
