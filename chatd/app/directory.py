"""The directory of rooms that the configuration names: made, and asked once."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from chatd.app.errors import EXIT_CONFIG, StartFailedError
from chatd.auth import (
    ClaimDirectory,
    Directory,
    DirectoryFailed,
    FileDirectory,
    Grant,
    Identity,
)
from chatd.config import Config, DirectoryConfig
from chatd.observe import DirectoryRecovered, DirectoryRowIgnored, DirectoryUnavailable, EventLog

if TYPE_CHECKING:  # it needs psycopg, which may be missing if no database is asked
    from chatd.auth.sql_directory import SqlDirectory

PSYCOPG_MISSING = (
    'directory.source = "sql" needs psycopg; in the sources of chatd: pip install ".[postgres]"'
)


def check_directory(config: Config) -> None:
    """Check whether a directory in a database can be asked at all, without connecting.

    Raises StartFailedError.
    """
    if config.directory.source != "sql":
        return
    try:
        from chatd.postgres_client import why_misread
    except ImportError:
        raise StartFailedError(PSYCOPG_MISSING, EXIT_CONFIG) from None
    why = why_misread(config.directory.url)
    if why is not None:
        raise StartFailedError(f"directory.url: {why}", EXIT_CONFIG)


def open_sql_directory(
    directory: DirectoryConfig, event_log: EventLog | None = None
) -> "SqlDirectory":
    """The directory in the database of `[directory] url`. It connects when it is asked."""
    from chatd.auth.sql_directory import SqlDirectory
    from chatd.postgres_client import Pool

    return SqlDirectory(
        Pool(directory.url, directory.pool_connections),
        directory.query,
        timeout_s=directory.timeout_s,
        on_change=_telling(event_log),
        on_passed_over=lambda why: (
            None if event_log is None else event_log.record(DirectoryRowIgnored(why))
        ),
    )


def _telling(event_log: EventLog | None) -> Callable[[str | None], None]:
    def tell(why: str | None) -> None:
        if event_log is not None:
            event_log.record(DirectoryRecovered() if why is None else DirectoryUnavailable(why))

    return tell


def make_directory(directory: DirectoryConfig) -> Directory:
    """A directory that answers without waiting: what tokens list, or the configuration."""
    if directory.source == "claim":
        return ClaimDirectory(directory.claim)
    return FileDirectory(directory.connections)


async def rooms_once(config: Config, identity: Identity) -> Mapping[str, Grant]:
    """The rooms of one user, asked once. Raises DirectoryFailed, TokenRefused."""
    if config.directory.source != "sql":
        return await make_directory(config.directory).grants(identity)
    sql = open_sql_directory(config.directory)
    try:
        return await sql.grants(identity)
    finally:
        sql.close()


async def why_directory_fails(directory: DirectoryConfig) -> str | None:
    """Ask the directory in a database once, on nobody's behalf. Returns a sentence for the
    operator, None if it answers."""
    sql = open_sql_directory(directory)
    try:
        await sql.check()
    except DirectoryFailed as error:
        return error.reason
    finally:
        sql.close()
    return None
