"""Answers over a database and a log that the test holds in its hand."""

from collections.abc import AsyncIterator, Callable, Container, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
import trio
import trio.testing

from chatd.answers.cache import Cache
from chatd.answers.life import AnswerLife, AnswerRules
from chatd.answers.requests import (
    Answered,
    Database,
    DatabaseFailed,
    DescribeTable,
    ExplainStatement,
    ListTables,
    Request,
    RunStatement,
    SampleTable,
    Sink,
    Stopped,
    Terms,
)
from chatd.answers.service import AnswerService
from chatd.answers.sql.commands import Help, Misused, Question
from chatd.answers.table import Column, Row
from chatd.answers.terms import Bounds, RoomDatabase
from chatd.chat.messages import AnswerRequest, Reply
from chatd.chat.records import Message, OpenAnswer
from chatd.observe.recorder import Recorder
from chatd.store import StoredAnswer, StoreReadFailed
from chatd.wire.codes import Code, HintCode, Refusal
from chatd.wire.encoder import encode
from chatd.wire.events import AnswerResult
from tests.answers.sql.readers import ReaderHere
from tests.chat.commands import message_id

ROOM, OTHER_ROOM = "demo", "sales"
COLUMNS = (Column("n", "integer"),)


@attrs.define(eq=False)
class Call:
    """One request as the database got it: the test lets it go on, bit by bit."""

    request: Request
    terms: Terms
    sink: Sink
    stop: trio.Event
    ending: trio.Event = attrs.field(factory=trio.Event)
    outcome: Answered | Stopped | Exception | None = None
    stops: bool = True  # when it is told to
    is_cancelled: bool = False

    def rows(self, *numbers: int) -> None:
        self.sink.columns(COLUMNS)
        self.sink.rows([[number] for number in numbers])

    def end(self, outcome: Answered | Stopped | Exception | None = None) -> None:
        self.outcome = Answered() if outcome is None else outcome
        self.ending.set()


