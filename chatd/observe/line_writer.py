"""Lines of the log on their way out, in a thread: a slow reader of the log holds nothing up.

A pipe that nobody reads, or a slow disk, stops only this thread; lines for which it has no room are
lost, and counted. Lines of a few milliseconds go out in one write.
"""

import threading
from collections.abc import Callable

WAITING_BYTES_MAX = 4_194_304  # lines that wait for a stalled stream; beyond it lines are lost
GATHER_S = 0.02  # how long a line may wait for others, and how much a kill may cut off


class LineWriter:
    """Owns the thread. `write` takes whole lines and may block."""

    def __init__(self, write: Callable[[bytes], None], lost: Callable[[int], None]) -> None:
        """`lost` is called with the number of lines that a broken stream did not take."""
        self._write = write
        self._lost = lost
        self._texts: list[bytes] = []
        self._lines = 0  # in these
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._has_lines = threading.Event()
        self._settled = threading.Event()
        self._settled.set()
        self._hurry = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="chatd-log", daemon=True)
        self._thread.start()

    def put(self, text: bytes, lines: int = 1) -> None:
        """Have so many lines written soon. Raises OSError if too many wait already."""
        with self._lock:
            if self._waiting_bytes + len(text) > WAITING_BYTES_MAX:
                raise BlockingIOError("the log is not being read")
            self._waiting_bytes += len(text)
            self._lines += lines
            self._texts.append(text)
            if len(self._texts) == 1:
                self._settled.clear()
                self._has_lines.set()

    def settle(self, timeout_s: float) -> bool:
        """Wait until all lines are written, `timeout_s` at most; returns whether they are."""
        self._hurry.set()
        try:
            return self._settled.wait(timeout_s)
        finally:
            self._hurry.clear()

    def close(self, timeout_s: float) -> None:
        """Write what is left, within the time, and end the thread."""
        self._ending = True
        self._hurry.set()
        self._has_lines.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            self._has_lines.wait()
            self._hurry.wait(GATHER_S)
            with self._lock:
                texts, self._texts = self._texts, []
                lines, self._lines = self._lines, 0
                self._has_lines.clear()
            text = b"".join(texts)
            try:
                if text:
                    self._write(text)
            except (OSError, ValueError):  # a broken or closed stream: the daemon goes on
                self._lost(lines)
            with self._lock:
                self._waiting_bytes -= len(text)
                if not self._texts:
                    self._settled.set()
                    if self._ending:
                        return
