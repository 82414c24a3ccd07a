"""One daemon for each state directory: locks that last as long as the store is open.

A process that locks the directory holds all of these, and the kernel drops them with the process,
however that ends:

- a `flock` on the directory itself, wherever it is moved to, by whatever path or network namespace
  a process reaches it;
- a socket in the abstract namespace, whose name says the path and the directory above it: nothing
  removes that while the process lives, so a second daemon is kept away even if the directory was
  deleted and made anew (only Linux has these). Any user of the machine may take a name there, so a
  name that another user than root has taken says nothing, and only the other locks hold;
- a `flock` on a file in it, for older versions of chatd, which know no other lock. It holds the
  process id, for the error of a second process.

The first two cannot be unlinked; if the file was, `renew` makes it again.
"""

import contextlib
import errno
import fcntl
import os
import socket
import struct
import sys
from hashlib import sha256
from pathlib import Path
from typing import Final

import attrs

from chatd.files import leads_to, open_file
from chatd.store.errors import StoreLocked

LOCK_NAME: Final = "lock"
_LONGEST_PID: Final = 32
_SOCKET_PREFIX: Final = "\0chatd-state-"
_PEER: Final = struct.Struct("iII")  # struct ucred: process id, user id, group id
_BACKLOG: Final = 128  # connects that only look up the process; none is accepted


class DirectoryLock:
    """Held from `acquire` to `release`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held = contextlib.ExitStack()
        self._file: int | None = None

    @classmethod
    def acquire(cls, directory: Path) -> "DirectoryLock":
        """Lock `directory`, or raise `StoreLocked` at once; `OSError` if it cannot be tried."""
        lock = cls(directory)
        try:
            lock._lock_directory()
            lock._lock_name()
            lock._lock_file()
        except BaseException:
            lock.release()
            raise
        return lock

    def release(self) -> None:
        """Release all locks. A second call does nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._held.close()

    def renew(self) -> bool:
        """Make the file again if it was removed or replaced; returns whether it was.

        Nothing is made if another directory is at the path now. Raises `StoreLocked` if another
        process holds the new file, `OSError` if the file cannot be made.
        """
        if self._file is None or leads_to(self._directory / LOCK_NAME, self._file):
            return False
        if not self.is_directory_at():
            return False
        old = self._file
        self._lock_file()  # if that fails, the next look tries again
        os.close(old)
        return True

    def _lock_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._held.callback(os.close, descriptor)
        self._descriptor = descriptor
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._in_use(self._noted_holder()) from None
        except OSError:
            pass  # a network file system that locks no directories: the other locks hold

    def _lock_name(self) -> None:
        if sys.platform != "linux":
            return
        name = _socket_name(self._directory)
        guard = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with guard:
            try:
                guard.bind(name)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                holder = _holder_of(name)
                if holder is not None and holder.user_id not in (0, os.geteuid()):
                    return
                raise self._in_use("" if holder is None else holder.shown) from None
            guard.listen(_BACKLOG)
            self._held.callback(os.close, guard.detach())

    def _lock_file(self) -> None:
        descriptor = open_file(self._directory / LOCK_NAME, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise self._in_use(self._noted_holder()) from None
        except BaseException:
            os.close(descriptor)
            raise
        self._file = descriptor
        with contextlib.suppress(OSError):  # a full disk: the lock holds without the note
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)

    def is_directory_at(self) -> bool:
        """Whether the path still leads to the directory that was locked."""
        return leads_to(self._directory, self._descriptor)

    def _noted_holder(self) -> str:
        try:
            descriptor = open_file(self._directory / LOCK_NAME, os.O_RDONLY)
        except OSError:
            return ""
        with contextlib.closing(os.fdopen(descriptor, "rb")) as file:
            return file.read(_LONGEST_PID).decode("ascii", "replace").strip()

    def _in_use(self, holder: str) -> StoreLocked:
        return StoreLocked(
            f"The state directory {self._directory} is in use by another chatd"
            f"{f' (process {holder})' if holder else ''}. Stop it first, or give this one "
            "a directory of its own."
        )


def _socket_name(directory: Path) -> str:
    """The same for every process that means this directory, and for no other directory.

    It is made of the path, as the directory may be deleted and made anew; and of the directory
    above it, as containers that share the network of the machine have other directories at the same
    path.
    """
    path = os.path.realpath(directory)
    above = os.stat(os.path.dirname(path))
    meant = f"{above.st_dev}:{above.st_ino}:{path}"
    return _SOCKET_PREFIX + sha256(os.fsencode(meant)).hexdigest()


@attrs.frozen
class _Holder:
    """The process that has a name, and its user; in another namespace either may be unknown."""

    process_id: int
    user_id: int

    @property
    def shown(self) -> str:
        return str(self.process_id) if self.process_id else ""


def _holder_of(name: str) -> _Holder | None:
    """The holder of a name in the abstract namespace; None if it cannot be found out."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(name)
            credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        except OSError:
            return None
    process_id, user_id, _ = _PEER.unpack(credentials)
    return _Holder(process_id, user_id)
