"""The command line: `commands` serve and look around, `store` looks after the state on disk."""

import sys

from chatd.app.signals import Signals

__all__ = ["main"]


def main() -> None:
    """Run a command. The signals of a daemon are caught before the rest of it is imported."""
    signals = Signals() if sys.argv[1:2] == ["serve"] else None
    from chatd.cli.commands import main as command

    command(obj=signals)
