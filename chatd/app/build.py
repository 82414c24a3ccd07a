"""How the parts of the daemon fit together; every dependency is handed over here, once."""

from pathlib import Path
from typing import Final

import trio

from chatd import __version__
from chatd.actors.log_keeper import LogKeeper
from chatd.actors.mailbox import Mailbox
from chatd.actors.pulse import Pulse
from chatd.actors.retention import AuditRetention, Retention
from chatd.actors.shared_ledger import SharedLedger
from chatd.actors.snapshots import Snapshots
from chatd.actors.taking_up import take_up
from chatd.answers.sql.questions import may_be_question
from chatd.app import settings
from chatd.app.ages import Ages, evidence_of
from chatd.app.answering import build_answering, configured_databases
from chatd.app.damage import DamageFound
from chatd.app.disk_space import DiskSpace
from chatd.app.fan_out import build_fan_out
from chatd.app.isolation import Isolation
from chatd.app.logs import ledger_of, life_in, members_of, traces_in
from chatd.app.running_directory import RunningDirectory
from chatd.app.secret import key_set_place, make_keys, make_verifier
from chatd.app.sharing import Sharing
from chatd.app.status import (
    DaemonStatus,
    DatabasesAway,
    DatabasesStarting,
    SilentActors,
    life_conditions,
    storage_conditions,
)
from chatd.app.upkeep import Upkeep
from chatd.auth import (
    Bots,
    FailureBackoff,
    KeySet,
    KeySource,
    Revocations,
    fetch_from,
    read_revocations,
)
from chatd.chat import messages, presence, typing
from chatd.chat.markup import MARKUPS
from chatd.chat.message_machine import MessageMachine
from chatd.chat.rendering import Renderer
from chatd.config import Config
from chatd.engine.engine import Engine
from chatd.engine.flusher import Flusher
from chatd.engine.listener import Listener, ListenerSettings
from chatd.engine.session import Handshake, Session
from chatd.engine.sessions import Sessions
from chatd.net.deadlines import Deadlines
from chatd.net.disconnects import DisconnectReason
from chatd.net.http.cors import AllowedOrigins
from chatd.net.http.hypercorn import HypercornServer
from chatd.net.http.page import (
    CONFIG_PATH,
    config_route,
    read_admin_page,
    read_client,
    read_page,
)
from chatd.net.http.public import OPENAPI_PATH, document_route, public_app
from chatd.net.http.static import StaticFiles
from chatd.net.poller import make_poller
from chatd.net.proxies import ForbiddenNotices
from chatd.observe import (
    EventLog,
    InternalError,
    KeySetFailed,
    KeySetRead,
    StoreFailed,
    conditions,
)
from chatd.observe.clock import Clock
from chatd.observe.conditions import OneCondition
from chatd.observe.message_times import MessageTimes
from chatd.observe.tap import EventTap
from chatd.service.admin_page import AdminPage
from chatd.service.administration import Administration
from chatd.service.audit_trail import AuditTrail
from chatd.service.authenticator import (
    ApiAuthenticator,
    TokenAuthenticator,
)
from chatd.service.callers import Callers
from chatd.service.catch_up import CatchUp
from chatd.service.clients import Clients
from chatd.service.commands import Commands
from chatd.service.connect import Connector, Welcome
from chatd.service.dispatch import Dispatcher
from chatd.service.download_tickets import DownloadTickets
from chatd.service.downloads import ANSWERS_PATH, Downloads
from chatd.service.effects import ChatEffects
from chatd.service.ending_publisher import EndingPublisher
from chatd.service.erasures import Erasures
from chatd.service.event_streams import EventStreams, Unseen
from chatd.service.events.acks import AckEvents
from chatd.service.events.answers import AnswerEvents
from chatd.service.events.changes import ChangeEvents
from chatd.service.events.history import HistoryEvents
from chatd.service.events.messages import MessageEvents
from chatd.service.events.presence import PresenceEvents
from chatd.service.events.reads import ReadEvents
from chatd.service.events.rooms import RoomEvents
from chatd.service.events.schema import SchemaEvents
from chatd.service.events.search import SearchEvents
from chatd.service.events.token import TokenLife
from chatd.service.events.typing import TypingEvents
from chatd.service.export_files import ExportFiles
from chatd.service.kicks import Kicks
from chatd.service.local_presence_store import LocalPresenceStore
from chatd.service.local_publisher import LocalPublisher
from chatd.service.local_rate_limits import LocalRateLimits
from chatd.service.machine_membership import MachineMembership
from chatd.service.machine_readings import MachineReadings
from chatd.service.mentions import Mentions
from chatd.service.occupancy import Occupancy
from chatd.service.presence_roster import PresenceRoster
from chatd.service.publisher import Publisher
from chatd.service.receipts import Receipts
from chatd.service.revoking import Revoking
from chatd.service.room_api import ROOMS_PATH, RoomApi
from chatd.service.rooms import Rooms
from chatd.service.shared_adapter import SharedAdapter
from chatd.service.shared_membership import SharedMembership
from chatd.service.shown_signs import ShownSigns
from chatd.service.ticket_signals import TicketSignals
from chatd.service.timeline import Timelines
from chatd.service.typing_roster import TypingRoster
from chatd.service.volatile import Volatile
from chatd.sockets.connection import SocketIOConnection
from chatd.sockets.local_adapter import LocalAdapter
from chatd.store.opened_store import OpenedStore
from chatd.store.snapshots import MEMBERS, NAMES, READ_SEQS
from chatd.wire.codes import Code
from chatd.wire.identifiers import is_user_id

