"""Changes of messages in the log: kept with who and when, and the messages read as they are now."""

import sqlite3
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

from chatd.chat.commits import RecordRefused
from chatd.chat.queue import Gap
from chatd.chat.records import (
    Changes,
    Delivered,
    Message,
    MessageDeleted,
    MessageEdited,
    MessageStored,
    Reaction,
    ReactionChanged,
)
from chatd.chat.rendering import DAMAGED_SENTENCE
from chatd.store import search_index
from chatd.store.opening import Store, open_store
from chatd.store.retention import Surplus
from chatd.store.search_index import index_older, index_some
from chatd.store.writer import LogWriter
from tests.store.full_store import write_to
from tests.store.histories import History
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
)
from tests.store.test_damage import SECRET, break_a_page_of_messages, harm
from tests.store.test_index_renewal import ended, started, texts

THUMB = "\N{THUMBS UP SIGN}"


async def filled(history: History, count: int = 4) -> list[Message]:
    messages = [message(seq, content=f"text {seq}") for seq in range(1, count + 1)]
    await history.commit([MessageStored(one) for one in messages])
    return messages


async def newest(history: History) -> list[Message]:
    return list((await last_page(history.reader, ROOM, 99)).messages)


# What every history keeps


async def test_a_message_is_read_as_of_its_newest_change(history: History) -> None:
    first, second, third, fourth = await filled(history)
    edit = edited(first, "other", 1)
    like = reacted(edit.message, 2)
    gone = deleted(third, 3)
    await history.commit([edit, like, gone])
    changes = Changes(2, NOW_MS, 1, NOW_MS, None, (Reaction(THUMB, ("bob",)),))
    assert like.message == attrs.evolve(first, content="other", changes=changes)
    assert await newest(history) == [like.message, second, gone.message, fourth]
    assert await history.reader.message(first.message_id) == like.message
    assert await history.reader.message(third.message_id) == gone.message
    owed = await history.reader.owed(ROOM, [Gap(1, 3, 0)], 0, 9)
    assert [one for one, _ in owed] == [like.message, second, gone.message]
    assert await history.reader.written(first.message_id) == first
    assert await history.reader.written(third.message_id, [ROOM]) == third
    assert await history.reader.written(third.message_id, ["other"]) is None


async def test_what_was_changed_after_a_rev_comes_by_its_newest_rev_in_pages(
    history: History,
) -> None:
    first, second, third, _ = await filled(history)
    edit = edited(first, "other", 1)
    gone = deleted(third, 2)
    like = reacted(second, 3)
    again = edited(edit.message, "more", 4)
    await history.commit([edit, gone, like, again, Delivered(ROOM, 3, "bob", NOW_MS)])
    page = await history.reader.changed(ROOM, 0, 2)
    assert page.messages == (gone.message, like.message)
    assert (page.has_more, page.last_rev, page.first_seq, page.last_seq) == (True, 4, 1, 4)
    assert page.delivered == {3}
    page = await history.reader.changed(ROOM, 3, 2)
    assert (page.messages, page.has_more) == ((again.message,), False)
    page = await history.reader.changed(ROOM, 4, 2)
    assert (page.messages, page.has_more, page.last_rev) == ((), False, 4)
    assert (await history.reader.changed("elsewhere", 0, 2)).last_rev == 0
    assert (await last_page(history.reader, ROOM, 1)).last_rev == 4
    with pytest.raises(ValueError, match="not for 0"):
        await history.reader.changed(ROOM, 0, 0)


async def test_a_page_of_changes_holds_so_many_bytes(history: History) -> None:
    history.set_page_bytes(10)
    messages = await filled(history)
    await history.commit(
        [edited(one, "x" * 8, rev) for rev, one in enumerate(messages[:3], start=1)]
    )
    page = await history.reader.changed(ROOM, 0, 9)
    assert ([one.rev for one in page.messages], page.has_more) == ([1], True)


