"""Listening sockets that a service manager hands over: systemd's protocol of `sd_listen_fds`.

The descriptors from 3 on are this process's if `$LISTEN_PID` names it; `$LISTEN_FDNAMES` has their
names; `internal` is the internal listener's. The service manager keeps them open: while the daemon
restarts, clients wait, and none is refused.
"""

import os
import socket
import stat
from collections.abc import MutableMapping, Sequence
from typing import Final

import attrs

from chatd.app.errors import EXIT_CONFIG, StartFailedError

FIRST_DESCRIPTOR: Final = 3
DESCRIPTORS_MAX: Final = 64
"""More cannot come from our socket unit: each address takes one."""
INTERNAL: Final = "internal"
"""`FileDescriptorName=` of the socket of the internal listener."""


@attrs.frozen
class Inherited:
    """Listening sockets, non-blocking, which no child inherits; none if nothing was handed over."""

    public: Sequence[socket.socket] = ()
    internal: Sequence[socket.socket] = ()


NOTHING_INHERITED: Final = Inherited()


def take_inherited(environment: MutableMapping[str, str], process_id: int) -> Inherited:
    """The sockets of this process; the variables are taken out of the environment.

    Raises StartFailedError, with a sentence, for anything that is not a listening stream socket.
    """
    owner, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    names = environment.pop("LISTEN_FDNAMES", "").split(":")
    if owner != str(process_id) or count in ("", "0"):
        return NOTHING_INHERITED
    if not count.isdecimal() or int(count) > DESCRIPTORS_MAX:
        raise StartFailedError(
            f"$LISTEN_FDS must be a number up to {DESCRIPTORS_MAX}; see to the socket unit.",
            EXIT_CONFIG,
        )
    public: list[socket.socket] = []
    internal: list[socket.socket] = []
    for index in range(int(count)):
        name = names[index] if index < len(names) else ""
        listener = _judged(FIRST_DESCRIPTOR + index, name)
        (internal if name == INTERNAL else public).append(listener)
    return Inherited(tuple(public), tuple(internal))


def _judged(descriptor: int, name: str) -> socket.socket:
    shown = f"Descriptor {descriptor}" + (f" ({name:.64})" if name.isprintable() and name else "")
    try:
        is_socket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        raise StartFailedError(
            f"{shown} is not open, though $LISTEN_FDS counts it; see to the socket unit.",
            EXIT_CONFIG,
        ) from None
    if not is_socket:
        raise _refused(shown, "is not a socket")
    listener = socket.socket(fileno=descriptor)
    fault = _fault_of(listener)
    if fault is not None:
        listener.detach()
        raise _refused(shown, fault)
    listener.set_inheritable(False)
    listener.setblocking(False)
    return listener


def _fault_of(listener: socket.socket) -> str | None:
    if listener.family not in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
        return "is neither a TCP nor a unix socket"
    if listener.type != socket.SOCK_STREAM:
        return "is not a stream socket"
    if listener.family != socket.AF_UNIX and listener.proto != socket.IPPROTO_TCP:
        return "is neither a TCP nor a unix socket"
    if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "does not listen; take Accept=no"
    return None


def _refused(shown: str, fault: str) -> StartFailedError:
    return StartFailedError(
        f"{shown} was handed over by a service manager and {fault}; "
        "name ListenStream= alone in the socket unit.",
        EXIT_CONFIG,
    )


def shown_address(listener: socket.socket) -> str:
    """HOST:PORT of a listener, or the path of a unix socket ("@name" if that is abstract)."""
    place = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        text = os.fsdecode(place) if isinstance(place, bytes) else place
        return f"@{text[1:]}" if text.startswith("\0") else text
    host, port = place[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
