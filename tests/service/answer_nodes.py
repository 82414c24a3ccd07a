"""Nodes on one wire, each with answers of its own, over databases that the test holds; what is
stored of answers all of them read."""

from collections.abc import AsyncIterator, Callable, Container, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import attrs
import orjson
import trio
import trio.testing

from chatd.answers.cache import Cache
from chatd.answers.life import AnswerLife, AnswerRules
from chatd.answers.service import AnswerService
from chatd.answers.terms import Bounds, RoomDatabase
from chatd.bus.topics import Topics
from chatd.chat.markup import MARKUPS
from chatd.chat.messages import AnswerRequest, Reply
from chatd.chat.records import Change, Message, OpenAnswer
from chatd.engine.outgoing import Outgoing
from chatd.observe.recorder import Recorder
from chatd.service.answer_relay import AnswerRelay
from chatd.service.answer_roster import AnswerRoster
from chatd.service.answer_signals import AnswerSignals
from chatd.service.ending_publisher import EndingPublisher
from chatd.service.signals import Signals
from chatd.store import StoredAnswer
from chatd.wire.codes import Refusal
from tests.answers.services import HeldDatabase
from tests.answers.sql.readers import ReaderHere
from tests.bus.memory_bus import MemoryBus, Wire
from tests.chat.commands import message_id

ROOM = "demo"
NOW_MS = 1_700_000_000_000


