"""What is left of a run once it has ended, in whatever way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench.conftest import ROOT, SECRET, Served
from tests.processes import children_of, commands_of, is_alive

HARD_LIMIT_S = 40.0


def wait_until(condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + HARD_LIMIT_S
    while not condition():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.05)


def started_by(pid: int) -> dict[int, str]:
    """The processes that this one and those have started, and their command lines."""
    found: dict[int, str] = {}
    for child, words in commands_of(*children_of(pid)).items():
        found |= {child: " ".join(words), **started_by(child)}
    return found


def command(*arguments: str, where: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "chatd", "bench", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(where)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_a_daemon_of_its_own_ends_with_the_run(number: signal.Signals, tmp_path: Path) -> None:
    with command("idle", "--connections", "2", "--seconds", "60", where=tmp_path) as run:
        wait_until(lambda: "chatd.bench.worker" in str(started_by(run.pid)))
        left = started_by(run.pid)
        assert any(" serve " in line for line in left.values())
        run.send_signal(number)
    wait_until(lambda: not any(map(is_alive, left)))
    wait_until(lambda: not list(tmp_path.glob("chatd-bench-*")))


def test_the_generator_ends_with_a_run_that_is_killed_while_it_sends(
    chatd: Served, tmp_path: Path
) -> None:
    load = ("--connections", "2", "--loads", "20", "--seconds", "600")
    with command("messages", chatd.url, *load, "--secret", SECRET, where=tmp_path) as run:
        wait_until(lambda: "chatd.bench.worker" in str(started_by(run.pid)))
        (worker,) = started_by(run.pid)
        wait_until(lambda: len(list(Path(f"/proc/{worker}/fd").iterdir())) > 10)
        run.kill()
    wait_until(lambda: not is_alive(worker))


def test_a_run_that_is_stopped_in_its_first_step_says_so(chatd: Served, tmp_path: Path) -> None:
    load = ("--connections", "2", "--loads", "20", "--seconds", "600")
    with command("messages", chatd.url, *load, "--secret", SECRET, where=tmp_path) as run:
        assert run.stderr is not None
        wait_until(lambda: "chatd.bench.worker" in str(started_by(run.pid)))
        run.send_signal(signal.SIGINT)
        said = run.stderr.read()
    assert run.returncode == 1
    assert said == b"chatd: It was stopped before its first step had ended.\n"
