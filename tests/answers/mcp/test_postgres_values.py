"""What the db-mcps of others make of the values of Postgres, with a real server behind them.

What a peer loses stands in docs/answers; here it is what is expected of it.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import pytest
import trio

from chatd.answers.mcp.records import TOO_LONG
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.requests import (
    Answered,
    DatabaseFailed,
    DescribeTable,
    ExplainStatement,
    ListTables,
    SampleTable,
)
from chatd.wire.codes import Code
from tests.answers.mcp.pools import Plate, Running, running
from tests.answers.mcp.test_others import NODE, NODE_MODULES, column, venv
from tests.postgres import PORT, Postgres

TABLES: Final = """
    CREATE TABLE orders (id int PRIMARY KEY, total numeric(10, 2) NOT NULL DEFAULT 1.50);
    INSERT INTO orders VALUES (1, 9.50), (2, 10.25);
    CREATE VIEW large AS SELECT * FROM orders WHERE total > 10;
    CREATE SCHEMA archive;
    CREATE TABLE archive.orders (id bigint, "Price [EUR]" text);
    INSERT INTO archive.orders VALUES (7, 'x');
    CREATE TABLE "My, Table: (2024)" (n int);
"""
STRANGE: Final = "My, Table: (2024)"

VALUES: Final[dict[str, tuple[str, Any, Any]]] = {
    # of what, the expression, what mcp-alchemy gives, what dbhub gives
    "integer": ("42", 42, 42),
    "bigint": ("9007199254740993", "9007199254740993", "9007199254740993"),
    "thirty digits": ("1234567890123456789012345678.5",) + ("1234567890123456789012345678.5",) * 2,
    "numeric": ("1.50::numeric(5, 2)", "1.50", "1.50"),
    "numeric NaN": ("'NaN'::numeric", "NaN", "NaN"),
    "float": ("0.1::float8", 0.1, 0.1),
    "float NaN": ("'NaN'::float8", "NaN", None),
    "float infinity": ("'-Infinity'::float8", "-Infinity", None),
    "boolean": ("true", True, True),
    "NULL": ("NULL", None, None),
    "not NULL": ("'NULL'", "NULL", "NULL"),
    "empty": ("''", "", ""),
    "line breaks": ("E'1\\nb: 2\\n\\n2. row\\nrow: 3'",) + ("1\nb: 2\n\n2. row\nrow: 3",) * 2,
    "unicode": ("'😀 é'", "😀 é", "😀 é"),
    "instant": (
        "'2026-01-02 03:04:05.123456+02'::timestamptz",
        "2026-01-02T01:04:05.123456+00:00",
        "2026-01-02 01:04:05.123456+00",
    ),
    "time stamp": ("timestamp '2026-01-02 03:04:05'", "2026-01-02T03:04:05", "2026-01-02 03:04:05"),
    "date": ("date '2026-01-02'", "2026-01-02", "2026-01-02"),
    "infinite date": ("'infinity'::date", "infinity", "infinity"),
    "infinite instant": ("'-infinity'::timestamptz", "-infinity", "-infinity"),
    "before Christ": ("date '0044-03-15 BC'", "0044-03-15 BC", "0044-03-15 BC"),
    "interval": (
        "interval '1 mon 2 days 03:04:05.5'",
        "1 mon 2 days 03:04:05.5",
        '{"months": 1, "days": 2, "hours": 3, "minutes": 4, "seconds": 5, "milliseconds": 500}',
    ),
    "bytes": (r"'\x00ff10'::bytea", r"\x00ff10", {"$bytes": "AP8Q"}),
    "no bytes": ("''::bytea", r"\x", {"$bytes": ""}),
    "jsonb": (
        """'{"a":1,"big":12345678901234567890.5,"n":null}'::jsonb""",
        '{"a": 1, "n": null, "big": 12345678901234567890.5}',
        '{"a": 1, "n": null, "big": 12345678901234567000}',
    ),
    "jsonb of digits": ("""'{"0":1,"1":2}'::jsonb""",) + ('{"0": 1, "1": 2}',) * 2,
    "json": ("""'{ "a" :\n 1}'::json""", '{ "a" :\n 1}', '{"a": 1}'),
    "list": ("ARRAY[1,NULL,3]", "[1,null,3]", "[1, null, 3]"),
    "list of texts": ("""ARRAY['a,b','c"d']""", r'["a,b","c\"d"]', r'["a,b", "c\"d"]'),
    "uuid": ("'12345678-1234-5678-1234-567812345678'::uuid",)
    + ("12345678-1234-5678-1234-567812345678",) * 2,
    "range": ("int4range(1, 5)", "[1,5)", "[1,5)"),
}


@attrs.frozen
class Peer:
    """A db-mcp of somebody else before a database of Postgres."""

    name: str
    configured: DatabaseSettings

    def expected(self, value: tuple[str, Any, Any]) -> Any:
        return value[1] if self.name == "mcp-alchemy" else value[2]


@asynccontextmanager
async def relayed(postgres: Postgres) -> AsyncIterator[int]:
    """A port of this machine behind which the server's socket is; dbhub knows no sockets."""

    async def carry(source: trio.abc.ReceiveStream, sink: trio.abc.SendStream) -> None:
        try:
            async for piece in source:
                await sink.send_all(piece)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        await sink.aclose()

    async def serve(stream: trio.SocketStream) -> None:
        path = str(postgres.directory / f".s.PGSQL.{PORT}")
        async with await trio.open_unix_socket(path) as server, trio.open_nursery() as nursery:
            nursery.start_soon(carry, stream, server)
            await carry(server, stream)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    name = postgres.new_database()
    with postgres.connect(name) as connection:
        connection.execute(TABLES)
    yield name  # noqa: PT022  # so that a database is made for each test


