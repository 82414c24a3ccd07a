"""The start of a child process of the daemon."""

import contextlib
import errno
import os
from collections.abc import Sequence

import pytest

from chatd.answers.own_process import OwnProcess

TRUE = ("/bin/true",)


def open_descriptors() -> list[str]:
    """Those of this process, with what they lead to."""
    found = []
    for name in sorted(os.listdir("/proc/self/fd")):
        with contextlib.suppress(FileNotFoundError):  # that of the directory
            found.append(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
    return found


@pytest.mark.parametrize("at", [1, 2])
def test_a_start_without_a_descriptor_to_spare_keeps_none(
    monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    make_pipe, made = os.pipe, 0

    def pipe() -> tuple[int, int]:
        nonlocal made
        made += 1
        if made == at:
            raise OSError(errno.EMFILE, "Too many open files")
        return make_pipe()

    before = open_descriptors()
    monkeypatch.setattr(os, "pipe", pipe)
    with pytest.raises(OSError, match="Too many open files"):
        OwnProcess(TRUE, {})
    assert open_descriptors() == before


@pytest.mark.parametrize(
    ("command", "error"), [(("/no/such/program",), OSError), (("/bin/true", "\0"), ValueError)]
)
def test_a_command_that_cannot_be_started_keeps_no_descriptor(
    command: Sequence[str], error: type[Exception]
) -> None:
    before = open_descriptors()
    with pytest.raises(error):
        OwnProcess(command, {})
    assert open_descriptors() == before


async def test_a_process_that_has_ended_keeps_no_descriptor() -> None:
    before = open_descriptors()
    process = OwnProcess(TRUE, {})
    assert not await process.get_ready()
    await process.end()
    assert open_descriptors() == before
