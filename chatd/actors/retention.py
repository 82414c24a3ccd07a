"""Retention: messages that are too old or too many are removed, a few at a time.

First they leave the queues of members, by way of the messages actor, and only then the log: a crash
in between leaves them in the history, and nobody is owed what is not there.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

import trio

from chatd.actors.log_service import LogService
from chatd.store import LogReaders
from chatd.store.retention import Keep, Surplus, find_surplus, remove

STEP_MESSAGES = 200  # removed in one transaction, for which commits wait
DAY_MS = 86_400_000


class Heads(Protocol):
    """Who shows rooms to people."""

    def forget(self, connection_id: str, first_seq: int) -> None:
        """What is below `first_seq` is not there any more."""
        ...


class Retention:
    """Removes what is surplus. `keep_days` and `keep_per_room`: 0 keeps everything."""

    def __init__(
        self,
        log: LogService,
        readers: LogReaders,
        disown: Callable[[Sequence[Surplus]], Awaitable[bool]],
        heads: Heads,
        wall_ms: Callable[[], int],
        *,
        keep_days: float,
        keep_per_room: int,
    ) -> None:
        """`disown` takes what goes out of the queues of members; False where that failed."""
        self._log = log
        self._readers = readers
        self._disown = disown
        self._heads = heads
        self._wall_ms = wall_ms
        self._keep_ms = round(keep_days * DAY_MS) or None
        self._per_room = keep_per_room or None

    @property
    def is_on(self) -> bool:
        """Whether anything is ever removed."""
        return self._keep_ms is not None or self._per_room is not None

    async def run(self) -> None:
        """Remove all that is surplus now. Raises CommitFailed, StoreReadFailed, StoreClosed."""
        oldest_ms = None if self._keep_ms is None else self._wall_ms() - self._keep_ms
        find = partial(find_surplus, keep=Keep(oldest_ms, self._per_room), most=STEP_MESSAGES)
        while surplus := await self._readers.read(find):
            if not await self._disown(surplus):
                return
            await self._log.maintain(partial(remove, surplus=surplus))
            for one in surplus:
                self._heads.forget(one.connection_id, one.first_kept)
            await trio.lowlevel.checkpoint()
