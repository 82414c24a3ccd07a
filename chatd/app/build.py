"""How the parts of the daemon fit together; every dependency is handed over here, once."""

import attrs
import trio

from chatd.actors.log_service import LogService
from chatd.actors.mailbox import Mailbox
from chatd.actors.retention import Retention
from chatd.actors.snapshots import Snapshots
from chatd.app.ages import Ages, evidence_of
from chatd.app.answering import Answering, build_answering
from chatd.app.damage import DamageFound
from chatd.app.hosts import authority, is_loopback
from chatd.app.status import DaemonStatus
from chatd.app.upkeep import Upkeep
from chatd.auth import (
    ClaimDirectory,
    Directory,
    FailureBackoff,
    FileDirectory,
    FileEntry,
    Verifier,
)
from chatd.chat import messages, presence, typing
from chatd.chat.markup import MARKUPS, Markup
from chatd.config import Config
from chatd.engine.admission import Admission
from chatd.engine.engine import Engine
from chatd.engine.flusher import Flusher
from chatd.engine.listener import Listener, ListenerSettings
from chatd.engine.session import Handshake, Session, SessionSettings
from chatd.engine.sessions import Sessions
from chatd.engineio import HeartbeatSettings
from chatd.net.addresses import Network, as_network
from chatd.net.deadlines import Deadlines
from chatd.net.http.connection import ConnectionLimits
from chatd.net.http.cors import CorsPolicy
from chatd.net.http.hypercorn import HypercornServer
from chatd.net.http.public import public_app
from chatd.net.poller import Poller, make_poller
from chatd.observe import EventLog, InternalError, StoreFailed
from chatd.observe.clock import wall_ms
from chatd.service.authenticator import Entrance, Welcome
from chatd.service.catch_up import CatchUp
from chatd.service.clients import Clients, Rates
from chatd.service.commands import Commands
from chatd.service.dispatch import Dispatcher
from chatd.service.download_tickets import DownloadTickets
from chatd.service.downloads import ANSWERS_PATH, Downloads
from chatd.service.effects import ChatEffects
from chatd.service.events.acks import Receipts
from chatd.service.events.answers import AnswerEvents
from chatd.service.events.messages import MessageEvents
from chatd.service.events.presence import PresenceEvents
from chatd.service.events.rooms import RoomEvents
from chatd.service.events.search import SearchEvents
from chatd.service.events.token import TokenLife
from chatd.service.events.typing import TypingEvents
from chatd.service.occupancy import Occupancy
from chatd.service.presence_roster import PresenceRoster
from chatd.service.timeline import Timelines
from chatd.service.typing_roster import TypingRoster
from chatd.service.volatile import Volatile
from chatd.sockets.adapter import Adapter
from chatd.sockets.socket import SocketIOConnection
from chatd.store import Store
from chatd.store.search import Searcher
from chatd.wire.codes import Code

SOCKET_IO_PATH = b"/socket.io/"
MAILBOX_CAPACITY = 10_000  # commands that wait for the messages actor; beyond it readers pause

# Failed authentications of one address (SPEC 2): a few are free, then the wait doubles.
AUTH_FREE_FAILURES = 10
AUTH_WAIT_FIRST_S = 1.0
AUTH_WAIT_MAX_S = 60.0
AUTH_FORGET_S = 600.0
AUTH_ADDRESSES_MAX = 10_000


@attrs.frozen
class Parts:
    """The running parts of a daemon, as `tree` and `daemon.serve` need them."""

    door: Listener
    sessions: Sessions
    readiness: Poller
    admission: Admission
    store: Store
    log: LogService
    mailbox: Mailbox[messages.Command]
    machine: messages.Messages
    timelines: Timelines
    effects: ChatEffects
    presence_mailbox: Mailbox[presence.Command]
    presence: PresenceRoster
    typing_mailbox: Mailbox[typing.Command]
    typing: TypingRoster
    answering: Answering
    snapshots: Snapshots
    upkeep: Upkeep
    app: Dispatcher
    clients: Clients
    occupancy: Occupancy
    status: DaemonStatus
    acted: trio.Event = attrs.field(factory=trio.Event)  # the messages actor has ended by itself


@attrs.frozen
class Chat:
    """The parts of the chat, as the server carries it."""

    app: Dispatcher
    clients: Clients
    occupancy: Occupancy
    timelines: Timelines
    effects: ChatEffects
    machine: messages.Messages
    mailbox: Mailbox[messages.Command]
    presence_mailbox: Mailbox[presence.Command]
    presence: PresenceRoster
    typing_mailbox: Mailbox[typing.Command]
    typing: TypingRoster
    answering: Answering
    exports: Downloads
    upkeep: Upkeep


