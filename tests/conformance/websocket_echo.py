"""A bare WebSocket echo on any path: `python -m tests.conformance.websocket_echo PORT`.

chatd's codec, poller and writer with nothing above them: what the Autobahn cases judge.
"""

import signal
import socket
import sys

import trio

from chatd.app.listen import open_listeners
from chatd.engine.engine import switched
from chatd.net.deadlines import Deadlines
from chatd.net.disconnects import DisconnectReason
from chatd.net.http.connection import ConnectionLimits, HttpConnection
from chatd.net.poller import Poller, Watch, make_poller
from chatd.net.writer import SocketWriter
from chatd.websocket.decoder import Decoder
from chatd.websocket.frames import (
    Close,
    Ping,
    ProtocolError,
    encode_binary,
    encode_close,
    encode_pong,
    encode_text,
)
from tests.conformance.host import BACKLOG, arguments

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
HEAD_TIMEOUT_S = 10.0
LINGER_S = 2.0
READ_BYTES = 65_536


class EchoConnection:
    """One connection that gets back what it sends."""

    def __init__(self, sock: socket.socket, watch: Watch) -> None:
        self._sock = sock
        self._watch = watch
        self._decoder = Decoder(MAX_MESSAGE_BYTES)
        self._writer = SocketWriter(4 * MAX_MESSAGE_BYTES, sock, self, linger_s=LINGER_S)

    def on_writer_failed(self, reason: DisconnectReason) -> None:
        pass  # the socket is shut down, which the reading task sees

    def on_writer_changed(self) -> None:
        pass  # it writes in a nursery of its own

    async def run(self, response: bytes, received: bytes) -> None:
        async with trio.open_nursery() as nursery:
            self._writer.start(nursery)
            self._writer.write(response)
            data = received
            while True:
                if data:
                    self._feed(data)
                await self._writer.drained()
                await self._watch.readable()
                try:
                    data = self._sock.recv(READ_BYTES)
                except BlockingIOError:
                    data = b""
                    continue
                except OSError:
                    break
                if not data:
                    break
                if len(data) == READ_BYTES:
                    self._watch.again()
            nursery.cancel_scope.cancel()

    def _feed(self, data: bytes) -> None:
        self._decoder.receive(data)
        try:
            while (event := self._decoder.next_event()) is not None:
                match event:
                    case str():
                        self._writer.write(encode_text(event.encode()))
                    case bytes():
                        self._writer.write(encode_binary(event))
                    case Ping(payload):
                        self._writer.write(encode_pong(payload))
                    case Close(code):
                        self._writer.finish(encode_close(code))
        except ProtocolError as error:
            self._writer.finish(encode_close(error.code))


async def serve_connection(sock: socket.socket, readiness: Poller, deadlines: Deadlines) -> None:
    watch = readiness.watch(sock)
    try:
        connection = HttpConnection(sock, watch, deadlines, ConnectionLimits(16_384, 65_536))
        head = await connection.head(HEAD_TIMEOUT_S, answer_late=True)
        if head is not None and head.is_websocket:
            await EchoConnection(sock, watch).run(switched(head), connection.rest)
    finally:
        watch.close()
        sock.close()


async def main(port: int) -> None:
    readiness, deadlines = make_poller(), Deadlines()
    (listener,) = open_listeners("127.0.0.1", port, BACKLOG)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(readiness.run)
            nursery.start_soon(deadlines.run)

            async def accept() -> None:
                while True:
                    await trio.lowlevel.wait_readable(listener.fileno())
                    sock, _ = listener.accept()
                    sock.setblocking(False)
                    nursery.start_soon(serve_connection, sock, readiness, deadlines)

            nursery.start_soon(accept)
            sys.stdout.write(f"listening on {listener.getsockname()[1]}\n")
            sys.stdout.flush()
            async for _ in signals:
                nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, arguments()[0])
