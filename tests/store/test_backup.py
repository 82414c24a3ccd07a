"""Backups: whole or not there, of one moment, for their user alone."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from chatd.store import schema
from chatd.store.backup import back_up_store
from chatd.store.connections import Durability, connect_to_write
from chatd.store.errors import BackupFailed, StoreDamaged, StoreTooNew, StoreUnavailable
from chatd.store.integrity import faults
from chatd.store.log import Log
from chatd.store.log_file import LOG_NAME
from chatd.store.opening import Store, open_store
from chatd.store.restore import restore_store
from tests.store.full_store import fill
from tests.store.logs import NOW_MS, ROOM, stored, stored_from

HOLD_THE_BACKUP = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(descriptor, fcntl.LOCK_EX)
os.write(descriptor, b"half a log")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    place = tmp_path / "backups"
    place.mkdir()
    return place / "monday"


def seqs(backup: Path, room_id: int = 1) -> list[int]:
    connection = sqlite3.connect(f"{backup.as_uri()}?mode=ro", uri=True)
    found = connection.execute("SELECT seq FROM messages WHERE room_id = ?", (room_id,)).fetchall()
    connection.close()
    return [seq for (seq,) in found]


def test_a_backup_is_one_whole_private_file(directory: Path, target: Path) -> None:
    fill(directory)
    before = sorted(os.listdir(directory))
    made = back_up_store(directory, target)
    assert (made.path, made.message_count) == (target, 2_469)
    assert os.listdir(target.parent) == [target.name]
    assert target.stat().st_mode & 0o777 == 0o600
    assert made.size_bytes == target.stat().st_size
    connection = sqlite3.connect(f"{target.as_uri()}?mode=ro", uri=True)
    assert list(faults(connection)) == []
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()
    assert os.listdir(target.parent) == [target.name]
    assert sorted(os.listdir(directory)) == before


def test_a_backup_while_it_is_written_to_is_of_one_moment(
    store: Store, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer commits between any two steps, and brings the WAL into the file where it can."""
    log = Log(lambda: connect_to_write(store.path, Durability.FSYNC))
    log.commit([stored_from(1, 500)])
    steps = []
    real = sqlite3.Connection.backup

    class Held(sqlite3.Connection):
        def backup(self, copy: sqlite3.Connection, *, pages: int) -> None:  # type: ignore[override]
            def between(status: int, remaining: int, total: int) -> None:
                steps.append(remaining)
                log.commit([[stored(500 + len(steps), content="x" * 20_000)]])

            real(self, copy, pages=4, progress=between)

    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *place, **how: connect(*place, **how, factory=Held)
    )
    back_up_store(store.path.parent, target)
    monkeypatch.undo()
    assert len(steps) > 5
    assert sorted(steps, reverse=True) == steps  # it never began anew
    assert seqs(target) == list(range(1, 501))
    assert store.reread().rooms == {ROOM: 500 + len(steps)}
    log.close()


@pytest.mark.parametrize("kind", ["file", "directory", "dangling link"])
def test_what_is_there_is_not_replaced(store: Store, target: Path, kind: str) -> None:
    if kind == "file":
        target.write_text("precious")
    elif kind == "directory":
        target.mkdir()
    else:
        target.symlink_to("nowhere")
    with pytest.raises(BackupFailed, match="is there already"):
        back_up_store(store.path.parent, target)
    assert os.listdir(target.parent) == [target.name]
    if kind == "file":
        assert target.read_text() == "precious"


def test_what_comes_meanwhile_is_not_replaced_either(
    store: Store, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatd.store.backup.sync_file", lambda _: target.write_text("precious"))
    with pytest.raises(BackupFailed, match="is there already"):
        back_up_store(store.path.parent, target)
    assert target.read_text() == "precious"
    assert os.listdir(target.parent) == [target.name]


class StopError(BaseException):
    """As Ctrl-C."""


@pytest.mark.parametrize("point", ["copy_log", "sync_file", "require_known_form"])
def test_a_backup_that_is_interrupted_leaves_nothing(
    store: Store, target: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    def stop(*_: object) -> None:
        assert (target.parent / f"{target.name}.unfinished").exists()
        raise StopError

    monkeypatch.setattr(f"chatd.store.backup.{point}", stop)
    with pytest.raises(StopError):
        back_up_store(store.path.parent, target)
    assert os.listdir(target.parent) == []


def test_two_backups_to_one_name_do_not_mix_and_a_dead_one_is_taken_over(
    store: Store, target: Path
) -> None:
    unfinished = target.parent / f"{target.name}.unfinished"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_BACKUP, str(unfinished)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(BackupFailed, match="Another backup"):
            back_up_store(store.path.parent, target)
        assert unfinished.read_bytes() == b"half a log"
        child.kill()
    back_up_store(store.path.parent, target)
    assert os.listdir(target.parent) == [target.name]
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_place_that_cannot_be_written_to_is_told(store: Store, target: Path) -> None:
    with pytest.raises(BackupFailed, match=r"the folder .*/monday does not exist; make"):
        back_up_store(store.path.parent, target / "below")
    with pytest.raises(BackupFailed, match="/proc/self/backup was not made"):
        back_up_store(store.path.parent, Path("/proc/self/backup"))


def test_a_damaged_log_is_not_kept_as_a_backup(directory: Path, target: Path) -> None:
    fill(directory)
    path = directory / LOG_NAME
    whole = path.read_bytes()
    at = len(whole) // 8_192 * 4_096
    path.write_bytes(whole[:at] + b"\x5a" * 4_096 + whole[at + 4_096 :])
    with pytest.raises(StoreDamaged):
        back_up_store(directory, target)
    path.write_bytes(whole[:5_000])
    with pytest.raises(StoreDamaged):
        back_up_store(directory, target)
    assert os.listdir(target.parent) == []


def test_where_there_is_no_log_of_this_form_there_is_no_backup(
    directory: Path, target: Path
) -> None:
    with pytest.raises(StoreUnavailable, match="no log in"):
        back_up_store(directory, target)
    open_store(directory, "fsync").close()
    connection = sqlite3.connect(directory / LOG_NAME)
    connection.execute(f"PRAGMA user_version = {schema.CURRENT_VERSION + 1}")
    connection.close()
    with pytest.raises(StoreTooNew):
        back_up_store(directory, target)
    assert os.listdir(target.parent) == []


def test_a_backup_of_a_backup_is_the_same(directory: Path, target: Path, tmp_path: Path) -> None:
    fill(directory)
    back_up_store(directory, target)
    restored = restore_store(tmp_path / "other", target, NOW_MS)
    again = target.with_name("tuesday")
    back_up_store(tmp_path / "other", again)
    assert restored.recovered.message_count == 2_469
    assert seqs(again, 2) == seqs(target, 2) == list(range(41, 2_501))
