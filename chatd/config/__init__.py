"""What can be set, what is set, and where that came from."""

from chatd.config.errors import ConfigError
from chatd.config.load import DEFAULT, Loaded, load
from chatd.config.outside import missing
from chatd.config.paths import PLACES, shown_path, state_directory
from chatd.config.rooms import FileConnection
from chatd.config.sections import (
    DEMO_ROOM,
    AnswersConfig,
    AuthConfig,
    Config,
    DirectoryConfig,
    LimitsConfig,
    LogConfig,
    MessagesConfig,
    ServerConfig,
    StateConfig,
)
from chatd.config.show import explain, sample

__all__ = [
    "DEFAULT",
    "DEMO_ROOM",
    "PLACES",
    "AnswersConfig",
    "AuthConfig",
    "Config",
    "ConfigError",
    "DirectoryConfig",
    "FileConnection",
    "LimitsConfig",
    "Loaded",
    "LogConfig",
    "MessagesConfig",
    "ServerConfig",
    "StateConfig",
    "explain",
    "load",
    "missing",
    "sample",
    "shown_path",
    "state_directory",
]
