"""What the commands share: the option that names the configuration, and how they end."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from chatd.app.errors import EXIT_FAILURE, StartFailedError
from chatd.app.logs import require_sqlite
from chatd.config import Config, ConfigError, Loaded, StateConfig, load, state_directory
from chatd.observe import traceback_of
from chatd.observe.lines import visible
from chatd.store import StoreError


class CommandGroup(click.Group):
    """A group whose commands end with a sentence and an exit code where one of these errors is
    raised; each is a sentence for a person."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ConfigError, StartFailedError, StoreError) as error:
            fail(str(error), error.exit_code)


def configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option that names the configuration file."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        help="The configuration file; else $CHATD_CONFIG, ./chatd.toml, /etc/chatd/chatd.toml.",
    )(command)


def load_config(path: Path | None, **overrides: object) -> Loaded:
    """The configuration with flags over it, as `section__key`. Raises ConfigError."""
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    return load(path, os.environ, named, Path.cwd())


def state_dir_of(config: Config) -> Path:
    """The directory for state, here and in this environment. Raises ConfigError."""
    return state_directory(config, os.environ, Path.cwd())


def log_of_config(path: Path | None, state_dir: str | None) -> tuple[Path, StateConfig]:
    """The state directory of a configuration, and where it has its log. Raises ConfigError."""
    config = load_config(path, state__dir=state_dir).config
    return state_dir_of(config), config.state


def files_of_log(path: Path | None, state_dir: str | None, instead: str) -> Path:
    """The state directory of a configuration whose log is in it. Raises ConfigError, and
    StartFailedError where the log is in PostgreSQL: there `instead` is used."""
    directory, state = log_of_config(path, state_dir)
    require_sqlite(state, instead)
    return directory


def say(text: str) -> None:
    """Write the result of a command; the end where it cannot be written."""
    try:
        click.echo(_for_a_terminal(text))
    except BrokenPipeError:  # the reader has what it wants; click ends quietly
        raise
    except OSError as error:
        # What is left in the buffer must not fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        fail(f"standard output cannot be written: {error.strerror}.", EXIT_FAILURE)


def fail(message: str, code: int) -> NoReturn:
    """End with a sentence for a person, or one in each line."""
    for sentence in message.split("\n"):
        click.echo(f"chatd: {_for_a_terminal(sentence)}", err=True)
    sys.exit(code)


def warn(message: str) -> None:
    """Tell a person what is not right, and yet no reason to end."""
    click.echo(f"chatd: warning: {_for_a_terminal(message)}", err=True)


def _for_a_terminal(text: str) -> str:
    """The text, line by line, with what a terminal would obey spelled out: it may quote tokens,
    files and servers of others."""
    return "\n".join(map(visible, text.split("\n")))


def hide_words_of_exceptions() -> None:
    """Show where an uncaught exception came from, and not what it says: it may quote what was being
    worked on, and standard error goes into logs."""

    def show(error: BaseException | None) -> None:
        if error is not None:
            click.echo(f"chatd: a fault of its own\n{traceback_of(error)}", err=True)

    sys.excepthook = lambda _kind, error, _traceback: show(error)
    threading.excepthook = lambda hook: show(hook.exc_value)
    sys.unraisablehook = lambda hook: show(hook.exc_value)


def open_missing_streams() -> None:
    """Put /dev/null where a launcher closed a standard stream.

    Otherwise its descriptor would go to a file or socket of ours, into which others then write.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - for the whole process
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - for the whole process
