"""What is done from time to time: indexing for the search, retention, looking at a failing disk.

If the files of the log are removed or replaced while the daemon runs, that is noticed here within a
second, even without a commit. The daemon then stays up and refuses messages: it holds the only copy
of what was removed, which a new start would not find. It goes on by itself once the same files come
back.
"""

import math
from collections.abc import Callable, Sequence

import attrs
import trio

from chatd.actors.log_keeper import LogKeeper
from chatd.actors.retention import Removal
from chatd.app.ages import Ages
from chatd.observe import (
    EventLog,
    FileRenewed,
    LogDisplaced,
    LogReturned,
    SearchIndexRenewed,
    SearchIndexRenewing,
    StoreFailed,
)
from chatd.store import CommitFailed, StoreClosed, StoreLocked, StoreReadFailed
from chatd.wire.codes import Code

ROUND_S = 1.0  # between two rounds
INDEX_S = 0.05  # of a round, for the index of the search: commits wait for it
OLDER_S = 0.2  # of a round, for what a renewed index lacks: a million messages in ten minutes
AGAIN_S = 60.0  # between two lines about a disk that fails in the same way
RETENTION_S = 60.0  # between two searches for messages that are too old or too many


@attrs.define(eq=False)
class Upkeep:
    """A task that never ends, with `round_s` between two rounds.

    Each of `removals` is run now and then. `renew` makes again the files that are gone, and returns
    their names; it may block. Reading `ages` now and then reports a jump of the clock.
    """

    _log: LogKeeper
    _removals: Sequence[Removal]
    _renew: Callable[[], list[str]]
    _ages: Ages
    _event_log: EventLog
    round_s: float = ROUND_S
    _reported: StoreFailed | None = attrs.field(init=False, default=None)
    _reported_s: float = attrs.field(init=False, default=-math.inf)
    _displaced: str | None = attrs.field(init=False, default=None)
    _may_lack_older: bool = attrs.field(init=False, default=True)  # the index, until looked at
    _indexed_anew: int = attrs.field(init=False, default=0)  # messages

    async def run(self) -> None:
        """Go round until cancelled."""
        retention_s = trio.current_time()
        while True:
            now_s = trio.current_time()
            self._ages.now_ms()
            try:
                if self._log.is_failing:
                    await self._log.commit(())  # no client may commit, and so notice
                await self._log.index_until(now_s + INDEX_S)
                if self._may_lack_older:
                    await self._index_older()
                for name in await trio.to_thread.run_sync(self._renew, abandon_on_cancel=True):
                    self._event_log.record(FileRenewed(name))
                if now_s >= retention_s:
                    retention_s = now_s + RETENTION_S
                    for one in self._removals:
                        if one.is_on:
                            await one.run()
            except CommitFailed as error:
                if not error.is_displaced:
                    self._report(StoreFailed(error.code, error.what), now_s)
            except OSError as error:
                self._report(
                    StoreFailed(Code.STORAGE_ERROR, f"lock, mark: {error.strerror}"), now_s
                )
            except StoreLocked as error:
                self._report(StoreFailed(Code.STORAGE_ERROR, str(error)), now_s)
            except (StoreReadFailed, StoreClosed):
                pass  # reported by the readers; or the daemon ends, or the writer starts again
            self._report_place()
            await trio.sleep(self.round_s)

    async def _index_older(self) -> None:
        indexed = await self._log.index_older_until(trio.current_time() + OLDER_S)
        self._may_lack_older = indexed > 0
        if indexed and not self._indexed_anew:
            self._event_log.record(SearchIndexRenewing())
        elif self._indexed_anew and not indexed:
            self._event_log.record(SearchIndexRenewed(self._indexed_anew))
        self._indexed_anew += indexed

    def _report(self, failed: StoreFailed, now_s: float) -> None:
        """A failure that lasts is reported now and then, not each second."""
        if failed != self._reported or now_s - self._reported_s >= AGAIN_S:
            self._reported, self._reported_s = failed, now_s
            self._event_log.record(failed)

    def _report_place(self) -> None:
        displaced = self._log.displaced
        if displaced is not None and self._displaced is None:
            self._event_log.record(LogDisplaced(displaced))
        elif displaced is None and self._displaced is not None:
            self._event_log.record(LogReturned())
        self._displaced = displaced