async def test_changes_come_one_by_one_as_they_were_made(history: History) -> None:
    first, second, *_ = await filled(history)
    edit = edited(first, "other", 1)
    like = reacted(second, 2)
    again = edited(edit.message, "more", 3, at_ms=NOW_MS + 1)
    off = reacted(like.message, 4, is_on=False)
    gone = deleted(again.message, 5)
    await history.commit([edit, like, again, off, gone])
    made = await history.reader.changes(ROOM, 1, 4)
    assert [(type(one), one.rev, one.by, one.at_ms) for one in made] == [
        (ReactionChanged, 2, "bob", NOW_MS),
        (MessageEdited, 3, "ada", NOW_MS + 1),
        (ReactionChanged, 4, "bob", NOW_MS),
    ]
    assert made[1].message.content == "more"
    assert [one.message.seq for one in made] == [2, 1, 2]
    assert isinstance(made[0], ReactionChanged)
    assert (made[0].emoji, made[0].is_on) == (THUMB, True)
    [last] = await history.reader.changes(ROOM, 4, 9)
    assert last == MessageDeleted(gone.message, 5, "ada", NOW_MS)
    assert await history.reader.changes("elsewhere", 0, 9) == ()


async def test_an_edited_message_is_found_by_its_new_words_and_a_deleted_one_by_none(
    history: History,
) -> None:
    first, second, third, _ = await filled(history)
    search = history.reader.search
    assert hit_seqs(await search(search_for("text"), 9)) == [4, 3, 2, 1]
    edit = edited(first, "apples", 1)
    await history.commit([edit, deleted(second, 2), reacted(third, 3)])
    assert hit_seqs(await search(search_for("text"), 9)) == [4, 3]
    [hit] = (await search(search_for("apples"), 9)).hits
    assert hit.message == edit.message
    assert hit.matches == ((0, 6),)
    fifth = message(5, content="pears")
    await history.commit(
        [
            MessageStored(fifth),
            edited(fifth, "apples and pears", 4),
            edited(edit.message, "plums", 5),
        ]
    )
    assert hit_seqs(await search(search_for("apples"), 9)) == [5]
    assert hit_seqs(await search(search_for("plums"), 9)) == [1]


async def test_changes_go_with_their_messages(history: History) -> None:
    first, second, *_ = await filled(history)
    await history.commit([edited(first, "other", 1), edited(second, "other", 2)])
    await history.forget(ROOM, 1)
    page = await history.reader.changed(ROOM, 0, 9)
    assert ([one.seq for one in page.messages], page.last_rev) == ([2], 2)
    assert [one.rev for one in await history.reader.changes(ROOM, 0, 9)] == [2]
    assert hit_seqs(await history.reader.search(search_for("other"), 9)) == [2]


# The log in SQLite


async def test_revs_and_messages_are_there_again_after_a_restart(directory: Path) -> None:
    store, writer = await started(directory)
    first = message(1)
    await writer.commit([MessageStored(first), MessageStored(message(1, room="other"))])
    edit = edited(first, "other", 1)
    await writer.commit([edit, reacted(edit.message, 2)])
    assert store.recovered.revs == {}
    await ended(store, writer)
    store, writer = await started(directory)
    assert store.recovered.revs == {ROOM: 2}
    assert store.recovered.position == 4
    await writer.commit([reacted(reacted(edit.message, 2).message, 3, user_id="joe")])
    await ended(store, writer)
    assert texts(directory) == []


async def test_a_room_whose_last_rev_was_lost_goes_on_behind_its_changes(directory: Path) -> None:
    store, writer = await started(directory)
    first = message(1)
    edit = edited(first, "other", 1)
    await writer.commit([MessageStored(first), edit])
    await ended(store, writer)
    harm(directory, "UPDATE rooms SET last_rev = 0")
    store, writer = await started(directory)
    assert store.recovered.revs == {ROOM: 1}
    assert (await last_page(store.readers, ROOM, 9)).last_rev == 1
    await writer.commit([reacted(edit.message, 2)])
    await ended(store, writer)
    assert texts(directory) == []


