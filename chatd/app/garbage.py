"""Keeps what lives long away from Python's garbage collector.

The collector frees what nobody refers to any more but in a circle. For that it looks at all objects
that it knows, while the event loop stands still, as soon as those that have survived its smaller
looks are a quarter of all, whether they live still or not. A busy daemon, whose messages live in
memory for a while and go without the collector, was looked through every few seconds, for nothing.

So what has survived is frozen every second: the collector does not know it then. What was frozen
and is left behind in a circle is found by a look at everything, where there may be some: many
connections have ended since the last one, there is much more in memory, or it was long ago. While
very many come and go nothing is frozen: what is new then is what will be left behind.
"""

import gc
import math
import sys
from collections.abc import Callable
from typing import Final, Protocol

import attrs
import trio

FREEZE_S: Final = 1.0
"""Between two freezes: what is new in that time is looked at soon."""
STORM: Final = 100
"""Connections that end between two freezes: with more, nothing is frozen."""
ENDED: Final = 2_000
"""Connections that may end until everything is looked at: each leaves a circle, of about 1 KiB."""
GROWTH_BLOCKS: Final = 200_000
"""By which the blocks of memory may become more until everything is looked at. A block is an
object, or what one holds: 80 bytes or so."""
SHARE: Final = 4
"""Of the connections and blocks that there are, so many may end, or come to it, where that is more:
one in four."""
LONGEST_S: Final = 600.0
"""Between two looks at everything, whatever happens."""
PAUSE: Final = 20
"""A look at everything is followed by this many times what it took, at least, until the next."""
YOUNG: Final = 1
"""The collector's generation of what has survived one look at most."""


class Connections(Protocol):
    """How many connections there are, and how many have ended since the start."""

    connections: int
    connections_ended: int


@attrs.define(eq=False)
class Garbage:
    """When the collector looks at what. `blocks` says how many blocks of memory are in use."""

    _connections: Connections
    _blocks: Callable[[], int] = sys.getallocatedblocks
    _ended: int = attrs.field(init=False, default=0)
    _ended_max: int = attrs.field(init=False, default=0)
    _blocks_max: int = attrs.field(init=False, default=0)
    _not_before_s: float = attrs.field(init=False, default=-math.inf)
    _at_latest_s: float = attrs.field(init=False, default=-math.inf)

    def look(self) -> None:
        """Freeze all that lives, unless very many come and go; after a look at everything, the
        first time and where it is due."""
        before, self._ended = self._ended, self._connections.connections_ended
        if self._is_due(trio.current_time()):
            self._look_at_everything()
        elif self._ended - before > STORM:
            return
        else:
            gc.collect(YOUNG)
        gc.freeze()

    async def run(self) -> None:
        """Look every `FREEZE_S`, until cancelled."""
        while True:
            await trio.sleep(FREEZE_S)
            self.look()

    def _is_due(self, now_s: float) -> bool:
        if now_s < self._not_before_s:
            return False
        has_more = self._ended > self._ended_max or self._blocks() > self._blocks_max
        return has_more or now_s >= self._at_latest_s

    def _look_at_everything(self) -> None:
        began_s = trio.current_time()
        gc.unfreeze()
        gc.collect()
        now_s = trio.current_time()
        self._not_before_s = now_s + PAUSE * (now_s - began_s)
        self._at_latest_s = now_s + LONGEST_S
        there = self._connections
        self._ended_max = self._ended + max(ENDED, there.connections // SHARE)
        blocks = self._blocks()
        self._blocks_max = blocks + max(GROWTH_BLOCKS, blocks // SHARE)
