"""How many lines are written of a class of events that can be caused without end.

Pure: the caller gives the time, in whole seconds since the epoch.
"""

from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

import attrs

CHEAP_PER_S: Final = 50
"""Lines a second of one class of cheap events; further ones are only counted."""
ALIKE_S: Final = 60
"""Seconds between two lines of events that are alike."""
ALIKE_MAX: Final = 10_000
"""How many kinds of alike events are remembered; beyond, the oldest is forgotten."""

E = TypeVar("E")


@attrs.define(eq=False)
class Ration(Generic[E]):
    """How much of one class of events was written, and how much was not.

    `is_cheap`: so many a second. `alike_by`: one a minute of each kind.
    """

    is_cheap: bool
    alike_by: Callable[[E], Hashable] | None
    _alike: dict[Hashable, tuple[int, int]] = attrs.field(init=False, factory=dict)
    """Until which second a kind is not to be repeated, and how many were left out."""
    _second: int = attrs.field(init=False, default=-1)
    _written: int = attrs.field(init=False, default=0)
    _left_out: int = attrs.field(init=False, default=0)

    def admit(self, event: E, second: int) -> tuple[bool, int]:
        """Whether it is written; and how many were left out, which is to be reported before it."""
        is_new, of_its_kind = self._is_new(event, second)
        if not is_new or not self.is_cheap:
            return is_new, of_its_kind
        is_within, of_its_class = self._is_within(second)
        return is_within, of_its_kind + of_its_class

    def _is_new(self, event: E, second: int) -> tuple[bool, int]:
        """Whether nothing like it was written for a minute, and how many were left out since."""
        if self.alike_by is None:
            return True, 0
        kind, alike = self.alike_by(event), self._alike
        until, left_out = alike.get(kind, (0, 0))
        if until - ALIKE_S <= second < until:  # a clock that was set back forgets
            alike[kind] = (until, left_out + 1)
            return False, 0
        alike.pop(kind, None)
        if len(alike) >= ALIKE_MAX:
            alike.pop(next(iter(alike)), None)
        alike[kind] = (second + ALIKE_S, 0)
        return True, left_out

    def _is_within(self, second: int) -> tuple[bool, int]:
        """Whether one more is written in this second, and how many were not until now."""
        told = 0
        if second != self._second:
            self._second, self._written = second, 0
            told, self._left_out = self._left_out, 0
        if self._written >= CHEAP_PER_S:
            self._left_out += 1
            return False, told
        self._written += 1
        return True, told
