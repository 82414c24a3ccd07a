"""A stored question asked once more, for an export that may hold more than its message.

Under the same guard as the question, and on stricter terms: it reads only, whatever the message and
the configuration allow. It waits for the same places as answers, in the turn of the user who
downloads, and is over at its own deadline. Cancelled, it has the database stop.
"""

from collections.abc import Callable
from typing import Final

import attrs
import trio

from chatd.answers.answer import Ending
from chatd.answers.cut import Cut
from chatd.answers.life import REPLACED, RETRY_BUSY_MS, AnswerLife
from chatd.answers.requests import Answered, DatabaseFailed, Request, Sink, Stopped, Terms
from chatd.answers.slots import DATABASE, ROOM, USER
from chatd.answers.sql.reading import Talk, Unread
from chatd.answers.sql.verdicts import Rejected
from chatd.answers.terms import Bounds, RoomDatabase, piece_of, question_terms, request_of
from chatd.chat.records import Message
from chatd.wire.codes import Code, Refusal

STOPPED: Final = Refusal(Code.DB_INTERRUPTED)


@attrs.frozen
class Rerun:
    """What is asked once more, in a room, of the database that it was read for, on terms that only
    read."""

    connection_id: str
    room: RoomDatabase
    request: Request
    terms: Terms


@attrs.frozen
class Ran:
    """What ran has answered: what of that is cut, and when it began, as wall time."""

    cut: Cut
    executed_ms: int


@attrs.define(eq=False)
class Reruns:
    """Asks questions once more; `bounds` are those of an export."""

    _life: AnswerLife
    _bounds: Bounds
    _wall_ms: Callable[[], int]

    @property
    def max_rows(self) -> int:
        """Rows that an export may have; 0 where none runs anything."""
        return self._bounds.max_rows

    async def prepare(
        self, user_id: str, question: Message, *, rows_max: int
    ) -> Rerun | Refusal | None:
        """What of a question may run once more, of which a file holds `rows_max`; None where
        nothing may: it is no question any more, the guard of today refuses it, or it writes."""
        room = self._life.databases.get(question.connection_id)
        if room is None:
            return None
        bounds = attrs.evolve(self._bounds, max_rows=min(rows_max, self._bounds.max_rows))
        asked = question_terms(question.context, room, bounds)
        terms = attrs.evolve(asked.terms, read_only=True)
        piece = piece_of(question.content, room, terms)
        response = await self._life.responder.respond(user_id, piece, lambda: None)
        match response:
            case Talk() | Rejected():
                return None
            case Unread(code, sentence, retry_after_ms):
                return Refusal(code, sentence, retry_after_ms=retry_after_ms)
        request = request_of(response, room, dry_run=asked.dry_run)
        if isinstance(request, Ending):
            return None
        return Rerun(question.connection_id, room, request, terms)

    async def run(self, user_id: str, rerun: Rerun, sink: Sink) -> Ran | Refusal:
        """Have the database answer into the sink."""
        slots = [(kind, rerun.connection_id) for kind in (ROOM, DATABASE)]
        slots.append((USER, user_id))
        with trio.move_on_after(self._bounds.timeout_s):
            if not await self._life.slots.acquire_in_time(user_id, slots):
                return Refusal(Code.DB_BUSY, retry_after_ms=RETRY_BUSY_MS)
            executed_ms = self._wall_ms()
            try:
                if not self._life.is_current(rerun.connection_id, rerun.room):
                    return Refusal(Code.DB_UNAVAILABLE, REPLACED)
                outcome = await _asked(rerun, sink)
            finally:
                self._life.slots.release(user_id, slots)
            return Ran(outcome.cut, executed_ms) if isinstance(outcome, Answered) else outcome
        return Refusal(Code.DB_TIMEOUT)


async def _asked(rerun: Rerun, sink: Sink) -> Answered | Refusal:
    try:
        outcome = await rerun.room.database.ask(rerun.request, rerun.terms, sink, trio.Event())
    except DatabaseFailed as failed:
        return Refusal(failed.code, failed.sentence)
    return STOPPED if isinstance(outcome, Stopped) else outcome
