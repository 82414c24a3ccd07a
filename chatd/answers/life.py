"""The life of one answer: its message is read, its request carried out, its end stored, once.

    to be read    plain talk                    its sender gets a hint, and nothing is left of it
                  a question                    its room is told that it is being answered
                  cannot be read                its answer ends with the reason
                  the daemon stops, or crashes  the next start reads it; a question is interrupted

A question takes slots within the bounds and is carried out by an execution, which equal questions
share. Its end is a message that is committed before the room is told.
"""

import contextlib
import math
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from functools import partial
from typing import Protocol

import attrs
import trio

from chatd.actors.fair_queue import Slot
from chatd.answers.active import ActiveAnswer, Display
from chatd.answers.answer import AnswerState, Ending
from chatd.answers.cache import Cache
from chatd.answers.executions import Executions, Key
from chatd.answers.markdown import readable
from chatd.answers.requests import (
    Answered,
    Database,
    DatabaseFailed,
    ExplainStatement,
    RunStatement,
    Stopped,
)
from chatd.answers.responder import DECIDE_S, Responder
from chatd.answers.slots import DATABASE, ROOM, USER, AnswerSlots
from chatd.answers.sql.reader import BUSY
from chatd.answers.sql.reading import FAILED, UNAVAILABLE, Piece, Response, Talk, Unread
from chatd.answers.terms import (
    Bounds,
    QuestionTerms,
    RoomDatabase,
    kind_of,
    piece_of,
    question_terms,
    request_of,
)
from chatd.chat.audit import AuditAction, AuditEntry
from chatd.chat.backoff import Backoff
from chatd.chat.ids import written_id
from chatd.chat.messages import Reply
from chatd.chat.records import Message, OpenAnswer
from chatd.observe import AnswerEnded, AnswerStarted, EventLog, InternalError
from chatd.observe.ids import new_uuid
from chatd.store import StoreClosed, StoredAnswer, StoreReadFailed
from chatd.wire.codes import HINTS, Code, HintCode, Refusal
from chatd.wire.identifiers import RESERVED_USER_PREFIX

OPEN_MAX = 1_000  # open answers; beyond it they end at once, with db_busy
RETRY_BACKOFF_S = (0.5, 30.0)  # between two tries at what has to be done in the end
RETRY_BUSY_MS = 2_000  # what an answer without a slot tells: one is free about that soon
NOBODY_ANSWERS = Talk(HintCode.NO_DATABASE, HINTS[HintCode.NO_DATABASE])
REPLACED = "The database of this room was just replaced; ask again."
STILL_STARTING = "The server of this database is still being started; ask again in a moment."
LEFT_OVER = f"{RESERVED_USER_PREFIX}left over"  # the user in whose turn leftovers are read


Conclude = Callable[[OpenAnswer, str, Reply, Callable[[], None]], Awaitable[Refusal | None]]
"""Has the messages actor store the message that ends an answer. It is given the answer, the
message's content, the reply, and what to call once the message is in the log, before clients get
it. Returns None when it is stored, or why it is not. Nothing is called if another node has ended
the answer already."""


class MarkRead(Protocol):
    """Notes in the log that a message was read; never waits."""

    def __call__(self, answer: OpenAnswer, *, is_question: bool) -> None: ...


class AnswerLog(Protocol):
    """What answers look up in the log."""

    async def answer_to(self, question_id: str, rooms: Container[str]) -> StoredAnswer | None:
        """What became of a question."""
        ...

    async def message(self, message_id: str, rooms: Container[str]) -> Message | None:
        """A message of these rooms by its id, as it is now."""
        ...

    async def written(self, message_id: str, rooms: Container[str]) -> Message | None:
        """The same message as it was first written."""
        ...


@attrs.frozen
class AnswerRules:
    """How many answers may be open, and for how long; whether every member may cancel."""

    bounds: Bounds
    per_user: float
    per_room: float
    per_database: float
    wait_s: float
    anybody_cancels: bool = False
    open_max: int = OPEN_MAX
    decide_s: float = DECIDE_S


