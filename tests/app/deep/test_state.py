"""What is found of a state directory and its disk."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chatd.app.deep import state
from chatd.app.deep.check import Found, Surroundings, Verdict
from chatd.app.deep.state import (
    look_at_disk,
    look_at_exports,
    look_at_owner,
    look_at_space,
    look_at_writing,
)
from chatd.config import AnswersConfig
from tests.app.deep.surroundings import here
from tests.rows import rows


def said(look: Callable[[Surroundings], Found | None], surroundings: Surroundings) -> str:
    """The verdict and the sentence, with paths as they are from the place of the test."""
    found = look(surroundings)
    assert found is not None
    assert (found.exit_code == 0) == (found.verdict is not Verdict.WRONG)
    assert found.sentence.isprintable()
    return f"{found.verdict}: {found.sentence}".replace(f"{surroundings.cwd}", "HERE")


@pytest.fixture(autouse=True)
def any_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests may keep the disk busy."""
    monkeypatch.setattr(state, "SYNC_S_DOUBTFUL", 0.999)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A state directory as a daemon leaves it."""
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    for name in ("log.sqlite3", "jwt-secret"):
        (directory / name).write_text("")
        (directory / name).chmod(0o600)
    return directory


def test_a_directory_that_is_not_there_is_made_by_a_start(tmp_path: Path) -> None:
    surroundings = here(tmp_path, "a/b")
    assert said(look_at_owner, surroundings) == (
        "fine: HERE/a/b is not there yet; a start makes it."
    )
    for look in (look_at_writing, look_at_space, look_at_disk):
        assert said(look, surroundings).startswith("fine: ")
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_the_place_of_the_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    surroundings = here(tmp_path)
    assert said(look_at_owner, surroundings) == (
        "wrong: HERE/state is a file, not a folder; set state.dir to another place."
    )
    assert look_at_owner(surroundings).exit_code == 78
    assert said(look_at_owner, here(tmp_path, "state/below")).startswith("wrong: HERE/state is a")
    assert said(look_at_writing, surroundings).startswith(
        "wrong: HERE/state takes no file (Not a directory): "
    )


def test_a_directory_as_a_daemon_leaves_it_is_fine(place: Path, tmp_path: Path) -> None:
    surroundings = here(tmp_path)
    assert said(look_at_owner, surroundings).startswith("fine: HERE/state and what is in it belong")
    assert said(look_at_writing, surroundings).startswith("fine: HERE/state can be written, and a ")
    assert sorted(path.name for path in place.iterdir()) == ["jwt-secret", "log.sqlite3"]


def test_others_who_may_write_or_read_are_told(place: Path, tmp_path: Path) -> None:
    surroundings = here(tmp_path)
    (place / "log.sqlite3").chmod(0o640)
    assert said(look_at_owner, surroundings).startswith("doubtful: Users other than ")
    assert said(look_at_owner, surroundings).endswith(
        " can open log.sqlite3 in HERE/state: chmod 600."
    )
    place.chmod(0o777)
    assert said(look_at_owner, surroundings) == (
        "wrong: Every user may write into HERE/state (mode 0777): chmod 700 it."
    )


def test_a_directory_of_another_user_is_told_unless_root_looks(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = place.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 4711)
    told = said(look_at_owner, here(tmp_path))
    assert told.startswith("wrong: HERE/state belongs to ")
    assert f"this is user {owner + 4711}: run this as " in told
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert said(look_at_owner, here(tmp_path)).startswith("fine: ")


def test_files_that_a_command_left_as_another_user_are_told(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    class Strange:
        """An entry of another user."""

        def __init__(self, entry: os.DirEntry[str]) -> None:
            self.name, self.is_file = entry.name, entry.is_file
            self._found = entry.stat()

        def stat(self) -> Any:
            uid = self._found.st_uid + (self.name == "log.sqlite3")
            return SimpleNamespace(st_uid=uid, st_mode=self._found.st_mode)

    monkeypatch.setattr(os, "scandir", lambda path: [Strange(entry) for entry in real(path)])
    told = said(look_at_owner, here(tmp_path))
    assert told.startswith("wrong: HERE/state belongs to ")
    assert "but not log.sqlite3: a command ran as another user; chown " in told


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_disk_that_takes_nothing_is_told(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: int
) -> None:
    def refused(*arguments: object) -> None:
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, refused)
        told = said(look_at_writing, here(tmp_path))
    assert told == (
        f"wrong: HERE/state takes no file ({os.strerror(error)}): make room, or set state.dir."
    )
    assert sorted(path.name for path in place.iterdir()) == ["jwt-secret", "log.sqlite3"]


def test_a_slow_sync_is_doubtful(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(range(100))
    monkeypatch.setattr(state.time, "perf_counter", lambda: float(next(moments)))
    assert said(look_at_writing, here(tmp_path)) == (
        "doubtful: A sync in HERE/state takes 1000 ms, and every message waits for one: take a "
        "faster disk."
    )


def _disk(free: int, files: int = 1) -> Any:
    return SimpleNamespace(f_bavail=free // 4096, f_frsize=4096, f_files=10, f_favail=files)


@rows(
    ("disk", "told"),
    [
        (_disk(0), "wrong: The disk of HERE has 0 MiB left: make room."),
        (_disk(50 << 20), "wrong: The disk of HERE has 50 MiB left: make room."),
        (_disk(500 << 20), "doubtful: The disk of HERE has 500 MiB left: make room soon."),
        (_disk(5 << 30), "fine: The disk of HERE has 5.0 GiB left."),
        (_disk(5 << 30, 0), "wrong: The disk of HERE takes no more files: remove some."),
    ],
)
def test_what_is_left_of_the_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: Any, told: str
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: disk)
    assert said(look_at_space, here(tmp_path)) == told


@rows(
    ("kind", "beginning"),
    [
        ("nfs4", "wrong: HERE is on another machine (nfs4), where the log can be damaged"),
        ("fuse.sshfs", "wrong: HERE is on another machine (fuse.sshfs)"),
        ("tmpfs", "doubtful: HERE is in memory (tmpfs): all is gone when the machine restarts."),
        ("xfs", "fine: HERE is on a local file system (xfs)."),
    ],
)
def test_the_kind_of_the_file_system_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, beginning: str
) -> None:
    lines = ("/dev/a / ext4", f"server:/x {tmp_path} {kind}", f"/dev/b {tmp_path}/other btrfs")
    mounts = "".join(f"{line} rw 0 0\n" for line in lines)
    monkeypatch.setattr(Path, "read_text", lambda *_: mounts)
    assert said(look_at_disk, here(tmp_path)).startswith(beginning)


def test_downloads_need_their_place_where_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert look_at_exports(here(tmp_path)) is None
    surroundings = here(tmp_path, answers=AnswersConfig(export_rows=1000))
    assert said(look_at_exports, surroundings).startswith("fine: HERE, where downloads are made, ")
    monkeypatch.setattr(os, "statvfs", lambda path: _disk(1 << 20))
    assert said(look_at_exports, surroundings) == (
        "wrong: HERE has 1 MiB left, less than one download may take (answers.export_bytes): make "
        "room, or set TMPDIR."
    )
    surroundings.environment["TMPDIR"] = f"{tmp_path}/nowhere"
    assert said(look_at_exports, surroundings) == (
        "wrong: the folder HERE/nowhere does not exist, and downloads are made there: set TMPDIR."
    )
