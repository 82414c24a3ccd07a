"""Logs when something is amiss, and when it is well again (docs/operations, "Health")."""

from collections.abc import Callable, Iterable
from typing import Final

import attrs
import trio

from chatd.observe import ConditionBegan, ConditionEnded, EventLog
from chatd.observe.conditions import DRAINING, STARTING, Gravity, Reason

LOOK_S: Final = 1.0
"""Seconds between two looks; what is over sooner troubles nobody."""

_OF_EVERY_LIFE: Final = (STARTING, DRAINING)
"""Conditions that come with every start and every end, and have their own events."""


@attrs.define(eq=False)
class ConditionWatch:
    """Knows what is amiss and since when, by its code and its room."""

    _reasons: Callable[[], Iterable[Reason]]
    _event_log: EventLog
    _since_s: dict[tuple[str, str | None], float] = attrs.field(init=False, factory=dict)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            self.look(trio.current_time())
            await trio.sleep(LOOK_S)

    def look(self, now_s: float) -> None:
        """Tell what has changed since the last look."""
        found = {
            (reason.code, reason.connection_id): reason
            for reason in self._reasons()
            if reason.kind.gravity is not Gravity.STARTING and reason.kind not in _OF_EVERY_LIFE
        }
        for key, reason in found.items():
            if key not in self._since_s:
                self._since_s[key] = now_s
                self._event_log.record(ConditionBegan(*key, reason.message))
        for key in self._since_s.keys() - found.keys():
            self._event_log.record(ConditionEnded(*key, now_s - self._since_s.pop(key)))
