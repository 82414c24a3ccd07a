"""`chatd store copy`: moves the log to PostgreSQL, or from there into files."""

import os
import sys
from pathlib import Path
from typing import Final

import attrs
import click
import orjson

from chatd.app.copying import LogPlace, copy_between
from chatd.cli.options import (
    DiscreetCommand,
    configured,
    load_config,
    say,
    state_dir_of,
    warn,
)
from chatd.config import Config, load
from chatd.counts import counted
from chatd.store.copied_rows import Table
from chatd.store.log_copy import Copied

_IS_ADDRESS: Final = ("postgresql://", "postgres://")
_ON_THE_COMMAND_LINE: Final = (
    "other users of this machine can see an address on the command line, and a shell remembers "
    "it; name a file with --url-file, or the new configuration with --to-config."
)


@click.command(cls=DiscreetCommand, name="copy")
@configured
@click.option("--state-dir", help="Where the log that is copied is (state.dir).")
@click.argument("target", required=False)
@click.option(
    "--url-file",
    type=click.Path(path_type=Path),
    help="A file with the address of the database that gets the log.",
)
@click.option(
    "--to-config",
    type=click.Path(path_type=Path),
    help="The configuration of the daemon that will use the copy.",
)
@click.option("--schema", help="The schema that gets the log (state.schema).")
@click.option("--json", "as_json", is_flag=True, help="Say what was copied as JSON.")
def copy_command(
    config_path: Path | None,
    state_dir: str | None,
    target: str | None,
    url_file: Path | None,
    to_config: Path | None,
    schema: str | None,
    as_json: bool,
) -> None:
    """Copy the log to TARGET, which must have none; no daemon may run.

    TARGET is the address of a PostgreSQL database, or a state directory. The configuration's log is
    copied, and is not changed. The copy has the same epoch, so that clients go on where they were.
    It is compared row by row before it counts.
    """
    if [target, url_file, to_config].count(None) != 2:
        raise click.UsageError("Name one of TARGET, --url-file and --to-config.")
    source = load_config(config_path, state__dir=state_dir).config
    place = LogPlace(source.state, state_dir_of(source))
    copied = copy_between(
        place, _place_of(source, target, url_file, to_config, schema), _Progress()
    )
    if as_json:
        say(orjson.dumps(_as_json(copied)).decode())
        return
    for sentence in copied.damaged:
        say(sentence)
    counts = ", ".join(
        f"{counted(count, table.rstrip('s'))}"
        for table, count in copied.counts.items()
        if table in (Table.ROOMS, Table.MESSAGES, Table.MEMBERS)
    )
    say(f"Copied and compared: {counts}; epoch {copied.epoch}.")
    say(
        "Neither secrets nor revocations are in it. The search is complete once the daemon has "
        "indexed what was copied, the newest messages first."
    )


def _place_of(
    source: Config,
    target: str | None,
    url_file: Path | None,
    to_config: Path | None,
    schema: str | None,
) -> LogPlace:
    """Where the copy should be. Raises ConfigError."""
    if to_config is not None:
        # What the environment says about a log, it says about the one that is copied.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("CHATD_STATE__")
        }
        config = load(to_config, environment, {"state.schema": schema}, Path.cwd()).config
        return LogPlace(config.state, state_dir_of(config))
    if target is not None and not target.startswith(_IS_ADDRESS):
        if "://" in target:
            raise click.UsageError("TARGET is a directory, or begins with postgresql://.")
        return LogPlace(attrs.evolve(source.state, url=""), Path(target))
    named = {"state.durability": source.state.durability, "state.schema": schema}
    if target is not None:
        warn(_ON_THE_COMMAND_LINE)
        named["state.url"] = target
    else:
        named["state.url_file"] = str(url_file)
    config = load(None, {}, named, Path.cwd(), places=()).config
    return LogPlace(config.state, Path())


class _Progress:
    """Writes a line for each finished table to standard error; on a terminal the line counts up."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()

    def __call__(self, what: str, count: int, is_all: bool) -> None:
        if self._is_terminal:
            click.echo(f"\r{what}: {count:,}", err=True, nl=is_all)
        elif is_all:
            click.echo(f"{what}: {count:,}", err=True)


def _as_json(copied: Copied) -> dict[str, object]:
    return {
        "epoch": copied.epoch,
        "tables": {str(table): count for table, count in copied.counts.items()},
        "rooms": [
            {
                "connectionId": one.room,
                "messages": one.messages,
                "firstSeq": one.first_seq,
                "lastSeq": one.last_seq,
                "isDense": one.is_dense,
                "sum": one.sum()[-1],
            }
            for one in copied.rooms
        ],
        "damaged": list(copied.damaged),
    }
