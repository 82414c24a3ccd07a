"""Markers, names and mentions in the log: as the last record has them, whatever became of it."""

import sqlite3
from pathlib import Path

import attrs
import pytest

from chatd.chat.changes import deleted, edited
from chatd.chat.queue import Queue
from chatd.chat.reading import MENTIONING_MAX, Lack, Mentioning
from chatd.chat.records import (
    MemberRemoved,
    MessageDeleted,
    MessageEdited,
    MessageStored,
    ReadMarked,
    Record,
)
from chatd.store import schema
from chatd.store.damage import Damaged
from chatd.store.log_file import LOG_NAME
from chatd.store.opening import Store, open_store
from chatd.store.recovery import Recovered
from chatd.store.snapshots import MEMBERS, Snapshot
from chatd.store.verify import verify_store
from chatd.store.writer import LogWriter
from tests.store.full_store import write_snapshot_of, write_to
from tests.store.histories import History
from tests.store.logs import (
    NOW_MS,
    ROOM,
    kept,
    last_page,
    message,
    search_for,
    stored,
    stored_from,
)
from tests.store.test_damage import harm
from tests.store.test_migration import write_version_1


def marked(read_seq: int, user_id: str = "ada") -> ReadMarked:
    return ReadMarked(ROOM, user_id, read_seq)


def known(state: Recovered) -> tuple[dict[str, int], dict[str, str]]:
    return state.read_seqs.get(ROOM, {}), state.names.get(ROOM, {})


# Markers and names


@pytest.mark.parametrize(
    ("records", "read_seqs", "names"),
    [
        ([kept("ada", read_seq=2, name="Ada")], {"ada": 2}, {"ada": "Ada"}),
        ([kept("ada"), marked(1), marked(3)], {"ada": 3}, {}),
        ([kept("ada"), marked(3), kept("ada", Queue(3, 1), read_seq=3)], {"ada": 3}, {}),
        ([kept("ada"), kept("bob"), marked(3), marked(2, "bob")], {"ada": 3, "bob": 2}, {}),
        ([kept("ada", name="Ada"), marked(3), MemberRemoved(ROOM, "ada")], {}, {}),
        (
            [kept("ada", name="A"), marked(1), MemberRemoved(ROOM, "ada"), kept("ada", read_seq=3)],
            {"ada": 3},
            {},
        ),
        ([kept("ada", name="A"), kept("ada", name="B")], {"ada": 0}, {"ada": "B"}),
    ],
)
@pytest.mark.parametrize("is_one_commit", [True, False])
@pytest.mark.parametrize("snapshot_behind", [None, 0, 1])
def test_a_member_has_read_as_far_as_its_last_record_says(
    directory: Path,
    records: list[Record],
    read_seqs: dict[str, int],
    names: dict[str, str],
    is_one_commit: bool,
    snapshot_behind: int | None,
) -> None:
    store = open_store(directory, "write")
    write_to(store, list(stored_from(1, 3)))
    if is_one_commit:
        write_to(store, list(records))
    for at, record in enumerate([] if is_one_commit else records):
        if at == snapshot_behind:
            write_snapshot_of(store)
        write_to(store, [record])
    assert known(store.reread()) == (read_seqs, names)
    store.close()
    store = open_store(directory, "write")
    assert known(store.recovered) == (read_seqs, names)
    store.close()
    verified = verify_store(directory)
    assert verified.is_sound, verified.findings


def test_a_snapshot_from_before_there_were_markers_leaves_them_to_the_log(directory: Path) -> None:
    store = open_store(directory, "write")
    write_to(store, [*stored_from(1, 3), kept("ada", read_seq=2, name="Ada")])
    state = store.reread()
    store.write_snapshot(Snapshot(store.epoch, state.position, NOW_MS, {MEMBERS: state.members}))
    store.close()
    store = open_store(directory, "write")
    assert known(store.recovered) == ({"ada": 2}, {"ada": "Ada"})
    store.close()


