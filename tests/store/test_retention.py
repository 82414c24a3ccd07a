"""What is too old or too much goes, from the oldest end, and its seqs are never given again."""

import sqlite3
from collections.abc import Sequence
from functools import partial

import pytest

from chatd.store.opening import Store
from chatd.store.retention import Keep, Surplus, remove
from chatd.store.search_index import index_some
from chatd.store.writer import LogWriter
from tests.store.logs import NOW_MS, ROOM, hit_seqs, last_page, search_for, stored, stored_from

EVERYTHING = Keep(None, None)
LONG_AGO_MS = 2 * 365 * 86_400_000


async def surplus(store: Store, keep: Keep, most: int = 1_000) -> list[Surplus]:
    return await store.readers.surplus(keep, most)


async def kept(store: Store, room: str = ROOM) -> list[int]:
    return [message.seq for message in (await last_page(store.readers, room, 1_000)).messages]


@pytest.mark.parametrize(
    ("keep", "first_kept"),
    [
        (EVERYTHING, None),
        (Keep(None, 10), None),
        (Keep(None, 4), 7),
        (Keep(None, 1), 10),
        (Keep(NOW_MS, None), None),
        (Keep(NOW_MS + 1, None), None),
        (Keep(NOW_MS + 4, None), 4),
        (Keep(NOW_MS + 11, None), 11),
        (Keep(NOW_MS + 4, 8), 4),
        (Keep(NOW_MS + 4, 2), 9),
    ],
)
async def test_surplus_is_what_is_older_or_more_than_is_kept(
    store: Store, writer: LogWriter, keep: Keep, first_kept: int | None
) -> None:
    await writer.commit(stored_from(1, 10))
    expected = [] if first_kept is None else [Surplus(ROOM, first_kept)]
    assert await surplus(store, keep) == expected


async def test_an_old_message_behind_a_younger_one_stays_with_it(
    store: Store, writer: LogWriter
) -> None:
    times = (10, 50, 20, 60)
    await writer.commit(
        [stored(n, timestamp_ms=NOW_MS + at) for n, at in enumerate(times, start=1)]
    )
    assert await surplus(store, Keep(NOW_MS + 30, None)) == [Surplus(ROOM, 2)]
    assert await surplus(store, Keep(NOW_MS + 55, None)) == [Surplus(ROOM, 4)]


@pytest.mark.parametrize(
    ("times", "first_kept"),
    [
        # A clock that was never set is no evidence, unless what follows is old too.
        ((1_000, 2_000, 3_000), None),
        ((1_000, NOW_MS, 3_000), 3),
        # A clock that went back by years: what was stored after something young is young.
        ((NOW_MS, NOW_MS + 20, NOW_MS + 1), 2),
    ],
)
async def test_a_message_is_not_old_because_of_the_clock_that_it_was_stored_by(
    store: Store, writer: LogWriter, times: Sequence[int], first_kept: int | None
) -> None:
    await writer.commit([stored(n, timestamp_ms=at) for n, at in enumerate(times, start=1)])
    found = await surplus(store, Keep(NOW_MS + 10, None))
    assert found == ([] if first_kept is None else [Surplus(ROOM, first_kept)])


async def test_what_is_young_in_one_room_shows_a_clock_gone_back_in_another(
    store: Store, writer: LogWriter
) -> None:
    await writer.commit([stored(1, room="old", timestamp_ms=NOW_MS)])
    await writer.commit([stored(1, room="young", timestamp_ms=NOW_MS + 20)])
    await writer.commit([stored(2, room="old", timestamp_ms=NOW_MS - LONG_AGO_MS)])
    await writer.commit([stored(1, room="back", timestamp_ms=NOW_MS - LONG_AGO_MS)])
    keep = Keep(NOW_MS + 10, None, NOW_MS + 100)
    assert await surplus(store, keep) == [Surplus("old", 2)]
    # One of a clock that was ahead says nothing of those behind it.
    ahead = Keep(NOW_MS + 10, None, NOW_MS + 15)
    assert await surplus(store, ahead) == [Surplus("old", 3), Surplus("back", 2)]


async def test_what_was_stored_since_the_start_is_young_whatever_its_time_says(
    store: Store, writer: LogWriter
) -> None:
    await writer.commit([stored(n, timestamp_ms=NOW_MS - LONG_AGO_MS) for n in range(1, 6)])
    keep = Keep(NOW_MS, None, NOW_MS, young_from=4)
    assert await surplus(store, keep) == [Surplus(ROOM, 4)]
    by_count = Keep(NOW_MS, 1, NOW_MS, young_from=4)
    assert await surplus(store, by_count) == [Surplus(ROOM, 5)]


async def test_a_step_is_bounded_over_all_rooms(store: Store, writer: LogWriter) -> None:
    await writer.commit([*stored_from(1, 9, room="a"), *stored_from(1, 9, room="b")])
    by_count = await surplus(store, Keep(None, 1), most=10)
    assert by_count == [Surplus("a", 9), Surplus("b", 3)]
    assert await surplus(store, Keep(NOW_MS + 99, None), most=4) == [Surplus("a", 5)]


async def test_what_is_removed_is_gone_from_history_and_search_and_its_seqs_are_not_used_again(
    store: Store, writer: LogWriter
) -> None:
    await writer.commit([*stored_from(1, 6), *stored_from(1, 2, room="other")])
    await writer.maintain(partial(index_some, most=4))

    def go(connection: sqlite3.Connection, found: Sequence[Surplus]) -> int:
        return remove(connection, found)

    found = await surplus(store, Keep(None, 2))
    assert await writer.maintain(partial(go, found=found)) == 4
    assert await kept(store) == [5, 6]
    assert await kept(store, "other") == [1, 2]
    page = await last_page(store.readers, ROOM, 10)
    assert (page.first_seq, page.last_seq) == (5, 6)
    assert sorted(hit_seqs(await store.readers.search(search_for("orders"), 10))) == [5, 6]
    assert await surplus(store, Keep(None, 2)) == []

    await writer.maintain(partial(go, found=[Surplus(ROOM, 7)]))
    assert await kept(store) == []
    assert store.reread().rooms == {ROOM: 6, "other": 2}
    await writer.commit([stored(7)])
    assert await kept(store) == [7]
