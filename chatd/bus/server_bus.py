"""What buses over a server have in common: they have topics, and are up once they hear
themselves."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import NoReturn

import trio

from chatd.bus.bus import Listener
from chatd.bus.link import CONNECT_S, BusLost, Link
from chatd.observe.ids import unguessable_id


class ServerBus(ABC):
    """A `Bus`, except for what it tells its server. `on_change` is passed to its `Link`."""

    def __init__(self, on_change: Callable[[str | None], None]) -> None:
        self._link = Link(on_change)
        self._topics: set[str] = set()
        self._probe = ""  # a topic of this connection alone
        self._probe_came = trio.Event()
        self._listener: Listener | None = None

    @property
    def is_up(self) -> bool:
        return self._link.is_up

    @property
    def why_down(self) -> str | None:
        return self._link.why_down

    async def run(self, listener: Listener) -> None:
        self._listener = listener
        await self._link.keep(self._connect)

    @abstractmethod
    async def _connect(self) -> NoReturn:
        """Connect, and carry payloads until BusLost."""

    async def _begin(self, hear_oneself: Callable[[], Awaitable[None]], why_not: str) -> None:
        """Be up once a payload has come back. Raises BusLost with `why_not` if none does."""
        assert self._listener is not None
        self._probe, self._probe_came = f"probe:{unguessable_id()}", trio.Event()
        with trio.move_on_after(CONNECT_S) as connecting:
            await hear_oneself()
        if connecting.cancelled_caught:
            raise BusLost(why_not)
        self._link.up()
        self._listener.came_up()

    def _hear(self, topic: str, payload: bytes) -> None:
        if topic == self._probe:
            self._probe_came.set()
        elif topic in self._topics and self._listener is not None:
            self._listener.heard(topic, payload)