@pytest.mark.parametrize("rev", [1, 3])
async def test_a_rev_that_does_not_follow_is_refused(writer: LogWriter, rev: int) -> None:
    first = message(1)
    await writer.commit([MessageStored(first), edited(first, "other", 1)])
    with pytest.raises(RecordRefused, match=f"rev {rev} does not follow on rev 1"):
        await writer.commit([reacted(first, rev)])
    await writer.commit([reacted(first, 2)])


async def test_a_change_of_a_message_that_is_not_there_is_refused(writer: LogWriter) -> None:
    first = message(1)
    await writer.commit([MessageStored(first)])
    with pytest.raises(RecordRefused):
        await writer.commit([edited(message(2), "other", 1)])
    await writer.commit([edited(first, "other", 1)])


async def test_a_message_that_is_stored_again_is_compared_with_what_was_first_written(
    writer: LogWriter,
) -> None:
    first = message(1)
    await writer.commit([MessageStored(first), edited(first, "other", 1)])
    outcome = await writer.commit([MessageStored(attrs.evolve(first, seq=2))])
    assert dict(outcome.existing) == {first.message_id: first}  # type: ignore[union-attr]


async def test_what_was_written_before_stays_in_the_log(writer: LogWriter) -> None:
    first = message(1, content="one")
    edit = edited(first, "two", 1)
    await writer.commit([MessageStored(first), edit, deleted(edit.message, 2, at_ms=7)])

    def kept(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
        assert connection.execute("SELECT content FROM messages").fetchall() == [("one",)]
        return connection.execute("SELECT kind, user_id, at_ms, written FROM changes").fetchall()

    assert await writer.maintain(kept) == [
        ("edit", "ada", NOW_MS, "two"),
        ("delete", "ada", 7, None),
    ]


async def index(store: Store, writer: LogWriter) -> None:
    await writer.index_until(trio.current_time() + 10)


async def test_the_index_is_whole_wherever_it_stops_among_changes(directory: Path) -> None:
    store, writer = await started(directory)
    first, second = message(1, content="one"), message(2, content="two")
    edit = edited(first, "three", 1)
    again = edited(edit.message, "four", 2)
    await writer.commit(
        [MessageStored(first), edit, MessageStored(second), again, deleted(second, 3)]
    )
    more = reacted(again.message, 4)
    await writer.commit([more, edited(more.message, "five", 5)])
    while await writer.maintain(partial(index_some, most=1)):
        assert texts(directory) == []
    assert hit_seqs(await store.readers.search(search_for("five"), 9)) == [1]
    for gone in ("one", "two", "three", "four"):
        assert hit_seqs(await store.readers.search(search_for(gone), 9)) == []
    await writer.remove([Surplus(ROOM, 2)])
    assert texts(directory) == []
    await ended(store, writer)


async def test_what_is_removed_before_its_change_is_indexed_leaves_no_word(
    directory: Path,
) -> None:
    store, writer = await started(directory)
    first = message(1, content="one")
    await writer.commit([MessageStored(first)])
    await index(store, writer)
    await writer.commit([edited(first, "two", 1), MessageStored(message(2, content="two"))])
    await writer.remove([Surplus(ROOM, 2)])
    await index(store, writer)
    assert hit_seqs(await store.readers.search(search_for("one"), 9)) == []
    assert hit_seqs(await store.readers.search(search_for("two"), 9)) == [2]
    await ended(store, writer)
    assert texts(directory) == []


async def test_an_index_that_is_built_anew_has_messages_as_they_are(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, writer = await started(directory)
    messages = [message(seq, content=f"old {seq}") for seq in range(1, 6)]
    await writer.commit([MessageStored(one) for one in messages])
    await writer.commit([edited(messages[0], "new 1", 1), deleted(messages[1], 2)])
    await index(store, writer)
    await ended(store, writer)
    monkeypatch.setattr(search_index, "FORM", "another form")
    store, writer = await started(directory)
    await writer.maintain(partial(index_older, most=2))
    await writer.commit([edited(messages[2], "new 3", 3), edited(messages[4], "new 5", 4)])
    await writer.maintain(index_some)
    await writer.index_older_until(trio.current_time() + 10)
    assert sorted(hit_seqs(await store.readers.search(search_for("new"), 9))) == [1, 3, 5]
    assert hit_seqs(await store.readers.search(search_for("old"), 9)) == [4]
    await ended(store, writer)
    monkeypatch.setattr("chatd.store.integrity.FORM", "another form")
    assert texts(directory) == []


async def test_what_changed_behind_the_index_is_not_shown_by_what_it_said_before(
    directory: Path,
) -> None:
    store, writer = await started(directory)
    first, second = message(1, content="one"), message(2, content="one")
    await writer.commit([MessageStored(first), MessageStored(second)])
    await index(store, writer)
    await writer.commit([edited(first, "two", 1), deleted(second, 2)])

    async def stuck(until_s: float) -> None:
        """The disk does not let the index grow."""

    store.readers._index_until = stuck
    found = await store.readers.search(search_for("one"), 9)
    assert (found.hits, found.cursor, found.unreadable) == ((), None, 0)
    await ended(store, writer)


def steps_of_indexing(connection: sqlite3.Connection) -> int:
    """Index what is new; how many steps of SQLite's machine that took."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(count, 1)
    try:
        index_some(connection)
    finally:
        connection.set_progress_handler(None, 0)
    return steps


async def test_an_edit_costs_the_index_the_same_after_many_reactions(directory: Path) -> None:
    store, writer = await started(directory)
    first = message(1)
    await writer.commit([MessageStored(first)])
    await index(store, writer)
    await writer.commit([edited(first, "few", 1)])
    few = await writer.maintain(steps_of_indexing)
    changed, rev = first, 1
    for rev in range(2, 1_002):
        toggled = reacted(changed, rev, is_on=rev % 2 == 0)
        await writer.commit([toggled])
        changed = toggled.message
    await index(store, writer)
    await writer.commit([edited(changed, "many", rev + 1)])
    assert await writer.maintain(steps_of_indexing) < 2 * few
    await ended(store, writer)


@pytest.mark.parametrize(
    "what",
    [
        "reactions = 'x'",
        "reactions = '[[1, 2]]'",
        "reactions = '[\"a\"]'",
        "content = CAST(x'ff' AS TEXT)",
        "reactions = CAST(x'ff' AS TEXT)",
    ],
)
async def test_a_change_that_cannot_be_read_shows_nothing_of_the_text(
    directory: Path, what: str
) -> None:
    store, writer = await started(directory)
    first, second = message(1, content="secret", context=b'{"schema":"s"}'), message(2)
    await writer.commit([MessageStored(first), MessageStored(second), deleted(first, 1)])
    harm(directory, f"UPDATE changed SET {what}")
    for shown in (
        (await last_page(store.readers, ROOM, 9)).messages[0],
        (await store.readers.changed(ROOM, 0, 9)).messages[0],
        await store.readers.message(first.message_id),
    ):
        assert shown is not None
        assert (shown.is_damaged, shown.content, shown.context) == (True, DAMAGED_SENTENCE, None)
        assert shown.rev == 1
    await ended(store, writer)


async def test_a_broken_page_of_the_file_keeps_the_place_of_the_changed_messages_in_it(
    directory: Path,
) -> None:
    store = open_store(directory, "write")
    messages = [message(seq, content=SECRET * 5) for seq in range(1, 401)]
    reactions = [reacted(one, rev) for rev, one in enumerate(messages, start=1)]
    write_to(store, [*map(MessageStored, messages)], [*reactions])
    store.close()
    store = open_store(directory, "write")
    break_a_page_of_messages(store.path)
    shown = (await store.readers.changed(ROOM, 0, 400)).messages
    assert [one.rev for one in shown] == list(range(1, 401))
    lost = [one for one in shown if one.is_damaged]
    assert 0 < len(lost) < 100
    assert {one.content for one in lost} == {DAMAGED_SENTENCE}
    store.close()
