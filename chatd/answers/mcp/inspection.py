"""A look at the database of one room, for `chatd config check --databases`.

Its db-mcp is started as the daemon starts it, and asked for its tools and its tables; then, through
the same db-mcp, the database is asked for its locks. All of it is bounded in time.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import trio

from chatd.answers.mcp.last_words import LastWords
from chatd.answers.mcp.listing import HOME_SCHEMAS, places
from chatd.answers.mcp.locks import STATEMENTS, is_locked, is_timed, weaknesses
from chatd.answers.mcp.pool import McpDatabase
from chatd.answers.mcp.secrets import Masks
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.requests import DatabaseFailed, ListTables, Request, RunStatement, Terms
from chatd.answers.table import Column, Row
from chatd.counts import counted
from chatd.observe import Recorder
from chatd.observe.lines import visible

ASKING_S: Final = 15.0
"""How long all questions to a database may take, once its db-mcp is ready."""
TABLES_SHOWN: Final = 100
"""Names of tables that are listed; if there are more, only their number is told."""
INDENT: Final = "    "


@attrs.frozen
class Inspected:
    """What was found; `is_usable`: it can be asked. `wrong` says what is wrong and what to do.
    `words` are the last lines of the db-mcp's standard error if it cannot be asked, without
    secrets."""

    connection_id: str
    is_usable: bool
    fine: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """What is fine and what is wrong, in one line."""
        if not self.is_usable:
            said = "; ".join(self.wrong)
        elif self.wrong:
            said = f"can be asked ({', '.join(self.fine)}), but {'; '.join(self.wrong)}"
        else:
            said = f"fine: {', '.join(self.fine)}"
        return f"databases.{self.connection_id}: {said}."

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it: that line, then the tables, or what the db-mcp wrote last."""
        more = [visible(line) for line in self.words]
        if self.tables:
            left = len(self.tables) - TABLES_SHOWN
            shown = ", ".join(self.tables[:TABLES_SHOWN])
            more = [visible(shown) + (f" and {left} more" if left > 0 else "")]
        if self.words:
            more = ["Its standard error ends with:", *(INDENT + line for line in more)]
        return (self.line, *(INDENT + line for line in more))


@attrs.define
class _Shelf:
    """A sink that keeps what it gets."""

    names: list[str] = attrs.field(factory=list)
    kept: list[Row] = attrs.field(factory=list)

    def columns(self, columns: Sequence[Column]) -> None:
        self.names = [column.name for column in columns]

    def rows(self, rows: Sequence[Row]) -> None:
        self.kept += rows


async def inspect(
    connection_id: str,
    settings: DatabaseSettings,
    *,
    sample: Path | None = None,
    own_environment: Mapping[str, str] = os.environ,
) -> Inspected:
    """Start the db-mcp, ask it, and end it. `sample` is as for `McpDatabase`. Raises nothing."""
    words = LastWords(Masks(settings.secrets(own_environment)))
    database = McpDatabase(
        connection_id,
        settings,
        Recorder(),
        sample=sample,
        own_environment=own_environment,
        on_complaint=words.hear,
    )
    found = Inspected(connection_id, False, wrong=("It did not answer in time",))
    async with trio.open_nursery() as nursery:
        await nursery.start(database.run)
        with trio.move_on_after(settings.start_timeout_s + ASKING_S):
            found = await _asked(connection_id, settings, database)
        nursery.cancel_scope.cancel()
    return found if found.is_usable else attrs.evolve(found, words=words.lines)


async def _asked(
    connection_id: str, settings: DatabaseSettings, database: McpDatabase
) -> Inspected:
    fine: list[str] = []
    tables: tuple[str, ...] = ()
    in_force: dict[str, str] = {}
    try:
        if settings.peer.list_tables is not None:
            listed = await _ask(database, ListTables())
            tables = names_listed(listed.names, listed.kept)
            fine.append(counted(len(tables), "table"))
        in_force = await _first_row(database, STATEMENTS[settings.dialect] or ("SELECT 1",))
    except DatabaseFailed as failed:
        if settings.dialect == "sqlite" or not fine:
            return Inspected(connection_id, False, wrong=(failed.sentence.rstrip("."),))
    if settings.dialect == "sqlite":
        return Inspected(connection_id, True, (*fine, _of_sqlite(settings)), tables=tables)
    if not in_force:
        wrong = ["it does not tell its settings"]
        return Inspected(connection_id, True, tuple(fine), tuple(wrong), tables)
    if settings.is_bundled and not settings.read_only:
        fine.append("written where a message asks for it")
    elif is_locked(in_force):
        fine.append("read-only transactions")
    if is_timed(in_force):
        fine.append(f"statements end after {in_force['timeout']}")
    wrong = list(weaknesses(settings.dialect, in_force, read_only=settings.read_only))
    if settings.peer.list_tables is not None and not tables:
        wrong.insert(0, "it shows no table: let its role use their schema and SELECT from them")
    return Inspected(connection_id, True, tuple(fine), tuple(wrong), tables)


def names_listed(columns: Sequence[str], rows: Sequence[Row]) -> tuple[str, ...]:
    """The names of a list of tables, as a person would ask for them."""
    name_at, schema_at = places(columns)
    found = []
    for row in rows:
        name = row[0 if name_at is None else name_at]
        schema = None if schema_at is None else row[schema_at]
        found.append(f"{name}" if schema in HOME_SCHEMAS else f"{schema}.{name}")
    return tuple(found)


def _of_sqlite(settings: DatabaseSettings) -> str:
    if settings.sqlite or settings.sample:
        return "opened to read only" if settings.read_only else "opened to write"
    return "that its file is opened to read only is for you to see to"


async def _first_row(database: McpDatabase, statements: Sequence[str]) -> dict[str, str]:
    """The one row of the first statement that the database understands.

    Raises `DatabaseFailed` if it understands none.
    """
    first, *others = statements
    try:
        shelf = await _ask(database, RunStatement(first))
    except DatabaseFailed:
        if others:
            return await _first_row(database, others)
        raise
    is_one = len(shelf.kept) == 1
    return dict(zip(shelf.names, map(str, shelf.kept[0]), strict=False)) if is_one else {}


async def _ask(database: McpDatabase, request: Request) -> _Shelf:
    shelf = _Shelf()
    await database.ask(request, Terms(), shelf, trio.Event())
    return shelf
