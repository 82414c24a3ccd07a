"""The index of the search in PostgreSQL: behind the commits, never wrong, brought forward by any
node."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import attrs
import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st

from chatd.chat import changes
from chatd.chat.commits import CommitFailed
from chatd.chat.records import Message, MessageErased, MessageStored
from chatd.chat.search import SearchQuery, parse_query
from chatd.chat.words import FORM
from chatd.postgres_client import Pool
from chatd.postgres_store import search_index
from chatd.postgres_store.readers import PostgresReaders
from chatd.postgres_store.search_index import SearchIndex, pool_to_index
from chatd.postgres_store.search_query import sought
from chatd.postgres_store.sessions import LogAddress
from chatd.store.message_reader import SearchPage, SearchTooBroad
from chatd.wire.codes import Code
from tests.postgres_store.logs import SCHEMA, rows_of, run_in
from tests.store.histories import PostgresHistory, open_in_sqlite
from tests.store.logs import (
    NOW_MS,
    ROOM,
    deleted,
    edited,
    hit_seqs,
    message,
    search_for,
    stored,
)

LATE = search_for("late")
LIMIT_S = 60.0


async def never(_until_s: float, _room_ids: Sequence[int]) -> None:
    raise CommitFailed(Code.STORAGE_ERROR, "for the test")


def as_it_is(history: PostgresHistory) -> PostgresReaders:
    """Readers that find what is in the index, and no more."""
    return PostgresReaders.at(history.address, never)


async def found(history: PostgresHistory, query: str = "late") -> SearchPage:
    reader = as_it_is(history)
    try:
        return await reader.search(search_for(query), 50)
    finally:
        reader.close()


async def index_all(index: SearchIndex) -> None:
    await index.index_until(trio.current_time() + LIMIT_S)


async def lates(history: PostgresHistory, count: int) -> list[Message]:
    messages = [message(seq, content="late") for seq in range(1, count + 1)]
    await history.commit([MessageStored(one) for one in messages])
    return messages


def heads(history: PostgresHistory) -> list[tuple[object, ...]]:
    """How far the index of each room is: its name, seq, rev, and what is older."""
    return rows_of(
        history.address,
        "SELECT r.connection_id, i.seq, i.rev, i.older_seq FROM indexed i JOIN rooms r"
        " USING (room_id) ORDER BY r.connection_id",
    )


@pytest.fixture
def pool(log_address: LogAddress) -> Pool:
    return pool_to_index(log_address)


# Steps


async def test_an_index_grows_by_so_many_messages_and_changes_at_once(
    history: PostgresHistory, pool: Pool
) -> None:
    messages = await lates(history, 5)
    await history.commit([stored(1, room="other", content="late")])
    await history.commit([edited(one, "soon", rev) for rev, one in enumerate(messages[:3], 1)])
    index = SearchIndex(pool, step_rows=2)
    steps = []
    while heads(history) != [("other", 1, 0, 0), (ROOM, 5, 3, 0)]:
        with trio.fail_after(LIMIT_S):
            assert await index.index_some()
        steps.append(heads(history))
    assert [step[-1] for step in steps] == [(ROOM, 2, 2, 0), (ROOM, 4, 3, 0), (ROOM, 5, 3, 0)]
    assert not await index.index_some()
    assert sorted(hit_seqs(await found(history))) == [4, 5]
    assert sorted(hit_seqs(await found(history, "soon"))) == [1, 2, 3]
    pool.close()


@pytest.mark.parametrize("step_bytes", [1, 10, 25, 60, 1_000])
async def test_steps_of_any_size_come_to_the_same(
    history: PostgresHistory, pool: Pool, step_bytes: int
) -> None:
    messages: dict[str, list[Message]] = {}
    for room in "abc":
        messages[room] = [message(seq, room=room, content=f"late {seq}") for seq in range(1, 6)]
        await history.commit([MessageStored(one) for one in messages[room]])
    index = SearchIndex(pool, step_bytes=step_bytes, step_rows=7)
    assert await index.index_some()
    for room in "ac":
        await history.commit([edited(messages[room][0], "soon", 1), deleted(messages[room][1], 2)])
    await index_all(index)
    assert heads(history) == [("a", 5, 2, 0), ("b", 5, 0, 0), ("c", 5, 2, 0)]
    for room, seqs in (("a", [3, 4, 5]), ("b", [1, 2, 3, 4, 5]), ("c", [3, 4, 5])):
        page = await history.readers.search(search_for("late", [room]), 50)
        assert sorted(hit_seqs(page)) == seqs
    other = SearchIndex(pool, form="other", step_bytes=step_bytes, step_rows=7)
    assert await other.index_older_until(trio.current_time() + LIMIT_S) >= 13
    assert [head[-1] for head in heads(history)] == [0, 0, 0]
    pool.close()


async def test_only_the_rooms_of_a_search_are_brought_forward_for_it(
    history: PostgresHistory,
) -> None:
    await history.commit([stored(1, room=room, content="late") for room in "ab"])
    assert len((await history.readers.search(search_for("late", ["a"]), 5)).hits) == 1
    assert heads(history) == [("a", 1, 0, 0)]


async def test_what_cannot_be_indexed_leaves_what_is_in_the_index(
    history: PostgresHistory,
) -> None:
    await lates(history, 1)
    await index_all(history.index)
    await history.commit([stored(2, content="late")])
    assert hit_seqs(await found(history)) == [1]


async def test_an_index_that_cannot_be_written_says_so_without_content(
    history: PostgresHistory, pool: Pool
) -> None:
    await history.commit([stored(1, content="secret")])
    run_in(history.address, f"ALTER TABLE {SCHEMA}.message_text ADD CHECK (length > 99)")
    try:
        with pytest.raises(CommitFailed) as caught:
            await index_all(SearchIndex(pool))
    finally:
        run_in(
            history.address,
            f"ALTER TABLE {SCHEMA}.message_text DROP CONSTRAINT message_text_length_check",
        )
    assert str(caught.value) == (
        "The log could not be written: the index of the search: PostgreSQL says "
        "CheckViolation (23514)."
    )
    pool.close()


async def test_many_nodes_may_index_at_once(history: PostgresHistory) -> None:
    for room in "abcdef":
        await history.commit([stored(seq, room=room, content="late") for seq in range(1, 40)])
    pools = [pool_to_index(history.address) for _ in range(4)]
    with trio.fail_after(LIMIT_S):
        async with trio.open_nursery() as nursery:
            for one in pools:
                nursery.start_soon(index_all, SearchIndex(one, step_rows=17))
    assert heads(history) == [(room, 39, 0, 0) for room in "abcdef"]
    assert len((await history.readers.search(search_for("late", "abcdef"), 999)).hits) == 6 * 39
    for one in pools:
        one.close()


async def test_a_node_that_stands_still_writes_nothing_old_over_what_another_has_written(
    history: PostgresHistory, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    [first] = await lates(history, 1)
    read, go_on = trio.Event(), trio.Event()
    texts = search_index.read_texts

    async def held(*args: object) -> object:
        result = await texts(*args)  # type: ignore[arg-type]
        read.set()
        await go_on.wait()
        return result

    async with trio.open_nursery() as nursery:
        with monkeypatch.context() as patched:
            patched.setattr(search_index, "read_texts", held)
            nursery.start_soon(SearchIndex(pool).index_some)
            with trio.fail_after(LIMIT_S):
                await read.wait()
        await history.commit([edited(first, "soon", 1)])
        await index_all(history.index)  # and nobody is in its way
        go_on.set()
    assert hit_seqs(await found(history, "soon")) == [1]
    assert hit_seqs(await found(history)) == []
    pool.close()


# Changes, removals, erasures


async def test_what_was_changed_since_it_was_indexed_is_no_hit_of_its_old_text(
    history: PostgresHistory,
) -> None:
    messages = await lates(history, 4)
    await index_all(history.index)
    await history.commit([edited(messages[1], "soon", 1), deleted(messages[2], 2)])
    assert hit_seqs(await found(history)) == [4, 1]
    await index_all(history.index)
    assert hit_seqs(await found(history)) == [4, 1]
    assert hit_seqs(await found(history, "soon")) == [2]


async def test_a_page_of_nothing_but_what_was_changed_leads_on(history: PostgresHistory) -> None:
    messages = await lates(history, 4)
    await index_all(history.index)
    await history.commit([deleted(one, rev) for rev, one in enumerate(messages[1:], 1)])
    reader = as_it_is(history)
    page = await reader.search(LATE, 2)
    assert page.hits == ()
    page = await reader.search(LATE, 2, page.cursor)
    assert (hit_seqs(page), page.cursor) == ([1], None)
    reader.close()


async def test_what_is_removed_is_in_the_index_no_more(history: PostgresHistory) -> None:
    await lates(history, 4)
    await index_all(history.index)
    await history.forget(ROOM, 2)
    assert rows_of(history.address, "SELECT seq FROM message_text ORDER BY seq") == [(3,), (4,)]
    await history.commit([stored(5, content="late")])
    await history.forget(ROOM, 5)  # the last is not in it yet
    await index_all(history.index)
    assert rows_of(history.address, "SELECT seq FROM message_text") == []
    assert heads(history) == [(ROOM, 5, 0, 0)]


async def test_no_word_of_what_is_erased_stays(history: PostgresHistory) -> None:
    first, *_ = await lates(history, 3)
    await index_all(history.index)
    erased = attrs.evolve(changes.deleted(first, 1, NOW_MS), user_id="gone", name=None)
    await history.commit([MessageErased(erased, 1, "admin", NOW_MS)])
    assert rows_of(history.address, "SELECT seq FROM message_text ORDER BY seq") == [(2,), (3,)]
    await index_all(history.index)
    assert rows_of(history.address, "SELECT seq FROM message_text ORDER BY seq") == [(2,), (3,)]
    assert heads(history) == [(ROOM, 3, 1, 0)]


# Other forms of words


async def test_an_index_of_another_form_is_built_anew_from_the_newest_message_back(
    history: PostgresHistory, pool: Pool
) -> None:
    for room in "ab":
        await history.commit([stored(seq, room=room, content="late") for seq in range(1, 6)])
    await history.commit([stored(6, room="a", content="late")])
    await index_all(history.index)
    run_in(history.address, f"UPDATE {SCHEMA}.message_text SET text = ' old ', words = '''old'''")
    newer = SearchIndex(pool, form=f"{FORM}, of another day", step_rows=2)
    await newer.renew_form()
    asked = search_for("late", ["a", "b"])
    reader = as_it_is(history)

    async def hits() -> tuple[list[tuple[str, int]], bool]:
        page = await reader.search(asked, 50)
        places = [(hit.message.connection_id, hit.message.seq) for hit in page.hits]
        return places, page.is_incomplete

    assert await hits() == ([], True)
    assert await newer.index_older_once() == 2
    assert await hits() == ([("a", 6), ("b", 5)], True)
    await history.commit([stored(7, room="a", content="late")])
    await index_all(newer)
    assert (await hits())[0] == [("a", 7), ("a", 6), ("b", 5)]
    assert await newer.index_older_until(trio.current_time() + LIMIT_S) == 9
    places, is_incomplete = await hits()
    assert (len(places), is_incomplete) == (12, False)
    assert await newer.index_older_until(trio.current_time() + LIMIT_S) == 0
    assert not await SearchIndex(pool, form=newer._form).index_some()  # a start with its own form
    assert not (await hits())[1]
    reader.close()
    pool.close()


async def test_an_older_node_leaves_the_index_to_a_newer_one(
    history: PostgresHistory, pool: Pool
) -> None:
    await lates(history, 2)
    await index_all(history.index)
    newer = SearchIndex(pool, form=f"{FORM}, of another day")
    await newer.renew_form()
    await history.commit([stored(3, content="late")])
    assert not await history.index.index_some()
    assert await history.index.index_older_until(trio.current_time() + LIMIT_S) == 0
    assert heads(history) == [(ROOM, 2, 0, 2)]
    assert hit_seqs(await history.readers.search(LATE, 9)) == [2, 1]
    await index_all(newer)
    assert hit_seqs(await history.readers.search(LATE, 9)) == [3, 2, 1]
    pool.close()


async def test_a_log_that_was_copied_is_indexed_from_its_newest_message_back(
    history: PostgresHistory, pool: Pool
) -> None:
    await lates(history, 5)
    run_in(history.address, f"UPDATE {SCHEMA}.search_index SET form = ''")
    index = SearchIndex(pool, step_rows=2)
    await index.renew_form()
    page = await found(history)
    assert (hit_seqs(page), page.is_incomplete) == ([], True)
    assert await index.index_older_once() == 2
    assert hit_seqs(await found(history)) == [5, 4]
    await history.forget(ROOM, 2)
    assert await index.index_older_until(trio.current_time() + LIMIT_S) == 1
    page = await found(history)
    assert (hit_seqs(page), page.is_incomplete) == ([5, 4, 3], False)
    pool.close()


# Queries


async def test_the_first_search_after_a_copy_says_that_the_index_lacks_messages(
    history: PostgresHistory, pool: Pool
) -> None:
    await lates(history, 3)
    run_in(history.address, f"UPDATE {SCHEMA}.search_index SET form = ''")
    index = SearchIndex(pool)  # whose start could not renew it
    reader = PostgresReaders.at(history.address, index.index_until)
    page = await reader.search(LATE, 9)
    assert (hit_seqs(page), page.is_incomplete) == ([], True)
    await history.commit([stored(4, content="late")])
    page = await reader.search(LATE, 9)
    assert (hit_seqs(page), page.is_incomplete) == ([4], True)
    reader.close()
    pool.close()


async def test_a_message_of_more_words_than_the_index_takes_keeps_no_other_out(
    history: PostgresHistory,
) -> None:
    words = [f"w{number}" for number in range(150_000)]
    await history.commit([stored(1, content=" ".join(words)), stored(2, content="w149999 late")])
    await index_all(history.index)  # it takes longer than a search waits for it
    assert hit_seqs(await history.readers.search(search_for("w100"), 9)) == [1]
    assert hit_seqs(await history.readers.search(search_for("w149999"), 9)) == [2]


async def test_a_search_that_takes_too_long_is_given_up(history: PostgresHistory) -> None:
    await history.commit([stored(seq, content="late " + "on " * 500) for seq in range(1, 800)])
    await index_all(history.index)
    hurried = PostgresReaders.at(history.address, history.index.index_until, search_s=0.001)
    wanted = search_for('"late on" "on on" -"late late"')
    with pytest.raises(SearchTooBroad):
        await hurried.search(wanted, 10)
    hurried.close()
    patient = PostgresReaders.at(history.address, history.index.index_until, search_s=LIMIT_S)
    assert len((await patient.search(wanted, 10)).hits) == 10
    patient.close()


async def test_a_common_word_of_other_rooms_is_not_looked_at(history: PostgresHistory) -> None:
    await history.commit([stored(seq, room="other", content="late") for seq in range(1, 2_001)])
    await history.commit([stored(seq, content="late") for seq in range(1, 4)])
    await index_all(history.index)
    [(room_id,)] = rows_of(
        history.address, f"SELECT room_id FROM rooms WHERE connection_id = '{ROOM}'"
    )
    words = sought(LATE.query, [room_id]).words
    run_in(history.address, f"ANALYZE {SCHEMA}.message_text")
    [(count,)] = rows_of(
        history.address,
        f"SELECT count(*) FROM message_text WHERE words @@ $q${words}$q$::tsquery",
    )
    assert count == 3


WORDS = ("la", "late", "上", "上海", "é", "Straße", "x-y", "·", "ข้าว")
TEXTS = [" ".join(words) for length in (1, 2) for words in product(WORDS, repeat=length)]
QUERIES = [
    *WORDS,
    *(f"{word}*" for word in WORDS),
    *(f'"{one} {other}"' for one, other in product(WORDS, repeat=2)),
    *(f'"{one} {other}"*' for one, other in product(WORDS[:4], repeat=2)),
    *(f"la* -{word}" for word in WORDS),
    *(f'上 -"{word} 上"*' for word in WORDS),
]


async def test_a_search_finds_what_one_in_sqlite_finds(
    history: PostgresHistory, tmp_path: Path
) -> None:
    records = [stored(seq, content=text) for seq, text in enumerate(TEXTS, 1)]
    queries = [one for one in map(parse_query, QUERIES) if isinstance(one, SearchQuery)]
    assert len(queries) > 90
    await history.commit(records)
    async with open_in_sqlite(tmp_path / "state") as other:
        await other.commit(records)
        for query in queries:
            asked = attrs.evolve(LATE, query=query)
            found = await history.reader.search(asked, 99)
            expected = await other.reader.search(asked, 99)
            assert hit_seqs(found) == hit_seqs(expected), query
            assert [hit.matches for hit in found.hits] == [hit.matches for hit in expected.hits]


@given(st.one_of(st.text("ab-*\"'()^:+ &|!<>ANDORT\\\n;,{}", max_size=40), st.text(max_size=40)))
@example('a"b"*c')
@example('a -b* -"c d"*')
@example("it's \\ a'b")
@example("\N{SNOWMAN}a \u3000b")
def test_whatever_is_written_is_an_expression_or_a_refusal(
    log_address: LogAddress, query: str
) -> None:
    parsed = parse_query(query)
    if isinstance(parsed, SearchQuery):
        words = sought(parsed, [7]).words
        assert "\0" not in words
        [(count,)] = rows_of(log_address, f"SELECT numnode($q${words}$q$::tsquery)")
        assert count >= len(parsed.required)