@pytest.fixture(params=["mcp-alchemy", "dbhub"])
async def peer(
    request: pytest.FixtureRequest, postgres: Postgres, database: str
) -> AsyncIterator[Peer]:
    async with relayed(postgres) as port:
        source: dict[str, Any]
        if request.param == "mcp-alchemy":
            url = postgres.url(database, "postgres", "postgresql+psycopg")
            source = {"command": (venv("mcp-alchemy"),), "environment": {"DB_URL": url}}
        else:
            dsn = f"postgres://postgres@127.0.0.1:{port}/{database}?sslmode=disable"
            program = str(NODE_MODULES / "@bytebase/dbhub/dist/index.js")
            source = {"command": (NODE, program, "--transport", "stdio", "--dsn", dsn)}
        yield Peer(
            request.param,
            DatabaseSettings(
                **source,
                mapping=request.param,
                dialect="postgres",
                credentials="read-only",
                connections=1,
                start_timeout_s=60.0,
            ),
        )


async def test_postgres_is_asked_everything(peer: Peer) -> None:
    async with running(peer.configured) as asked:
        await values_are_what_they_are(peer, asked)
        await colons_are_no_parameters(asked)
        await tables_are_found_in_every_schema(asked)
        await rows_are_all_there(peer, asked)
        await errors_are_told(asked)


async def values_are_what_they_are(peer: Peer, asked: Running) -> None:
    fields = [f'{value[0]} AS "{name}"' for name, value in VALUES.items()]
    _, plate = await asked.ask(f"SELECT {', '.join(fields)}")
    [row] = plate.rows_
    assert dict(zip(plate.names, row, strict=True)) == {
        name: peer.expected(value) for name, value in VALUES.items()
    }
    _, plate = await asked.ask("SELECT 1 AS a, 2 AS a")
    assert (plate.names, plate.rows_) == (
        (["a", "a"], [[1, 2]]) if peer.name == "mcp-alchemy" else (["a"], [[2]])
    )
    _, plate = await asked.ask("SELECT 1 AS a WHERE false")
    assert (plate.names, plate.rows_) == ([], [])


async def colons_are_no_parameters(asked: Running) -> None:
    for sql, expected in (
        ("""SELECT value FROM jsonb_each_text('{"a":1,"b":2}') ORDER BY 1""", [["1"], ["2"]]),
        ("SELECT '%:ok%' AS a, '12:30:45' AS b, ':x' AS c", [["%:ok%", "12:30:45", ":x"]]),
        (r"SELECT '\:x' AS a, '\\:x' AS b, '\: ' AS c", [["\\:x", "\\\\:x", "\\: "]]),
        ("SELECT (ARRAY[1,2,3])[2:3] AS a, '7'::int AS b, $$:y$$ AS c", [["[2,3]", 7, ":y"]]),
        ("SELECT 'a' LIKE '%s' AS a, 7 % 4 AS b, '%(x)s %%' AS c", [[False, 3, "%(x)s %%"]]),
        ("SELECT '?' AS a, '$1' AS b, '{}' AS c", [["?", "$1", "{}"]]),
    ):
        _, plate = await asked.ask(sql)
        assert [[_unspaced(cell) for cell in row] for row in plate.rows_] == expected, sql


