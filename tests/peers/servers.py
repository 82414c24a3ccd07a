"""Servers as processes of their own, started, killed, and started again on the same port."""

import contextlib
import copy
import json
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import socketio

from chatd.auth.mint import mint

ROOT: Final = Path(__file__).parents[2]
LIMIT_S: Final = 45.0
SECRET: Final = "a secret that only the tests of the peers know"
PING_INTERVAL_S: Final = 4
"""Also bounds how long the synchronous client of python-engineio takes to leave. Where a POST of
its own is under way when it disconnects, it never sends the close packet that it has queued, and
waits for its pending GET: the next ping ends that."""

LIMITS: Final = (
    "USER_MESSAGES_PER_MINUTE",
    "SOCKET_MESSAGES_PER_MINUTE",
    "ROOM_MESSAGES_PER_MINUTE",
    "SOCKET_EVENTS_PER_MINUTE",
)
"""Limits of rate, which these tests do not mean to meet."""


def leave(client: socketio.Client) -> None:
    """Hang up, and close what the library leaves open where the server was faster."""
    client.disconnect()
    if client.eio.ws is not None:
        client.eio.ws.shutdown()


def free_port() -> int:
    """A port that nobody has, and that nobody is given for a connection of their own.

    Below the volatile ports: there, a client that comes back again and again to a port of this
    machine that nobody listens on would sooner or later be connected to itself. Each worker of
    pytest-xdist has ports of its own, so that none takes what another one has just found free.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 12
    for port in random.sample(range(20_000 + 1_000 * worker, 21_000 + 1_000 * worker), 200):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def free_ports(count: int) -> list[int]:
    """So many ports as `free_port` finds them, each another one."""
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return list(ports)


class Server:
    """A server process. `ready` is the text in a line of its output that says it is ready."""

    def __init__(
        self, *command: str, ready: str, port: int, cwd: Path, environment: Mapping[str, str]
    ) -> None:
        self._command = [sys.executable, *command]
        self._ready = ready
        self._cwd = cwd
        self._environment = {**os.environ, **environment}
        self.url = f"http://127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        """Start, or start again after `kill`; returns when the server is ready."""
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._said: deque[str] = deque(maxlen=40)
        self._process = subprocess.Popen(
            self._command,
            cwd=self._cwd,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until_s = time.monotonic() + LIMIT_S
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, until_s - time.monotonic()))
            except queue.Empty:
                line = ""
            if self._ready in line:
                return
            if not line:
                self.kill()
                said = "\n".join(self._said)
                raise AssertionError(f"{self._command} did not become ready; it said:\n{said}")

    def called(self, host: str) -> "Server":
        """The same server by another name of this machine."""
        return self.at(self.url.replace("127.0.0.1", host))

    def at(self, url: str) -> "Server":
        """The same server, called there: through a proxy, or by another name."""
        namesake = copy.copy(self)
        namesake.url = url
        return namesake

    def kill(self) -> None:
        """SIGKILL: no goodbye to anybody."""
        self._process.kill()
        self._collect()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._collect()

    def pause(self) -> None:
        """SIGSTOP: it answers nobody, and its connections stand."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def said(self, event: str, word: str) -> list[dict[str, Any]]:
        """The lines of this event in the last part of a daemon's log that hold a word, once there
        is one."""
        until_s = time.monotonic() + LIMIT_S
        while True:
            lines = [line for line in list(self._said) if event in line and word in line]
            found = [one for one in map(json.loads, lines) if one["event"] == event]
            if found:
                return found
            assert time.monotonic() < until_s, "\n".join(self._said)
            time.sleep(0.01)

    def _collect(self) -> int:
        try:
            code = self._process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(LIMIT_S)
            raise
        self._reader.join(LIMIT_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.append(line.rstrip())
            self._lines.put(line)
        self._lines.put("")


def application(name: str, *arguments: str) -> Server:
    """An application of tests.conformance."""
    port = free_port()
    return Server(
        *("-m", f"tests.conformance.{name}", str(port), *arguments),
        ready=f"listening on {port}",
        port=port,
        cwd=ROOT,
        environment={},
    )


def peers_app(*arguments: str) -> Server:
    """The application of tests.conformance.peers_app."""
    return application("peers_app", "--ping-interval", str(PING_INTERVAL_S * 1000), *arguments)


def daemon(
    directory: Path, configuration: str = "", *, port: int | None = None, **environment: str
) -> Server:
    """`chatd serve`, with its state in `directory`, and a file of configuration of its own.

    Limits are out of the way, unless the `environment` says otherwise."""
    port = free_port() if port is None else port
    config = directory / "chatd.toml"
    config.write_text(configuration)
    return Server(
        *("-m", "chatd", "serve", "--port", str(port), "--state-dir", str(directory / "state")),
        *("--config", str(config), "--log-format", "json"),
        ready="daemon.started",
        port=port,
        cwd=directory,
        environment={
            "CHATD_AUTH__JWT_SECRET": SECRET,
            "CHATD_SERVER__PING_INTERVAL_S": str(PING_INTERVAL_S),
            **{f"CHATD_LIMITS__{name}": "1000000000" for name in LIMITS},
            **environment,
        },
    )


def token(
    user_id: str, *rooms: str, secret: str = SECRET, ttl_s: int = 600, ago_s: float = 0.0
) -> str:
    """A token of `ago_s` ago, that the daemon takes unless it is signed with another secret."""
    return mint(
        secret,
        user_id=user_id,
        rooms=rooms,
        name=user_id.title(),
        ttl_s=ttl_s,
        now_s=time.time() - ago_s,
        audience="authenticated",
        issuer="",
        claim="connections",
    )
