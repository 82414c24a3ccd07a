"""The contract of `MessageReader`, for every history that keeps it."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.ids import scoped_id
from chatd.chat.queue import Gap, QueueCut
from chatd.chat.reading import Lack
from chatd.chat.records import (
    AnswerClosed,
    AnswerOpened,
    Delivered,
    MessagePlace,
    MessageRead,
    MessageStored,
    OpenAnswer,
)
from chatd.store.message_reader import (
    Page,
    SearchCursor,
    StoredAnswer,
)
from chatd.store.search import LENGTHS_WORDS
from tests.chat.commands import message_id
from tests.store.histories import History, OpenHistory
from tests.store.logs import (
    NOW_MS,
    ROOM,
    deleted,
    edited,
    hit_seqs,
    last_page,
    message,
    reacted,
    search_for,
    stored,
    stored_from,
)


@pytest.fixture
async def filled(history: History) -> History:
    await history.commit([*stored_from(1, 3, room="other"), *stored_from(1, 30)])
    return history


@pytest.fixture
async def weighty(history: History) -> History:
    """Ten messages of 40 bytes, 30 of which are the answer, on pages of 100."""
    history.set_page_bytes(100)
    fields = {"content": "é" * 5, "answer": b'{"rows":"' + b"r" * 19 + b'"}'}
    await history.commit(stored_from(1, 10, **fields))
    return history


async def page(
    history: History,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = 10,
    thread_id: str | None = None,
) -> Page:
    return await history.reader.page(
        ROOM, before=before, after=after, limit=limit, thread_id=thread_id
    )


def seqs(page: Page) -> list[int]:
    return [message.seq for message in page.messages]


async def test_a_message_comes_back_as_it_was_written(history: History) -> None:
    opener = message(1, name=None, content=" <b>'; -- 🐘\n", context=b'{"tables":["a"]}')
    reply = message(2, thread_id=opener.message_id)
    await history.commit([MessageStored(opener), MessageStored(reply)])

    assert (await last_page(history.reader, ROOM, 10)).messages == (opener, reply)
    assert await history.reader.message(opener.message_id) == opener
    assert await history.reader.message(reply.message_id) == reply
    assert await history.reader.message("00000000-0000-0000-0000-000000000000") is None


async def test_one_of_two_messages_of_one_id_is_read_by_its_room(history: History) -> None:
    theirs = message(1, room="other")
    mine = message(1, message_id=scoped_id(theirs.message_id, ROOM))
    await history.commit([MessageStored(theirs), MessageStored(mine)])

    read = history.reader.message
    assert await read(theirs.message_id) == theirs
    assert await read(theirs.message_id, ["other"]) == theirs
    assert await read(theirs.message_id, [ROOM]) == mine
    assert await read(theirs.message_id, ["elsewhere"]) is None
    assert await read(mine.message_id, [ROOM]) == mine
    assert await history.reader.has_thread(ROOM, theirs.message_id)
    assert not await history.reader.has_thread("elsewhere", theirs.message_id)


async def test_the_last_messages_come_oldest_first(filled: History) -> None:
    last = await last_page(filled.reader, ROOM, 4)
    assert seqs(last) == [27, 28, 29, 30]
    assert (last.has_more, last.first_seq, last.last_seq) == (True, 1, 30)
    assert {message.connection_id for message in last.messages} == {ROOM}


async def test_pages_lead_back_to_the_beginning(filled: History) -> None:
    met: list[int] = []
    current = await page(filled, limit=7)
    while current.has_more:
        met = seqs(current) + met
        current = await page(filled, before=met[0], limit=7)
    assert seqs(current) + met == list(range(1, 31))


async def test_pages_lead_forward_to_the_end(filled: History) -> None:
    met: list[int] = []
    current = await page(filled, after=0, limit=7)
    while current.has_more:
        met += seqs(current)
        current = await page(filled, after=met[-1], limit=7)
    assert met + seqs(current) == list(range(1, 31))


async def test_the_ends_have_no_more(filled: History) -> None:
    assert await page(filled, before=1) == Page((), False, 1, 30)
    assert await page(filled, after=30) == Page((), False, 1, 30)
    assert await page(filled, after=99) == Page((), False, 1, 30)
    assert not (await page(filled, before=11, limit=10)).has_more
    assert not (await page(filled, after=20, limit=10)).has_more
    assert seqs(await page(filled, before=99, limit=1)) == [30]


async def test_an_unknown_room_is_an_empty_page(filled: History) -> None:
    assert await last_page(filled.reader, "nowhere", 5) == Page((), False, 0, 0)


async def test_a_page_holds_so_many_bytes_and_says_that_there_is_more(weighty: History) -> None:
    backward = await page(weighty)
    assert (seqs(backward), backward.has_more) == ([9, 10], True)
    backward = await page(weighty, before=4)
    assert (seqs(backward), backward.has_more) == ([2, 3], True)
    forward = await page(weighty, after=0)
    assert (seqs(forward), forward.has_more) == ([1, 2], True)
    forward = await page(weighty, after=8)
    assert (seqs(forward), forward.has_more) == ([9, 10], False)


async def test_pages_that_are_cut_lead_on_without_a_hole(weighty: History) -> None:
    met: list[int] = []
    current = await page(weighty)
    while current.has_more:
        met = seqs(current) + met
        current = await page(weighty, before=met[0])
    assert seqs(current) + met == list(range(1, 11))
    met = []
    current = await page(weighty, after=0)
    while current.has_more:
        met += seqs(current)
        current = await page(weighty, after=met[-1])
    assert met + seqs(current) == list(range(1, 11))


async def test_a_page_holds_one_message_of_any_size(weighty: History) -> None:
    weighty.set_page_bytes(1)
    assert seqs(await page(weighty)) == [10]
    assert seqs(await page(weighty, after=3)) == [4]
    assert [one.seq for one, _ in await weighty.reader.owed(ROOM, (gap(2, 9),), 0, 5)] == [2]


async def test_owed_messages_are_as_many_as_a_page_holds_and_lead_on(weighty: History) -> None:
    gaps = (gap(1, 1), gap(4, 4), gap(6, 10))
    met: list[list[int]] = []
    while found := await weighty.reader.owed(ROOM, gaps, met[-1][-1] if met else 0, 9):
        met.append([one.seq for one, _ in found])
    assert met == [[1, 4], [6, 7], [8, 9], [10]]


async def test_a_thread_has_pages_of_its_own_both_ways(history: History) -> None:
    opener = message(1)
    thread = opener.message_id
    replies = [stored(seq, thread_id=thread if seq % 2 else None) for seq in range(2, 22)]
    await history.commit([MessageStored(opener), *replies])

    last = await page(history, limit=3, thread_id=thread)
    assert seqs(last) == [17, 19, 21]
    assert (last.has_more, last.first_seq, last.last_seq) == (True, 1, 21)
    assert seqs(await page(history, before=7, thread_id=thread)) == [3, 5]
    forward = await page(history, after=14, limit=4, thread_id=thread)
    assert (seqs(forward), forward.has_more) == ([15, 17, 19, 21], False)
    elsewhere = await history.reader.page(
        "other", before=None, after=None, limit=3, thread_id=thread
    )
    assert elsewhere.messages == ()


async def test_a_thread_is_where_its_opener_or_a_reply_is(history: History) -> None:
    opener, elsewhere = message(1), message(1, room="other")
    reply = message(2, thread_id=opener.message_id)
    await history.commit([MessageStored(one) for one in (opener, reply, elsewhere)])

    async def has_thread(room: str, thread_id: str) -> bool:
        return await history.reader.has_thread(room, thread_id)

    assert await has_thread(ROOM, opener.message_id)
    assert not await has_thread(ROOM, reply.message_id), "it is in a thread itself"
    assert not await has_thread(ROOM, elsewhere.message_id)
    assert not await has_thread("other", opener.message_id)
    assert not await has_thread("nowhere", opener.message_id)
    await history.forget(ROOM, 1)
    assert await has_thread(ROOM, opener.message_id)
    await history.forget(ROOM, 2)
    assert not await has_thread(ROOM, opener.message_id)
    with pytest.raises(ValueError, match="not a UUID"):
        await has_thread(ROOM, "00")


async def test_a_question_has_an_answer_from_when_it_is_to_be_read_until_it_was_talk(
    history: History,
) -> None:
    def opened(number: int) -> AnswerOpened:
        ids = message_id(number), message_id(number + 1)
        return AnswerOpened(OpenAnswer(*ids, ROOM, "ada", None, NOW_MS, is_to_read=True))

    async def answer_to(number: int, rooms: Sequence[str] | None = None) -> StoredAnswer | None:
        return await history.reader.answer_to(message_id(number), rooms)

    question, talk = stored(1, message_id=message_id(1)), stored(2, message_id=message_id(5))
    await history.commit([question, opened(1), talk, opened(5)])
    for number in (1, 5):
        answer = StoredAnswer(message_id(number + 1), ROOM, "ada", None)
        assert await answer_to(number) == answer
        assert await answer_to(number, [ROOM]) == answer
        assert await answer_to(number, ["other"]) is None
    await history.commit(
        [
            MessageRead(ROOM, message_id(1), message_id(2), is_question=True),
            MessageRead(ROOM, message_id(5), message_id(6), is_question=False),
        ]
    )
    assert await answer_to(5) is None
    assert await answer_to(1) == StoredAnswer(message_id(2), ROOM, "ada", None)
    await history.commit([AnswerClosed(ROOM, message_id(1), message_id(9), "done")])
    assert await answer_to(1) == StoredAnswer(message_id(9), ROOM, "ada", "done")
    await history.forget(ROOM, 1)
    assert await answer_to(1) is None
    with pytest.raises(ValueError, match="UUID"):
        await history.reader.answer_to("f" * 32)


async def test_delivered_messages_are_marked_on_their_page(history: History) -> None:
    await history.commit([*stored_from(1, 5), Delivered(ROOM, 2, "bob", NOW_MS)])
    await history.commit([Delivered(ROOM, 5, "bob", NOW_MS)])
    assert (await page(history)).delivered == {2, 5}
    assert (await page(history, before=5)).delivered == {2}


async def test_questions_that_make_no_sense_are_refused(filled: History) -> None:
    with pytest.raises(ValueError, match="not both"):
        await page(filled, before=3, after=1)
    with pytest.raises(ValueError, match="not for 0"):
        await page(filled, limit=0)
    with pytest.raises(ValueError, match="UUID"):
        await page(filled, thread_id="ABCD")
    with pytest.raises(ValueError, match="hexadecimal"):
        await filled.reader.message("no uuid")


def gap(first: int, last: int) -> Gap:
    return Gap(first, last, NOW_MS)


async def test_the_ends_of_a_room_after_retention(filled: History) -> None:
    await filled.forget(ROOM, 12)
    assert await page(filled, before=13) == Page((), False, 13, 30)
    assert seqs(await page(filled, after=0, limit=2)) == [13, 14]
    await filled.forget(ROOM, 30)
    assert await page(filled) == Page((), False, 0, 30)
    await filled.commit([stored(31)])
    last = await page(filled)
    assert (seqs(last), last.first_seq, last.last_seq) == ([31], 31, 31)


async def test_owed_messages_are_those_of_the_gaps_in_order(filled: History) -> None:
    async def owed(after_seq: int, limit: int) -> list[int]:
        gaps = (gap(2, 4), gap(9, 9), gap(20, 99))
        found = await filled.reader.owed(ROOM, gaps, after_seq, limit)
        return [one.seq for one, _ in found]

    assert await owed(0, 5) == [2, 3, 4, 9, 20]
    assert await owed(3, 2) == [4, 9]
    assert await owed(4, 2) == [9, 20]
    assert await owed(28, 50) == [29, 30]
    assert await owed(30, 50) == []
    assert await filled.reader.owed(ROOM, (), 0, 5) == ()
    assert await filled.reader.owed("nowhere", (gap(1, 9),), 0, 5) == ()


async def test_owed_messages_that_retention_removed_are_not_there(filled: History) -> None:
    await filled.forget(ROOM, 9)
    found = await filled.reader.owed(ROOM, (gap(1, 3), gap(8, 11)), 0, 50)
    assert [one.seq for one, _ in found] == [10, 11]


async def test_undelivered_are_the_newest_of_others_that_nobody_acknowledged(
    history: History,
) -> None:
    for seq in range(1, 11):
        await history.commit([stored(seq, user_id="bob" if seq == 6 else "ada")])
    await history.commit([Delivered(ROOM, seq, "eve", NOW_MS) for seq in (3, 8)])

    async def undelivered(user_id: str, first: int, last: int, limit: int = 50) -> list[int]:
        found = await history.reader.undelivered(ROOM, user_id, first, last, limit)
        return [one.seq for one in found]

    assert await undelivered("bob", 1, 10) == [1, 2, 4, 5, 7, 9, 10]
    assert await undelivered("bob", 2, 9, limit=3) == [5, 7, 9]
    assert await undelivered("ada", 1, 10) == [6]
    assert await undelivered("bob", 8, 8) == []
    [newest] = await history.reader.undelivered(ROOM, "bob", 1, 10, 1)
    known = await history.reader.message(newest.message_id)
    assert known is not None
    assert newest == MessagePlace(known.message_id, ROOM, 10, "ada")
    assert await history.reader.undelivered("nowhere", "bob", 1, 9, 9) == ()


async def test_the_newest_owed_are_chosen_over_all_rooms(history: History) -> None:
    # Positions: a 1..3, b 1..3, a 4..6, c 1
    for room, first, last in (("a", 1, 3), ("b", 1, 3), ("a", 4, 6), ("c", 1, 1)):
        await history.commit(stored_from(first, last, room=room))
    owed = {"a": (gap(1, 2), gap(4, 5)), "b": (gap(2, 3),), "c": (gap(1, 1),), "no": (gap(1, 7),)}

    async def newest(most: int, oldest_ms: int = 0) -> dict[str, int]:
        cuts = await history.reader.newest_owed(owed, most, oldest_ms)
        for room, cut in cuts.items():
            stays = cut.first_seq <= owed[room][-1].last and room != "no"
            assert cut.since_ms == (NOW_MS + cut.first_seq if stays else oldest_ms)
        return {room: cut.first_seq for room, cut in cuts.items()}

    assert await newest(99) == {"a": 1, "b": 2, "c": 1, "no": 8}
    assert await newest(6) == {"a": 2, "b": 2, "c": 1, "no": 8}
    assert await newest(4) == {"a": 4, "b": 3, "c": 1, "no": 8}
    assert await newest(1) == {"a": 6, "b": 4, "c": 1, "no": 8}
    assert await newest(0) == {"a": 6, "b": 4, "c": 2, "no": 8}
    assert await newest(99, NOW_MS + 4) == {"a": 4, "b": 4, "c": 2, "no": 8}
    assert await history.reader.newest_owed({"a": ()}, 5, 0) == {}


@given(
    rooms=st.lists(st.sampled_from("abc"), max_size=40),
    owed=st.dictionaries(st.sampled_from("abcd"), st.sets(st.integers(1, 15), min_size=1)),
    forgotten=st.dictionaries(st.sampled_from("abc"), st.integers(1, 15)),
    most=st.integers(0, 20),
    oldest=st.integers(0, 45),
)
def test_what_stays_of_the_owed_is_what_a_full_search_finds(
    open_history: OpenHistory,
    rooms: list[str],
    owed: dict[str, set[int]],
    forgotten: dict[str, int],
    most: int,
    oldest: int,
) -> None:
    log: list[
        tuple[int, str, int]
    ] = []  # position, which is the time from NOW_MS on too, room, seq
    last_seqs: Counter[str] = Counter()
    for position, room in enumerate(rooms, 1):
        last_seqs[room] += 1
        log.append((position, room, last_seqs[room]))
    forgotten = {room: min(seq, last_seqs[room]) for room, seq in forgotten.items()}
    stays: dict[str, list[tuple[int, int]]] = {room: [] for room in owed}
    there = [one for one in log if one[2] > forgotten.get(one[1], 0)]
    candidates = [one for one in there if one[2] in owed.get(one[1], ()) and one[0] >= oldest]
    for position, room, seq in candidates[::-1][:most]:
        stays[room].append((seq, position))
    expected = {
        room: QueueCut(first := min(found)[0], NOW_MS + dict(found)[first])
        if found
        else QueueCut(max(owed[room]) + 1, NOW_MS + oldest)
        for room, found in stays.items()
    }

    async def ask(directory: Path) -> dict[str, QueueCut]:
        gaps = {room: [gap(seq, seq) for seq in sorted(seqs)] for room, seqs in owed.items()}
        async with open_history(directory) as history:
            await history.commit(
                [
                    stored(seq, room=room, timestamp_ms=NOW_MS + position)
                    for position, room, seq in log
                ]
            )
            for room, seq in forgotten.items():
                if last_seqs[room]:
                    await history.forget(room, seq)
            return await history.reader.newest_owed(gaps, most, NOW_MS + oldest)

    with tempfile.TemporaryDirectory() as directory:
        assert trio.run(ask, Path(directory)) == expected


async def test_what_a_clock_that_was_never_set_has_stored_falls_out_of_no_queue(
    history: History,
) -> None:
    await history.commit([stored(seq, timestamp_ms=1_000 * seq) for seq in range(1, 4)])
    cuts = await history.reader.newest_owed({ROOM: (gap(1, 3),)}, 10, NOW_MS)
    assert cuts[ROOM].first_seq == 1


async def test_what_was_committed_before_is_found(history: History) -> None:
    await history.commit([stored(1, content="late orders"), stored(2, content="others")])
    found = await history.reader.search(search_for("late"), 10)
    assert hit_seqs(found) == [1]
    assert found.hits[0].matches == ((0, 4),)
    assert found.cursor is None
    await history.commit([stored(3, content="later, and late")])
    assert sorted(hit_seqs(await history.reader.search(search_for("late"), 10))) == [1, 3]


async def test_only_the_rooms_that_are_named_are_searched(history: History) -> None:
    await history.commit([stored(1, room=room, content="late") for room in ("a", "b", "c")])
    found = await history.reader.search(search_for("late", ("a", "c", "never seen")), 10)
    assert {hit.message.connection_id for hit in found.hits} == {"a", "c"}
    assert (await history.reader.search(search_for("late", ()), 10)).hits == ()


async def test_a_search_is_narrowed_by_user_and_time(history: History) -> None:
    await history.commit(
        [stored(n, user_id=user, content="late") for n, user in enumerate("aabb", start=1)]
    )
    by_user = await history.reader.search(search_for("late", user_id="b"), 10)
    assert sorted(hit_seqs(by_user)) == [3, 4]
    between = search_for("late", after_ms=NOW_MS + 1, before_ms=NOW_MS + 4)
    assert sorted(hit_seqs(await history.reader.search(between, 10))) == [2, 3]


@pytest.mark.parametrize("words", LENGTHS_WORDS)
async def test_the_shorter_come_first_and_of_those_about_as_short_the_newest(
    history: History, words: int
) -> None:
    def text(length: int) -> str:
        return "late" + " on" * (length - 1)

    lengths = (words, words + 1, words - 1, words - 2, 2 * words)
    await history.commit([stored(n, content=text(one)) for n, one in enumerate(lengths, start=1)])
    assert hit_seqs(await history.reader.search(search_for("late"), 10)) == [4, 3, 1, 5, 2]


async def test_a_page_holds_so_many_bytes_and_the_cursor_leads_on(history: History) -> None:
    history.set_page_bytes(100)
    await history.commit(
        [stored(seq, content="late", answer=b'{"rows":%29d}' % 0) for seq in range(1, 6)]
    )
    found = await history.reader.search(search_for("late"), 5)
    assert hit_seqs(found) == [5, 4]
    found = await history.reader.search(search_for("late"), 2, found.cursor)
    assert hit_seqs(found) == [3, 2]
    found = await history.reader.search(search_for("late"), 5, found.cursor)
    assert (hit_seqs(found), found.cursor) == ([1], None)
    history.set_page_bytes(1)
    assert hit_seqs(await history.reader.search(search_for("late"), 5)) == [5]


async def test_pages_go_on_behind_the_cursor_with_nothing_twice(history: History) -> None:
    await history.commit([stored(n, content="late " * (n % 3 + 1)) for n in range(1, 24)])
    everything = hit_seqs(await history.reader.search(search_for("late"), 50))
    paged: list[int] = []
    cursor: SearchCursor | None = None
    for expected in (7, 7, 7, 2):
        page = await history.reader.search(search_for("late"), 7, cursor)
        assert len(page.hits) == expected
        paged += hit_seqs(page)
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
    history: History, meanwhile: Sequence[str]
) -> None:
    await history.commit([stored(n, content="late " + "on " * (n % 3 * 8)) for n in range(1, 25)])
    everything = hit_seqs(await history.reader.search(search_for("late"), 50))
    assert len(everything) == 24
    page = await history.reader.search(search_for("late"), 3)
    paged, last = hit_seqs(page), 24
    while page.cursor is not None:
        texts = [stored(seq, content=text) for seq, text in enumerate(meanwhile, start=last + 1)]
        await history.commit(texts)
        last += len(texts)
        page = await history.reader.search(search_for("late"), 3, page.cursor)
        paged += hit_seqs(page)
    assert paged == everything


async def test_what_is_removed_between_two_pages_is_missing_and_nothing_else(
    history: History,
) -> None:
    await history.commit([stored(n, content="late") for n in range(1, 10)])
    page = await history.reader.search(search_for("late"), 3)
    assert hit_seqs(page) == [9, 8, 7]
    await history.forget(ROOM, 2)
    page = await history.reader.search(search_for("late"), 3, page.cursor)
    assert hit_seqs(page) == [6, 5, 4]
    page = await history.reader.search(search_for("late"), 3, page.cursor)
    assert (hit_seqs(page), page.cursor) == ([3], None)


async def test_pages_hold_what_may_be_read_when_they_are_asked_for(history: History) -> None:
    rooms = ["a", "b", "c"]
    await history.commit(
        [stored(seq, room=room, content="late") for seq in (1, 2, 3) for room in rooms]
    )
    page = await history.reader.search(search_for("late", rooms), 4)
    rest = await history.reader.search(search_for("late", ["a", "b"]), 10, page.cursor)
    assert [(hit.message.connection_id, hit.message.seq) for hit in rest.hits] == [
        ("b", 2), ("a", 2), ("b", 1), ("a", 1)
    ]  # fmt: skip


async def test_matches_are_places_in_the_content(history: History) -> None:
    content = "Späte Café-Bestellung 🐘 café"
    await history.commit([stored(1, content=content)])
    [hit] = (await history.reader.search(search_for("cafe"), 1)).hits
    assert [content[low:high] for low, high in hit.matches] == ["Café", "café"]


TEXTS = {
    1: "Orders of today, and of Élodie",
    2: "the order was LATE",
    3: "late orders",
    4: "select order_id from orders",
    5: "NOT late AND not early",
    6: "我家在上海东边。",
    7: "上。海边的iPhone手机 2024年度",
    8: "東京タワーへ行きたい、東京都庁も",
    9: "서울에서 만나요, 내일 서울 날씨",
    10: "ฉันกินข้าวที่กรุงเทพฯ ทุกวัน",
    11: "ຂ້ອຍຢູ່ວຽງຈັນ",
    12: "ខ្ញុំរស់នៅភ្នំពេញ",
    13: "ကျွန်တော်ရန်ကုန်မှာနေတယ်",
}
FOUND = [
    ("late", {2, 3, 5}),
    ("LATE", {2, 3, 5}),
    ("late order", {2}),
    ("order late", {2}),
    ("elodie", {1}),
    ("Élodie", {1}),
    ('"late orders"', {3}),
    ('"orders late"', set()),
    ("ord*", {1, 2, 3, 4}),
    ("orders*", {1, 3, 4}),
    ('"of to"*', {1}),
    ("late -orders", {2, 5}),
    ('late -"late orders"', {2, 5}),
    ("-orders late", {2, 5}),
    ("not late", {5}),
    ("early AND late", {5}),
    ("late OR today", set()),
    ("order_id", {4}),
    ("content:late", set()),
    ("(late)", {2, 3, 5}),
    ("late ^ + ( ) { } , ;", {2, 3, 5}),
    ("NEAR(late orders)", set()),
    ("late*orders", {3}),
    ("上海", {6}),
    ("海", {6, 7}),
    ("边", {6, 7}),
    ("上海东边", {6}),
    ("海上", set()),
    ("上 海", {6, 7}),
    ("海*", {6, 7}),
    ("海边的iPhone", {7}),
    ("iphone", {7}),
    ("iphone手机", {7}),
    ("iphon", set()),
    ("手机", {7}),
    ("2024年", {7}),
    ("2024", {7}),
    ("上 -上海", {7}),
    ('"上 海"', {7}),
    ("東京", {8}),
    ("タワー", {8}),
    ("京都", {8}),
    ("서울", {9}),
    ("울에", {9}),
    ('"서울 날씨"', {9}),
    ("날", {9}),
    ("กรุงเทพ", {10}),
    ("ข้าว", {10}),
    ("ข", {10}),
    ("ວຽງຈັນ", {11}),
    ("ភ្នំពេញ", {12}),
    ("ရန်ကုန်", {13}),
]


async def test_a_query_finds_what_a_person_means(history: History) -> None:
    await history.commit([stored(seq, content=text) for seq, text in TEXTS.items()])
    for query, seqs in FOUND:
        found = await history.reader.search(search_for(query), 10)
        assert set(hit_seqs(found)) == seqs, query


FREQUENT = 300  # times that a word occurs: PostgreSQL knows 256 places of one
LONG = "x" * 3_000  # PostgreSQL's words have 2,046 bytes


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('"late orders"', {1, 4}),
        ('"orders late"', {1}),
        ('"soon orders"', set()),
        ('"late ord"*', {1, 4}),
        ('late -"late orders"', {2}),
        (LONG[:150], set()),
        (f"{LONG[:150]}*", {3, 4}),
        (f"late -{LONG[:150]}*", {1, 2}),
        (f"late -{LONG[:150]}", {1, 2, 4}),
        ('"last orders"', {2}),
    ],
)
async def test_frequent_and_long_words_are_words_like_others(
    history: History, query: str, expected: set[int]
) -> None:
    texts = {
        1: "late " * FREQUENT + "late orders " * FREQUENT,
        2: "late soon " * FREQUENT + "w " * 17_000 + "last orders",
        3: LONG,
        4: f"{LONG}y late orders",
    }
    await history.commit([stored(seq, content=text) for seq, text in texts.items()])
    found = await history.reader.search(search_for(query), 10)
    assert set(hit_seqs(found)) == expected


async def test_a_search_may_be_in_many_rooms(history: History) -> None:
    rooms = [f"room {number}" for number in range(130)]
    await history.commit([stored(1, room=room, content="late") for room in rooms])
    for count in (1, 99, 100, 101, 130):
        found = await history.reader.search(search_for("late", rooms[:count]), 200)
        assert {hit.message.connection_id for hit in found.hits} == set(rooms[:count])


async def test_a_reaction_moves_no_hit_and_an_edit_or_an_end_does(history: History) -> None:
    messages = [message(seq, content="late") for seq in range(1, 5)]
    await history.commit([MessageStored(one) for one in messages])
    assert hit_seqs(await history.reader.search(search_for("late"), 10)) == [4, 3, 2, 1]
    await history.commit(
        [
            reacted(messages[0], 1),
            edited(messages[1], "soon", 2),
            edited(messages[2], "not late any more, but very soon indeed, this week", 3),
            deleted(messages[3], 4),
        ]
    )
    assert hit_seqs(await history.reader.search(search_for("late"), 10)) == [1, 3]
    assert hit_seqs(await history.reader.search(search_for("soon"), 10)) == [2, 3]


async def test_numbers_beyond_any_seq_are_places_like_others(filled: History) -> None:
    highest = 2**63 - 1
    assert seqs(await page(filled, before=highest, limit=1)) == [30]
    assert (await page(filled, after=highest)).messages == ()
    assert await filled.reader.changes(ROOM, 0, highest) == ()
    assert await filled.reader.owed(ROOM, (gap(highest, highest),), 0, 5) == ()
    assert (await filled.reader.newest_owed({ROOM: (gap(29, highest),)}, 1, 0))[ROOM].first_seq == (
        30
    )
    cursor = SearchCursor(highest, highest, highest)
    assert (await filled.reader.search(search_for("orders"), 5, cursor)).hits == ()


async def test_nothing_is_stored_of_a_room_or_a_user_with_a_nul(filled: History) -> None:
    room, reader, some_id = "a\0b", filled.reader, message_id(1)
    assert await last_page(reader, room, 5) == Page((), False, 0, 0)
    assert (await reader.page(room, before=None, after=1, limit=1, thread_id=some_id)).root is None
    assert (await reader.changed(room, 0, 5)).messages == ()
    assert await reader.changes(room, 0, 5) == ()
    assert await reader.message(some_id, [room]) is None
    assert await reader.shown(some_id, room) is None
    assert not await reader.has_thread(room, some_id)
    assert await reader.owed(room, (gap(1, 9),), 0, 5) == ()
    assert await reader.undelivered(room, "bob", 1, 9, 9) == ()
    assert len(await reader.undelivered(ROOM, "bob\0", 1, 9, 99)) == 9
    assert await reader.newest_owed({room: (gap(1, 9),)}, 5, 0) == {room: QueueCut(10, 0)}
    [stretch] = await reader.stretches([Lack(room, 1, 9, 0)])
    assert dict(stretch.by_author) == {}
    found = await reader.search(search_for("orders", [room, ROOM], user_id="ada\0"), 5)
    assert found.hits == ()
    assert len((await reader.search(search_for("orders", [room, ROOM]), 5)).hits) == 5
