"""`chatd config`: look at the configuration, check it, and have its keys explained."""

import os
import sys
from pathlib import Path

import click
import trio

from chatd.app.bus import check_bus
from chatd.app.deep.check import Surroundings, ask_each
from chatd.app.deep.checks import CHECKS
from chatd.app.directory import check_directory
from chatd.app.errors import EXIT_CONFIG, StartFailedError
from chatd.app.listen import internal_path
from chatd.app.secret import check_secret
from chatd.cli.options import DiscreetGroup, configured, load_config, say, state_dir_of, warn
from chatd.config import (
    Config,
    ConfigError,
    Loaded,
    UnknownKeyError,
    examine,
    explain,
    explained,
    missing,
    shown_path,
)
from chatd.observe.clock import Clock


@click.group(cls=DiscreetGroup)
def config() -> None:
    """Look at the configuration."""


@config.command(name="check")
@configured
@click.option("--databases", is_flag=True, help="Start each db-mcp; list tables, check locks.")
@click.option("--deep", is_flag=True, help="Ask what it names: the disk, the clock.")
@click.option("--state-dir", help="Where the log of messages is kept (state.dir).")
def config_check(
    config_path: Path | None, databases: bool, deep: bool, state_dir: str | None
) -> None:
    """Check the configuration.

    All mistakes are reported at once, those of the file in the order in which they are written. The
    files and programs of databases must exist. With --databases each db-mcp is started: one line
    for each database says what is fine, or what is wrong and what to do. Below it are its tables
    or, if its db-mcp cannot be asked, the last lines that the db-mcp wrote; secrets are masked.

    With --deep a line for each check tells what is fine, doubtful or wrong. The exit code is 1
    for what may pass by itself, and 78 for what has to be set right.
    """
    loaded = check_config(config_path, state_dir)
    for warning in loaded.warnings:
        warn(warning)
    say(f"The configuration is right ({loaded.source or 'defaults only'}).")
    code = 0
    if databases:
        from chatd.cli.databases import check_databases  # takes long to import

        code = 0 if check_databases(loaded.config) else EXIT_CONFIG
    if deep:
        code = max(code, _check_deep(loaded.config))
    if code:
        sys.exit(code)


def _check_deep(config: Config) -> int:
    """Print what each deep check found; returns the exit code for the worst of it."""
    surroundings = Surroundings(config, os.environ, Path.cwd(), Clock())
    found = trio.run(ask_each, CHECKS, surroundings)
    for name, one in found:
        say(f"{name}: {one.verdict}: {one.sentence}")
    return max((one.exit_code for _, one in found), default=0)


@config.command(name="show")
@configured
def config_show(config_path: Path | None) -> None:
    """Print every key, its value and its origin.

    Secrets are not printed.
    """
    loaded = load_config(config_path)
    say(explain(loaded, _places(loaded.config)).rstrip())


@config.command(name="doc")
@click.argument("key", default="")
def config_doc(key: str) -> None:
    """Explain KEY, all keys of the section KEY, or every key.

    A key may be named as in the file, as in the environment, or as a credential.
    """
    try:
        say(explained(key).rstrip())
    except UnknownKeyError as error:
        hint = f"did you mean {error.meant}?" if error.meant else "chatd config doc lists all."
        raise click.UsageError(f"There is no key {key!r}; {hint}") from None


def _places(config: Config) -> dict[str, str]:
    """Where things are with this configuration and environment, by the key that decides it."""
    try:
        directory = state_dir_of(config)
    except ConfigError:  # a command that needs it says so
        return {}
    places = {"state.dir": directory}
    internal = internal_path(config.server.internal, directory)
    if internal is not None:
        places["server.internal"] = internal
    return {key: shown_path(path) for key, path in places.items()}


def check_config(path: Path | None, state_dir: str | None) -> Loaded:
    """The configuration, if nothing is wrong with it or with what it names on this machine.

    Raises ConfigError with all mistakes.
    """
    examined = examine(path, os.environ, {"state.dir": state_dir}, Path.cwd())
    config = examined.loaded.config
    keys = {"auth.jwt_secret", "auth.former_secrets", "auth.jwks", "auth.supabase"}
    if keys.isdisjoint(examined.mistaken):
        try:
            check_secret(config)
        except StartFailedError as error:
            named = str(error).partition(":")[0]
            own = "auth.jwt_secret" if config.auth.jwt_secret else "server.host"
            examined.add(named if named in keys else own, str(error))
    if "directory.url" not in examined.mistaken:
        try:
            check_directory(config)
        except StartFailedError as error:
            examined.add("directory.url", str(error))
    if "bus.url" not in examined.mistaken:
        try:
            check_bus(config)
        except StartFailedError as error:
            examined.add("bus.url", str(error))
    for key, sentence in missing(config, os.environ, Path.cwd()):
        examined.add(key, sentence)
    examined.raise_any()
    return examined.loaded
