"""The command line: `commands` serve and look around, `store` looks after the state on disk."""

import gc
import sys

from chatd.app.signals import Signals

__all__ = ["main"]


def main() -> None:
    """Run a command. The signals of a daemon are caught before the rest of it is imported.

    A start makes objects that live for ever: until it is over (`app.daemon`), the garbage collector
    would only look through these, for a fourteenth of the start's time.
    """
    signals = Signals() if sys.argv[1:2] == ["serve"] else None
    if signals is not None:
        gc.disable()
    from chatd.cli.commands import main as command

    command(obj=signals)
