"""Several nodes, one log, and a bus that loses, repeats and swaps what it carries."""

import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from chatd.bus.frames import encode
from chatd.chat.order import Place
from chatd.chat.records import Change, Message, MessageEdited
from chatd.service import ordered_publisher
from chatd.service.ordered_publisher import Healed, OrderedPublisher
from chatd.store import StoreReadFailed
from chatd.store.room_log import EpochChanged, Head, Shown, Stretch
from tests.bus.memory_bus import PAYLOAD_BYTES_MAX, MemoryBus, Wire

ROOM, TOPIC = "sales", "r:sales"
PAGE = 3


@attrs.define
class SharedLog:
    """What all nodes commit to: a `RoomLog`. `on_read` runs while something is read."""

    messages: list[Message] = attrs.field(factory=list)
    changes: list[Change] = attrs.field(factory=list)
    reads: list[str] = attrs.field(factory=list)
    is_failing: bool = False
    forgotten_seq: int = 0
    has_other_epoch: bool = False
    on_read: Callable[[], None] = lambda: None

    @property
    def head(self) -> Place:
        return Place(len(self.messages), len(self.changes))

    def commit(self, content: str = "hi", message_id: str = "") -> Message:
        seq = len(self.messages) + 1
        message = Message(
            message_id or f"id-{seq}", ROOM, seq, "ann", None, content, None, None, seq
        )
        self.messages.append(message)
        return message

    def edit(self, seq: int) -> Change:
        rev = len(self.changes) + 1
        change = MessageEdited(self.messages[seq - 1], rev, "ann", rev)
        self.changes.append(change)
        return change

    async def heads(self, rooms: Mapping[str, int]) -> Mapping[str, Head]:
        await self._read("heads")
        if self.has_other_epoch:
            raise EpochChanged
        if ROOM not in rooms or not self.messages:
            return {}
        return {ROOM: self._head_at(rooms[ROOM])}

    def _head_at(self, seq: int) -> Head:
        found = [one.message_id for one in self.messages if one.seq == seq]
        return Head(self.head, self.forgotten_seq, *found)

    async def require(self, room: str, shown: Shown) -> None:
        await self._read("require")
        if not shown.is_in(self._head_at(shown.place.seq)):
            self.has_other_epoch = True
        if self.has_other_epoch:
            raise EpochChanged

    async def read_after(self, room: str, place: Place) -> Stretch:
        assert room == ROOM
        page = tuple(self.messages[place.seq : place.seq + PAGE])
        changes = tuple(one for one in self.changes[place.rev :])
        head = self.head
        is_to_the_end = place.seq + PAGE >= head.seq
        await self._read("page")
        up_to = head if is_to_the_end else Place(place.seq + PAGE, head.rev)
        return Stretch(page, changes, up_to, is_to_the_end)

    async def _read(self, what: str) -> None:
        self.reads.append(what)
        await trio.lowlevel.checkpoint()
        self.on_read()
        await trio.lowlevel.checkpoint()
        if self.is_failing:
            raise StoreReadFailed("the log does not answer")


class Screen:
    """What the clients of a node get: a `Publisher`."""

    def __init__(self) -> None:
        self.begun: list[Place] = []
        self.forgot: list[int] = []
        self.learnt: list[Message | Change] = []
        self.is_over = False
        self.fails = 0  # so often it shows nothing
        self.shown: list[str] = []
        self._news = trio.lowlevel.ParkingLot()

    def begin(self, _room: str, place: Place) -> None:
        self.begun.append(place)

    def where(self, _room: str) -> Place:
        """How far the room was shown."""
        begun = self.begun[-1] if self.begun else Place()
        seqs = [int(item[1:]) for item in self.shown if item[0] == "m"]
        revs = [int(item[1:]) for item in self.shown if item[0] == "c"]
        return Place(max([begun.seq, *seqs]), max([begun.rev, *revs]))

    def _fail_if_it_should(self) -> None:
        if self.fails:
            self.fails -= 1
            raise ValueError("it cannot be shown")

    def publish(self, message: Message) -> None:
        self._fail_if_it_should()
        self.shown.append(f"m{message.seq}")
        self._news.unpark_all()

    def publish_change(self, change: Change) -> None:
        self._fail_if_it_should()
        self.shown.append(f"c{change.rev}")
        self._news.unpark_all()

    def ends(self) -> None:
        self.is_over = True
        self._news.unpark_all()

    def forget(self, _room: str, first_seq: int) -> None:
        self.forgot.append(first_seq)
        self._news.unpark_all()

    async def until(self, is_so: Callable[[], bool]) -> None:
        with trio.fail_after(60):
            while not is_so():
                await self._news.park()

    async def shows(self, *items: str) -> None:
        await self.until(lambda: self.shown == list(items))


