"""Telling the service manager that the daemon is alive, while every actor answers.

Each actor is asked through its mailbox. One that does not answer in time is still asked, and the
watchdog is not fed until it has: the service manager then ends the process and starts it again. A
drain is exempt: its actors end one after the other, and its time has a bound of its own.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import attrs
import trio

from chatd.app.notify import Notifier
from chatd.observe import ActorsSilent, EventLog

ROUNDS: Final = 4
"""In the time of the watchdog: one that is fed late by a busy loop is fed in time still."""
UNWATCHED_S: Final = 10.0
"""Between two rounds where no watchdog waits: the status is renewed."""


@attrs.define(eq=False)
class Watchdog:
    """A task that never ends. `asks` wait for the answer of an actor, by its name; `status` says
    how the daemon is, in a line, and `is_ending` whether it drains."""

    _notifier: Notifier
    _asks: Mapping[str, Callable[[], Awaitable[None]]]
    _status: Callable[[], str]
    _is_ending: Callable[[], bool]
    _event_log: EventLog
    _asked: set[str] = attrs.field(init=False, factory=set)
    _news: trio.Event = attrs.field(init=False, factory=trio.Event)

    async def run(self) -> None:
        """Go round until cancelled."""
        watchdog_s = self._notifier.watchdog_s
        round_s = UNWATCHED_S if watchdog_s is None else watchdog_s / ROUNDS
        async with trio.open_nursery() as nursery:
            while True:
                began_s = trio.current_time()
                if watchdog_s is not None:
                    await self._feed(nursery, round_s)
                self._notifier.retry()
                if not self._is_ending():
                    self._notifier.status(self._status())
                await trio.sleep_until(began_s + round_s)

    async def _feed(self, nursery: trio.Nursery, within_s: float) -> None:
        for name in self._asks.keys() - self._asked:
            self._asked.add(name)
            nursery.start_soon(self._ask, name)
        with trio.move_on_after(within_s):
            while self._asked and not self._is_ending():
                await self._news.wait()
        if self._asked and not self._is_ending():
            self._event_log.record(ActorsSilent(tuple(sorted(self._asked)), within_s))
        else:
            self._notifier.alive()

    async def _ask(self, name: str) -> None:
        await self._asks[name]()
        self._asked.remove(name)
        self._news.set()
        self._news = trio.Event()
