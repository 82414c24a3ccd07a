"""The index of the search: behind the commits, never wrong; bounded in time; cursors."""

import functools
import sqlite3
from collections.abc import Sequence

import pytest
import trio

from chatd.chat.search import match_expression
from chatd.store import search
from chatd.store.errors import CommitFailed, FailureCode
from chatd.store.opening import Store
from chatd.store.retention import Surplus, remove
from chatd.store.search import (
    LENGTHS_WORDS,
    Cursor,
    Found,
    Searcher,
    SearchTooBroad,
    Wanted,
    index_some,
    unindex,
)
from chatd.store.writer import LogWriter
from tests.store.logs import NOW_MS, ROOM, stored


@pytest.fixture
def searcher(store: Store, writer: LogWriter) -> Searcher:
    return Searcher(store.search_readers, writer.maintain)


def wanted(query: str, rooms: Sequence[str] = (ROOM,), **narrowed: object) -> Wanted:
    expression = match_expression(query)
    assert isinstance(expression, str)
    return Wanted(expression, rooms, **narrowed)  # type: ignore[arg-type]


def seqs(found: Found) -> list[int]:
    return [hit.message.seq for hit in found.hits]


async def test_what_was_committed_before_is_found(searcher: Searcher, writer: LogWriter) -> None:
    await writer.commit([stored(1, content="late orders"), stored(2, content="others")])
    found = await searcher.search(wanted("late"), 10)
    assert seqs(found) == [1]
    assert found.hits[0].matches == ((0, 4),)
    assert found.cursor is None
    await writer.commit([stored(3, content="later, and late")])
    assert sorted(seqs(await searcher.search(wanted("late"), 10))) == [1, 3]


async def test_only_the_rooms_that_are_named_are_searched(
    searcher: Searcher, writer: LogWriter
) -> None:
    await writer.commit([stored(1, room=room, content="late") for room in ("a", "b", "c")])
    found = await searcher.search(wanted("late", ("a", "c", "never seen")), 10)
    assert {hit.message.connection_id for hit in found.hits} == {"a", "c"}
    assert (await searcher.search(wanted("late", ()), 10)).hits == ()


async def test_a_search_is_narrowed_by_user_and_time(searcher: Searcher, writer: LogWriter) -> None:
    await writer.commit(
        [stored(n, user_id=user, content="late") for n, user in enumerate("aabb", start=1)]
    )
    by_user = await searcher.search(wanted("late", user_id="b"), 10)
    assert sorted(seqs(by_user)) == [3, 4]
    between = wanted("late", after_ms=NOW_MS + 1, before_ms=NOW_MS + 4)
    assert sorted(seqs(await searcher.search(between, 10))) == [2, 3]


@pytest.mark.parametrize("words", LENGTHS_WORDS)
async def test_the_shorter_come_first_and_of_those_about_as_short_the_newest(
    searcher: Searcher, writer: LogWriter, words: int
) -> None:
    def text(length: int) -> str:
        return "late" + " on" * (length - 1)

    lengths = (words, words + 1, words - 1, words - 2, 2 * words)
    await writer.commit([stored(n, content=text(one)) for n, one in enumerate(lengths, start=1)])
    assert seqs(await searcher.search(wanted("late"), 10)) == [4, 3, 1, 5, 2]


async def test_a_page_holds_so_many_bytes_and_the_cursor_leads_on(
    searcher: Searcher, writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "PAGE_BYTES", 100)
    await writer.commit(
        [stored(seq, content="late", answer=b'{"rows":%29d}' % 0) for seq in range(1, 6)]
    )
    found = await searcher.search(wanted("late"), 5)
    assert seqs(found) == [5, 4]
    found = await searcher.search(wanted("late"), 2, found.cursor)
    assert seqs(found) == [3, 2]
    found = await searcher.search(wanted("late"), 5, found.cursor)
    assert (seqs(found), found.cursor) == ([1], None)
    monkeypatch.setattr(search, "PAGE_BYTES", 1)
    assert seqs(await searcher.search(wanted("late"), 5)) == [5]


async def test_pages_go_on_behind_the_cursor_with_nothing_twice(
    searcher: Searcher, writer: LogWriter
) -> None:
    await writer.commit([stored(n, content="late " * (n % 3 + 1)) for n in range(1, 24)])
    everything = seqs(await searcher.search(wanted("late"), 50))
    paged: list[int] = []
    cursor: Cursor | None = None
    for expected in (7, 7, 7, 2):
        page = await searcher.search(wanted("late"), 7, cursor)
        assert len(page.hits) == expected
        paged += seqs(page)
        cursor = page.cursor
    assert cursor is None
    assert paged == everything
    assert len(set(paged)) == 23