class AnswerLife:
    """What answers need while they live. `databases` go by connectionId; other rooms have none."""

    def __init__(
        self,
        databases: Mapping[str, RoomDatabase],
        display: Display,
        conclude: Conclude,
        note_read: MarkRead,
        log: AnswerLog,
        responder: Responder,
        cache: Cache,
        rules: AnswerRules,
        wall_ms: Callable[[], int],
        event_log: EventLog,
    ) -> None:
        self.databases = databases
        self._display = display
        self._conclude = conclude
        self._note_read = note_read
        self._log = log
        self._responder = responder
        self.executions = Executions(cache, event_log)
        self.rules = rules
        self._wall_ms = wall_ms
        self._event_log = event_log
        self.slots = AnswerSlots(rules.per_user, rules.per_room, self._sessions_of, rules.wait_s)
        self.executions.tell_runs_on = self.slots.hold_back
        self._left_over = trio.Lock()  # its holder reads what a crash left: one at a time
        self._interrupted = trio.Lock()  # its holder looks up what a crash interrupted

    @property
    def responder(self) -> Responder:
        """What reads messages."""
        return self._responder

    def foresee(
        self, connection_id: str, user_id: str, content: str, context: bytes | None
    ) -> None:
        """A message that may be a question is on its way into the log; never waits."""
        room = self.databases.get(connection_id)
        if room is not None:
            terms = question_terms(context, room, self.rules.bounds).terms
            self._responder.foresee(user_id, piece_of(content, room, terms))

    def opened(self, open_answer: OpenAnswer, message: Message | None) -> ActiveAnswer:
        """An answer that begins to live."""
        return ActiveAnswer(open_answer, self._display, self.rules.bounds, message)

    def may_write(self, one: ActiveAnswer) -> bool:
        """Whether room and message both allow the statement of an answer to write."""
        room = self.databases.get(one.of.connection_id)
        if room is None or one.message is None:
            return False
        return not question_terms(one.message.context, room, self.rules.bounds).terms.read_only

    def replace_databases(self, databases: Mapping[str, RoomDatabase]) -> None:
        """Other databases answer from now on. A question is carried out by the database that it was
        read for: if that is gone meanwhile, the question ends."""
        for connection_id in self.databases.keys() | databases.keys():
            if self.databases.get(connection_id) is not databases.get(connection_id):
                self.executions.forget(connection_id)
        self.databases = databases

    def is_current(self, connection_id: str, room: RoomDatabase) -> bool:
        """Whether this is still what answers in a room."""
        return self.databases.get(connection_id) is room

    def _sessions_of(self, connection_id: str) -> float:
        """How many answers a database works on at once: each has a session. One for a database that
        is gone, so that an answer that waits for it gets there and learns that."""
        room = self.databases.get(connection_id)
        return 1.0 if room is None else min(self.rules.per_database, room.database.sessions)

    async def live(self, nursery: trio.Nursery, one: ActiveAnswer, *, is_crowded: bool) -> None:
        """Live it until its end is in the log, or until it turns out to be talk, or is left to the
        next start. Executions begin in the nursery, since other answers may join them."""
        try:
            if one.message is None:
                ending = await self._end_left_over(one)
            else:
                ending = await self._find_end(nursery, one, one.message, is_crowded)
        except Exception as error:
            self._event_log.record(InternalError.of("answer", error))
            ending = Ending.failed(Code.INTERNAL)
        if ending is not None and not one.ended.is_set():
            if one.is_to_read:  # whoever waits for it learns first that it was a question
                self._start(one, None)
            await self._end(one, ending)

    # What a message comes to

    async def _respond(
        self, one: ActiveAnswer, user_id: str, piece: Piece, accept: Callable[[], bool]
    ) -> Response:
        """What the responder says; once the message is known to be a question, `accept` says
        whether to go on.

        A responder that crashes, or does not decide in time, has not understood the message.
        """
        response: Response = UNAVAILABLE
        is_accepted = False

        def accepted() -> None:
            nonlocal is_accepted
            is_accepted, scope.deadline, one.waiting = True, math.inf, scope
            if not accept():
                scope.cancel()

        with trio.move_on_after(self.rules.decide_s) as scope:
            try:
                response = await self._responder.respond(user_id, piece, accepted)
            except Exception as error:
                self._event_log.record(InternalError.of("responder", error))
                response = FAILED
        one.waiting = None
        return FAILED if is_accepted and isinstance(response, Talk) else response

    async def _end_left_over(self, one: ActiveAnswer) -> Ending | None:
        """The end of what a crash has interrupted; None for plain talk, for what nobody waits for
        any more, and for what is left to the next start.

        However many messages are to be read, they are read one at a time, in a turn of their own
        among the users. What cannot be read now is read later.
        """
        if not one.is_to_read:
            async with self._interrupted:  # they end in the order in which they were asked
                await self._look_up(one)
                return Ending.interrupted()
        backoff = Backoff(*RETRY_BACKOFF_S)
        while not one.ended.is_set():
            if one.wanted_end is AnswerState.CANCELLED:  # its room has seen nothing of it
                self._hint(one, Talk())
            if one.wanted_end is not None:
                return None
            response: Talk | Ending | None = None
            try:
                async with self._left_over:
                    if one.wanted_end is not None:
                        continue
                    if one.asked is None:
                        await self._look_up(one)
                    response = await self._read_left_over(one)
            except StoreClosed:
                return None
            except StoreReadFailed as failure:
                if failure.is_damage:
                    return None
            match response:
                case Talk():
                    self._hint(one, response)
                    return None
                case Ending():
                    return response
            if one.wanted_end is None:
                with trio.CancelScope() as one.waiting:
                    await trio.sleep(backoff.failed())
                one.waiting = None
        return None

    async def _look_up(self, one: ActiveAnswer) -> None:
        """Look up what was asked, for the audit."""
        with contextlib.suppress(StoreReadFailed, StoreClosed):
            written = await self._log.written(one.of.question_id, (one.of.connection_id,))
            one.asked = None if written is None else written.content

    async def _read_left_over(self, one: ActiveAnswer) -> Talk | Ending | None:
        """What a leftover is: talk, or a question, with its end; None if that cannot be told
        now."""
        room = self.databases.get(one.of.connection_id)
        if room is None:
            return NOBODY_ANSWERS
        place = one.of.question_id, (one.of.connection_id,)
        message = await self._log.message(*place)
        if message is None or message.is_deleted:
            return Talk()  # retention was faster, or its author
        if message.rev > 0:  # its text as sent is read, as it would have been before the crash
            message = await self._log.written(*place) or message
        terms = question_terms(message.context, room, self.rules.bounds).terms
        is_accepted = False

        def accept() -> bool:
            nonlocal is_accepted
            is_accepted = True
            return False

        response = await self._respond(
            one, LEFT_OVER, piece_of(message.content, room, terms), accept
        )
        if not is_accepted and isinstance(response, Unread) and response.may_be_repeated:
            return None
        if isinstance(response, Talk) and not is_accepted:
            return response
        return Ending.interrupted()

    async def _find_end(
        self, nursery: trio.Nursery, one: ActiveAnswer, message: Message, is_crowded: bool
    ) -> Ending | None:
        """The end of a message that may be a question; None if it is plain talk."""
        room = self.databases.get(one.of.connection_id)
        if room is None:
            self._hint(one, NOBODY_ANSWERS)
            return None
        asked = question_terms(message.context, room, self.rules.bounds)

        def accept() -> bool:
            if one.is_to_read and not one.ended.is_set():
                self._start(one, asked)
                nursery.start_soon(_end_at_deadline, one)
            return one.wanted_end is None and not one.ended.is_set()

        if is_crowded:
            response: Response = BUSY
        else:
            piece = piece_of(message.content, room, asked.terms)
            response = await self._respond(one, message.user_id, piece, accept)
        if one.ended.is_set():
            return None
        if isinstance(response, Talk):
            self._hint(one, response)
            return None
        accept()
        if isinstance(response, Unread):
            if one.wanted_end is not None:
                return one.end_as_wanted()
            return Ending.failed(
                response.code, response.sentence, retry_after_ms=response.retry_after_ms
            )
        request = request_of(response, room, dry_run=asked.dry_run)
        one.kind = kind_of(response if isinstance(request, Ending) else request)
        if isinstance(request, Ending):
            return request
        if isinstance(request, RunStatement | ExplainStatement):
            one.content.asks(request.written)
            one.content.remark = request.remark
        key = (one.of.connection_id, request, asked.terms)
        return await self._carry_out(nursery, one, key, room)

    def tell(self, message: OpenAnswer, talk: Talk) -> None:
        """Tell its sender that a message is talk."""
        self._display.hint(message, talk.code, talk.sentence)

    def _hint(self, one: ActiveAnswer, talk: Talk) -> None:
        """A message is talk: tell its sender, and note in the log that it was read."""
        one.talk = talk
        self._note_read(one.of, is_question=False)
        self.tell(one.of, talk)

    def _start(self, one: ActiveAnswer, asked: QuestionTerms | None) -> None:
        """Show the room that a message is being answered, and note in the log that it was read.
        `asked` is None if the answer ends before its terms are known."""
        one.is_to_read = False
        self._note_read(one.of, is_question=True)
        self._event_log.record(
            AnswerStarted(one.of.answer_id, one.of.question_id, one.of.connection_id)
        )
        left_s = max(0.0, one.deadline_s - trio.current_time())
        self._display.start(
            one.of,
            read_only=asked is None or asked.terms.read_only,
            dry_run=asked is not None and asked.dry_run,
            deadline_ms=self._wall_ms() + round(left_s * 1000),
        )

    # How a request is carried out

    async def _carry_out(
        self, nursery: trio.Nursery, one: ActiveAnswer, key: Key, room: RoomDatabase
    ) -> Ending:
        if not self.is_current(one.of.connection_id, room):
            return Ending.failed(Code.DB_UNAVAILABLE, REPLACED)
        cached = self.executions.cached(key)
        if cached is not None:
            one.columns(cached.columns)
            one.rows(cached.rows)
            one.finish_rows()
            return Ending(cut=cached.cut, is_cached=True)
        database = room.database
        one.status(AnswerState.STARTING if database.is_starting else AnswerState.QUEUED)
        slots = [(USER, one.of.user_id), (ROOM, one.of.connection_id)]
        one.due_s = one.began_s + self.rules.wait_s
        if not await self.slots.acquire(slots, one, database):
            return self._no_slot(one, slots, database)
        try:
            return await self._follow(nursery, one, key, room)
        finally:
            self.slots.release(one.of.user_id, slots)

    def _no_slot(self, one: ActiveAnswer, slots: Sequence[Slot], database: Database) -> Ending:
        if one.wanted_end is not None:
            return _end_as_wanted(one, database)
        why = self.slots.why_busy(one.of.user_id, slots)
        return Ending.failed(Code.DB_BUSY, why, retry_after_ms=RETRY_BUSY_MS)

    async def _follow(
        self, nursery: trio.Nursery, one: ActiveAnswer, key: Key, room: RoomDatabase
    ) -> Ending:
        """Follow an execution: one that goes on already, or a new one.

        If the answer joined one late, and the database gives that up before the answer's own
        deadline, the answer follows another.
        """
        database = room.database
        if not self.is_current(one.of.connection_id, room):
            return Ending.failed(Code.DB_UNAVAILABLE, REPLACED)
        execution = self.executions.joinable(key, one.deadline_s)
        is_joined = execution is not None
        if execution is None:
            slot = [(DATABASE, one.of.connection_id)]
            if not await self.slots.acquire(slot, one, database):
                return self._no_slot(one, slot, database)
            free = partial(self.slots.release, one.of.user_id, slot)
            if not self.is_current(one.of.connection_id, room):
                free()
                return Ending.failed(Code.DB_UNAVAILABLE, REPLACED)
            execution = self.executions.joinable(key, one.deadline_s)  # begun meanwhile
            is_joined = execution is not None
            if execution is None:
                execution = self.executions.begin(nursery, key, database, free)
            else:
                free()
        execution.attach(one)
        await one.news.wait()
        if not execution.ended.is_set() and execution.detach(one):
            await execution.ended.wait()  # the execution bounds it
        if is_joined and execution.is_out_of_time and one.start_over():
            one.due_s = trio.current_time() + self.rules.wait_s
            return await self._follow(nursery, one, key, room)
        if execution.ended.is_set():
            match execution.outcome:
                case Answered(cut, rows_written):
                    one.finish_rows()
                    return Ending(cut=cut, rows_written=rows_written)
                case DatabaseFailed(code=code, sentence=sentence):
                    return Ending.failed(code, sentence)
                case Stopped(is_confirmed):
                    one.is_confirmed = is_confirmed
        return _end_as_wanted(one, database)

    # The end

    async def _end(self, one: ActiveAnswer, ending: Ending) -> None:
        """Store the end, then tell the room. If the log takes nothing more, nobody is told: the
        answer stays open in the log, and the next start ends it."""
        content, elapsed_ms = one.content, one.elapsed_ms
        if content.statement is None and one.asked is not None:  # the question may be edited
            content.asks(one.asked)
        content.end(ending)
        reply = Reply(
            one.of.question_id,
            content.state,
            content.as_json(elapsed_ms),
            _audit(one, ending, elapsed_ms),
        )

        def stored() -> None:
            one.is_stored = True
            self._display.end(one.of, content.result(elapsed_ms))

        backoff = Backoff(*RETRY_BACKOFF_S)
        while refusal := await self._conclude(one.of, readable(content), reply, stored):
            if refusal.code is Code.DRAINING:
                return
            if refusal.code is Code.MESSAGE_ID_CONFLICT:  # chance, or an older log: another id
                one.of = attrs.evolve(one.of, answer_id=new_uuid())
                continue
            await trio.sleep(backoff.failed())
        if not one.is_stored:
            one.is_overtaken = True
            self._display.drop(one.of)
            return
        self._event_log.record(
            AnswerEnded(
                one.of.answer_id,
                one.of.connection_id,
                one.kind,
                content.state,
                None if ending.code is None else str(ending.code),
                len(content.rows),
                elapsed_ms,
            )
        )


def _audit(one: ActiveAnswer, ending: Ending, elapsed_ms: int) -> AuditEntry:
    """What an auditor learns: the statement, or the whole message if it holds no statement, or none
    was found in it."""
    of = one.of
    return AuditEntry(
        AuditAction.ASK,
        of.opened_ms,
        of.user_id,
        str(one.content.state),
        of.address,
        of.connection_id,
        written_id(of.question_id),
        one.asked if one.content.statement is None else one.content.statement,
        code=None if ending.code is None else str(ending.code),
        rows=len(one.content.rows),
        elapsed_ms=elapsed_ms,
    )


async def _end_at_deadline(one: ActiveAnswer) -> None:
    with trio.move_on_at(one.deadline_s):
        await one.ended.wait()
        return
    one.want_end(AnswerState.TIMEOUT)


def _end_as_wanted(one: ActiveAnswer, database: Database) -> Ending:
    """The end that was asked for; an answer out of time says why, if the start of its database took
    the time."""
    if one.wanted_end is AnswerState.TIMEOUT and database.is_starting:
        return Ending.failed(Code.DB_TIMEOUT, STILL_STARTING)
    return one.end_as_wanted()
