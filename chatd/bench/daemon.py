"""A chatd that belongs to the load tests: on a free port, in its own directory, without limits.

Owns that process, which it ends by its id, and the directory. Everything else is as in `chatd
serve`.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import orjson
import trio

from chatd.bench.server_watch import ServerWatch

LIMITS: Final = (
    "user_messages_per_minute",
    "socket_messages_per_minute",
    "room_messages_per_minute",
    "socket_events_per_minute",
    "sockets_per_user",
    "sessions_per_address",
    "pending_sessions_per_address",
    "connections_per_address",
    "handshakes_per_second",
)
"""Every limit on a rate or a count that load from one machine would hit."""

NO_LIMIT: Final = 1_000_000_000
"""A limit may be any positive number."""

CONFIG: Final = """
[limits]
{limits}
[answers]
cache_ttl_s = 0
answers_per_user = 64
answers_per_room = 64
answers_per_database = 8
wait_s = 30.0
[databases.demo]
sample = true
"""

START_S: Final = 60.0
IMPORTS_S: Final = 20.0
"""How many seconds the daemon has to finish what it does after its start."""
LOOK_EVERY_S: Final = 0.05
END_S: Final = 30.0


class DaemonError(Exception):
    """The daemon did not start; the message is one sentence for a person."""


@attrs.define(eq=False)
class OwnDaemon:
    """A daemon that runs, or has ended and can be started again in the same place."""

    directory: Path
    secret: str
    port: int = 0
    process: trio.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def state_dir(self) -> Path:
        """Where it keeps its log, even while it does not run."""
        return self.directory / "state"

    @property
    def metrics(self) -> str:
        """Where its metrics are."""
        return f"unix:{self.state_dir / 'internal.sock'}"

    async def start(self) -> None:
        """Start it, on the port that it had before if it had one. Raises DaemonError."""
        configured = str(self.directory / "chatd.toml")
        # It ends with this process, even if that is killed.
        command = [sys.executable, "-m", "chatd.bench.daemon_process", str(self.directory)]
        command += ["serve", "--config", configured]
        command += ["--log-format", "json", "--log-level", "info"]
        said = self.directory / "chatd.log"
        with said.open("wb") as log:
            self.process = await trio.lowlevel.open_process(
                [*command, "--port", str(self.port), "--state-dir", str(self.state_dir)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, "CHATD_AUTH__JWT_SECRET": self.secret},
                start_new_session=True,  # Ctrl-C is for the process that measures
            )
        with trio.move_on_after(START_S):
            while self.process.returncode is None:
                for event in _events(said.read_bytes()):
                    if event.get("event") == "daemon.started":
                        self.port = event["port"]
                        return
                await trio.sleep(LOOK_EVERY_S)
        last = said.read_text("utf-8", "replace").strip().rpartition("\n")[2]
        raise DaemonError(f"chatd did not start: {last or 'it says nothing'}")

    async def quiet(self) -> None:
        """Return when it has finished what it does after its start: while its first users come, it
        imports what asks databases, and nobody wants to measure that."""
        watch = ServerWatch(self.pid)
        before = await watch.look()
        quiet = 0
        with trio.move_on_after(IMPORTS_S):
            while quiet < 2:
                await trio.sleep(0.5)
                look = await watch.look()
                busy_s = (look.cpu_s or 0.0) - (before.cpu_s or 0.0)
                quiet = quiet + 1 if busy_s < 0.05 else 0
                before = look

    async def kill(self) -> None:
        """End it as a crash does."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()
        await self._release()

    async def stop(self) -> None:
        """End it by SIGTERM, or by force if that takes too long."""
        if self.process is None:
            return
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            with trio.move_on_after(END_S):
                await self.process.wait()
        if self.process.returncode is None:
            await self.kill()
        await self._release()

    async def _release(self) -> None:
        """Close the pipe whose end would stop it."""
        assert self.process is not None
        assert self.process.stdin is not None
        await self.process.stdin.aclose()


def _events(log: bytes) -> Iterator[dict[str, Any]]:
    """The whole lines of a log."""
    for line in log.split(b"\n")[:-1]:
        if line.startswith(b"{"):
            yield orjson.loads(line)


@asynccontextmanager
async def own_daemon(secret: str) -> AsyncIterator[OwnDaemon]:
    """A daemon that has started; afterwards it has ended, and all that it kept is gone. Raises
    DaemonError."""
    with tempfile.TemporaryDirectory(prefix="chatd-bench-") as name:
        directory = Path(name)
        limits = "\n".join(f"{limit} = {NO_LIMIT}" for limit in LIMITS)
        (directory / "chatd.toml").write_text(CONFIG.format(limits=limits))
        daemon = OwnDaemon(directory, secret)
        try:
            await daemon.start()
            yield daemon
        finally:
            with trio.CancelScope(shield=True):
                await daemon.stop()
