"""The state directory and its disk: who owns it, whether a daemon can write there, and free space.

If the directory is not there yet, the checks look at the one in which a start would make it. A
probe is a file of 4 KiB that is removed at once.
"""

import os
import pwd
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from chatd.app.deep.check import Found, Surroundings, doubtful, fine, wrong
from chatd.app.errors import EXIT_CONFIG
from chatd.config import shown_path, state_directory
from chatd.files import fault_of_folder, sync_directory

SPACE_BYTES_MIN: Final = 67_108_864
"""Free bytes below which messages may be refused within minutes: SQLite's write-ahead log and a
snapshot alone can take as much."""
SPACE_BYTES_DOUBTFUL: Final = 1_073_741_824
"""Free bytes below which somebody should see to it: a busy day of a team."""
PROBE_BYTES: Final = 4096
PROBES: Final = 5
SYNC_S_DOUBTFUL: Final = 0.1
"""If a sync takes more seconds, people notice that every message waits for one."""
_REMOTE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "afs", "ceph", "fuse.sshfs"})
_PASSING: Final = frozenset({"tmpfs", "ramfs"})


def look_at_owner(surroundings: Surroundings) -> Found:
    """Who owns the directory and the files in it, and whether others may change them."""
    directory = _state_directory(surroundings)
    if not directory.exists():
        above = _existing(directory)
        fault = fault_of_folder(above)
        if fault is not None:
            return wrong(f"{fault}; set state.dir to another place.", EXIT_CONFIG)
        return fine(f"{shown_path(directory)} is not there yet; a start makes it.")
    fault = fault_of_folder(directory)
    if fault is not None:
        return wrong(f"{fault}; set state.dir to another place.", EXIT_CONFIG)
    here = directory.stat()
    shown, owner, user = shown_path(directory), _name(here.st_uid), os.geteuid()
    if user not in (0, here.st_uid):
        return wrong(
            f"{shown} belongs to {owner}, and this is {_name(user)}: run this as {owner}, or set "
            "state.dir.",
            EXIT_CONFIG,
        )
    if here.st_mode & stat.S_IWOTH:
        return wrong(
            f"Every user may write into {shown} (mode {stat.S_IMODE(here.st_mode):04o}): "
            "chmod 700 it.",
            EXIT_CONFIG,
        )
    files = list(_files(directory))
    strange = sorted(entry.name for entry in files if entry.stat().st_uid != here.st_uid)
    if strange:
        return wrong(
            f"{shown} belongs to {owner}, but not {', '.join(map(_shown, strange))}: a command "
            f"ran as another user; chown {owner} what is in it.",
            EXIT_CONFIG,
        )
    read = sorted(entry.name for entry in files if entry.stat().st_mode & 0o077)
    if read:
        return doubtful(
            f"Users other than {owner} can open {', '.join(map(_shown, read))} in {shown}: "
            "chmod 600."
        )
    return fine(f"{shown} and what is in it belong to {owner}.")


