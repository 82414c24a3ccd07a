"""Tells the service manager that the daemon is alive, while every actor answers.

While one does not, the watchdog is not fed: the service manager then ends the process and starts it
again. A drain is exempt: its actors end one after the other, and it has a time limit of its own.
"""

from collections.abc import Callable
from typing import Final

import attrs
import trio

from chatd.app.notify import Notifier

ROUNDS: Final = 4
"""Rounds within the watchdog's time: if a busy loop feeds it late, that is still in time."""
UNWATCHED_S: Final = 10.0
"""Seconds between two rounds if no watchdog waits: the status is renewed."""


@attrs.define(eq=False)
class Watchdog:
    """A task that never ends. `is_stuck` says whether an actor does not answer, `status` is the
    state of the daemon in a line, and `is_ending` says whether it drains."""

    _notifier: Notifier
    _is_stuck: Callable[[], bool]
    _status: Callable[[], str]
    _is_ending: Callable[[], bool]

    async def run(self) -> None:
        """Go round until cancelled."""
        watchdog_s = self._notifier.watchdog_s
        round_s = UNWATCHED_S if watchdog_s is None else watchdog_s / ROUNDS
        while True:
            began_s, is_ending = trio.current_time(), self._is_ending()
            if watchdog_s is not None and (is_ending or not self._is_stuck()):
                self._notifier.alive()
            self._notifier.retry()
            if not is_ending:
                self._notifier.status(self._status())
            await trio.sleep_until(began_s + round_s)
