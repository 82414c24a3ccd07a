"""A log that keeps events, for tests and for the inspection of a database."""

from collections.abc import Sequence
from typing import TypeVar

import attrs

from chatd.observe.events import Level, LogEvent

E = TypeVar("E", bound=LogEvent)


@attrs.define
class Recorder:
    """Keeps every event, whatever its level, in order; takes the place of `Log`."""

    events: list[LogEvent] = attrs.field(factory=list)
    lost: int = 0

    def wants(self, level: Level) -> bool:
        """Everything is kept."""
        del level
        return True

    def record(self, event: LogEvent) -> None:
        self.events.append(event)

    def record_all(self, events: Sequence[LogEvent]) -> None:
        for event in events:
            self.record(event)

    def settle(self, timeout_s: float) -> None:
        """Nothing waits here."""

    def of(self, kind: type[E]) -> list[E]:
        """The events of one class."""
        return [event for event in self.events if isinstance(event, kind)]
