"""Answers: every question that is in the log is answered, and each answer ends once (SPEC 6).

A message that may be a question is stored first, and read after: the log holds that it is to be
read. Plain talk leaves no trace of that. What is a question has an answer, which belongs to its
room. It is a task of this service, whatever becomes of the socket that asked: it is looked up in
the cache, given places within the bounds, and carried out by a run, which equal questions share.
Its end is a message that is committed before the room is told; until that is in the log the answer
is open, there as here, so that a start closes what a crash has interrupted.

    to be read    plain talk                    nothing is left of it
                  a question                    its room is told that it is being answered
                  cannot be read                its answer ends with why
                  the daemon stops, or crashes  the next start reads it; a question is interrupted
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Protocol, TypeAlias

import attrs
import trio

from chatd.answers.active import Stage, UnderWay
from chatd.answers.answer import Ending, State
from chatd.answers.asking import Asking, Bounds, RoomDatabase, asking
from chatd.answers.cache import Cache
from chatd.answers.concurrency import DATABASE, ROOM, USER, Most, Place, Places
from chatd.answers.prose import readable
from chatd.answers.requests import (
    Answered,
    DatabaseFailed,
    ExplainStatement,
    Request,
    RunStatement,
    Stopped,
    Terms,
)
from chatd.answers.runs import Run
from chatd.answers.sql.guard import Policy, Rejected
from chatd.answers.sql.questions import Help, Misused, Question, help_text, may_be_question
from chatd.answers.sql.reader import BUSY, UNAVAILABLE, Unread
from chatd.answers.sql.reading import Piece, Reading, Talk
from chatd.chat.ids import written_id
from chatd.chat.messages import Asked, Reply
from chatd.chat.records import Message, OpenAnswer
from chatd.observe import AnswerEnded, AnswerStarted, EventLog, InternalError
from chatd.observe.ids import new_uuid
from chatd.store import StoreClosed, StoredAnswer, StoreReadFailed
from chatd.wire.codes import EXPLANATIONS, Code, Refusal
from chatd.wire.identifiers import RESERVED_USER_PREFIX

Key: TypeAlias = tuple[str, Request, Terms]

OPEN_MAX = 1_000  # answers under way; beyond it they end at once, with db_busy
RETRY_FIRST_S, RETRY_MAX_S = 0.5, 30.0  # between two tries at what has to be done in the end
RETRY_BUSY_MS = 2_000  # what is told to who found no place: a place is free about that soon
LEFT_OVER = f"{RESERVED_USER_PREFIX}left over"  # whose turn it is at what a crash left to be read


class Conclude(Protocol):
    """Stores the message that ends an answer, by the messages actor."""

    async def __call__(
        self, answer: OpenAnswer, content: str, reply: Reply, told: "Told"
    ) -> Refusal | None:
        """Return when it is stored, or why it is not; `told` is called before readers get it."""
        ...


class Told(Protocol):
    """Called when something is in the log."""

    def __call__(self) -> None: ...


class Looks(Protocol):
    """Looks into the log."""

    async def answer_to(self, question_id: str, rooms: Container[str]) -> StoredAnswer | None:
        """What became of a question."""
        ...

    async def message(self, message_id: str) -> Message | None:
        """A message by its id."""
        ...


class Reads(Protocol):
    """Reads messages, and judges what they ask."""

    async def read(self, user_id: str, piece: Piece) -> Reading | Unread:
        """What it came to, in the user's turn, and within bounds of its own."""
        ...


class NotesRead(Protocol):
    """Has the log know that a message was read; never waits."""

    def __call__(self, answer: OpenAnswer, *, is_question: bool) -> None: ...


@attrs.frozen
class Cancelling:
    """What came of a wish to cancel: the state that the answer has ended in.

    `is_confirmed`, where it was cancelled: the database says that nothing of it runs on.
    """

    state: str
    is_confirmed: bool | None = None


@attrs.frozen
class Rules:
    """How much may be under way, and for how long; whether everybody may cancel."""

    bounds: Bounds
    per_user: float
    per_room: float
    per_database: float
    wait_s: float
    anybody_cancels: bool = False


