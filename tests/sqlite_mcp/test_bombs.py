"""Statements that want all time and memory there is: each ends, and the process stays small."""

from pathlib import Path

import pytest
import trio

from tests.sqlite_mcp.databases import checksum
from tests.sqlite_mcp.hostile import BOMBS
from tests.sqlite_mcp.peers import PATIENCE_S, conversation

MEMORY_BYTES_MAX = 629_145_600
ENDS = {None, "db_timeout", "db_error", "db_syntax", "db_statement_rejected"}


@pytest.mark.timeout(600)
async def test_every_bomb_ends_and_memory_stays_bounded(database: Path) -> None:
    before = checksum(database)
    async with conversation(database) as talk:
        for sql in BOMBS:
            with trio.fail_after(PATIENCE_S):
                result = await talk.client.call_tool("query", {"sql": sql, "timeoutMs": 300})
            assert result.structured_content is not None
            code = result.structured_content.get("code")
            assert code in ENDS, (sql[:100], result.structured_content)
            assert talk.peer.most_memory_bytes < MEMORY_BYTES_MAX, sql[:100]
        assert (await talk.ask("query", sql="SELECT 1"))["rows"] == [[1]]
        assert talk.peer.err == b""
    assert checksum(database) == before


@pytest.mark.timeout(600)
async def test_bombs_at_once_leave_the_others_their_answers(database: Path) -> None:
    async with conversation(database) as talk:

        async def burst(sql: str) -> None:
            await talk.client.call_tool("query", {"sql": sql, "timeoutMs": 1_000})

        with trio.fail_after(4 * PATIENCE_S):
            async with trio.open_nursery() as nursery:
                for sql in BOMBS:
                    nursery.start_soon(burst, sql)
                assert (await talk.ask("list_tables"))["rowCount"] == 5
        assert talk.peer.most_memory_bytes < MEMORY_BYTES_MAX
        assert (await talk.ask("query", sql="SELECT 1"))["rows"] == [[1]]
