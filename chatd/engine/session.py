"""An Engine.IO session: identity, heartbeat, the queue of what is owed, its end.

A session lives longer than its transport: polling and WebSocket end in the same object, and an
upgrade is a second transport that attaches. What it carries is an `Upper`: Socket.IO, or a bare
Engine.IO application. Everything here is synchronous; tasks belong to the transports.

Sending never waits. `send` puts an `Outgoing` into `pending`, and the `Flusher` hands it to the
transport at the end of the turn: everything that one turn owes to a socket goes out in one write.
"""

import math
from typing import Protocol

import attrs
import trio

from chatd import engineio, socketio
from chatd.engine.flusher import Flusher
from chatd.engine.outgoing import Outgoing
from chatd.engine.throttle import Throttle
from chatd.engine.transport import Transport, Work
from chatd.engineio import (
    POLLING,
    Heartbeat,
    HeartbeatAction,
    HeartbeatSettings,
    Packet,
    Query,
    Reaction,
    decode_text,
    reaction_to,
)
from chatd.net.deadlines import Deadlines, Entry
from chatd.net.disconnects import DisconnectReason
from chatd.observe import EventLog, InternalError, ProtocolViolated, SessionClosed

PING = Outgoing(b"2")
PARTING_MAX = 1_000  # ended sessions whose last words are kept; beyond it the oldest are dropped
PARTING_BYTES_MAX = 16_777_216  # of last words, together; likewise
LAGGING_SHARE = 4  # who owes the fourth part of its backlog's bound is told the least
LOG_ID_CHARS = 8  # of a sid, which is a credential: a log shows as much as tells sessions apart


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
        """Whether the peer has become somebody; it must within the connect timeout."""
        ...

    def receive(self, message: str | bytes) -> Work | None:
        """Take one message; returns work that has to be awaited before the next one."""
        ...

    def on_heartbeat(self, now_s: float) -> None:
        """Called at least as often as the heartbeat is due, whatever the peer does; raises
        ProtocolError where the peer has left something undone for too long."""
        ...

    def on_close(self, reason: DisconnectReason) -> None:
        """The session is over."""
        ...


@attrs.frozen
class SessionSettings:
    """What all sessions of a server have in common. Times in seconds, sizes in bytes."""

    heartbeat: HeartbeatSettings
    max_payload_bytes: int
    connect_timeout_s: float
    upgrade_timeout_s: float
    backlog_bytes: int


class SessionCounts(Protocol):
    """Who counts the sessions of an address."""

    def identify_session(self, address: str, sid: str) -> None:
        """A session has shown whose it is."""
        ...

    def close_session(self, address: str, sid: str) -> None:
        """A session ended."""
        ...


@attrs.frozen
class Parting:
    """What an ended session still has to say by polling, and until when."""

    until_s: float
    payloads: list[bytes]


@attrs.frozen(eq=False)
class Sessions:
    """The sessions of a server by sid, and what they share."""

    settings: SessionSettings
    deadlines: Deadlines
    flusher: Flusher
    event_log: EventLog
    counts: SessionCounts
    by_sid: dict[str, "Session"] = attrs.field(factory=dict)
    _parting: dict[str, Parting] = attrs.field(factory=dict)

    def part(self, sid: str, payloads: list[bytes], for_s: float) -> None:
        """Keep the last words of a session that has ended for GETs that come late."""
        now_s = trio.current_time()
        for old, kept in list(self._parting.items()):
            if kept.until_s > now_s and not self._parting_is_full():
                break  # the rest is younger, or asked for longer: it goes when there is no room
            del self._parting[old]
        self._parting[sid] = Parting(now_s + for_s, payloads)

    def _parting_is_full(self) -> bool:
        held = sum(len(payload) for kept in self._parting.values() for payload in kept.payloads)
        return len(self._parting) >= PARTING_MAX or held > PARTING_BYTES_MAX

    def forget_last_words(self, sid: str) -> None:
        """What an ended session left is not to be said any more."""
        self._parting.pop(sid, None)

    def last_words(self, sid: str) -> bytes | None:
        """The next payload that an ended session left for a GET; each is given once."""
        kept = self._parting.get(sid)
        if kept is None:
            return None
        payload = kept.payloads.pop(0) if trio.current_time() < kept.until_s else None
        if payload is None or not kept.payloads:
            del self._parting[sid]
        return payload


