"""Timelines whose rooms are published by a feed while somebody of the node holds them."""

from collections.abc import Callable

import attrs
import pytest
import trio
import trio.testing

from chatd.bus.alone import Alone
from chatd.chat.order import Place
from chatd.chat.records import Message
from chatd.observe.recorder import Recorder
from chatd.service.held_rooms import HeldRooms
from chatd.service.ordered_publisher import OrderedPublisher
from chatd.service.signals import Signals
from chatd.service.timeline import Timelines
from chatd.store import StoreReadFailed
from tests.bus.memory_bus import MemoryBus, Wire
from tests.service.test_ordered_publisher import ROOM, Screen, SharedLog
from tests.service.test_timeline import HeldHistory, make_timelines
from tests.store.logs import edited


@attrs.define
class Feeding:
    """A feed that waits where the test says so; `place` is where a room begins."""

    timelines: Timelines
    place: Place
    holds: int = 0
    fails: bool = False
    reached: list[int] = attrs.field(factory=list)
    on_hold: Callable[[], None] = lambda: None
    released: trio.Event = attrs.field(factory=trio.Event)

    async def hold(self, room: str) -> None:
        self.on_hold()
        await self.released.wait()
        if self.fails:
            raise StoreReadFailed("The log is away.")
        self.holds += 1
        if self.holds == 1:
            self.timelines.begin(room, self.place)

    def release(self, room: str) -> None:
        self.holds -= 1

    async def reach(self, room: str, seq: int) -> None:
        await trio.lowlevel.checkpoint()
        self.reached.append(seq)


def fed(last_seq: int, place: Place | None = None) -> tuple[Timelines, HeldHistory, Feeding]:
    """Timelines that know nothing of a room in which there are so many messages."""
    history = HeldHistory(last_seq)
    timelines = make_timelines(HeldHistory(0))
    timelines._log = history  # type: ignore[assignment]
    feed = Feeding(timelines, Place(last_seq, 0) if place is None else place)
    feed.released.set()
    timelines.feed_from(feed)
    return timelines, history, feed


def recent(timelines: Timelines) -> list[int]:
    return [message.seq for message, _ in timelines._timelines["sales"].recent]


def publish(timelines: Timelines, message: Message) -> None:
    timelines.publish(message, timelines.render(message))


async def test_a_timeline_begins_where_its_feed_does_and_goes_with_its_last_holder() -> None:
    timelines, history, feed = fed(3)
    for _ in range(2):
        timelines.hold(ROOM)
        await timelines.load(ROOM)
    assert (recent(timelines), feed.holds, history.reads) == ([1, 2, 3], 1, 1)
    publish(timelines, history.store(4))
    assert recent(timelines) == [1, 2, 3, 4]
    timelines.release(ROOM)
    assert feed.holds == 1
    timelines.release(ROOM)
    assert feed.holds == 0
    history.store(5)
    history.store(6)
    feed.place = Place(6, 2)
    timelines.hold(ROOM)
    await timelines.load(ROOM)
    assert recent(timelines) == [2, 3, 4, 5, 6]
    assert (timelines.last_seq(ROOM), timelines.last_rev(ROOM)) == (6, 2)


async def test_many_who_come_at_once_hold_the_feed_once() -> None:
    timelines, _, feed = fed(2)
    feed.released = trio.Event()
    for _ in range(3):
        timelines.hold(ROOM)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(timelines.load, ROOM)
        await trio.testing.wait_all_tasks_blocked()
        feed.released.set()
    assert feed.holds == 1
    for _ in range(3):
        timelines.release(ROOM)
    assert feed.holds == 0


async def test_who_leaves_while_the_feed_begins_leaves_nothing_behind() -> None:
    timelines, _, feed = fed(2)
    feed.released = trio.Event()
    timelines.hold(ROOM)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timelines.load, ROOM)
        await trio.testing.wait_all_tasks_blocked()
        timelines.release(ROOM)
        feed.released.set()
    assert feed.holds == 0
    timelines.hold(ROOM)
    await timelines.load(ROOM)
    assert (recent(timelines), feed.holds) == ([1, 2], 1)


