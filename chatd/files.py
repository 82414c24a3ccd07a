"""Opening files in whose place another user may have put something else, and keeping their names.

A pipe whose other end is not open, a terminal, a socket: opening one may wait for ever, and so may
reading it. What chatd expects to be a file is opened here, or looked at here before a library opens
it. Imports nothing of chatd, as every package may need it.
"""

import errno
import os
import stat
from typing import Final

_KINDS: Final = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NotAFileError(OSError):
    """What is there is no regular file; `strerror` says what it is."""


def open_file(path: str | os.PathLike[str], flags: int, mode: int = 0o600) -> int:
    """The descriptor of a regular file, as `os.open` gives it; never waits, closed on exec.

    Raises `NotAFileError` if something else is there, and `OSError` as `os.open` does.
    """
    if not flags & os.O_CREAT or os.path.lexists(path):
        require_file(path)
    # Should it be replaced meanwhile, O_NONBLOCK keeps a pipe from holding us.
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, mode)
    try:
        _require(path, os.fstat(descriptor).st_mode)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_file(path: str | os.PathLike[str]) -> bytes:
    """All that is in a regular file. Raises `NotAFileError`, and `OSError` as `open` does."""
    with open(open_file(path, os.O_RDONLY), "rb") as file:
        return file.read()


def require_file(path: str | os.PathLike[str]) -> None:
    """Look, without opening it. Raises `NotAFileError`, or `OSError` if nothing is there."""
    _require(path, os.stat(path).st_mode)


def leads_to(path: str | os.PathLike[str], descriptor: int) -> bool:
    """Whether the file or directory that is open as `descriptor` is found at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def sync_directory(directory: str | os.PathLike[str]) -> None:
    """Make the names in a directory durable. Raises `OSError`."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give_to_owner_of(directory: str | os.PathLike[str], descriptor: int) -> None:
    """Give what root makes in a directory to the directory's owner, the user of the daemon. Raises
    `OSError`."""
    if os.geteuid() == 0:
        owner = os.stat(directory)
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def fault_of_folder(folder: str | os.PathLike[str]) -> str | None:
    """Why nothing can be in a folder, as the end of a sentence that names what is missing of its
    path; None if it is a folder. Whether this user may write into it shows when something does."""
    path = os.path.abspath(folder)
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        above = os.path.dirname(path)
        return fault_of_folder(above) or f"the folder {path} does not exist"
    except OSError as error:
        return f"the folder {path} cannot be looked at ({error.strerror})"
    return None if stat.S_ISDIR(mode) else f"{path} is {_kind(mode)}, not a folder"


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "a file"
    return next((name for is_one, name in _KINDS if is_one(mode)), "something else")


def _require(path: str | os.PathLike[str], mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    raise NotAFileError(errno.EINVAL, f"it is {_kind(mode)}, not a file", os.fspath(path))
