"""The end of what a db-mcp wrote to its standard error, in a form that may be shown: masked and
bounded; pure."""

from typing import Final

from chatd.answers.mcp.secrets import Masks

WORDS_BYTES: Final = 4_096
"""Bytes that are kept of a standard error, the last ones: a traceback with its message."""


class LastWords:
    """Keeps the end of what is written. It keeps more than it shows, by the length of the longest
    secret, so that it recognises a secret that crosses the edge."""

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
        """Its last lines, without secrets and empty lines; what is not UTF-8 is replaced."""
        if not self._kept:
            return ()
        since = max(0, len(self._kept) - WORDS_BYTES)
        text = self._masks.masked(bytes(self._kept), since).decode(errors="replace")
        return tuple(line.strip() for line in text.splitlines() if line.strip())
