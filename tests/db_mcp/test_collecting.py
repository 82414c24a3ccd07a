"""Rows in chunks: the first row at once, bounded, in order, and together the same table."""

from collections.abc import Sequence

import orjson
from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.mcp.chunks import read_chunk
from chatd.answers.mcp.contract import (
    CHUNK_BYTES_MAX,
    CHUNK_ROWS_MAX,
    Chunk,
)
from chatd.answers.table import Column, Row
from chatd.db_mcp.collecting import IDLE_TICKS_MAX, TYPING_ROWS_MAX, ChunkedRows

COLUMNS = (Column("a", "INTEGER"), Column("b", "TEXT"))


def feed(chunks: ChunkedRows, row: Row) -> None:
    chunks.row(row, orjson.dumps(row), row)


def sent(rows: list[Row]) -> list[Chunk]:
    messages: list[str] = []
    chunks = ChunkedRows(messages.append)
    chunks.columns(COLUMNS)
    for row in rows:
        feed(chunks, row)
    chunks.finish()
    assert chunks.sent == len(messages)
    return [read_chunk(message) for message in messages]


def test_the_first_row_goes_out_as_soon_as_it_is_there() -> None:
    messages: list[str] = []
    chunks = ChunkedRows(messages.append)
    chunks.columns(COLUMNS)
    assert messages == []
    feed(chunks, [1, "x"])
    assert [read_chunk(message) for message in messages] == [Chunk(0, COLUMNS, [[1, "x"]])]


def messages_of(columns: Sequence[Column], rows: list[Row]) -> list[Chunk]:
    messages: list[str] = []
    chunks = ChunkedRows(messages.append)
    chunks.columns(columns)
    for row in rows:
        feed(chunks, row)
    return [read_chunk(message) for message in messages]


def test_the_first_chunk_waits_a_little_for_the_values_that_tell_types() -> None:
    columns = (Column("a"), Column("b", "DATE"))
    [first] = messages_of(columns, [[None, "x"], [None, "y"], [2.5, "z"]])
    assert first == Chunk(
        0, (Column("a", "REAL"), Column("b", "DATE")), [[None, "x"], [None, "y"], [2.5, "z"]]
    )
    assert messages_of(columns, [[None, None]] * (TYPING_ROWS_MAX - 1)) == []
    [first] = messages_of(columns, [[None, None]] * TYPING_ROWS_MAX)
    assert first.columns == columns


def test_rows_without_values_are_sent_when_the_next_is_late() -> None:
    messages: list[str] = []
    chunks = ChunkedRows(messages.append)
    chunks.columns((Column("a"),))
    feed(chunks, [None])
    for _ in range(IDLE_TICKS_MAX):
        chunks.tick()
    assert [read_chunk(one).rows for one in messages] == [[[None]]]


def test_without_rows_the_columns_are_sent() -> None:
    assert sent([]) == [Chunk(0, COLUMNS, [])]


@given(st.lists(st.lists(st.text(max_size=3) | st.integers(-9, 9), max_size=3), max_size=900))
def test_the_chunks_make_the_same_table(rows: list[Row]) -> None:
    chunks = sent(rows)
    assert [one.index for one in chunks] == list(range(len(chunks)))
    assert [one.columns for one in chunks] == [COLUMNS] + [None] * (len(chunks) - 1)
    assert [row for one in chunks for row in one.rows] == rows
    assert all(len(one.rows) <= CHUNK_ROWS_MAX for one in chunks)


def test_a_chunk_is_bounded_in_bytes_and_a_longer_row_stands_alone() -> None:
    long, longer = "x" * 20_000, "y" * 100_000
    chunks = sent([[long]] * 30 + [[longer]] + [[long]])
    assert [[longer]] in [one.rows for one in chunks]
    for one in chunks:
        if one.rows != [[longer]]:
            assert len(orjson.dumps(one.rows)) <= CHUNK_BYTES_MAX + 2


def test_rows_that_come_slowly_are_not_held_back() -> None:
    messages: list[str] = []
    chunks = ChunkedRows(messages.append)
    chunks.columns(COLUMNS)
    feed(chunks, [1])
    feed(chunks, [2])
    for _ in range(IDLE_TICKS_MAX - 1):
        chunks.tick()
    assert len(messages) == 1
    chunks.tick()
    assert read_chunk(messages[1]).rows == [[2]]
    for _ in range(IDLE_TICKS_MAX * 2):
        chunks.tick()
    assert len(messages) == 2
