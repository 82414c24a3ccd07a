"""A disk that fails where a test says so: SQLite's writes and syncs by a VFS, our own around `os`.

`trouble` is asked before every operation that changes a file or makes it durable, and raises the
`OSError` that is to be met. SQLite then says what it says of the same error of the system.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import apsw
import pytest

from tests.store.recorded_disk import connected_by_apsw

VFS_NAME = "failing"
OURS = ("write", "fsync", "rename", "unlink")  # what the store calls of `os`
_STANDARD_STREAMS = frozenset({0, 1, 2})

Trouble: TypeAlias = Callable[[str], None]


@contextlib.contextmanager
def failing_disk(trouble: Trouble) -> Iterator[None]:
    """Everything is done by way of `trouble`, which is told the name of each operation."""
    vfs = _FailingVFS(trouble)
    try:
        with connected_by_apsw(VFS_NAME), pytest.MonkeyPatch.context() as patch:
            for name in OURS:
                patch.setattr(os, name, _asking(trouble, name, getattr(os, name)))
            yield
    finally:
        vfs.unregister()


def _asking(trouble: Trouble, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def ask(*arguments: Any, **named: Any) -> Any:
        if arguments[0] not in _STANDARD_STREAMS:
            trouble(name)
        return real(*arguments, **named)

    return ask


@contextlib.contextmanager
def _as_sqlite_says_it(code: int) -> Iterator[None]:
    """As SQLite's own VFS: only a write that finds no space is a full disk."""
    try:
        yield
    except OSError as error:
        is_full = code == apsw.SQLITE_IOERR_WRITE and error.errno == errno.ENOSPC
        raise apsw.exception_for(apsw.SQLITE_FULL if is_full else code) from error


class _FailingVFS(apsw.VFS):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(VFS_NAME, "unix")
        self._trouble = trouble

    def xOpen(self, name: Any, flags: list[int]) -> "_FailingFile":
        return _FailingFile(self._trouble, name, flags)


class _FailingFile(apsw.VFSFile):
    def __init__(self, trouble: Trouble, name: Any, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._trouble = trouble

    def xWrite(self, content: bytes, offset: int) -> None:
        with _as_sqlite_says_it(apsw.SQLITE_IOERR_WRITE):
            self._trouble("xWrite")
        super().xWrite(content, offset)

    def xTruncate(self, size: int) -> None:
        with _as_sqlite_says_it(apsw.SQLITE_IOERR_TRUNCATE):
            self._trouble("xTruncate")
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        with _as_sqlite_says_it(apsw.SQLITE_IOERR_FSYNC):
            self._trouble("xSync")
        super().xSync(flags)
