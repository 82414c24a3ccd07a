"""How the parts of the daemon fit together; every dependency is handed over here, once."""

import ipaddress

import attrs
import trio

from chatd.actors.loop import Log
from chatd.actors.mailbox import Mailbox
from chatd.app.listen import is_loopback
from chatd.auth import (
    ClaimDirectory,
    Directory,
    FailureBackoff,
    FileDirectory,
    FileEntry,
    Verifier,
)
from chatd.chat.markup import MARKUPS
from chatd.chat.messages import Command, Messages
from chatd.config import Config
from chatd.engineio import HeartbeatSettings
from chatd.observe import Emit, InternalError
from chatd.server.admission import Admission
from chatd.server.asgi_lane import AsgiLane
from chatd.server.chat_app import ChatApp
from chatd.server.clients import Clients, Rates
from chatd.server.commands import Commands
from chatd.server.deadlines import Deadlines
from chatd.server.effects import ChatEffects
from chatd.server.engine import Engine
from chatd.server.entrance import Entrance, Welcome
from chatd.server.feeds import Feeds
from chatd.server.flusher import Flusher
from chatd.server.front_door import FrontDoor, FrontDoorSettings
from chatd.server.http_app import Health, build_app
from chatd.server.http_lane import HttpLane
from chatd.server.hub import Hub
from chatd.server.message_events import MessageEvents
from chatd.server.origin import OriginRules
from chatd.server.readiness import Readiness, make_readiness
from chatd.server.room_events import RoomEvents
from chatd.server.session import Session, Sessions, SessionSettings
from chatd.server.sockets import Handshake, SocketIOConnection
from chatd.server.token_events import TokenLife
from chatd.store import Store

SOCKET_IO_PATH = b"/socket.io/"
MAILBOX_CAPACITY = 10_000  # commands that wait for the messages actor; beyond it readers pause

# Failed authentications of one address (SPEC 2): a few are free, then the wait doubles.
AUTH_FREE_FAILURES = 10
AUTH_WAIT_FIRST_S = 1.0
AUTH_WAIT_MAX_S = 60.0
AUTH_FORGET_S = 600.0
AUTH_ADDRESSES_MAX = 10_000


class DaemonStatus:
    """What the health endpoint tells."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._started_s = trio.current_time()
        self.is_draining = False

    def health(self) -> Health:
        return Health(
            "draining" if self.is_draining else "ok",
            self._clients.count,
            round(trio.current_time() - self._started_s, 3),
        )


@attrs.frozen
class Parts:
    """The running parts of a daemon, as `daemon.serve` needs them."""

    door: FrontDoor
    http: HttpLane
    sessions: Sessions
    readiness: Readiness
    admission: Admission
    mailbox: Mailbox[Command]
    machine: Messages
    effects: ChatEffects
    log: Log
    app: ChatApp
    status: DaemonStatus


def build(config: Config, secret: str, store: Store, log: Log, emit: Emit) -> Parts:
    """Put a daemon together over an open store; call it inside of the Trio run."""
    flusher, deadlines = Flusher(), Deadlines()
    hub = Hub(flusher)
    markup = MARKUPS[config.messages.markup]
    recovered = store.recovered
    feeds = Feeds(
        recovered.rooms, store.readers, markup, recent_max=config.messages.history_on_join
    )
    clients = Clients(_rates(config), deadlines)
    mailbox: Mailbox[Command] = Mailbox(MAILBOX_CAPACITY)
    commands = Commands(mailbox)
    machine = Messages(recovered.rooms, recovered.members)
    entrance = Entrance(
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
        query_token=config.auth.query_token,
        leeway_s=config.auth.leeway_s,
        emit=emit,
    )
    rooms = RoomEvents(
        commands,
        feeds,
        hub,
        store.readers,
        emit,
        markup=markup,
        history_page=config.messages.history_page,
        rooms_per_socket=config.limits.rooms_per_socket,
    )
    messages = MessageEvents(
        commands,
        rooms,
        feeds,
        store.readers,
        emit,
        content_chars=config.messages.content_chars,
        is_known=machine.knows,
    )
    tokens = TokenLife(entrance, rooms)
    clients.token_events = tokens
    app = ChatApp(
        entrance, _welcome(config, store.epoch), clients, feeds, messages, rooms, tokens, emit
    )
    readiness = make_readiness()
    admission = Admission(
        handshakes_per_second=config.limits.handshakes_per_second,
        sessions_per_address=config.limits.sessions_per_address,
        pending_sessions_per_address=config.limits.pending_sessions_per_address,
        max_connections=config.server.max_connections,
        now_s=trio.current_time(),
    )
    sessions = Sessions(_session_settings(config), deadlines, flusher, emit, admission)
    status = DaemonStatus(clients)

    def make_upper(session: Session, handshake: Handshake) -> SocketIOConnection:
        return SocketIOConnection(session, handshake, app, hub)

    engine = Engine(
        sessions,
        admission,
        OriginRules(config.server.origins, is_loopback(config.server.host)),
        make_upper,
        emit,
        trusted_proxies=tuple(
            ipaddress.ip_network(network) for network in config.server.trusted_proxies
        ),
    )
    http = HttpLane(
        AsgiLane(engine, SOCKET_IO_PATH, build_app(status)),
        read_timeout_s=config.server.head_timeout_s,
        report_fault=lambda fault: emit.emit(InternalError.of("http", fault)),
        max_head_bytes=config.server.max_head_bytes,
        max_body_bytes=config.server.max_payload_bytes,
    )
    door = FrontDoor(
        FrontDoorSettings(
            SOCKET_IO_PATH, config.server.head_timeout_s, config.server.max_head_bytes
        ),
        engine,
        readiness,
        admission,
        http,
        emit,
    )
    return Parts(
        door=door,
        http=http,
        sessions=sessions,
        readiness=readiness,
        admission=admission,
        mailbox=mailbox,
        machine=machine,
        effects=ChatEffects(hub, feeds, store.epoch, emit),
        log=log,
        app=app,
        status=status,
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
        socket_events=limits.socket_events_per_minute,
        sockets_per_user=limits.sockets_per_user,
        rooms_per_socket=limits.rooms_per_socket,
    )


def _welcome(config: Config, epoch: str) -> Welcome:
    limits = {
        "contentChars": config.messages.content_chars,
        "historyPage": config.messages.history_page,
        "messagesPerMinute": config.limits.user_messages_per_minute,
        "maxPayload": config.server.max_payload_bytes,
    }
    return Welcome(epoch, limits)


def _session_settings(config: Config) -> SessionSettings:
    server = config.server
    return SessionSettings(
        HeartbeatSettings(server.ping_interval_s, server.ping_timeout_s),
        server.max_payload_bytes,
        server.connect_timeout_s,
        server.upgrade_timeout_s,
        server.backlog_bytes,
    )
