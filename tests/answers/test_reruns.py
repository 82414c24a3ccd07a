"""A stored question asked once more: what may be, on which terms."""

from typing import Any

import orjson
import pytest
import trio

from chatd.answers.requests import (
    DescribeTable,
    ExplainStatement,
    ListTables,
    RunStatement,
    Terms,
    WatchingSink,
)
from chatd.answers.reruns import Rerun, Reruns
from chatd.answers.slots import STILL_RUNS
from chatd.answers.terms import Bounds
from chatd.chat.records import Message
from chatd.wire.codes import Code, Refusal
from tests.answers.mcp.pools import Plate
from tests.answers.services import ROOM, Service, open_service
from tests.answers.sql.readers import ENDLESS
from tests.chat.commands import message_id

BOUNDS = Bounds(max_rows=5_000, max_bytes=1_000_000, timeout_s=7.0)


async def prepared(
    service: Service, content: str, *, room: str = ROOM, rows_max: int = 10_000, **context: Any
) -> Rerun | Refusal | None:
    reruns = Reruns(service.answers._life, BOUNDS, lambda: 0)
    question = Message(
        message_id(1),
        *(room, 1, "ann", None, content),
        orjson.dumps(context) if context else None,
        *(None, 1_700_000_000_000),
    )
    return await reruns.prepare("bob", question, rows_max=rows_max)


async def test_a_question_runs_again_on_the_terms_of_an_export(autojump_clock: object) -> None:
    async with open_service() as service:
        found = await prepared(service, "SELECT 1", schema="main", tables=["a"])
        assert found == Rerun(
            ROOM,
            service.answers._life.databases[ROOM],
            RunStatement("SELECT 1"),
            Terms(True, "main", ("a",), max_rows=5_000, max_bytes=1_000_000, timeout_s=7.0),
        )
        fewer = await prepared(service, "SELECT 1", rows_max=10)
        assert isinstance(fewer, Rerun)
        assert fewer.terms.max_rows == 10


async def test_a_command_runs_again_and_a_plan_stays_a_plan(autojump_clock: object) -> None:
    async with open_service() as service:
        for content, request, config in (
            ("/tables", ListTables(), {}),
            ("/describe a", DescribeTable("a"), {}),
            ("SELECT 1", ExplainStatement("SELECT 1"), {"dryRun": True}),
        ):
            found = await prepared(service, content, config=config)
            assert isinstance(found, Rerun)
            assert found.request == request


@pytest.mark.parametrize(
    "content",
    [
        "DELETE FROM a RETURNING *",
        "WITH b AS (SELECT 1) INSERT INTO a SELECT * FROM b RETURNING *",
        "CREATE TABLE b (c)",
    ],
)
async def test_what_writes_never_runs_again_whatever_was_allowed(
    content: str, autojump_clock: object
) -> None:
    async with open_service(read_only=False) as service:
        assert await prepared(service, content, config={"readOnly": False}) is None
        read = await prepared(service, "SELECT 1", config={"readOnly": False})
        assert isinstance(read, Rerun)
        assert read.terms.read_only


@pytest.mark.parametrize("content", ["hello", "/help", "/describe", "SELECT load_extension('x')"])
async def test_what_asks_nothing_of_the_database_does_not_run(
    content: str, autojump_clock: object
) -> None:
    async with open_service() as service:
        assert await prepared(service, content) is None
        assert await prepared(service, "SELECT 1", room="a room without a database") is None


async def test_a_question_that_is_not_read_is_refused(autojump_clock: object) -> None:
    async with open_service() as service:
        refused = await prepared(service, ENDLESS)
        assert isinstance(refused, Refusal)
        assert refused.code is Code.DB_STATEMENT_REJECTED
        service.reader.is_running = False
        refused = await prepared(service, "SELECT 1")
        assert isinstance(refused, Refusal)
        assert refused.code is Code.DB_UNAVAILABLE


async def test_who_runs_again_what_does_not_stop_is_held_back(autojump_clock: object) -> None:
    async with open_service() as service:
        rerun = await prepared(service, "SELECT 1")
        assert isinstance(rerun, Rerun)
        reruns = Reruns(service.answers._life, BOUNDS, lambda: 0)
        assert await reruns.run("bob", rerun, Plate()) == Refusal(Code.DB_TIMEOUT)
        (call,) = service.database.calls
        assert isinstance(call.sink, WatchingSink)
        call.sink.runs_on(trio.Event())
        refusal = await reruns.run("bob", rerun, Plate())
        assert isinstance(refusal, Refusal)
        assert (refusal.code, refusal.sentence) == (Code.DB_BUSY, STILL_RUNS)
        assert len(service.database.calls) == 1
