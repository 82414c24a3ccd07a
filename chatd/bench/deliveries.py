"""Checks whether what was sent came, once and in order. Pure.

Each message carries a mark: the step it belongs to, its sender, its number among those of that
sender in the step (0, 1, 2, ...), and when it was due. So a receiver knows what came twice or too
late without being told what was sent; the counts tell what did not come.
"""

import re
from typing import Final

MARK: Final = re.compile(rb"~(\d+)\.(\d+)\.(\d+)\.(\d+)~")
"""The step, the sender, the number, the microsecond at which it was due."""

HELD_MAX: Final = 100_000
"""How many missing numbers one receiver remembers; a late message beyond these counts as having
come twice. Either makes the run fail."""


def mark(step: int, sender: int, number: int, due_us: int) -> bytes:
    """The mark of a message, as `MARK` finds it."""
    return b"~%d.%d.%d.%d~" % (step, sender, number, due_us)


class Deliveries:
    """What one receiver got in one step."""

    __slots__ = ("_missing", "_next", "out_of_order", "received", "twice")

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self._missing: set[tuple[int, int]] = set()
        self.received = 0  # each message once
        self.twice = 0
        self.out_of_order = 0

    def came(self, sender: int, number: int) -> bool:
        """Take a message; returns whether it is new."""
        due = self._next.get(sender, 0)
        if number == due:
            self._next[sender] = due + 1
        elif number > due:
            room = HELD_MAX - len(self._missing)
            self._missing.update((sender, gone) for gone in range(due, min(number, due + room)))
            self._next[sender] = number + 1
        elif (sender, number) in self._missing:
            self._missing.discard((sender, number))
            self.out_of_order += 1
        else:
            self.twice += 1
            return False
        self.received += 1
        return True
