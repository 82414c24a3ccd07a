"""The polling transport: a session whose packets travel in the bodies of HTTP requests.

A GET takes what is pending, or waits for it; a POST brings packets. Here is what a session makes of
them, whichever connection they came on: an `Exchange` is one request that gets one response. How a
WebSocket takes over is a table in `engineio.upgrade`; this module carries out its actions. Source:
Engine.IO 4, "HTTP long-polling"; WIRE d2, d4.

A POST is answered before what its packets have to wait for has come: a client that upgrades waits
for that answer before it switches, and takes nothing until it has, so that work which waits for the
client would wait for ever. The packets of later POSTs, and of the WebSocket, wait their turn.
"""

import contextlib
import math
from collections.abc import Sequence
from typing import Protocol

import trio

from chatd import engineio
from chatd.engine.outgoing import Outgoing
from chatd.engine.session import LAGGING_SHARE, Session, Sessions
from chatd.engine.throttle import PACKETS_PER_TURN
from chatd.engine.transport import Probed, Transport, Work
from chatd.engineio import (
    MAX_PACKETS_PER_RESPONSE,
    Refusal,
    Upgrade,
    UpgradeAction,
    UpgradeInput,
    classify,
    decode_payload,
    decode_text,
    encode_payload,
)
from chatd.net.deadlines import Entry
from chatd.net.disconnects import DisconnectReason

NOOP = b"6"
CLOSE = b"1"
PROBE_ANSWER = Outgoing(b"3probe")

# Ends of peers that are gone, or that broke the protocol: their next GET finds nobody (WIRE d5).
LEAVES_NO_WORDS = frozenset({DisconnectReason.PING_TIMEOUT, DisconnectReason.PARSE_ERROR})
PART_S = 30.0  # how long an ended session's last words wait for a GET (WIRE d2)
PEER_CLOSE_S = 2.0  # how long a GET that crossed the client's own close is answered with a noop
NOOPS_WHILE_CLOSING = 16  # GETs that are answered while a closed session waits for its upgrade
WAITING_POSTS_MAX = 16  # POSTs that were answered and wait their turn, each with its connection
WAITING_BYTES_MAX = (
    1_048_576  # of POSTs that were answered and wait their turn; then they wait first
)


class Exchange(Protocol):
    """One request that gets one response."""

    def payload(self, body: bytes) -> None:
        """200, with packets."""
        ...

    def taken(self, *, is_last: bool = False) -> None:
        """200, `ok`: the packets of a POST were taken. `is_last`: the connection takes no more, as
        its task goes on with them."""
        ...

    def refused(self, refusal: Refusal) -> None:
        """An error of the reference server, as JSON."""
        ...

    def failed(self) -> None:
        """400 without a body."""
        ...

    def cut(self) -> None:
        """End the connection without an answer."""
        ...


class Probe(Transport, Protocol):
    """A WebSocket that wants to take over."""

    probed: Probed | None

    def send_now(self, outgoing: Outgoing) -> None:
        """Send something that is nobody's pending."""
        ...

    def say_close(self, last: Sequence[Outgoing] = ()) -> None:
        """What is last, and a close frame."""
        ...


