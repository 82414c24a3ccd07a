"""Servers for the load tests to measure: real processes, started once for a module."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import attrs
import pytest

from chatd.bench.options import Options

SECRET = "a secret for the tests of the bench, of more than 32 bytes"
ROOT = Path(__file__).parents[2]


COMES_WHOLE_S = 60.0
"""For what comes late on a busy machine, where nothing is to be lost."""


@attrs.frozen
class Served:
    """A server that runs."""

    url: str
    pid: int
    patience_s: float = 0.5  # in it all comes that ever comes

    def options(self, **more: object) -> Options:
        """A run against it, small and short unless `more` says otherwise."""
        small: dict[str, object] = {"url": self.url, "pid": self.pid, "seconds": 0.4}
        small |= {"connections": 6, "room_size": 3, "loads": (50.0,), "patience_s": self.patience_s}
        return Options(**{**small, **more})  # type: ignore[arg-type]


@contextmanager
def serving(*command: str, port_in: str) -> Iterator[Served]:
    """A server from this directory; a line of what it writes has its port."""
    environment = {**os.environ, "CHATD_LOG__FORMAT": "json"}
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        try:
            port, told = None, ""
            while port is None:
                line = process.stdout.readline().decode()
                assert line, f"it has ended: {told}"
                told += line
                port = re.search(port_in, line)
            with subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL):
                yield Served(f"http://127.0.0.1:{port[1]}/", process.pid)
                process.send_signal(signal.SIGTERM)
                process.wait(60)
        finally:
            process.kill()


def faulty_server(port: str = "0") -> AbstractContextManager[Served]:
    """A Socket.IO server that is no chatd, and does to messages what their event says."""
    return serving("tests.bench.faulty_app", port, port_in=r"listening on (\d+)")


@pytest.fixture(scope="package")
def chatd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A chatd without limits."""
    directory = str(tmp_path_factory.mktemp("chatd") / "state")
    command = ("tests.bench.chat_daemon", "0", SECRET, directory)
    with serving(*command, port_in=r'daemon\.started.*"port":(\d+)') as served:
        yield attrs.evolve(served, patience_s=COMES_WHOLE_S)


@pytest.fixture(scope="package")
def faulty() -> Iterator[Served]:
    """One of them."""
    with faulty_server() as served:
        yield served
