"""A look at the database of one room, for `chatd config check --databases`.

Its db-mcp is started as the daemon starts it, and asked for its tools and its tables; then, by the
same db-mcp, the database is asked for its locks. All of it is bounded in time.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import attrs
import trio

from chatd.answers.mcp.locks import STATEMENTS, is_locked, is_timed, weaknesses
from chatd.answers.mcp.pool import McpDatabase
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.requests import DatabaseFailed, ListTables, Request, RunStatement, Terms
from chatd.answers.table import Column, Row
from chatd.observe import Recorder
from chatd.observe.lines import visible

ASKING_S: Final = 15.0
"""How long all questions to a database may take, once its db-mcp is ready."""
WORDS_BYTES: Final = 2_000
"""The last bytes of a db-mcp's standard error that are kept, and shown where it cannot be asked."""
WORDS_LINES: Final = 5
"""Of these, the last lines."""
MASK: Final = "***"


@attrs.frozen
class Inspected:
    """What was found; `is_usable`: it can be asked. `wrong` says what to do as well."""

    connection_id: str
    is_usable: bool
    fine: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """All of it in one line."""
        if not self.is_usable:
            said = "; ".join(self.wrong)
        elif self.wrong:
            said = f"can be asked ({', '.join(self.fine)}), but {'; '.join(self.wrong)}"
        else:
            said = f"fine: {', '.join(self.fine)}"
        return f"databases.{self.connection_id}: {said}."


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
    words = bytearray()

    def hear(piece: bytes) -> None:
        words.extend(piece)
        del words[:-WORDS_BYTES]

    database = McpDatabase(
        connection_id,
        settings,
        Recorder(),
        sample=sample,
        own_environment=own_environment,
        on_complaint=hear,
    )
    found = Inspected(connection_id, False, wrong=("It did not answer in time",))
    async with trio.open_nursery() as nursery:
        await nursery.start(database.run)
        with trio.move_on_after(settings.start_timeout_s + ASKING_S):
            found = await _asked(connection_id, settings, database)
        nursery.cancel_scope.cancel()
    if not found.is_usable and words:
        passed = [own_environment.get(name, "") for name in settings.pass_environment]
        values = [*settings.environment.values(), *passed]
        shown = last_words(bytes(words), secrets_of(values, [*values, *settings.command]))
        found = attrs.evolve(found, wrong=(*found.wrong, f"its last words were: {shown}"))
    return found


async def _asked(
    connection_id: str, settings: DatabaseSettings, database: McpDatabase
) -> Inspected:
    fine: list[str] = []
    in_force: dict[str, str] = {}
    try:
        if settings.peer.list_tables is not None:
            tables = await _ask(database, ListTables())
            fine.append(f"{len(tables.kept)} tables")
        in_force = await _first_row(database, STATEMENTS[settings.dialect] or ("SELECT 1",))
    except DatabaseFailed as failed:
        if settings.dialect == "sqlite" or not fine:
            return Inspected(connection_id, False, wrong=(failed.sentence.rstrip("."),))
    if settings.dialect == "sqlite":
        return Inspected(connection_id, True, (*fine, _of_sqlite(settings)))
    if not in_force:
        return Inspected(connection_id, True, tuple(fine), ("it does not tell its settings",))
    if is_locked(in_force):
        fine.append("read-only transactions")
    if is_timed(in_force):
        fine.append(f"statements end after {in_force['timeout']}")
    wrong = weaknesses(settings.dialect, in_force, read_only=settings.read_only)
    return Inspected(connection_id, True, tuple(fine), tuple(wrong))


def _of_sqlite(settings: DatabaseSettings) -> str:
    if settings.sqlite or settings.sample:
        return "opened to read only" if settings.read_only else "opened to write"
    return "that its file is opened to read only is for you to see to"


async def _first_row(database: McpDatabase, statements: Sequence[str]) -> dict[str, str]:
    """The one row of the first statement that the database understands.

    Raises `DatabaseFailed` where it understands none.
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


def last_words(written: bytes, secrets: Iterable[str]) -> str:
    """The last lines of a standard error in one line, without secrets."""
    text = written.decode(errors="replace")
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return visible(" | ".join(lines[-WORDS_LINES:]))


def secrets_of(values: Iterable[str], addresses: Iterable[str]) -> set[str]:
    """What may not be shown: the values of an environment, and passwords in addresses."""
    found = {value for value in values if value}
    for address in addresses:
        try:
            password = urlsplit(address).password
        except ValueError:
            continue
        if password:
            found |= {password, unquote(password)}
    return found
