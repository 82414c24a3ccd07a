"""Lines out of bytes that come in pieces, each bounded; pure.

The SDK's reader joins what it has with each piece that comes, which is quadratic: a line of a few
megabytes would block the loop for seconds. Here each byte is looked at once.
"""

from typing import Final

NEWLINE: Final = b"\n"


class LineTooLong(Exception):
    """A line has more bytes than it may have; raised before the line is whole."""


class Lines:
    """Cuts what it is fed into lines of at most `max_bytes`, without their ends."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pending = bytearray()

    def feed(self, piece: bytes | bytearray) -> list[bytes]:
        """The lines that this piece completes. Raises `LineTooLong`."""
        *whole, rest = piece.split(NEWLINE)
        lines: list[bytes] = []
        for part in whole:
            self._pending += part
            self._bound()
            lines.append(bytes(self._pending).removesuffix(b"\r"))
            self._pending.clear()
        self._pending += rest
        self._bound()
        return lines

    def _bound(self) -> None:
        if len(self._pending) > self._max_bytes:
            raise LineTooLong