def _unspaced(cell: Any) -> Any:
    """JSON has no one way to write a list."""
    return cell.replace(", ", ",") if isinstance(cell, str) and cell.startswith("[") else cell


async def tables_are_found_in_every_schema(asked: Running) -> None:
    _, plate = await asked.ask(ListTables())
    listed = set(zip(column(plate, "name"), column(plate, "schema"), strict=True))
    assert {("orders", "public"), ("orders", "archive"), (STRANGE, "public")} <= listed
    _, plate = await asked.ask(ListTables(), tables=("archive.orders",))
    assert (column(plate, "name"), column(plate, "schema")) == (["orders"], ["archive"])
    for request, names in (
        (DescribeTable("orders", "public"), ["id", "total"]),
        (DescribeTable("orders", "archive"), ["id", "Price [EUR]"]),
        (DescribeTable(STRANGE), ["n"]),
    ):
        _, plate = await asked.ask(request)
        assert column(plate, "name") == names
    _, plate = await asked.ask(DescribeTable("orders", "public"))
    assert column(plate, "nullable") == [False, False]
    _, plate = await asked.ask(SampleTable("orders", "archive"))
    assert (plate.names, plate.rows_[0][1]) == (["id", "Price [EUR]"], "x")
    for name in ("nothing", "it's"):
        with pytest.raises(DatabaseFailed) as caught:
            await asked.ask(DescribeTable(name))
        assert name in caught.value.sentence


async def rows_are_all_there(peer: Peer, asked: Running) -> None:
    sql = "SELECT g AS n, 'the text of a row' AS t FROM generate_series(1, {}) g"
    end, plate = await asked.ask(sql.format(1_000))
    assert (end, len(plate.rows_)) == (Answered(), 1_000)
    assert plate.rows_[-1] == [1_000, "the text of a row"]
    if peer.name == "mcp-alchemy":
        end, plate = await asked.ask(sql.format(10_000), max_rows=9_999)
        assert isinstance(end, Answered) and end.is_truncated  # noqa: PT018
        assert column(plate, "n") == list(range(1, len(plate.rows_) + 1))
        with pytest.raises(DatabaseFailed) as caught:
            await asked.ask("SELECT repeat('x', 200000) AS t")
        assert caught.value.sentence == TOO_LONG


async def errors_are_told(asked: Running) -> None:
    with pytest.raises(DatabaseFailed) as caught:
        await asked.ask("SELECT * FORM orders")
    assert caught.value.code is Code.DB_SYNTAX
    with pytest.raises(DatabaseFailed, match='column "nope" does not exist') as caught:
        await asked.ask("SELECT nope FROM orders")
    for words in ("SQL:", "sqlalche.me", "row_to_json"):
        assert words not in caught.value.sentence
    _, plate = await asked.ask(ExplainStatement("SELECT * FROM orders WHERE 'a:b' <> ':c'"))
    assert "Seq Scan on orders" in str(plate.rows_)


async def test_what_is_asked_for_as_json_is_asked_for_as_it_is_where_it_may_write(
    postgres: Postgres, database: str
) -> None:
    configured = DatabaseSettings(
        command=(venv("mcp-alchemy"),),
        environment={"DB_URL": postgres.url(database, "postgres", "postgresql+psycopg")},
        mapping="mcp-alchemy",
        dialect="postgres",
        read_only=False,
        connections=1,
        start_timeout_s=60.0,
    )
    async with running(configured) as asked:
        insert = "INSERT INTO orders VALUES (3, 1) RETURNING id, ':x' AS t"
        _, plate = await asked.ask(insert, Plate(), read_only=False)
        assert plate.rows_ == [["3", ":x"]]
        _, plate = await asked.ask("SELECT id FROM orders WHERE id = 3")
        assert plate.rows_ == [[3]]
