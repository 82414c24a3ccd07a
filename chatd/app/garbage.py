"""Keeps what lives long away from Python's garbage collector.

The collector frees what nobody refers to any more but in a circle. For that it looks at all objects
that it knows, while the event loop stands still, as soon as those that have survived its smaller
looks are a quarter of all, whether they live still or not. A busy daemon, whose messages live in
memory for a while and go without the collector, was looked through every few seconds, for nothing.

So what has survived is frozen every second: the collector does not know it then. What is frozen
and in a circle is found when the memory of the process has grown by a quarter, and a little, since
the last look at everything. While it does not grow there is no such look.
"""

import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs
import trio

FREEZE_S: Final = 1.0
"""Between two freezes: what is new in that time is looked at soon."""
GROWTH: Final = 1.25
SPARE_BYTES: Final = 33_554_432
"""By which factor the resident memory of the process, and by how many bytes more, may have grown
until everything is looked at."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
YOUNG: Final = 1
"""The collector's generation of what has survived one look at most."""


def resident_bytes() -> int:
    """The resident memory of this process."""
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * _PAGE


@attrs.define(eq=False)
class Garbage:
    """When the collector looks at what. `memory` says how many bytes the process holds."""

    _memory: Callable[[], int] = resident_bytes
    _bytes_max: float = attrs.field(init=False, default=0.0)

    def look(self) -> None:
        """Freeze all that lives; the first time, and where there is much more of it than the last
        time, after a look at everything."""
        if self._memory() > self._bytes_max:
            gc.unfreeze()
            gc.collect()
            self._bytes_max = self._memory() * GROWTH + SPARE_BYTES
        else:
            gc.collect(YOUNG)
        gc.freeze()

    async def run(self) -> None:
        """Look every `FREEZE_S`, until cancelled."""
        while True:
            await trio.sleep(FREEZE_S)
            self.look()
