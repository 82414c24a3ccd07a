"""What operators and their tools ask, on a listener of its own: is it alive, is it ready, how much.

`/livez` answers as long as the event loop runs. `/readyz` says whether clients are served as they
should be, and what is amiss. `/metrics` is for Prometheus. None of it is on the public port (SPEC
8): the names of databases stand in it, though no user, token or content. There is no token here
either: who reaches the socket may read.
"""

import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol

import attrs
import trio

from chatd.net.deadlines import Deadlines
from chatd.net.http.app import Handler, HttpApp, Request, Response, Route, json_response
from chatd.net.http.connection import HttpConnection
from chatd.net.http.cors import OriginRules
from chatd.net.http.hypercorn import HttpLane
from chatd.net.poller import TrioPoller

LIVE_PATH: Final = "/livez"
READY_PATH: Final = "/readyz"
METRICS_PATH: Final = "/metrics"

CONNECTIONS_MAX: Final = 32
"""Connections at once; one more, and the oldest is cut, so that whoever asks now is answered."""

HEAD_S: Final = 2.0
"""Seconds for the head of a request; beyond: 408. Who asks here asks for one thing at a time, from
this machine or one beside it."""

NO_STORE: Final = ((b"cache-control", b"no-store"),)


@attrs.frozen
class Reason:
    """Something that is amiss: a stable code, a sentence, and of which database it is."""

    code: Literal[
        "starting",
        "draining",
        "storage_error",
        "storage_damaged",
        "storage_read_error",
        "db_unavailable",
    ]
    message: str
    connection_id: str | None = None

    @property
    def prevents_service(self) -> bool:
        """Whether nobody is served for it; the chat goes on without a database, or some rows."""
        return self.code in ("starting", "draining", "storage_error")


def is_ready(reasons: Sequence[Reason]) -> bool:
    """Whether clients are served, though perhaps not as they should be."""
    return not any(reason.prevents_service for reason in reasons)


class Standing(Protocol):
    """Whoever knows what is amiss."""

    def reasons(self) -> Sequence[Reason]: ...


def internal_app(
    standing: Standing,
    render: Callable[[], bytes],
    content_type: bytes,
    *,
    is_loopback: bool,
) -> HttpApp:
    """The application. `render` makes the metrics, of that content type.

    Bound to loopback it is asked by the names of this machine only, or a web page could read it.
    """
    rules = OriginRules((), is_loopback)

    async def live(_request: Request) -> Response:
        return json_response(200, {"status": "alive"}, NO_STORE)

    async def metrics(_request: Request) -> Response:
        return Response(200, ((b"content-type", content_type), *NO_STORE), render())

    def route(handler: Handler) -> Route:
        return Route(handler, origins=rules)

    return HttpApp(
        {
            LIVE_PATH: route(live),
            READY_PATH: route(_ready_handler(standing)),
            METRICS_PATH: route(metrics),
        }
    )


def _ready_handler(standing: Standing) -> Handler:
    async def ready(_request: Request) -> Response:
        reasons = standing.reasons()
        status = "not_ready"
        if is_ready(reasons):
            status = "degraded" if reasons else "ready"
        shown = [
            {
                "code": reason.code,
                "message": reason.message,
                **({"connectionId": reason.connection_id} if reason.connection_id else {}),
            }
            for reason in reasons
        ]
        return json_response(
            503 if status == "not_ready" else 200, {"status": status, "reasons": shown}, NO_STORE
        )

    return ready


class InternalListener:
    """Accepts on its listeners and has one request of each connection answered by a lane.

    It waits and times by itself: it answers also where nothing else of the daemon runs yet.
    """

    def __init__(
        self,
        lane: HttpLane,
        report_fault: Callable[[Exception], None],
        *,
        max_head_bytes: int,
    ) -> None:
        self._lane = lane
        self._report_fault = report_fault
        self._max_head_bytes = max_head_bytes
        self._readiness = TrioPoller()
        self._deadlines = Deadlines()
        self._open: dict[socket.socket, None] = {}  # the oldest first; without those that were cut

    async def serve(self, listeners: Sequence[socket.socket]) -> None:
        """Serve until cancelled; the listeners are closed then."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._deadlines.run)
            await trio.serve_listeners(
                self._serve_one,
                [trio.SocketListener(trio.socket.from_stdlib_socket(one)) for one in listeners],
            )

    def sever(self) -> None:
        """Cut every connection now, also those whose peer takes nothing."""
        for accepted in list(self._open):
            self._cut(accepted)

    async def _serve_one(self, stream: trio.SocketStream) -> None:
        accepted = socket.socket(fileno=stream.socket.detach())
        accepted.setblocking(False)
        if len(self._open) >= CONNECTIONS_MAX:
            self._cut(next(iter(self._open)))
        self._open[accepted] = None
        wait = self._readiness.watch(accepted)
        connection = HttpConnection(
            accepted,
            wait,
            self._deadlines,
            max_head_bytes=self._max_head_bytes,
            backlog_bytes=0,
        )
        try:
            head = await connection.head(HEAD_S, answer_late=True)
            if head is None:
                await connection.hang_up()
            else:
                await self._lane.serve(connection, head)
        except Exception as fault:  # one connection's end is not the listener's
            self._report_fault(fault)
        finally:
            self._open.pop(accepted, None)
            wait.close()
            accepted.close()

    def _cut(self, oldest: socket.socket) -> None:
        """End a connection; its task sees that, and closes it."""
        del self._open[oldest]
        with contextlib.suppress(OSError):  # the peer was faster
            oldest.shutdown(socket.SHUT_RDWR)