class Answers:
    """All rooms' answers. `databases` go by connectionId; other rooms ask nobody."""

    def __init__(
        self,
        databases: Mapping[str, RoomDatabase],
        stage: Stage,
        conclude: Conclude,
        note_read: NotesRead,
        log: Looks,
        reader: Reads,
        cache: Cache,
        rules: Rules,
        wall_ms: Callable[[], int],
        event_log: EventLog,
    ) -> None:
        self.stage = stage
        self.rules = rules
        self._databases = databases
        self._conclude = conclude
        self._note_read = note_read
        self._log = log
        self._reader = reader
        self._cache = cache
        self._wall_ms = wall_ms
        self._event_log = event_log
        self._places = Places(
            {
                USER: Most(lambda _: rules.per_user),
                ROOM: Most(lambda _: rules.per_room, is_shared=True),
                DATABASE: Most(self._places_at, is_shared=True),
            }
        )
        self._runs: dict[Key, Run] = {}  # those that others may join
        self._writes: Counter[str] = Counter()  # by room, so far
        self._open: OrderedDict[str, UnderWay] = OrderedDict()  # by the id of the question
        self._arrived: list[UnderWay] = []
        self._arrival = trio.Event()
        self._none_open = trio.Event()
        self._is_draining = False
        self._left_over = trio.Lock()  # who holds it reads what a crash left: one at a time

    @property
    def count(self) -> int:
        """How many answers are open, with those that are to be read."""
        return len(self._open)

    def _places_at(self, connection_id: str) -> float:
        """How many may be answered by a database at once: each has a session at once, so that who
        waits for one waits here."""
        sessions = self._databases[connection_id].database.sessions
        return min(self.rules.per_database, sessions)

    # What comes from clients before their message is stored

    def may_be_one(self, connection_id: str, content: str) -> bool:
        """Whether a message may be a question, in a room where it would be answered; costs next to
        nothing."""
        return connection_id in self._databases and may_be_question(content)

    # What comes from the messages actor

    def begin(self, question: Message, asked: Asked) -> None:
        """A message that may be a question is in the log, and is to be read; never waits."""
        self._arrive(asked.opened_by(question), question)

    def adopt(self, open_answers: Sequence[OpenAnswer]) -> None:
        """The log holds these as open; those that nobody here knows were interrupted."""
        for one in open_answers:
            if one.question_id not in self._open:
                self._arrive(one, None)

    def _arrive(self, open_answer: OpenAnswer, message: Message | None) -> None:
        if self._is_draining and open_answer.is_to_read:
            return  # the next start reads it
        one = UnderWay(open_answer, self.stage, self.rules.bounds, message)
        self._open[open_answer.question_id] = one
        self._arrived.append(one)
        self._arrival.set()

    # What comes from clients and from the daemon

    async def cancel(
        self, question_id: str, user_id: str, rooms: Mapping[str, object]
    ) -> Cancelling | Refusal:
        """Have an answer stopped, and return when it has ended, in whichever way.

        `rooms` are those that the user may use. Raises StoreReadFailed, StoreClosed.
        """
        one = self._open_in(question_id, rooms)
        if one is None:
            known = await self._log.answer_to(question_id, rooms)
            if known is None or known.state is None:
                return Refusal(Code.NOT_FOUND, path="messageId")
            return Cancelling(known.state)
        if user_id != one.of.user_id and not self.rules.anybody_cancels:
            sentence = "Only who asked may cancel this answer."
            return Refusal(Code.NOT_FOUND, sentence, path="messageId")
        one.want_end(State.CANCELLED)
        await one.ended.wait()
        if one.answer.ending is None:  # it was plain talk, or is left to the next start
            code = Code.DRAINING if self._is_draining else Code.NOT_FOUND
            return Refusal(code, path="messageId")
        return Cancelling(one.answer.state, one.is_confirmed)

    def _open_in(self, question_id: str, rooms: Container[str]) -> UnderWay | None:
        """The open answer to the question that is known by this id in these rooms. What is open
        elsewhere is looked for like what is not."""
        one = self._open.get(question_id)
        if one is not None and one.of.connection_id in rooms:
            return one
        for one in self._open.values():
            if written_id(one.of.question_id) == question_id and one.of.connection_id in rooms:
                return one
        return None

    async def drain(self) -> None:
        """End what is under way, and return when all of it is in the log. What is to be read is
        left to the next start, as it may be nothing that has an end."""
        self._is_draining = True
        for one in list(self._open.values()):
            if one.is_to_read:
                self._forget(one)
        while self._open:
            for one in self._open.values():
                one.want_end(State.INTERRUPTED)
            self._none_open = trio.Event()
            await self._none_open.wait()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer, until cancelled. What a crash of this left open ends as interrupted."""
        arrived = {id(one) for one in self._arrived}
        for one in self._open.values():
            if id(one) not in arrived:
                one.message = None
                self._arrived.append(one)
        self._runs.clear()
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                while self._arrived:
                    nursery.start_soon(self._answer, nursery, self._arrived.pop(0))
                    # Trio runs tasks that are started together in any order; so each gets in line
                    # before the next is there.
                    await trio.lowlevel.checkpoint()
                self._arrival = trio.Event()
                await self._arrival.wait()

    # The life of one answer

    async def _answer(self, nursery: trio.Nursery, one: UnderWay) -> None:
        try:
            if one.message is None:
                ending = await self._end_left_over(one)
            else:
                ending = await self._find_end(nursery, one, one.message)
        except Exception as error:
            self._event_log.record(InternalError.of("answer", error))
            ending = Ending.failed(Code.INTERNAL, EXPLANATIONS[Code.INTERNAL].sentence)
        if one.ended.is_set():
            return  # it is left to the next start
        if ending is None:
            self._forget(one)
        else:
            await self._end(one, ending)

    async def _end_left_over(self, one: UnderWay) -> Ending | None:
        """How that ends which a crash has interrupted; None where it was plain talk.

        However much is to be read, it is one at a time, in a turn of their own among the users.
        """
        if not one.is_to_read:
            return Ending.interrupted()
        async with self._left_over:
            wait_s = RETRY_FIRST_S
            while not one.ended.is_set():
                reading = await self._read_left_over(one)
                if isinstance(reading, Talk):
                    self._note_read(one.of, is_question=False)
                    return None
                if not isinstance(reading, Unread) or not reading.may_be_repeated:
                    return Ending.interrupted()
                await trio.sleep(wait_s)
                wait_s = min(RETRY_MAX_S, 2 * wait_s)
        return None

    async def _read_left_over(self, one: UnderWay) -> Reading | Unread:
        room = self._databases.get(one.of.connection_id)
        if room is None:
            return Talk()  # nobody would answer it there
        try:
            message = await self._log.message(one.of.question_id)
        except (StoreReadFailed, StoreClosed):
            self._forget(one)  # until the next start
            return UNAVAILABLE
        if message is None:
            return Talk()  # retention was faster
        asked = asking(message.context, room, self.rules.bounds)
        return await self._reader.read(LEFT_OVER, _piece(message, room, asked))

    async def _find_end(
        self, nursery: trio.Nursery, one: UnderWay, message: Message
    ) -> Ending | None:
        """How a message ends that may be a question; None where it was plain talk."""
        room = self._databases[one.of.connection_id]
        asked = asking(message.context, room, self.rules.bounds)
        if len(self._open) > OPEN_MAX:
            reading: Reading | Unread = BUSY
        else:
            reading = await self._reader.read(message.user_id, _piece(message, room, asked))
        if one.ended.is_set():
            return None
        if isinstance(reading, Talk):
            self._note_read(one.of, is_question=False)
            return None
        self._start(one, asked)
        if isinstance(reading, Unread):
            if one.wanted_end is not None:
                return one.end_as_wanted()
            return Ending.failed(
                reading.code, reading.sentence, retry_after_ms=reading.retry_after_ms
            )
        async with trio.open_nursery() as timing:
            timing.start_soon(_end_at_deadline, one)
            ending = _request(reading, room, asked)
            if not isinstance(ending, Ending):
                ending = await self._carry_out(nursery, one, room, ending, asked)
            timing.cancel_scope.cancel()
        return ending

    def _start(self, one: UnderWay, asked: Asking) -> None:
        """Tell the room that a message is being answered, and the log that it was read."""
        one.is_to_read = False
        self._note_read(one.of, is_question=True)
        self._event_log.record(
            AnswerStarted(one.of.answer_id, one.of.question_id, one.of.connection_id)
        )
        left_s = max(0.0, one.deadline_s - trio.current_time())
        self.stage.start(
            one.of,
            read_only=asked.terms.read_only,
            dry_run=asked.dry_run,
            deadline_ms=self._wall_ms() + round(left_s * 1000),
        )

    def _forget(self, one: UnderWay) -> None:
        if one.ended.is_set():
            return  # a drain was faster
        del self._open[one.of.question_id]
        one.ended.set()
        if not self._open:
            self._none_open.set()

    async def _carry_out(
        self,
        nursery: trio.Nursery,
        one: UnderWay,
        room: RoomDatabase,
        request: Request,
        asked: Asking,
    ) -> Ending:
        connection_id = one.of.connection_id
        key = (connection_id, request, asked.terms)
        found = None
        if asked.terms.read_only:
            found = self._cache.get(connection_id, key, trio.current_time())
        if found is not None:
            one.columns(found.columns)
            one.rows(found.rows)
            one.finish_rows()
            return Ending.done(is_truncated=found.is_truncated, is_cached=True)
        one.status(State.QUEUED)
        places = [(USER, one.of.user_id), (ROOM, connection_id)]
        due_s = one.began_s + self.rules.wait_s
        if not await self._take(places, one, due_s):
            return _no_place(one)
        try:
            return await self._follow(nursery, one, room, request, asked, key, due_s)
        finally:
            self._places.leave(one.of.user_id, places)

    async def _follow(
        self,
        nursery: trio.Nursery,
        one: UnderWay,
        room: RoomDatabase,
        request: Request,
        asked: Asking,
        key: Key,
        due_s: float,
    ) -> Ending:
        """Be given what a run gives: one that is under way, or a new one.

        One that the database gave up before the time of who joined it late is begun anew for them.
        """
        run = self._joinable(key, one, asked)
        is_joined = run is not None
        if run is None:
            place = [(DATABASE, one.of.connection_id)]
            if not await self._take(place, one, due_s):
                return _no_place(one)
            run = self._joinable(key, one, asked)  # somebody may have begun it meanwhile
            is_joined = run is not None
            if run is None:
                run = Run(request, asked.terms)
                if asked.terms.read_only:
                    self._runs[key] = run
                nursery.start_soon(self._run, run, room, one.of.user_id, place, key)
            else:
                self._places.leave(one.of.user_id, place)
        run.attach(one)
        await one.news.wait()
        if not run.ended.is_set() and run.detach(one):
            await run.ended.wait()  # the run bounds it
        if is_joined and run.is_out_of_time and one.start_over():
            due_s = trio.current_time() + self.rules.wait_s
            return await self._follow(nursery, one, room, request, asked, key, due_s)
        if run.ended.is_set():
            match run.outcome:
                case Answered(is_truncated):
                    one.finish_rows()
                    return Ending.done(is_truncated=is_truncated)
                case DatabaseFailed(code=code, sentence=sentence):
                    return Ending.failed(code, sentence)
                case Stopped(is_confirmed):
                    one.is_confirmed = is_confirmed
        return one.end_as_wanted()

    def _joinable(self, key: Key, one: UnderWay, asked: Asking) -> Run | None:
        """The run of an equal question that can go on for this one too."""
        run = self._runs.get(key) if asked.terms.read_only else None
        return run if run is not None and run.may_be_joined(one.deadline_s) else None

    async def _run(
        self, run: Run, room: RoomDatabase, user_id: str, place: list[Place], key: Key
    ) -> None:
        connection_id = place[0][1]
        writes = self._writes[connection_id]
        try:
            await run.carry_out(room.database, self._event_log)
        finally:
            self._places.leave(user_id, place)
            if self._runs.get(key) is run:
                del self._runs[key]
        if not run.terms.read_only:
            self._written(connection_id)
            return
        is_fresh = self._writes[connection_id] == writes
        if is_fresh and isinstance(run.outcome, Answered) and run.came_columns is not None:
            self._cache.put(
                connection_id,
                key,
                run.came_columns,
                run.came_rows,
                is_truncated=run.outcome.is_truncated,
                now_s=trio.current_time(),
            )

    def _written(self, connection_id: str) -> None:
        """Nothing that was read before is worth anything now, be it that it is still being read."""
        self._writes[connection_id] += 1
        self._cache.forget_room(connection_id)
        for key in [key for key in self._runs if key[0] == connection_id]:
            del self._runs[key]

    async def _take(self, places: list[Place], one: UnderWay, due_s: float) -> bool:
        """Take places, until `due_s`; False where there are none, or it is to end."""
        is_taken = False
        with trio.move_on_at(due_s) as one.waiting:
            if one.wanted_end is None:
                await self._places.wait(one.of.user_id, places)
                is_taken = True
        one.waiting = None
        return is_taken

    async def _end(self, one: UnderWay, ending: Ending) -> None:
        """Store the end, tell the room, and forget the answer: in this order."""
        answer, elapsed_ms = one.answer, one.elapsed_ms
        answer.end(ending)
        reply = Reply(one.of.question_id, answer.state, answer.as_json(elapsed_ms))

        def told() -> None:
            self.stage.end(one.of, answer.end_fields(elapsed_ms))

        wait_s = RETRY_FIRST_S
        while (
            refusal := await self._conclude(one.of, readable(answer), reply, told)
        ) is not None and refusal.code is not Code.DRAINING:
            if refusal.code is Code.MESSAGE_ID_CONFLICT:  # chance, or an older log: another id
                one.of = attrs.evolve(one.of, answer_id=new_uuid())
                continue
            await trio.sleep(wait_s)
            wait_s = min(RETRY_MAX_S, 2 * wait_s)
        self._event_log.record(
            AnswerEnded(
                one.of.answer_id,
                one.of.connection_id,
                answer.state,
                None if ending.code is None else str(ending.code),
                len(answer.rows),
                elapsed_ms,
            )
        )
        self._forget(one)


def _piece(message: Message, room: RoomDatabase, asked: Asking) -> Piece:
    terms = asked.terms
    policy = Policy(room.dialect, terms.read_only, terms.schema, terms.tables)
    return Piece(message.content, policy)


def _request(reading: Rejected | Question, room: RoomDatabase, asked: Asking) -> Request | Ending:
    """The request that may be made of the database, or the end that needs none."""
    match reading:
        case Rejected(code, sentence):
            return Ending.failed(code, sentence)
        case Help():
            return Ending.said(help_text())
        case Misused(sentence):
            return Ending.failed(Code.DB_SYNTAX, sentence)
        case RunStatement(sql) | ExplainStatement(sql):
            if not asked.dry_run and isinstance(reading, RunStatement):
                return reading
            if not room.database.can_explain:
                code = Code.DB_DRY_RUN_UNSUPPORTED
                return Ending.failed(code, EXPLANATIONS[code].sentence)
            return ExplainStatement(sql)
    if asked.dry_run:
        sentence = "There is a plan for statements only; ask without dryRun."
        return Ending.failed(Code.DB_DRY_RUN_UNSUPPORTED, sentence)
    return reading


async def _end_at_deadline(one: UnderWay) -> None:
    await trio.sleep_until(one.deadline_s)
    one.want_end(State.TIMEOUT)


def _no_place(one: UnderWay) -> Ending:
    if one.wanted_end is not None:
        return one.end_as_wanted()
    return Ending.busy(RETRY_BUSY_MS)
