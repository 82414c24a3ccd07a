"""Opening the public port and the internal listener, with errors for people."""

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from chatd.app.errors import StartFailedError
from chatd.app.hosts import EVERYWHERE, plain_host, socket_path

INTERNAL_NAME: Final = "internal.sock"  # in the state directory
INTERNAL_BACKLOG: Final = 16  # connections that wait to be accepted: a scraper and a few people
OWN_USER_ONLY: Final = 0o600
PROBE_S: Final = 1.0  # for the process that may listen at a socket file that is there already
_ABSENT: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


class CannotListenError(StartFailedError):
    """The port cannot be opened."""


def open_listeners(
    host: str,
    port: int,
    backlog: int,
    *,
    host_key: str = "server.host",
    port_key: str = "--port",
) -> list[socket.socket]:
    """Listening sockets, non-blocking, for every address that `host` stands for.

    `::` is every address of the machine, IPv4 too. If a name has several addresses (`localhost`
    often has two), those that this machine does not have are skipped, as long as it has one of
    them. With port 0 the first socket takes any free port, and the others take the same one. Raises
    CannotListenError, which names what to set by `host_key` and `port_key`.
    """
    plain = plain_host(host)
    try:
        found = socket.getaddrinfo(plain, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not a host name"
        raise CannotListenError(
            f"The address {host!r} is not known ({why}); set {host_key}."
        ) from error
    has_ipv4 = any(family == socket.AF_INET for family, *_ in found)
    listeners: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, _, protocol, _, address in dict.fromkeys(found):
            chosen = port or (listeners[0].getsockname()[1] if listeners else 0)
            place = (address[0], chosen, *address[2:])
            prepare = partial(_prepare, is_alone=has_ipv4 or address[0] not in EVERYWHERE)
            try:
                listeners.append(_open(family, protocol, prepare, place, backlog))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
        if not listeners and absent is not None:
            raise absent
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise CannotListenError(_explain(host, port, error, host_key, port_key)) from error
    return listeners


def open_public(
    host: str, port: int, backlog: int, *, socket_mode: int
) -> tuple[list[socket.socket], Path | None]:
    """The sockets of the public port, at a `server.host`, and the path if it is a unix socket.

    A unix socket gets the permissions `socket_mode`. Raises CannotListenError.
    """
    path = socket_path(host)
    if path is None:
        return open_listeners(host, port, backlog), None
    return [_open_socket(path, backlog, socket_mode, key="server.host")], path


def _prepare(listener: socket.socket, *, is_alone: bool) -> None:
    """`is_alone`: a listener on IPv6 does not take IPv4."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listener.family == socket.AF_INET6:
        # Set either way: otherwise the system chooses (net.ipv6.bindv6only).
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, is_alone)


def _open(
    family: int, protocol: int, prepare: Callable[[socket.socket], None], place: Any, backlog: int
) -> socket.socket:
    """One listener at an address of its family, prepared before it is bound."""
    listener = socket.socket(family, socket.SOCK_STREAM, protocol)
    try:
        prepare(listener)
        listener.bind(place)
        listener.listen(backlog)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def internal_path(place: str, state_dir: Path) -> Path | None:
    """The path of the internal socket that a `server.internal` stands for; None if it is TCP."""
    if place and not place.startswith("/"):
        return None
    return Path(place) if place else state_dir / INTERNAL_NAME


def open_internal(place: str, state_dir: Path) -> list[socket.socket]:
    """The sockets of the internal listener, at a `server.internal`; the store must be open.

    Raises CannotListenError.
    """
    path = internal_path(place, state_dir)
    if path is None:
        host, _, port = place.rpartition(":")
        key = "server.internal"
        return open_listeners(
            host.strip("[]"), int(port), INTERNAL_BACKLOG, host_key=key, port_key=key
        )
    return [_open_socket(path, INTERNAL_BACKLOG, OWN_USER_ONLY, key="server.internal")]


def remove_sockets(paths: Sequence[Path], within_s: float) -> None:
    """Remove the files of sockets before the process ends; in a thread, and waiting only so long,
    since the disk may be what hangs."""
    removing = threading.Thread(target=_remove, args=[paths], daemon=True)
    removing.start()
    removing.join(within_s)


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):  # it is gone, or something else is in its place
            path.unlink()


def _open_socket(path: Path, backlog: int, mode: int, *, key: str) -> socket.socket:
    try:
        return _open_unix(path, backlog, mode)
    except OSError as error:
        name = "The internal socket" if key == "server.internal" else "The socket"
        why = "something is there already" if error.errno == errno.EADDRINUSE else error.strerror
        raise CannotListenError(f"{name} {path} cannot be opened: {why}; set {key}.") from error


def _open_unix(path: Path, backlog: int, mode: int) -> socket.socket:
    """A socket with these permissions, replacing one that no process listens at any more.

    It is named through its directory's descriptor: a socket's name may have at most 107 bytes, and
    the path of a state directory may be longer.
    """
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        name = f"/proc/self/fd/{directory}/{path.name}"
        if path.is_socket() and _is_left_behind(name):
            path.unlink()

        def prepare(listener: socket.socket) -> None:
            os.fchmod(listener.fileno(), mode)  # before anybody can connect

        umask = os.umask(0)  # it would take away what the mode gives a group
        try:
            return _open(socket.AF_UNIX, 0, prepare, name, backlog)
        finally:
            os.umask(umask)
    finally:
        os.close(directory)


def _is_left_behind(name: str) -> bool:
    """Whether a connection is refused; a connection that is not accepted in time has a listener, if
    an idle one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(name)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def _explain(host: str, port: int, error: OSError, host_key: str, port_key: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"Port {port} of {host} is in use, perhaps by another chatd; "
                f"end that one or choose another with {port_key}."
            )
        case errno.EACCES:
            return f"Port {port} needs privileges; choose one above 1023 with {port_key}."
        case errno.EAFNOSUPPORT:
            instead = "0.0.0.0" if plain_host(host) in EVERYWHERE else "127.0.0.1"
            return (
                f"{host} needs IPv6, which this system does not have; set {host_key} to {instead}."
            )
        case errno.EADDRNOTAVAIL:
            return f"{host} is not an address of this machine; set {host_key}."
    return f"Port {port} of {host} cannot be opened: {error.strerror}."
