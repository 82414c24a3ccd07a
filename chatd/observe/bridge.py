"""Lines of libraries (hypercorn and others log through the standard library) in our own log.

Only this module touches `logging`. The text of such a line is not ours: anything that looks like a
token is blotted out, and an exception is shown as our own are.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from chatd.observe.events import Level, traceback_of
from chatd.observe.log import StreamLog

QUIET = ("mcp", "client", "httpx2", "httpcore2")
"""Libraries whose lines below warnings hold what users ask and databases answer: never written.
The MCP SDK calls one of its loggers `client`."""

EVENT_NAME = "library.logged"

_JWT = re.compile(r"eyJ[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){1,2}")
_CREDENTIAL = re.compile(r"(?i)((?:\b(?:auth|token|access_token)=|\bbearer\s+))[^&\s\"']+")


class _Bridge(logging.Handler):
    def __init__(self, log: StreamLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # arguments that do not fit: the library's fault must not crash us
            message = str(record.msg)
        fields: dict[str, object] = {"logger": record.name, "message": without_tokens(message)}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            fields["error_type"] = type(error).__name__
            fields["traceback"] = traceback_of(error)
        self._log.write(_level(record.levelno), EVENT_NAME, fields)


def _level(number: int) -> Level:
    return max((level for level in Level if level <= number), default=Level.DEBUG)


def without_tokens(text: str) -> str:
    """`text` with tokens blotted out."""
    return _CREDENTIAL.sub(r"\1(hidden)", _JWT.sub("(hidden)", text))


def library_logger(name: str) -> logging.Logger:
    """The standard logger of that name, for libraries that take one."""
    return logging.getLogger(name)  # noqa: TID251 - the one home of logging


@contextmanager
def bridge(log: StreamLog) -> Iterator[None]:
    """While the block runs, all standard loggers write to `log`, from warnings up.

    With the log at `debug` they write everything, except the quiet ones. The earlier settings are
    restored afterwards.
    """
    root = library_logger("")
    before, level = root.handlers[:], root.level
    root.handlers[:] = [_Bridge(log)]
    root.setLevel(logging.DEBUG if log.threshold <= Level.DEBUG else logging.WARNING)
    quiet = {name: library_logger(name).level for name in QUIET}
    for name in QUIET:
        library_logger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        for name, own in quiet.items():
            library_logger(name).setLevel(own)
        root.handlers[:] = before
        root.setLevel(level)