@pytest.mark.parametrize(
    "meanwhile",
    [
        ("else " * 2_000,),
        ("else",) * 5,
        ("late",) * 5,
        ("late " * 300,),
        ("on late", "else " * 900),
    ],
    ids=["long", "short", "matching", "long and matching", "mixed"],
)
async def test_what_is_written_between_two_pages_moves_no_hit(
    searcher: Searcher, writer: LogWriter, meanwhile: Sequence[str]
) -> None:
    await writer.commit([stored(n, content="late " + "on " * (n % 3 * 8)) for n in range(1, 25)])
    everything = seqs(await searcher.search(wanted("late"), 50))
    assert len(everything) == 24
    page = await searcher.search(wanted("late"), 3)
    paged, last = seqs(page), 24
    while page.cursor is not None:
        texts = [stored(seq, content=text) for seq, text in enumerate(meanwhile, start=last + 1)]
        await writer.commit(texts)
        last += len(texts)
        page = await searcher.search(wanted("late"), 3, page.cursor)
        paged += seqs(page)
    assert paged == everything


async def test_what_is_removed_between_two_pages_is_missing_and_nothing_else(
    searcher: Searcher, writer: LogWriter
) -> None:
    await writer.commit([stored(n, content="late") for n in range(1, 10)])
    page = await searcher.search(wanted("late"), 3)
    assert seqs(page) == [9, 8, 7]
    surplus = [Surplus(ROOM, 3)]
    assert await writer.maintain(functools.partial(remove, surplus=surplus)) == 2
    page = await searcher.search(wanted("late"), 3, page.cursor)
    assert seqs(page) == [6, 5, 4]
    page = await searcher.search(wanted("late"), 3, page.cursor)
    assert (seqs(page), page.cursor) == ([3], None)


async def test_pages_hold_what_may_be_read_when_they_are_asked_for(
    searcher: Searcher, writer: LogWriter
) -> None:
    rooms = ["a", "b", "c"]
    await writer.commit(
        [stored(seq, room=room, content="late") for seq in (1, 2, 3) for room in rooms]
    )
    page = await searcher.search(wanted("late", rooms), 4)
    rest = await searcher.search(wanted("late", ["a", "b"]), 10, page.cursor)
    assert [(hit.message.connection_id, hit.message.seq) for hit in rest.hits] == [
        ("b", 2), ("a", 2), ("b", 1), ("a", 1)
    ]  # fmt: skip


async def test_matches_are_places_in_the_content(searcher: Searcher, writer: LogWriter) -> None:
    content = "Späte Café-Bestellung 🐘 café"
    await writer.commit([stored(1, content=content)])
    [hit] = (await searcher.search(wanted("cafe"), 1)).hits
    assert [content[low:high] for low, high in hit.matches] == ["Café", "café"]


async def test_content_with_the_marks_in_it_is_found_without_its_places(
    searcher: Searcher, writer: LogWriter
) -> None:
    await writer.commit([stored(1, content="late \ufdd0 late")])
    [hit] = (await searcher.search(wanted("late"), 1)).hits
    assert hit.matches == ()


async def test_the_index_grows_in_steps(searcher: Searcher, writer: LogWriter) -> None:
    await writer.commit([stored(n, content="late") for n in range(1, 6)])
    steps = [await writer.maintain(functools.partial(index_some, most=2)) for _ in range(4)]
    assert steps == [2, 2, 1, 0]
    assert len((await searcher.search(wanted("late"), 10)).hits) == 5


async def test_what_is_taken_out_of_the_index_is_not_found(
    store: Store, searcher: Searcher, writer: LogWriter
) -> None:
    await writer.commit([stored(n, content=f"late {n}") for n in range(1, 4)])
    await searcher.catch_up(trio.current_time() + 10)
    await writer.commit([stored(4, content="late 4")])

    def forget(connection: sqlite3.Connection) -> None:
        rows = connection.execute(
            "SELECT position, content FROM messages WHERE seq IN (1, 4)"
        ).fetchall()
        unindex(connection, rows)  # the fourth is not in it yet
        connection.execute("DELETE FROM messages WHERE seq IN (1, 4)")

    await writer.maintain(forget)
    assert sorted(seqs(await searcher.search(wanted("late"), 10))) == [2, 3]

    def check(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO message_text (message_text) VALUES ('integrity-check')")

    await writer.maintain(check)


async def test_a_disk_that_takes_nothing_leaves_what_is_in_the_index(
    store: Store, searcher: Searcher, writer: LogWriter
) -> None:
    await writer.commit([stored(1, content="late")])
    await searcher.catch_up(trio.current_time() + 10)
    await writer.commit([stored(2, content="late")])

    async def full(job: object) -> int:
        raise CommitFailed(FailureCode.STORAGE_FULL, "for the test")

    failing = Searcher(store.search_readers, full)  # type: ignore[arg-type]
    assert seqs(await failing.search(wanted("late"), 10)) == [1]


async def test_a_search_that_takes_too_long_is_given_up(
    searcher: Searcher, writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await writer.commit([stored(n, content="late") for n in range(1, 200)])
    await searcher.catch_up(trio.current_time() + 10)
    monkeypatch.setattr(search, "SEARCH_TIME_S", -1.0)
    monkeypatch.setattr(search, "PROGRESS_STEPS", 1)
    with pytest.raises(SearchTooBroad):
        await searcher.search(wanted("late"), 10)
    monkeypatch.undo()
    assert len((await searcher.search(wanted("late"), 10)).hits) == 10
