"""Following the log live: what is recorded also goes to those who follow.

Nothing is copied while nobody follows: only when somebody does are events passed through the tap. A
follower that does not keep up loses lines, and is told how many.
"""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

import attrs
import trio

from chatd.observe.clock import Clock
from chatd.observe.events import EventLog, Level, LogEvent
from chatd.observe.lines import json_line
from chatd.observe.log import LEFT_OUT, fields_of

FOLLOWERS_MAX: Final = 8
"""Followers at once; more are refused."""
LINES_MAX: Final = 1_000
"""Lines that wait for a follower; beyond: the oldest are dropped, and counted."""


class Passing(Protocol):
    """Something that hands events on to a log, and can be told to which."""

    def pass_to(self, log: EventLog) -> None:
        """Hand events on to this one from now on."""
        ...


@attrs.define(eq=False)
class Follower:
    """Lines of one follower, as JSON. `is_over`: no more come, for the daemon is about to end."""

    _least: Level
    ends_with_drain: bool = False
    is_over: bool = attrs.field(init=False, default=False)
    _lines: deque[bytes] = attrs.field(init=False, factory=deque)
    _dropped: int = attrs.field(init=False, default=0)
    _news: trio.Event = attrs.field(init=False, factory=trio.Event)

    def offer(self, line: bytes, level: Level) -> None:
        """One more line; never waits."""
        if level < self._least or self.is_over:
            return
        if len(self._lines) == LINES_MAX:
            self._lines.popleft()
            self._dropped += 1
        self._lines.append(line)
        self._news.set()

    def end(self) -> None:
        """No more lines come."""
        self.is_over = True
        self._news.set()

    async def lines(self, within_s: float) -> bytes:
        """The lines since the last call, once there are some; after `within_s`, none."""
        with trio.move_on_after(within_s):
            await self._news.wait()
        self._news = trio.Event()
        lines = list(self._lines)
        self._lines.clear()
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            lines.insert(0, json_line(_now(), "info", LEFT_OUT, {"count": dropped}))
        return b"".join(lines)


class EventTap:
    """An `EventLog` before another one, while somebody follows."""

    def __init__(self, source: Passing, log: EventLog) -> None:
        """`source` hands events to `log`."""
        self._source = source
        self._log = log
        self._followers: dict[Follower, None] = {}
        self.is_draining = False

    @property
    def count(self) -> int:
        """How many follow."""
        return len(self._followers)

    def follow(self, least: Level, *, ends_with_drain: bool = False) -> Follower | None:
        """Follow events of a level or above, until `leave`, or `drain`; None if too many do, or if
        it would end at once."""
        if len(self._followers) >= FOLLOWERS_MAX or (ends_with_drain and self.is_draining):
            return None
        follower = Follower(least, ends_with_drain)
        self._followers[follower] = None
        self._source.pass_to(self)
        return follower

    def leave(self, follower: Follower) -> None:
        """Stop following; a second call does nothing."""
        self._followers.pop(follower, None)
        if not self._followers:
            self._source.pass_to(self._log)

    def drain(self) -> None:
        """The daemon is about to end: those who would keep it from that follow no longer, and do
        not come back."""
        self.is_draining = True
        for follower in self._followers:
            if follower.ends_with_drain:
                follower.end()

    def record(self, event: LogEvent) -> None:
        self._log.record(event)
        self._offer(event)

    def record_all(self, events: Sequence[LogEvent]) -> None:
        self._log.record_all(events)
        for event in events:
            self._offer(event)

    def _offer(self, event: LogEvent) -> None:
        if not trio.lowlevel.in_trio_run():  # a thread may wake no task
            return
        word = event.level.name.lower()
        line = json_line(_now(), word, event.event_name, fields_of(event))
        for follower in self._followers:
            follower.offer(line, event.level)

    def wants(self, level: Level) -> bool:
        """Whether the log does. Followers get no events that the log leaves out."""
        return self._log.wants(level)

    def settle(self, timeout_s: float) -> None:
        self._log.settle(timeout_s)

    @property
    def lost(self) -> int:
        return self._log.lost


def _now() -> str:
    at = datetime.fromtimestamp(Clock().wall_ms() / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
