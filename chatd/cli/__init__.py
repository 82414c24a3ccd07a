"""The command line: `commands` serve and look around, `store` looks after the state on disk."""

from chatd.cli.commands import main

__all__ = ["main"]
