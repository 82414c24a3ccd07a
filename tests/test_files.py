"""Whatever lies where a file should be: it is told, and nobody waits for it."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from chatd.files import NotAFileError, open_file, read_file, require_file


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


OTHER_KINDS: list[tuple[Callable[[Path], object], str]] = [
    (os.mkfifo, "a pipe"),
    (Path.mkdir, "a directory"),
    (make_socket, "a socket"),
    (lambda path: path.symlink_to("/dev/zero"), "a device"),
]
IDS = [what for _, what in OTHER_KINDS]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("make", "what"), OTHER_KINDS, ids=IDS)
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREAT])
def test_what_is_no_file_is_told_and_never_waited_for(
    tmp_path: Path, make: Callable[[Path], object], what: str, flags: int
) -> None:
    path = tmp_path / "it"
    make(path)
    with pytest.raises(NotAFileError, match=f"it is {what}, not a file") as caught:
        open_file(path, flags)
    assert caught.value.filename == str(path)


def test_a_pipe_that_comes_between_the_look_and_the_opening_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "it")
    monkeypatch.setattr("chatd.files.require_file", lambda _: None)
    with pytest.raises(NotAFileError):
        open_file(tmp_path / "it", os.O_RDONLY)


def test_files_are_opened_made_and_read_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "it"
    with pytest.raises(FileNotFoundError):
        open_file(path, os.O_RDONLY)
    descriptor = open_file(path, os.O_RDWR | os.O_CREAT)
    os.write(descriptor, b"content")
    os.close(descriptor)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_file(path) == b"content"
    require_file(path)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(OSError, match="symbolic links"):
        open_file(loop, os.O_RDWR | os.O_CREAT)
