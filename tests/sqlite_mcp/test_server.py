"""The tools over MCP: a real process, the SDK's client, and whatever a client may do to it."""

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import mcp_types
import pytest
import trio
from mcp import Client, MCPError, StdioServerParameters, stdio_client

from chatd.answers.mcp.contract import CHUNK_BYTES_MAX, CHUNK_ROWS_MAX, Tool
from chatd.answers.sample import make_sample
from chatd.db_mcp.calls import EXIT_STUCK
from chatd.db_mcp.collecting import TYPING_ROWS_MAX
from chatd.db_mcp.stdio import LINE_BYTES_MAX
from tests.sqlite_mcp.databases import checksum, query
from tests.sqlite_mcp.peers import (
    COMMAND,
    ENDLESS,
    ENDLESS_AFTER_TWO_ROWS,
    PATIENCE_S,
    Conversation,
    conversation,
    running,
)

MANY = (
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 1000) "
    "SELECT n, printf('%.*c', n, 'x') AS text, NULL AS void, n * 9007199254740993 AS big FROM r"
)


def hello(**params: object) -> bytes:
    """The line with which a client of the handshake era opens."""
    client = {"name": "test", "version": "1"}
    values = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
    line = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": values | params}
    return json.dumps(line).encode()


def call(number: int, sql: str, **arguments: object) -> bytes:
    """The line of a call that wants its rows in chunks, and many of them."""
    params = {
        "name": "query",
        "arguments": {"sql": sql, "maxRows": 100_000, "maxBytes": 8_000_000} | arguments,
        "_meta": {"progressToken": number},
    }
    line = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
    return json.dumps(line).encode()


async def test_every_tool_answers(database: Path) -> None:
    async with conversation(database) as talk:
        listed = (await talk.client.list_tools()).tools
        assert [tool.name for tool in listed] == list(Tool)
        assert all(tool.description and tool.input_schema for tool in listed)
        tables = await talk.ask("list_tables")
        assert [row[0] for row in tables["rows"]] == [
            "audit",
            "names",
            "notes",
            "people",
            "secrets",
        ]
        described = await talk.ask("describe_table", table="people")
        assert described["rows"][1][:2] == ["name", "VARCHAR(40)"]
        sampled = await talk.ask("sample_table", table="people", maxRows=1)
        assert sampled["rows"] == [
            [1, "Ada", "1815-12-10", 10.5, {"$bytes": "AP8="}, None, None],
        ]
        assert await talk.ask("query", sql="SELECT name, anything FROM people") == {
            "columns": [
                {"name": "name", "type": "VARCHAR(40)"},
                {"name": "anything", "type": None},
            ],
            "rows": [["Ada", None], ["Жанна 🐘", "9007199254740993"], ["<b>", "text"]],
            "rowCount": 3,
            "truncated": False,
        }
        plan = await talk.ask("explain", sql="SELECT * FROM people WHERE name = 'Ada'")
        assert "people_by_name" in plan["rows"][0][2]


async def test_it_works_as_the_sdk_starts_it(database: Path, tmp_path: Path) -> None:
    command, *arguments = *COMMAND, str(database)
    with (tmp_path / "err").open("w+") as err, trio.fail_after(PATIENCE_S):
        started = StdioServerParameters(command=command, args=arguments, cwd=Path.cwd())
        async with Client(stdio_client(started, errlog=err)) as client:
            result = await client.call_tool("query", {"sql": "SELECT 7"})
        assert result.structured_content is not None
        assert result.structured_content["rows"] == [[7]]
        assert err.tell() == 0


async def test_the_text_holds_a_short_result_for_clients_that_read_no_other(database: Path) -> None:
    async with conversation(database) as talk:
        result = await talk.client.call_tool("query", {"sql": "SELECT 7 AS x"})
        assert isinstance(result.content[0], mcp_types.TextContent)
        assert json.loads(result.content[0].text) == result.structured_content
        result = await talk.client.call_tool("query", {"sql": "SELECT hex(zeroblob(100000))"})
        assert isinstance(result.content[0], mcp_types.TextContent)
        assert result.content[0].text == "1 row: see the structured content."


