"""Putting a restored log in the place of the old one, so that a crash leaves either, never none.

A restored log that is complete has a name of its own (`log.sqlite3.restored-TIME`). As soon as it
has that name, it is the log: the next holder of the directory's lock, a restore or a start, moves
the old files aside and gives it the log's name, and tries again if this is cut off. The old files
go into `replaced-TIME`, and are never deleted.

The old WAL must be gone before the new log has its name: SQLite would play it into it. The mark
belongs to the old log, and goes with it: an intended change is not a loss.
"""

import datetime
from pathlib import Path

from chatd.files import sync_directory
from chatd.store.errors import StoreUnavailable
from chatd.store.log_file import LOG_NAME, files_of
from chatd.store.mark import MARK_NAME

_RESTORED_PREFIX = f"{LOG_NAME}.restored-"


def restored_path(directory: Path, now_ms: int) -> Path:
    """Where a log that was restored at `now_ms` waits for its place."""
    now = datetime.datetime.fromtimestamp(now_ms / 1000, datetime.UTC)
    return directory / f"{_RESTORED_PREFIX}{now:%Y%m%dT%H%M%S}.{now_ms % 1000:03}Z"


def require_in_place(directory: Path) -> None:
    """Raise `StoreUnavailable` if a restored log waits: what is there is no longer the log."""
    if any(directory.glob(f"{_RESTORED_PREFIX}*")):
        raise StoreUnavailable(
            f"A restore into {directory} was cut off. Start chatd, or restore again: either "
            "brings the restored log into its place."
        )


def put_in_place(directory: Path) -> Path | None:
    """Let the log that waits take its place, and return where the old files are, if any.

    If no log waits, nothing is done. To be called with the directory locked, and the log not open.
    Raises `OSError`; a later call goes on from there.
    """
    aside: Path | None = None
    for restored in sorted(directory.glob(f"{_RESTORED_PREFIX}*")):
        aside = _put_aside(directory, restored.name.removeprefix(_RESTORED_PREFIX))
        restored.rename(directory / LOG_NAME)
        sync_directory(directory)
    return aside


def _put_aside(directory: Path, stamp: str) -> Path | None:
    aside = directory / f"replaced-{stamp}"
    mark, snapshots = directory / MARK_NAME, directory.glob("snapshot*")
    old = [*files_of(directory / LOG_NAME), mark, *snapshots]
    for path in filter(Path.exists, old):
        aside.mkdir(mode=0o700, exist_ok=True)
        path.rename(aside / path.name)
    if not aside.exists():
        return None
    sync_directory(aside)
    sync_directory(directory)
    return aside
