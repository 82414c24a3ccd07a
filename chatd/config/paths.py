"""Where things are on disk: the file that is read, and the directory for state."""

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from chatd.config.errors import ConfigError, quoted
from chatd.config.sections import Config
from chatd.files import read_file as read_regular_file

PLACES = (Path("chatd.toml"), Path("/etc/chatd/chatd.toml"))
"""Tried in this order if no file is named; relative ones from the working directory."""
VARIABLE = "CHATD_CONFIG"


@attrs.frozen
class SourceFile:
    """A configuration file: where it is, its text, which may hold secrets, and its permissions."""

    path: Path
    text: str = attrs.field(repr=False)
    mode: int


def read_file(
    path: Path | None, env: Mapping[str, str], cwd: Path, places: Sequence[Path]
) -> SourceFile | None:
    """The first file that exists; None if there is none.

    A file that is named, by `path` or by $CHATD_CONFIG, must exist; an empty variable names none.
    """
    if path is not None:
        return _named(cwd / path, "the command line")
    if env.get(VARIABLE):
        return _named(cwd / env[VARIABLE], f"the environment variable {VARIABLE}")
    for place in places:
        source = _source(cwd / place)
        if source is not None:
            return source
    return None


def _named(path: Path, by: str) -> SourceFile:
    source = _source(path)
    if source is None:
        raise ConfigError(
            f"the configuration file {shown_path(path)}, named by {by}, does not exist; "
            "create it, or name another one."
        )
    return source


def _source(path: Path) -> SourceFile | None:
    try:
        # Editors on Windows put a mark in front, which is not part of the text.
        text = read_regular_file(path).decode("utf-8-sig")
        return SourceFile(path, text, stat.S_IMODE(path.stat().st_mode))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigError(
            f"the configuration file {shown_path(path)} cannot be read ({why}); "
            "it must be a file that this user may read."
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(
            f"the configuration file {shown_path(path)} is not UTF-8; save it as UTF-8 text."
        ) from None
    except ValueError:  # a NUL in the name
        raise ConfigError(
            f"{shown_path(path)} is not the name of a file; name a configuration file."
        ) from None


def shown_path(path: Path) -> str:
    """A path for people: as it is, or in quotes if it holds something that could move a cursor."""
    text = str(path)
    return text if text.isprintable() else quoted(text)


def state_directory(config: Config, env: Mapping[str, str], cwd: Path) -> Path:
    """The directory for state, which need not exist yet.

    `state.dir`, else the first of $STATE_DIRECTORY (systemd may list several), else
    $XDG_STATE_HOME/chatd (only an absolute one counts, as its specification says), else
    ~/.local/state/chatd. Raises `ConfigError` if a home directory is needed and $HOME is unset.
    """
    if config.state.dir:
        return cwd / _expanded(config.state.dir, env)
    first = env.get("STATE_DIRECTORY", "").partition(":")[0]
    if first:
        return cwd / first
    xdg = env.get("XDG_STATE_HOME", "")
    if xdg.startswith("/"):
        return Path(xdg) / "chatd"
    return _home(env) / ".local" / "state" / "chatd"


def _expanded(text: str, env: Mapping[str, str]) -> Path:
    head, _, rest = text.partition("/")
    return _home(env) / rest if head == "~" else Path(text)


def _home(env: Mapping[str, str]) -> Path:
    home = env.get("HOME", "")
    if not home:
        raise ConfigError(
            "no directory for state is known, as HOME is not set; "
            "set state.dir, CHATD_STATE__DIR or STATE_DIRECTORY."
        )
    return Path(home)
