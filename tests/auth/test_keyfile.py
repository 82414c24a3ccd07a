"""The generated secret: made once, whole, for its owner only."""

import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from chatd.auth import KeyRing, Verifier, load_or_create_secret, load_secret


def test_a_first_start_makes_a_secret_and_the_next_one_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "chatd" / "secret"
    secret = load_or_create_secret(path)
    assert re.fullmatch(r"[A-Za-z0-9_-]{64}", secret)
    assert load_or_create_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == ["secret"]
    Verifier(KeyRing.of_secret(secret), "authenticated", "", 30, 8192)


def test_a_secret_that_is_only_looked_for_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "state" / "secret"
    with pytest.raises(FileNotFoundError):
        load_secret(path)
    assert os.listdir(tmp_path) == []
    made = load_or_create_secret(path)
    assert load_secret(path) == made


def test_a_secret_that_root_makes_belongs_to_who_the_directory_belongs_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, int, int]] = []

    def fchown(descriptor: int, user: int, group: int) -> None:
        given.append((os.readlink(f"/proc/self/fd/{descriptor}"), user, group))

    monkeypatch.setattr(os, "fchown", fchown)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    load_or_create_secret(tmp_path / "of a user")
    assert given == []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    load_or_create_secret(tmp_path / "of root")
    [(path, *owner)] = given
    assert path.startswith(f"{tmp_path}/.of root.")
    assert owner == [tmp_path.stat().st_uid, tmp_path.stat().st_gid]


def test_two_directories_have_two_secrets(tmp_path: Path) -> None:
    assert load_or_create_secret(tmp_path / "a") != load_or_create_secret(tmp_path / "b")


def test_several_starters_agree_on_one_secret(tmp_path: Path) -> None:
    starters = 8
    for attempt in range(20):
        together = Barrier(starters)
        path = tmp_path / str(attempt) / "secret"

        def start(path: Path = path, together: Barrier = together) -> str:
            together.wait(10)
            return load_or_create_secret(path)

        with ThreadPoolExecutor(starters) as pool:
            found = [pool.submit(start) for _ in range(starters)]
        assert {future.result() for future in found} == {path.read_text()}
        assert os.listdir(path.parent) == ["secret"]


def test_a_starter_that_was_overtaken_takes_the_secret_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    theirs = "t" * 64
    fsync = os.fsync

    def overtaken(descriptor: int) -> None:
        fsync(descriptor)
        path.write_text(theirs)
        path.chmod(0o600)

    monkeypatch.setattr(os, "fsync", overtaken)
    assert load_or_create_secret(path) == theirs
    assert os.listdir(tmp_path) == ["secret"]


def test_a_disk_that_refuses_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        load_or_create_secret(tmp_path / "secret")
    assert os.listdir(tmp_path) == []


def test_a_secret_that_was_written_by_hand_is_read_without_its_line_end(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("x" * 32 + "\n")
    path.chmod(0o400)
    assert load_or_create_secret(path) == "x" * 32


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o601, 0o620, 0o777])
def test_a_secret_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    path.write_text("x" * 64)
    path.chmod(mode)
    with pytest.raises(ValueError, match=f"mode {mode:04o}"):
        load_or_create_secret(path)
    assert path.read_text() == "x" * 64


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 31, b" " * 64, b"\xff" * 64, b"x" * 4097])
def test_a_file_without_a_good_secret_is_refused_and_left_alone(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ValueError, match="the secret") as caught:
        load_or_create_secret(path)
    assert "xxxx" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert path.read_bytes() == content


def test_a_pipe_in_the_place_of_the_secret_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    os.mkfifo(path, 0o600)
    with pytest.raises(ValueError, match="a pipe, not a file"):
        load_or_create_secret(path)
