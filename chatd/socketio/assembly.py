"""A packet with binary attachments, from its header to its last attachment.

Owns the placeholders, both ways, and the bounds on what it waits for. Must not know how the header
was written, or which namespaces are joined. Source: Socket.IO protocol 5, "Binary attachments".

Placeholders are found and checked when the header arrives, so that a bad one ends the session
before anything is kept for it; they are filled when the last attachment is there.
"""

from __future__ import annotations

from typing import Any, Final

from .packet import Ack, Event, ProtocolError

DEFAULT_MAX_ATTACHMENT_BYTES: Final = 10_000_000
"""Bytes of all attachments of one packet: ten messages of the default maxPayload (1,000,000), which
the reference server has. Beyond it: `ProtocolError`."""

_MARK: Final = "_placeholder"
_NUMBER: Final = "num"


def placeholder(number: int) -> dict[str, Any]:
    """What stands in the JSON for attachment `number`, counted from 0."""
    return {_MARK: True, _NUMBER: number}


def find_placeholders(args: list[Any], attachments: int) -> list[tuple[Any, Any, int]]:
    """(container, key or index, attachment number) of each placeholder below `args`.

    Numbers may come in any order, and more than once. Raises `ProtocolError` for a number that is
    missing, is not an integer, or is not below `attachments` (CVE-2022-2421). Does not recurse.
    """
    places: list[tuple[Any, Any, int]] = []
    pending: list[Any] = [args]
    while pending:
        container = pending.pop()
        items = container.items() if type(container) is dict else enumerate(container)
        for key, value in items:
            if type(value) is dict:
                if value.get(_MARK) is not True:
                    pending.append(value)
                    continue
                number = value.get(_NUMBER)
                if type(number) is not int or not 0 <= number < attachments:
                    raise ProtocolError("A placeholder names no attachment.")
                places.append((container, key, number))
            elif type(value) is list:
                pending.append(value)
    return places


class Assembly:
    """One packet whose attachments are due; exists only while they are."""

    __slots__ = ("_attachments", "_bytes_left", "_due", "_noticed_s", "_packet", "_places")

    def __init__(self, packet: Event | Ack, *, due: int, max_bytes: int) -> None:
        """`packet` still has its placeholders; `due` attachments (1 or more) follow it."""
        self._packet = packet
        self._places = find_placeholders(packet.args, due)
        self._due = due
        self._bytes_left = max_bytes
        self._attachments: list[bytes] = []
        self._noticed_s: float | None = None

    def waited_s(self, now_s: float) -> float:
        """Seconds since the first call of this method."""
        if self._noticed_s is None:
            self._noticed_s = now_s
        return now_s - self._noticed_s

    def add(self, attachment: bytes) -> Event | Ack | None:
        """Take the next attachment; return the packet when it was the last.

        Raises `ProtocolError` when the attachments together are too large.
        """
        self._bytes_left -= len(attachment)
        if self._bytes_left < 0:
            raise ProtocolError("The attachments of a packet are too large.")
        self._attachments.append(attachment)
        if len(self._attachments) < self._due:
            return None
        for container, key, number in self._places:
            container[key] = self._attachments[number]
        return self._packet
