"""Where a running daemon has its configuration from, so that it can be read again."""

from collections.abc import Callable

import attrs

from chatd.config import Loaded
from chatd.observe import StreamLog


@attrs.frozen
class Rereading:
    """`read` reads the file, the environment and the flags once more, as at the start; it may raise
    ConfigError, and may block. `is_terminal`: `log` goes to a terminal."""

    loaded: Loaded
    read: Callable[[], Loaded]
    log: StreamLog
    is_terminal: bool
