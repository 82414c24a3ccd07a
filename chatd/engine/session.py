"""An Engine.IO session: identity, heartbeat, the queue of what is owed, its end.

A session lives longer than its transport: polling and WebSocket end in the same object, and an
upgrade is a second transport that attaches. What it carries is an `Upper`: Socket.IO, or a bare
Engine.IO application. Everything here is synchronous; tasks belong to the transports.

A session that is over lets go of its transport and its upper, which know it: no circle is left for
the garbage collector, and what they hold, bytes of a peer among it, is freed at once.

Sending never waits. `send` puts an `Outgoing` into `pending`, and the `Flusher` lets the transport
take it at the end of the turn: all that one turn owes to a socket goes out in one write.
"""

import math
from typing import Final, Protocol

import attrs
import trio

from chatd.engine.admission import Admission, CountedConnection
from chatd.engine.flusher import OWED_NOTHING, OWED_REPLY, Flusher
from chatd.engine.outgoing import Outgoing
from chatd.engine.throttle import IDLE_FIRST, IDLE_LIMIT, IDLE_WAITS_MAX, Throttle
from chatd.engine.transport import Transport, Work
from chatd.engineio.handshake import POLLING, Query
from chatd.engineio.heartbeat import Heartbeat, HeartbeatAction, HeartbeatSettings
from chatd.engineio.packet import Packet, PacketType, ProtocolError, decode_text
from chatd.net.backlog import Backlog
from chatd.net.deadlines import Deadlines, TimerEntry
from chatd.net.disconnects import DisconnectReason
from chatd.observe import EventLog, InternalError, LimitHit, ProtocolViolated, SessionClosed
from chatd.socketio.packet import ProtocolError as SocketIOError

PING = Outgoing(b"2")
UNBOUNDED: Final = 2**31 - 1  # bytes: the most that any size may be configured to
LOG_ID_CHARS = 8  # of a sid, which is a credential, behind its node; so many tell sessions apart


@attrs.frozen
class Handshake:
    """What the request that opened a session said, and where it came from."""

    address: str
    query: Query
    authorization: str | None


class Upper(Protocol):
    """What a session carries."""

    @property
    def is_joined(self) -> bool:
        """Whether the peer has joined; it must within the connect timeout."""
        ...

    def receive(self, message: str | bytes) -> Work | None:
        """Take one message; returns work that has to be awaited before the next one."""
        ...

    def on_heartbeat(self, now_s: float) -> None:
        """Called at least as often as the heartbeat is due, whatever the peer does; raises
        ProtocolError if the peer has left something undone for too long."""
        ...

    def on_close(self, reason: DisconnectReason) -> None:
        """The session is over."""
        ...


class _Ended:
    """Transport and upper of a session that is over."""

    def __init__(self) -> None:
        self._backlog = Backlog(0)

    @property
    def name(self) -> str:
        return "none"

    @property
    def backlog(self) -> Backlog:
        """Nothing is owed."""
        return self._backlog

    @property
    def is_joined(self) -> bool:
        return False

    def flush(self) -> None:
        """Nothing is pending."""

    def identified(self) -> None:
        """It became known too late whose session it is."""

    def close(self, *, polite: bool) -> None:
        """There is nothing to close."""

    def peer_closed(self) -> None:
        """There is nothing to close."""

    def receive(self, message: str | bytes) -> Work | None:
        """What still comes is dropped."""
        return None

    def on_heartbeat(self, now_s: float) -> None:
        """Nothing is waited for."""

    def on_close(self, reason: DisconnectReason) -> None:
        """It is over already."""


_ENDED: Final = _Ended()


