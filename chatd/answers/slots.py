"""The places that answers run in, and the wait for them: places of their user, their room, their
database.

All waiting is done here. A database has at most as many places as sessions, so that an answer with
a place has a session at once. Users get places in turn (`actors.fair_queue`); exports take the same
ones.
"""

import math
from collections.abc import Callable, Sequence

import trio

from chatd.actors.fair_queue import FairSlots, Limit, Slot
from chatd.answers.active import ActiveAnswer
from chatd.answers.answer import AnswerState
from chatd.answers.requests import Database
from chatd.counts import counted

USER, ROOM, DATABASE = "user", "room", "database"
"""The kinds of slots; their keys are a userId and, twice, a connectionId."""
OWN_BUSY = (
    "You have {} under way, as many as one user may have here; cancel one, or ask again when one "
    "has ended."
)
STILL_RUNS = (
    "A statement of yours still runs in this database, which has not stopped it; ask again when it "
    "has ended, or tell the operator of this server."
)


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
        self._held_back: dict[tuple[str, str], list[trio.Event]] = {}
        self._slots = FairSlots(
            {
                USER: Limit(lambda _: per_user),
                ROOM: Limit(lambda _: per_room, is_shared=True),
                DATABASE: Limit(sessions_of, is_shared=True),
            }
        )

    def why_busy(self, user_id: str, slots: Sequence[Slot]) -> str | None:
        """Why a user waits for these slots, if the user's own answers have them all; None if
        answers of others have some too, and nothing of the user's runs on."""
        if self._is_held_back(user_id, slots):
            return STILL_RUNS
        for slot in slots:
            if self._slots.has_all(user_id, slot):
                return OWN_BUSY.format(counted(self._slots.taken_by(user_id, slot), "answer"))
        return None

    def hold_back(self, user_id: str, connection_id: str, ended: trio.Event) -> None:
        """Give a user no slots in a room before the event: a statement of the user's runs on there,
        and what cannot be stopped is not to be repeated. Others are not concerned."""
        self._held_back.setdefault((user_id, connection_id), []).append(ended)

    def _is_held_back(self, user_id: str, slots: Sequence[Slot]) -> bool:
        for _, key in slots:
            left = [one for one in self._held_back.pop((user_id, key), ()) if not one.is_set()]
            if left:
                self._held_back[user_id, key] = left
                return True
        return False

    def release(self, user_id: str, slots: Sequence[Slot]) -> None:
        """Give slots of a user back."""
        self._slots.release(user_id, slots)

    async def acquire_in_time(self, user_id: str, slots: Sequence[Slot]) -> bool:
        """Take slots for a user; False if they are not free in time, or the user is held back."""
        if self._is_held_back(user_id, slots):
            return False
        self._slots.look_again()
        with trio.move_on_after(self._wait_s):
            await self._slots.acquire(user_id, slots)
            return self._may_keep(user_id, slots)
        return False

    def _may_keep(self, user_id: str, slots: Sequence[Slot]) -> bool:
        """Whether a user may keep slots that were waited for; else they are given back. The slots
        may be those of the very statement that runs on."""
        if self._is_held_back(user_id, slots):
            self._slots.release(user_id, slots)
            return False
        return True

    async def acquire(self, slots: Sequence[Slot], one: ActiveAnswer, database: Database) -> bool:
        """Take slots for an answer; False if they are not free when it is due, if it is to end, or
        if its user is held back."""
        if one.wanted_end is not None or self._is_held_back(one.of.user_id, slots):
            return False
        self._slots.look_again()  # the database may have more sessions than before
        if self._slots.acquire_nowait(one.of.user_id, slots):
            return True
        is_acquired = False
        async with trio.open_nursery() as nursery:
            one.waiting = nursery.cancel_scope
            nursery.start_soon(self._wait_until_due, one, database, nursery.cancel_scope)
            await self._slots.acquire(one.of.user_id, slots)
            is_acquired = self._may_keep(one.of.user_id, slots)
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
            if one.due_s == math.inf:  # it has waited for a start, here or in an earlier wait
                one.due_s = trio.current_time() + self._wait_s
                one.status(AnswerState.QUEUED)
            await trio.sleep_until(one.due_s)
            is_due = not database.is_starting
        self._slots.look_again()
        scope.cancel()
