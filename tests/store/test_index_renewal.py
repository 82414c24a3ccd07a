"""An index of the search of another form is built anew behind the commits, the newest first."""

import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import trio

from chatd.chat.words import FORM
from chatd.store import schema, search_index
from chatd.store.log_file import LOG_NAME
from chatd.store.message_reader import SearchPage
from chatd.store.opening import Store, open_store
from chatd.store.retention import Surplus
from chatd.store.search_index import index_older, index_some
from chatd.store.verify import verify_store
from chatd.store.writer import LogWriter
from tests.store.logs import NOW_MS, ROOM, hit_seqs, search_for, stored
from tests.store.test_migration import EPOCH, message_id

MESSAGES = 9
INDEXED = 7  # of these, by the older chatd


def write_version_4(directory: Path) -> None:
    """A room whose messages are indexed in the form of then, but for the last two."""
    directory.mkdir()
    connection = sqlite3.connect(directory / LOG_NAME, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    for statement in (one for step in schema.MIGRATIONS[:4] for one in step):
        connection.execute(statement)
    connection.execute("PRAGMA user_version = 4")
    connection.execute(
        "INSERT INTO meta (only_row, epoch, created_ms, position, indexed_position)"
        " VALUES (1, ?, 5, ?, ?)",
        (EPOCH, MESSAGES, INDEXED),
    )
    connection.execute("INSERT INTO rooms (room_id, connection_id) VALUES (1, ?)", (ROOM,))
    connection.executemany(
        "INSERT INTO messages (position, room_id, seq, message_id, timestamp_ms, user_id, content)"
        " VALUES (?, 1, ?, ?, ?, 'ada', ?)",
        (
            (n, n, message_id(n).bytes, NOW_MS + n, f"我家在上海东边 {n}")
            for n in range(1, MESSAGES + 1)
        ),
    )
    connection.execute(
        "INSERT INTO message_text (rowid, content)"
        " SELECT position, content FROM messages WHERE position <= ?",
        (INDEXED,),
    )
    connection.close()


async def found(store: Store, query: str = "上海") -> SearchPage:
    return await store.readers.search(search_for(query), 50)


def texts(directory: Path) -> Sequence[str]:
    return [finding.text for finding in verify_store(directory).findings]


async def started(directory: Path) -> tuple[Store, LogWriter]:
    store = open_store(directory, "write")
    return store, store.start_writer(trio.lowlevel.current_trio_token())


async def ended(store: Store, writer: LogWriter) -> None:
    assert await writer.close(30)
    assert store.close()


async def test_the_index_of_an_older_log_is_built_anew_from_the_newest_message_back(
    directory: Path,
) -> None:
    write_version_4(directory)
    store, writer = await started(directory)
    page = await found(store)
    assert (hit_seqs(page), page.is_incomplete) == ([9, 8], True)
    assert await writer.maintain(partial(index_older, most=3)) == 3
    await writer.commit([stored(10, content="上海 10")])
    page = await found(store)
    assert (sorted(hit_seqs(page)), page.is_incomplete) == ([5, 6, 7, 8, 9, 10], True)
    await ended(store, writer)
    assert texts(directory) == []

    store, writer = await started(directory)  # goes on where it was
    assert await writer.index_older_until(trio.current_time() + 10) == 4
    page = await found(store)
    assert (sorted(hit_seqs(page)), page.is_incomplete) == (list(range(1, 11)), False)
    assert await writer.index_older_until(trio.current_time() + 10) == 0
    await ended(store, writer)
    assert texts(directory) == []


async def test_what_is_removed_meanwhile_is_in_the_index_neither_before_nor_after(
    directory: Path,
) -> None:
    write_version_4(directory)
    store, writer = await started(directory)
    await writer.maintain(index_some)
    await writer.maintain(partial(index_older, most=3))
    await writer.remove([Surplus(ROOM, 6)])
    assert sorted(hit_seqs(await found(store))) == [6, 7, 8, 9]
    assert await writer.index_older_until(trio.current_time() + 10) == 0
    page = await found(store)
    assert (sorted(hit_seqs(page)), page.is_incomplete) == ([6, 7, 8, 9], False)
    await ended(store, writer)
    assert texts(directory) == []


async def test_pages_stay_exact_while_the_index_is_built_anew(directory: Path) -> None:
    write_version_4(directory)
    store, writer = await started(directory)
    first = await store.readers.search(search_for("上海"), 1)
    assert hit_seqs(first) == [9]
    await writer.index_older_until(trio.current_time() + 10)
    await writer.commit([stored(10, content="上海 10")])
    rest = await store.readers.search(search_for("上海"), 50, first.cursor)
    assert hit_seqs(rest) == [8, 7, 6, 5, 4, 3, 2, 1]
    await ended(store, writer)


async def test_another_form_of_the_words_renews_the_index_at_the_next_start(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, writer = await started(directory)
    await writer.commit([stored(n, content="上海") for n in range(1, 4)])
    assert len((await found(store)).hits) == 3
    await ended(store, writer)

    monkeypatch.setattr(search_index, "FORM", f"{FORM}, of another day")
    store, writer = await started(directory)
    page = await found(store)
    assert (hit_seqs(page), page.is_incomplete) == ([], True)
    await writer.index_older_until(trio.current_time() + 10)
    assert len((await found(store)).hits) == 3
    await ended(store, writer)

    store, writer = await started(directory)  # and at that one alone
    assert not (await found(store)).is_incomplete
    await ended(store, writer)
