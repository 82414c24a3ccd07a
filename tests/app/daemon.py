"""The daemon and its commands as real processes, each in a home of its own under tmp_path.

Nothing here reaches into the daemon: what a test knows of it comes from its output, its exit code,
its files and its port. Every wait has a limit, and every process is ended by its pid.
"""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import attrs
import trio

START_S = 60.0
PAUSE_S = 0.02  # between two looks, so that the one that is waited for gets on
LONG_DRAIN_S = 240.0
"""Seconds that a drain may take, where a test sets none: what ends in order does so on any machine,
and no drain that waits to its timeout is mistaken for it."""
END_S = 120.0
COMMAND_S = 60.0
CHATD = (sys.executable, "-m", "chatd")
REPOSITORY = Path(__file__).parents[2]

# Rates and counts that a flood would run into; a limit may be any positive number.
NO_LIMITS = {
    f"CHATD_LIMITS__{name}": "1e12"
    for name in (
        "USER_MESSAGES_PER_MINUTE",
        "SOCKET_MESSAGES_PER_MINUTE",
        "ROOM_MESSAGES_PER_MINUTE",
        "USER_CHANGES_PER_MINUTE",
        "SOCKET_EVENTS_PER_MINUTE",
        "SOCKETS_PER_USER",
        "SESSIONS_PER_ADDRESS",
        "CONNECTIONS_PER_ADDRESS",
        "HANDSHAKES_PER_SECOND",
    )
}

_T = TypeVar("_T")
_DRAIN = "CHATD_SERVER__DRAIN_TIMEOUT_S"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Output:
    """What a process has written to one of its streams so far."""

    def __init__(self) -> None:
        self.written = b""
        self.ended = False
        self._news = trio.lowlevel.ParkingLot()

    async def collect(self, stream: AsyncIterator[bytes]) -> None:
        # A pty whose other end was closed reads as an I/O error on Linux.
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            async for piece in stream:
                self.written += piece
                self._news.unpark_all()
        self.ended = True
        self._news.unpark_all()

    @property
    def text(self) -> str:
        return _ANSI.sub("", self.written.decode()).replace("\r\n", "\n")

    async def having(self, pattern: str, within_s: float = START_S) -> re.Match[str]:
        """The first place where `pattern` matches, once it does."""
        found = await self._until(lambda: re.search(pattern, self.text), within_s)
        assert found is not None, f"nothing matches {pattern!r} in:\n{self.text}"
        return found

    async def lines_with(self, text: str, count: int, within_s: float = START_S) -> list[str]:
        """The whole lines that hold `text`, once there are `count` of them.

        A pattern that counts would search all ways to divide what was written between its parts.
        """

        def enough() -> list[str] | None:
            *whole, _unfinished = self.text.split("\n")
            lines = [line for line in whole if text in line]
            return lines if len(lines) >= count else None

        found = await self._until(enough, within_s)
        assert found is not None, f"{text!r} is not in {count} lines of:\n{self.text}"
        return found

    async def _until(self, look: Callable[[], _T | None], within_s: float) -> _T | None:
        """What `look` finds in what is written by then, and nothing after that."""
        with trio.move_on_after(within_s):
            while (found := look()) is None and not self.ended:
                await self._news.park()
            return found
        return look()

    async def end(self, within_s: float = END_S) -> None:
        with trio.fail_after(within_s):
            while not self.ended:
                await self._news.park()


@attrs.frozen
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str


