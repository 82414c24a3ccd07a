"""A Redis server of the tests' own, on a socket in a temporary directory and, where a test asks for
it, on a port with TLS. It keeps nothing on the disk."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import pytest

READY: Final = "The server is now ready to accept connections at"  # its socket
STOP_S: Final = 30.0


@attrs.define(eq=False)
class Redis:
    """A server; `directory` has its socket."""

    directory: Path
    _settings: tuple[str, ...] = ()
    _process: "subprocess.Popen[str] | None" = None

    @property
    def socket(self) -> Path:
        return self.directory / "redis.sock"

    def url(self, credentials: str = "", options: str = "") -> str:
        """Its address; `credentials` are as `USER:PASSWORD@`."""
        return f"unix://{credentials}{self.socket}{options}"

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        program = shutil.which("redis-server", path="/usr/bin:/usr/local/bin")
        assert program is not None, "redis-server is not installed"
        process = subprocess.Popen(
            [
                *(program, "--port", "0", "--unixsocket", str(self.socket)),
                *("--save", "", "--appendonly", "no", "--dir", str(self.directory)),
                *self._settings,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if READY in line:
                process.stdout.close()  # it goes on where nobody reads
                self._process = process
                return
        process.wait(STOP_S)
        raise AssertionError(f"Redis did not start:\n{''.join(said)}")

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_S)
            self._process = None

    def freeze(self) -> None:
        """Have it answer nobody, while its connections stand."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def tell(self, *words: str) -> str:
        """Have an administrator give a command; what Redis says to it."""
        program = shutil.which("redis-cli", path="/usr/bin:/usr/local/bin")
        assert program is not None
        told = subprocess.run(
            [program, "-s", str(self.socket), *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=STOP_S,
        )
        return told.stdout.strip()


@contextmanager
def a_redis(*settings: str) -> Iterator[Redis]:
    """A server of one's own, with these settings on its command line."""
    with tempfile.TemporaryDirectory(prefix="chatd-redis-") as made:
        server = Redis(Path(made), settings)
        server.start()
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture
def redis() -> Iterator[Redis]:
    """A server that a test may freeze and kill; it starts in some 20 ms."""
    with a_redis() as server:
        yield server
