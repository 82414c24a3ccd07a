"""One connection to a `HypercornServer`, whose head is read as the listener does it."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import attrs
import trio

from chatd.net.deadlines import Deadlines
from chatd.net.http.app import AsgiScope, HttpApp, Receive, Response, Send
from chatd.net.http.connection import ConnectionLimits, HttpConnection
from chatd.net.http.hypercorn import HypercornServer
from chatd.net.http.reader import RequestHead
from chatd.net.poller import TrioPoller

HARD_LIMIT_S = 40
CLIENT = "203.0.113.9"  # whom a proxy says the other end to be


class App(HttpApp):
    """An ASGI application that takes bodies of so many bytes on every path."""

    def __init__(
        self,
        call: Callable[[AsgiScope, Receive, Send], Awaitable[None]],
        max_body_bytes: int = 1_000_000,
    ) -> None:
        self.call = call
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        await self.call(scope, receive, send)

    async def judge_body(self, head: RequestHead, peer: str) -> int | Response:
        return self.max_body_bytes

    def is_live(self, head: RequestHead) -> bool:
        return False

    def refuse(self, head: RequestHead, peer: str, response: Response) -> Response:
        return response


@attrs.define
class Serving:
    """The far end of one connection to the server, and the faults that it reported."""

    peer: trio.SocketStream
    served: socket.socket
    ended: trio.Event
    faults: list[Exception]

    def sever(self) -> None:
        """What a door does with its sockets at the hard deadline."""
        self.served.shutdown(socket.SHUT_RDWR)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


def unix_pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


@asynccontextmanager
async def serving(
    app: HttpApp,
    sent: bytes = b"",
    pair: Callable[[], tuple[socket.socket, socket.socket]] = tcp_pair,
    *,
    body_timeout_s: float = 5.0,
    send_timeout_s: float = 5.0,
    linger_s: float = 2.0,
) -> AsyncIterator[Serving]:
    """`sent` is what the peer sends first. Whatever happens, the connection comes to its end."""
    faults: list[Exception] = []
    http = HypercornServer(
        app,
        body_timeout_s=body_timeout_s,
        report_fault=faults.append,
        send_timeout_s=send_timeout_s,
    )
    ours, theirs = pair()
    ended, deadlines = trio.Event(), Deadlines()
    wait = TrioPoller().watch(theirs)

    async def serve() -> None:
        connection = HttpConnection(
            theirs, wait, deadlines, ConnectionLimits(16_384, 65_536, linger_s=linger_s)
        )
        head = await connection.head(HARD_LIMIT_S, answer_late=True)
        if head is not None:
            await http.serve(connection, head, CLIENT)
        wait.close()
        theirs.close()
        ended.set()

    with trio.fail_after(HARD_LIMIT_S):
        async with (
            trio.open_nursery() as nursery,
            trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as peer,
        ):
            nursery.start_soon(deadlines.run)
            nursery.start_soon(serve)
            await peer.send_all(sent)
            yield Serving(peer, theirs, ended, faults)
            await peer.aclose()
            await ended.wait()
            nursery.cancel_scope.cancel()