class HeldDatabase:
    """A database whose calls do what the test says."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.can_explain = True
        self.sessions = 64
        self.is_available = True
        self.is_starting = False
        self._start = trio.Event()
        self.stops = True
        self.confirms = True
        self.keeps_time = False  # it gives up by itself, as its terms say
        self.at_once: Callable[[Call], None] | None = None

    def begin_start(self) -> None:
        """Its server is being started, from now on."""
        self.is_starting, self._start = True, trio.Event()

    def end_start(self) -> None:
        self.is_starting = False
        self._start.set()

    async def started(self) -> None:
        if self.is_starting:
            await self._start.wait()

    async def ask(
        self, request: Request, terms: Terms, sink: Sink, stop: trio.Event
    ) -> Answered | Stopped:
        call = Call(request, terms, sink, stop)
        self.calls.append(call)
        if self.at_once is not None:
            self.at_once(call)
        try:
            async with trio.open_nursery() as nursery:
                if self.stops:
                    nursery.start_soon(self._watch, call)
                if self.keeps_time:
                    nursery.start_soon(self._time_out, call)
                await call.ending.wait()
                nursery.cancel_scope.cancel()
        finally:
            call.is_cancelled = call.outcome is None
        if isinstance(call.outcome, Exception):
            raise call.outcome
        assert call.outcome is not None
        return call.outcome

    async def _watch(self, call: Call) -> None:
        await call.stop.wait()
        if call.outcome is None:
            call.end(Stopped(is_confirmed=self.confirms))

    async def _time_out(self, call: Call) -> None:
        await trio.sleep(call.terms.timeout_s)
        call.end(failed(Code.DB_TIMEOUT))


class Watcher:
    """A stage that notes what is shown, by the id of the answer."""

    def __init__(self) -> None:
        self.shown: dict[str, list[tuple[str, Any]]] = {}
        self.hinted: list[tuple[str, str, HintCode, str | None]] = []

    def start(self, answer: OpenAnswer, **fields: Any) -> None:
        self._note(answer, "start", fields)

    def status(self, answer: OpenAnswer, phase: str, elapsed_ms: int) -> None:
        self._note(answer, "status", str(phase))

    def rows(
        self, answer: OpenAnswer, index: int, columns: Sequence[Column] | None, rows: Sequence[Row]
    ) -> None:
        self._note(answer, "rows", (index, columns, list(rows)))

    def end(self, answer: OpenAnswer, result: AnswerResult) -> None:
        self._note(answer, "end", orjson.loads(encode(result)))

    def drop(self, answer: OpenAnswer) -> None:
        self._note(answer, "drop", None)

    def hint(self, answer: OpenAnswer, code: HintCode, sentence: str | None) -> None:
        self.hinted.append((answer.user_id, answer.question_id, code, sentence))

    def _note(self, answer: OpenAnswer, what: str, fields: Any) -> None:
        self.shown.setdefault(answer.question_id, []).append((what, fields))


class Shelf:
    """Where messages that end answers are stored; the test may refuse them."""

    def __init__(self, watcher: Watcher) -> None:
        self.refusals: list[Refusal] = []
        self.messages: dict[str, Message] = {}
        self.first: dict[str, Message] = {}  # those that were changed, as they were first written
        self.read: dict[str, bool] = {}  # whether it was a question
        self.is_readable = True
        self.ended_elsewhere: set[str] = set()  # questions whose end another node has stored
        self.stored: dict[str, tuple[str, dict[str, Any]]] = {}
        self.shown_before: dict[str, list[str]] = {}
        self.news = trio.Event()
        self._watcher = watcher

    async def conclude(
        self, answer: OpenAnswer, content: str, reply: Reply, on_stored: Callable[[], None]
    ) -> Refusal | None:
        await trio.lowlevel.checkpoint()
        if self.refusals:
            return self.refusals.pop(0)
        if answer.question_id in self.ended_elsewhere:
            return None
        assert answer.question_id not in self.stored, "an answer has one end"
        assert reply.question_id == answer.question_id
        self.stored[answer.question_id] = (content, orjson.loads(reply.answer))
        assert self.stored[answer.question_id][1]["state"] == reply.state
        shown = self._watcher.shown.get(answer.question_id, [])
        self.shown_before[answer.question_id] = [what for what, _ in shown]
        on_stored()
        self.news.set()
        self.news = trio.Event()
        return None

    def note_read(self, answer: OpenAnswer, *, is_question: bool) -> None:
        self.read[answer.question_id] = is_question

    async def message(self, message_id: str, rooms: Container[str]) -> Message | None:
        await trio.lowlevel.checkpoint()
        if not self.is_readable:
            raise StoreReadFailed("for the test")
        return self.messages.get(message_id)

    async def written(self, message_id: str, rooms: Container[str]) -> Message | None:
        await trio.lowlevel.checkpoint()
        return self.first.get(message_id)

    async def answer_to(self, question_id: str, rooms: Container[str]) -> StoredAnswer | None:
        if question_id not in self.stored or ROOM not in rooms:
            return None
        state = self.stored[question_id][1]["state"]
        return StoredAnswer(message_id(99), ROOM, "ann", state)


@attrs.define(eq=False)
class Service:
    """Answers, and what is around them."""

    answers: AnswerService
    database: HeldDatabase
    other: HeldDatabase
    watcher: Watcher
    shelf: Shelf
    reader: ReaderHere
    recorder: Recorder
    count: int = 0

    async def ask(
        self,
        question: Question | str = "SELECT 1",
        *,
        user_id: str = "ann",
        room: str = ROOM,
        **context: object,
    ) -> str:
        """A question is stored; returns its id once all that can happen has happened."""
        asked = self.store(question, user_id=user_id, room=room, **context)
        await self.settled()
        return asked

    def store(
        self,
        question: Question | str = "SELECT 1",
        *,
        user_id: str = "ann",
        room: str = ROOM,
        **context: object,
    ) -> str:
        """A question is stored; returns its id."""
        self.count += 1
        asked = message_id(self.count)
        message = Message(
            asked,
            room,
            self.count,
            user_id,
            None,
            as_typed(question),
            orjson.dumps(context) if context else None,
            None,
            1_700_000_000_000,
        )
        self.shelf.messages[asked] = message
        self.answers.begin(message, AnswerRequest(message_id(1000 + self.count)))
        return asked

    async def ended(self, question_id: str) -> dict[str, Any]:
        """As `end`, once it is there; for a database of which nobody knows what it will do."""
        while question_id not in self.shelf.stored:
            await self.shelf.news.wait()
        return self.end(question_id)

    async def settled(self) -> None:
        """Everything has happened that can without time."""
        await trio.testing.wait_all_tasks_blocked()

    def end(self, question_id: str) -> dict[str, Any]:
        """What the message that ends the answer holds."""
        return self.shelf.stored[question_id][1]

    def told(self, question_id: str, what: str) -> list[Any]:
        """What was shown of one kind."""
        return [fields for kind, fields in self.watcher.shown[question_id] if kind == what]


@asynccontextmanager
async def open_service(real: Database | None = None, **changes: Any) -> AsyncIterator[Service]:
    """Answers over held databases, or over a `real` one that the test runs."""
    rules: dict[str, Any] = {
        "bounds": Bounds(max_rows=1_000, max_bytes=100_000, timeout_s=30.0),
        "per_user": 2,
        "per_room": 4,
        "per_database": 3,
        "wait_s": 5.0,
    }
    ttl_s = changes.pop("ttl_s", 30.0)
    read_only = changes.pop("read_only", True)
    dialect = changes.pop("dialect", "sqlite")
    responder = changes.pop("responder", None)
    database, other = HeldDatabase(), HeldDatabase()
    watcher, recorder, reader = Watcher(), Recorder(), ReaderHere()
    shelf = Shelf(watcher)
    life = AnswerLife(
        {
            ROOM: RoomDatabase(database if real is None else real, dialect, read_only),
            OTHER_ROOM: RoomDatabase(other, dialect, read_only),
        },
        watcher,
        shelf.conclude,
        shelf.note_read,
        shelf,
        responder or reader,
        Cache(ttl_s),
        AnswerRules(**(rules | changes)),
        lambda: 1_700_000_000_000,
        recorder,
    )
    answers = AnswerService(life, shelf)
    async with trio.open_nursery() as nursery:
        await nursery.start(answers.run)
        yield Service(answers, database, other, watcher, shelf, reader, recorder)
        nursery.cancel_scope.cancel()


def as_typed(question: Question | str) -> str:
    """What somebody types in order to ask it; a text is a message as it is."""
    match question:
        case str():
            return question
        case RunStatement(sql):
            return f"/sql {sql}"
        case ExplainStatement(sql):
            return f"/explain {sql}"
        case DescribeTable(table):
            return f"/describe {table}"
        case SampleTable(table):
            return f"/sample {table}"
        case ListTables():
            return "/tables"
        case Help():
            return "/help"
        case Misused():
            return "/describe"


def failed(code: Code, sentence: str = "It failed.") -> DatabaseFailed:
    return DatabaseFailed(code, sentence)