def build(config: Config, secret: str, store: Store, log: LogService, event_log: EventLog) -> Parts:
    """Put a daemon together over an open store; call it inside of the Trio run."""
    flusher, deadlines = Flusher(), Deadlines()
    adapter = Adapter(flusher)
    damage = DamageFound(event_log, store.damaged)
    store.set_witness(damage)
    kept_time = store.snapshot.parts.get("clock") if store.snapshot else None
    ages = Ages(evidence_of(kept_time, store.recovered.newest_ms), event_log)
    chat = _build_chat(config, secret, store, log, adapter, deadlines, ages, event_log)
    readiness = make_poller()
    admission = Admission(
        handshakes_per_second=config.limits.handshakes_per_second,
        sessions_per_address=config.limits.sessions_per_address,
        pending_sessions_per_address=config.limits.pending_sessions_per_address,
        connections_per_address=config.limits.connections_per_address,
        max_connections=config.server.max_connections,
        now_s=trio.current_time(),
        trusted_proxies=_trusted_proxies(config),
    )
    sessions = Sessions(_session_settings(config), deadlines, flusher, event_log, admission)
    status = DaemonStatus(chat.clients, log, damage, chat.answering)

    def make_upper(session: Session, handshake: Handshake) -> SocketIOConnection:
        return SocketIOConnection(session, handshake, chat.app, adapter)

    engine = Engine(
        sessions,
        admission,
        _origin_rules(config),
        make_upper,
        event_log,
        trusted_proxies=_trusted_proxies(config),
    )
    http = HypercornServer(
        public_app(status.health, routes={ANSWERS_PATH: chat.exports.route()}),
        body_timeout_s=config.server.head_timeout_s,
        report_fault=lambda fault: event_log.record(InternalError.of("http", fault)),
    )
    door = Listener(
        ListenerSettings(SOCKET_IO_PATH, config.server.head_timeout_s, _connection_limits(config)),
        engine,
        readiness,
        admission,
        http,
        event_log,
    )
    snapshots = Snapshots(
        store,
        lambda: chat.machine.position,
        {
            "members": chat.machine.freeze,
            "presence": lambda: chat.presence.machine.freeze(),
            "typing": lambda: chat.typing.machine.freeze(),
            "clock": ages.freeze,
        },
        wall_ms,
        lambda error: event_log.record(
            StoreFailed(Code.STORAGE_ERROR, f"snapshot: {error.strerror}")
        ),
        interval_s=config.state.snapshot_interval_s,
    )
    return Parts(
        door=door,
        sessions=sessions,
        readiness=readiness,
        admission=admission,
        store=store,
        log=log,
        mailbox=chat.mailbox,
        machine=chat.machine,
        timelines=chat.timelines,
        effects=chat.effects,
        presence_mailbox=chat.presence_mailbox,
        presence=chat.presence,
        typing_mailbox=chat.typing_mailbox,
        typing=chat.typing,
        answering=chat.answering,
        snapshots=snapshots,
        upkeep=chat.upkeep,
        app=chat.app,
        clients=chat.clients,
        occupancy=chat.occupancy,
        status=status,
    )


def _build_chat(
    config: Config,
    secret: str,
    store: Store,
    log: LogService,
    adapter: Adapter,
    deadlines: Deadlines,
    ages: Ages,
    event_log: EventLog,
) -> Chat:
    markup = MARKUPS[config.messages.markup]
    recovered, frozen = store.recovered, store.snapshot.parts if store.snapshot else {}
    readers = store.readers
    timelines = Timelines(
        recovered.rooms, readers, markup, recent_max=config.messages.history_on_join
    )
    clients, occupancy = Clients(_rates(config), deadlines), Occupancy()
    machine = messages.Messages(
        recovered.rooms, recovered.members, recovered.position, recovered.open_answers
    )
    mailbox: Mailbox[messages.Command] = Mailbox(MAILBOX_CAPACITY)
    commands = Commands(mailbox)
    volatile, now_s = Volatile(adapter), trio.current_time()
    presence_mailbox: Mailbox[presence.Command] = Mailbox(MAILBOX_CAPACITY)
    presence_roster = PresenceRoster(
        presence_mailbox,
        volatile,
        clients,
        presence.Presence.restore(frozen.get("presence"), now_s),
        markup,
    )
    typing_mailbox: Mailbox[typing.Command] = Mailbox(MAILBOX_CAPACITY)
    typing_roster = TypingRoster(
        typing_mailbox,
        volatile,
        clients,
        typing.Typing.restore(frozen.get("typing"), now_s),
        markup,
    )
    answering = build_answering(config, store, adapter, commands, markup, event_log)
    catch_up = CatchUp(
        timelines,
        adapter,
        readers,
        presence_roster,
        typing_roster,
        answering.board,
        markup,
        history_page=config.messages.history_page,
    )
    rooms = RoomEvents(
        commands,
        timelines,
        adapter,
        occupancy,
        catch_up,
        (presence_roster, typing_roster),
        machine,
        readers,
        event_log,
        age_ms=ages.now_ms,
        epoch=store.epoch,
        markup=markup,
        history_page=config.messages.history_page,
    )
    message_events = MessageEvents(
        commands,
        rooms,
        timelines,
        readers,
        answering.service,
        Receipts(commands, readers, machine),
        event_log,
        content_chars=config.messages.content_chars,
        members=machine,
    )
    tickets = DownloadTickets()
    entrance = _entrance(config, secret, tickets, event_log)
    tokens = TokenLife(entrance, rooms)
    clients.token_events = tokens
    searcher = Searcher(store.search_readers, log.maintain)
    app = Dispatcher(
        entrance,
        _welcome(config, store.epoch, markup),
        clients,
        timelines,
        machine,
        message_events,
        rooms,
        PresenceEvents(presence_roster, rooms),
        TypingEvents(typing_roster, rooms, presence_roster, event_log),
        SearchEvents(searcher, rooms, markup),
        AnswerEvents(answering.service, commands),
        tokens,
        event_log,
    )
    retention = Retention(
        log,
        readers,
        commands.disown,
        timelines,
        ages.now_ms,
        event_log,
        young_from=recovered.position + 1,
        keep_days=config.messages.keep_days,
        keep_per_room=config.messages.keep_per_room,
    )
    return Chat(
        app=app,
        clients=clients,
        occupancy=occupancy,
        timelines=timelines,
        effects=ChatEffects(
            adapter,
            timelines,
            clients,
            occupancy,
            presence_roster,
            typing_roster,
            answering.service,
            event_log,
        ),
        machine=machine,
        mailbox=mailbox,
        presence_mailbox=presence_mailbox,
        presence=presence_roster,
        typing_mailbox=typing_mailbox,
        typing=typing_roster,
        answering=answering,
        exports=Downloads(
            entrance, readers, _origin_rules(config), _trusted_proxies(config), tickets
        ),
        upkeep=Upkeep(log, searcher, retention, store.renew, ages, event_log),
    )