@pytest.mark.parametrize("most", [7, 1_000, 100_000])
async def test_chunks_make_the_table_that_comes_without_them(database: Path, most: int) -> None:
    async with conversation(database) as talk:
        whole = await talk.ask("query", sql=MANY, maxRows=most, maxBytes=200_000)
        result, chunks = await talk.ask_in_chunks("query", sql=MANY, maxRows=most, maxBytes=200_000)
    assert result == {
        "rowCount": whole["rowCount"],
        "truncated": whole["truncated"],
        **({"cut": whole["cut"]} if whole["truncated"] else {}),
        "chunks": len(chunks),
    }
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert [row for chunk in chunks for row in chunk.rows] == whole["rows"]
    assert [column.name for column in chunks[0].columns or ()] == ["n", "text", "void", "big"]
    assert len(chunks[0].rows) == min(most, TYPING_ROWS_MAX)  # `void` has no value that tells more
    assert all(chunk.columns is None for chunk in chunks[1:])
    assert all(len(chunk.rows) <= CHUNK_ROWS_MAX for chunk in chunks)
    assert all(len(json.dumps(chunk.rows)) <= 2 * CHUNK_BYTES_MAX for chunk in chunks)


async def test_rows_come_while_the_statement_runs_and_a_cancel_stops_it(database: Path) -> None:
    async with conversation(database) as talk:
        with trio.fail_after(PATIENCE_S):
            async with trio.open_nursery() as nursery:
                arrived = trio.Event()

                async def ask() -> None:
                    await talk.ask_in_chunks("query", arrived, sql=ENDLESS_AFTER_TWO_ROWS)

                nursery.start_soon(ask)
                await arrived.wait()
                nursery.cancel_scope.cancel()
            await talk.stops.wait()
        assert (await talk.ask("query", sql="SELECT 1"))["rows"] == [[1]]


async def test_the_notice_of_a_stop_reaches_who_cancels_and_keeps_waiting(database: Path) -> None:
    first, stopped = trio.Event(), trio.Event()

    async def take(progress: float, total: float | None, message: str | None) -> None:
        (stopped if message == '{"stopped":true}' else first).set()

    async with conversation(database) as talk:
        with trio.fail_after(PATIENCE_S):
            async with trio.open_nursery() as nursery:
                session = talk.client.session

                async def ask() -> None:
                    arguments = {"sql": ENDLESS_AFTER_TWO_ROWS}
                    await session.call_tool("query", arguments, progress_callback=take)

                nursery.start_soon(ask)
                await first.wait()
                # Requests are numbered from 1: the one under way is the latest.
                for number in range(1, 10):
                    await session.send_notification(
                        mcp_types.CancelledNotification(
                            params=mcp_types.CancelledNotificationParams(request_id=number)
                        )
                    )
                await stopped.wait()
                nursery.cancel_scope.cancel()


async def test_a_statement_is_stopped_when_its_time_is_up(database: Path) -> None:
    async with conversation(database) as talk:
        for sql in (ENDLESS_AFTER_TWO_ROWS, f"SELECT count(*) FROM ({ENDLESS})"):
            failed = await talk.fail("query", sql=sql, timeoutMs=50)
            assert failed["code"] == "db_timeout"
        result, _ = await talk.ask_in_chunks("query", sql=ENDLESS_AFTER_TWO_ROWS, timeoutMs=50)
        assert result["code"] == "db_timeout"


async def test_statements_that_never_end_keep_no_other_call_waiting(database: Path) -> None:
    async with conversation(database) as talk, trio.open_nursery() as nursery:
        for _ in range(4):
            arrived = trio.Event()
            arguments = {"sql": ENDLESS_AFTER_TWO_ROWS, "timeoutMs": 600_000}

            async def ask(
                arrived: trio.Event = arrived, sql: dict[str, object] = arguments
            ) -> None:
                await talk.ask_in_chunks("query", arrived, **sql)

            nursery.start_soon(ask)
            with trio.fail_after(PATIENCE_S):
                await arrived.wait()
        assert (await talk.ask("list_tables"))["rowCount"] == 5
        assert (await talk.ask("query", sql="SELECT 1"))["rows"] == [[1]]
        nursery.cancel_scope.cancel()


