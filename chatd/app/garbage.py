"""Keeps what lives long away from Python's garbage collector.

The collector frees what nobody refers to any more but in a circle. For that it looks at all objects
that it knows, while the event loop stands still, as soon as those that have survived its smaller
looks are a quarter of all, whether they live still or not. A busy daemon, whose messages live in
memory for a while and go without the collector, was looked through every few seconds, for nothing.

So what has survived is frozen every second: the collector does not know it then. What is frozen
and in a circle is found when the process has grown by a quarter since the last look at everything.
While it does not grow there is no such look.
"""

import gc
import sys
from collections.abc import Callable
from typing import Final

import attrs
import trio

FREEZE_S: Final = 1.0
"""Between two freezes: what is new in that time is looked at soon."""
GROWTH: Final = 1.25
SPARE_BLOCKS: Final = 400_000
"""By which factor the blocks of memory, and by how many more, may have become more until everything
is looked at. A block is an object, or what one holds."""
YOUNG: Final = 1
"""The collector's generation of what has survived one look at most."""


@attrs.define(eq=False)
class Garbage:
    """When the collector looks at what. `blocks` says how many blocks of memory are in use."""

    _blocks: Callable[[], int] = sys.getallocatedblocks
    _blocks_max: float = attrs.field(init=False, default=0.0)

    def look(self) -> None:
        """Freeze all that lives; the first time, and where there is much more of it than the last
        time, after a look at everything."""
        if self._blocks() > self._blocks_max:
            gc.unfreeze()
            gc.collect()
            self._blocks_max = self._blocks() * GROWTH + SPARE_BLOCKS
        else:
            gc.collect(YOUNG)
        gc.freeze()

    async def run(self) -> None:
        """Look every `FREEZE_S`, until cancelled."""
        while True:
            await trio.sleep(FREEZE_S)
            self.look()
