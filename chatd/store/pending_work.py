"""What is asked of a writer of the log, and not done."""

import contextlib
from collections.abc import Iterator

import attrs
import trio


@attrs.define(eq=False)
class PendingWork:
    """How much is asked for, and since when the writer has been at the first of it; it does one
    thing after the other."""

    _count: int = attrs.field(init=False, default=0)
    _since_s: float = attrs.field(init=False, default=0.0)

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Something is asked; it is done when the block ends."""
        if not self._count:
            self._since_s = trio.current_time()
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            self._since_s = trio.current_time()

    def waits_s(self, now_s: float) -> float:
        """For how many seconds the writer has been at the first; 0 if nothing is asked."""
        return now_s - self._since_s if self._count else 0.0