def _entrance(
    config: Config, secret: str, tickets: DownloadTickets, event_log: EventLog
) -> Entrance:
    return Entrance(
        Verifier(
            secret,
            config.auth.audience,
            config.auth.issuer,
            int(config.auth.leeway_s),
            config.auth.max_token_bytes,
        ),
        _directory(config),
        FailureBackoff(
            free_failures=AUTH_FREE_FAILURES,
            base_s=AUTH_WAIT_FIRST_S,
            cap_s=AUTH_WAIT_MAX_S,
            forget_after_s=AUTH_FORGET_S,
            max_addresses=AUTH_ADDRESSES_MAX,
        ),
        tickets,
        query_token=config.auth.query_token,
        leeway_s=config.auth.leeway_s,
        event_log=event_log,
    )


def _directory(config: Config) -> Directory:
    if config.directory.source == "file":
        return FileDirectory(
            {
                connection_id: FileEntry(connection.title, connection.users)
                for connection_id, connection in config.directory.connections.items()
            }
        )
    return ClaimDirectory(config.directory.claim)


def _rates(config: Config) -> Rates:
    limits = config.limits
    return Rates(
        user_messages=limits.user_messages_per_minute,
        socket_messages=limits.socket_messages_per_minute,
        room_messages=limits.room_messages_per_minute,
        user_typing=limits.user_typing_per_minute,
        socket_events=limits.socket_events_per_minute,
        sockets_per_user=limits.sockets_per_user,
        rooms_per_socket=limits.rooms_per_socket,
    )


def _welcome(config: Config, epoch: str, markup: Markup) -> Welcome:
    limits = {
        "contentChars": config.messages.content_chars,
        "historyPage": config.messages.history_page,
        "messagesPerMinute": config.limits.user_messages_per_minute,
        "typingPerMinute": config.limits.user_typing_per_minute,
        "maxPayload": config.server.max_payload_bytes,
    }
    return Welcome(epoch, limits, markup)


def _connection_limits(config: Config) -> ConnectionLimits:
    server = config.server
    # One response may be as large as a payload, and is asked for: it is no backlog.
    return ConnectionLimits(server.max_head_bytes, server.backlog_bytes + server.max_payload_bytes)


def _origin_rules(config: Config) -> CorsPolicy:
    """On loopback the daemon is called by the names of this machine, or by the address on which it
    listens, whichever of 127.0.0.0/8 that is."""
    server = config.server
    if not is_loopback(server.host):
        return CorsPolicy(server.origins, is_loopback=False)
    here = f"http://{authority(server.host, server.port)}"
    return CorsPolicy((*server.origins, here), is_loopback=True)


def _trusted_proxies(config: Config) -> tuple[Network, ...]:
    return tuple(as_network(network) for network in config.server.trusted_proxies)


def _session_settings(config: Config) -> SessionSettings:
    server = config.server
    return SessionSettings(
        HeartbeatSettings(server.ping_interval_s, server.ping_timeout_s),
        server.max_payload_bytes,
        server.connect_timeout_s,
        server.upgrade_timeout_s,
        server.backlog_bytes,
    )
