"""What one peer is owed and has not taken: its bound, and the wait for its end.

Each transport counts in one: the WebSocket what the kernel refuses, polling what waits for a GET.
"""

from typing import Final

import attrs
import trio

LAGGING_SHARE: Final = 4
"""A peer that is owed more than one such part of the bound is lagging: what may be dropped is
dropped."""


@attrs.define(eq=False, repr=False, weakref_slot=False)
class Backlog:
    """Bytes owed to one peer. Slots: there is one for each connection.

    Live traffic may owe `bound_bytes`; the owner gives the peer up once `is_exceeded`. What the
    peer asked for itself (a page of history) is allowed on top, until all is taken.
    """

    _bound_bytes: int
    owed_bytes: int = attrs.field(default=0, init=False)
    allowed_bytes: int = attrs.field(default=0, init=False)
    _drained: trio.Event | None = attrs.field(default=None, init=False)

    @property
    def is_exceeded(self) -> bool:
        """Whether more is owed than may be."""
        return self.owed_bytes > self._bound_bytes + self.allowed_bytes

    @property
    def is_lagging(self) -> bool:
        """Whether so much is owed that what may be dropped is better not sent."""
        return self.owed_bytes - self.allowed_bytes > self._bound_bytes // LAGGING_SHARE

    def allow(self, size: int) -> None:
        """So many bytes, which the peer asked for, do not count as live traffic."""
        self.allowed_bytes += size

    def settle(self) -> None:
        """Nothing is owed any more: the peer has taken all, or is gone."""
        self.owed_bytes = self.allowed_bytes = 0
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    async def drained(self) -> None:
        """Return when nothing is owed any more."""
        if self.owed_bytes:
            if self._drained is None:
                self._drained = trio.Event()
            await self._drained.wait()
