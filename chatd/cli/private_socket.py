"""Asks the running daemon over its internal listener, for `chatd admin` and commands like it."""

import http.client
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from chatd.app.errors import EXIT_FAILURE
from chatd.app.listen import internal_path
from chatd.cli.options import fail, load_config, state_dir_of
from chatd.config import Config

ANSWER_S: Final = 30.0
"""Seconds for an answer to begin; beyond: the command fails."""
ERASE_S: Final = 3_600.0
"""The same for an erasure, which rewrites the log."""
ANSWER_BYTES_MAX: Final = 16_777_216
"""Bytes of an answer that are read."""


class NoDaemonError(Exception):
    """No daemon answers where it should be; `str()` says why."""


class _Connection(http.client.HTTPConnection):
    """A connection to a unix socket whose path may be longer than a socket's name can be."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        directory = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sock.connect(f"/proc/self/fd/{directory}/{self._path.name}")
        finally:
            os.close(directory)


@attrs.frozen
class PrivateSocket:
    """Where the daemon of a configuration can be asked."""

    _config: Config
    _state_dir: Path

    @classmethod
    def of(cls, config_path: Path | None, state_dir: str | None) -> "PrivateSocket":
        """The socket that a command's options lead to."""
        config = load_config(config_path, state__dir=state_dir).config
        return cls(config, state_dir_of(config))

    def ask(
        self, path: str, asked: dict[str, str] | None = None, within_s: float = ANSWER_S
    ) -> Any:
        """What the daemon answers. Ends the command if the daemon refuses; raises NoDaemonError."""
        response = self._request(path, asked, within_s)
        try:
            answer = json.loads(response.read(ANSWER_BYTES_MAX))
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NoDaemonError(f"the daemon broke off: {_why(error)}") from error
        self._judge(response.status, answer)
        return answer

    def follow(self, path: str) -> Iterator[bytes]:
        """The lines of an endless answer. Raises NoDaemonError."""
        response = self._request(path, None, ANSWER_S)
        if response.status != 200:
            self._judge(response.status, json.loads(response.read(ANSWER_BYTES_MAX)))
        try:
            while line := response.readline(ANSWER_BYTES_MAX):
                if line.strip():
                    yield line
        except (OSError, http.client.HTTPException) as error:
            raise NoDaemonError(f"the daemon broke off: {_why(error)}") from error

    def _request(
        self, path: str, asked: dict[str, str] | None, within_s: float
    ) -> http.client.HTTPResponse:
        place = internal_path(self._config.server.internal, self._state_dir)
        connection: http.client.HTTPConnection
        if place is None:
            host, _, port = self._config.server.internal.rpartition(":")
            connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=within_s)
        else:
            connection = _Connection(place, within_s)
        method, body = ("GET", None) if asked is None else ("POST", json.dumps(asked))
        try:
            connection.request(method, path, body)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            where = place or self._config.server.internal
            raise NoDaemonError(f"no daemon answers at {where}: {_why(error)}") from error

    def _judge(self, status: int, answer: Any) -> None:
        if status == 200:
            return
        error = answer.get("error", {})
        is_port = internal_path(self._config.server.internal, self._state_dir) is None
        if is_port and status == 404 and error.get("code") == "not_found":
            fail(
                "the internal listener of this daemon is a port, over which it takes no orders; "
                "set server.internal_admin, or let server.internal be a socket.",
                EXIT_FAILURE,
            )
        fail(str(error.get("message", "the daemon refuses.")), EXIT_FAILURE)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
