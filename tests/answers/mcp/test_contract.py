import subprocess
import sys

import pytest

from chatd.answers.mcp.chunks import BadChunk, is_stopped_notice, read_chunk
from chatd.answers.mcp.contract import (
    STOPPED_MESSAGE,
    Chunk,
    chunk_message,
)
from chatd.answers.table import Column
from tests.rows import rows


@pytest.mark.parametrize(
    ("chunk", "rows"),
    [
        (Chunk(0, (Column("a", "INTEGER"), Column("b")), [[1, None]]), [b"[1,null]"]),
        (Chunk(0, (), []), []),
        (Chunk(7, None, [["x"], ["é"]]), [b'["x"]', '["é"]'.encode()]),
    ],
)
def test_a_chunk_is_read_as_it_was_written(chunk: Chunk, rows: list[bytes]) -> None:
    assert read_chunk(chunk_message(chunk.index, chunk.columns, rows)) == chunk


def test_a_stop_is_read() -> None:
    assert is_stopped_notice(STOPPED_MESSAGE)


@rows(
    "message",
    [
        "",
        "half done",
        "[]",
        "7",
        "{}",
        '{"stopped": false}',
        '{"stopped": 1}',
        '{"stopped": true, "index": 0}',
        '{"index": 0}',
        '{"index": "0", "rows": []}',
        '{"index": 0, "rows": [1]}',
        '{"index": 0, "rows": [], "columns": {}}',
        '{"index": 0, "rows": [], "columns": [{"name": 1, "type": null}]}',
    ],
)
def test_what_is_neither_is_told_apart(message: str) -> None:
    assert not is_stopped_notice(message)
    with pytest.raises(BadChunk):
        read_chunk(message)


@pytest.mark.parametrize(
    "module",
    [
        "answers.mcp.contract",
        "sqlite_mcp.reading",
        "postgres_mcp.reading",
        "db_mcp.calls",
        "db_mcp.arguments",
    ],
)
def test_only_the_shell_imports_the_sdk(module: str) -> None:
    code = f"import sys, chatd.{module}; sys.exit('mcp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
