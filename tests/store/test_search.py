"""The index of the search: behind the commits, never wrong; a search is bounded in time."""

import functools
import sqlite3

import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st

from chatd.chat.commits import CommitFailed
from chatd.chat.search import SearchQuery, parse_query
from chatd.store.message_reader import SearchTooBroad
from chatd.store.opening import Store
from chatd.store.reader_pool import ReaderPool
from chatd.store.readers import LogReaders
from chatd.store.search import match_expression
from chatd.store.search_index import STEP_CHARS, index_some, unindex
from chatd.store.writer import LogWriter
from chatd.wire.codes import Code
from tests.store.logs import hit_seqs, search_for, stored

LATE = search_for("late")


async def test_the_index_grows_in_steps(store: Store, writer: LogWriter) -> None:
    await writer.commit([stored(n, content="late") for n in range(1, 6)])
    steps = [await writer.maintain(functools.partial(index_some, most=2)) for _ in range(4)]
    assert steps == [2, 2, 1, 0]
    assert len((await store.readers.search(LATE, 10)).hits) == 5


async def test_a_step_of_long_messages_is_shorter(store: Store, writer: LogWriter) -> None:
    long = "late " + "x" * (STEP_CHARS // 2)
    await writer.commit([stored(n, content=long) for n in range(1, 6)])
    assert [await writer.maintain(index_some) for _ in range(4)] == [2, 2, 1, 0]


async def test_what_is_taken_out_of_the_index_is_not_found(store: Store, writer: LogWriter) -> None:
    await writer.commit([stored(n, content=f"late {n}") for n in range(1, 4)])
    await writer.index_until(trio.current_time() + 10)
    await writer.commit([stored(4, content="late 4")])

    def forget(connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT position FROM messages WHERE seq IN (1, 4)").fetchall()
        unindex(connection, [position for (position,) in rows])  # the fourth is not in it yet
        connection.execute("DELETE FROM messages WHERE seq IN (1, 4)")

    await writer.maintain(forget)
    assert sorted(hit_seqs(await store.readers.search(LATE, 10))) == [2, 3]

    def check(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO message_text (message_text) VALUES ('integrity-check')")

    await writer.maintain(check)


async def test_a_disk_that_takes_nothing_leaves_what_is_in_the_index(
    store: Store, writer: LogWriter
) -> None:
    await writer.commit([stored(1, content="late")])
    await writer.index_until(trio.current_time() + 10)
    await writer.commit([stored(2, content="late")])

    async def full(_until_s: float) -> None:
        raise CommitFailed(Code.STORAGE_FULL, "for the test")

    pool = ReaderPool(store.path, 1)
    failing = LogReaders(pool, pool, full)
    assert hit_seqs(await failing.search(LATE, 10)) == [1]


async def test_a_search_that_takes_too_long_is_given_up(store: Store, writer: LogWriter) -> None:
    await writer.commit([stored(n, content="late") for n in range(1, 1_500)])
    await writer.index_until(trio.current_time() + 10)
    pool = ReaderPool(store.path, 1)
    hurried = LogReaders(pool, pool, writer.index_until, search_s=-1.0)
    with pytest.raises(SearchTooBroad):
        await hurried.search(LATE, 10)
    assert len((await store.readers.search(LATE, 10)).hits) == 10


@given(st.one_of(st.text("ab-*\"'()^:+ ANDORT\\\n;,{}", max_size=40), st.text(max_size=40)))
@example('a"b"*c')
@example('a -b* -"c d"*')
def test_whatever_is_written_is_an_expression_or_a_refusal(query: str) -> None:
    parsed = parse_query(query)
    if isinstance(parsed, SearchQuery):
        expression = match_expression(parsed)
        connection = sqlite3.connect(":memory:")
        connection.execute("CREATE VIRTUAL TABLE t USING fts5 (content, tokenize = 'ascii')")
        connection.execute("INSERT INTO t VALUES ('a b c')")
        connection.execute("SELECT rowid FROM t WHERE t MATCH ?", (expression,)).fetchall()
        connection.close()
