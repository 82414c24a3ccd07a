"""Threads and shortened answers, read from every history that keeps the contract."""

import orjson

from chatd.chat.ids import scoped_id
from chatd.chat.queue import Gap
from chatd.chat.records import Delivered, Message, MessageStored
from chatd.store.message_reader import REPLIES_MAX, KnownMessage, Replies
from tests.store.histories import History
from tests.store.logs import NOW_MS, ROOM, last_page, message, search_for, stored_from


async def store(history: History, *messages: Message) -> None:
    await history.commit([MessageStored(one) for one in messages])


def answer(count: int, **fields: object) -> bytes:
    rows = [[number, 'a "quoted" ] text'] for number in range(count)]
    return orjson.dumps({"state": "done", "rowCount": count, **fields, "rows": rows})


def rows_of(one: Message) -> tuple[int, int | None]:
    """How many rows a copy has, and how many it says were left out."""
    assert one.answer is not None
    told = orjson.loads(one.answer)
    return len(told["rows"]), told.get("rowsOmitted")


async def test_a_page_tells_of_each_opener_what_was_replied(history: History) -> None:
    opener, other, alone = message(1), message(2), message(3)
    replies = [
        message(seq, thread_id=opener.message_id, user_id=user_id)
        for seq, user_id in ((4, "ada"), (5, "bob"), (7, "cleo"), (8, "bob"), (9, "dan"))
    ]
    late = message(10, thread_id=other.message_id, user_id="ada")
    await store(history, opener, other, alone, *replies[:2], message(6), *replies[2:], late)

    page = await last_page(history.reader, ROOM, 50)
    assert page.replies == {1: Replies(5, 9, ("dan", "bob", "cleo")), 2: Replies(1, 10, ("ada",))}
    assert page.root is None
    two = await history.reader.page(ROOM, before=3, after=None, limit=1, thread_id=None)
    assert two.replies == {2: Replies(1, 10, ("ada",))}


async def test_a_page_of_a_thread_comes_with_its_opener(history: History) -> None:
    opener = message(1)
    await store(
        history, opener, *(message(seq, thread_id=opener.message_id) for seq in range(2, 6))
    )
    await history.commit([Delivered(ROOM, 1, "bob", NOW_MS)])
    page = await history.reader.page(
        ROOM, before=None, after=None, limit=2, thread_id=opener.message_id
    )
    assert page.root == KnownMessage(opener, True, Replies(4, 5, ("ada",)))
    assert [one.seq for one in page.messages] == [4, 5]
    assert page.replies == {}
    await history.forget(ROOM, 1)
    page = await history.reader.page(
        ROOM, before=None, after=None, limit=2, thread_id=opener.message_id
    )
    assert page.root is None


async def test_threads_of_one_id_in_two_rooms_are_told_apart(history: History) -> None:
    theirs = message(1, room="other", content="late")
    mine = message(1, message_id=scoped_id(theirs.message_id, ROOM), content="late")
    replies = [
        message(2, room="other", thread_id=theirs.message_id, user_id="bob"),
        message(2, thread_id=theirs.message_id, user_id="cleo"),
        message(3, thread_id=theirs.message_id, user_id="dan"),
    ]
    await store(history, theirs, mine, *replies)

    assert (await last_page(history.reader, ROOM, 9)).replies == {1: Replies(2, 3, ("dan", "cleo"))}
    assert (await last_page(history.reader, "other", 9)).replies == {1: Replies(1, 2, ("bob",))}
    found = await history.reader.search(search_for("late", (ROOM, "other")), 10)
    assert {hit.message.connection_id: hit.replies for hit in found.hits} == {
        ROOM: Replies(2, 3, ("dan", "cleo")),
        "other": Replies(1, 2, ("bob",)),
    }
    shown = await history.reader.shown(theirs.message_id, ROOM)
    assert shown == KnownMessage(mine, False, Replies(2, 3, ("dan", "cleo")))
    page = await history.reader.page(
        ROOM, before=None, after=None, limit=1, thread_id=theirs.message_id
    )
    assert page.root == shown


async def test_a_message_is_shown_in_its_room_alone(history: History) -> None:
    one = message(1)
    await store(history, one)
    assert await history.reader.shown(one.message_id, ROOM) == KnownMessage(one, False)
    assert await history.reader.shown(one.message_id, "other") is None
    assert await history.reader.shown(message(2).message_id, ROOM) is None


async def test_a_long_thread_is_counted_up_to_a_bound(history: History) -> None:
    opener = message(1)
    last = REPLIES_MAX + 10
    await store(history, opener)
    await history.commit(stored_from(2, last, thread_id=opener.message_id, user_id="bob"))
    shown = await history.reader.shown(opener.message_id, ROOM)
    assert shown is not None
    assert shown.replies == Replies(REPLIES_MAX, last, ("bob",))


async def test_answers_are_read_with_as_many_rows_as_are_wanted(history: History) -> None:
    long, short = message(1, answer=answer(9)), message(2, answer=answer(2))
    await store(history, long, short, message(3, content="late", answer=answer(5)))
    reader, gaps = history.reader, [Gap(1, 3, 0)]

    page = await reader.page(ROOM, before=None, after=None, limit=9, thread_id=None, answer_rows=3)
    assert list(map(rows_of, page.messages)) == [(3, 6), (2, None), (3, 2)]
    owed = await reader.owed(ROOM, gaps, 0, 9, 0)
    assert [rows_of(one) for one, _ in owed] == [(0, 9), (0, 2), (0, 5)]
    [hit] = (await reader.search(search_for("late"), 5, None, 4)).hits
    assert rows_of(hit.message) == (4, 1)
    shown = await reader.shown(long.message_id, ROOM, 1)
    assert shown is not None
    assert rows_of(shown.message) == (1, 8)
    assert (await reader.shown(long.message_id, ROOM, 9)) == KnownMessage(long, False)
    assert (await reader.shown(long.message_id, ROOM)) == KnownMessage(long, False)


async def test_a_page_has_room_for_what_is_read_not_for_what_is_stored(history: History) -> None:
    history.set_page_bytes(1_000)
    await store(history, *(message(seq, answer=answer(200)) for seq in range(1, 6)))
    whole = await last_page(history.reader, ROOM, 9)
    assert len(whole.messages) == 1
    page = await history.reader.page(
        ROOM, before=None, after=None, limit=9, thread_id=None, answer_rows=1
    )
    assert (len(page.messages), page.has_more) == (5, False)
