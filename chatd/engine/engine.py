"""What a request to `/socket.io/` comes to.

Owns the order of a request's life: address, origin, the checks of Engine.IO, admission, the opening
of a session, and for polling the request itself. Knows no socket: the listener brings a
`RequestHead`, and an `Exchange` that takes the answer.
"""

from collections.abc import Callable
from typing import Final

import attrs
import trio

from chatd.engine.admission import Admission, Overload
from chatd.engine.exchange import Exchange
from chatd.engine.polling import PollingTransport
from chatd.engine.session import Handshake, Session, Upper
from chatd.engine.sessions import Sessions
from chatd.engine.transport import Transport
from chatd.engineio.handshake import (
    POLLING,
    WEBSOCKET,
    Query,
    Refusal,
    check_request,
    open_packet,
    parse_query,
)
from chatd.engineio.packet import ProtocolError
from chatd.net.disconnects import DisconnectReason
from chatd.net.http.arrival import Arrival
from chatd.net.http.cors import CorsPolicy, Forbidden
from chatd.net.http.reader import TOO_LARGE, BadRequestError, RequestHead
from chatd.net.proxies import ForbiddenNotices, ProxyNotices
from chatd.observe import EventLog, HandshakeRefused, LimitHit, SessionOpened
from chatd.observe.ids import unguessable_id
from chatd.websocket.handshake import is_subprotocol, is_valid_key, switching_protocols

_CONTENT_TYPE_BINARY: Final = b"application/octet-stream"


@attrs.frozen
class Denial:
    """Why a request goes no further, and the sentence for people."""

    refusal: Refusal
    sentence: str = attrs.field()

    @sentence.default
    def _usual(self) -> str:
        return self.refusal.message


