"""`chatd store`: look after the log."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from chatd.app.copying import LogPlace
from chatd.app.errors import EXIT_DAMAGED
from chatd.app.logs import verify_at
from chatd.app.secret import SECRET_NAME
from chatd.auth.revocations import REVOCATIONS_NAME
from chatd.cli.copying import copy_command
from chatd.cli.options import DiscreetGroup, configured, files_of_log, log_of_config, say
from chatd.counts import counted
from chatd.observe.clock import Clock
from chatd.store import Verified, back_up_store, restore_store


def _of_a_state_directory(command: Callable[..., Any]) -> Callable[..., Any]:
    return configured(
        click.option("--state-dir", help="Where the log of messages is kept (state.dir).")(command)
    )


@click.group(cls=DiscreetGroup)
def store() -> None:
    """Verify, copy, back up and restore the log."""


store.add_command(copy_command)


@store.command(name="verify")
@_of_a_state_directory
def verify_command(config_path: Path | None, state_dir: str | None) -> None:
    """Check the whole log and its snapshots.

    A log in PostgreSQL has no snapshots. A daemon may run meanwhile. Nothing is changed. The exit
    code is 0 if the store is sound, and 74 if it is damaged.
    """
    directory, state = log_of_config(config_path, state_dir)
    verified = verify_at(directory, state)
    for finding in verified.findings:
        say(finding.text)
    say(_summary(LogPlace(state, directory).shown, verified))
    sys.exit(0 if verified.is_sound else EXIT_DAMAGED)


def _summary(place: str, verified: Verified) -> str:
    if not verified.is_sound:
        count = sum(finding.is_damage for finding in verified.findings)
        return f"The store {place} is damaged: {counted(count, 'fault')}."
    recovered = verified.recovered
    assert recovered is not None
    members = sum(map(len, recovered.members.values()))
    return (
        f"The store {place} is sound: {counted(recovered.message_count, 'message')}, "
        f"{counted(len(recovered.rooms), 'room')}, {counted(members, 'member')}, "
        f"position {recovered.position}."
    )


@store.command(name="backup")
@_of_a_state_directory
@click.argument("target", type=click.Path(path_type=Path))
def backup_command(config_path: Path | None, state_dir: str | None, target: Path) -> None:
    """Copy the log to the new file TARGET; a daemon may run meanwhile.

    TARGET is the log as it was at one moment. It appears when it is complete. It holds the
    messages, but neither the configuration nor a secret: if you use jwt-secret in the state
    directory, keep a copy of it.
    """
    directory = files_of_log(config_path, state_dir, "pg_dump")
    made = back_up_store(directory, target)
    count, size = counted(made.message_count, "message"), counted(made.size_bytes, "byte")
    say(f"{made.path} holds {count} in {size}.")
    beside = [name for name in (SECRET_NAME, REVOCATIONS_NAME) if (directory / name).exists()]
    if beside:
        say(f"Not in it, so keep copies yourself, from {directory}: {' and '.join(beside)}.")
    say("Neither the configuration nor its secrets are in it.")


@store.command(name="restore")
@_of_a_state_directory
@click.argument("backup", type=click.Path(path_type=Path))
def restore_command(config_path: Path | None, state_dir: str | None, backup: Path) -> None:
    """Replace the log with BACKUP; no daemon may run meanwhile.

    BACKUP is checked first, and copied. The files that were there before are moved into the
    directory replaced-TIME, never deleted. Clients start over from what is restored.
    """
    directory = files_of_log(config_path, state_dir, "pg_restore")
    done = restore_store(directory, backup, Clock().wall_ms())
    if done.replaced is not None:
        say(f"What was there before is in {done.replaced}.")
    count = counted(done.recovered.message_count, "message")
    say(f"{directory} holds what is in {backup}: {count}.")
    say("What was erased after the backup was made is there again: erase it once more.")
    if not (directory / REVOCATIONS_NAME).exists():
        say(
            f"There is no {REVOCATIONS_NAME} in {directory}: if tokens were revoked where the "
            "backup comes from, bring that file along, or they are taken again."
        )