class PollingTransport:
    """What carries a polling session. `__slots__`: one for each of them."""

    __slots__ = (
        "_allowance",
        "_caught_up",
        "_counted",
        "_limit",
        "_owed",
        "_parting",
        "_poll",
        "_post",
        "_probe",
        "_session",
        "_sessions",
        "_upgrade",
        "_waiting_bytes",
    )

    name = "polling"

    def __init__(self, sessions: Sessions, session: Session) -> None:
        self._sessions = sessions
        self._session = session
        self._upgrade = Upgrade()
        self._poll: Exchange | None = None
        self._post: Exchange | None = None
        self._probe: Probe | None = None
        self._limit: ProbeLimit | None = None
        self._parting: list[Outgoing] = []
        self._counted = 0  # of what is pending, so many are in `_owed`
        self._owed = 0
        self._allowance = 0
        self._waiting_bytes = 0
        self._caught_up: trio.Event | None = None

    # Requests

    def get(self, exchange: Exchange) -> None:
        """A GET: answered now, or when there is something to tell."""
        session = self._session
        session.on_deadline(trio.current_time())  # time-outs hold however late the timers are
        if session.is_over:
            last_words = self._sessions.last_words(session.sid)
            if last_words is None:
                exchange.refused(Refusal.UNKNOWN_SID)
            else:
                exchange.payload(last_words)
            return
        if self._poll is not None:
            self._answer(CLOSE)
            exchange.failed()
            self._fail()
            return
        self._poll = exchange
        self._act(self._upgrade.receive(UpgradeInput.POLL_ARRIVED))
        self._resume()

    def begin_post(self, exchange: Exchange) -> bool:
        """A POST begins; False, and all is over, where another has not ended."""
        if self._post is not None:
            exchange.failed()
            self._post.cut()
            self._fail()
            return False
        self._post = exchange
        return True

    @property
    def current_post(self) -> Exchange | None:
        """The POST whose packets are being handled."""
        return self._post

    def end_post(self, exchange: Exchange) -> None:
        """The POST has come to nothing; another may begin."""
        if self._post is exchange:
            self._post = None

    async def take(self, exchange: Exchange, body: bytes) -> None:
        """The body of a POST: its packets in order, each after what the one before waited for."""
        try:
            if self._session.is_over:  # while the body was under way
                exchange.refused(Refusal.UNKNOWN_SID)
                return
            turn = self._session.turn
            if turn is None:
                turn = self._session.turn = trio.StrictFIFOLock()
            if turn.locked():
                await self._wait_for(turn, exchange, len(body))
            else:
                turn.acquire_nowait()
            try:
                is_sound = await self._take(exchange, body)
            finally:
                turn.release()
            if is_sound:
                exchange.taken()
            else:
                exchange.refused(Refusal.BAD_REQUEST)
        finally:
            self.end_post(exchange)

    async def _wait_for(self, turn: trio.StrictFIFOLock, exchange: Exchange, size: int) -> None:
        """Take the turn after the POSTs before; answered at once, unless too much waits already."""
        waiting = turn.statistics().tasks_waiting
        if waiting >= WAITING_POSTS_MAX or self._waiting_bytes + size > WAITING_BYTES_MAX:
            await turn.acquire()
            return
        self._answer_post(exchange)
        self._waiting_bytes += size
        try:
            await turn.acquire()
        finally:
            self._waiting_bytes -= size

    def _answer_post(self, exchange: Exchange) -> None:
        """Another POST may begin, while this one goes on."""
        exchange.taken(is_last=True)
        self.end_post(exchange)

    async def _take(self, exchange: Exchange, body: bytes) -> bool:
        """Handle the packets of a body; whether they all were packets."""
        session = self._session
        try:
            for count, packet in enumerate(decode_payload(body), 1):
                work = session.receive_decoded(packet)
                if work is not None:
                    self._answer_post(exchange)
                    await self._await(work)
                if session.is_over:
                    break
                if count % PACKETS_PER_TURN == 0:
                    await trio.lowlevel.checkpoint()
        except engineio.ProtocolError as error:
            session.breach(error)
            return False
        return session.reason is not DisconnectReason.PARSE_ERROR

    async def _await(self, work: Work) -> None:
        session = self._session
        session.awaiting = True
        try:
            await work
        except Exception as error:
            session.crash(error)
        finally:
            session.awaiting = False

    def lost(self, exchange: Exchange) -> None:
        """The connection of a request that was not answered is gone: so is the session."""
        if exchange is self._poll or exchange is self._post:
            if exchange is self._poll:
                self._poll = None
            self._fail()

    def _fail(self) -> None:
        self._session.lost(DisconnectReason.TRANSPORT_ERROR)
        self._client_gone()
        self._answer(CLOSE)  # a poll that waits elsewhere would wait for ever

    # What the session asks for

    def flush(self) -> None:
        """Answer the poll that waits, or count what is owed to the next one."""
        session = self._session
        if self._poll is None or self._upgrade.holds_queue:
            pending = session.pending
            while self._counted < len(pending):
                self._owed += pending[self._counted].size
                self._counted += 1
            if self._owed > self._sessions.settings.backlog_bytes + self._allowance:
                session.end(DisconnectReason.SLOW_CONSUMER, polite=False)
            return
        self._answer(self._next_batch())

    def _next_batch(self) -> bytes:
        """As much as one response may hold: a few packets, and no more bytes than `maxPayload`."""
        pending = self._session.pending
        most_bytes = self._sessions.settings.max_payload_bytes
        pieces: list[bytes] = []
        taken, size = 0, -1  # there is one separator less than there are packets
        for outgoing in pending:
            unit = outgoing.pieces
            size += sum(map(len, unit)) + len(unit)
            fits = len(pieces) + len(unit) <= MAX_PACKETS_PER_RESPONSE and size <= most_bytes
            if taken and not fits:
                break
            pieces += unit
            taken += 1
        del pending[:taken]
        self._counted = self._owed = 0
        if not pending:
            self._settle()
        return encode_payload(pieces)

    def close(self, *, polite: bool) -> None:
        """The session ends from this side."""
        self._parting = list(self._session.pending) if polite else []
        self._act(self._upgrade.receive(UpgradeInput.SERVER_CLOSED))
        if self._upgrade.holds_queue:
            # The client is about to switch: it is told there, and its polls are released.
            self._sessions.part(
                self._session.sid,
                [NOOP] * NOOPS_WHILE_CLOSING,
                self._sessions.settings.upgrade_timeout_s,
            )
        self._settle()

    def peer_closed(self) -> None:
        """The client said that it ends: a poll that waits, or is on its way, gets a noop."""
        if self._poll is not None:
            self._answer(NOOP)
        else:
            self._sessions.part(self._session.sid, [NOOP], PEER_CLOSE_S)
        self._client_gone()

    def _client_gone(self) -> None:
        self._act(self._upgrade.receive(UpgradeInput.CLIENT_CLOSED))
        self._settle()

    @property
    def is_behind(self) -> bool:
        return self._owed > 0

    @property
    def is_lagging(self) -> bool:
        bound = self._sessions.settings.backlog_bytes
        return self._owed - self._allowance > bound // LAGGING_SHARE

    def allow(self, size: int) -> None:
        self._allowance += size

    async def caught_up(self) -> None:
        if self._session.pending and not self._session.is_over:
            if self._caught_up is None:
                self._caught_up = trio.Event()
            await self._caught_up.wait()

    def _settle(self) -> None:
        self._allowance = 0
        if self._caught_up is not None:
            self._caught_up.set()
            self._caught_up = None

    # The upgrade

    def attach(self, probe: Probe, time_limit_s: float) -> bool:
        """A WebSocket wants to take over; False where there is one already: close the new one."""
        actions = self._upgrade.receive(UpgradeInput.WEBSOCKET_ATTACHED)
        if UpgradeAction.REFUSE_SECOND in actions:
            return False
        self._probe = probe
        self._limit = ProbeLimit(self)
        self._sessions.deadlines.schedule(self._limit, trio.current_time() + time_limit_s)
        return True

    def on_probe_message(self, probe: Transport, message: str | bytes) -> None:
        """A message on the WebSocket that is being probed."""
        if probe is not self._probe:
            return
        happened = UpgradeInput.OTHER_RECEIVED
        if isinstance(message, str):
            with contextlib.suppress(engineio.ProtocolError):
                happened = classify(decode_text(message))
        self._act(self._upgrade.receive(happened))

    def on_probe_lost(self, probe: Transport) -> None:
        """The WebSocket that was being probed is gone; or one that was let go before it."""
        if probe is self._probe:
            self._forget_probe()
            self._act(self._upgrade.receive(UpgradeInput.WEBSOCKET_LOST))
            self._resume()

    def on_probe_limit(self) -> None:
        """The probe took too long."""
        self._act(self._upgrade.receive(UpgradeInput.TIME_LIMIT_REACHED))

    def _act(self, actions: tuple[UpgradeAction, ...]) -> None:
        for action in actions:
            match action:
                case UpgradeAction.SEND_PONG_PROBE:
                    if self._probe is not None:
                        self._probe.send_now(PROBE_ANSWER)
                case UpgradeAction.RELEASE_POLL_WITH_NOOP:
                    if self._poll is not None:
                        self._answer(NOOP)
                case UpgradeAction.REFUSE_POLL:
                    if self._poll is not None:
                        self._poll.refused(Refusal.BAD_REQUEST)
                        self._poll = None
                case UpgradeAction.CLOSE_PROBE:
                    if self._probe is not None:
                        probe = self._probe
                        self._forget_probe()
                        probe.say_close()
                        self._resume()
                case UpgradeAction.SWITCH:
                    self._switch()
                case UpgradeAction.SWITCH_THEN_CLOSE:
                    if self._probe is not None:
                        probe = self._probe
                        self._forget_probe()
                        self._sessions.forget_last_words(self._session.sid)
                        probe.say_close(self._parting)
                case UpgradeAction.CLOSE_POLLING:
                    self._close_polling()
                case UpgradeAction.REFUSE_SECOND | UpgradeAction.CLOSE_WEBSOCKET:
                    pass  # said by the result of `attach`; done by the WebSocket itself

    def _switch(self) -> None:
        """The WebSocket is in charge: first what is pending, in order."""
        probe, session = self._probe, self._session
        if probe is None:
            return
        self._forget_probe()
        probe.probed = None
        session.carry_on(probe)
        self._settle()

    def _forget_probe(self) -> None:
        self._probe = None
        if self._limit is not None:
            self._sessions.deadlines.schedule(self._limit, math.inf)
            self._limit = None

    def _resume(self) -> None:
        """Polling goes on: what was held back while probing may go."""
        if self._session.pending and not self._session.is_over:
            self.flush()

    def _close_polling(self) -> None:
        """The last words: on the poll that waits, else on the next one."""
        self._session.pending[:] = self._parting
        self._parting = []
        payloads = []
        while self._session.pending:
            payloads.append(self._next_batch())
        payloads.append(CLOSE)
        if self._poll is not None:
            self._answer(payloads.pop(0))
        if payloads and self._session.reason not in LEAVES_NO_WORDS:
            self._sessions.part(self._session.sid, payloads, PART_S)

    def _answer(self, body: bytes) -> None:
        poll, self._poll = self._poll, None
        if poll is not None:
            poll.payload(body)


class ProbeLimit:
    """The time that a probe may take."""

    __slots__ = ("_transport", "deadline_entry")

    def __init__(self, transport: PollingTransport) -> None:
        self._transport = transport
        self.deadline_entry: Entry | None = None

    def on_deadline(self, now_s: float) -> float:
        self._transport.on_probe_limit()
        return math.inf
