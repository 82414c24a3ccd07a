"""What can be set, what is set, and where that came from (SPEC 8, configuration)."""

from chatd.config.databases import Database
from chatd.config.errors import ConfigError
from chatd.config.load import DEFAULT, Loaded, load
from chatd.config.outside import missing
from chatd.config.paths import PLACES, shown_path, state_directory
from chatd.config.rooms import EVERYBODY, FileConnection
from chatd.config.sections import (
    DEMO_ROOM,
    Answers,
    Auth,
    Config,
    Directory,
    Limits,
    Log,
    Messages,
    Server,
    State,
)
from chatd.config.show import explain, sample

__all__ = [
    "DEFAULT",
    "DEMO_ROOM",
    "EVERYBODY",
    "PLACES",
    "Answers",
    "Auth",
    "Config",
    "ConfigError",
    "Database",
    "Directory",
    "FileConnection",
    "Limits",
    "Loaded",
    "Log",
    "Messages",
    "Server",
    "State",
    "explain",
    "load",
    "missing",
    "sample",
    "shown_path",
    "state_directory",
]
