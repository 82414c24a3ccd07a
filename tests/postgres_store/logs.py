"""A log of a test's own in PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from chatd.postgres_store.opening import SESSION, OpenedLog, open_log
from chatd.postgres_store.recovery import recover
from chatd.postgres_store.sessions import LogAddress, connect
from tests.postgres import Postgres

SCHEMA = "chatd"
NOW_MS = 1_700_000_000_000


def new_address(postgres: Postgres) -> LogAddress:
    """A database without a log yet; the server of the tests has fsync off."""
    return LogAddress(postgres.url(postgres.new_database(), "postgres"), SCHEMA, is_synced=False)


@contextmanager
def opened_log(address: LogAddress) -> Iterator[OpenedLog]:
    opened = open_log(address, NOW_MS)
    yield opened
    opened.close()


def another_node(opened: OpenedLog) -> OpenedLog:
    """Another node over the same log, as if several might run."""
    connection = connect(opened.address)
    [(node_id,)] = connection.execute(
        "INSERT INTO nodes (name, version) VALUES ('b', '1') RETURNING node_id"
    )
    [session] = connection.execute(SESSION)
    return OpenedLog(opened.address, connection, session, node_id, recover(connection, node_id))


def rows_of(address: LogAddress, query: str) -> list[tuple[Any, ...]]:
    """What somebody else finds in the database."""
    with connect(address) as connection:
        return connection.execute(query.encode()).fetchall()


def run_in(address: LogAddress, statement: str) -> None:
    with psycopg.connect(address.url, autocommit=True) as connection:
        connection.execute(statement.encode())


# Children first. Sequences go on: no test depends on where they begin.
_TABLES = (
    "message_text", "indexed", "mentions", "changed", "changes", "messages", "answers", "members",
    "removals", "nodes", "audit", "rooms",
)  # fmt: skip


@pytest.fixture(scope="session")
def log_address(postgres: Postgres) -> LogAddress:
    """A log that tests have one after the other, each `emptied`: to make one takes longer."""
    address = new_address(postgres)
    with opened_log(address):
        return address


def emptied(address: LogAddress) -> LogAddress:
    """The same log, as if it were new."""
    with connect(address) as connection:
        connection.execute("; ".join(f"DELETE FROM {table}" for table in _TABLES).encode())
        connection.execute("UPDATE search_index SET form = ''")
        connection.execute("UPDATE meta SET has_scoped_ids = false")
    return address
