"""How what is committed gets to the sockets of rooms, here and on the nodes that share the log."""

import attrs

from chatd.app.fan_out import FanOut, build_fan_out
from chatd.app.parts.common import Common
from chatd.app.parts.storage import Storage
from chatd.app.sharing import Sharing
from chatd.engine.flusher import Flusher
from chatd.service.clients import Clients
from chatd.service.ending_publisher import EndingPublisher
from chatd.service.local_publisher import LocalPublisher
from chatd.service.publisher import Publisher
from chatd.service.shared_adapter import SharedAdapter
from chatd.service.shown_signs import ShownSigns
from chatd.service.signals import Signals
from chatd.service.timeline import Timelines
from chatd.sockets.adapter import Adapter
from chatd.sockets.local_adapter import LocalAdapter


@attrs.frozen(eq=False)
class Publishing:
    """`publisher` is told what is committed. `ending` is how a node among several shows messages
    that end answers. `fan_out`, `signals` and `sharing` are None for a node that is alone."""

    flusher: Flusher
    clients: Clients
    adapter: Adapter
    timelines: Timelines
    publisher: Publisher
    ending: EndingPublisher
    fan_out: FanOut | None
    signals: Signals | None
    sharing: Sharing | None


def build_publishing(common: Common, storage: Storage) -> Publishing:
    config, store = common.config, storage.store
    flusher, clients = Flusher(common.times.delivered), Clients()
    of_several = bool(config.cluster.node and config.state.url)
    make_adapter = SharedAdapter if of_several else LocalAdapter
    adapter = make_adapter(flusher, clients.sockets_of)
    timelines = Timelines(
        store.recovered.rooms,
        store.readers,
        common.renderer,
        recent_max=config.messages.history_on_join,
        last_revs=store.recovered.revs,
    )
    here = LocalPublisher(timelines, adapter)
    ending = EndingPublisher(here)
    shown = ShownSigns(ending)
    fan_out = build_fan_out(
        config,
        store,
        storage.log,
        timelines,
        shown,
        common.event_log,
        storage.starts_over.set,
    )
    signals, sharing = None, None
    if fan_out is not None:
        signals = fan_out.signals
        if isinstance(adapter, SharedAdapter):
            sharing = Sharing(signals, common.clock, clients, adapter, shown)
    return Publishing(
        flusher,
        clients,
        adapter,
        timelines,
        here if fan_out is None else fan_out.publisher,
        ending,
        fan_out,
        signals,
        sharing,
    )
