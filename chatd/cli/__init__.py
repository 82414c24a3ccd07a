"""The command line: `commands` are those that serve and look around, `options` what all share."""

from chatd.cli.commands import main

__all__ = ["main"]
