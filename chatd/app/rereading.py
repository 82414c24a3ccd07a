"""Where a running daemon has its configuration from, so that it can be read again."""

from collections.abc import Callable

import attrs

from chatd.config import Loaded
from chatd.observe import StreamLog


@attrs.frozen
class Rereading:
    """`read` reads the file, the environment and the flags once more, as at the start: it raises
    ConfigError, and may block. `log` goes to a terminal or not."""

    loaded: Loaded
    read: Callable[[], Loaded]
    log: StreamLog
    is_terminal: bool
