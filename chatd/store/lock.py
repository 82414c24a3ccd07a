"""One daemon for each state directory: a file that is locked as long as the store is open.

`flock`, as the kernel drops it with the process, however that ends; the file stays and means
nothing by itself. It holds the process id, for the sentence to whoever comes second.
"""

import fcntl
import os
from pathlib import Path

from chatd.store.errors import StoreLocked

LOCK_NAME = "lock"
_LONGEST_PID = 32


class DirectoryLock:
    """Held from `take` to `release`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, directory: Path) -> "DirectoryLock":
        """Lock `directory`, or raise `StoreLocked` at once; `OSError` where it cannot be tried."""
        path = directory / LOCK_NAME
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, _LONGEST_PID).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise StoreLocked(
                f"The state directory {directory} is in use by another chatd"
                f"{f' (process {holder})' if holder else ''}. Stop it first, or give this one "
                "a directory of its own."
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        lock = cls(descriptor)
        lock._note_holder()
        return lock

    def release(self) -> None:
        """Let the next one in. A second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _note_holder(self) -> None:
        assert self._descriptor is not None
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        except OSError:
            pass  # a full disk: the lock holds without the note