async def test_who_comes_while_another_leaves_has_the_room() -> None:
    timelines, _, feed = fed(2)
    feed.released = trio.Event()
    timelines.hold(ROOM)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timelines.load, ROOM)
        await trio.testing.wait_all_tasks_blocked()
        timelines.release(ROOM)
        timelines.hold(ROOM)
        nursery.start_soon(timelines.load, ROOM)
        await trio.testing.wait_all_tasks_blocked()
        feed.released.set()
    assert (recent(timelines), feed.holds) == ([1, 2], 1)


async def test_a_feed_that_fails_is_asked_again_by_the_next() -> None:
    timelines, _, feed = fed(2)
    feed.fails = True
    timelines.hold(ROOM)
    with pytest.raises(StoreReadFailed):
        await timelines.load(ROOM)
    feed.fails = False
    await timelines.load(ROOM)
    assert (recent(timelines), feed.holds) == ([1, 2], 1)
    timelines.release(ROOM)
    assert feed.holds == 0


async def test_a_client_that_is_further_is_waited_for_and_no_other() -> None:
    timelines, _, feed = fed(3)
    timelines.hold(ROOM)
    await timelines.load(ROOM, 3)
    assert feed.reached == []
    await timelines.load(ROOM, 5)
    assert feed.reached == [5]


async def test_a_change_that_comes_behind_a_message_that_has_it_changes_nothing() -> None:
    """A message is read as it is now, and then the changes that made it so."""
    timelines, history, _ = fed(0)
    timelines.hold(ROOM)
    await timelines.load(ROOM)
    first = history.store(1)
    older, newer = edited(first, "older", 1), edited(first, "newer", 2)
    publish(timelines, newer.message)
    for change in (older, newer):
        timelines.change(change, timelines.render_change(change))
        assert timelines.find(first.message_id, (ROOM,)) == newer.message
    assert timelines.last_rev(ROOM) == 2


async def test_signals_of_a_room_are_heard_while_it_is_held() -> None:
    wire, log = Wire(), SharedLog()
    bus = MemoryBus(wire)
    screen = Screen()
    publisher = OrderedPublisher(bus, log, screen, screen.begin, screen.where)
    signals = Signals(bus, "a", Recorder())
    rooms = HeldRooms(publisher, signals)
    for _ in range(2):
        await rooms.hold(ROOM)
    assert signals.rooms == (ROOM,)
    rooms.release(ROOM)
    assert signals.rooms == (ROOM,)
    rooms.release(ROOM)
    assert (signals.rooms, publisher.rooms, bus._topics) == ((), 0, set())
    log.is_failing = True
    with pytest.raises(StoreReadFailed):
        await rooms.hold(ROOM)
    assert (signals.rooms, publisher.rooms, bus._topics) == ((), 0, set())
    log.is_failing = False
    await rooms.hold(ROOM)
    async with publisher._beginning[ROOM], trio.open_nursery() as nursery:
        nursery.start_soon(rooms.hold, ROOM)
        await trio.testing.wait_all_tasks_blocked()
        rooms.release(ROOM)  # another one is about to have it, and does not come to it
        nursery.cancel_scope.cancel()
    assert (signals.rooms, publisher.rooms, bus._topics) == ((), 0, set())
    with trio.CancelScope() as scope:
        log.on_read = scope.cancel
        await rooms.hold(ROOM)
    assert (signals.rooms, publisher.rooms, bus._topics) == ((), 0, set())


async def test_a_node_without_a_bus_tells_nobody(autojump_clock: trio.testing.MockClock) -> None:
    bus = Alone()
    screen = Screen()
    publisher = OrderedPublisher(bus, SharedLog(), screen, screen.begin, screen.where)
    await publisher.hold(ROOM)
    publisher.release(ROOM)
    assert not bus.publish("r:sales", b"[]")
    assert not await bus.subscribe("v:")
    assert not bus.is_up
    with trio.move_on_after(10) as scope:
        await bus.run(publisher)
    assert scope.cancelled_caught