@attrs.define(eq=False, repr=False)
class Engine:
    """The Engine.IO server: sessions, and which requests may open them."""

    sessions: Sessions
    _admission: Admission
    _cors: CorsPolicy
    _make_upper: Callable[[Session, Handshake], Upper]
    _event_log: EventLog
    _node: str = attrs.field(default="", kw_only=True)
    """It stands before each sid, with a dot: by it a proxy sends requests to the node that has the
    session."""
    _forbidden: ForbiddenNotices = attrs.field(kw_only=True)
    _proxies: ProxyNotices = attrs.field(init=False)

    @_forbidden.default
    def _make_forbidden(self) -> ForbiddenNotices:
        return ForbiddenNotices(self._event_log)

    def __attrs_post_init__(self) -> None:
        self._proxies = ProxyNotices(self._event_log)

    def judge(self, head: RequestHead, query: Query, arrival: Arrival) -> Denial | None:
        """Why this request goes no further."""
        return self._judge(head, query, arrival, self._forbids(head, arrival))

    def _forbids(self, head: RequestHead, arrival: Arrival) -> Forbidden | None:
        return self._cors.forbids(head.header(b"origin"), arrival)

    def _judge(
        self, head: RequestHead, query: Query, arrival: Arrival, forbidden: Forbidden | None
    ) -> Denial | None:
        if head.method == "OPTIONS" and forbidden is not None:
            refusal: Refusal | None = Refusal.FORBIDDEN  # as the request that a browser asks about
        else:
            refusal = check_request(
                query,
                head.method,
                is_upgrade=head.is_websocket,
                lookup=self._transport_of,
                is_allowed=forbidden is None and self.is_allowed(head, query),
                origin=head.headers.get(b"origin"),
            )
        if refusal is None and head.is_websocket and not _is_websocket_handshake(head):
            refusal = Refusal.BAD_REQUEST
        if refusal is None:
            return None
        self.log_refusal(arrival.address, refusal)
        if refusal is not Refusal.FORBIDDEN or forbidden is None:
            return Denial(refusal)
        self._forbidden.turned_away(arrival.address, forbidden)
        return Denial(refusal, f"{refusal.message}: {forbidden.sentence}")

    def is_allowed(self, head: RequestHead, query: Query) -> bool:
        """The application's own verdict on a request; an application that has one overrides
        this."""
        return True

    def opening_headers(self, head: RequestHead) -> bytes:
        """Header lines for the response that opens a polling session; none here."""
        return b""

    def cors(self, head: RequestHead, arrival: Arrival) -> bytes:
        """The header lines that let a page of an allowed origin read the answer."""
        return self._cors.header_lines(head.header(b"origin"), arrival)

    def arrival(self, head: RequestHead, peer: str) -> Arrival:
        """How a request came, through trusted proxies or not."""
        arrival = self._cors.arrival(head.headers, peer)
        if arrival.is_forwarded and not arrival.is_trusted:
            self._proxies.heard_from(arrival.address)
        elif arrival.is_unread:
            self._proxies.unread(peer)
        return arrival

    def log_refusal(self, address: str, refusal: Refusal | Overload) -> None:
        """Log that a request was turned away."""
        reason = refusal.message if isinstance(refusal, Refusal) else refusal.limit
        self._event_log.record(HandshakeRefused(address, reason))

    def open(
        self,
        head: RequestHead,
        query: Query,
        address: str,
        make_transport: Callable[[Session], Transport],
    ) -> Session | Overload:
        """A new session over a new transport, or why there is no room for one."""
        handshake = Handshake(address, query, head.header(b"authorization"))
        return self.begin(
            address, make_transport, lambda session: self._make_upper(session, handshake)
        )

    def begin(
        self,
        address: str,
        make_transport: Callable[[Session], Transport],
        make_upper: Callable[[Session], Upper],
    ) -> Session | Overload:
        """The same for a session that carries something else."""
        sid = f"{self._node}.{unguessable_id()}" if self._node else unguessable_id()
        admitted = self._admission.open_session(address, sid, trio.current_time())
        if isinstance(admitted, Overload):
            self.log_refusal(address, admitted)
            return admitted
        if admitted.instead_of is not None:
            self._event_log.record(LimitHit(admitted.limit, None, address))
            self.sessions.by_sid[admitted.instead_of].end(DisconnectReason.OVERLOADED)
        session = Session(self.sessions, sid, address)
        session.transport = make_transport(session)
        session.upper = make_upper(session)
        self._event_log.record(SessionOpened(session.log_id, session.transport.name, address))
        return session

    def opening(self, session: Session) -> bytes:
        """The OPEN packet of a session."""
        settings = self.sessions.settings
        upgrades = (WEBSOCKET,) if session.transport.name == POLLING else ()
        return open_packet(
            session.sid,
            upgrades,
            round(settings.heartbeat.interval_s * 1000),
            round(settings.heartbeat.timeout_s * 1000),
            settings.max_payload_bytes,
        )

    async def poll(self, exchange: Exchange, arrival: Arrival, body_timeout_s: float) -> None:
        """Serve one request of the polling transport. It may still wait for its answer when this
        returns."""
        head = exchange.head
        query = parse_query(head.query)
        if head.method == "OPTIONS" and self._cors.may_read(head.header(b"origin"), arrival):
            exchange.preflight()
            return
        forbidden = self._forbids(head, arrival)
        if query.sid is not None and head.method == "GET" and forbidden is None:
            last_words = self.sessions.last_words(query.sid)
            if last_words is not None:
                exchange.payload(last_words)
                return
        denial = self._judge(head, query, arrival, forbidden)
        if denial is not None:
            exchange.refused(denial.refusal, denial.sentence)
            return
        if query.sid is None:
            opened = self.open(
                head,
                query,
                arrival.address,
                lambda session: PollingTransport(self.sessions, session),
            )
            if isinstance(opened, Overload):
                exchange.overloaded(opened)
            else:
                exchange.payload(self.opening(opened))
            return
        session = self.sessions.by_sid[query.sid]
        assert isinstance(session.transport, PollingTransport)
        if head.method == "GET":
            session.transport.get(exchange)
        else:
            await self._post(session, session.transport, exchange, body_timeout_s)

    async def _post(
        self,
        session: Session,
        transport: PollingTransport,
        exchange: Exchange,
        body_timeout_s: float,
    ) -> None:
        """Take the packets of a client: first the body, in time and within `maxPayload`, or less
        while nobody knows whose they are."""
        if not transport.begin_post(exchange):
            return
        await transport.until_it_may_come(exchange.head)
        try:
            body = await exchange.body(session.payload_bytes, body_timeout_s)
        except BadRequestError as error:
            if error.status in TOO_LARGE:
                transport.end_post(exchange)
                exchange.failed(error.status)
                return
            body = None
        if body is None:
            transport.lost(exchange)
            exchange.garbled()
        elif exchange.head.headers.get(b"content-type", b"").startswith(_CONTENT_TYPE_BINARY):
            transport.end_post(exchange)
            exchange.refused(Refusal.BAD_REQUEST)  # packets of version 3, with bytes in them
            session.fail(ProtocolError("a binary body is not of Engine.IO 4"))
        else:
            await transport.receive(exchange, body)

    def lost(self, exchange: Exchange) -> None:
        """The connection of a request that may not have been answered yet is gone."""
        session = self.sessions.by_sid.get(parse_query(exchange.head.query).sid or "")
        if session is not None and isinstance(session.transport, PollingTransport):
            session.transport.lost(exchange)

    def _transport_of(self, sid: str) -> str | None:
        session = self.sessions.by_sid.get(sid)
        return None if session is None else session.transport.name


def switched(head: RequestHead) -> bytes:
    """The 101, with the first subprotocol that is offered, for a request that was judged."""
    return switching_protocols(head.headers[b"sec-websocket-key"], _first_subprotocol(head))


def _first_subprotocol(head: RequestHead) -> bytes | None:
    offered = head.headers.get(b"sec-websocket-protocol")
    return None if offered is None else offered.partition(b",")[0].strip()


def _is_websocket_handshake(head: RequestHead) -> bool:
    headers = head.headers
    if head.has_body:  # a reader could take frames for the body, or the body for frames
        return False
    if headers.get(b"sec-websocket-version") != b"13" or not is_valid_key(
        headers.get(b"sec-websocket-key", b"")
    ):
        return False
    subprotocol = _first_subprotocol(head)
    return subprotocol is None or is_subprotocol(subprotocol)
