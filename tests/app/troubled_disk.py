"""`chatd` over a disk that is full, broken or hangs, as long as the file `$TROUBLE` says so.

Run with the arguments of chatd. The file holds one of the words below, or nothing: the disk is
well. What is written to the log meets it in SQLite's own files, what is written beside it in `os`.
"""

import errno
import os
import threading
from pathlib import Path

from chatd.cli import main
from tests.store.failing_disk import failing_disk

FULL, BROKEN, HANGS, SNAPSHOTS_HANG = "full", "broken", "hangs", "snapshots hang"
_IS_FOR_SNAPSHOTS = frozenset({"write", "fsync", "rename", "unlink"})
_NO_TROUBLE_WHEN_FULL = frozenset({"unlink", "xTruncate"})  # they take no space


class Trouble:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, operation: str) -> None:
        word = self._path.read_text()
        if word == FULL and operation not in _NO_TROUBLE_WHEN_FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if word == BROKEN:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if word == HANGS or (word == SNAPSHOTS_HANG and operation in _IS_FOR_SNAPSHOTS):
            threading.Event().wait()


if __name__ == "__main__":
    with failing_disk(Trouble(Path(os.environ["TROUBLE"]))):
        main()