@attrs.define
class Node:
    bus: MemoryBus
    screen: Screen
    publisher: OrderedPublisher


@attrs.define
class Cluster:
    log: SharedLog
    wire: Wire
    nodes: list[Node]


@asynccontextmanager
async def cluster(
    count: int = 2, *, carries_messages: bool = True, held: bool = True
) -> AsyncIterator[Cluster]:
    log, wire = SharedLog(), Wire()
    async with trio.open_nursery() as nursery:
        nodes = []
        for _ in range(count):
            bus, screen = MemoryBus(wire, carries_messages=carries_messages), Screen()
            publisher = OrderedPublisher(
                bus,
                log,
                screen,
                screen.begin,
                screen.where,
                forgot=screen.forget,
                over=screen.ends,
                learnt=screen.learnt.append,
            )
            nodes.append(Node(bus, screen, publisher))
            nursery.start_soon(bus.run, publisher)
            nursery.start_soon(publisher.run)
        await trio.testing.wait_all_tasks_blocked()
        if held:
            for node in nodes:
                await node.publisher.hold(ROOM)
        yield Cluster(log, wire, nodes)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("carries_messages", [True, False])
async def test_what_one_node_commits_all_of_them_show(
    autojump_clock: trio.testing.MockClock, carries_messages: bool
) -> None:
    async with cluster(3, carries_messages=carries_messages) as made:
        one, other, _ = made.nodes
        one.publisher.publish(made.log.commit())
        other.publisher.publish(made.log.commit())
        one.publisher.publish_change(made.log.edit(2))
        for node in made.nodes:
            await node.screen.shows("m1", "m2", "c1")
        if carries_messages:
            assert "page" not in made.log.reads
            assert (one.publisher.told, other.publisher.heard_of) == (2, 3)
            learnt = [
                [one.seq for one in node.screen.learnt if isinstance(one, Message)]
                for node in made.nodes
            ]
            assert learnt == [[2], [1], [1, 2]]


async def test_a_hole_is_read_after_its_time(autojump_clock: trio.testing.MockClock) -> None:
    async with cluster() as made:
        one, other = made.nodes
        made.wire.lose = lambda _topic, payload: payload == encode(made.log.messages[0])
        for _ in range(2):
            one.publisher.publish(made.log.commit())
        assert (one.screen.shown, other.screen.shown) == (["m1", "m2"], [])
        began_s = trio.current_time()
        await other.screen.shows("m1", "m2")
        assert trio.current_time() - began_s < 0.1
        assert made.log.reads.count("page") == 1
        assert other.publisher.healed == {Healed.HOLE: 2}