@pytest.mark.parametrize("column", ["read_seq = 9", "read_seq = -1", "name = CAST(x'ff' AS TEXT)"])
def test_a_marker_that_cannot_be_is_damage_and_says_that_all_is_read(
    directory: Path, column: str
) -> None:
    store = open_store(directory, "write")
    write_to(store, [*stored_from(1, 3), kept("ada", read_seq=2), kept("bob", read_seq=1)])
    store.close()
    assert verify_store(directory).is_sound
    harm(directory, f"UPDATE members SET {column} WHERE user_id = 'ada'")
    store = open_store(directory, "write")
    assert store.damaged == (Damaged("members", ROOM),)
    read_seqs, names = known(store.recovered)
    assert read_seqs == {"ada": 2 if column.startswith("name") else 3, "bob": 1}
    assert names == {}
    store.close()
    verified = verify_store(directory)
    assert not verified.is_sound
    assert any("'ada'" in finding.text for finding in verified.findings)


def test_what_an_older_chatd_wrote_is_read(directory: Path) -> None:
    write_version_1(directory, 7)
    connection = sqlite3.connect(directory / LOG_NAME, isolation_level=None)
    for statement in (one for step in schema.MIGRATIONS[1:6] for one in step):
        connection.execute(statement)
    connection.execute("PRAGMA user_version = 6")
    connection.execute("DELETE FROM messages WHERE seq < 4")
    connection.execute("UPDATE rooms SET forgotten_seq = 3 WHERE connection_id = 'sales'")
    connection.execute(
        "INSERT INTO rooms (room_id, connection_id, forgotten_seq) VALUES (3, 'emptied', 5)"
    )
    connection.execute(
        "INSERT INTO members (room_id, user_id, joined_ms, position) VALUES (3, 'ada', 1, 1)"
    )
    connection.close()
    store = open_store(directory, "write")
    assert store.recovered.read_seqs == {
        "sales": {"ada": 7, "bob": 7},
        "quiet": {"bob": 0},
        "emptied": {"ada": 5},
    }
    assert store.recovered.names == {}
    store.close()


# Mentions


async def test_a_message_comes_back_with_whom_it_mentions(history: History) -> None:
    first = message(1, content="hello @bob", mentions=("bob", "Ünïcode 🐘"))
    await history.commit([MessageStored(first), stored(2)])
    assert [one.mentions for one in (await last_page(history.reader, ROOM, 9)).messages] == [
        first.mentions,
        (),
    ]
    assert await history.reader.message(first.message_id) == first
    found = await history.reader.search(search_for("hello"), 9)
    assert [hit.message for hit in found.hits] == [first]


async def test_an_edit_mentions_anew_and_a_deleted_message_nobody(history: History) -> None:
    messages = [message(seq, mentions=("bob",)) for seq in range(1, 4)]
    await history.commit([MessageStored(one) for one in messages])
    first, second, third = (
        edited(messages[0], "@cyd", 1, NOW_MS, ("cyd",)),
        edited(messages[1], "nobody", 2, NOW_MS, ()),
        deleted(messages[2], 3, NOW_MS),
    )
    await history.commit(
        [
            MessageEdited(first, 1, "ada", NOW_MS),
            MessageEdited(second, 2, "ada", NOW_MS),
            MessageDeleted(third, 3, "ada", NOW_MS),
        ]
    )
    page = await last_page(history.reader, ROOM, 9)
    assert page.messages == (first, second, third)
    [stretch] = await history.reader.stretches([Lack(ROOM, 1, 3, 0)])
    assert list(stretch.mentioning) == [Mentioning(1, "ada", ("cyd",))]
    assert list(stretch.deleted) == [3]


async def test_a_stretch_has_the_authors_of_its_messages_and_all_newest_mentions(
    history: History,
) -> None:
    users = ["ada", "bob", "ada", "ada", "bob"]
    await history.commit(
        [stored(n, user_id=user, mentions=("x",)) for n, user in enumerate(users, 1)]
    )
    await history.commit([stored(1, room="other", mentions=("y",))])
    whole, part, none = await history.reader.stretches(
        [Lack(ROOM, 1, 5, 0), Lack(ROOM, 2, 3, 0), Lack("elsewhere", 1, 9, 0)]
    )
    assert {author: list(seqs) for author, seqs in whole.by_author.items()} == {
        "ada": [1, 3, 4],
        "bob": [2, 5],
    }
    assert {author: list(seqs) for author, seqs in part.by_author.items()} == {
        "bob": [2],
        "ada": [3],
    }
    all_mentions = [Mentioning(n, user, ("x",)) for n, user in enumerate(users, 1)]
    assert list(whole.mentioning) == list(part.mentioning) == all_mentions
    assert (whole.first_kept, dict(none.by_author), list(none.mentioning)) == (1, {}, [])


