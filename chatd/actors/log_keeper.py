"""The port through which the log is written and looked after, whatever keeps it."""

from collections.abc import Sequence
from typing import Protocol

import trio

from chatd.chat.commits import CommitOutcome
from chatd.chat.records import Record
from chatd.store.retention import Surplus


class LogKeeper(Protocol):
    """Commits records and does upkeep, one thing after the other.

    Each method may raise `CommitFailed`, after which nothing is written, and `StoreClosed`.
    """

    is_failing: bool
    """The log did not take the last thing that it was given."""
    displaced: str | None
    """Which part of the log is not where it was; None if everything is."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. What it raises ends the messages actor too, which then begins
        again with what the log holds."""
        ...

    async def commit(self, records: Sequence[Record]) -> CommitOutcome:
        """Write all of the records or none; without any, try whether the log takes some."""
        ...

    async def remove(self, surplus: Sequence[Surplus]) -> int:
        """Remove messages that are surplus; returns how many there were."""
        ...

    async def remove_old_audit(self, before_ms: int, most: int) -> int:
        """Remove the oldest entries of the audit from before a time, `most` at most; returns how
        many there were."""
        ...

    async def index_until(self, until_s: float) -> None:
        """Bring the index of the search forward, until `trio.current_time` is `until_s` at most."""
        ...

    async def index_older_until(self, until_s: float) -> int:
        """Index what a renewed index lacks, in the same way; returns how many messages that was."""
        ...

    def waits_s(self, now_s: float) -> float:
        """For how many seconds it has been at the first thing that was asked of it; 0 if nothing
        was."""
        ...

    @property
    def is_rewriting(self) -> bool:
        """Whether everything waits for the log to be written anew, which takes longer the larger it
        is."""
        ...

    async def close(self, timeout_s: float) -> bool:
        """Finish what is queued within this time, and write nothing after that; returns whether it
        was finished."""
        ...