@attrs.frozen
class SessionSettings:
    """What all sessions of a server have in common. Times in seconds, sizes in bytes."""

    heartbeat: HeartbeatSettings
    max_payload_bytes: int
    connect_timeout_s: float
    upgrade_timeout_s: float
    backlog_bytes: int
    stranger_payload_bytes: int = UNBOUNDED
    """The most for one message or body of a session that is nobody's yet: anybody can open
    thousands of them, and each may hold so much of an incomplete message. Never more than
    `max_payload_bytes`."""
    last_words_s: float = 30.0
    """How long the last packets of an ended session wait for a GET. A client that polls learns of
    the end from them; by then it has asked again, or is gone."""
    linger_s: float = 2.0
    """After the close frame of a WebSocket, how long the peer may take to answer and hang up."""
    idle_waits_max: int = IDLE_WAITS_MAX


@attrs.frozen(eq=False)
class SessionHost:
    """What the sessions of a server share; `by_sid` are those that are open."""

    settings: SessionSettings
    deadlines: Deadlines
    flusher: Flusher
    event_log: EventLog
    admission: Admission
    by_sid: dict[str, "Session"] = attrs.field(factory=dict)


@attrs.define(eq=False, repr=False, weakref_slot=False)
class Session:
    """One session. Slots: thousands of them wait, and every message passes through one.

    It begins when it is made; its transport and its upper are put in next.
    """

    _host: SessionHost
    sid: str
    address: str
    transport: Transport = attrs.field(init=False)
    upper: Upper = attrs.field(init=False)
    user_id: str | None = attrs.field(default=None, init=False)
    pending: list[Outgoing] = attrs.field(factory=list, init=False)
    owed: int = attrs.field(default=OWED_NOTHING, init=False)  # as the flusher has it
    awaiting: int = attrs.field(default=0, init=False)
    """Its input waits for work of its own: silence is not its fault."""
    posts_handled: trio.Event | None = attrs.field(default=None, init=False)
    """Not None while packets of POSTs wait; the event is set once all of them were handled."""
    is_over: bool = attrs.field(default=False, init=False)
    reason: DisconnectReason | None = attrs.field(default=None, init=False)  # why it is over
    deadline_entry: TimerEntry | None = attrs.field(default=None, init=False)
    _idle_packets: int = attrs.field(default=0, init=False)  # while there is no throttle
    _throttle: Throttle | None = attrs.field(default=None, init=False)
    _opened_s: float = attrs.field(factory=trio.current_time, init=False)
    _is_to_join: bool = attrs.field(default=True, init=False)  # it may not have joined yet
    _heartbeat: Heartbeat = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        host, now_s = self._host, self._opened_s
        self._heartbeat = Heartbeat(host.settings.heartbeat, now_s)
        host.by_sid[self.sid] = self
        host.deadlines.schedule(self, min(self._connect_due_s, self._heartbeat.next_deadline_s))

    @property
    def _connect_due_s(self) -> float:
        """When the peer must have joined. Computed anew each time: the moment is nearly always
        past."""
        if not self._is_to_join:
            return math.inf
        return self._opened_s + self.settings.connect_timeout_s

    @property
    def settings(self) -> SessionSettings:
        return self._host.settings

    @property
    def log_id(self) -> str:
        """The session as logs name it."""
        return self.sid[: self.sid.find(".") + 1 + LOG_ID_CHARS]

    @property
    def payload_bytes(self) -> int:
        """How large a message of a WebSocket, or the body of a POST, may be just now."""
        settings = self.settings
        if self.user_id is not None:
            return settings.max_payload_bytes
        return min(settings.max_payload_bytes, settings.stranger_payload_bytes)

    def identify(self, user_id: str) -> None:
        """The session is this user's from now on."""
        if self.user_id is None:
            self._host.admission.identify_session(self.address, self.sid)
        self.user_id = user_id
        self.transport.identified()

    def vouch_for(self, connection: CountedConnection) -> None:
        """From now on this connection serves the session of a user, and nothing else."""
        self._host.admission.cannot_give_way(connection)

    # What the peer sends

    def receive(self, message: str | bytes) -> Work | None:
        """A message of a WebSocket; returns work to await before the next one."""
        try:
            if type(message) is str:
                if message[:1] != "4":
                    packet = decode_text(message)
                    if packet.type is not PacketType.CLOSE or self.posts_handled is None:
                        return self._receive_packet(packet)
                carried: str | bytes = message[1:]
            else:
                carried = message
            if self.posts_handled is not None:
                return self._receive_behind(self.posts_handled, message)
            return self.upper.receive(carried)
        except Exception as error:
            self.fail(error)
        return None

    def receive_packet(self, packet: Packet) -> Work | None:
        """A packet of a POST, in its turn; returns work to await before the next one."""
        try:
            return self._receive_packet(packet)
        except Exception as error:
            self.fail(error)
        return None

    async def _receive_behind(self, posts: trio.Event, message: str | bytes) -> None:
        """Take what came by WebSocket after what came by POST before it."""
        await posts.wait()
        work = self.receive(message)
        if work is not None:
            await work

    async def perform(self, work: Work) -> None:
        """Await what a packet asked for; the task that owns the input calls this."""
        self.awaiting += 1
        try:
            await work
        except Exception as error:
            self.fail(error, where="event")
        finally:
            self.awaiting -= 1

    def _receive_packet(self, packet: Packet) -> Work | None:
        """By the table of Engine.IO 4: a message goes up, a pong re-arms the heartbeat, a close
        ends the session; only servers ping; the other types mean nothing after the opening."""
        match packet.type:
            case PacketType.MESSAGE:
                return self.upper.receive(packet.data)
            case PacketType.PONG:
                heartbeat = self._heartbeat
                is_due = heartbeat.awaiting_pong
                heartbeat.on_pong(trio.current_time())
                entry = self.deadline_entry
                if entry is not None and heartbeat.next_deadline_s < entry.due_s:
                    # The timeout is longer than the interval: the next ping is due before it.
                    self._host.deadlines.schedule(self, heartbeat.next_deadline_s)
                if is_due:
                    return None
            case PacketType.CLOSE:
                carrier = self._conclude(DisconnectReason.TRANSPORT_CLOSE)
                if carrier is not None:
                    self.pending.clear()
                    carrier.peer_closed()
            case PacketType.PING:
                raise ProtocolError("A client must not send a packet of type PING.")
            case PacketType.OPEN | PacketType.UPGRADE | PacketType.NOOP:
                pass
        return self.idle()

    def idle(self) -> Work | None:
        """Count a packet that leads nowhere; returns a wait if there were too many of them."""
        wait_s = self.spend_idle()
        return None if wait_s <= 0.0 else trio.sleep(wait_s)  # noqa: ASYNC105 - the reader awaits

    def spend_idle(self) -> float:
        """As `idle`, for a caller that waits these seconds itself. Far too many end the session."""
        if self._throttle is None:
            if self._idle_packets < IDLE_FIRST:
                self._idle_packets += 1
                return 0.0
            self._throttle = Throttle(self.settings.idle_waits_max, spent=IDLE_FIRST)
        wait_s = self._throttle.spend()
        if self._throttle.is_exhausted:
            if not self.is_over:
                self._host.event_log.record(LimitHit(IDLE_LIMIT, self.user_id, self.address))
                self.end(DisconnectReason.PACKET_FLOOD)
            return 0.0
        return wait_s

    # What the peer is sent

    def send(self, outgoing: Outgoing) -> None:
        """Owe this to the peer; it goes out with all else of this turn."""
        if self.is_over:
            return
        self.pending.append(outgoing)
        if self.owed != OWED_REPLY:
            self._host.flusher.touch(self)

    def send_catch_up(self, outgoing: Outgoing) -> None:
        """Owe this to a peer that asked for it, on top of what live traffic may owe.

        Only to a peer that is not behind: a caller that has several of these awaits `drained`.
        """
        if self.is_over:
            return
        self.transport.backlog.allow(outgoing.size)
        self.send(outgoing)

    @property
    def is_lagging(self) -> bool:
        """Whether the peer is so far behind that it is better off without what may be dropped."""
        return self.transport.backlog.is_lagging

    async def drained(self) -> None:
        """Return when the peer has taken all that it was sent, or is gone."""
        self.flush()
        await self.transport.backlog.drained()

    def flush(self) -> None:
        """Let the transport take what is pending."""
        if self.pending and not self.is_over:
            self.transport.flush()

    def carry_on(self, transport: Transport) -> None:
        """Another transport carries the session from now on; what is pending goes there first."""
        self.transport = transport
        if self.user_id is not None:  # perhaps identified only since it began to probe
            transport.identified()
        self.flush()

    # Its deadlines, and its end

    def on_deadline(self, now_s: float) -> float:
        """Ping, time out, or end a session that never joined."""
        if self.is_over:
            return math.inf
        try:
            self.upper.on_heartbeat(now_s)
            return self._on_deadline(now_s)
        except Exception as error:
            self.fail(error)
            return math.inf

    def _on_deadline(self, now_s: float) -> float:
        heartbeat = self._heartbeat
        if self._connect_due_s <= now_s:
            self._is_to_join = False
            if not self.upper.is_joined:
                self.end(DisconnectReason.CONNECT_TIMEOUT)
                return math.inf
        if self.awaiting and not (
            self.transport.name == POLLING and self.transport.backlog.owed_bytes
        ):
            heartbeat.on_pong(now_s)  # its answers wait unread; a poll that never comes is its own
        match heartbeat.on_deadline(now_s):
            case HeartbeatAction.SEND_PING:
                self.send(PING)
            case HeartbeatAction.TIMED_OUT:
                self.end(DisconnectReason.PING_TIMEOUT)
                return math.inf
            case HeartbeatAction.NOTHING:
                pass
        return min(self._connect_due_s, heartbeat.next_deadline_s)

    def end(self, reason: DisconnectReason, *, polite: bool = True) -> None:
        """End the session from this side; `polite` delivers what is pending first."""
        carrier = self._conclude(reason)
        if carrier is not None:
            carrier.close(polite=polite)
            self.pending.clear()

    def lost(self, reason: DisconnectReason) -> None:
        """The transport has ended; so has the session."""
        if self._conclude(reason) is not None:
            self.pending.clear()

    def fail(self, error: Exception, *, where: str = "session.receive") -> None:
        """End this session, and no other: the peer broke a protocol, or this side is at fault;
        `where` tells the log at which point."""
        if isinstance(error, ProtocolError | SocketIOError):
            layer = "engineio" if isinstance(error, ProtocolError) else "socketio"
            self.report_violation(layer, error)
            self.end(DisconnectReason.PARSE_ERROR)
        else:
            self._host.event_log.record(InternalError.of(where, error))
            self.end(DisconnectReason.INTERNAL_ERROR)

    def report_violation(self, layer: str, error: Exception) -> None:
        """Log that the peer broke a protocol."""
        self._host.event_log.record(ProtocolViolated(self.log_id, layer, str(error)))

    def _conclude(self, reason: DisconnectReason) -> Transport | None:
        """The session is over from here on; returns what has carried it, None if it was over
        before."""
        if self.is_over:
            return None
        host, carrier = self._host, self.transport
        try:
            self.upper.on_close(reason)
        except Exception as error:
            host.event_log.record(InternalError.of("session.close", error))
        self.is_over = True
        self.reason = reason
        host.admission.close_session(self.address, self.sid)
        del host.by_sid[self.sid]
        host.deadlines.schedule(self, math.inf)
        host.event_log.record(
            SessionClosed(
                session_id=self.log_id,
                transport=carrier.name,
                reason=reason.value,
                user_id=self.user_id,
                duration_ms=round((trio.current_time() - self._opened_s) * 1000),
            )
        )
        self.transport = self.upper = _ENDED
        return carrier