async def test_tables_are_told_however_many_statements_run(database: Path) -> None:
    async with conversation(database) as talk:
        async with trio.open_nursery() as nursery:
            for _ in range(30):  # more than run at a time
                nursery.start_soon(_ask_for_ever, talk)
            with trio.fail_after(PATIENCE_S):
                assert (await talk.ask("list_tables"))["rowCount"] == 5
                assert (await talk.ask("describe_table", table="people"))["rowCount"] == 7
            waited = await talk.fail("query", sql="SELECT 1", timeoutMs=50)
            assert waited["code"] == "db_timeout"
            nursery.cancel_scope.cancel()
        assert (await talk.ask("query", sql="SELECT 1"))["rows"] == [[1]]


async def _ask_for_ever(talk: Conversation) -> None:
    await talk.ask_in_chunks("query", sql=f"SELECT max(n) FROM ({ENDLESS})", timeoutMs=600_000)


@pytest.mark.parametrize(
    ("options", "arguments", "code"),
    [
        ((), {}, "db_read_only"),
        ((), {"readOnly": False}, "db_read_only"),
        (("--writable",), {}, "db_read_only"),
        (("--writable",), {"readOnly": True}, "db_read_only"),
        (("--writable",), {"readOnly": False}, None),
    ],
)
async def test_a_write_needs_both_the_option_and_the_argument(
    database: Path, options: tuple[str, ...], arguments: dict[str, bool], code: str | None
) -> None:
    before = checksum(database)
    sql = "INSERT INTO audit VALUES ('a'), ('b')"
    async with conversation(database, *options) as talk:
        if code is not None:
            assert (await talk.fail("query", sql=sql, **arguments))["code"] == code
            assert checksum(database) == before
        else:
            assert (await talk.ask("query", sql=sql, **arguments))["rowsWritten"] == 2
            assert query(database, "SELECT what FROM audit").rows == [["a"], ["b"]]


async def test_a_dry_run_gives_the_plan_and_runs_nothing(database: Path) -> None:
    before = checksum(database)
    async with conversation(database, "--writable") as talk:
        delete = {"sql": "DELETE FROM audit WHERE what = 'x'", "readOnly": False}
        planned = await talk.ask("query", **delete, dryRun=True)
        assert planned == await talk.ask("explain", **delete)
        assert [row[2] for row in planned["rows"]] == ["SCAN audit"]
        assert "rowsWritten" not in planned
        refused = await talk.fail("query", sql="DELETE FROM audit", dryRun=True)
        assert refused["code"] == "db_read_only"
        assert checksum(database) == before


async def test_a_failure_is_an_error_of_the_tool_with_a_code_and_a_sentence(database: Path) -> None:
    async with conversation(database) as talk:
        result = await talk.client.call_tool("query", {"sql": "SELECT * FROM absent"})
        assert result.is_error
        sentence = "The database says: no such table: absent."
        assert result.structured_content == {"code": "db_error", "message": sentence}
        assert isinstance(result.content[0], mcp_types.TextContent)
        assert result.content[0].text == sentence
        outside = await talk.fail("query", sql="SELECT * FROM secrets", tables=["people"])
        assert outside["code"] == "db_statement_rejected"


@pytest.mark.parametrize(
    ("tool", "arguments", "part"),
    [
        ("query", {}, "sql must be"),
        ("query", {"sql": "SELECT 1", "maxRows": "all"}, "maxRows must be"),
        ("absent", {"sql": "SELECT 1"}, "no tool of that name"),
    ],
)
async def test_a_call_of_a_wrong_shape_is_refused_as_such(
    database: Path, tool: str, arguments: dict[str, object], part: str
) -> None:
    async with conversation(database) as talk:
        with pytest.raises(MCPError, match=part) as refused:
            await talk.client.call_tool(tool, arguments)
        assert refused.value.code == mcp_types.INVALID_PARAMS


