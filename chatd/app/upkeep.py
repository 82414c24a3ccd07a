"""What has to be done from time to time: a look at the disk, where it failed."""

import trio

from chatd.actors.log_service import LogService
from chatd.observe import Emit, StoreFailed
from chatd.store import CommitFailed, StoreClosed

ROUND_S = 1.0  # between two looks at what there is to do


class Upkeep:
    """A task that never ends."""

    def __init__(self, log: LogService, emit: Emit) -> None:
        self._log = log
        self._emit = emit

    async def run(self) -> None:
        """Do what there is to do, until cancelled."""
        while True:
            try:
                if self._log.is_failing:
                    await self._log.commit(())  # where nobody writes, who else would notice
            except CommitFailed as error:
                self._emit.emit(StoreFailed(error.code, error.what))
            except StoreClosed:
                pass  # the daemon ends, or the writer is being started again
            await trio.sleep(ROUND_S)
