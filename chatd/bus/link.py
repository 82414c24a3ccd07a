"""What the buses have in common: they connect again and again, and know whether they are up."""

from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

import attrs
import trio

from chatd.chat.backoff import Backoff

FIRST_WAIT_S: Final = 0.2
"""Seconds to wait after a connection is lost; doubled with each failure to get another one."""
LONGEST_WAIT_S: Final = 5.0
"""The most seconds until a server that came back is noticed."""
PING_S: Final = 0.5
"""Seconds between two pings: a server that is stopped, not closed, gives no other sign."""
CONNECT_S: Final = 4.0
"""Seconds within which a connection must be open and known to work; beyond: it is tried again."""


class BusLost(Exception):
    """The bus does not work; `str()` is a sentence for the operator, without a secret."""


@attrs.define(eq=False)
class Link:
    """Whether a bus is up, and why it is not. `on_change` is told the reason when it goes down, or
    when the reason changes, and None when it is up again."""

    _on_change: Callable[[str | None], None] = lambda _why: None
    is_up: bool = attrs.field(init=False, default=False)
    why_down: str | None = attrs.field(init=False, default=None)
    _backoff: Backoff = attrs.field(
        init=False, factory=lambda: Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
    )
    _told: str | None = attrs.field(init=False, default="")  # "" before anything was told

    def up(self) -> None:
        """Note that from now on what is published reaches the others."""
        self.is_up, self.why_down = True, None
        self._backoff.succeeded()
        self._tell()

    async def keep(self, connect: Callable[[], Awaitable[NoReturn]]) -> None:
        """Run `connect` again and again; it ends only by BusLost."""
        while True:
            try:
                await connect()
            except BusLost as lost:
                self.why_down = str(lost)
            finally:
                self.is_up = False
            self._tell()
            await trio.sleep(self._backoff.failed())

    def _tell(self) -> None:
        if self._told != self.why_down:
            self._told = self.why_down
            self._on_change(self.why_down)


async def together(*parts: Callable[[], Awaitable[None]]) -> NoReturn:
    """Run the parts of a connection until one of them raises BusLost, and raise that. A part that
    has nothing more to do may return."""
    lost: list[BusLost] = []

    async def run(part: Callable[[], Awaitable[None]]) -> None:
        try:
            await part()
        except BusLost as error:
            lost.append(error)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for part in parts:
            nursery.start_soon(run, part)
    raise lost[0] if lost else BusLost("The connection of the bus has ended.")
