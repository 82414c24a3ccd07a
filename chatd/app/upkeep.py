"""What has to be done from time to time: the index of the search, retention, a failing disk."""

import math
from typing import Protocol

import trio

from chatd.actors.log_service import LogService
from chatd.actors.retention import Retention
from chatd.observe import Emit, StoreFailed
from chatd.store import CommitFailed, StoreClosed, StoreReadFailed

ROUND_S = 1.0  # between two looks at what there is to do
INDEX_S = 0.05  # of a round, for the index of the search: commits wait for it
RETENTION_S = 60.0  # between two looks for messages that are too old or too many


class Index(Protocol):
    """The index of the search."""

    async def catch_up(self, until_s: float) -> None:
        """Bring it forward, until it is up to date or the time has come."""
        ...


class Upkeep:
    """A task that never ends."""

    def __init__(self, log: LogService, index: Index, retention: Retention, emit: Emit) -> None:
        self._log = log
        self._index = index
        self._retention = retention
        self._emit = emit

    async def run(self) -> None:
        """Do what there is to do, until cancelled."""
        retention_s = trio.current_time() if self._retention.is_on else math.inf
        while True:
            now_s = trio.current_time()
            try:
                if self._log.is_failing:
                    await self._log.commit(())  # where nobody writes, who else would notice
                await self._index.catch_up(now_s + INDEX_S)
                if now_s >= retention_s:
                    retention_s = now_s + RETENTION_S
                    await self._retention.run()
            except CommitFailed as error:
                self._emit.emit(StoreFailed(error.code, error.what))
            except StoreReadFailed as error:
                self._emit.emit(StoreFailed(error.code, str(error)))
            except StoreClosed:
                pass  # the daemon ends, or the writer is being started again
            await trio.sleep(ROUND_S)
