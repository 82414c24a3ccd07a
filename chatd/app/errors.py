"""Why the daemon cannot start, as a sentence for a person and an exit code.

The code tells a service manager whether another try may help.
"""

from typing import Final

EXIT_FAILURE: Final = 1
"""The failure may pass by itself."""
EXIT_DAMAGED: Final = 74
"""The store is damaged (sysexits.h, EX_IOERR)."""
EXIT_CONFIG: Final = 78
"""The configuration cannot be used (sysexits.h, EX_CONFIG)."""


class StartFailedError(Exception):
    """The daemon cannot run; the message is one sentence that says what to do."""

    def __init__(self, message: str, exit_code: int = EXIT_FAILURE) -> None:
        super().__init__(message)
        self.exit_code = exit_code
