"""How the parts of the daemon fit together: each group is built once, of the groups before it."""

from chatd.actors.log_keeper import LogKeeper
from chatd.app.parts.access import build_access
from chatd.app.parts.answering import build_answering
from chatd.app.parts.chat import build_chat
from chatd.app.parts.common import build_common
from chatd.app.parts.core import Core
from chatd.app.parts.engine_io import build_engine_io
from chatd.app.parts.entering import build_entering
from chatd.app.parts.health import build_health
from chatd.app.parts.http import build_http
from chatd.app.parts.maintenance import build_maintenance
from chatd.app.parts.messages import build_messages
from chatd.app.parts.operators import build_operators
from chatd.app.parts.publishing import build_publishing
from chatd.app.parts.rosters import build_rosters
from chatd.app.parts.storage import build_storage
from chatd.auth import Bots, Revocations, read_revocations
from chatd.config import Config
from chatd.observe import EventLog
from chatd.observe.clock import Clock
from chatd.observe.message_times import MessageTimes
from chatd.observe.tap import EventTap
from chatd.store.opened_store import OpenedStore


class Parts:
    """The parts of a daemon over an open store; made inside of the Trio run."""

    def __init__(
        self,
        config: Config,
        secret: str | None,
        store: OpenedStore,
        log: LogKeeper,
        event_log: EventLog,
        clock: Clock | None = None,
        times: MessageTimes | None = None,
        revocations: Revocations | None = None,
        tap: EventTap | None = None,
    ) -> None:
        """`secret` is None where an issuer alone signs tokens. Without `revocations` those of the
        store's directory are read. `tap` is where the log can be followed."""
        if revocations is None:
            revocations = read_revocations(store.path.parent)
        bots = Bots(config.api.tokens)
        common = build_common(config, event_log, clock or Clock(), times or MessageTimes())
        storage = build_storage(common, store, log)
        publishing = build_publishing(common, storage)
        messages = build_messages(storage, publishing)
        rosters = build_rosters(common, storage, publishing)
        answering = build_answering(common, storage, publishing, messages)
        core = Core(common, storage, publishing, messages, rosters, answering)
        entering = build_entering(core, bots)
        access = build_access(core, entering, bots, secret, revocations)
        chat = build_chat(core, entering, access)
        maintenance = build_maintenance(core)
        health = build_health(core, access)
        operators = build_operators(core, entering, access, maintenance, health)
        engine_io = build_engine_io(core, chat)
        http = build_http(core, entering, access, chat, health, operators, engine_io, tap)
        self.common, self.storage, self.publishing = common, storage, publishing
        self.messages, self.rosters, self.answering = messages, rosters, answering
        self.entering, self.access, self.chat = entering, access, chat
        self.maintenance, self.health, self.operators = maintenance, health, operators
        self.engine_io, self.http = engine_io, http
