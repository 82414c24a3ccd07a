"""What carries a session: WebSocket or polling, behind one Protocol.

Owns what the session asks of whatever carries it, and `Work`, which a transport gets in return for
a packet. Knows neither sockets nor HTTP.
"""

from collections.abc import Generator
from typing import Any, Protocol


class Work(Protocol):
    """What a packet asks for and has to wait for, as a coroutine.

    The task that owns the input of the session awaits it before it reads on: so order holds, and
    back-pressure reaches the peer. Work that will never be awaited is closed, and closes the work
    that it holds.
    """

    def __await__(self) -> Generator[Any, Any, object]: ...

    def close(self) -> None: ...


class Transport(Protocol):
    """What carries a session at the moment."""

    name: str

    def flush(self) -> None:
        """Hand over what is in `session.pending`."""
        ...

    def close(self, *, polite: bool) -> None:
        """End: politely, with all that is pending, or at once."""
        ...

    def peer_closed(self) -> None:
        """The peer ended the session by a packet; nothing that is pending matters any more."""
        ...

    @property
    def is_behind(self) -> bool:
        """Whether the peer has not taken all that it was sent."""
        ...

    @property
    def is_lagging(self) -> bool:
        """Whether it is so far behind that it is better off without what may be dropped."""
        ...

    def allow(self, size: int) -> None:
        """So many bytes do not count as the peer's backlog: it asked for them."""
        ...

    async def caught_up(self) -> None:
        """Return when the peer has taken all that it was sent, or is gone."""
        ...


class Probed(Protocol):
    """The transport that carries a session while a WebSocket probes it."""

    def on_probe_message(self, probe: Transport, message: str | bytes) -> None:
        """A message on a WebSocket that is not in charge yet, or was let go."""
        ...

    def on_probe_lost(self, probe: Transport) -> None:
        """A WebSocket ended before it was in charge, or long after it was let go."""
        ...
