"""Opening the port: before anything else is started, with errors for people."""

import errno
import ipaddress
import socket


class CannotListenError(Exception):
    """The port cannot be opened; the message is one sentence that says what to do."""


def open_listeners(host: str, port: int, backlog: int) -> list[socket.socket]:
    """Listening sockets, non-blocking, for every address that `host` stands for.

    With port 0 the first takes any that is free, and the others the same. Raises CannotListenError.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise CannotListenError(
            f"The address {host!r} is not known ({error.strerror}); set server.host."
        ) from error
    listeners: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listener = socket.socket(family, kind, protocol)
            listeners.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            chosen = port or (listeners[0].getsockname()[1] if len(listeners) > 1 else 0)
            listener.bind((address[0], chosen, *address[2:]))
            listener.listen(backlog)
            listener.setblocking(False)
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise CannotListenError(_explain(host, port, error)) from error
    return listeners


def _explain(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is in use, perhaps by another chatd; "
            "end that one or choose another with --port."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} needs privileges; choose one above 1023 with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine; set server.host."
    return f"Port {port} of {host} cannot be opened: {error.strerror}."


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
