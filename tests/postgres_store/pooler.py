"""A connection pooler in transaction mode, as PgBouncer's and Supabase's are: clients share one
session of the server, each for the length of a transaction.

It speaks as much of PostgreSQL's protocol as that takes: a message is a letter and a length, and
the server's "ready for query" says whether a transaction is open.
"""

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

READY, TERMINATE = b"Z", b"X"


class _Session:
    """The one session with the server."""

    def __init__(self, path: str, startup: bytes) -> None:
        self.turn = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._socket.sendall(startup)
        self.greeting = b"".join(self.until_ready())

    def close(self) -> None:
        self._socket.close()

    def send(self, message: bytes) -> None:
        self._socket.sendall(message)

    def until_ready(self) -> Iterator[bytes]:
        while True:
            message = receive(self._socket)
            yield message
            if message[:1] == READY:
                return


def receive(peer: socket.socket, letters: int = 1) -> bytes:
    head = _exactly(peer, letters + 4)
    return head + _exactly(peer, struct.unpack("!I", head[letters:])[0] - 4)


def _exactly(peer: socket.socket, count: int) -> bytes:
    taken = b""
    while len(taken) < count:
        part = peer.recv(count - len(taken))
        if not part:
            raise EOFError
        taken += part
    return taken


class _Client(socketserver.BaseRequestHandler):
    server: Any

    def handle(self) -> None:
        peer = self.request
        try:
            startup = receive(peer, letters=0)
            while len(startup) == 8:  # it asks for encryption
                peer.sendall(b"N")
                startup = receive(peer, letters=0)
            session = self.server.session_for(startup)
            peer.sendall(session.greeting)
            while True:
                self._serve(peer, session, receive(peer))
        except EOFError:
            pass

    def _serve(self, peer: socket.socket, session: _Session, message: bytes) -> None:
        if message[:1] == TERMINATE:
            raise EOFError
        with session.turn:
            while True:
                session.send(message)
                if message[:1] in b"QS":
                    for answer in session.until_ready():
                        peer.sendall(answer)
                    if answer[5:] == b"I":
                        return
                message = receive(peer)


class _Pooler(socketserver.ThreadingTCPServer):
    daemon_threads = True
    path: str
    _session: _Session | None = None

    def server_close(self) -> None:
        super().server_close()
        if self._session is not None:
            self._session.close()

    def session_for(self, startup: bytes) -> _Session:
        if self._session is None:
            self._session = _Session(self.path, startup)
        return self._session


@contextmanager
def a_pooler(directory: Path, database: str) -> Iterator[str]:
    """The address of a pooler in front of the server whose socket is in this directory."""
    with _Pooler(("127.0.0.1", 0), _Client) as pooler:
        pooler.path = str(directory / ".s.PGSQL.5432")
        thread = threading.Thread(target=pooler.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield (
                f"postgresql://postgres@127.0.0.1:{pooler.server_address[1]}/{database}"
                "?gssencmode=disable&sslmode=disable"
            )
        finally:
            pooler.shutdown()
            thread.join()
