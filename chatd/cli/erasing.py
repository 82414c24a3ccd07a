"""`chatd user` and `chatd room`: export, and erase, what is known of a user or a room."""

import contextlib
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click

from chatd.app.errors import EXIT_FAILURE
from chatd.app.logs import export_room_at, export_user_at, look_at_audit_of
from chatd.chat.audit import DONE, NOTHING
from chatd.cli.admin import IS_IT_THE_ID
from chatd.cli.options import (
    DiscreetGroup,
    configured,
    fail,
    load_config,
    log_of_config,
    say,
    state_dir_of,
)
from chatd.cli.private_socket import ERASE_S, NoDaemonError, PrivateSocket
from chatd.counts import counted
from chatd.observe import open_log
from chatd.observe.clock import Clock
from chatd.store import AuditQuery, NothingKnown, StoreLocked

IS_IT_THE_ROOM: Final = "Is it the connectionId (`chatd admin rooms`), and not the title?"

CUT_OFF: Final = (
    "An erasure of the same had been cut off, and is finished now; what it had found is not "
    "counted here."
)


def _of_a_store(command: Callable[..., Any]) -> Callable[..., Any]:
    return configured(
        click.option("--state-dir", help="The daemon's state directory (state.dir).")(command)
    )


@click.group(cls=DiscreetGroup)
def user() -> None:
    """Export, or erase, all that is known of a user."""


@click.group(cls=DiscreetGroup)
def room() -> None:
    """Export, or delete, all that a room holds."""


@user.command(name="export")
@_of_a_store
@click.argument("user_id", metavar="USER")
@click.argument("target", type=click.Path(path_type=Path))
def export_user_command(
    config_path: Path | None, state_dir: str | None, user_id: str, target: Path
) -> None:
    """Write what is known of USER to a file.

    TARGET is a new file, with a JSON object per line. A daemon may run meanwhile. The file holds
    what the user wrote: it is for the user alone. If nothing is known of USER, no file is made.
    """
    with _unless_nothing(f"Nothing is known of {user_id}", target, IS_IT_THE_ID):
        lines = export_user_at(*log_of_config(config_path, state_dir), user_id, target)
    say(f"{target} holds {counted(lines, 'line')} about {user_id}.")


@room.command(name="export")
@_of_a_store
@click.argument("connection_id", metavar="ROOM")
@click.argument("target", type=click.Path(path_type=Path))
def export_room_command(
    config_path: Path | None, state_dir: str | None, connection_id: str, target: Path
) -> None:
    """Write what ROOM holds to a file.

    TARGET is a new file, with a JSON object per line. A daemon may run meanwhile. If the log holds
    nothing of ROOM, no file is made.
    """
    with _unless_nothing(f"The log holds nothing of {connection_id}", target, IS_IT_THE_ROOM):
        lines = export_room_at(*log_of_config(config_path, state_dir), connection_id, target)
    say(f"{target} holds {counted(lines, 'line')} of {connection_id}.")


@user.command(name="erase")
@_of_a_store
@click.argument("user_id", metavar="USER")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def erase_user_command(
    config_path: Path | None, state_dir: str | None, user_id: str, yes: bool
) -> None:
    """Erase what is known of USER, for good.

    Where the user wrote something, an empty message remains. The command works with a running
    daemon, which ends the user's sessions, and without one. Backups are not touched.
    """
    _ask_whether(yes, f"Erase all that is known of {user_id}, for good?")
    asked = {"userId": user_id}
    erased = _erase(config_path, state_dir, "/admin/erase-user", asked, "erase_user", user_id)
    if erased["outcome"] == NOTHING:
        say(f"Nothing is known of {user_id}, so nothing was erased. {IS_IT_THE_ID}")
        return
    if erased["was_cut_off"]:
        say(CUT_OFF)
    say(
        f"{user_id} is erased: {counted(erased['messages'], 'message')} (answers among them), "
        f"{counted(erased['reactions'], 'reaction')}, "
        f"{counted(erased['memberships'], 'membership')}."
    )
    _tell_of_copies(config_path, state_dir)


