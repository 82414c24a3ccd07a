"""Nodes that publish each other's messages over a Redis or a PostgreSQL that crashes meanwhile."""

from collections.abc import Callable, Iterator

import attrs
import pytest
import trio

from chatd.bus import Bus
from chatd.bus.notify_bus import NotifyBus
from chatd.bus.redis_address import RedisAddress
from chatd.bus.redis_bus import RedisBus
from chatd.service.ordered_publisher import OrderedPublisher
from tests.postgres import a_server
from tests.redis import a_redis
from tests.service.test_ordered_publisher import ROOM, Screen, SharedLog

LIMIT_S = 60.0


@attrs.frozen
class Server:
    new_bus: Callable[[Callable[[str | None], None]], Bus]
    crash: Callable[[], None]
    start: Callable[[], None]


@pytest.fixture(params=["redis", "notify"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param == "redis":
        with a_redis() as redis:
            address = RedisAddress.read(redis.url())
            yield Server(lambda told: RedisBus(address, "chatd", told), redis.kill, redis.start)
    else:
        with a_server() as postgres:
            url = postgres.url("postgres", "postgres")
            yield Server(lambda told: NotifyBus(url, "chatd", told), postgres.crash, postgres.start)


async def test_all_nodes_show_what_any_of_them_commits_while_the_bus_crashes(
    server: Server,
) -> None:
    log, screens = SharedLog(), [Screen(), Screen()]
    publishers: list[OrderedPublisher] = []

    def look(_why_down: str | None) -> None:
        for publisher in publishers:
            publisher.look()

    with trio.fail_after(LIMIT_S):
        async with trio.open_nursery() as nursery:
            for screen in screens:
                bus = server.new_bus(look)
                publisher = OrderedPublisher(bus, log, screen, screen.begin, screen.where)
                publishers.append(publisher)
                nursery.start_soon(bus.run, publisher)
                nursery.start_soon(publisher.run)
                await publisher.hold(ROOM)
            for number in range(60):
                if number == 20:
                    server.crash()
                if number == 40:
                    server.start()
                publishers[number % 2].publish(log.commit())
                if number % 3 == 0:
                    publishers[number % 2].publish_change(log.edit(log.head.seq))
                await trio.sleep(0.005)
            for screen in screens:
                await screen.until(lambda screen=screen: len(screen.shown) == 80)  # type: ignore[misc]
            nursery.cancel_scope.cancel()
    for screen in screens:
        messages = [item for item in screen.shown if item[0] == "m"]
        changes = [item for item in screen.shown if item[0] == "c"]
        assert messages == [f"m{seq}" for seq in range(1, 61)]
        assert changes == [f"c{rev}" for rev in range(1, 21)]
