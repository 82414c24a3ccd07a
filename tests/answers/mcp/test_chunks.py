"""Rows in progress messages, put in order."""

import contextlib
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.mcp.chunks import (
    AHEAD_MAX,
    MESSAGE_CHARS_MAX,
    BadChunk,
    ChunkSequence,
    is_stopped_notice,
    read_chunk,
)
from chatd.answers.mcp.contract import Chunk
from chatd.answers.table import Column
from tests.rows import rows


def message(index: int, *rows: object) -> str:
    head = {"columns": [{"name": "n", "type": "INTEGER"}]} if index == 0 else {}
    return json.dumps({"index": index, **head, "rows": rows})


def told(index: int, *rows: object) -> Chunk:
    return read_chunk(message(index, *rows))


def test_the_columns_come_with_the_first_chunk() -> None:
    chunks = ChunkSequence()
    assert chunks.take(told(0, [1])) == [Chunk(0, (Column("n", "INTEGER"),), [[1]])]
    assert chunks.take(told(1, [2], [3])) == [Chunk(1, None, [[2], [3]])]
    assert chunks.next_index == 2


@given(count=st.integers(1, AHEAD_MAX), seed=st.integers())
def test_in_whatever_order_they_come_they_leave_in_their_own(count: int, seed: int) -> None:
    messages = [message(index, [index]) for index in range(count)] * 2
    random.Random(seed).shuffle(messages)
    chunks = ChunkSequence()
    out = [chunk.index for one in messages for chunk in chunks.take(read_chunk(one))]
    assert out == list(range(count))


def test_numbers_that_no_float_holds_stay_exact() -> None:
    chunk = read_chunk('{"index":0,"columns":[{"name":"n"}],"rows":[[9007199254740993],[0.1]]}')
    assert chunk.rows == [["9007199254740993"], [0.1]]


def test_what_comes_again_and_again_is_not_kept() -> None:
    chunks, count = ChunkSequence(), 2 * AHEAD_MAX
    for _ in range(2):
        for index in range(count):
            chunks.take(told(index, [index]))
    assert chunks.next_index == count


def test_too_many_that_are_early_are_refused() -> None:
    chunks = ChunkSequence()
    for index in range(1, AHEAD_MAX + 1):
        chunks.take(told(index, [index]))
    with pytest.raises(BadChunk):
        chunks.take(told(AHEAD_MAX + 1, [0]))


@rows(
    "garbage",
    [
        "",
        "{",
        "[]",
        '{"index": "0", "rows": []}',
        '{"index": 0, "rows": [1]}',
        '{"index": 0, "columns": 5, "rows": []}',
        '{"index": 0, "columns": [{"name": "n"}], "rows": [[1, 2]]}',
        '{"index": 0, "rows": [[1]]}',
        '{"index": 0, "columns": [' + '{"name": "n"},' * 2_000 + '{"name": "n"}], "rows": []}',
        "[" * 100_000,
        '{"index": 0, "columns": [{"name": "n"}], "rows": [[' + "[" * 990 + "]" * 990 + "]]}",
        '{"index": 0, "columns": [], "rows": [], "x": "' + "x" * MESSAGE_CHARS_MAX + '"}',
    ],
)
def test_what_is_no_chunk_is_refused(garbage: str) -> None:
    with pytest.raises(BadChunk):
        ChunkSequence().take(read_chunk(garbage))


@given(text=st.text() | st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner)
    | st.dictionaries(st.sampled_from(["index", "rows", "columns", "name", "type"]), inner),
).map(json.dumps))  # fmt: skip
def test_garbage_is_a_bad_chunk_and_nothing_else(text: str) -> None:
    is_stopped_notice(text)
    with contextlib.suppress(BadChunk):
        ChunkSequence().take(read_chunk(text))


def test_the_notice_of_a_stop_is_told_from_a_chunk() -> None:
    assert is_stopped_notice('{"stopped":true}')
    assert is_stopped_notice('{"stopped": true}')
    assert not is_stopped_notice(message(0, [1]))
    assert not is_stopped_notice("stopped")
