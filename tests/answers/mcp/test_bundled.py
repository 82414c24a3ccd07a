"""`McpDatabase` over the real `chatd db-mcp`: what one end writes is what the other reads."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chatd.answers.cut import Cut
from chatd.answers.mcp.calls import tool_call
from chatd.answers.mcp.contract import CHUNK_ROWS_MAX, Argument, Tool
from chatd.answers.mcp.mapping import READY
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.requests import (
    Answered,
    DatabaseFailed,
    DescribeTable,
    ExplainStatement,
    ListColumns,
    ListTables,
    Request,
    RunStatement,
    SampleTable,
    Stopped,
    Terms,
)
from chatd.answers.table import Column
from chatd.observe import DatabaseConnected
from chatd.wire.codes import Code
from chatd.wire.names import RowsCut
from tests.answers.mcp.pools import Running, running
from tests.rows import rows
from tests.sqlite_mcp.databases import checksum, make_database
from tests.sqlite_mcp.peers import ENDLESS, ENDLESS_AFTER_TWO_ROWS

REQUESTS = (
    ListTables(),
    ListColumns(),
    DescribeTable("people"),
    SampleTable("people"),
    RunStatement("SELECT 1"),
    ExplainStatement("SELECT 1"),
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return make_database(tmp_path / "people.db")


def bundled(file: Path, **configured: Any) -> DatabaseSettings:
    """The configuration of the db-mcp that chatd brings along."""
    return DatabaseSettings(sqlite=str(file), connections=1, **configured)


def numbers(count: int) -> str:
    return f"{ENDLESS} LIMIT {count}"


async def failure(peer: Running, request: Request | str, **terms: object) -> DatabaseFailed:
    with pytest.raises(DatabaseFailed) as caught:
        await peer.ask(request, **terms)
    return caught.value


def test_every_tool_and_every_argument_of_the_contract_has_its_use() -> None:
    terms = Terms(schema="main", tables=("people",))
    calls = [tool_call(READY["chatd"], "sqlite", request, terms) for request in REQUESTS]
    assert {call.tool for call in calls if call is not None} == set(Tool)
    arguments = {name for call in calls if call is not None for name in call.arguments}
    assert arguments == set(Argument) - {Argument.DRY_RUN}  # chatd asks with `explain`


async def test_every_kind_of_request_is_answered(database: Path) -> None:
    async with running(bundled(database)) as peer:
        _, tables = await peer.ask(ListTables())
        assert [row[0] for row in tables.rows_] == ["audit", "names", "notes", "people", "secrets"]
        _, described = await peer.ask(DescribeTable("people"))
        assert described.rows_[1][:3] == ["name", "VARCHAR(40)", False]
        _, sampled = await peer.ask(SampleTable("people"), max_rows=1)
        assert sampled.rows_ == [[1, "Ada", "1815-12-10", 10.5, {"$bytes": "AP8="}, None, None]]
        end, asked = await peer.ask("SELECT name, anything FROM people ORDER BY id")
        assert end == Answered()
        assert asked.columns_ == [Column("name", "VARCHAR(40)"), Column("anything", "INTEGER")]
        assert asked.rows_ == [["Ada", None], ["Жанна 🐘", "9007199254740993"], ["<b>", "text"]]
        _, plan = await peer.ask(ExplainStatement("SELECT * FROM people WHERE name = 'Ada'"))
        assert "people_by_name" in plan.rows_[0][2]
        _, none = await peer.ask("SELECT name FROM people WHERE 0")
        assert (none.names, none.rows_) == (["name"], [])
        assert len(peer.recorder.of(DatabaseConnected)) == 1


async def test_what_the_database_does_not_understand_is_told_with_its_place(database: Path) -> None:
    async with running(bundled(database)) as peer:
        asked = RunStatement("SELECT name, FROM people", "/* all\nof */ SELECT name, FROM people")
        failed = await failure(peer, asked)
        assert failed.code is Code.DB_SYNTAX
        assert failed.sentence.endswith(
            'near "FROM" (line 2, column 20): syntax error; remove the comma before FROM.'
        )
        failed = await failure(peer, "SELECT name FROM people WHERE name ILIKE 'a'")
        assert failed.sentence == (
            "SQLite has no ILIKE; write LIKE, which does not look at the case of A to Z (line 1, "
            "column 36)."
        )


async def test_rows_of_many_chunks_come_in_order(database: Path) -> None:
    count = 12 * CHUNK_ROWS_MAX + 7
    async with running(bundled(database)) as peer:
        end, plate = await peer.ask(numbers(count), max_rows=count)
        assert end == Answered()
        assert plate.rows_ == [[number] for number in range(1, count + 1)]


async def test_a_call_may_bring_as_many_bytes_as_its_terms_say(database: Path) -> None:
    large = "SELECT n, printf('%.*c', 60000, '\"') AS t FROM (" + numbers(200) + ")"
    async with running(bundled(database)) as peer:
        end, plate = await peer.ask(large, max_bytes=100_000_000)
        assert end == Answered()
        assert len(plate.rows_) == 200
        assert sum(len(text) for _, text in plate.rows_) == 12_000_000
        assert len(peer.recorder.of(DatabaseConnected)) == 1


@pytest.mark.parametrize(
    ("terms", "count"), [({"max_rows": 450}, 450), ({"max_bytes": 100}, 21)], ids=str
)
async def test_more_than_the_terms_allow_is_left_out_and_said(
    database: Path, terms: dict[str, int], count: int, late_confirmations: None
) -> None:
    async with running(bundled(database)) as peer:
        end, plate = await peer.ask(numbers(1_000), **terms)
        assert end == Answered(Cut(RowsCut(next(iter(terms)))))
        assert plate.rows_ == [[number] for number in range(1, count + 1)]
        assert (await peer.ask(numbers(450), max_rows=450))[0] == Answered()
        assert len(peer.recorder.of(DatabaseConnected)) == 1


async def test_a_stop_is_confirmed_and_the_session_serves_on(
    database: Path, late_confirmations: None
) -> None:
    async with running(bundled(database)) as peer:
        end, plate = await peer.ask_and_stop(ENDLESS_AFTER_TWO_ROWS)
        assert end == Stopped(is_confirmed=True)
        assert plate.rows_[0] == [1]
        assert (await peer.ask("SELECT 7"))[1].rows_ == [[7]]
        assert len(peer.recorder.of(DatabaseConnected)) == 1


@pytest.fixture
async def peer(database: Path) -> AsyncIterator[Running]:
    """The database, asked by one db-mcp."""
    async with running(bundled(database)) as peer:
        yield peer


@rows(
    ("request_", "code"),
    [
        (RunStatement("SELEC 1"), Code.DB_SYNTAX),
        (RunStatement("DELETE FROM people"), Code.DB_READ_ONLY),
        (RunStatement("ATTACH ':memory:' AS x"), Code.DB_STATEMENT_REJECTED),
        (RunStatement("SELECT abs(-9223372036854775808)"), Code.DB_ERROR),
        (RunStatement("SELECT * FROM nowhere"), Code.DB_ERROR),
        (DescribeTable("nowhere"), Code.DB_ERROR),
        (ExplainStatement("DELETE FROM people"), Code.DB_READ_ONLY),
    ],
    ids=str,
)
async def test_each_failure_keeps_its_code_and_the_session(
    database: Path, peer: Running, request_: Request, code: Code
) -> None:
    before = checksum(database)
    failed = await failure(peer, request_)
    assert failed.code is code, failed.sentence
    assert failed.sentence.endswith(".")
    assert (await peer.ask("SELECT 7"))[1].rows_ == [[7]]
    assert len(peer.recorder.of(DatabaseConnected)) == 1
    assert checksum(database) == before


async def test_a_statement_that_is_out_of_time_fails_as_such(database: Path) -> None:
    async with running(bundled(database)) as peer:
        await peer.ask("SELECT 7")
        failed = await failure(peer, ENDLESS_AFTER_TWO_ROWS, timeout_s=0.2)
        assert failed.code is Code.DB_TIMEOUT
        assert (await peer.ask("SELECT 7"))[1].rows_ == [[7]]
        assert len(peer.recorder.of(DatabaseConnected)) == 1


async def test_rows_are_written_where_both_words_allow_it(database: Path) -> None:
    write = RunStatement("INSERT INTO audit VALUES ('x') RETURNING what")
    async with running(bundled(database, read_only=False)) as peer:
        assert (await failure(peer, write)).code is Code.DB_READ_ONLY
        end, plate = await peer.ask(write, read_only=False)
        assert (end, plate.rows_) == (Answered(rows_written=1), [["x"]])
        end, _ = await peer.ask("DELETE FROM audit WHERE 0", read_only=False)
        assert end == Answered(rows_written=0)
        for about_no_rows in ("CREATE TABLE new (a)", "DROP TABLE new"):
            end, _ = await peer.ask(about_no_rows, read_only=False)
            assert end == Answered()
        end, _ = await peer.ask("SELECT 1", read_only=False)
        assert end == Answered()
        assert (await peer.ask("SELECT count(*) FROM audit"))[1].rows_ == [[1]]
