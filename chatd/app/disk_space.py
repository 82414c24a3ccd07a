"""How much is free on the disk of the state directory, so that somebody can act before it is full.

The system is asked in a thread, as a disk that hangs does not answer; what it said last is known
without a wait.
"""

import os
from pathlib import Path
from typing import Final

import attrs
import trio

LOOK_S: Final = 10.0
"""Seconds between two looks. At 100 MB/s, more than a daemon writes, a disk with the default of
`min_free_bytes` left is not full before the next one."""


@attrs.define(eq=False)
class DiskSpace:
    """What was free, in bytes, when it was last looked at; None before that, and where the system
    does not say. `min_free_bytes` 0: any is enough."""

    _directory: Path
    _min_free_bytes: int
    free_bytes: int | None = attrs.field(init=False, default=None)
    size_bytes: int | None = attrs.field(init=False, default=None)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await trio.sleep(LOOK_S)

    async def look(self) -> None:
        """Look once."""
        try:
            found = await trio.to_thread.run_sync(
                os.statvfs, self._directory, abandon_on_cancel=True
            )
        except OSError:  # the directory is away, which the log reports
            self.free_bytes = self.size_bytes = None
        else:  # what root alone may use is not free to us
            self.free_bytes = found.f_bavail * found.f_frsize
            self.size_bytes = found.f_blocks * found.f_frsize

    def replace(self, min_free_bytes: int) -> None:
        """So much has to be free from now on."""
        self._min_free_bytes = min_free_bytes

    def why_low(self) -> str | None:
        """A sentence where too little is free."""
        free = self.free_bytes
        if free is None or free >= self._min_free_bytes:
            return None
        return (
            f"{_in_mib(free)} are free on the disk of {self._directory}, less than the "
            f"{_in_mib(self._min_free_bytes)} of [state] min_free_bytes: make room."
        )


def _in_mib(count: int) -> str:
    return f"{count / 1_048_576:,.0f} MiB"