@room.command(name="delete")
@_of_a_store
@click.argument("connection_id", metavar="ROOM")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def delete_room_command(
    config_path: Path | None, state_dir: str | None, connection_id: str, yes: bool
) -> None:
    """Delete what was said in ROOM, for good.

    Everything until now is deleted. The command works with a running daemon, and without one.
    Backups are not touched. The directory still says who may use the room: it can be used again,
    and begins anew.
    """
    _ask_whether(yes, f"Delete all that was said in {connection_id}, for good?")
    asked = {"connectionId": connection_id}
    erased = _erase(
        config_path, state_dir, "/admin/delete-room", asked, "delete_room", connection_id
    )
    if erased["outcome"] == NOTHING:
        say(f"There was nothing in {connection_id}, so nothing was deleted. {IS_IT_THE_ROOM}")
        return
    if erased["was_cut_off"]:
        say(CUT_OFF)
    say(
        f"{connection_id} is empty. Deleted: {counted(erased['messages'], 'message')} and "
        f"{counted(erased['memberships'], 'membership')}."
    )
    _tell_of_copies(config_path, state_dir)


@contextlib.contextmanager
def _unless_nothing(why: str, target: Path, question: str) -> Iterator[None]:
    """End the command if there is nothing to export: `question` asks what may be wrong."""
    try:
        yield
    except NothingKnown:
        fail(f"{why}, so {target} was not made. {question}", EXIT_FAILURE)


def _ask_whether(yes: bool, question: str) -> None:
    if not yes and not click.confirm(question):
        fail("nothing was done.", EXIT_FAILURE)


def _erase(
    config_path: Path | None,
    state_dir: str | None,
    path: str,
    asked: dict[str, str],
    action: str,
    target: str,
) -> Any:
    """Have the running daemon do it; if none runs, do it here."""
    place = PrivateSocket.of(config_path, state_dir)
    began_ms = Clock().wall_ms()
    try:
        return place.ask(path, asked, ERASE_S)
    except NoDaemonError as error:
        why = str(error)
    try:
        erased = _erase_here(config_path, state_dir, action, target)
    except StoreLocked as locked:
        fail(f"{why}; and {locked}", EXIT_FAILURE)
    if erased["outcome"] == NOTHING and _is_done(config_path, state_dir, action, target, began_ms):
        # The daemon was cut off; another node, or its next life, was faster.
        return {**erased, "outcome": DONE, "was_cut_off": True}
    return erased


def _is_done(
    config_path: Path | None, state_dir: str | None, action: str, target: str, since_ms: int
) -> bool:
    """Whether the audit has this erasure, begun since then, and done."""
    query = AuditQuery(None, None, since_ms, None)
    entries = look_at_audit_of(*log_of_config(config_path, state_dir), query)
    return any(
        (one.action, one.target or one.connection_id, one.outcome) == (action, target, DONE)
        for one in entries
    )


def _erase_here(config_path: Path | None, state_dir: str | None, action: str, target: str) -> Any:
    # Not above: other commands would wait for the whole daemon to be imported.
    import sys

    import attrs

    from chatd.app.offline import run_offline
    from chatd.service.erasures import Erased, ErasureFailedError, Erasures

    config = load_config(config_path, state__dir=state_dir).config
    if not state_dir_of(config).is_dir():
        fail(f"there is no state directory {state_dir_of(config)}.", EXIT_FAILURE)
    by = f"uid:{os.getuid()}"

    def erase(erasures: Erasures) -> Awaitable[Erased]:
        if action == "erase_user":
            return erasures.erase_user(target, by)
        return erasures.delete_room(target, by)

    log = open_log(config.log.format, "warning", sys.stderr, sys.stderr.isatty())
    try:
        return attrs.asdict(run_offline(config, os.environ, log, erase))
    except ErasureFailedError as error:
        fail(str(error), EXIT_FAILURE)


def _tell_of_copies(config_path: Path | None, state_dir: str | None) -> None:
    directory = state_dir_of(load_config(config_path, state__dir=state_dir).config)
    copies = sorted(path.name for path in directory.glob("replaced-*"))
    if copies:
        say(f"{directory} has older logs, which were not touched: {', '.join(copies)}.")
    say("Backups hold it still: replace them, or erase there what you restore.")
