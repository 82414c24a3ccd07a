"""The warden of a db-mcp: with the daemon's end of their socket everything below it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import pytest

from chatd.answers.mcp.stdio import WARDEN
from chatd.answers.mcp.warden import KILL
from tests.app.questions import children, has_ended

LIMIT_S: Final = 30.0
CLINGING: Final = str(Path(__file__).with_name("clinging_peer.py"))
WAITS: Final = (sys.executable, "-c", "import sys; sys.stdin.read()")


@attrs.define
class Wards:
    """A warden with its program, and the daemon's end of the socket."""

    process: "subprocess.Popen[bytes]"
    socket: socket.socket

    def word(self) -> int:
        """The first thing that it says."""
        return int(self.socket.recv(16))

    def ended(self) -> int:
        return self.process.wait(LIMIT_S)


@contextmanager
def warded(*command: str) -> Iterator[Wards]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(LIMIT_S)
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", WARDEN, str(theirs.fileno()), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        try:
            yield Wards(process, ours)
        finally:
            process.kill()
            process.communicate()


def clinging(file: Path) -> list[int]:
    """The two processes of a peer that clings, once they are there, as descriptors."""
    until_s = time.monotonic() + LIMIT_S
    while not file.exists() or len(pids := file.read_text().split()) < 2:
        assert time.monotonic() < until_s
        time.sleep(0.02)
    return [os.pidfd_open(int(pid)) for pid in pids]


def all_ended(descriptors: list[int]) -> bool:
    try:
        return all(has_ended(descriptor) for descriptor in descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def test_the_program_has_the_streams_and_its_exit_code_is_the_wardens() -> None:
    script = "import sys; print(sys.stdin.read().upper(), end=''); sys.exit(7)"
    with warded(sys.executable, "-c", script) as wards:
        assert wards.word() == 0
        assert wards.process.communicate(b"hello", LIMIT_S)[0] == b"HELLO"
        assert wards.ended() == 7


def test_a_program_that_is_not_there_is_told_by_its_error() -> None:
    with warded("/nowhere/to/be/found") as wards:
        with pytest.raises(FileNotFoundError):
            raise OSError(wards.word(), "")
        assert wards.ended() == 127


@pytest.mark.parametrize("how", ["closed", "killed at once", "shut down"])
def test_all_that_descends_from_the_program_ends_with_the_daemon(tmp_path: Path, how: str) -> None:
    with warded(sys.executable, CLINGING, str(tmp_path / "pids")) as wards:
        assert wards.word() == 0
        processes = clinging(tmp_path / "pids")
        if how == "killed at once":
            wards.socket.sendall(KILL)
        elif how == "shut down":
            wards.socket.shutdown(socket.SHUT_WR)
        else:
            wards.socket.close()
        wards.ended()
        assert all_ended(processes)


def test_what_the_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    with warded(sys.executable, CLINGING, str(tmp_path / "pids")) as wards:
        processes = clinging(tmp_path / "pids")
        os.kill(int((tmp_path / "pids").read_text().split()[0]), signal.SIGKILL)
        assert wards.ended() == 128 + signal.SIGKILL
        assert all_ended(processes)


def test_a_sigterm_is_passed_on() -> None:
    with warded(*WAITS) as wards:
        assert wards.word() == 0
        wards.process.terminate()
        assert wards.ended() == 128 + signal.SIGTERM


def test_the_program_does_not_outlive_a_warden_that_is_killed() -> None:
    with warded(*WAITS) as wards:
        assert wards.word() == 0
        [program] = children(wards.process.pid, WAITS[-1])
        descriptor = os.pidfd_open(program)
        wards.process.kill()
        wards.ended()
        until_s = time.monotonic() + LIMIT_S
        while not has_ended(descriptor):
            assert time.monotonic() < until_s
            time.sleep(0.01)
        os.close(descriptor)


def test_the_program_meets_the_signals_as_a_shell_would_leave_them() -> None:
    # Python ignores SIGPIPE, which a program would inherit.
    script = "grep SigIgn /proc/self/status"
    with warded("/bin/sh", "-c", script) as wards:
        out, _ = wards.process.communicate(b"", LIMIT_S)
        assert int(out.split()[1], 16) & (1 << (signal.SIGPIPE - 1)) == 0
