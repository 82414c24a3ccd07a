"""The connections of one generator: sockets, TLS, and one epoll that reads for all of them.

Owns descriptors. It must not know what bytes mean: a `Client` does. A task for each connection
would be clearer, and the daemon has that; here a connection waits for nothing but bytes, and a
generator has to be faster than what it measures.
"""

import errno
import os
import select
import socket
import ssl
from collections.abc import Callable
from functools import partial

import attrs
import trio

from chatd.bench.client import Client, Lane
from chatd.bench.timer import Timer

EVENTS_MAX = 256  # events taken from the epoll in one go, so that what is due is sent meanwhile
READ_BYTES = 256 * 1024
NO_DESCRIPTOR = "this machine gives the generator no more descriptors (ulimit -n)"
_ENDED = select.EPOLLHUP | select.EPOLLERR


@attrs.frozen
class Route:
    """How a server is reached: what the resolver said about it, and the context of TLS, if any."""

    family: int
    sockaddr: tuple[str | int, ...]
    tls: ssl.SSLContext | None = None
    hostname: str = ""


class Reactor:
    """Reads and writes for all connections of this process; `run` has to run.

    A pass of Trio's loop costs as much as three messages. So a sender at a high rate calls `turn`
    itself, which waits in the kernel for input and for the moment of `timer`.
    """

    def __init__(self, route: Route, now_us: Callable[[], int]) -> None:
        self.route = route
        self._now_us = now_us
        self.now_us = now_us()
        """When the bytes were read that a client is being told about."""
        self.epoll = select.epoll()
        self.timer = Timer()
        self.epoll.register(self.timer.descriptor, select.EPOLLIN)
        self.streams: dict[int, _Stream] = {}
        self._closing: list[socket.socket] = []
        self._stillborn: list[Callable[[], None]] = []

    async def run(self) -> None:
        """Serve the connections until cancelled, and close them then."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self.epoll.fileno())
                self.turn(0)
        finally:
            for stream in list(self.streams.values()):
                stream.hang_up()
            self._close()
            self.epoll.close()
            self.timer.close()

    def turn(self, wait_s: float) -> None:
        """Do what is due now; wait, blocking, until there is something to do, but at most so
        long."""
        streams, now_us = self.streams, self._now_us
        for descriptor, flags in self.epoll.poll(wait_s, EVENTS_MAX):
            stream = streams.get(descriptor)
            if stream is not None:
                self.now_us = now_us()
                stream.ready(flags)
            elif descriptor == self.timer.descriptor:
                self.timer.clear()
        if self._stillborn:
            stillborn, self._stillborn = self._stillborn, []
            for tell in stillborn:
                tell()
        self._close()

    def tell_soon(self, tell: Callable[[], None]) -> None:
        """Report at the next turn that a connection could not be made: a client that dials must not
        be called back at once, as the next client dials in its place."""
        self._stillborn.append(tell)
        self.timer.set(self._now_us())

    def _close(self) -> None:
        """Close what was hung up. Not before the batch is done: its number might belong to another
        connection by then."""
        for sock in self._closing:
            sock.close()
        self._closing.clear()

    def forget(self, sock: socket.socket) -> None:
        """Stop watching this socket."""
        if self.streams.pop(sock.fileno(), None) is not None:
            self.epoll.unregister(sock.fileno())
        self._closing.append(sock)


class ClientWires:
    """The connections of one client."""

    __slots__ = ("_reactor", "_streams", "client")

    client: Client

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._streams: dict[Lane, _Stream] = {}

    def dial(self, lane: Lane) -> None:
        try:
            stream = _Stream(self._reactor, self.client, lane)
        except OSError as error:
            why = NO_DESCRIPTOR if error.errno == errno.EMFILE else os.strerror(error.errno or 0)
            self._reactor.tell_soon(partial(self.client.lost, lane, why))
            return
        self._streams[lane] = stream
        stream.dial()

    def write(self, lane: Lane, data: bytes) -> None:
        stream = self._streams.get(lane)
        if stream is not None:
            stream.write(data)

    def hang_up(self, lane: Lane) -> None:
        stream = self._streams.pop(lane, None)
        if stream is not None:
            stream.hang_up()


def _new_socket(family: int) -> socket.socket:
    """Raises OSError where this process has no descriptor left."""
    return socket.socket(family, socket.SOCK_STREAM)


class _Stream:
    """One connection."""

    __slots__ = ("_client", "_is_up", "_lane", "_reactor", "_sock", "_tls", "_unsent", "is_over")

    def __init__(self, reactor: Reactor, client: Client, lane: Lane) -> None:
        self._reactor = reactor
        self._client = client
        self._lane = lane
        self._is_up = False
        self._tls: _Tls | None = None
        self._unsent = bytearray()  # grows in place while a server does not read
        self.is_over = False
        self._sock = _new_socket(reactor.route.family)

    def dial(self) -> None:
        sock, reactor = self._sock, self._reactor
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Most errors show when the socket is ready; errors of this machine show now, and never
        # again.
        error = sock.connect_ex(reactor.route.sockaddr)
        if error not in (0, errno.EINPROGRESS):
            reactor.tell_soon(partial(self._lose, os.strerror(error)))
            return
        reactor.streams[sock.fileno()] = self
        reactor.epoll.register(sock.fileno(), select.EPOLLOUT)

    def ready(self, flags: int) -> None:
        """The socket can be read or written, or has ended."""
        if not self._is_up:
            self._come_up()
            return
        if flags & select.EPOLLOUT:
            self._drain()
        if flags & (select.EPOLLIN | _ENDED) and not self.is_over:
            self._read()

    def _come_up(self) -> None:
        error = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._lose(os.strerror(error))
            return
        self._is_up = True
        self._reactor.epoll.modify(self._sock.fileno(), select.EPOLLIN)
        route = self._reactor.route
        if route.tls is None:
            self._client.connected(self._lane)
            return
        self._tls = _Tls(route.tls, route.hostname)
        self._shake_hands(self._tls)

    def _shake_hands(self, tls: "_Tls") -> None:
        try:
            is_done = tls.shake_hands()
        except ssl.SSLError as error:
            self._lose(f"TLS: {error.reason or error}")
            return
        self._send(tls.owed())
        if is_done and not self.is_over:
            self._client.connected(self._lane)

    def _read(self) -> None:
        try:
            data = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(os.strerror(error.errno or 0))
            return
        if not data:
            self._lose("the server hung up")
            return
        if self._tls is not None:
            self._tls.take(data)
            if not self._tls.is_up:
                self._shake_hands(self._tls)
                if not self._tls.is_up or self.is_over:
                    return
            try:
                data = self._tls.read()
            except ssl.SSLError as error:
                self._lose(f"TLS: {error.reason or error}")
                return
            self._send(self._tls.owed())
        if data:
            self._client.received(self._lane, data)

    def write(self, data: bytes) -> None:
        """Send, now or as soon as the kernel takes it."""
        if self._tls is not None:
            data = self._tls.write(data)
        self._send(data)

    def _send(self, data: bytes) -> None:
        if self.is_over or not data:
            return
        if self._unsent:
            self._unsent += data
            return
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # the end shows when it is read
        if sent < len(data):
            self._unsent += data[sent:]
            self._reactor.epoll.modify(self._sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _drain(self) -> None:
        try:
            sent = self._sock.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(self._unsent)  # the end shows when it is read
        del self._unsent[:sent]
        if not self._unsent:
            self._reactor.epoll.modify(self._sock.fileno(), select.EPOLLIN)

    def _lose(self, why: str) -> None:
        self.hang_up()
        self._client.lost(self._lane, why)

    def hang_up(self) -> None:
        """End it, and tell nobody."""
        if not self.is_over:
            self.is_over = True
            self._reactor.forget(self._sock)


class _Tls:
    """TLS of one connection, without its socket."""

    def __init__(self, context: ssl.SSLContext, hostname: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=hostname)
        self.is_up = False

    def take(self, data: bytes) -> None:
        """What the socket has brought."""
        self._incoming.write(data)

    def owed(self) -> bytes:
        """What is to be sent."""
        return self._outgoing.read()

    def shake_hands(self) -> bool:
        """Go on with the handshake; returns whether it is done. Raises ssl.SSLError."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.is_up = True
        return True

    def read(self) -> bytes:
        """The plain bytes that have come. Raises ssl.SSLError."""
        pieces: list[bytes] = []
        try:
            while piece := self._object.read(READ_BYTES):
                pieces.append(piece)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return b"".join(pieces)

    def write(self, data: bytes) -> bytes:
        """What is to be sent for these plain bytes."""
        self._object.write(data)
        return self.owed()
