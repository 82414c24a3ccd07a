"""A stored question asked once more, for an export that may hold more than its message.

It runs under the same guard as the question, on stricter terms: it only reads, whatever the message
and the configuration allow. It waits for the same places as answers, in the turn of the user who
downloads, and is over at its own deadline. If cancelled, it has the database stop.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import attrs
import trio

from chatd.answers.answer import Ending
from chatd.answers.cut import Cut
from chatd.answers.life import REPLACED, RETRY_BUSY_MS, AnswerLife
from chatd.answers.requests import (
    Answered,
    DatabaseFailed,
    PacedSink,
    Request,
    Sink,
    Stopped,
    Terms,
)
from chatd.answers.slots import DATABASE, ROOM, USER
from chatd.answers.sql.reading import Talk, Unread
from chatd.answers.sql.verdicts import Rejected
from chatd.answers.table import Column, Row
from chatd.answers.terms import Bounds, RoomDatabase, piece_of, question_terms, request_of
from chatd.chat.records import Message
from chatd.wire.codes import Code, Refusal

STOPPED: Final = Refusal(Code.DB_INTERRUPTED)


@attrs.frozen
class Rerun:
    """What is asked once more, in a room, on terms that only read; the database is the one that it
    was read for."""

    connection_id: str
    room: RoomDatabase
    request: Request
    terms: Terms


@attrs.frozen
class Ran:
    """It ran and was answered: what is cut, and the wall time when it began."""

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
        """Rows that an export may have; 0 if no export runs anything."""
        return self._bounds.max_rows

    async def prepare(
        self, user_id: str, question: Message, *, rows_max: int
    ) -> Rerun | Refusal | None:
        """What may run once more of a question, for a file that holds `rows_max` rows; None if
        nothing may: it is not a question any more, today's guard refuses it, or it writes."""
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
                why = self._life.slots.why_busy(user_id, slots)
                return Refusal(Code.DB_BUSY, why, retry_after_ms=RETRY_BUSY_MS)
            executed_ms = self._wall_ms()
            try:
                if not self._life.is_current(rerun.connection_id, rerun.room):
                    return Refusal(Code.DB_UNAVAILABLE, REPLACED)
                hold_back = partial(self._life.slots.hold_back, user_id, rerun.connection_id)
                outcome = await _asked(rerun, _WatchingSink(sink, hold_back))
            finally:
                self._life.slots.release(user_id, slots)
            return Ran(outcome.cut, executed_ms) if isinstance(outcome, Answered) else outcome
        return Refusal(Code.DB_TIMEOUT)


@attrs.frozen(eq=False)
class _WatchingSink:
    """The sink of an export, whose user is held back while the statement runs on."""

    _sink: Sink
    _hold_back: Callable[[trio.Event], None]

    def columns(self, columns: Sequence[Column]) -> None:
        self._sink.columns(columns)

    def rows(self, rows: Sequence[Row]) -> None:
        self._sink.rows(rows)

    async def caught_up(self) -> None:
        if isinstance(self._sink, PacedSink):
            await self._sink.caught_up()

    def runs_on(self, ended: trio.Event) -> None:
        self._hold_back(ended)


async def _asked(rerun: Rerun, sink: Sink) -> Answered | Refusal:
    try:
        outcome = await rerun.room.database.ask(rerun.request, rerun.terms, sink, trio.Event())
    except DatabaseFailed as failed:
        return Refusal(failed.code, failed.sentence)
    return STOPPED if isinstance(outcome, Stopped) else outcome