class Room:
    """An adapter and a client, which keep what they are given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    def broadcast(self, namespace: str, room: str, packet: Outgoing) -> None:
        self.send_catch_up(packet)

    def to_user(self, user_id: str, room: str, packet: Outgoing) -> None:
        self.send_catch_up(packet)

    def send_catch_up(self, packet: Outgoing) -> None:
        name, payload = orjson.loads(packet.text[2:])
        self.sent.append((name.removeprefix("chat:answer:"), payload))

    def publish(self, message: Message) -> None:
        self.sent.append(("message", message.message_id))

    def publish_change(self, change: Change) -> None:
        self.sent.append(("change", change.message.message_id))

    def names(self) -> list[str]:
        return [name for name, _ in self.sent]

    def of(self, name: str) -> list[Any]:
        return [payload for kind, payload in self.sent if kind == name]


@attrs.define(eq=False)
class SharedLog:
    """What all nodes see as stored."""

    nodes: list["Node"] = attrs.field(factory=list)
    open: dict[str, OpenAnswer] = attrs.field(factory=dict)
    owner: dict[str, "Node"] = attrs.field(factory=dict)
    ended: dict[str, str] = attrs.field(factory=dict)
    seq: int = 0

    async def answer_to(self, question_id: str, rooms: Container[str]) -> StoredAnswer | None:
        await trio.lowlevel.checkpoint()
        one = self.open.get(question_id)
        if one is None or one.connection_id not in rooms:
            return None
        state = self.ended.get(question_id)
        return StoredAnswer(one.answer_id, one.connection_id, one.user_id, state)

    def taken(self, question_id: str) -> OpenAnswer:
        """An open answer, as the log gives it to who takes it over."""
        return attrs.evolve(self.open[question_id], is_to_read=False)

    async def message(self, message_id: str, rooms: Container[str]) -> Message | None:
        await trio.lowlevel.checkpoint()
        return None

    written = message


@attrs.define(eq=False)
class Node:
    log: SharedLog
    signals: Signals
    room: Room = attrs.field(factory=Room)
    database: HeldDatabase = attrs.field(factory=HeldDatabase)
    recorder: Recorder = attrs.field(factory=Recorder)
    answers: AnswerService = attrs.field(init=False)
    roster: AnswerRoster = attrs.field(init=False)
    display: AnswerSignals = attrs.field(init=False)
    publisher: EndingPublisher = attrs.field(init=False)
    published: int = 1_000_000  # up to which seq the room is shown
    is_behind: bool = False  # messages that were stored are not shown here yet
    late: list[Message] = attrs.field(factory=list)
    refusals: list[Refusal] = attrs.field(factory=list)  # what the log says to the next ends

    def __attrs_post_init__(self) -> None:
        self.log.nodes.append(self)
        self.roster = AnswerRoster(self.room, MARKUPS["neutralise"])  # type: ignore[arg-type]
        self.display = AnswerSignals(
            self.roster, self.signals, lambda: NOW_MS, lambda _room: self.published, (ROOM,)
        )
        bounds = Bounds(max_rows=10_000, max_bytes=1_000_000, timeout_s=30.0)
        life = AnswerLife(
            {ROOM: RoomDatabase(self.database, "sqlite", False)},
            self.display,
            self.conclude,
            self.note_read,
            self.log,
            ReaderHere(),
            Cache(30.0),
            AnswerRules(bounds, per_user=20, per_room=20, per_database=20, wait_s=5.0),
            lambda: NOW_MS,
            self.recorder,
        )
        relay = AnswerRelay(self.signals)
        self.answers = AnswerService(life, self.log, relay)
        relay.serve(self.answers)
        self.publisher = EndingPublisher(self.room)
        self.publisher.tell(self.display, self.answers)

    def note_read(self, answer: OpenAnswer, *, is_question: bool) -> None:
        if not is_question:
            self.log.open.pop(answer.question_id, None)

    async def conclude(
        self, answer: OpenAnswer, content: str, reply: Reply, on_stored: Callable[[], None]
    ) -> Refusal | None:
        await trio.lowlevel.checkpoint()
        if self.refusals:
            return self.refusals.pop(0)
        if answer.question_id in self.log.ended:
            return None
        self.log.ended[answer.question_id] = reply.state
        on_stored()
        self.log.seq += 1
        message = Message(
            answer.answer_id,
            answer.connection_id,
            self.log.seq,
            f"db:{answer.connection_id}",
            None,
            content,
            None,
            None,
            NOW_MS,
            reply_to=answer.question_id,
            answer=reply.answer,
        )
        for node in self.log.nodes:
            node.show(message)
        return None

    def show(self, message: Message) -> None:
        if self.is_behind:
            self.late.append(message)
        elif ROOM in self.signals.rooms:
            self.publisher.publish(message)

    def catch_up(self) -> None:
        self.is_behind = False
        for message in self.late:
            self.show(message)

    async def ask(self, content: str = "SELECT 1", user_id: str = "ann", **context: Any) -> str:
        """A question is stored by this node; its id, once all has happened that can."""
        log = self.log
        log.seq += 1
        asked = message_id(log.seq)
        encoded = orjson.dumps(context) if context else None
        message = Message(asked, ROOM, log.seq, user_id, None, content, encoded, None, NOW_MS)
        opening = AnswerRequest(message_id(1_000 + log.seq))
        log.open[asked] = opening.opened_by(message)
        log.owner[asked] = self
        self.answers.begin(message, opening)
        await trio.testing.wait_all_tasks_blocked()
        return asked

    def entered(self) -> list[tuple[str, Any]]:
        """What a client is told that enters the room now."""
        late = Room()
        self.roster.enter(late, ROOM)  # type: ignore[arg-type]
        return late.sent


def lose_once(wire: Wire, kinds: Sequence[str]) -> None:
    """The next signal of each of these kinds gets lost."""
    waiting = list(kinds)

    def lose(_topic: str, payload: bytes) -> bool:
        kind = orjson.loads(payload)[3]
        if kind in waiting:
            waiting.remove(kind)
            return True
        return False

    wire.lose = lose


@asynccontextmanager
async def nodes(count: int = 2, holding: Sequence[int] = (0, 1)) -> AsyncIterator[Any]:
    """The wire, and so many nodes; those of these numbers hold the room."""
    wire, log = Wire(), SharedLog()
    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        made = []
        for number in range(count):
            bus, topics = MemoryBus(wire), Topics()
            signals = Signals(bus, "abc"[number], Recorder())
            topics.add("v", signals)
            nursery.start_soon(bus.run, topics)
            node = Node(log, signals)
            await nursery.start(node.answers.run)
            made.append(node)
        await trio.testing.wait_all_tasks_blocked()
        for node in made:
            await node.signals.start()
        for number in holding:
            await made[number].signals.hold(ROOM)
        yield wire, made
        nursery.cancel_scope.cancel()
