"""Answers: every question that is in the log is answered, and each answer ends once (SPEC 6).

An answer belongs to its room. It is a task of this service, whatever becomes of the socket that
asked: it is judged by the guard, looked up in the cache, given places within the bounds, and
carried out by a run, which equal questions share. Its end is a message that is committed before
the room is told; until that is in the log the answer is open, there as here, so that a start closes
what a crash has interrupted.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Protocol, TypeAlias

import attrs
import trio

from chatd.answers.answer import Ending, State
from chatd.answers.asking import Asking, Bounds, RoomDatabase, asking
from chatd.answers.cache import Cache
from chatd.answers.guard import Policy, Rejected, check_statement, check_table
from chatd.answers.places import Places
from chatd.answers.prose import readable
from chatd.answers.questions import Help, Misused, Question, help_text
from chatd.answers.requests import (
    Answered,
    DatabaseFailed,
    DescribeTable,
    ExplainStatement,
    Request,
    RunStatement,
    SampleTable,
    Stopped,
    Terms,
)
from chatd.answers.runs import Run
from chatd.answers.under_way import Stage, UnderWay
from chatd.chat.ids import written_id
from chatd.chat.messages import Asked, Reply
from chatd.chat.records import Message, OpenAnswer
from chatd.observe import AnswerEnded, AnswerStarted, Emit, InternalError
from chatd.observe.chance import new_uuid
from chatd.store.readers import Answering
from chatd.wire.codes import EXPLANATIONS, Code, Refusal

Key: TypeAlias = tuple[str, Request, Terms]

OPEN_MAX = 1_000  # answers under way; beyond it they end at once, with db_busy
JUDGES_MAX = 2  # statements that are judged at once: a parser holds the interpreter
RETRY_FIRST_S, RETRY_MAX_S = 0.5, 30.0  # between two tries to store an end that the log refused


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


class Ended(Protocol):
    """Looks up in the log what became of a question."""

    async def answer_to(self, question_id: str, rooms: Container[str]) -> Answering | None: ...


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
        log: Ended,
        cache: Cache,
        rules: Rules,
        wall_ms: Callable[[], int],
        emit: Emit,
    ) -> None:
        self.stage = stage
        self.rules = rules
        self._databases = databases
        self._conclude = conclude
        self._log = log
        self._cache = cache
        self._wall_ms = wall_ms
        self._emit = emit
        self._places = Places(
            {"user": rules.per_user, "room": rules.per_room, "database": rules.per_database}
        )
        self._runs: dict[Key, Run] = {}  # those that others may join
        self._writes: Counter[str] = Counter()  # by room, so far
        self._open: OrderedDict[str, UnderWay] = OrderedDict()  # by the id of the question
        self._arrived: list[tuple[UnderWay, Message | None, Question | None]] = []
        self._arrival = trio.Event()
        self._none_open = trio.Event()
        self._is_draining = False
        self._judges = trio.CapacityLimiter(JUDGES_MAX)

    @property
    def count(self) -> int:
        """How many answers are open."""
        return len(self._open)

    # What comes from the messages actor

    def begin(self, question: Message, asked: Asked) -> None:
        """A question is in the log, and its answer is open; never waits."""
        self._arrive(asked.opened_by(question), question, asked.question)

    def adopt(self, open_answers: Sequence[OpenAnswer]) -> None:
        """The log holds these as open; those that nobody here knows were interrupted."""
        for one in open_answers:
            if one.question_id not in self._open:
                self._arrive(one, None, None)

    def _arrive(
        self, open_answer: OpenAnswer, message: Message | None, question: Question | None
    ) -> None:
        one = UnderWay(open_answer, self.stage, self.rules.bounds)
        self._open[open_answer.question_id] = one
        self._arrived.append((one, message, question))
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
        """End what is under way, and return when all of it is in the log."""
        self._is_draining = True
        while self._open:
            for one in self._open.values():
                one.want_end(State.INTERRUPTED)
            self._none_open = trio.Event()
            await self._none_open.wait()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer, until cancelled. What a crash of this left open ends as interrupted."""
        arrived = {id(one) for one, _, _ in self._arrived}
        self._arrived += [
            (one, None, None) for one in self._open.values() if id(one) not in arrived
        ]
        self._runs.clear()
        async with trio.open_nursery() as nursery:
            task_status.started()
            nursery.start_soon(self._warm_up)
            while True:
                while self._arrived:
                    one, message, question = self._arrived.pop(0)
                    nursery.start_soon(self._answer, nursery, one, message, question)
                self._arrival = trio.Event()
                await self._arrival.wait()

    async def _warm_up(self) -> None:
        """Have the grammar imported before the first question has to wait for it."""
        for dialect in {room.dialect for room in self._databases.values()}:
            await trio.to_thread.run_sync(check_statement, "SELECT 1", Policy(dialect))

    # The life of one answer

    async def _answer(
        self,
        nursery: trio.Nursery,
        one: UnderWay,
        message: Message | None,
        question: Question | None,
    ) -> None:
        if message is None or question is None:
            ending = Ending.interrupted()
        else:
            try:
                ending = await self._find_end(nursery, one, message, question)
            except Exception as error:
                self._emit.emit(InternalError.of("answer", error))
                ending = Ending.failed(Code.INTERNAL, EXPLANATIONS[Code.INTERNAL].sentence)
        await self._end(one, ending)

    async def _find_end(
        self, nursery: trio.Nursery, one: UnderWay, message: Message, question: Question
    ) -> Ending:
        room = self._databases[one.of.connection_id]
        asked = asking(message.context, room, self.rules.bounds)
        timeout_s = self.rules.bounds.timeout_s
        self._emit.emit(AnswerStarted(one.of.answer_id, one.of.question_id, one.of.connection_id))
        self.stage.start(
            one.of,
            read_only=asked.terms.read_only,
            dry_run=asked.dry_run,
            deadline_ms=self._wall_ms() + round(timeout_s * 1000),
        )
        if self._is_draining:
            one.want_end(State.INTERRUPTED)
        async with trio.open_nursery() as timing:
            timing.start_soon(_end_at_deadline, one)
            ending = await self._judge(question, room, asked)
            if not isinstance(ending, Ending):
                ending = await self._carry_out(nursery, one, room, ending, asked)
            timing.cancel_scope.cancel()
        return ending

    async def _judge(
        self, question: Question, room: RoomDatabase, asked: Asking
    ) -> Request | Ending:
        """The request that may be made of the database, or the end that needs none."""
        terms = asked.terms
        policy = Policy(room.dialect, terms.read_only, terms.schema, terms.tables)
        match question:
            case Help():
                return Ending.said(help_text())
            case Misused(sentence):
                return Ending.failed(Code.DB_SYNTAX, sentence)
            case RunStatement(sql) | ExplainStatement(sql):
                allowed = await trio.to_thread.run_sync(
                    check_statement, sql, policy, limiter=self._judges
                )
                if isinstance(allowed, Rejected):
                    return Ending.failed(allowed.code, allowed.sentence)
                if not asked.dry_run and isinstance(question, RunStatement):
                    return RunStatement(allowed.sql)
                if not room.database.can_explain:
                    code = Code.DB_DRY_RUN_UNSUPPORTED
                    return Ending.failed(code, EXPLANATIONS[code].sentence)
                return ExplainStatement(allowed.sql)
            case DescribeTable(table) | SampleTable(table):
                named = check_table(table, policy)
                if isinstance(named, Rejected):
                    return Ending.failed(named.code, named.sentence)
                question = attrs.evolve(question, table=named.name, schema=named.schema)
        if asked.dry_run:
            sentence = "There is a plan for statements only; ask without dryRun."
            return Ending.failed(Code.DB_DRY_RUN_UNSUPPORTED, sentence)
        return question

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
        if len(self._open) > OPEN_MAX:
            return Ending.failed(Code.DB_BUSY, EXPLANATIONS[Code.DB_BUSY].sentence)
        one.status(State.QUEUED)
        places = [("user", one.of.user_id), ("room", connection_id)]
        due_s = trio.current_time() + self.rules.wait_s
        if not await self._take(places, one, due_s):
            return _no_place(one)
        try:
            return await self._follow(nursery, one, room, request, asked, key, due_s)
        finally:
            self._places.leave(places)

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
        run = self._runs.get(key) if asked.terms.read_only else None
        is_joined = run is not None and run.may_be_joined(one.deadline_s)
        if run is None or not is_joined:
            place = [("database", one.of.connection_id)]
            if not await self._take(place, one, due_s):
                return _no_place(one)
            run = Run(request, asked.terms)
            if asked.terms.read_only:
                self._runs[key] = run
            nursery.start_soon(self._run, run, room, place, key)
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

    async def _run(
        self, run: Run, room: RoomDatabase, place: list[tuple[str, str]], key: Key
    ) -> None:
        connection_id = place[0][1]
        writes = self._writes[connection_id]
        try:
            await run.carry_out(room.database, self._emit)
        finally:
            self._places.leave(place)
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

    async def _take(self, places: list[tuple[str, str]], one: UnderWay, due_s: float) -> bool:
        """Take places, until `due_s`; False where there are none, or it is to end."""
        is_taken = False
        with trio.move_on_at(due_s) as one.waiting:
            if one.wanted_end is None:
                await self._places.wait(places)
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
        self._emit.emit(
            AnswerEnded(
                one.of.answer_id,
                one.of.connection_id,
                answer.state,
                None if ending.code is None else str(ending.code),
                len(answer.rows),
                elapsed_ms,
            )
        )
        del self._open[one.of.question_id]
        one.ended.set()
        if not self._open:
            self._none_open.set()


async def _end_at_deadline(one: UnderWay) -> None:
    await trio.sleep_until(one.deadline_s)
    one.want_end(State.TIMEOUT)


def _no_place(one: UnderWay) -> Ending:
    if one.wanted_end is not None:
        return one.end_as_wanted()
    return Ending.failed(Code.DB_BUSY, EXPLANATIONS[Code.DB_BUSY].sentence)