@attrs.define(eq=False)
class Daemon:
    """A process of `chatd serve`."""

    process: trio.Process
    out: Output
    err: Output
    port: int = 0

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The log so far, as JSON; of one name, where it is given."""
        lines = (json.loads(line) for line in self.err.text.splitlines() if line.startswith("{"))
        return [line for line in lines if name in (None, line["event"])]

    async def event(self, name: str, within_s: float = START_S) -> dict[str, Any]:
        """The first line of the log that is named so, once it is there."""
        return (await self.events_of(name, 1, within_s))[0]

    async def events_of(
        self, name: str, count: int, within_s: float = START_S
    ) -> list[dict[str, Any]]:
        """The lines of the log that are named so, once there are `count` of them."""
        lines = await self.err.lines_with(f'"event":"{name}"', count, within_s)
        return [json.loads(line) for line in lines]

    def send_signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, within_s: float = END_S) -> int:
        """The exit code; its output is complete then."""
        with trio.fail_after(within_s):
            code = await self.process.wait()
        await self.out.end()
        await self.err.end()
        return code

    async def stop(self) -> None:
        """Drain it, and expect a clean end."""
        self.send_signal(signal.SIGTERM)
        assert await self.ended() == 0

    async def kill(self) -> None:
        self.process.kill()
        assert await self.ended() == -signal.SIGKILL


class House:
    """A place to live in for daemons: a home, an environment, and what was started there."""

    def __init__(self, path: Path, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._started: list[trio.Process] = []
        self.chatd = CHATD
        self.path = path
        self.state_dir = path / "state" / "chatd"
        self.environment = {
            "HOME": str(path),
            "XDG_STATE_HOME": str(path / "state"),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "PYTHONPATH": str(REPOSITORY),
            "LANG": "C.UTF-8",
        }

    def config(self, text: str, name: str = "chatd.toml") -> Path:
        """Write a configuration file; under its usual name it is found by itself."""
        path = self.path / name
        path.write_text(text)
        return path

    async def begin(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] = (*CHATD, "serve"),
        terminals: Sequence[str] = (),
        stderr: int | None = None,
        descriptors: Sequence[int] = (),
    ) -> Daemon:
        """Start `chatd serve` on a free port, not waiting for it.

        `terminals` are those of "stdout" and "stderr" that are pseudo-terminals. With a `stderr`
        of the test's own nothing is collected from it. The process inherits the `descriptors`.
        """
        ends: dict[str, int] = {}
        targets: dict[str, int] = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE if stderr is None else stderr,
        }
        for name in terminals:
            ends[name], targets[name] = pty.openpty()
        process = await trio.lowlevel.open_process(
            [*program, "--port", "0", *arguments],
            stdin=subprocess.DEVNULL,
            env={**self.environment, _DRAIN: str(LONG_DRAIN_S), **(env or {})},
            cwd=self.path,
            pass_fds=tuple(descriptors),
            **targets,
        )
        self._started.append(process)
        daemon = Daemon(process, Output(), Output())
        for name, output in (("stdout", daemon.out), ("stderr", daemon.err)):
            if name in ends:
                os.close(targets[name])
                self._nursery.start_soon(output.collect, trio.lowlevel.FdStream(ends[name]))
            elif (stream := getattr(process, name)) is not None:
                self._nursery.start_soon(output.collect, stream)
            else:
                output.ended = True
        return daemon

    async def start(self, *arguments: str, **how: Any) -> Daemon:
        """Start `chatd serve`, and return when it says that it has."""
        daemon = await self.begin(*arguments, **how)
        started = await daemon.err.having(r"daemon\.started.*\n")
        port = re.search(r'port"?[=:](\d+)', started[0])
        assert port is not None
        daemon.port = int(port[1])
        return daemon

    async def run(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        given: bytes = b"",
        program: Sequence[str] = CHATD,
        within_s: float = COMMAND_S,
        descriptors: Sequence[int] = (),
    ) -> Finished:
        """Run a command of chatd to its end."""
        with trio.fail_after(within_s):
            done = await trio.run_process(
                [*program, *arguments],
                stdin=given,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                env={**self.environment, **(env or {})},
                cwd=self.path,
                pass_fds=tuple(descriptors),
            )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    async def run_each(self, *commands: Sequence[str], **how: Any) -> list[Finished]:
        """Run commands beside each other, as starting one costs more than what it does."""
        done: dict[int, Finished] = {}

        async def one(index: int, command: Sequence[str]) -> None:
            done[index] = await self.run(*command, **how)

        async with trio.open_nursery() as nursery:
            for index, command in enumerate(commands):
                nursery.start_soon(one, index, command)
        return [done[index] for index in range(len(commands))]

    @property
    def secret(self) -> str:
        """The secret that a daemon here has generated."""
        return (self.state_dir / "jwt-secret").read_text()

    async def tear_down(self) -> None:
        with trio.CancelScope(shield=True):
            for process in self._started:
                if process.returncode is None:
                    process.kill()
                with trio.move_on_after(END_S):
                    await process.wait()


async def fetch(port: int, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """One HTTP request: status, headers in lower case, body."""
    with trio.fail_after(COMMAND_S):
        return await _fetch(await trio.open_tcp_stream("127.0.0.1", port), path, method)


async def fetch_inside(
    socket_path: str | Path, path: str, headers: Sequence[tuple[str, str]] = ()
) -> tuple[int, dict[str, str], bytes]:
    """The same of the internal listener, at its socket."""
    with trio.fail_after(COMMAND_S):
        return await _fetch(await trio.open_unix_socket(str(socket_path)), path, "GET", headers)


async def _fetch(
    stream: trio.SocketStream, path: str, method: str, headers: Sequence[tuple[str, str]] = ()
) -> tuple[int, dict[str, str], bytes]:
    async with stream:
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        await stream.send_all(f"{head}{lines}\r\n".encode())
        received = b"".join([piece async for piece in stream])
    raw_head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = raw_head.decode("latin-1").split("\r\n")
    answered = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    return int(status.split()[1]), answered, body
