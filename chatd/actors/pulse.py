"""Whether an actor answers: since when it has been at one piece of work, or has left work waiting.

An actor that crashes is started again. One that waits for something that never comes, a disk above
all, does not crash; only the time shows it. Each loop notes when it begins and when it is done:
two assignments a batch.
"""

from typing import Final, Protocol

import attrs

SILENT_S: Final = 10.0
"""An actor does not answer if it has been at one piece of work, or has left one waiting, for more
than these seconds: no work of a healthy actor takes a tenth of that, and clients give up then."""


class Waiting(Protocol):
    """What waits for an actor: its mailbox."""

    def waits_s(self, now_s: float) -> float:
        """For how many seconds the first command has waited; 0 if none waits."""
        ...


@attrs.define(eq=False)
class Pulse:
    """The work of one actor. `begin` and `end` belong to its loop; `is_silent` is for others."""

    _mailbox: Waiting | None = None
    _since_s: float | None = attrs.field(init=False, default=None)

    def begin(self, now_s: float) -> None:
        """The actor is at a piece of work."""
        self._since_s = now_s

    def end(self) -> None:
        """It has done it, or crashed at it: in its next life it begins anew."""
        self._since_s = None

    def is_silent(self, now_s: float) -> bool:
        """Whether it does not answer."""
        if self._since_s is not None and now_s - self._since_s >= SILENT_S:
            return True
        return self._mailbox is not None and self._mailbox.waits_s(now_s) >= SILENT_S
