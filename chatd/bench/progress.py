"""A bar on a terminal while a run goes on.

Owns that line. If standard error is not a terminal, it writes nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

import trio

WIDTH: Final = 24
EVERY_S: Final = 0.1
_CLEAR: Final = "\r\x1b[K"
_PARTS: Final = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int = WIDTH) -> str:
    """A bar that is filled to a share from 0 to 1.

    >>> bar(0.5, 3)
    '█▌ '
    """
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, part = divmod(eighths, 8)
    return ("█" * full + (_PARTS[part] if part else "")).ljust(width)


class Progress:
    """What is being done, and how far it is; the bar shows only while `draw` runs."""

    def __init__(self, stream: TextIO, *, is_terminal: bool) -> None:
        self._stream = stream
        self._is_terminal = is_terminal
        self._what: str | None = None
        self._seconds = 0.0
        self._began_s = 0.0

    def tell(self, sentence: str) -> None:
        """Write a sentence that stays, on a terminal or not."""
        self._write(f"{_CLEAR if self._is_terminal else ''}{sentence}\n")

    @contextmanager
    def step(self, what: str, seconds: float) -> Iterator[None]:
        """While the body runs, show that `what` is being done, which takes about so long."""
        self._what, self._seconds, self._began_s = what, seconds, trio.current_time()
        try:
            yield
        finally:
            self._what = None
            if self._is_terminal:
                self._write(_CLEAR)

    async def draw(self) -> None:
        """Draw the bar again and again, until cancelled."""
        while self._is_terminal:
            if self._what is not None:
                gone_s = trio.current_time() - self._began_s
                share = gone_s / self._seconds if self._seconds else 1.0
                self._write(f"{_CLEAR}{bar(share)} {self._what}")
            await trio.sleep(EVERY_S)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