async def test_what_retention_removed_is_in_no_stretch(history: History) -> None:
    await history.commit(stored_from(1, 5, mentions=("x",)))
    await history.forget(ROOM, 3)
    [stretch] = await history.reader.stretches([Lack(ROOM, 1, 5, 0)])
    assert (list(stretch.by_author["ada"]), stretch.first_kept) == ([4, 5], 4)
    assert [one.seq for one in stretch.mentioning] == [4, 5]
    await history.forget(ROOM, 5)
    [stretch] = await history.reader.stretches([Lack(ROOM, 1, 5, 0)])
    assert (dict(stretch.by_author), stretch.first_kept) == ({}, 6)
    assert list(stretch.mentioning) == []


async def test_no_more_mentions_are_read_than_are_counted(history: History) -> None:
    await history.commit(stored_from(1, MENTIONING_MAX + 5, mentions=("x",)))
    [stretch] = await history.reader.stretches([Lack(ROOM, 1, 1, 0)])
    assert len(stretch.mentioning) == MENTIONING_MAX
    assert stretch.mentioning[-1].seq == MENTIONING_MAX + 5


@pytest.mark.parametrize("users", ["no json", "[]", "{}", "[1]", "7"])
async def test_mentions_that_are_broken_cost_their_message_and_no_count(
    store: Store, writer: LogWriter, directory: Path, users: str
) -> None:
    await writer.commit(stored_from(1, 3, mentions=("bob",)))
    harm(directory, f"UPDATE mentions SET users = '{users}' WHERE seq = 2")
    page = await last_page(store.readers, ROOM, 9)
    assert [(one.is_damaged, one.mentions) for one in page.messages] == [
        (False, ("bob",)),
        (True, ()),
        (False, ("bob",)),
    ]
    [stretch] = await store.readers.stretches([Lack(ROOM, 1, 3, 0)])
    assert [one.seq for one in stretch.mentioning] == [1, 3]


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE mentions SET users = '[]'", "no JSON list of users"),
        ("UPDATE mentions SET author = 'eve'", "said to be by 'eve'"),
        ("UPDATE mentions SET seq = 7", "not there"),
        ("UPDATE mentions SET message = 9", "not there"),
    ],
)
def test_mentions_that_do_not_fit_are_found_and_told(
    directory: Path, statement: str, told: str
) -> None:
    store = open_store(directory, "write")
    write_to(store, [stored(1), stored(2, mentions=("bob",))])
    store.close()
    assert verify_store(directory).is_sound
    harm(directory, statement)
    found = [finding.text for finding in verify_store(directory).findings]
    assert any(told in text for text in found), found


async def test_an_author_that_cannot_be_read_is_somebody_else(
    store: Store, writer: LogWriter, directory: Path
) -> None:
    await writer.commit(stored_from(1, 3))
    harm(directory, "UPDATE messages SET user_id = CAST(x'ff' AS TEXT) WHERE seq = 2")
    [stretch] = await store.readers.stretches([Lack(ROOM, 1, 3, 0)])
    assert {author: list(seqs) for author, seqs in stretch.by_author.items()} == {"ada": [1, 3]}


def test_an_edit_of_a_message_of_the_same_commit_leaves_its_mentions(directory: Path) -> None:
    store = open_store(directory, "write")
    first = message(1, mentions=("bob",))
    again = edited(first, "@cyd", 1, NOW_MS, ("cyd",))
    write_to(store, [MessageStored(first), MessageEdited(again, 1, "ada", NOW_MS)])
    assert attrs.asdict(store.reread())["rooms"] == {ROOM: 1}
    store.close()
    connection = sqlite3.connect(directory / LOG_NAME)
    assert connection.execute("SELECT seq, users FROM mentions").fetchall() == [(1, '["cyd"]')]
    connection.close()
    assert verify_store(directory).is_sound
