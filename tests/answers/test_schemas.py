"""Schemas that are read once for all who ask, and kept for a short time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
import trio
import trio.testing

from chatd.answers.cut import Cut
from chatd.answers.requests import (
    Answered,
    DescribeTable,
    ListColumns,
    ListTables,
    RunStatement,
)
from chatd.answers.schema import Schema
from chatd.answers.schemas import DESCRIBE_S, DESCRIBED_MAX, KEPT_S, Outcome, Schemas, Wait
from chatd.answers.table import Column
from chatd.observe import InternalError
from chatd.wire.codes import Code, Refusal
from chatd.wire.names import RowsCut
from tests.answers.services import OTHER_ROOM, ROOM, Call, Service, failed, open_service

LISTED = ("name", "kind", "column_name", "column_type")


@attrs.define
class Asker:
    """Who waits for schemas, and what came."""

    service: Service
    schemas: Schemas
    came: list[Outcome] = attrs.field(factory=list)

    async def ask(self, user_id: str = "ann", room: str = ROOM) -> Wait | None:
        """Ask; returns the wait, or None where it was known."""
        known = self.schemas.known(room)
        if known is not None:
            self.came.append(known)
            return None
        wait = self.schemas.read(user_id, room, self.came.append)
        assert isinstance(wait, Wait)
        await self.service.settled()
        return wait

    @property
    def calls(self) -> list[Call]:
        return self.service.database.calls

    def refusals(self) -> list[Code]:
        return [one.code for one in self.came if isinstance(one, Refusal)]


@asynccontextmanager
async def open_schemas(**changes: Any) -> AsyncIterator[Asker]:
    async with open_service(**changes) as service:
        schemas = Schemas(service.answers._life, service.recorder)
        async with trio.open_nursery() as nursery:
            await nursery.start(schemas.run)
            yield Asker(service, schemas)
            nursery.cancel_scope.cancel()


def tell(call: Call, *rows: Any, columns: tuple[str, ...] = LISTED) -> None:
    """What the database answers a call with."""
    call.sink.columns([Column(name) for name in columns])
    call.sink.rows(rows)
    call.end()


def names(outcome: Outcome) -> dict[str, list[str]]:
    """The tables of a schema, and their columns."""
    assert isinstance(outcome, Schema), outcome
    tables = [orjson.loads(orjson.dumps(table)) for table in outcome.tables]
    return {one["name"]: [column["name"] for column in one["columns"]] for one in tables}


ROWS = (["a", "table", "x", "int"], ["a", "table", "y", "int"], ["b", "view", "z", "int"])
SCHEMA = {"a": ["x", "y"], "b": ["z"]}


async def test_all_columns_are_asked_for_at_once_and_the_schema_is_kept(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_schemas() as asker:
        await asker.ask()
        assert [call.request for call in asker.calls] == [ListColumns()]
        assert asker.calls[0].terms.read_only
        tell(asker.calls[0], *ROWS)
        await asker.service.settled()
        await asker.ask("bob")
        assert list(map(names, asker.came)) == [SCHEMA, SCHEMA]
        assert len(asker.calls) == 1
        await trio.sleep(KEPT_S)
        await asker.ask()
        assert len(asker.calls) == 2


async def test_who_asks_at_the_same_time_shares_one_run() -> None:
    async with open_schemas() as asker:
        for user_id in ("ann", "bob", "ann"):
            await asker.ask(user_id)
        assert len(asker.calls) == 1
        tell(asker.calls[0], *ROWS)
        await asker.service.settled()
        assert list(map(names, asker.came)) == [SCHEMA] * 3


async def test_a_run_is_stopped_once_nobody_waits_for_it() -> None:
    async with open_schemas() as asker:
        ann, bob = await asker.ask("ann"), await asker.ask("bob")
        assert ann is not None
        assert bob is not None
        ann.give_up()
        await asker.service.settled()
        assert not asker.calls[0].is_cancelled
        bob.give_up()
        await asker.ask("cleo")  # before the run has ended
        assert asker.calls[0].is_cancelled
        tell(asker.calls[1], *ROWS)
        await asker.service.settled()
        assert list(map(names, asker.came)) == [SCHEMA]


async def test_what_is_written_in_a_room_makes_its_schema_old() -> None:
    async with open_schemas(read_only=False) as asker:
        await asker.ask()
        tell(asker.calls[0], *ROWS)
        await asker.service.settled()
        assert isinstance(asker.schemas.known(ROOM), Schema)
        asked = RunStatement("CREATE TABLE c (x)")
        await asker.service.ask(asked, config={"readOnly": False})
        asker.calls[1].end()
        await asker.service.settled()
        assert asker.schemas.known(ROOM) is None


async def test_what_was_read_beside_a_write_is_not_kept() -> None:
    async with open_schemas(read_only=False) as asker:
        await asker.ask()
        await asker.service.ask(RunStatement("DROP TABLE a"), config={"readOnly": False})
        asker.calls[1].end()
        await asker.service.settled()
        tell(asker.calls[0], *ROWS)
        await asker.service.settled()
        assert list(map(names, asker.came)) == [SCHEMA]
        assert asker.schemas.known(ROOM) is None


async def test_a_room_without_a_database_has_no_schema() -> None:
    async with open_schemas() as asker:
        refusal = asker.schemas.known("nowhere")
        assert isinstance(refusal, Refusal)
        assert (refusal.code, refusal.path) == (Code.NOT_FOUND, "connectionId")
        assert "no schema" in refusal.sentence


async def test_a_failure_is_told_and_not_kept() -> None:
    async with open_schemas() as asker:
        for code in (Code.DB_UNAVAILABLE, Code.DB_TIMEOUT, Code.DB_BUSY):
            await asker.ask()
            asker.calls[-1].end(failed(code))
            await asker.service.settled()
        assert asker.refusals() == [Code.DB_UNAVAILABLE, Code.DB_TIMEOUT, Code.DB_BUSY]
        assert len(asker.calls) == 3


async def test_a_database_that_hangs_is_given_up_when_the_time_of_an_answer_is_over(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_schemas() as asker:
        await asker.ask()
        await trio.sleep(30.1)
        assert asker.refusals() == [Code.DB_TIMEOUT]
        assert asker.calls[0].is_cancelled
        await asker.ask()  # its places are free again
        assert len(asker.calls) == 2


async def test_it_takes_places_as_an_answer_does(autojump_clock: trio.testing.MockClock) -> None:
    async with open_schemas(per_database=1) as asker:
        await asker.service.ask("SELECT 1", user_id="bob")
        await asker.ask()
        assert len(asker.calls) == 1
        await trio.sleep(5.1)
        [refusal] = asker.came
        assert isinstance(refusal, Refusal)
        assert (refusal.code, refusal.retry_after_ms) == (Code.DB_BUSY, 2_000)
        asker.calls[0].end()
        await asker.service.settled()
        await asker.ask()
        assert len(asker.calls) == 2


async def test_a_fault_of_the_program_is_logged_and_told() -> None:
    async with open_schemas() as asker:
        await asker.ask()
        asker.calls[0].end(ZeroDivisionError())
        await asker.service.settled()
        assert asker.refusals() == [Code.INTERNAL]
        assert len(asker.service.recorder.of(InternalError)) == 1


async def test_rooms_have_schemas_of_their_own() -> None:
    async with open_schemas() as asker:
        await asker.ask()
        await asker.ask(room=OTHER_ROOM)
        tell(asker.service.other.calls[0], ["c", "table", None, None])
        tell(asker.calls[0], *ROWS)
        await asker.service.settled()
        # Whose columns come first is told first.
        assert sorted(map(names, asker.came), key=str) == sorted([{"c": []}, SCHEMA], key=str)


async def test_where_the_service_has_ended_nobody_waits() -> None:
    async with open_schemas() as asker:
        await asker.ask()
    assert asker.refusals() == [Code.DB_INTERRUPTED]
    refusal = asker.schemas.read("ann", ROOM, asker.came.append)
    assert refusal == Refusal(Code.DRAINING)


async def by_table(asker: Asker, *tables: str) -> None:
    """The db-mcp has no list of columns, and lists these tables."""
    await asker.ask()
    asker.calls[0].end(failed(Code.DB_ERROR))
    await asker.service.settled()
    assert asker.calls[1].request == ListTables()
    tell(asker.calls[1], *([table] for table in tables), columns=("name",))
    await asker.service.settled()


async def test_without_a_list_of_columns_tables_are_described_one_by_one() -> None:
    async with open_schemas() as asker:
        await by_table(asker, "a", "sales.b", "c")
        assert asker.calls[2].request == DescribeTable("a")
        tell(asker.calls[2], ["x", "int"], ["y", "int"], columns=("name", "type"))
        await asker.service.settled()
        assert asker.calls[3].request == DescribeTable("b", "sales")
        asker.calls[3].end(failed(Code.DB_ERROR))
        await asker.service.settled()
        asker.calls[4].end(failed(Code.DB_UNAVAILABLE))
        await asker.service.settled()
        [schema] = asker.came
        assert names(schema) == {"a": ["x", "y"], "b": [], "c": []}
        assert isinstance(schema, Schema)
        assert schema.is_truncated


async def test_as_many_tables_are_described_as_there_is_time_for(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_schemas() as asker:
        await by_table(asker, "a", "b")
        await trio.sleep(DESCRIBE_S + 0.1)
        [schema] = asker.came
        assert names(schema) == {"a": [], "b": []}
        assert isinstance(schema, Schema)
        assert schema.is_truncated


async def test_no_more_tables_are_described_than_a_bound() -> None:
    def answer(call: Call) -> None:
        if isinstance(call.request, DescribeTable):
            tell(call, ["x", "int"], columns=("name", "type"))

    async with open_schemas() as asker:
        asker.service.database.at_once = answer
        await by_table(asker, *(f"t{number}" for number in range(DESCRIBED_MAX + 5)))
        [schema] = asker.came
        assert sum(map(bool, names(schema).values())) == DESCRIBED_MAX
        assert len(names(schema)) == DESCRIBED_MAX + 5


async def test_what_the_database_cuts_is_told() -> None:
    async with open_schemas() as asker:
        await asker.ask()
        call = asker.calls[0]
        call.sink.columns([Column(name) for name in LISTED])
        call.sink.rows(ROWS)
        call.end(Answered(Cut(RowsCut.MAX_ROWS)))
        await asker.service.settled()
        [schema] = asker.came
        assert isinstance(schema, Schema)
        assert schema.is_truncated