def look_at_writing(surroundings: Surroundings) -> Found:
    """Whether what is written there stays, and how long that takes."""
    directory = _existing(_state_directory(surroundings))
    shown = shown_path(directory)
    took_s: list[float] = []
    try:
        descriptor, name = tempfile.mkstemp(prefix=".chatd-check-", dir=directory)
        try:
            for _ in range(PROBES):
                began_s = time.perf_counter()
                os.write(descriptor, bytes(PROBE_BYTES))
                os.fsync(descriptor)
                took_s.append(time.perf_counter() - began_s)
        finally:
            os.close(descriptor)
            os.unlink(name)
        sync_directory(directory)
    except OSError as error:
        return wrong(f"{shown} takes no file ({error.strerror}): make room, or set state.dir.")
    usual_s = sorted(took_s)[PROBES // 2]
    if usual_s > SYNC_S_DOUBTFUL and surroundings.config.state.durability == "fsync":
        return doubtful(
            f"A sync in {shown} takes {usual_s * 1000:.0f} ms, and every message waits for one: "
            "take a faster disk."
        )
    return fine(f"{shown} can be written, and a sync takes {usual_s * 1000:.1f} ms.")


def look_at_space(surroundings: Surroundings) -> Found:
    """How much room the disk has left."""
    directory = _existing(_state_directory(surroundings))
    shown, disk = shown_path(directory), os.statvfs(directory)
    free = disk.f_bavail * disk.f_frsize
    if disk.f_files and not disk.f_favail:
        return wrong(f"The disk of {shown} takes no more files: remove some.")
    if free < SPACE_BYTES_MIN:
        return wrong(f"The disk of {shown} has {_size(free)} left: make room.")
    if free < SPACE_BYTES_DOUBTFUL:
        return doubtful(f"The disk of {shown} has {_size(free)} left: make room soon.")
    return fine(f"The disk of {shown} has {_size(free)} left.")


def look_at_disk(surroundings: Surroundings) -> Found | None:
    """What kind of file system it is, if the system tells."""
    directory = _existing(_state_directory(surroundings))
    kind, shown = _file_system(directory), shown_path(directory)
    if kind is None:
        return None
    if kind in _REMOTE:
        return wrong(
            f"{shown} is on another machine ({kind}), where the log can be damaged: set state.dir "
            "to a local disk.",
            EXIT_CONFIG,
        )
    if kind in _PASSING:
        return doubtful(f"{shown} is in memory ({kind}): all is gone when the machine restarts.")
    return fine(f"{shown} is on a local file system ({kind}).")


def look_at_exports(surroundings: Surroundings) -> Found | None:
    """Whether downloads, which are made whole first, have room."""
    answers = surroundings.config.answers
    if not (answers.enabled and answers.export_rows):
        return None
    place = Path(surroundings.environment.get("TMPDIR") or tempfile.gettempdir())
    fault = fault_of_folder(place)
    if fault is not None or not os.access(place, os.W_OK | os.X_OK):
        return wrong(
            f"{fault or f'{shown_path(place)} cannot be written'}, and downloads are made there: "
            "set TMPDIR.",
            EXIT_CONFIG,
        )
    disk = os.statvfs(place)
    free = disk.f_bavail * disk.f_frsize
    if free < answers.export_bytes:
        return wrong(
            f"{shown_path(place)} has {_size(free)} left, less than one download may take "
            "(answers.export_bytes): make room, or set TMPDIR."
        )
    return fine(f"{shown_path(place)}, where downloads are made, has {_size(free)} left.")


def newest_s(directory: Path) -> float | None:
    """When something in the directory was last written, in seconds since the epoch."""
    return max((entry.stat().st_mtime for entry in _files(directory)), default=None)


def _state_directory(surroundings: Surroundings) -> Path:
    return state_directory(surroundings.config, surroundings.environment, surroundings.cwd)


def _existing(directory: Path) -> Path:
    """The directory, or the next one above that is there."""
    return next(one for one in (directory, *directory.parents) if os.path.lexists(one))


def _files(directory: Path) -> Iterator[os.DirEntry[str]]:
    try:
        entries = list(os.scandir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from (entry for entry in entries if entry.is_file(follow_symlinks=False))


def _file_system(directory: Path) -> str | None:
    """The kind of the file system that a directory is on, as Linux names it."""
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    path = os.path.realpath(directory)
    found: tuple[str, str] | None = None
    for line in mounts.splitlines():
        _, raw, kind, *_ = line.split(" ")
        point = raw.replace("\\040", " ")
        is_above = path == point or path.startswith(point.rstrip("/") + "/")
        if is_above and (found is None or len(point) >= len(found[0])):
            found = point, kind
    return found[1] if found else None


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def _shown(name: str) -> str:
    return shown_path(Path(name))


def _size(count: int) -> str:
    return f"{count / 1024**3:.1f} GiB" if count >= 1024**3 else f"{count / 1024**2:.0f} MiB"