async def test_the_sample_database_answers(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    make_sample(path, 1_700_000_000_000)
    async with conversation(path) as talk:
        assert (await talk.ask("list_tables"))["rowCount"] == 8
        sampled = await talk.ask("sample_table", table="type_examples")
        assert sampled["columns"][2] == {"name": "whole", "type": "BIGINT"}
        assert [row[2] for row in sampled["rows"][1:3]] == [
            "-9223372036854775808",
            "9007199254740993",
        ]


# How it ends


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_quietly_whatever_runs(
    database: Path, number: signal.Signals
) -> None:
    async with running(database, reads_output=True) as peer:
        await peer.write(hello(), call(1, ENDLESS_AFTER_TWO_ROWS))
        await peer.output_having(b"notifications/progress")
        peer.process.send_signal(number)
        assert await peer.ended() == 0
        assert peer.err == b""


async def test_it_ends_with_its_input_whatever_runs(database: Path) -> None:
    async with running(database, reads_output=True) as peer:
        lines = [call(number, f"SELECT max(n) FROM ({ENDLESS})") for number in range(1, 6)]
        await peer.write(hello(), *lines)
        await peer.close_input()
        assert await peer.ended() == 0
        assert peer.err == b""


async def test_it_ends_with_its_input_where_nobody_reads(database: Path) -> None:
    async with running(database) as peer:
        await peer.write(hello(), call(1, ENDLESS), call(2, ENDLESS))
        await peer.close_input()
        assert await peer.ended() == 0
        assert peer.err == b""


async def test_it_ends_when_its_output_is_closed(database: Path) -> None:
    async with running(database) as peer:
        assert peer.process.stdout is not None
        await peer.process.stdout.aclose()
        await peer.write(hello(), call(1, ENDLESS))
        assert await peer.ended() == 0
        assert peer.err == b""


def command_that_is_stuck(stuck_s: float) -> list[str]:
    """The command, where no statement heeds an interrupt."""
    code = (
        "import threading, chatd.db_mcp.calls as calls, chatd.cli, chatd.sqlite_mcp.reading\n"
        "chatd.sqlite_mcp.reading.answer = lambda *_: threading.Event().wait()\n"
        f"calls.STUCK_S = {stuck_s}\n"
        "chatd.cli.main()"
    )
    return [sys.executable, "-c", code, "db-mcp", "--database"]


async def test_a_statement_that_heeds_no_interrupt_ends_with_the_process(database: Path) -> None:
    command = command_that_is_stuck(0.05)
    async with running(database, reads_output=True, command=command) as peer:
        await peer.write(hello(), call(1, "SELECT 1", timeoutMs=50))
        assert await peer.ended() == EXIT_STUCK


@pytest.mark.parametrize("number", [None, signal.SIGTERM])
async def test_it_ends_even_where_a_statement_heeds_nothing(
    database: Path, number: signal.Signals | None
) -> None:
    command = command_that_is_stuck(3_600)
    async with running(database, reads_output=True, command=command) as peer:
        await peer.write(hello(), call(1, "SELECT 1"))
        await peer.output_having(b"serverInfo")
        if number is None:
            await peer.close_input()
        else:
            peer.process.send_signal(number)
        assert await peer.ended() == 0
        assert peer.err == b""


async def test_what_is_no_message_is_passed_over_and_nothing_else_is_written(
    database: Path,
) -> None:
    async with running(database, reads_output=True) as peer:
        await peer.write(b"", b"hello", b"{}", b"[1]", b"\xff\xfe", hello())
        await peer.output_having(b"\n")
        await peer.close_input()
        assert await peer.ended() == 0
    (line,) = peer.out.splitlines()
    assert json.loads(line)["result"]["serverInfo"]["name"] == "chatd db-mcp"


async def test_a_message_without_end_ends_the_connection(database: Path) -> None:
    async with running(database, reads_output=True) as peer:
        assert peer.process.stdin is not None
        with pytest.raises(trio.BrokenResourceError):  # it goes away
            await peer.process.stdin.send_all(b"x" * 64 * LINE_BYTES_MAX)
        assert await peer.ended() == 0


def test_a_file_that_is_missing_or_no_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    missing = tmp_path / "none.db"
    for path, told in (
        (missing, f"The file {missing} does not exist.\n"),
        (tmp_path, f"{tmp_path} is no file.\n"),
    ):
        ended = subprocess.run([*COMMAND, str(path)], capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", told)


def test_other_commands_do_not_import_the_sdk() -> None:
    code = "import sys, chatd.cli.commands; sys.exit('mcp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_it_reads_beside_somebody_who_writes(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        async with conversation(database) as talk:
            other.execute("BEGIN IMMEDIATE")
            other.execute("INSERT INTO audit VALUES ('new')")
            assert (await talk.ask("query", sql="SELECT * FROM audit"))["rows"] == []
            other.execute("COMMIT")
            assert (await talk.ask("query", sql="SELECT * FROM audit"))["rows"] == [["new"]]
