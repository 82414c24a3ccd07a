"""How much of the state directory's disk is free, so that somebody can act before it is full, and
how much of it the log takes.

The system is asked in a thread, since a disk that hangs does not answer; what it said last is known
without waiting.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs
import trio

LOOK_S: Final = 10.0
"""Seconds between two looks. At 25 MB/s, more than a daemon writes, a disk with the default of
`min_free_bytes` left is not full before the next one."""


@attrs.frozen
class Found:
    """What was found, in bytes: what is free to us, the whole disk, and each file, by its name in
    the metrics; 0 for a file that is not there."""

    free: int
    size: int
    files: Mapping[str, int]


@attrs.define(eq=False)
class DiskSpace:
    """`last` is what was found last; None before the first look, and if the system does not say.
    `min_free_bytes` 0: anything is enough."""

    _log: Path
    _min_free_bytes: int
    last: Found | None = attrs.field(init=False, default=None)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await trio.sleep(LOOK_S)

    async def look(self) -> None:
        """Look once."""
        try:
            self.last = await trio.to_thread.run_sync(_look, self._log, abandon_on_cancel=True)
        except OSError:  # the directory is away, which the log reports
            self.last = None

    def replace(self, min_free_bytes: int) -> None:
        """Require so much to be free from now on."""
        self._min_free_bytes = min_free_bytes

    def why_low(self) -> str | None:
        """A sentence if too little is free."""
        if self.last is None or self.last.free >= self._min_free_bytes:
            return None
        return (
            f"{_in_mib(self.last.free)} are free on the disk of {self._log.parent}, less than the "
            f"{_in_mib(self._min_free_bytes)} of [state] min_free_bytes: make room."
        )


def _look(log: Path) -> Found:
    found = os.statvfs(log.parent)
    files = {"log": _size(log), "wal": _size(log.with_name(f"{log.name}-wal"))}
    # What only root may use is not free to us.
    return Found(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, files)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _in_mib(count: int) -> str:
    return f"{count / 1_048_576:,.0f} MiB"
