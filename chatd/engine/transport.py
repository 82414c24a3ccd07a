"""What carries a session: WebSocket or polling, behind one Protocol.

Owns what the session asks of whatever carries it, and `Work`, which a transport gets in return for
a packet. Knows neither sockets nor HTTP.
"""

from collections.abc import Generator
from typing import Any, Protocol

from chatd.net.backlog import Backlog


class Work(Protocol):
    """What a packet asks for and has to wait for, as a coroutine.

    The task that owns the input of the session awaits it before it reads on: so order holds, and
    back-pressure reaches the peer. Work that will never be awaited is closed, and closes the work
    that it holds.
    """

    def __await__(self) -> Generator[Any, Any, object]: ...

    def close(self) -> None: ...


class Transport(Protocol):
    """What carries a session at the moment. Packets come from `session.pending`."""

    @property
    def name(self) -> str:
        """As Engine.IO calls it."""
        ...

    @property
    def backlog(self) -> Backlog:
        """What it has taken from the session and the peer has not taken yet."""
        ...

    def flush(self) -> None:
        """Take what is pending."""
        ...

    def identified(self) -> None:
        """The session is a user's: what it sends may be as large as `session.payload_bytes` says
        now."""
        ...

    def close(self, *, polite: bool) -> None:
        """End: politely, with all that is pending, or at once."""
        ...

    def peer_closed(self) -> None:
        """The peer ended the session by a packet; nothing that is pending matters any more."""
        ...


class Probed(Protocol):
    """The transport that carries a session while a WebSocket probes it."""

    def on_probe_message(self, probe: Transport, message: str | bytes) -> None:
        """A message came on a WebSocket that does not carry the session yet, or was let go."""
        ...

    def on_probe_lost(self, probe: Transport) -> None:
        """A WebSocket ended before it carried the session, or long after it was let go."""
        ...
