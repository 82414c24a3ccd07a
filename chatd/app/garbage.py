"""Keeps what lives long away from Python's garbage collector.

The collector frees what nobody refers to any more but in a circle. For that it looks at all objects
that it knows, while the event loop stands still, as soon as those that have survived its smaller
looks are a quarter of all, whether they live still or not. A busy daemon, whose messages live in
memory for a while and go without the collector, was looked through every few seconds, for nothing.

So what has survived is frozen every second: the collector does not know it then. What was frozen
and is left behind in a circle is found by a look at everything, where there may be some: the
process has grown, or many connections have ended since the last one.
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
GROWTH_BYTES: Final = 33_554_432
"""By which the resident memory of the process may grow until everything is looked at."""
ENDED_MAX: Final = 2_000
"""Connections that may end until everything is looked at. Each is a circle, of about 1 KiB."""
YOUNG: Final = 1
"""The collector's generation of what has survived one look at most."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    """The resident memory of this process."""
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * _PAGE


@attrs.define(eq=False)
class Garbage:
    """When the collector looks at what. `ended` says how many connections have ended since the
    start, `memory` how many bytes the process holds."""

    _ended: Callable[[], int]
    _memory: Callable[[], int] = resident_bytes
    _ended_max: int = attrs.field(init=False, default=0)
    _bytes_max: int = attrs.field(init=False, default=0)

    def look(self) -> None:
        """Freeze all that lives; after a look at everything, the first time and where it is due."""
        if self._memory() > self._bytes_max or self._ended() > self._ended_max:
            gc.unfreeze()
            gc.collect()
            self._bytes_max = self._memory() + GROWTH_BYTES
            self._ended_max = self._ended() + ENDED_MAX
        else:
            gc.collect(YOUNG)
        gc.freeze()

    async def run(self) -> None:
        """Look every `FREEZE_S`, until cancelled."""
        while True:
            await trio.sleep(FREEZE_S)
            self.look()
