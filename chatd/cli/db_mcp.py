"""`chatd db-mcp`: the bundled db-mcp, for SQLite files (SPEC 6)."""

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
def db_mcp(database: Path, writable: bool) -> None:
    """Serve an SQLite file over MCP, on stdio.

    MCP is the Model Context Protocol.
    """
    # Ctrl-C ends it quietly from the first moment: the import takes a second.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from chatd.answers.bundled.handle import Place
    from chatd.answers.bundled.server import serve

    open_missing_streams()
    serve(Place(database, writable))
