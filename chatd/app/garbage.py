"""Keeps what lives long away from Python's garbage collector.

The collector frees objects that refer only to each other, in a circle. To find them it looks at all
objects that it knows, while the event loop stands still, as soon as those that have survived its
smaller looks are a quarter of all, whether they are still alive or not. In a busy daemon, whose
messages live in memory for a while and go without the collector, it looked every few seconds, for
nothing.

So what has survived is frozen every second: the collector no longer knows it. That is safe as long
as what goes leaves no circles: `tests/service/test_no_circles` checks this for all kinds of
connections. What is left in circles all the same is found by a look at everything, now and then,
and once there is much more in memory.
"""

import gc
import math
import sys
from collections.abc import Callable
from typing import Final

import attrs
import trio

FREEZE_S: Final = 1.0
"""Seconds between two freezes: what is new in that time is looked at soon."""
COUNT_S: Final = 10.0
"""Seconds between two counts of the blocks. A count reads something from every page that Python
has, which takes 2 ms for 80 MB, since these pages are in no cache. Also the least time between two
looks at everything."""
GROWTH_BLOCKS: Final = 200_000
"""By how many the blocks of memory may grow before everything is looked at. A block is an object,
or what one holds: 80 bytes or so."""
GROWTH_SHARE: Final = 4
"""Or by which part of them, if that is more: one in four."""
LONGEST_S: Final = 600.0
"""The most seconds between two looks at everything."""
YOUNG: Final = 1
"""The collector's generation for what has survived at most one look."""


@attrs.define(eq=False)
class Garbage:
    """When the collector looks at what. `blocks` says how many blocks of memory are in use."""

    _blocks: Callable[[], int] = sys.getallocatedblocks
    _blocks_max: int = attrs.field(init=False, default=0)
    _count_s: float = attrs.field(init=False, default=-math.inf)
    _at_latest_s: float = attrs.field(init=False, default=-math.inf)

    def look(self) -> None:
        """Freeze everything that is alive, after a look at what is young, or at everything the
        first time and whenever that is due."""
        if self._is_due(trio.current_time()):
            self._look_at_everything()
        else:
            gc.collect(YOUNG)
        gc.freeze()

    async def run(self) -> None:
        """Look every `FREEZE_S`, until cancelled."""
        while True:
            await trio.sleep(FREEZE_S)
            self.look()

    def _is_due(self, now_s: float) -> bool:
        if now_s < self._count_s:
            return False
        self._count_s = now_s + COUNT_S
        return now_s >= self._at_latest_s or self._blocks() > self._blocks_max

    def _look_at_everything(self) -> None:
        gc.unfreeze()
        gc.collect()
        self._at_latest_s = trio.current_time() + LONGEST_S
        blocks = self._blocks()
        self._blocks_max = blocks + max(GROWTH_BLOCKS, blocks // GROWTH_SHARE)
