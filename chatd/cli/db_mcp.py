"""`chatd db-mcp`: the db-mcps that come with chatd, for SQLite files and for PostgreSQL."""

import os
import signal
import sys
from functools import partial
from pathlib import Path

import click

from chatd.answers.mcp.contract import (
    ADDRESS_VARIABLE,
    GROWTH_BYTES_MAX,
    NO_PSYCOPG,
    ROWS_WRITTEN_MAX,
)
from chatd.cli.options import DiscreetCommand, open_missing_streams


@click.command(cls=DiscreetCommand, name="db-mcp")
@click.option(
    "--database",
    type=click.Path(path_type=Path),
    help="The SQLite file to answer from.",
)
@click.option(
    "--postgres",
    is_flag=True,
    help=f"Answer from the PostgreSQL database that ${ADDRESS_VARIABLE}, or else the variables of "
    "libpq (as PGHOST and PGPASSWORD) name.",
)
@click.option("--writable", is_flag=True, help="Allow writes to calls that ask for them.")
@click.option(
    "--max-rows-written",
    type=click.IntRange(min=1),
    help="Rows that a statement may change; beyond: it is undone.",
)
@click.option(
    "--max-growth-bytes",
    type=click.IntRange(min=1),
    help="Bytes by which a statement may make the SQLite file grow; beyond: it is undone.",
)
def db_mcp(
    database: Path | None,
    postgres: bool,
    writable: bool,
    max_rows_written: int | None,
    max_growth_bytes: int | None,
) -> None:
    """Serve a database over MCP, on stdio.

    The database is an SQLite file, or PostgreSQL.

    MCP is the Model Context Protocol.
    """
    if (database is None) != postgres:
        raise click.UsageError("Give one of --database FILE and --postgres.")
    # Ctrl-C ends it quietly from the first moment: the import takes a second.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    open_missing_streams()
    rows_written = max_rows_written or ROWS_WRITTEN_MAX
    if database is None:
        _serve_postgres(writable, rows_written)
    else:
        _serve_sqlite(database, writable, rows_written, max_growth_bytes or GROWTH_BYTES_MAX)


def _serve_sqlite(database: Path, writable: bool, rows_written: int, growth_bytes: int) -> None:
    if not database.exists():  # no wrong command line: the file of a room may come later
        sys.exit(f"The file {database} does not exist.")
    if not database.is_file():
        sys.exit(f"{database} is no file.")
    from chatd.db_mcp.server import serve
    from chatd.sqlite_mcp import reading
    from chatd.sqlite_mcp.handle import DatabaseFile, bound_memory

    bound_memory()
    place = DatabaseFile(database, writable, rows_written, growth_bytes)
    serve(partial(reading.answer, place))


def _serve_postgres(writable: bool, rows_written: int) -> None:
    try:
        import psycopg  # noqa: F401  # an extra: chatd works without it
    except ImportError:
        sys.exit(NO_PSYCOPG)
    from chatd.db_mcp.server import serve
    from chatd.postgres_mcp import reading
    from chatd.postgres_mcp.server import PostgresServer, bound_memory, check_reached

    bound_memory()
    server = PostgresServer(os.environ.get(ADDRESS_VARIABLE, ""), writable, rows_written)
    check_reached(server)
    serve(partial(reading.answer, server))
