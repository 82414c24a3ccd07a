"""A log that keeps what it is given, for tests and for whoever wants to look at events."""

from typing import TypeVar

import attrs

from chatd.observe.events import Event, Level

E = TypeVar("E", bound=Event)


@attrs.define
class Recorder:
    """Keeps every event, whatever its level, in order; takes the place of `Log`."""

    events: list[Event] = attrs.field(factory=list)
    lost: int = 0

    def wants(self, level: Level) -> bool:
        """Everything is kept."""
        del level
        return True

    def record(self, event: Event) -> None:
        self.events.append(event)

    def settle(self, timeout_s: float) -> None:
        """Nothing waits here."""

    def of(self, kind: type[E]) -> list[E]:
        """The events of one class."""
        return [event for event in self.events if isinstance(event, kind)]
