"""The contract of a bus: over Redis, over NOTIFY, and of the one in memory."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

import attrs
import pytest
import trio

from chatd.bus import Bus
from chatd.bus.notify_bus import NotifyBus
from chatd.bus.redis_address import RedisAddress
from chatd.bus.redis_bus import RedisBus
from tests.bus.listeners import Notes
from tests.bus.memory_bus import MemoryBus, Wire
from tests.postgres import Postgres, a_server
from tests.redis import a_redis

ROOM, OTHER = "r:sales", "r:a room with spaces: and colons"
Told = Callable[[str | None], None]


class Carrier(Protocol):
    """What buses hang on, and how it fails."""

    def bus(self, on_change: Told, scope: str = "chatd") -> Bus: ...

    def stop(self) -> None: ...

    def go_on(self) -> None: ...


@attrs.define
class OverMemory:
    wire: Wire = attrs.field(factory=Wire)

    def bus(self, on_change: Told, scope: str = "chatd") -> Bus:
        return MemoryBus(self.wire if scope == "chatd" else Wire(), on_change)

    def stop(self) -> None:
        self.wire.cut()

    def go_on(self) -> None:
        self.wire.mend()


@attrs.define
class Over:
    """A server, which stops by a signal: it is frozen, or it crashes."""

    make: Callable[[Told, str], Bus]
    stop: Callable[[], None]
    go_on: Callable[[], None]

    def bus(self, on_change: Told, scope: str = "chatd") -> Bus:
        return self.make(on_change, scope)


@contextmanager
def over_redis(*, is_frozen: bool) -> Iterator[Carrier]:
    with a_redis() as server:
        address = RedisAddress.read(server.url())
        stop, go_on = (server.freeze, server.thaw) if is_frozen else (server.kill, server.start)
        yield Over(lambda told, scope: RedisBus(address, scope, told), stop, go_on)


@contextmanager
def over_postgres(server: Postgres, *, is_frozen: bool) -> Iterator[Carrier]:
    address = server.url("postgres", "postgres")
    stop, go_on = (server.freeze, server.thaw) if is_frozen else (server.crash, server.start)
    yield Over(lambda told, scope: NotifyBus(address, scope, told), stop, go_on)


@pytest.fixture(scope="module")
def mortal_postgres() -> Iterator[Postgres]:
    with a_server() as server:
        yield server


@pytest.fixture(
    params=["memory", "redis that crashes", "redis that stops", "notify, crashes", "notify, stops"]
)
def carrier(request: pytest.FixtureRequest) -> Iterator[Carrier]:
    kind, is_frozen = str(request.param), "stops" in request.param
    if kind == "memory":
        yield OverMemory()
    elif kind.startswith("redis"):
        with over_redis(is_frozen=is_frozen) as made:
            yield made
    else:
        server = request.getfixturevalue("mortal_postgres")
        with over_postgres(server, is_frozen=is_frozen) as made:
            yield made


@asynccontextmanager
async def running(carrier: Carrier, scope: str = "chatd") -> AsyncIterator[tuple[Bus, Notes]]:
    """A bus that is up, of a node of its own."""
    notes = Notes()
    bus = carrier.bus(notes.tell, scope)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bus.run, notes)
        await notes.is_up()
        yield bus, notes
        nursery.cancel_scope.cancel()


async def test_what_is_published_after_a_subscription_returned_is_heard(carrier: Carrier) -> None:
    async with running(carrier) as (one, _), running(carrier) as (other, notes):
        for number in range(20):
            topic = f"r:{number}"
            assert await other.subscribe(topic)
            assert one.publish(topic, b"at once")
        for number in range(20):
            await notes.hears(f"r:{number}", b"at once")


async def test_who_is_cancelled_while_it_subscribes_has_subscribed(carrier: Carrier) -> None:
    async with running(carrier) as (one, _), running(carrier) as (other, notes):
        with trio.CancelScope() as scope:
            scope.cancel()
            await other.subscribe(ROOM)
        assert scope.cancelled_caught
        assert await other.subscribe(OTHER)  # which is told to the server behind it
        one.publish(ROOM, b"heard all the same")
        await notes.hears(ROOM, b"heard all the same")


async def test_a_bus_hears_its_topics_and_its_own_payloads_and_no_others(
    carrier: Carrier,
) -> None:
    async with (
        running(carrier) as (one, notes),
        running(carrier, scope="another") as (stranger, strange),
    ):
        for bus in (one, stranger):
            assert await bus.subscribe(ROOM)
        assert await one.subscribe(OTHER)
        one.publish(ROOM, "Grüße, 上海: *33 $7".encode())
        one.publish("r:nobody", b"not heard")
        one.unsubscribe(ROOM)
        one.publish(ROOM, b"not heard either")
        one.publish(OTHER, b"the last one")
        await notes.hears(OTHER, b"the last one")
        assert notes.heard_all in (
            [(OTHER, b"the last one")],  # of a topic that was left, nothing more has to come
            [(ROOM, "Grüße, 上海: *33 $7".encode()), (OTHER, b"the last one")],
        )
        assert strange.heard_all == []


@attrs.define(eq=False)
class Echoing(Notes):
    """Publishes two longer words for each, up to four letters, and then is done with it."""

    bus: Bus | None = None
    done: list[bytes] = attrs.field(factory=list)

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def heard(self, topic: str, payload: bytes) -> None:
        super().heard(topic, payload)
        assert self.bus is not None
        if len(payload) < 4:
            assert self.bus.publish(topic, payload + b"a")
            assert self.bus.publish(topic, payload + b"b")
        self.done.append(payload)


async def test_a_listener_hears_what_it_publishes_once_it_is_done_with_what_it_hears(
    carrier: Carrier,
) -> None:
    notes = Echoing()
    bus = notes.bus = carrier.bus(notes.tell)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bus.run, notes)
        await notes.is_up()
        assert await bus.subscribe(ROOM)
        assert bus.publish(ROOM, b"a")
        await notes.until(lambda: len(notes.heard_all) == 15)
        assert notes.done == [payload for _, payload in notes.heard_all]
        assert notes.done[:5] == [b"a", b"aa", b"ab", b"aaa", b"aab"]
        nursery.cancel_scope.cancel()


async def test_any_text_comes_through_as_it_is(carrier: Carrier) -> None:
    texts = ["", " ", "*33", "$7", "'; SELECT 1", "%s %(a)s $1", "\\", "Grüße 上海 🙂"]
    async with running(carrier) as (bus, notes):
        assert await bus.subscribe(OTHER)
        for text in texts:
            assert bus.publish(OTHER, text.encode())
        for text in texts:
            await notes.hears(OTHER, text.encode())


async def test_the_longest_payload_comes_through_and_a_longer_one_is_dropped(
    carrier: Carrier,
) -> None:
    async with running(carrier) as (bus, notes):
        assert await bus.subscribe(ROOM)
        assert not bus.publish(ROOM, b"x" * (bus.payload_bytes_max + 1))
        longest = b"y" * bus.payload_bytes_max
        assert bus.publish(ROOM, longest)
        await notes.hears(ROOM, longest)
        assert [payload for _, payload in notes.heard_all] == [longest]


async def test_of_many_the_latest_is_heard(carrier: Carrier) -> None:
    async with running(carrier) as (bus, notes):
        assert await bus.subscribe(ROOM)
        for number in range(1000):
            assert bus.publish(ROOM, b"%d" % number, latest_of="head")
        await notes.hears(ROOM, b"999")


async def test_a_server_that_is_lost_is_noticed_and_everything_is_heard_again(
    carrier: Carrier,
) -> None:
    async with running(carrier) as (one, noted), running(carrier) as (other, notes):
        assert other.why_down is None
        assert await other.subscribe(ROOM)
        carrier.stop()
        try:
            await notes.until(lambda: not other.is_up)
            await noted.until(lambda: not one.is_up)
            assert not one.publish(ROOM, b"nobody is reached")
            assert not await other.subscribe(OTHER)
            assert other.why_down
        finally:
            carrier.go_on()
        await notes.is_up(2)
        await noted.is_up(2)
        assert (other.is_up, other.why_down) == (True, None)
        for topic in (ROOM, OTHER):
            assert one.publish(topic, b"again")
            await notes.hears(topic, b"again")
        assert notes.told[0] is None
        assert notes.told[-1] is None
        assert any(notes.told)


async def test_a_bus_that_ends_is_down(carrier: Carrier) -> None:
    async with running(carrier) as (bus, notes):
        assert await bus.subscribe(ROOM)
    assert not bus.is_up
    assert not bus.publish(ROOM, b"nobody is reached")
    assert notes.times_up == 1
