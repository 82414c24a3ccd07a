"""What a db-mcp wrote last to its standard error, as it may be shown: masked, and bounded; pure."""

from typing import Final

from chatd.answers.mcp.secrets import Masks

WORDS_BYTES: Final = 4_096
"""Bytes that are kept of a standard error, the last ones: a traceback with its message."""


class LastWords:
    """Keeps the end of what is written. More is kept than shown, by the longest secret, so that a
    secret over the edge is known as one."""

    def __init__(self, masks: Masks) -> None:
        self._masks = masks
        self._kept = bytearray()

    def hear(self, piece: bytes) -> None:
        """The next bytes."""
        most = WORDS_BYTES + self._masks.longest
        self._kept += piece[-most:]
        del self._kept[:-most]

    @property
    def lines(self) -> tuple[str, ...]:
        """Its last lines, without secrets and empty lines; what is no UTF-8 is replaced."""
        if not self._kept:
            return ()
        since = max(0, len(self._kept) - WORDS_BYTES)
        text = self._masks.masked(bytes(self._kept), since).decode(errors="replace")
        return tuple(line.strip() for line in text.splitlines() if line.strip())