async def test_a_tail_that_no_bus_told_comes_with_the_next_look(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with cluster() as made:
        made.wire.lose = lambda _topic, _payload: True
        for _ in range(5):
            made.nodes[0].publisher.publish(made.log.commit())
        began_s = trio.current_time()
        await made.nodes[1].screen.shows("m1", "m2", "m3", "m4", "m5")
        assert trio.current_time() - began_s <= ordered_publisher.POLL_S + 0.1
        assert made.nodes[1].publisher.healed == {Healed.POLL: 5}


async def test_without_a_bus_nodes_look_more_often_and_at_once_when_it_is_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with cluster() as made:
        one, other = made.nodes
        made.wire.cut()
        other.publisher.look()
        await trio.testing.wait_all_tasks_blocked()
        one.publisher.publish(made.log.commit())
        began_s = trio.current_time()
        await other.screen.shows("m1")
        assert trio.current_time() - began_s <= ordered_publisher.POLL_ALONE_S + 0.1
        one.publisher.publish(made.log.commit())
        made.wire.mend()
        began_s = trio.current_time()
        await other.screen.shows("m1", "m2")
        assert trio.current_time() == began_s


async def test_a_room_begins_where_the_log_stands_and_misses_nothing_meanwhile(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with cluster(held=False) as made:
        one, other = made.nodes
        one.publisher.publish(made.log.commit())
        assert one.screen.shown == []  # nobody is in the room
        made.log.edit(1)
        committed = []

        def commit() -> None:
            if not committed:
                committed.append(made.log.commit())
                one.publisher.publish(committed[0])

        made.log.on_read = commit
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(other.publisher.hold, ROOM)
        begun = other.screen.begun
        assert len(begun) == 1  # one begins, and the others find it begun
        assert [f"m{seq}" for seq in range(begun[0].seq + 1, 3)] == other.screen.shown
        for _ in range(3):
            other.publisher.release(ROOM)
        one.publisher.publish(made.log.commit())
        assert "m3" not in other.screen.shown
        await other.publisher.hold(ROOM)
        assert other.screen.begun[1] == Place(3, 1)


async def test_a_room_that_cannot_be_read_is_not_held(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with cluster(held=False) as made:
        node = made.nodes[0]
        made.log.is_failing = True
        with pytest.raises(StoreReadFailed):
            await node.publisher.hold(ROOM)
        made.log.is_failing = False
        node.publisher.publish(made.log.commit())
        await node.publisher.hold(ROOM)
        assert node.screen.begun == [Place(1, 0)]


async def test_a_log_that_does_not_answer_is_asked_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with cluster() as made:
        made.wire.lose = lambda _topic, _payload: True
        made.log.is_failing = True
        made.nodes[0].publisher.publish(made.log.commit())
        await trio.sleep(10)
        assert 3 <= made.log.reads.count("heads") < 60
        made.log.is_failing = False
        await made.nodes[1].screen.shows("m1")


async def test_a_client_from_a_node_that_is_further_is_waited_for(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with cluster() as made:
        made.wire.lose = lambda _topic, _payload: True
        one, other = made.nodes
        for _ in range(2):
            one.publisher.publish(made.log.commit())
        await one.publisher.reach(ROOM, 2)
        assert other.screen.shown == []
        reads = made.log.reads.count("page")
        async with trio.open_nursery() as nursery:
            for _ in range(5):  # all clients of a node that died come at once
                nursery.start_soon(other.publisher.reach, ROOM, 2)
        assert other.screen.shown == ["m1", "m2"]
        assert made.log.reads.count("page") == reads + 1
        assert other.publisher.healed == {Healed.AHEAD: 2}
        await other.publisher.reach(ROOM, 3)  # of a log that has lost its end
        await other.publisher.reach("a room that is not held", 3)
        assert other.screen.shown == ["m1", "m2"]


async def test_a_log_that_has_less_than_was_published_gets_another_epoch_which_all_find(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with cluster(3) as made:
        one, other, away = made.nodes
        away.publisher.release(ROOM)
        one.publisher.publish(made.log.commit())
        one.publisher.publish(made.log.commit())
        await trio.sleep(5)
        assert "require" not in made.log.reads
        del made.log.messages[1:]
        for node in (one, other, away):
            await node.screen.until(lambda node=node: node.screen.is_over)  # type: ignore[misc]
        with pytest.raises(StoreReadFailed):
            await away.publisher.hold(ROOM)


async def test_a_lost_tail_that_was_written_over_is_found_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with cluster() as made:
        one, other = made.nodes
        one.publisher.publish(made.log.commit())
        one.publisher.publish(made.log.commit())
        del made.log.messages[1:]
        other.publisher.publish(made.log.commit(message_id="another"))
        other.publisher.publish(made.log.commit())
        for node in (one, other):
            await node.screen.until(lambda node=node: node.screen.is_over)  # type: ignore[misc]


@pytest.mark.parametrize("is_change", [False, True])
async def test_what_could_not_be_shown_is_shown_by_the_next_look(
    autojump_clock: trio.testing.MockClock, is_change: bool
) -> None:
    async with cluster() as made:
        one, _ = made.nodes
        one.publisher.publish(made.log.commit())
        one.screen.fails = 1
        if is_change:
            change = made.log.edit(1)
            with pytest.raises(ValueError, match="shown"):
                one.publisher.publish_change(change)
        else:
            message = made.log.commit()
            with pytest.raises(ValueError, match="shown"):
                one.publisher.publish(message)
        later = ["c1"] if is_change else ["m2"]
        one.publisher.publish(made.log.commit())
        last = made.log.messages[-1].seq
        for node in made.nodes:
            await node.screen.until(lambda node=node: len(node.screen.shown) == 3)  # type: ignore[misc]
            assert sorted(node.screen.shown) == sorted(["m1", *later, f"m{last}"])


async def test_a_server_that_lags_is_no_reason_to_start_over(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cluster() as made:
        one, _ = made.nodes
        one.publisher.publish(made.log.commit())
        one.publisher.publish(made.log.commit())

        async def lagging(self: SharedLog, rooms: Mapping[str, int]) -> Mapping[str, Head]:
            await trio.lowlevel.checkpoint()
            return {room: Head(Place(1)) for room in rooms}

        monkeypatch.setattr(SharedLog, "heads", lagging)
        await trio.sleep(5)
        assert made.log.reads.count("require") > 3
        assert not one.screen.is_over


async def test_what_another_node_removes_is_forgotten_here(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with cluster() as made:
        one, other = made.nodes
        for _ in range(3):
            one.publisher.publish(made.log.commit())
        made.log.forgotten_seq = 2
        await other.screen.until(lambda: other.screen.forgot == [3])
        await trio.sleep(5)
        assert other.screen.forgot == [3]


async def test_a_message_that_is_too_long_for_the_bus_is_read(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with cluster() as made:
        one, other = made.nodes
        one.publisher.publish(made.log.commit("x" * PAYLOAD_BYTES_MAX))
        began_s = trio.current_time()
        await other.screen.shows("m1")
        assert trio.current_time() == began_s


async def test_what_a_stranger_says_on_the_bus_holds_nobody_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with cluster() as made:
        one, other = made.nodes
        for payload in (b"", b"\xff", b'[1,1,"h",[9007199254740991,9007199254740991]]', b"[9,9]"):
            one.bus.publish(TOPIC, payload)
        await trio.sleep(0.5)
        reads = len(made.log.reads)
        await trio.sleep(10)
        assert len(made.log.reads) - reads <= 2 * 11  # no more than the looks of two nodes
        one.publisher.publish(made.log.commit())
        await other.screen.shows("m1")


@pytest.mark.parametrize("seed", range(8))
async def test_every_node_shows_the_log_whatever_the_bus_does(
    autojump_clock: trio.testing.MockClock, seed: int
) -> None:
    chance = random.Random(seed)
    async with cluster(3, carries_messages=seed % 3 != 0) as made:
        kept: list[bytes] = []

        def lose(_topic: str, payload: bytes) -> bool:
            kept.append(payload)
            return chance.random() < 0.3

        made.wire.lose = lose
        for _ in range(60):
            node = chance.choice(made.nodes)
            if made.log.messages and chance.random() < 0.3:
                node.publisher.publish_change(made.log.edit(chance.randint(1, made.log.head.seq)))
            else:
                message = made.log.commit()
                if chance.random() < 0.9:  # else the node dies between its commit and the hint
                    node.publisher.publish(message)
            if kept and chance.random() < 0.3:
                made.wire.carry(TOPIC, chance.choice(kept))
            if chance.random() < 0.1:
                made.wire.cut()
            if chance.random() < 0.3:
                made.wire.mend()
            await trio.sleep(chance.choice([0, 0.001, 0.03]))
        made.wire.mend()
        messages = [f"m{one.seq}" for one in made.log.messages]
        changes = [f"c{one.rev}" for one in made.log.changes]
        for node in made.nodes:
            shown = node.screen.shown
            await node.screen.until(lambda shown=shown: len(shown) == len(messages + changes))  # type: ignore[misc]
            assert [item for item in shown if item[0] == "m"] == messages
            assert [item for item in shown if item[0] == "c"] == changes
            for change in made.log.changes:
                behind = shown.index(f"m{change.message.seq}")
                assert behind < shown.index(f"c{change.rev}")
