"""`chatd db-mcp`: the bundled db-mcp, for SQLite files."""

import signal
from pathlib import Path

import click

from chatd.cli.options import open_missing_streams


@click.command(name="db-mcp")
@click.option(
    "--database",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The SQLite file to answer from.",
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
    help="Bytes by which a statement may make the file grow; beyond: it is undone.",
)
def db_mcp(
    database: Path, writable: bool, max_rows_written: int | None, max_growth_bytes: int | None
) -> None:
    """Serve an SQLite file over MCP, on stdio.

    MCP is the Model Context Protocol.
    """
    # Ctrl-C ends it quietly from the first moment: the import takes a second.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from chatd.answers.mcp.contract import GROWTH_BYTES_MAX, ROWS_WRITTEN_MAX
    from chatd.sqlite_mcp.handle import DatabaseFile
    from chatd.sqlite_mcp.server import serve

    open_missing_streams()
    serve(
        DatabaseFile(
            database,
            writable,
            max_rows_written or ROWS_WRITTEN_MAX,
            max_growth_bytes or GROWTH_BYTES_MAX,
        )
    )
