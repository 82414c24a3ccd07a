"""The locks that a database itself can put on what a db-mcp sends: the third layer of read-only.

The guard reads a statement. What it cannot see, such as a function behind an operator or a view,
only the server can stop: with a transaction that may not write, and a time after which it gives up
a statement. Both are settings of the connection. A db-mcp for Postgres that is started here finds
them in its environment, where libpq and most drivers look (PGOPTIONS), unless the configuration
gives that variable itself; options in the address of the database come before it. For MySQL there
is no such variable. Whether the settings are in force is what `chatd config check --databases`
asks.

A statement that was given up runs on in the database, even if the db-mcp has ended: Postgres
notices a closed connection only when it writes to it. With `client_connection_check_interval` it
looks.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from chatd.answers.sql.lexer import Dialect

OPTIONS: Final = "PGOPTIONS"
CHECK_INTERVAL_MS: Final = 2_000
"""How often Postgres (14 or newer) checks that the client of a statement is still there."""


def lock_variables(
    dialect: Dialect, *, read_only: bool, call_timeout_s: float
) -> Mapping[str, str]:
    """Variables for the environment of a db-mcp: the locks as settings of its connections."""
    if dialect != "postgres":
        return {}
    settings = {
        "statement_timeout": max(1, round(call_timeout_s * 1000)),
        "client_connection_check_interval": CHECK_INTERVAL_MS,
    }
    words = [f"-c {name}={value}" for name, value in settings.items()]
    if read_only:
        words.insert(0, "-c default_transaction_read_only=on")
    return {OPTIONS: " ".join(words)}


# What tells whether the locks are in force, and what the credentials could do without them. Each
# gives one row. A server that does not know a setting fails; then the next statement is asked.
_POSTGRES: Final = """
    SELECT pg_catalog.current_setting('transaction_read_only') AS read_only,
        pg_catalog.current_setting('statement_timeout') AS timeout,
        pg_catalog.current_setting('client_connection_check_interval', true) AS check_interval,
        pg_catalog.current_setting('is_superuser') AS superuser,
        (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
            AND pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
        ) AS writable_tables,
        (SELECT pg_catalog.count(*) FROM pg_catalog.pg_proc p
            JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
            WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')
            AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
        ) AS definers
"""
_MYSQL: Final = """
    SELECT @@session.transaction_read_only AS read_only,
        @@session.max_execution_time AS timeout
"""
_MARIADB: Final = """
    SELECT @@session.tx_read_only AS read_only, @@session.max_statement_time AS timeout
"""
STATEMENTS: Final[Mapping[Dialect, tuple[str, ...]]] = {
    "sqlite": (),
    "postgres": (" ".join(_POSTGRES.split()),),
    "mysql": (" ".join(_MYSQL.split()), " ".join(_MARIADB.split())),
}
"""What tells whether the locks are in force, by dialect; the first that the server understands."""

_READ_ONLY: Final = {
    "postgres": "default_transaction_read_only=on",
    "mysql": "transaction_read_only=1 (MariaDB: tx_read_only)",
}
_TIMEOUT: Final = {
    "postgres": "statement_timeout=60s",
    "mysql": "max_execution_time=60000 (MariaDB: max_statement_time=60)",
}
_CHECK: Final = "client_connection_check_interval=2s (PostgreSQL 14 or newer)"
_HOW: Final = {
    "postgres": (
        "let PGOPTIONS be, or put it into the options of the database's address "
        "(?options=-c%20NAME%3DVALUE), or let ALTER ROLE ... SET it"
    ),
    "mysql": "have its connections begin with SET SESSION of it (init_command)",
}


def is_locked(settings: Mapping[str, str]) -> bool:
    """Whether a transaction cannot write, by what a statement of `STATEMENTS` gave."""
    return settings.get("read_only", "").lower() in ("on", "1", "true")


def is_timed(settings: Mapping[str, str]) -> bool:
    """Whether the server gives up a statement by itself."""
    return settings.get("timeout", "").strip("0.") != ""


def weaknesses(dialect: Dialect, settings: Mapping[str, str], *, read_only: bool) -> Iterator[str]:
    """What is wrong with the locks of a database of Postgres or MySQL, and what to do.

    `read_only`: nothing may be written to it.
    """
    if settings.get("superuser") == "on":
        yield "its role is a superuser: make one that may SELECT and nothing else"
    if read_only and not is_locked(settings):
        if (tables := settings.get("writable_tables", "0")) != "0":
            yield f"its role may write to tables ({tables}): revoke all but SELECT"
        if (functions := settings.get("definers", "0")) != "0":
            yield (
                f"it may call functions that have the rights of their owners ({functions}): "
                "revoke EXECUTE on them from PUBLIC, or set the lock below"
            )
    missing = []
    if read_only and not is_locked(settings):
        missing.append(_READ_ONLY[dialect])
    if not is_timed(settings):
        missing.append(_TIMEOUT[dialect])
    if dialect == "postgres" and settings.get("check_interval", "0") in ("", "0", "NULL", "None"):
        missing.append(_CHECK)
    if missing:
        yield f"its connections lack {', '.join(missing)}: {_HOW[dialect]}"
