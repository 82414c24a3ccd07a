"""How a node that shares its log publishes what the others commit, and tells them what it
commits."""

from collections.abc import Callable

import attrs
import trio

from chatd.actors.log_keeper import LogKeeper
from chatd.app.bus import make_bus
from chatd.app.logs import cluster_of
from chatd.bus import Bus
from chatd.bus.alone import Alone
from chatd.bus.topics import Topics
from chatd.config import Config
from chatd.observe import EventLog
from chatd.service.held_rooms import HeldRooms
from chatd.service.ordered_publisher import TOPIC as ROOMS
from chatd.service.ordered_publisher import OrderedPublisher
from chatd.service.publisher import Publisher
from chatd.service.signals import TOPIC as SIGNALS
from chatd.service.signals import Signals
from chatd.service.timeline import Timelines
from chatd.store.opened_store import OpenedStore


@attrs.frozen(eq=False)
class FanOut:
    """The bus of a node, and the parts that use it."""

    bus: Bus
    publisher: OrderedPublisher
    signals: Signals
    _topics: Topics

    async def run_bus(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Keep the bus up, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.bus.run, self._topics)
            await self.signals.start()
            task_status.started()


def build_fan_out(
    config: Config,
    store: OpenedStore,
    log: LogKeeper,
    timelines: Timelines,
    shown: Publisher,
    event_log: EventLog,
    over: Callable[[], None],
) -> FanOut | None:
    """None for a node that has its log alone. `over` is called when the log has another epoch."""
    if not (config.cluster.node and config.state.url):
        return None
    room_log, cluster = cluster_of(store, log)
    topics = Topics()

    def turned(_why_down: str | None) -> None:
        publisher.look()

    url = config.bus.url
    bus = make_bus(url, cluster, turned) if url else Alone()
    publisher = OrderedPublisher(
        bus,
        room_log,
        shown,
        timelines.begin,
        timelines.published,
        forgot=timelines.forget,
        over=over,
    )
    signals = Signals(bus, config.cluster.node, event_log)
    timelines.feed_from(HeldRooms(publisher, signals))
    topics.add(ROOMS, publisher)
    topics.add(SIGNALS, signals)
    return FanOut(bus, publisher, signals, topics)
