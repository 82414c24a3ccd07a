"""What operators and their tools ask, on a listener of its own: is it alive, is it ready, how much.

`/livez` answers as long as the event loop runs. `/readyz` says whether clients are served as they
should be, and what is amiss, in JSON, or in plain text if the caller asks for that. `/metrics` is
for Prometheus. None of it is on the public port: it shows the names of databases, though no user,
token or content. There is no token here either: any peer that reaches the socket may read
(docs/operations, "Health").
"""

import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import trio

from chatd.net.acceptor import Acceptor
from chatd.net.deadlines import Deadlines
from chatd.net.http.app import Handler, HttpApp, HttpRoute, Request, Response, json_response
from chatd.net.http.connection import ConnectionLimits, HttpConnection
from chatd.net.http.cors import CorsPolicy
from chatd.net.http.hypercorn import HypercornServer
from chatd.net.poller import TrioPoller
from chatd.observe import EventLog
from chatd.observe.conditions import Reason, is_ready, readiness
from chatd.observe.lines import visible

_CREDENTIALS: Final = struct.Struct("3i")  # of a peer: process, user, group (unix(7))

LIVE_PATH: Final = "/livez"
READY_PATH: Final = "/readyz"
METRICS_PATH: Final = "/metrics"

CONNECTIONS_MAX: Final = 32
"""Connections at once; one more, and the oldest is cut, so that the newest is answered."""

HEAD_S: Final = 2.0
"""Seconds for the head of a request; beyond: 408. Clients here ask for one thing at a time, from
this machine or one beside it."""

CALLER: Final = b"x-chatd-caller"
"""The header that names who asks, put here in the place of what a client has sent: on a unix socket
the number of its system user, `uid:0`; on TCP, where nobody is known, `internal`."""

NO_STORE: Final = ((b"cache-control", b"no-store"),)


def _text(status: str, reasons: Sequence[Reason]) -> bytes:
    """Readiness as people read it: a word, and a line for each reason."""
    lines = [status]
    for reason in reasons:
        place = "" if reason.connection_id is None else f" {reason.connection_id}"
        lines.append(visible(f"{reason.code}{place}: {reason.message}"))
    return "".join(f"{line}\n" for line in lines).encode()


def _wants_text(request: Request) -> bool:
    """Whether `Accept` names plain text, and JSON not before it (RFC 9110, 12.5.1; without
    weights, as nobody who asks here sends any)."""
    accepted = (request.header(b"accept") or "").lower()
    text, json = accepted.find("text/plain"), accepted.find("application/json")
    return text >= 0 and not 0 <= json < text


def internal_app(
    reasons_now: Callable[[], Sequence[Reason]],
    render: Callable[[], bytes],
    content_type: bytes,
    *,
    is_loopback: bool,
    more: Callable[[CorsPolicy], Mapping[str, HttpRoute]] = lambda _cors: {},
) -> HttpApp:
    """The application. `reasons_now` gives what is amiss; `render` makes the metrics, of that
    content type; `more` gives what else is answered here.

    Bound to loopback it answers to the names of this machine only, or a web page could read it.
    """
    cors = CorsPolicy((), is_loopback, is_internal=True)

    async def live(_request: Request) -> Response:
        return json_response(200, {"status": "alive"}, NO_STORE)

    async def ready(request: Request) -> Response:
        reasons = reasons_now()
        status = readiness(reasons)
        code = 200 if is_ready(reasons) else 503
        if _wants_text(request):
            plain = (b"content-type", b"text/plain; charset=utf-8")
            return Response(code, (plain, *NO_STORE), _text(status, reasons))
        shown = [
            {
                "code": reason.code,
                "message": reason.message,
                **({"connectionId": reason.connection_id} if reason.connection_id else {}),
            }
            for reason in reasons
        ]
        return json_response(code, {"status": status, "reasons": shown}, NO_STORE)

    async def metrics(_request: Request) -> Response:
        return Response(200, ((b"content-type", content_type), *NO_STORE), render())

    def route(handler: Handler) -> HttpRoute:
        return HttpRoute(handler, cors=cors)

    return HttpApp(
        {
            LIVE_PATH: route(live),
            READY_PATH: route(ready),
            METRICS_PATH: route(metrics),
            **more(cors),
        }
    )


def _caller(sock: socket.socket) -> bytes:
    """Who is at the other end of a connection."""
    if sock.family != socket.AF_UNIX:
        return b"internal"
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return b"uid:%d" % _CREDENTIALS.unpack(credentials)[1]


class InternalListener:
    """Accepts on its listeners and has one request of each connection answered by `http`.

    It does its own waiting and timing: it answers even if nothing else of the daemon runs yet.
    """

    def __init__(
        self,
        http: HypercornServer,
        event_log: EventLog,
        *,
        max_head_bytes: int,
        head_timeout_s: float = HEAD_S,
    ) -> None:
        self._http = http
        self._head_timeout_s = head_timeout_s
        self._limits = ConnectionLimits(max_head_bytes, backlog_bytes=0)
        self._poller = TrioPoller()
        self._deadlines = Deadlines()
        self._acceptor = Acceptor(self._connection, event_log)

    async def serve(self, listeners: Sequence[socket.socket]) -> None:
        """Serve until cancelled; the listeners are closed then."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._deadlines.run)
            await self._acceptor.run(listeners)

    def sever(self) -> None:
        """Cut every connection now, also those whose peer takes nothing."""
        self._acceptor.sever()

    async def _connection(self, sock: socket.socket, _peer: object) -> None:
        if len(self._acceptor.open) > CONNECTIONS_MAX:
            self._acceptor.cut(next(iter(self._acceptor.open)))
        watch = self._poller.watch(sock)
        connection = HttpConnection(sock, watch, self._deadlines, self._limits)
        try:
            head = await connection.head(self._head_timeout_s, answer_late=True)
            if head is None:
                await connection.hang_up()
            else:
                head.headers[CALLER] = _caller(sock)
                await self._http.serve(connection, head)
        except Exception as error:
            self._acceptor.report(error)
        finally:
            watch.close()
            self._acceptor.close(sock)
