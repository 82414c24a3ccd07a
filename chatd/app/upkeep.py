"""What has to be done from time to time: the index of the search, a look at a disk that failed."""

from typing import Protocol

import trio

from chatd.actors.log_service import LogService
from chatd.observe import Emit, StoreFailed
from chatd.store import CommitFailed, StoreClosed

ROUND_S = 1.0  # between two looks at what there is to do


class Index(Protocol):
    """The index of the search."""

    async def catch_up(self, until_s: float) -> None:
        """Bring it forward, until it is up to date or the time has come."""
        ...


class Upkeep:
    """A task that never ends."""

    def __init__(self, log: LogService, index: Index, emit: Emit) -> None:
        self._log = log
        self._index = index
        self._emit = emit

    async def run(self) -> None:
        """Do what there is to do, until cancelled."""
        while True:
            try:
                if self._log.is_failing:
                    await self._log.commit(())  # where nobody writes, who else would notice
                await self._index.catch_up(trio.current_time() + ROUND_S)
            except CommitFailed as error:
                self._emit.emit(StoreFailed(error.code, error.what))
            except StoreClosed:
                pass  # the daemon ends, or the writer is being started again
            await trio.sleep(ROUND_S)
