"""A shop in a database of PostgreSQL, and calls about it."""

from typing import Any, Final

import attrs
import pytest

from chatd.answers.requests import DatabaseFailed, Request, RunStatement, Terms
from chatd.db_mcp.collecting import KeptRows
from chatd.db_mcp.feeding import Outcome
from chatd.db_mcp.interrupt import Interrupt
from chatd.postgres_mcp.reading import answer
from chatd.postgres_mcp.server import PostgresServer
from tests.postgres import Postgres

ROWS_WRITTEN_MAX: Final = 5
SCHEMA: Final = """
    CREATE SCHEMA sales;
    CREATE TABLE customers (id int PRIMARY KEY, name varchar(20) NOT NULL);
    CREATE TABLE sales.orders (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int REFERENCES customers,
        total numeric(10,2) DEFAULT 0, twice numeric GENERATED ALWAYS AS (total * 2) STORED
    );
    CREATE TABLE "My Table (2024)" ("a.b" int[], "Customer's [name]" text);
    CREATE TABLE twins (id int); CREATE TABLE sales.twins (id int);
    CREATE TABLE months (at date) PARTITION BY RANGE (at);
    CREATE TABLE january PARTITION OF months FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
    CREATE VIEW names AS SELECT name FROM customers;
    CREATE MATERIALIZED VIEW counts AS SELECT count(*) FROM customers;
    CREATE TABLE hidden (secret text);
    INSERT INTO customers VALUES (1, 'Ann'), (2, 'Bob');
    INSERT INTO sales.orders (customer, total) VALUES (1, 98.70), (2, 191.90);
    DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'shopper')
        THEN CREATE ROLE shopper LOGIN; END IF; END $$;
    GRANT USAGE, CREATE ON SCHEMA public, sales TO shopper;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA sales TO shopper;
    GRANT ALL ON ALL TABLES IN SCHEMA public, sales TO shopper;
    REVOKE ALL ON hidden FROM shopper;
"""


@attrs.frozen
class Answer:
    """How a call ended, and what it gave."""

    outcome: Outcome
    columns: list[tuple[str, str | None]]
    rows: list[list[Any]]


@attrs.frozen
class Shop:
    """A database, and the server as our db-mcp knows it, to read from and to write to."""

    postgres: Postgres
    database: str
    reading: PostgresServer
    writing: PostgresServer

    @classmethod
    def opened(cls, postgres: Postgres) -> "Shop":
        """A new shop."""
        database = postgres.new_database()
        with postgres.connect(database) as connection:
            connection.execute(SCHEMA)
        address = postgres.url(database, "shopper")
        return cls(
            postgres,
            database,
            PostgresServer(address),
            PostgresServer(address, is_writable=True, max_rows_written=ROWS_WRITTEN_MAX),
        )

    def close(self) -> None:
        """Close what is open."""
        self.reading.close()
        self.writing.close()

    def ask(self, request: Request | str, **terms: Any) -> Answer:
        """The answer to a request, or to a statement."""
        return call(self.reading, request, Terms(**terms))

    def write(self, request: Request | str, **terms: Any) -> Answer:
        """The answer to a request, or to a statement, that may write."""
        return call(self.writing, request, Terms(read_only=False, **terms))

    def failure(self, request: Request | str, **terms: Any) -> DatabaseFailed:
        """Why a request fails."""
        with pytest.raises(DatabaseFailed) as failed:
            self.ask(request, **terms)
        return failed.value

    def write_failure(self, request: Request | str) -> DatabaseFailed:
        """Why a request that may write fails."""
        with pytest.raises(DatabaseFailed) as failed:
            self.write(request)
        return failed.value


def call(server: PostgresServer, request: Request | str, terms: Terms) -> Answer:
    """Carry a request out in this thread."""
    if isinstance(request, str):
        request = RunStatement(request)
    rows = KeptRows()
    outcome = answer(server, request, terms, rows, Interrupt())
    return Answer(outcome, [(one.name, one.type) for one in rows.header], rows.kept)
