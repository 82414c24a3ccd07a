"""The lock of a state directory: found whatever was removed, and never waited for."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatd.store import lock
from chatd.store.errors import StoreLocked
from chatd.store.lock import LOCK_NAME, DirectoryLock
from chatd.store.opening import open_store
from chatd.store.restore import restore_store
from tests.store.full_store import fill
from tests.store.logs import NOW_MS

HOLD = """
import pathlib, sys
from chatd.store.lock import DirectoryLock
lock = DirectoryLock.acquire(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def held(directory: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process that holds the directory."""
    directory.mkdir()
    command = [sys.executable, "-c", HOLD, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        yield child
        child.kill()


def remove_the_file(directory: Path) -> Path:
    (directory / LOCK_NAME).unlink()
    return directory


def replace_the_file(directory: Path) -> Path:
    remove_the_file(directory)
    (directory / LOCK_NAME).touch()
    return directory


def remove_the_directory(directory: Path) -> Path:
    shutil.rmtree(directory)
    return directory


def make_the_directory_anew(directory: Path) -> Path:
    shutil.rmtree(directory)
    directory.mkdir()
    return directory


def move_the_directory(directory: Path) -> Path:
    return directory.rename(directory.with_name("elsewhere"))


def come_by_another_path(directory: Path) -> Path:
    link = directory.with_name("link")
    link.symlink_to(directory)
    return link


HARMS = [
    remove_the_file,
    replace_the_file,
    remove_the_directory,
    make_the_directory_anew,
    move_the_directory,
    come_by_another_path,
]


@pytest.mark.parametrize("harm", HARMS)
def test_a_second_one_and_a_restore_find_the_first_whatever_was_removed(
    held: "subprocess.Popen[bytes]", directory: Path, tmp_path: Path, harm: object
) -> None:
    fill(tmp_path / "backup")
    place = harm(directory)  # type: ignore[operator]
    with pytest.raises(StoreLocked, match="in use by another chatd"):
        open_store(place, "fsync")
    with pytest.raises(StoreLocked, match="in use by another chatd"):
        restore_store(place, tmp_path / "backup" / "log.sqlite3", NOW_MS)
    held.kill()
    held.wait()
    open_store(place, "fsync").close()


def test_the_sentence_names_the_process_also_without_the_file(
    held: "subprocess.Popen[bytes]", directory: Path
) -> None:
    make_the_directory_anew(directory)
    with pytest.raises(StoreLocked, match=f"process {held.pid}"):
        DirectoryLock.acquire(directory)


def test_an_older_chatd_that_knows_the_file_alone_is_kept_away_and_keeps_away(
    held: "subprocess.Popen[bytes]", directory: Path, tmp_path: Path
) -> None:
    import fcntl

    with (directory / LOCK_NAME).open("rb") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    other = tmp_path / "other"
    other.mkdir()
    with (other / LOCK_NAME).open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreLocked):
            DirectoryLock.acquire(other)


def test_the_file_is_made_again_and_nothing_else_is(directory: Path) -> None:
    directory.mkdir()
    lock = DirectoryLock.acquire(directory)
    assert not lock.renew()
    remove_the_file(directory)
    assert lock.renew()
    assert (directory / LOCK_NAME).read_text() == f"{os.getpid()}\n"
    replace_the_file(directory)
    assert lock.renew()
    assert not lock.renew()
    make_the_directory_anew(directory)
    assert not lock.renew()
    assert not list(directory.iterdir())
    lock.release()
    assert not lock.renew()


def test_a_file_that_cannot_be_made_now_is_made_later(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.mkdir()
    lock = DirectoryLock.acquire(directory)
    remove_the_file(directory)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("chatd.store.lock.open_file", full)
        with pytest.raises(OSError, match="No space"):
            lock.renew()
    assert lock.renew()
    assert (directory / LOCK_NAME).exists()
    lock.release()


def test_two_directories_of_one_name_are_two(tmp_path: Path) -> None:
    locks = []
    for above in ("one", "two"):
        (tmp_path / above / "state").mkdir(parents=True)
        locks.append(DirectoryLock.acquire(tmp_path / above / "state"))
    for one in locks:
        one.release()


def test_a_lock_that_was_let_go_can_be_taken(directory: Path) -> None:
    directory.mkdir()
    for _ in range(3):
        lock = DirectoryLock.acquire(directory)
        with pytest.raises(StoreLocked):
            DirectoryLock.acquire(directory)
        lock.release()
        lock.release()


@pytest.mark.parametrize("user_id", [0, os.geteuid()])
def test_a_name_that_the_same_user_or_root_has_keeps_others_away(
    directory: Path, monkeypatch: pytest.MonkeyPatch, user_id: int
) -> None:
    directory.mkdir()
    with named(directory), monkeypatch.context() as patch:
        patch.setattr(lock, "_holder_of", lambda _name: lock._Holder(7, user_id))
        with pytest.raises(StoreLocked, match=r"\(process 7\)"):
            DirectoryLock.acquire(directory)


def test_a_name_that_another_user_has_keeps_nobody_away(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.mkdir()
    stranger = os.geteuid() + 1
    with named(directory), monkeypatch.context() as patch:
        patch.setattr(lock, "_holder_of", lambda _name: lock._Holder(7, stranger))
        DirectoryLock.acquire(directory).release()


@contextlib.contextmanager
def named(directory: Path) -> Iterator[None]:
    """Somebody has the name of the directory's lock."""
    with socket.socket(socket.AF_UNIX) as squatter:
        squatter.bind(lock._socket_name(directory))
        squatter.listen()
        yield
