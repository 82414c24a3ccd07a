"""One accepted connection, as `Admission` counts it: its address, its user, and how it ends.

Its user stands in its session, which is looked up only when there is no room for another one.
"""

import contextlib
import socket
from typing import Final

from chatd.engine.session import Session
from chatd.engine.sessions import Sessions
from chatd.engineio.handshake import parse_query
from chatd.net.disconnects import DisconnectReason


class Caller:
    """A connection's peer. `__slots__`: one for each connection."""

    __slots__ = ("_sessions", "_sock", "address", "query", "session")

    def __init__(self, sock: socket.socket, address: str, sessions: Sessions) -> None:
        self._sock = sock
        self._sessions = sessions
        self.address: Final = address
        self.query: bytes | None = None  # of its last request
        self.session: Session | None = None  # that it has opened as a WebSocket

    @property
    def is_known(self) -> bool:
        """Whether it serves the session of a user."""
        session = self._served()
        return session is not None and session.user_id is not None

    def give_way(self, answer: bytes) -> None:
        """End it: politely as far as that needs no waiting. `answer` is sent where it has not asked
        for anything yet."""
        session = self._served()
        with contextlib.suppress(OSError):  # the peer was faster
            if session is not None:
                session.end(DisconnectReason.OVERLOADED)
            elif self.query is None:
                self._sock.send(answer)
            self._sock.shutdown(socket.SHUT_RDWR)

    def _served(self) -> Session | None:
        if self.session is not None or self.query is None:
            return self.session
        return self._sessions.by_sid.get(parse_query(self.query).sid or "")
