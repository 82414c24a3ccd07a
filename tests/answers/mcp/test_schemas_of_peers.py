"""Schemas over real peers: the db-mcps of chatd's own, those of others, and hostile ones."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import orjson
import pytest
import trio

from chatd.answers.cache import Cache
from chatd.answers.life import AnswerLife, AnswerRules
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.schema import TABLES_MAX, Schema
from chatd.answers.schemas import Outcome, Schemas, Wait
from chatd.answers.terms import Bounds, RoomDatabase
from chatd.observe import Recorder
from chatd.wire.codes import Code, Refusal
from tests.answers.mcp.pools import LIMIT_S, fake, running
from tests.answers.mcp.test_others import OTHERS, STRANGE, Other
from tests.answers.mcp.test_others import configured as configured
from tests.answers.mcp.test_others import other as other
from tests.answers.services import ROOM
from tests.postgres_mcp.conftest import *  # noqa: F403 - its fixtures
from tests.postgres_mcp.shops import Shop
from tests.postgres_mcp.test_bundled import configured as of_shop


@asynccontextmanager
async def open_schemas(
    settings: DatabaseSettings, *, timeout_s: float = LIMIT_S
) -> AsyncIterator[Schemas]:
    """The schemas of a room whose database is that of a real peer."""
    unused: Any = None
    async with running(settings) as peer:
        rules = AnswerRules(Bounds(1_000, 100_000, timeout_s), 2, 4, 3, 5.0)
        life = AnswerLife(
            {ROOM: RoomDatabase(peer.database, settings.dialect)},
            *[unused] * 5,
            Cache(0),
            rules,
            lambda: 0,
            Recorder(),
        )
        schemas = Schemas(life, Recorder())
        async with trio.open_nursery() as nursery:
            await nursery.start(schemas.run)
            yield schemas
            nursery.cancel_scope.cancel()


async def read(schemas: Schemas) -> Outcome:
    came: list[Outcome] = []
    ended = trio.Event()

    def told(outcome: Outcome) -> None:
        came.append(outcome)
        ended.set()

    assert isinstance(schemas.read("ann", ROOM, told), Wait)
    with trio.fail_after(2 * LIMIT_S):
        await ended.wait()
    return came[0]


async def shown(schemas: Schemas) -> dict[str, list[tuple[str, str | None]]]:
    """The tables, and their columns."""
    outcome = await read(schemas)
    assert isinstance(outcome, Schema), outcome
    tables = [orjson.loads(orjson.dumps(table)) for table in outcome.tables]
    return {
        ".".join(filter(None, (one.get("schema"), one["name"]))): [
            (column["name"], column["type"]) for column in one["columns"]
        ]
        for one in tables
    }


async def test_a_sqlite_file_gives_all_columns_at_once(tmp_path: Path) -> None:
    file = tmp_path / "any.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript("""
            CREATE TABLE "a.b" (x INTEGER, "Y z" VARCHAR(40), n);
            CREATE TABLE gone (x);
            CREATE VIEW broken AS SELECT x FROM gone;
            CREATE VIEW v AS SELECT x FROM "a.b";
            DROP TABLE gone;
            CREATE VIRTUAL TABLE words USING fts5 (text);
        """)
    async with open_schemas(DatabaseSettings(sqlite=str(file), connections=1)) as schemas:
        assert await shown(schemas) == {
            "a.b": [("x", "INTEGER"), ("Y z", "VARCHAR(40)"), ("n", None)],
            "broken": [],
            "v": [("x", "INTEGER")],
            "words": [("text", None)],
        }


async def test_postgres_gives_all_columns_at_once(shop: Shop) -> None:
    async with open_schemas(of_shop(shop)) as schemas:
        tables = await shown(schemas)
    assert tables["sales.orders"] == [
        *(("id", "bigint"), ("customer", "integer")),
        *(("total", "numeric(10,2)"), ("twice", "numeric")),
    ]
    assert list(tables) == [
        *("public.My Table (2024)", "public.counts", "public.customers", "public.months"),
        *("public.names", "public.twins", "sales.orders", "sales.twins"),
    ]


async def test_the_db_mcps_of_others_give_them_too(
    other: Other, configured: DatabaseSettings
) -> None:
    assert other in OTHERS
    async with open_schemas(configured) as schemas:
        tables = await shown(schemas)
    assert tables["people"] == [
        *(("id", "INTEGER"), ("name", "TEXT"), ("height", "REAL"), ("photo", "BLOB")),
    ]
    assert set(tables) == {"people", "orders", "order items", STRANGE}


async def test_two_tables_of_a_peer_are_put_together() -> None:
    async with open_schemas(fake("columns=two_tables")) as schemas:
        assert await shown(schemas) == {"shop.a": [("x", "int"), ("y", None)], "b": [("x", "t")]}


async def test_a_peer_without_the_tool_is_not_asked_for_it() -> None:
    async with open_schemas(fake()) as schemas:  # its list has numbers for names
        assert await shown(schemas) == {}


@pytest.mark.parametrize("listing", ["many_tables", "endless_tables"])
async def test_a_peer_with_more_tables_than_anybody_wants_is_cut(listing: str) -> None:
    async with open_schemas(fake(f"columns={listing}")) as schemas:
        outcome = await read(schemas)
        assert isinstance(outcome, Schema)
        assert outcome.is_truncated
        assert 0 < len(outcome.tables) <= TABLES_MAX


async def test_names_that_nobody_can_type_are_left_out() -> None:
    async with open_schemas(fake("columns=strange_names")) as schemas:
        outcome = await read(schemas)
        assert isinstance(outcome, Schema)
        assert outcome.is_truncated
        names = [orjson.loads(orjson.dumps(table))["name"] for table in outcome.tables]
    assert names == ["<b>", "t"]


@pytest.mark.parametrize(
    ("listing", "timeout_s", "code"),
    [
        ("die", LIMIT_S, Code.DB_UNAVAILABLE),
        ("half_json", LIMIT_S, Code.DB_UNAVAILABLE),
        ("hang", 3.0, Code.DB_TIMEOUT),
        ("wait", 3.0, Code.DB_TIMEOUT),
    ],
)
async def test_a_peer_that_dies_or_hangs_is_told_and_the_next_one_is_asked(
    listing: str, timeout_s: float, code: Code
) -> None:
    async with open_schemas(fake(f"columns={listing}"), timeout_s=timeout_s) as schemas:
        for _ in range(2):
            outcome = await read(schemas)
            assert isinstance(outcome, Refusal)
            assert outcome.code is code


@pytest.mark.parametrize(
    "listing",
    [
        *("endless_line", "endless_logs", "endless_requests", "endless_progress"),
        *("garbage", "gigabyte", "deep_json", "wrong_schema", "wrong_document", "error"),
    ],
)
async def test_a_peer_that_breaks_the_rules_costs_its_own_list_only(listing: str) -> None:
    async with open_schemas(fake(f"columns={listing}", connections=2)) as schemas:
        outcome = await read(schemas)
    if isinstance(outcome, Schema):  # from its list of tables, whose names are numbers
        assert outcome.tables == ()
    else:
        assert outcome.code in (Code.DB_ERROR, Code.DB_UNAVAILABLE)
