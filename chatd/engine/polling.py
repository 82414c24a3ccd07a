"""The polling transport: a session whose packets travel in the bodies of HTTP requests.

A GET takes what is pending, or waits for it; a POST brings packets. Here is what a session makes of
them, whichever connection they came on. How a WebSocket takes over is a table in
`engineio.upgrade`; this module carries out its actions. Source: Engine.IO 4, "HTTP long-polling".

A POST is answered before its packets have what they wait for: a client that upgrades waits for that
answer before it switches, and takes nothing until it has, so that work which waits for the client
would wait for ever. A separate task goes on with the packets, since what they wait for may come on
the same connection. The packets of later POSTs, and of the WebSocket, wait their turn; a POST that
is too large to wait here is not read before its turn, so that the peer keeps it.
"""

import contextlib
import math
from collections.abc import Iterator
from functools import partial

import attrs
import trio

from chatd.engine.exchange import Exchange
from chatd.engine.outgoing import Outgoing
from chatd.engine.session import Session
from chatd.engine.sessions import Sessions
from chatd.engine.throttle import PACKETS_PER_TURN
from chatd.engine.transport import Transport, Work
from chatd.engine.websocket import WebSocketTransport
from chatd.engineio.handshake import Refusal
from chatd.engineio.packet import Packet, ProtocolError, decode_text
from chatd.engineio.payload import MAX_PACKETS_PER_RESPONSE, decode_payload, encode_payload
from chatd.engineio.upgrade import Upgrade, UpgradeAction, UpgradeInput, classify
from chatd.net.backlog import Backlog
from chatd.net.deadlines import TimerEntry
from chatd.net.disconnects import DisconnectReason
from chatd.net.http.reader import RequestHead

NOOP = b"6"
CLOSE = b"1"
PROBE_ANSWER = Outgoing(b"3probe")

# How sessions end whose peer is gone, or broke the protocol: its next GET gets "Session ID
# unknown".
LEAVES_NO_WORDS = frozenset({DisconnectReason.PING_TIMEOUT, DisconnectReason.PARSE_ERROR})
PEER_CLOSE_S = 2.0  # how long a GET that crossed the client's own close is answered with a noop
NOOPS_WHILE_CLOSING = 16  # GETs that are answered while a closed session waits for its upgrade
WAITING_POSTS_MAX = 16  # POSTs that were answered and wait their turn; beyond: read in their turn
WAITING_BYTES_MAX = 65_536  # of such POSTs together, as many long messages; beyond: likewise