SOCKET_IO_PATH: Final = b"/socket.io/"
MEMBERS_WRITTEN: Final = "members"
"""The kind of the signal that a node has written members: the others look at the log."""
MAILBOX_CAPACITY: Final = 10_000
"""Commands that wait for an actor; beyond it readers pause."""


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
        self._config = config
        self._event_log = event_log
        self._tap = tap
        self._markup = MARKUPS[config.messages.markup]
        self._renderer = Renderer(self._markup, may_be_question)
        self._frozen = store.snapshot.parts if store.snapshot else {}
        self.clock = clock or Clock()
        self._times = times or MessageTimes()
        self.store = store
        self.log = log
        self.life = life_in(store)
        self._damage = DamageFound(event_log, store.damaged)
        store.readers.witness = self._damage
        self._cors = settings.cors_policy(config)
        self.acted = trio.Event()  # the messages actor has ended by itself
        self.starts_over = trio.Event()  # the log has another epoch: this daemon is to end
        if revocations is None:
            revocations = read_revocations(store.path.parent)
        self._build_state()
        self._build_chat(secret, revocations)
        self._build_upkeep()
        self._build_administration()
        self._build_network()

    def _build_state(self) -> None:
        """What is known of rooms, users and sockets, and the actors that own it."""
        config, store, now_s = self._config, self.store, trio.current_time()
        recovered = store.recovered
        self._flusher, self._deadlines = Flusher(self._times.delivered), Deadlines()
        self.clients = Clients()
        of_several = bool(config.cluster.node and config.state.url)
        make_adapter = SharedAdapter if of_several else LocalAdapter
        self._adapter = make_adapter(self._flusher, self.clients.sockets_of)
        self.timelines = Timelines(
            recovered.rooms,
            store.readers,
            self._renderer,
            recent_max=config.messages.history_on_join,
            last_revs=recovered.revs,
        )
        here = LocalPublisher(self.timelines, self._adapter)
        ending = EndingPublisher(here)
        shown = ShownSigns(ending)
        self.fan_out = build_fan_out(
            config, store, self.log, self.timelines, shown, self.starts_over.set
        )
        self.publisher: Publisher = here if self.fan_out is None else self.fan_out.publisher
        self.signals = None if self.fan_out is None else self.fan_out.signals
        self.sharing: Sharing | None = None
        if self.signals is not None and isinstance(self._adapter, SharedAdapter):
            self.sharing = Sharing(self.signals, self.clock, self.clients, self._adapter, shown)
        self.occupancy = Occupancy()
        self.machine = MessageMachine({}, {})
        take_up(self.machine, recovered)
        self.ledger = ledger_of(store, self.machine, self.log)
        self.membership = self._make_membership()
        self.readings = MachineReadings(self.machine, store.readers)
        self.mailbox: Mailbox[messages.Command] = Mailbox(MAILBOX_CAPACITY)
        self._commands = Commands(self.mailbox)
        self.trail = AuditTrail(self._commands)
        volatile = Volatile(self._adapter)
        self.typing_mailbox: Mailbox[typing.Command] = Mailbox(MAILBOX_CAPACITY)
        sharing = self.sharing
        self.typing = (TypingRoster if sharing is None else sharing.typing)(
            self.typing_mailbox,
            LocalPresenceStore(),
            volatile,
            typing.Typing.restore(self._frozen.get("typing"), now_s),
            self._markup,
            self.clock,
        )
        self.presence_mailbox: Mailbox[presence.Command] = Mailbox(MAILBOX_CAPACITY)
        self.presence = (PresenceRoster if sharing is None else sharing.presence)(
            self.presence_mailbox,
            LocalPresenceStore(),
            volatile,
            self.clients,
            self.typing,
            presence.Presence.restore(self._frozen.get("presence"), now_s),
            self._markup,
            self.clock,
        )
        self.answering = build_answering(
            config,
            store,
            self._adapter,
            self.timelines,
            self._commands,
            self._markup,
            self.clock,
            self._event_log,
            self.signals,
        )
        if self.answering.elsewhere is not None:
            ending.tell(self.answering.elsewhere, self.answering.service)
        if self.life is not None:
            self.life.adopted = self.answering.service.adopt
        self.effects = ChatEffects(
            self.publisher,
            Receipts(self.timelines, self._adapter.to_user)
            if sharing is None
            else sharing.receipts(self.timelines),
            self._adapter,
            self.occupancy,
            self.presence,
            self.typing,
            self.answering.service,
            self.readings,
            self._times,
            self._flusher,
            self._event_log,
        )
        kept_time = self._frozen.get("clock")
        self._ages = Ages(evidence_of(kept_time, recovered.newest_ms), self._event_log, self.clock)

    def _make_membership(self) -> MachineMembership:
        """What is known of members; those of a log that is shared are learnt of other nodes."""
        if self.fan_out is None:
            return MachineMembership(self.machine)
        ledger, publisher = self.ledger, self.fan_out.publisher
        assert isinstance(ledger, SharedLedger)
        publisher.learnt = ledger.hear
        members, mark = members_of(self.store)
        membership = SharedMembership(
            self.machine, members, ledger, publisher.is_held, self.timelines.note_heads, mark
        )
        signals = self.fan_out.signals
        ledger.wrote_members = lambda: signals.send_all(
            MEMBERS_WRITTEN, (), latest_of=MEMBERS_WRITTEN
        )
        signals.on(MEMBERS_WRITTEN, lambda *_: membership.hint())
        return membership

    def _build_chat(self, secret: str | None, revocations: Revocations) -> None:
        """What clients ask for, and the dispatcher that hands it out."""
        config, readers = self._config, self.store.readers
        catch_up = self._make_catch_up(self.presence, self.typing)
        bots = self.bots = Bots(config.api.tokens)
        sharing = self.sharing
        limits = self.limits = (LocalRateLimits if sharing is None else sharing.limits)(
            settings.rates(config), bots.message_rates
        )
        rooms = self.rooms = Rooms(
            self._commands,
            self.timelines,
            self._adapter,
            self.occupancy,
            catch_up,
            (self.presence, self.typing),
            self.membership,
            readers,
            limits,
            self._event_log,
            age_ms=self._ages.now_ms,
            epoch=self.store.epoch,
        )
        others = None if self.signals is None else TicketSignals(self.signals)
        self.tickets = tickets = DownloadTickets(
            is_revoked=revocations.is_revoked, node=config.cluster.node, others=others
        )
        if others is not None:
            others.serve(tickets)
        self.directory = RunningDirectory(config, self.clients, rooms, self._event_log)
        self.kicks = Kicks(self.clients, self.signals)
        self.revoking = (
            Revoking(revocations, self.clients, self.clock, self._event_log)
            if sharing is None
            else sharing.revoking(revocations, self._event_log)
        )
        keys, place = make_keys(config, secret), key_set_place(config)
        self.key_source = KeySource(
            place,
            keys,
            fetch_from(place or "", Path.cwd()),
            self._on_key_set,
            lambda place, reason: self._event_log.record(KeySetFailed(place, reason)),
        )
        judging = (
            make_verifier(config, keys),
            self.key_source,
            revocations,
            self.directory.current,
            FailureBackoff(),
            tickets.withdraw,
        )
        self.authenticator = authenticator = TokenAuthenticator(
            *judging,
            query_token=config.auth.query_token,
            clock=self.clock,
            event_log=self._event_log,
            directory_timeout_s=settings.directory_timeout_s(config),
        )
        self.api_authenticator = ApiAuthenticator(
            *judging,
            query_token=False,
            clock=self.clock,
            event_log=self._event_log,
            bots=bots,
            directory_timeout_s=settings.directory_timeout_s(config),
        )
        self.tokens = tokens = TokenLife(
            authenticator, rooms, self._deadlines, self.clock, leeway_s=config.auth.leeway_s
        )
        self.callers = Callers(
            limits,
            bots,
            tokens,
            self._event_log,
            under_way_max=config.api.requests_per_user,
        )
        mentions = Mentions(self.readings)
        self.acks = AckEvents(self._commands, self.timelines, readers, self.machine)
        self.connector = Connector(
            authenticator,
            self.welcome(config),
            self.clients,
            self.timelines,
            rooms,
            self.readings,
            tokens,
            limits,
            self.clock,
            self._event_log,
        )
        self.app = Dispatcher(
            self.connector,
            self.clients,
            rooms,
            limits,
            MessageEvents(
                self._commands,
                rooms,
                self.timelines,
                readers,
                self.machine,
                self.answering.service,
                mentions,
                limits,
                self._event_log,
                content_chars=config.messages.content_chars,
            ),
            ChangeEvents(
                self._commands,
                self.timelines,
                readers,
                mentions,
                limits,
                self._event_log,
                content_chars=config.messages.content_chars,
            ),
            self.acks,
            ReadEvents(self._commands, self.readings),
            RoomEvents(rooms),
            HistoryEvents(
                self._commands, readers, self._renderer, page_max=config.messages.history_page
            ),
            SearchEvents(readers, rooms, self._renderer, self._event_log),
            AnswerEvents(self.answering.service, self._commands, readers),
            SchemaEvents(self.answering.schemas),
            TypingEvents(self.typing, self.presence),
            PresenceEvents(self.presence, rooms),
            tokens,
            self._event_log,
        )
        self.export_files = ExportFiles(
            readers, self.answering.reruns, self.trail, self.clock, self._event_log
        )
        self.downloads = Downloads(
            authenticator,
            self.directory.current,
            readers,
            self.export_files,
            self._cors,
            tickets,
            self.clock,
        )

    def _make_catch_up(
        self, presence: PresenceRoster | Unseen, typing: TypingRoster | Unseen
    ) -> CatchUp:
        """How clients catch up with a room whom these rosters are told of."""
        return CatchUp(
            self.timelines,
            self._adapter,
            self.store.readers,
            presence,
            typing,
            self.answering.roster,
            self._renderer,
            history_page=self._config.messages.history_page,
        )

    def _make_room_api(self, engine: Engine) -> RoomApi:
        """Rooms over HTTP: the same chat, asked without a socket."""
        config, epoch = self._config, self.store.epoch
        streams = EventStreams(
            engine,
            self.clients,
            self.callers,
            self.limits,
            self.rooms,
            self.timelines,
            self._make_catch_up(Unseen(), Unseen()),
            self.tokens,
            self._event_log,
            epoch=epoch,
        )
        return RoomApi(
            self.app,
            self.api_authenticator,
            self.bots,
            self.callers,
            streams,
            self._cors,
            lambda: self.admission.is_draining,
            self._event_log,
            epoch=epoch,
            max_body_bytes=config.server.max_payload_bytes,
        )

    def _on_key_set(self, place: str, key_set: KeySet) -> None:
        """The issuer has another set of keys than before."""
        event = KeySetRead(place, len(key_set.keys), key_set.passed_over)
        self._event_log.record(event)

    def last_seen(self) -> dict[tuple[str, str], int]:
        """Up to where those have seen their rooms who are there now, or have left and the log does
        not know it yet: by connectionId and userId."""
        seen: dict[tuple[str, str], int] = {}
        for command in (*self.ledger.kept, *self.mailbox.left()):
            if isinstance(command, messages.LeaveRooms):
                for room, seq in command.rooms:
                    seen.setdefault((room, command.user_id), seq)
        for client in self.clients.everybody():
            for room, joined_seq in client.wanted.items():
                # Who still catches up has seen what was there at its join, or is owed it.
                seq = self.timelines.last_seq(room) if joined_seq is None else joined_seq
                key = (room, client.user_id)
                if not client.is_unseen:
                    seen[key] = max(seq, seen.get(key, 0))
        return seen

    def welcome(self, config: Config) -> Welcome:
        """What clients are told when they connect."""
        databases = configured_databases(config)
        return settings.welcome(config, self.store.epoch, self._markup, databases)

    @property
    def allowed_origins(self) -> AllowedOrigins:
        """The origins of the configuration that are in force."""
        return self._cors.allowed

    def _build_upkeep(self) -> None:
        """What is done from time to time, and what is known of the health of the daemon."""
        config, store = self._config, self.store
        self.disk = DiskSpace(store.path, config.state.min_free_bytes)
        self._build_status()
        retention = Retention(
            self.log,
            store.surplus,
            self._commands.disown,
            self.timelines.forget,
            self._ages.now_ms,
            self._event_log,
            young_from=store.recovered.position + 1,
            keep_days=config.messages.keep_days,
            keep_per_room=config.messages.keep_per_room,
        )
        self.audit_retention = AuditRetention(
            self.log, self._ages.now_ms, keep_days=config.audit.keep_days
        )
        self.upkeep = Upkeep(
            self.log, (retention, self.audit_retention), store.renew, self._ages, self._event_log
        )
        self.snapshots = Snapshots(
            store,
            lambda: self.machine.position,
            {
                MEMBERS: lambda: self.machine.members.freeze(),
                READ_SEQS: lambda: self.machine.members.freeze_read_seqs(),
                NAMES: lambda: self.machine.members.freeze_names(),
                "presence": lambda: self.presence.machine.freeze(),
                "typing": lambda: self.typing.machine.freeze(),
                "clock": self._ages.freeze,
            },
            self.clock.wall_ms,
            lambda error: self._event_log.record(
                StoreFailed(Code.STORAGE_ERROR, f"snapshot: {error.strerror}")
            ),
            interval_s=config.state.snapshot_interval_s,
        )

    def _build_status(self) -> None:
        """What may be amiss: each part that knows adds its condition here."""
        answering = self.answering
        self.pulses = {
            "messages": Pulse(self.mailbox),
            "presence": Pulse(self.presence_mailbox),
            "typing": Pulse(self.typing_mailbox),
            "answers": answering.service.pulse,
            "the log": Pulse(self.log),
        }
        self.silent_actors = SilentActors(self.pulses)
        self.status = DaemonStatus(self.clients)
        for condition in (
            *storage_conditions(self.log, self._damage, self.disk),
            *life_conditions(self.life),
            self.silent_actors,
            OneCondition(conditions.KEYS_UNAVAILABLE, self._why_no_keys),
            OneCondition(conditions.DIRECTORY_UNAVAILABLE, self.directory.why_unavailable),
            OneCondition(conditions.BUS_DOWN, self._why_bus_down),
            DatabasesAway(answering),
            DatabasesStarting(answering),
        ):
            self.status.conditions.add(condition)

    def _build_administration(self) -> None:
        """What operators have done."""
        self.administration = Administration(
            self.machine,
            self.clients,
            self.occupancy,
            self._commands,
            self.trail,
            self.clock,
            self._event_log,
            lambda: self.status.described(self.answering.service.count),
            self.kicks,
            self._revoke,
            content_chars=self._config.messages.content_chars,
        )
        self.erasures = Erasures(
            self._commands,
            self.machine,
            self.log,
            traces_in(self.store, self.log),
            self.snapshots,
            self.timelines,
            self.clients,
            self.rooms,
            self.presence,
            self.typing,
            self.answering.service,
            self.tickets,
            self.trail,
            self.clock,
            self._event_log,
            self._revoke,
            self.store.readers,
            self.signals,
        )
        self.admin_page = AdminPage(
            self.authenticator,
            settings.administrator_rule(self._config),
            self.administration,
            self._tap,
            self._cors,
        )

    def _why_bus_down(self) -> str | None:
        """Why the bus carries nothing; a node that has none misses none."""
        return None if self.fan_out is None else self.fan_out.bus.why_down

    def _why_no_keys(self) -> str | None:
        """What is amiss with the key set; its first reading is no fault."""
        return self.key_source.trouble if self.key_source.ended else None

    async def _revoke(self, user_id: str) -> int:
        """End what a user's tokens of before now gave, and return how many sessions that were; of a
        bot the configuration has the token."""
        if is_user_id(user_id):
            return await self.revoking.revoke(user_id)
        return self.kicks.kick(user_id)

    def _build_network(self) -> None:
        """The public port, and the sessions behind it."""
        config, event_log = self._config, self._event_log
        forbidden = ForbiddenNotices(event_log)
        self.poller = make_poller()
        self.admission = settings.make_admission(config, trio.current_time())
        self.isolation = (
            Isolation(self.life, self.signals, self._isolate)
            if self.life is not None and self.signals is not None
            else None
        )
        self.sessions = Sessions(
            settings.session_settings(config),
            self._deadlines,
            self._flusher,
            event_log,
            self.admission,
        )
        engine = Engine(
            self.sessions,
            self.admission,
            self._cors,
            self._make_connection,
            event_log,
            node=config.cluster.node,
            forbidden=forbidden,
        )
        web, cors = config.web, self._cors
        api = {}
        if config.api.enabled:
            api[ROOMS_PATH] = self._make_room_api(engine).route()
            api[OPENAPI_PATH] = document_route(settings.api_document(config), cors)
        page = read_page() if web.enabled else read_page().switched_off()
        self.page_state = page.state
        client = read_client(SOCKET_IO_PATH.decode())
        admin = read_admin_page() if web.enabled else StaticFiles()
        http = HypercornServer(
            public_app(
                self.status.health,
                cors=cors,
                routes={
                    ANSWERS_PATH: self.downloads.route(),
                    **api,
                    CONFIG_PATH: config_route(web.title, web.login_url, __version__, cors),
                    **self.admin_page.routes(),
                    **admin.routes(),
                    **page.routes,
                    **client.routes,
                },
                turned_away=forbidden.turned_away,
            ),
            body_timeout_s=config.server.head_timeout_s,
            report_fault=lambda fault: event_log.record(InternalError.of("http", fault)),
        )
        self.listener = Listener(
            ListenerSettings(
                SOCKET_IO_PATH,
                config.server.head_timeout_s,
                settings.connection_limits(config),
                files=frozenset(path.encode() for path in client.routes),
                proxy_protocol=(
                    settings.trusted_proxies(config) if config.server.proxy_protocol else None
                ),
            ),
            engine,
            self.poller,
            self.admission,
            http,
            event_log,
            static=StaticFiles({**page.files.by_path, **admin.by_path, **client.files.by_path}),
        )

    def _isolate(self, is_isolated: bool) -> None:
        self.admission.is_isolated = is_isolated
        if is_isolated:
            for session in list(self.sessions.by_sid.values()):
                session.end(DisconnectReason.LOG_UNREACHABLE)

    def _make_connection(self, session: Session, handshake: Handshake) -> SocketIOConnection:
        return SocketIOConnection(session, handshake, self.app, self._adapter)
