"""Asks a running daemon on its public port, however that listens: at a port or a unix socket, with
or without the header of the PROXY protocol before the request."""

import contextlib
import http.client
import json
import os
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from chatd.app.hosts import place_of, socket_path
from chatd.config import ServerConfig
from chatd.net.proxy_protocol import LOCAL_HEADER

HEALTH_TIMEOUT_S: Final = 5.0
ANSWER_BYTES_MAX: Final = 65_536
_HEALTH_PATH: Final = "/api/websocket/health"


class NoAnswerError(Exception):
    """Nothing answers there; its text says why, in the words of the system."""


class NoChatdError(Exception):
    """What answers there is not chatd."""


def health_of(server: ServerConfig) -> tuple[str, str]:
    """What the daemon of this configuration says about its health: the status, and the whole answer
    as JSON.

    Raises NoAnswerError or NoChatdError.
    """
    connection = _Direct(server)
    try:
        with contextlib.closing(connection):
            connection.request("GET", _HEALTH_PATH)
            body = connection.getresponse().read(ANSWER_BYTES_MAX)
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswerError(_words(error)) from error
    return _status(body)


def health_at(url: str) -> tuple[str, str]:
    """The same at a URL of http or https."""
    # A proxy that the environment names leads outside, not to a daemon with an address.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url.rstrip("/") + _HEALTH_PATH, timeout=HEALTH_TIMEOUT_S) as answer:
            body = answer.read(ANSWER_BYTES_MAX)
    except urllib.error.HTTPError as error:
        body = error.read(ANSWER_BYTES_MAX)
    except (OSError, ValueError, OverflowError, http.client.HTTPException) as error:
        raise NoAnswerError(_words(error)) from error
    return _status(body)


def _status(body: bytes) -> tuple[str, str]:
    try:
        return str(json.loads(body)["status"]), body.decode()
    except (ValueError, KeyError, TypeError) as error:
        raise NoChatdError from error


def _words(error: BaseException) -> str:
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason).strip()


class _Direct(http.client.HTTPConnection):
    """A connection from this machine to where a configuration listens."""

    def __init__(self, server: ServerConfig) -> None:
        self._server = server
        self._path = socket_path(server.host)
        url = urlsplit(place_of(server.host, server.port))
        name, port = ("localhost", 80) if self._path else (unquote(url.hostname or ""), url.port)
        super().__init__(name, port, timeout=HEALTH_TIMEOUT_S)

    def connect(self) -> None:
        if self._path is None:
            super().connect()
        else:
            self.sock = _connected(self._path)
        if self._server.proxy_protocol:
            self.sock.sendall(LOCAL_HEADER)


def _connected(path: Path) -> socket.socket:
    """Connect through the directory's descriptor, since a path may be too long for the name of a
    socket."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sock.settimeout(HEALTH_TIMEOUT_S)
            sock.connect(f"/proc/self/fd/{directory}/{path.name}")
        finally:
            os.close(directory)
    except BaseException:
        sock.close()
        raise
    return sock