@attrs.define(eq=False, repr=False, weakref_slot=False)
class PollingTransport:
    """What carries a polling session. Slots: one for each of them."""

    name = "polling"

    _sessions: Sessions
    _session: Session
    _upgrade: Upgrade = attrs.field(factory=Upgrade, init=False)
    _poll: Exchange | None = attrs.field(default=None, init=False)
    _post: Exchange | None = attrs.field(default=None, init=False)
    _probe: WebSocketTransport | None = attrs.field(default=None, init=False)
    _last_words: list[Outgoing] = attrs.field(factory=list, init=False)
    _counted: int = attrs.field(default=0, init=False)  # of what is pending: in the backlog
    _waiting: list[bytes] = attrs.field(factory=list, init=False)  # bodies that wait their turn
    _waiting_bytes: int = attrs.field(default=0, init=False)
    backlog: Backlog = attrs.field(init=False)
    deadline_entry: TimerEntry | None = attrs.field(default=None, init=False)  # of the probe

    def __attrs_post_init__(self) -> None:
        self.backlog = Backlog(self._sessions.settings.backlog_bytes)

    # Requests

    def get(self, exchange: Exchange) -> None:
        """A GET: answered now, or when there is something to send."""
        session = self._session
        session.on_deadline(trio.current_time())  # timeouts hold however late the timers are
        if session.is_over:
            last_words = self._sessions.last_words(session.sid)
            if last_words is None:
                exchange.refused(Refusal.UNKNOWN_SID)
            else:
                exchange.payload(last_words)
            return
        if self._poll is not None:
            self._answer(CLOSE, is_last=True)
            exchange.failed()
            self._fail()
            return
        self._poll = exchange
        self._act(UpgradeInput.POLL_ARRIVED)
        session.flush()

    def begin_post(self, exchange: Exchange) -> bool:
        """A POST begins; False, and the session is over, if another has not ended."""
        if self._post is not None:
            exchange.failed()
            self._post.cut()
            self._fail()
            return False
        self._post = exchange
        return True

    def end_post(self, exchange: Exchange) -> None:
        """The POST has ended; another may begin."""
        if self._post is exchange:
            self._post = None

    async def until_it_may_come(self, head: RequestHead) -> None:
        """Return when the body of the POST that has begun may be read: now, unless packets before
        it wait and it is too much to wait behind them."""
        handled = self._session.posts_handled
        has_room = (
            not head.is_chunked
            and len(self._waiting) < WAITING_POSTS_MAX
            and self._waiting_bytes + head.declared_length <= WAITING_BYTES_MAX
        )
        if handled is not None and not has_room:
            await handled.wait()

    async def receive(self, exchange: Exchange, body: bytes) -> None:
        """The body of a POST: its packets in order, each after what the one before waited for."""
        session = self._session
        if session.is_over:  # while the body was under way
            self._refuse_post(exchange)
            return
        if session.posts_handled is not None:
            self._waiting.append(body)
            self._waiting_bytes += len(body)
            self._accept_post(exchange)
            return
        packets = enumerate(decode_payload(body), 1)
        work = None
        try:
            work = await self._take(packets)
        finally:
            if work is None:
                self._end_turn()
        if work is None:
            self._answer_post(exchange)
        else:
            self._accept_post(exchange)
            exchange.go_on_apart(partial(self._go_on, work, packets))

    async def _go_on(self, work: Work | None, packets: Iterator[tuple[int, Packet]]) -> None:
        """Await this work, then handle these packets and those of the POSTs that wait."""
        session = self._session
        try:
            while True:
                while work is not None:
                    await session.perform(work)
                    work = None if session.is_over else await self._take(packets)
                if session.is_over or not self._waiting:
                    break
                body = self._waiting.pop(0)
                self._waiting_bytes -= len(body)
                packets = enumerate(decode_payload(body), 1)
                work = await self._take(packets)
        finally:
            self._waiting.clear()
            self._waiting_bytes = 0
            self._end_turn()

    async def _take(self, packets: Iterator[tuple[int, Packet]]) -> Work | None:
        """Handle packets until one has to wait; returns what it waits for, which is awaited next.
        What comes after these packets has no turn until all of them have been handled."""
        session = self._session
        try:
            for count, packet in packets:
                work = session.receive_packet(packet)
                if session.posts_handled is None and (
                    work is not None or count % PACKETS_PER_TURN == 0
                ):
                    session.posts_handled = trio.Event()
                if work is not None:
                    return work
                if session.is_over:
                    break
                if count % PACKETS_PER_TURN == 0:
                    await trio.lowlevel.checkpoint()
        except ProtocolError as error:
            session.fail(error)
        return None

    def _end_turn(self) -> None:
        """What came after these packets may be handled."""
        handled, self._session.posts_handled = self._session.posts_handled, None
        if handled is not None:
            handled.set()

    def _accept_post(self, exchange: Exchange) -> None:
        """Another POST may begin, whether or not this one's packets wait."""
        exchange.accepted()
        self.end_post(exchange)

    def _answer_post(self, exchange: Exchange) -> None:
        """Tell the peer whether it kept to the protocol, once all packets were handled."""
        if self._session.reason is DisconnectReason.PARSE_ERROR:
            exchange.refused(Refusal.BAD_REQUEST)
            self.end_post(exchange)
        else:
            self._accept_post(exchange)

    def _refuse_post(self, exchange: Exchange) -> None:
        exchange.refused(Refusal.UNKNOWN_SID)
        self.end_post(exchange)

    def lost(self, exchange: Exchange) -> None:
        """The connection of a request that was not answered is gone: so is the session."""
        if exchange is self._poll or exchange is self._post:
            if exchange is self._poll:
                self._poll = None
            self._fail()

    def _fail(self) -> None:
        if self._session.transport is self:  # else a WebSocket carries it, and is unharmed
            self._session.lost(DisconnectReason.TRANSPORT_ERROR)
        self._client_gone()
        self._answer(CLOSE, is_last=True)  # a poll that waits elsewhere would wait for ever

    # What the session asks for

    def flush(self) -> None:
        """Answer the poll that waits, or count what is owed to the next one."""
        pending = self._session.pending
        while self._counted < len(pending):
            self.backlog.owed_bytes += pending[self._counted].size
            self._counted += 1
        if self._poll is not None and not self._upgrade.holds_queue:
            batch = self._take_batch(pending)
            self._counted -= len(batch)
            self.backlog.owed_bytes -= sum(outgoing.size for outgoing in batch)
            if not pending:
                self.backlog.settle()
            self._answer(_payload(batch))
        elif self.backlog.is_exceeded:
            self._session.end(DisconnectReason.SLOW_CONSUMER, polite=False)

    def _take_batch(self, packets: list[Outgoing]) -> list[Outgoing]:
        """As much as one response may hold: a few packets, and no more bytes than `maxPayload`."""
        most_bytes = self._sessions.settings.max_payload_bytes
        count, taken, size = 0, 0, -1  # there is one separator less than there are packets
        for outgoing in packets:
            pieces = outgoing.pieces
            count += len(pieces)
            size += sum(map(len, pieces)) + len(pieces)
            if taken and (count > MAX_PACKETS_PER_RESPONSE or size > most_bytes):
                break
            taken += 1
        batch = packets[:taken]
        del packets[:taken]
        return batch

    def close(self, *, polite: bool) -> None:
        """The session ends from this side."""
        self._last_words = list(self._session.pending) if polite else []
        self._act(UpgradeInput.SERVER_CLOSED)
        if self._upgrade.holds_queue:
            # The client is about to switch: it gets the end there, and its polls are released.
            self._keep([NOOP] * NOOPS_WHILE_CLOSING, self._sessions.settings.upgrade_timeout_s)
        self.backlog.settle()

    def identified(self) -> None:
        pass  # each body is judged when it comes

    def peer_closed(self) -> None:
        """The client said that it ends: a poll that waits, or is on its way, gets a noop."""
        if self._poll is not None:
            self._answer(NOOP, is_last=True)
        else:
            self._keep([NOOP], PEER_CLOSE_S)
        self._client_gone()

    def _client_gone(self) -> None:
        self._act(UpgradeInput.CLIENT_CLOSED)
        self.backlog.settle()

    def _keep(self, payloads: list[bytes], for_s: float) -> None:
        self._sessions.keep_last_words(self._session.sid, payloads, for_s)

    # The upgrade

    def attach(self, probe: WebSocketTransport, time_limit_s: float) -> bool:
        """A WebSocket wants to take over; False where there is one already: close the new one."""
        if UpgradeAction.REFUSE_SECOND in self._upgrade.receive(UpgradeInput.WEBSOCKET_ATTACHED):
            return False
        self._probe = probe
        self._sessions.deadlines.schedule(self, trio.current_time() + time_limit_s)
        return True

    def on_probe_message(self, probe: Transport, message: str | bytes) -> None:
        """A message on the WebSocket that is being probed."""
        if probe is not self._probe:
            return
        happened = UpgradeInput.OTHER_RECEIVED
        if isinstance(message, str):
            with contextlib.suppress(ProtocolError):
                happened = classify(decode_text(message))
        self._act(happened)

    def on_probe_lost(self, probe: Transport) -> None:
        """The WebSocket that was being probed is gone; or one that was let go before it."""
        if probe is self._probe:
            self._forget_probe()
            self._act(UpgradeInput.WEBSOCKET_LOST)
            self._session.flush()

    def on_deadline(self, now_s: float) -> float:
        """The probe took too long."""
        self._act(UpgradeInput.TIME_LIMIT_REACHED)
        return math.inf

    def _act(self, happened: UpgradeInput) -> None:
        for action in self._upgrade.receive(happened):
            match action:
                case UpgradeAction.SEND_PONG_PROBE:
                    if self._probe is not None:
                        self._probe.write(PROBE_ANSWER.frame)
                case UpgradeAction.RELEASE_POLL_WITH_NOOP:
                    self._answer(NOOP)
                case UpgradeAction.CLOSE_PROBE:
                    probe = self._forget_probe()
                    if probe is not None:
                        probe.say_close()
                        self._session.flush()  # what was held back while probing may go
                case UpgradeAction.SWITCH:
                    self._switch()
                case UpgradeAction.SWITCH_THEN_CLOSE:
                    probe = self._forget_probe()
                    if probe is not None:
                        self._sessions.forget_last_words(self._session.sid)
                        probe.say_close(self._last_words)
                case UpgradeAction.CLOSE_POLLING:
                    self._close_polling()
                case UpgradeAction.REFUSE_SECOND:
                    pass  # said by the result of `attach`

    def _switch(self) -> None:
        """The WebSocket carries the session: first what is pending, in order."""
        probe = self._forget_probe()
        if probe is not None:
            probe.probed = None
            probe.backlog.allow(self.backlog.allowed_bytes)  # what the peer asked for goes along
            self._session.carry_on(probe)
            self.backlog.settle()

    def _forget_probe(self) -> WebSocketTransport | None:
        """Forget the WebSocket that was being probed, and return it."""
        probe, self._probe = self._probe, None
        self._sessions.deadlines.schedule(self, math.inf)
        return probe

    def _close_polling(self) -> None:
        """The last words: on the poll that waits, else on the next ones."""
        payloads = []
        while self._last_words:
            payloads.append(_payload(self._take_batch(self._last_words)))
        payloads.append(CLOSE)
        if self._poll is not None:
            self._answer(payloads.pop(0), is_last=True)
        if payloads and self._session.reason not in LEAVES_NO_WORDS:
            self._keep(payloads, self._sessions.settings.last_words_s)

    def _answer(self, body: bytes, *, is_last: bool = False) -> None:
        poll, self._poll = self._poll, None
        if poll is not None:
            poll.payload(body, is_last=is_last)


def _payload(packets: list[Outgoing]) -> bytes:
    return encode_payload([piece for outgoing in packets for piece in outgoing.pieces])