class Session:
    """One session. `__slots__`: thousands of them wait, and every message passes through one."""

    __slots__ = (
        "_connect_due_s",
        "_heartbeat",
        "_opened_s",
        "_sessions",
        "_throttle",
        "address",
        "awaiting",
        "deadline_entry",
        "is_over",
        "is_touched",
        "pending",
        "reason",
        "sid",
        "transport",
        "turn",
        "upper",
        "user_id",
    )

    def __init__(self, sessions: Sessions, sid: str, address: str) -> None:
        """A session that was just opened; its transport and its upper are put in next."""
        now_s = trio.current_time()
        self._sessions = sessions
        self._opened_s = now_s
        self._throttle: Throttle | None = None  # until something leads nowhere
        self._connect_due_s = now_s + sessions.settings.connect_timeout_s
        self._heartbeat = Heartbeat(sessions.settings.heartbeat, now_s)
        self.sid = sid
        self.address = address
        self.user_id: str | None = None
        self.transport: Transport
        self.upper: Upper
        self.pending: list[Outgoing] = []
        self.is_touched = False  # the flusher has it on its list
        self.awaiting = False  # its input waits for work of its own: silence is not its fault
        self.turn: trio.StrictFIFOLock | None = None  # held while a POST's packets have to wait
        self.is_over = False
        self.reason: DisconnectReason | None = None  # why it is over
        self.deadline_entry: Entry | None = None
        sessions.by_sid[sid] = self
        sessions.deadlines.schedule(self, min(self._connect_due_s, self._heartbeat.next_deadline_s))

    def identify(self, user_id: str) -> None:
        """The session is this user's from now on."""
        if self.user_id is None:
            self._sessions.counts.identify_session(self.address, self.sid)
        self.user_id = user_id

    @property
    def max_payload_bytes(self) -> int:
        """Bytes of one packet of the peer, its attachments together included."""
        return self._sessions.settings.max_payload_bytes

    @property
    def log_id(self) -> str:
        """The session as logs name it: enough of the sid, which is a credential, to tell it."""
        return self.sid[:LOG_ID_CHARS]

    def receive_text(self, text: str) -> Work | None:
        """A text packet from a WebSocket; returns work to await before the next packet."""
        try:
            if text[:1] == "4":
                if self.turn is not None and self.turn.locked():
                    return self._receive_in_turn(self.turn, text)
                return self.upper.receive(text[1:])
            return self._receive_packet(decode_text(text))
        except (engineio.ProtocolError, socketio.ProtocolError) as error:
            self.breach(error)
        except Exception as error:
            self.crash(error)
        return None

    def receive_decoded(self, packet: Packet) -> Work | None:
        """A packet of a POST, in its turn; returns work to await before the next packet."""
        try:
            return self._receive_packet(packet)
        except (engineio.ProtocolError, socketio.ProtocolError) as error:
            self.breach(error)
        except Exception as error:
            self.crash(error)
        return None

    def receive_binary(self, data: bytes) -> Work | None:
        """A binary message from a WebSocket; returns work to await before the next packet."""
        try:
            if self.turn is not None and self.turn.locked():
                return self._receive_in_turn(self.turn, data)
            return self.upper.receive(data)
        except (engineio.ProtocolError, socketio.ProtocolError) as error:
            self.breach(error)
        except Exception as error:
            self.crash(error)
        return None

    async def _receive_in_turn(self, turn: trio.StrictFIFOLock, message: str | bytes) -> None:
        """What came by WebSocket follows on what came by POST before it."""
        async with turn:
            pass
        work = (
            self.receive_text(message) if isinstance(message, str) else self.receive_binary(message)
        )
        if work is not None:
            await work

    def _receive_packet(self, packet: Packet) -> Work | None:
        match reaction_to(packet.type):
            case Reaction.DELIVER:
                return self.upper.receive(packet.data)
            case Reaction.RE_ARM:
                heartbeat = self._heartbeat
                is_due = heartbeat.awaiting_pong
                heartbeat.on_pong(trio.current_time())
                entry = self.deadline_entry
                if entry is not None and heartbeat.next_deadline_s < entry.due_s:
                    # The timeout is longer than the interval: the next ping is due before it.
                    self._sessions.deadlines.schedule(self, heartbeat.next_deadline_s)
                if is_due:
                    return None
            case Reaction.END:
                if self._conclude(DisconnectReason.TRANSPORT_CLOSE):
                    self.pending.clear()
                    self.transport.peer_closed()
            case Reaction.BREACH:
                raise engineio.ProtocolError(
                    f"A client must not send a packet of type {packet.type.name}."
                )
            case Reaction.IGNORE:
                pass
        return self.idle()

    def idle(self) -> Work | None:
        """Count a packet that leads nowhere; returns a wait where there were too many of them."""
        wait_s = self.spend_idle()
        return _pause(wait_s) if wait_s > 0.0 else None

    def spend_idle(self) -> float:
        """As `idle`, for a caller that waits these seconds itself. Far too many end the session."""
        if self._throttle is None:
            self._throttle = Throttle()
        wait_s = self._throttle.spend()
        if self._throttle.is_at_its_end:
            self.end(DisconnectReason.OVERLOADED)
            return 0.0
        return wait_s

    def send(self, outgoing: Outgoing) -> None:
        """Owe this to the peer; it goes out with all else of this turn."""
        if self.is_over:
            return
        self.pending.append(outgoing)
        if not self.is_touched:
            self._sessions.flusher.touch(self)

    def send_catch_up(self, outgoing: Outgoing) -> None:
        """Owe this to a peer that asked for it, on top of what live traffic may owe.

        Only to a peer that is not behind: a caller that has several of these awaits `drained`.
        """
        self.allow(outgoing.size)
        self.send(outgoing)

    def allow(self, size: int) -> None:
        """So many bytes, which the peer asked for, do not count as its backlog."""
        self.transport.allow(size)

    @property
    def is_lagging(self) -> bool:
        """Whether the peer is so far behind that it is better off without what may be dropped."""
        return self.transport.is_lagging

    async def drained(self) -> None:
        """Return when the peer has taken all that it was sent, or is gone."""
        await self.transport.caught_up()

    def flush(self) -> None:
        """Hand what is pending to the transport."""
        if self.pending and not self.is_over:
            self.transport.flush()

    def on_deadline(self, now_s: float) -> float:
        """Ping, time out, or end a session that never became anybody."""
        if self.is_over:
            return math.inf
        try:
            self.upper.on_heartbeat(now_s)
            return self._on_deadline(now_s)
        except socketio.ProtocolError as error:
            self.breach(error)
            return math.inf
        except Exception as error:
            self.crash(error)
            return math.inf

    def _on_deadline(self, now_s: float) -> float:
        heartbeat = self._heartbeat
        if self._connect_due_s <= now_s:
            self._connect_due_s = math.inf
            if not self.upper.is_joined:
                self.end(DisconnectReason.CONNECT_TIMEOUT)
                return math.inf
        if self.awaiting and not (self.transport.name == POLLING and self.transport.is_behind):
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
        if self._conclude(reason):
            self.transport.close(polite=polite)
            self.pending.clear()

    def lost(self, reason: DisconnectReason) -> None:
        """The transport has ended; so has the session."""
        if self._conclude(reason):
            self.pending.clear()

    def carry_on(self, transport: Transport) -> None:
        """Another transport carries the session from now on; what is pending goes there first."""
        self.transport = transport
        self.flush()

    def _conclude(self, reason: DisconnectReason) -> bool:
        if self.is_over:
            return False
        sessions = self._sessions
        try:
            self.upper.on_close(reason)
        except Exception as error:
            sessions.event_log.record(InternalError.of("session.close", error))
        self.is_over = True
        self.reason = reason
        sessions.counts.close_session(self.address, self.sid)
        del sessions.by_sid[self.sid]
        sessions.deadlines.schedule(self, math.inf)
        sessions.event_log.record(
            SessionClosed(
                session_id=self.log_id,
                transport=self.transport.name,
                reason=reason.value,
                user_id=self.user_id,
                duration_ms=round((trio.current_time() - self._opened_s) * 1000),
            )
        )
        return True

    def breach(self, error: engineio.ProtocolError | socketio.ProtocolError) -> None:
        """The peer broke a protocol: this session ends, and no other."""
        layer = "engineio" if isinstance(error, engineio.ProtocolError) else "socketio"
        self._violated(layer, str(error))

    def breach_of(self, rule: str) -> None:
        """The peer broke a rule of Engine.IO outside of its packets."""
        self._violated("engineio", rule)

    def _violated(self, layer: str, what: str) -> None:
        self._sessions.event_log.record(ProtocolViolated(self.log_id, layer, what))
        self.end(DisconnectReason.PARSE_ERROR)

    def crash(self, error: Exception) -> None:
        """Something went wrong on this side: report it, and end this session alone."""
        self._sessions.event_log.record(InternalError.of("session.receive", error))
        self.end(DisconnectReason.INTERNAL_ERROR)


async def _pause(wait_s: float) -> None:
    await trio.sleep(wait_s)
