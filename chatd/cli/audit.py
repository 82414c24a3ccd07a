"""`chatd audit`: who asked what of the databases, who took what away, what administrators did."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import click
import orjson

from chatd.app.logs import look_at_audit_of
from chatd.chat.audit import AuditEntry
from chatd.cli.moments import HOW, Moment, shown
from chatd.cli.options import DiscreetCommand, configured, load_config, say, state_dir_of
from chatd.counts import counted
from chatd.store import AuditQuery

WIRE_NAMES = {
    "action": "action",
    "user_id": "userId",
    "address": "address",
    "connection_id": "connectionId",
    "message_id": "messageId",
    "statement": "statement",
    "target": "target",
    "format": "format",
    "outcome": "outcome",
    "code": "code",
    "rows": "rows",
    "size_bytes": "sizeBytes",
    "elapsed_ms": "elapsedMs",
}
"""What the fields of an entry are called in JSON, in the order in which they are shown; `at` comes
first."""

_MOMENT = Moment()


@click.command(cls=DiscreetCommand)
@configured
@click.option("--state-dir", help="Where the log of messages is kept (state.dir).")
@click.option("--room", help="Only what was about this room (connectionId).")
@click.option("--user", help="Only what this user did, or what was done to this user.")
@click.option("--since", type=_MOMENT, help=f"From then on, {HOW}.")
@click.option("--until", type=_MOMENT, help="Before then.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def audit(
    config_path: Path | None,
    state_dir: str | None,
    room: str | None,
    user: str | None,
    since: int | None,
    until: int | None,
    as_json: bool,
) -> None:
    """Tell who asked what, exported what, and what administrators did.

    The oldest entry comes first. A daemon may run meanwhile. A question that is being answered
    shows as "open", a download whose end nobody knows as "begun".
    """
    loaded = load_config(config_path, state__dir=state_dir).config
    query = AuditQuery(room, user, since, until)
    entries = look_at_audit_of(state_dir_of(loaded), loaded.state, query)
    if not entries and not as_json:
        say("There are no entries.")
    for entry in entries:
        say(orjson.dumps(as_object(entry)).decode() if as_json else "\n".join(_lines(entry)))


def as_object(entry: AuditEntry) -> dict[str, Any]:
    """An entry as an object for JSON, without empty fields."""
    fields = attrs.asdict(entry)
    named = {name: fields[key] for key, name in WIRE_NAMES.items() if fields[key] is not None}
    return {"at": shown(entry.at_ms), **named}


def _lines(entry: AuditEntry) -> Iterator[str]:
    """An entry for people: a line, with the statement below it."""
    figures = (
        None if entry.rows is None else counted(entry.rows, "row"),
        None if entry.size_bytes is None else counted(entry.size_bytes, "byte"),
        None if entry.elapsed_ms is None else f"{entry.elapsed_ms} ms",
    )
    words = (
        shown(entry.at_ms),
        entry.user_id,
        None if entry.address is None else f"from {entry.address}",
        str(entry.action).replace("_", " "),
        None if entry.format is None else f".{entry.format}",
        entry.target,
        None if entry.connection_id is None else f"in {entry.connection_id}",
        f"= {entry.outcome}",
        None if entry.code in (None, entry.outcome) else f"({entry.code})",
        *figures,
    )
    yield "  ".join(word for word in words if word is not None)
    if entry.statement is not None:
        yield from (f"    {line}" for line in entry.statement.splitlines())
