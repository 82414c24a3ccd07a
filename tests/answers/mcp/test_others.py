"""The db-mcps of others, as they come from PyPI and npm, over a SQLite file.

Each is asked in the terms of its ready mapping. What a peer loses of a value stands in `mapping`;
here it is what is expected of it.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from chatd.answers.cut import Cut
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
from chatd.wire.names import RowsCut
from tests.answers.mcp.pools import Plate, Running, running

ROOT: Final = Path(__file__).parents[3]
NODE: Final = str(ROOT / ".venv-node" / "bin" / "node")
NODE_MODULES: Final = Path(__file__).with_name("node_modules")

TABLES: Final = """
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, height REAL, photo BLOB);
    INSERT INTO people VALUES (1, 'Ann | "x"', 1.75, x'00ff10'),
        (2, 'Bob' || char(10) || 'B', NULL, NULL);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, person INTEGER);
    CREATE TABLE "order items" (sku TEXT);
    CREATE TABLE "a ""strange"" name" (n);
    INSERT INTO "a ""strange"" name" VALUES (7);
"""
STRANGE: Final = 'a "strange" name'
VALUES: Final = (
    "SELECT 9007199254740993 AS big, 0.1 AS f, 1e400 AS inf, x'00ff' AS raw, NULL AS n, 'é' AS t"
)
BYTES: Final = {"$bytes": "AP8="}
PHOTO: Final = {"$bytes": "AP8Q"}


@attrs.frozen
class Other:
    """A db-mcp of somebody else: how it is started on a file, and what it makes of values."""

    mapping: str
    database: Callable[[str], dict[str, Any]]
    values: list[Any]
    photo: Any = attrs.field(factory=lambda: PHOTO)
    is_text: bool = False
    can_explain: bool = False
    syntax: Code = Code.DB_ERROR
    """What a text that is not a statement gives: some refuse it by its first word."""


def venv(name: str) -> str:
    return str(ROOT / f".venv-{name}" / "bin" / name)


OTHERS: Final = (
    Other(
        "mcp-alchemy",
        lambda file: {
            "command": (venv("mcp-alchemy"),),
            "environment": {"DB_URL": f"sqlite:///{file}"},
        },
        ["9007199254740993", "0.1", "inf", "b'\\x00\\xff'", None, "é"],
        photo="b'\\x00\\xff\\x10'",
        is_text=True,
        can_explain=True,
        syntax=Code.DB_SYNTAX,
    ),
    Other(
        "mcp-server-sqlite",
        lambda file: {"command": (venv("mcp-server-sqlite"), "--db-path", file)},
        ["9007199254740993", 0.1, "inf", BYTES, None, "é"],
    ),
    Other(
        "mcp-server-sqlite-npx",
        lambda file: {
            "command": (NODE, str(NODE_MODULES / "mcp-server-sqlite-npx/dist/index.js"), file)
        },
        ["9007199254740992", 0.1, None, BYTES, None, "é"],
    ),
    Other(
        "dbhub",
        lambda file: {
            "command": (
                *(NODE, str(NODE_MODULES / "@bytebase/dbhub/dist/index.js")),
                *("--transport", "stdio", "--dsn", f"sqlite://{file}"),
            )
        },
        ["9007199254740993", 0.1, None, BYTES, None, "é"],
        can_explain=True,
        syntax=Code.DB_SYNTAX,
    ),
)


@pytest.fixture(params=OTHERS, ids=[other.mapping for other in OTHERS])
def other(request: pytest.FixtureRequest) -> Other:
    found: Other = request.param
    return found


@pytest.fixture
def configured(other: Other, tmp_path: Path) -> DatabaseSettings:
    file = tmp_path / "people.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(TABLES)
    return DatabaseSettings(
        mapping=other.mapping,
        credentials="read-only",
        connections=1,
        start_timeout_s=60.0,
        **other.database(str(file)),
    )


async def test_the_db_mcp_of_somebody_else_is_asked_everything(
    other: Other, configured: DatabaseSettings
) -> None:
    async with running(configured) as peer:
        await lists_and_describes(peer)
        await describes_by_other_names(peer)
        await samples(peer, other)
        await queries(peer, other)
        await explains(peer, other)
        await tells_errors(peer, other)


def column(plate: Plate, name: str) -> list[Any]:
    return [row[plate.names.index(name)] for row in plate.rows_]


async def lists_and_describes(peer: Running) -> None:
    _, plate = await peer.ask(ListTables())
    assert set(column(plate, "name")) == {"people", "orders", "order items", STRANGE}
    _, plate = await peer.ask(ListTables(), tables=("PEOPLE", "main.orders", "other.people"))
    assert set(column(plate, "name")) == {"people", "orders"}
    _, plate = await peer.ask(ListTables(), schema="main", max_rows=4)
    assert len(plate.rows_) == 4
    _, plate = await peer.ask(ListTables(), tables=("people",), max_rows=1)
    assert column(plate, "name") == ["people"]
    _, plate = await peer.ask(DescribeTable("people"))
    if plate.names == ["text"]:
        assert [row[0].strip().partition(":")[0] for row in plate.rows_] == [
            *("people", "id", "name", "height", "photo")
        ]
    else:
        assert column(plate, "name") == ["id", "name", "height", "photo"]
        assert column(plate, "type") == ["INTEGER", "TEXT", "REAL", "BLOB"]


async def describes_by_other_names(peer: Running) -> None:
    _, described = await peer.ask(DescribeTable("people", "main"))
    assert len(described.rows_) >= 4
    _, within = await peer.ask(DescribeTable("people"), tables=("people",), schema="main")
    assert within.rows_ == described.rows_
    _, plate = await peer.ask(DescribeTable("order items"))
    assert "sku" in str(plate.rows_)


async def samples(peer: Running, other: Other) -> None:
    _, plate = await peer.ask(SampleTable("people"))
    assert plate.names == ["id", "name", "height", "photo"]
    expected: list[list[Any]] = [[1, 'Ann | "x"', 1.75, other.photo], [2, "Bob\nB", None, None]]
    if other.is_text:
        expected = [[None if cell is None else str(cell) for cell in row] for row in expected]
    assert plate.rows_ == expected
    _, plate = await peer.ask(SampleTable(STRANGE))
    assert plate.rows_ == [["7" if other.is_text else 7]]
    _, plate = await peer.ask(SampleTable("people", "main"), tables=("people",))
    assert plate.rows_ == expected


async def queries(peer: Running, other: Other) -> None:
    end, plate = await peer.ask(VALUES)
    assert end == Answered()
    assert plate.names == ["big", "f", "inf", "raw", "n", "t"]
    assert plate.rows_ == [other.values]
    end, plate = await peer.ask("VALUES (1, 'a'), (2, 'b')")
    assert (end, plate.names) == (Answered(), ["column1", "column2"])
    assert [row[1] for row in plate.rows_] == ["a", "b"]
    end, plate = await peer.ask("SELECT * FROM people WHERE 0")
    assert (end, plate.rows_) == (Answered(), [])
    end, plate = await peer.ask("SELECT name FROM people ORDER BY id", max_rows=1)
    assert (end, plate.rows_) == (Answered(Cut(RowsCut.MAX_ROWS)), [['Ann | "x"']])


async def explains(peer: Running, other: Other) -> None:
    assert peer.database.can_explain == other.can_explain
    if other.can_explain:
        _, plate = await peer.ask(ExplainStatement("SELECT * FROM people"))
        assert column(plate, "detail") == ["SCAN people"]
    else:
        with pytest.raises(DatabaseFailed) as caught:
            await peer.ask(ExplainStatement("SELECT * FROM people"))
        assert caught.value.code is Code.DB_DRY_RUN_UNSUPPORTED


async def tells_errors(peer: Running, other: Other) -> None:
    with pytest.raises(DatabaseFailed, match="no such table: nobody") as caught:
        await peer.ask("SELECT * FROM nobody")
    with pytest.raises(DatabaseFailed, match=r"no such table: peopel; did you mean people\?$"):
        await peer.ask("SELECT * FROM peopel")
    with pytest.raises(DatabaseFailed, match=r"no such table: peopel; /tables lists"):
        await peer.ask("SELECT * FROM peopel", tables=("peopel", "orders"))
    assert caught.value.code is Code.DB_ERROR
    with pytest.raises(DatabaseFailed) as caught:
        await peer.ask("selec")
    assert caught.value.code is other.syntax
    assert (await peer.ask("SELECT 1 AS one"))[0] == Answered()
