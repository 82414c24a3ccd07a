"""How a question may be carried out: what its message wants, and what its connection allows."""

from typing import Any

import attrs
import orjson

from chatd.answers.requests import Database, Terms
from chatd.answers.sql.lexer import Dialect


@attrs.frozen
class RoomDatabase:
    """What answers in a room. `read_only`: nothing is written, whatever a message says."""

    database: Database
    dialect: Dialect
    read_only: bool = True


@attrs.frozen
class Bounds:
    """How much an answer may be, and how long it may take, places to wait for included."""

    max_rows: int
    max_bytes: int
    timeout_s: float


@attrs.frozen
class Asking:
    """The terms of one question; `dry_run`: its plan is wanted, and nothing runs."""

    terms: Terms
    dry_run: bool


def asking(context: bytes | None, room: RoomDatabase, bounds: Bounds) -> Asking:
    """The terms of a question with this context, as canonical JSON (`wire.context_json`).

    Writing needs the connection's word and the message's own: both have to say so.
    """
    wanted: dict[str, Any] = {} if context is None else orjson.loads(context)
    config: dict[str, Any] = wanted.get("config", {})
    tables = wanted.get("tables")
    return Asking(
        Terms(
            read_only=room.read_only or config.get("readOnly") is not False,
            schema=wanted.get("schema"),
            tables=None if tables is None else tuple(tables),
            max_rows=bounds.max_rows,
            max_bytes=bounds.max_bytes,
            timeout_s=bounds.timeout_s,
        ),
        dry_run=config.get("dryRun") is True,
    )
