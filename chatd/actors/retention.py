"""Retention: messages that are too old or too many are removed, a few at a time.

A message's age goes by a time that has been seen for a while (`SteadyTime`), never by a clock that
has just jumped. Each room's removal is an event.

Messages first leave the queues of members, by way of the messages actor, and only then the log: a
crash in between leaves them in the history, and no member is owed what is not there.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import attrs
import trio

from chatd.actors.log_keeper import LogKeeper
from chatd.observe import EventLog, MessagesRemoved
from chatd.store.retention import Keep, Surplus

STEP_MESSAGES = 200  # removed in one transaction, while commits wait
DAY_MS = 86_400_000
NO_POSITION = 2**63 - 1


class Removal(Protocol):
    """Removes something that is too old."""

    @property
    def is_on(self) -> bool:
        """Whether anything is ever removed."""
        ...

    async def run(self) -> None:
        """Remove everything that is too old now. Raises CommitFailed, StoreReadFailed,
        StoreClosed."""
        ...


@attrs.define(eq=False)
class AuditRetention:
    """Removes entries of the audit that are older than `keep_days`; 0 keeps everything."""

    _log: LogKeeper
    _now_ms: Callable[[], int]
    _keep_days: float = attrs.field(kw_only=True)

    @property
    def is_on(self) -> bool:
        return self._keep_days > 0

    def replace(self, keep_days: float) -> None:
        """Keep entries for so long from now on."""
        self._keep_days = keep_days

    async def run(self) -> None:
        before_ms = self._now_ms() - round(self._keep_days * DAY_MS)
        while await self._log.remove_old_audit(before_ms, STEP_MESSAGES) == STEP_MESSAGES:
            await trio.lowlevel.checkpoint()


@attrs.define(eq=False)
class Retention:
    """Removes what `surplus` finds. `keep_days` and `keep_per_room`: 0 keeps everything.

    `disown` takes messages out of the queues of members; it returns False if that failed. `forget`
    gets a connectionId, and the seq from which on that room has messages. `now_ms` is the time that
    ages go by; messages from the position `young_from` on were stored after its first call.
    """

    _log: LogKeeper
    _surplus: Callable[[Keep, int], Awaitable[Sequence[Surplus]]]
    _disown: Callable[[Sequence[Surplus]], Awaitable[bool]]
    _forget: Callable[[str, int], None]
    _now_ms: Callable[[], int]
    _event_log: EventLog
    _young_from: int = attrs.field(kw_only=True)
    _keep_days: float = attrs.field(kw_only=True)
    _keep_per_room: int = attrs.field(kw_only=True)
    _began_s: float = attrs.field(init=False, factory=trio.current_time)

    @property
    def is_on(self) -> bool:
        """Whether anything is ever removed."""
        return self._keep_days > 0 or self._keep_per_room > 0

    async def run(self) -> None:
        """Remove all that is surplus now. Raises CommitFailed, StoreReadFailed, StoreClosed."""
        keep = self._keep()
        removed: dict[str, MessagesRemoved] = {}
        try:
            while surplus := await self._surplus(keep, STEP_MESSAGES):
                if not await self._disown(surplus):
                    return
                await self._log.remove(surplus)
                for one in surplus:
                    self._forget(one.connection_id, one.first_kept)
                    before = removed.get(one.connection_id)
                    first = one.first_removed if before is None else before.first_seq
                    last = one.first_kept - 1
                    removed[one.connection_id] = MessagesRemoved(
                        one.connection_id, last - first + 1, first, last
                    )
                await trio.lowlevel.checkpoint()
        finally:
            for event in removed.values():
                self._event_log.record(event)

    def _keep(self) -> Keep:
        keep_ms, per_room = round(self._keep_days * DAY_MS), self._keep_per_room or None
        if keep_ms == 0:
            return Keep(None, per_room)
        now_ms = self._now_ms()
        up_s = trio.current_time() - self._began_s
        is_long_up = up_s * 1000 > keep_ms
        young_from = NO_POSITION if is_long_up else self._young_from
        return Keep(now_ms - keep_ms, per_room, now_ms, young_from)
