"""One accepted connection, as `Admission` counts it: its address, its user, and how it ends.

Its user stands in its session, which is looked up only when there is no room for another one.
"""

import contextlib
import socket
from collections.abc import Iterator

import attrs

from chatd.engine.session import Session
from chatd.engine.sessions import Sessions
from chatd.engineio.handshake import parse_query
from chatd.net.disconnects import DisconnectReason


@attrs.define(eq=False, repr=False, weakref_slot=False)
class AcceptedConnection:
    """A connection's peer. Slots: one for each connection."""

    _sock: socket.socket
    address: str
    _sessions: Sessions
    query: bytes | None = attrs.field(default=None, init=False)  # of its last request
    session: Session | None = attrs.field(default=None, init=False)
    """The one that it has opened: as a WebSocket, or as a stream of events."""
    is_answered: bool = attrs.field(default=False, init=False)
    """Hypercorn is answering a whole request of it."""

    @property
    def is_known(self) -> bool:
        """Whether it serves the session of a user."""
        session = self._served()
        return session is not None and session.user_id is not None

    def carry(self, session: Session) -> None:
        """It serves this session from now on, until the end."""
        self.session = session

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Note that it is being answered while the block runs."""
        self.is_answered = True
        try:
            yield
        finally:
            self.is_answered = False

    def give_way(self, answer: bytes) -> None:
        """End it: politely as far as that needs no waiting. `answer` is sent if the peer has not
        asked for anything yet."""
        if self.query is None and self.session is None:
            with contextlib.suppress(OSError):  # the peer was faster
                self._sock.send(answer)
        self.sever(DisconnectReason.OVERLOADED)

    def sever(self, reason: DisconnectReason) -> None:
        """End it now, and the session that it serves; a peer that waits for packets is told."""
        session = self._served()
        if session is not None:
            session.end(reason)
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _served(self) -> Session | None:
        if self.session is not None or self.query is None:
            return self.session
        return self._sessions.by_sid.get(parse_query(self.query).sid or "")
