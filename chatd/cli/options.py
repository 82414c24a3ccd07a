"""What the commands share: the option that names the configuration, and how they end."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from chatd.app.errors import EXIT_FAILURE, StartFailedError
from chatd.app.logs import require_sqlite
from chatd.config import Config, ConfigError, Loaded, StateConfig, load, state_directory
from chatd.counts import counted
from chatd.observe import traceback_of
from chatd.observe.lines import visible
from chatd.store import StoreError

NAME_CHARS_MAX: Final = 20
"""Characters of a word that may be the name of a command, misspelled; what is longer may be a
secret."""


class DiscreetCommand(click.Command):
    """A command that does not repeat an argument that it does not take: that may be a secret, and
    standard error may go into a log."""

    takes_no_argument = ""
    """What a person is told who gives one; empty: that the command takes no such argument."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True
        try:
            extra = super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            takes_value = any(isinstance(one, click.Argument) for one in self.params)
            if error.possibilities or not takes_value:
                raise
            said = f"{error.message} If it is a value, write -- before it."
            raise click.NoSuchOption(error.option_name, said, ctx=error.ctx) from error
        if extra and not ctx.resilient_parsing:
            ctx.fail(self.takes_no_argument or f"{counted(len(extra), 'argument')} too many.")
        return extra


class DiscreetGroup(click.Group):
    """A group whose commands are discreet; it does not repeat the name of one that it lacks unless
    that is as short as a name."""

    command_class = DiscreetCommand

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if len(args[0]) > NAME_CHARS_MAX and self.get_command(ctx, args[0]) is None:
            ctx.fail("There is no such command.")
        return super().resolve_command(ctx, args)


class CommandGroup(DiscreetGroup):
    """A group whose commands end with a sentence and an exit code if one of these errors is raised;
    the text of each error is a sentence for people."""

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
    StartFailedError if the log is in PostgreSQL, where `instead` has to be used."""
    directory, state = log_of_config(path, state_dir)
    require_sqlite(state, instead)
    return directory


def say(text: str) -> None:
    """Write the result of a command; end if it cannot be written."""
    try:
        click.echo(_for_a_terminal(text))
    except BrokenPipeError:  # the reader has what it wants; click ends quietly
        raise
    except OSError as error:
        # What is left in the buffer must not fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        fail(f"standard output cannot be written: {error.strerror}.", EXIT_FAILURE)


def fail(message: str, code: int) -> NoReturn:
    """End with a sentence for people, or one in each line."""
    for sentence in message.split("\n"):
        click.echo(f"chatd: {_for_a_terminal(sentence)}", err=True)
    sys.exit(code)


def tell(message: str) -> None:
    """Tell people what is worth knowing besides the result."""
    click.echo(f"chatd: {_for_a_terminal(message)}", err=True)


def warn(message: str) -> None:
    """Tell people what is not right, but not a reason to end."""
    click.echo(f"chatd: warning: {_for_a_terminal(message)}", err=True)


def _for_a_terminal(text: str) -> str:
    """The text, line by line, with the characters spelled out that a terminal would obey: the text
    may quote tokens, files and other people's servers."""
    return "\n".join(map(visible, text.split("\n")))


def hide_words_of_exceptions() -> None:
    """Show where an uncaught exception came from, but not what it says: it may quote the data that
    was being worked on, and standard error goes into logs."""

    def show(error: BaseException | None) -> None:
        if error is not None:
            click.echo(f"chatd: an internal fault\n{traceback_of(error)}", err=True)

    sys.excepthook = lambda _kind, error, _traceback: show(error)
    threading.excepthook = lambda hook: show(hook.exc_value)
    sys.unraisablehook = lambda hook: show(hook.exc_value)


def open_missing_streams() -> None:
    """Put /dev/null where a launcher closed a standard stream.

    Otherwise one of our files or sockets would get its descriptor, and other code would write into
    that.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - for the whole process
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - for the whole process
