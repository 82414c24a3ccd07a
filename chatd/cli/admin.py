"""`chatd admin`: look at the running daemon, and act in it, over its private socket."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click
import orjson

from chatd.app.errors import EXIT_FAILURE
from chatd.chat.audit import NOTHING
from chatd.cli.moments import shown
from chatd.cli.options import DiscreetGroup, configured, fail, say
from chatd.cli.private_socket import NoDaemonError, PrivateSocket
from chatd.counts import counted
from chatd.observe.lines import people_line

IS_IT_THE_ID: Final = "Is it the id (`sub` of the token, `chatd admin users`), and not the name?"
UNKNOWN_USER: Final = f"Nobody with the id {{}} is connected or a member of a room. {IS_IT_THE_ID}"


def _asking(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that asks the daemon."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="The answer as JSON."),
        click.option("--state-dir", help="The daemon's state directory (state.dir)."),
    ):
        command = option(command)
    return configured(command)


def _ask(
    config_path: Path | None,
    state_dir: str | None,
    path: str,
    asked: dict[str, str] | None = None,
) -> Any:
    try:
        return PrivateSocket.of(config_path, state_dir).ask(path, asked)
    except NoDaemonError as error:
        fail(f"{error}; is it running, and is this its state directory?", EXIT_FAILURE)


def _tell(answer: Any, as_json: bool, lines: Callable[[Any], Iterable[str]]) -> None:
    say(orjson.dumps(answer).decode() if as_json else "\n".join(lines(answer)))


@click.group(cls=DiscreetGroup)
def admin() -> None:
    """Look at the running daemon, and act in it.

    The command asks its internal listener, a socket in the state directory that only the daemon's
    own user can reach. What is done is in the log and in the audit.
    """


@admin.command()
@_asking
def status(config_path: Path | None, state_dir: str | None, as_json: bool) -> None:
    """Tell how the daemon is."""
    _tell(_ask(config_path, state_dir, "/admin/status"), as_json, _status)


def _status(answer: Any) -> Iterator[str]:
    yield f"chatd {answer['version']} is {answer['status']}, up for {answer['uptimeS']:.0f} s."
    users, sockets = counted(answer["users"], "user"), counted(answer["sockets"], "socket")
    yield f"{users} with {sockets}; {counted(answer['rooms'], 'room')}."
    yield f"{counted(answer['answersUnderWay'], 'answer')} under way."
    yield from (f"{reason['code']}: {reason['message']}" for reason in answer["reasons"])


@admin.command()
@_asking
def rooms(config_path: Path | None, state_dir: str | None, as_json: bool) -> None:
    """List the rooms, the fullest first."""
    _tell(_ask(config_path, state_dir, "/admin/rooms"), as_json, _rooms)


def _rooms(answer: Any) -> Iterator[str]:
    yield from _table(
        ("room", "present", "members", "last seq"),
        [
            (one["connectionId"], one["present"], one["members"], one["lastSeq"])
            for one in answer["rooms"]
        ],
    )
    yield from _rest(answer["total"] - len(answer["rooms"]))


@admin.command()
@_asking
def cluster(config_path: Path | None, state_dir: str | None, as_json: bool) -> None:
    """List the nodes that share the log with the daemon."""
    _tell(_ask(config_path, state_dir, "/cluster"), as_json, _cluster)


def _cluster(answer: Any) -> Iterator[str]:
    yield from _table(
        ("node", "version", "sockets", "alive", "since", "bus"),
        [
            (
                f"{one['name'] or '-'}{' (this one)' if one['isThis'] else ''}",
                one["version"],
                one["sockets"],
                "yes" if one["isAlive"] else "no",
                one.get("startedAt") or "-",
                one["bus"] or "-",
            )
            for one in answer["nodes"]
        ],
    )
    log = answer["log"]
    version = "" if log["schemaVersion"] is None else f" of schema version {log['schemaVersion']}"
    reached = "" if log["isReached"] else "; it cannot be reached, and this is what was last seen"
    yield f"The log is in {log['kind']}{version}, with the epoch {log['epoch']}{reached}."


@admin.command()
@_asking
def users(config_path: Path | None, state_dir: str | None, as_json: bool) -> None:
    """List the users who are connected."""
    _tell(_ask(config_path, state_dir, "/admin/users"), as_json, _users)


def _users(answer: Any) -> Iterator[str]:
    yield from _table(
        ("user", "name", "socket", "address", "rooms", "token until"),
        [
            (
                user["userId"],
                user["name"] or "-",
                one["socketId"],
                one["address"],
                one["rooms"],
                shown(one["expiresAt"]),
            )
            for user in answer["users"]
            for one in user["sockets"]
        ],
    )
    yield from _rest(answer["total"] - len(answer["users"]))


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    cells = [head, *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _rest(count: int) -> Iterator[str]:
    if count > 0:
        yield f"... and {count} more."


@admin.command()
@_asking
@click.argument("target")
def kick(config_path: Path | None, state_dir: str | None, as_json: bool, target: str) -> None:
    """End the sessions of a user.

    TARGET is a user, or the id of a socket; then only its session ends. Clients come back by
    themselves; revoke voids their tokens too.
    """
    answer = _ask(config_path, state_dir, "/admin/kick", {"target": target})
    _tell(answer, as_json, lambda it: [_ended(it, target)])


def _ended(answer: Any, target: str) -> str:
    if answer["outcome"] == NOTHING:
        return f"Nobody is connected as {target}, so nothing was ended."
    count = counted(answer["kicked"], "session")
    if answer["kicked"] == 0:
        return f"Ended: {count} of {target} on this node; the other nodes were told."
    return f"Ended: {count} of {target}."


@admin.command()
@_asking
@click.argument("user")
def revoke(config_path: Path | None, state_dir: str | None, as_json: bool, user: str) -> None:
    """End the sessions of USER, and void this user's tokens.

    No token that was issued to the user until now is accepted any more.
    """
    answer = _ask(config_path, state_dir, "/admin/revoke", {"userId": user})
    _tell(answer, as_json, _revoked)


def _revoked(answer: Any) -> Iterator[str]:
    user_id = answer["revoked"]
    yield f"No token issued to {user_id} until now is accepted any more."
    if answer["isKnown"]:
        yield f"Ended: {counted(answer['kicked'], 'session')}."
    else:
        yield UNKNOWN_USER.format(user_id)


@admin.command(name="say")
@_asking
@click.option("--room", help="Only in this room; by default in every room where somebody is.")
@click.argument("text")
def say_command(
    config_path: Path | None, state_dir: str | None, as_json: bool, room: str | None, text: str
) -> None:
    """Say TEXT in rooms, as Administrator."""
    asked = {"content": text} if room is None else {"content": text, "connectionId": room}
    answer = _ask(config_path, state_dir, "/admin/say", asked)
    _tell(answer, as_json, lambda it: [f"It was said in {counted(it['rooms'], 'room')}."])


@admin.command()
@_asking
@click.option("--level", default="info", show_default=True, help="The lowest level to show.")
def tail(config_path: Path | None, state_dir: str | None, as_json: bool, level: str) -> None:
    """Follow the events of the log.

    It begins now, and ends with Ctrl-C. What log.level leaves out of the log is left out here too.
    """
    try:
        for line in PrivateSocket.of(config_path, state_dir).follow(f"/admin/tail?level={level}"):
            say(line.decode().rstrip("\n") if as_json else _for_people(line))
            sys.stdout.flush()
    except NoDaemonError as error:
        fail(str(error), EXIT_FAILURE)
    except KeyboardInterrupt:
        sys.exit(0)


def _for_people(line: bytes) -> str:
    fields = orjson.loads(line)
    timestamp, word, name = (fields.pop(key, "") for key in ("timestamp", "level", "event"))
    written = people_line(colours=False)(timestamp, word, name, fields)
    return written.decode("utf-8", "replace").rstrip("\n")
