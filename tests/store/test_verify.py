"""The full check: it finds what is damaged, says where, and changes nothing."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from chatd.chat.queue import GAPS_MAX, Queue
from chatd.store import schema
from chatd.store.connections import Durability, connect_to_write
from chatd.store.errors import StoreTooNew, StoreTooOld, StoreUnavailable
from chatd.store.integrity import FAULTS_MAX
from chatd.store.log_file import LOG_NAME, look
from chatd.store.opening import open_store
from chatd.store.snapshots import Snapshot, write_snapshot
from chatd.store.verify import Verified, verify_store
from tests.store.full_store import asked, fill, write_snapshot_of, write_to
from tests.store.logs import NOW_MS, ROOM, kept, member_parts, stored
from tests.store.test_migration import write_version_1


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("filled") / "state"
    fill(directory)
    return directory


@pytest.fixture
def full(filled: Path, directory: Path) -> Path:
    """A state directory that may be damaged, of a daemon that has stopped."""
    shutil.copytree(filled, directory)
    return directory


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def damage(directory: Path, *statements: str) -> None:
    connection = sqlite3.connect(directory / LOG_NAME, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def texts(verified: Verified) -> list[str]:
    return [finding.text for finding in verified.findings if finding.is_damage]


def named(position: int, at_ms: int) -> str:
    return f"snapshot-{position:020}-{at_ms}.chatd"


def test_a_full_store_is_sound_and_each_snapshot_is_told(full: Path) -> None:
    verified = verify_store(full)
    assert verified.is_sound
    assert verified.recovered is not None
    assert verified.recovered.rooms == {ROOM: 9, "other": 2_500}
    names = sorted((path.name for path in full.glob("snapshot-*")), reverse=True)
    assert [finding.text for finding in verified.findings] == [
        f"Snapshot {name} is good." for name in names
    ]
    assert len(names) == 2


def test_a_new_store_is_sound(directory: Path) -> None:
    open_store(directory, "fsync").close()
    assert verify_store(directory).findings == ()


def test_verifying_leaves_no_trace(full: Path) -> None:
    before = contents(full)
    verify_store(full)
    assert contents(full) == before


def test_what_a_killed_daemon_left_is_verified_with_its_wal(full: Path, tmp_path: Path) -> None:
    store = open_store(full, "fsync")
    connection = connect_to_write(store.path, Durability.FSYNC)
    connection.execute("UPDATE rooms SET forgotten_seq = 1 WHERE room_id = 1")
    killed = shutil.copytree(full, tmp_path / "killed")
    connection.close()
    store.close()
    before = contents(killed)
    assert f"{LOG_NAME}-wal" in before
    assert texts(verify_store(killed)) == [f"Room {ROOM!r}: seq 1 follows on 1."]
    after = contents(killed)
    assert {name: after[name] for name in before if not name.endswith("-shm")} == {
        name: content for name, content in before.items() if not name.endswith("-shm")
    }


def test_a_log_that_is_written_to_meanwhile_is_seen_at_one_moment(full: Path) -> None:
    store = open_store(full, "fsync")
    asked = []

    def question(connection: sqlite3.Connection) -> tuple[int, int]:
        [(before,)] = connection.execute("SELECT max(seq) FROM messages WHERE room_id = 1")
        write_to(store, [stored(before + 1)])
        [(after,)] = connection.execute("SELECT max(seq) FROM messages WHERE room_id = 1")
        asked.append((before, after))
        return before, after

    # Nobody had it open, so that it was read as it lay; then somebody had: it is asked again.
    assert look(store.path, question) == (10, 10)
    assert asked[0][0] == 9
    assert len(asked) == 2
    holder = connect_to_write(store.path, Durability.FSYNC)
    holder.execute("SELECT * FROM meta").fetchall()
    assert look(store.path, question) == (11, 11)
    assert len(asked) == 3
    holder.close()
    store.close()
    assert verify_store(full).is_sound


def test_what_there_is_no_form_for_is_told(full: Path, tmp_path: Path) -> None:
    damage(full, f"PRAGMA user_version = {schema.CURRENT_VERSION + 1}")
    with pytest.raises(StoreTooNew, match="newer chatd"):
        verify_store(full)
    write_version_1(tmp_path / "older", 3)
    with pytest.raises(StoreTooOld, match="has the form 1"):
        verify_store(tmp_path / "older")
    for place in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(StoreUnavailable, match="no log in"):
            verify_store(place)


SWAP = [
    "UPDATE messages SET position = -1 WHERE room_id = 1 AND seq = 2",
    "UPDATE messages SET position = 2 WHERE room_id = 1 AND seq = 3",
    "UPDATE messages SET position = 3 WHERE position = -1",
]


def without_index_entry(name: str) -> Callable[[Path], None]:
    """A message that one of its indexes does not have: written while the index was hidden."""

    def spoil(directory: Path) -> None:
        path = directory / LOG_NAME
        connection = sqlite3.connect(path, isolation_level=None)
        [hidden] = connection.execute(
            "SELECT rowid, * FROM sqlite_schema WHERE name = ?", (name,)
        ).fetchall()
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_schema WHERE name = ?", (name,))
        connection.execute("PRAGMA writable_schema = RESET")
        connection.execute(
            "INSERT INTO messages (position, room_id, seq, message_id, timestamp_ms, user_id,"
            " content) VALUES (9000, 1, 10, randomblob(16), 0, 'ada', 'hidden')"
        )
        connection.execute("UPDATE meta SET position = 9000")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "INSERT INTO sqlite_schema (rowid, type, name, tbl_name, rootpage, sql)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            hidden,
        )
        connection.close()

    return spoil


@pytest.mark.parametrize("index", ["messages_by_seq", "messages_by_id"])
def test_a_message_that_is_not_in_an_index_is_found(full: Path, index: str) -> None:
    without_index_entry(index)(full)
    assert any(f"missing from index {index}" in text for text in texts(verify_store(full)))


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        (["DELETE FROM messages WHERE room_id = 1 AND seq = 4"], "Room 'sales': seq 5 follows on"),
        (["DELETE FROM messages WHERE room_id = 1 AND seq = 1"], "seq 2 follows on 0"),
        (["UPDATE rooms SET forgotten_seq = 41 WHERE room_id = 2"], "seq 41 follows on 41"),
        (["UPDATE rooms SET forgotten_seq = -1 WHERE room_id = 1"], "forgotten seq -1"),
        (["UPDATE rooms SET last_rev = 1 << 62 WHERE room_id = 1"], f"rev {1 << 62}, which"),
        (SWAP, "Room 'sales': seq 3 was committed before the one below it"),
        (["UPDATE messages SET room_id = 9 WHERE room_id = 1"], "of room number 9, which is not"),
        (["UPDATE rooms SET room_id = 9 WHERE room_id = 2"], "numbers of the 2 rooms are not 1"),
        (["UPDATE meta SET position = position - 8"], "its members reach"),
        (["UPDATE meta SET position = 30"], "its messages reach"),
        (["UPDATE meta SET epoch = 'no epoch'"], "'no epoch' is not 16 hex digits"),
        (["DELETE FROM meta"], "0 heads instead of one"),
        (["UPDATE meta SET indexed_position = 100000"], "search index is said to reach"),
        (["UPDATE meta SET unindexed_up_to = 2401"], "search index is said to begin behind 2401"),
        (["UPDATE meta SET unindexed_up_to = 100"], "index is not that of the messages"),
        (["UPDATE messages SET content = CAST(x'ff' AS TEXT) WHERE seq = 9"], "is not UTF-8"),
        (["UPDATE messages SET message_id = x'01' WHERE room_id = 1 AND seq = 2"], "is no UUID"),
        (["UPDATE messages SET thread_id = x'01' WHERE seq = 9"], "an id that is no UUID"),
        (["UPDATE messages SET context = x'7b' WHERE seq = 1"], "a context that is no JSON"),
        (["UPDATE messages SET answer = x'7b' WHERE seq = 1"], "an answer that is no JSON"),
        (["UPDATE messages SET reply_to = x'01' WHERE seq = 9"], "an id that is no UUID"),
        (["UPDATE members SET room_id = 7"], "is a member of room number 7, which is not there"),
        (["UPDATE members SET is_member = 2"], "is_member is 2"),
        (
            ["UPDATE messages SET content = 'other' WHERE seq = 2000"],
            "index is not that of the messages",
        ),
        (["UPDATE meta SET indexed_position = 2398"], "index is not that of the messages"),
        (["UPDATE meta SET indexed_position = 2401"], "index is not that of the messages"),
        (["DELETE FROM message_text_docsize WHERE id = 2000"], "index is not that of"),
        (["DELETE FROM message_text_data WHERE id > 10"], "search index"),
        (["UPDATE changed SET content = 'other' WHERE seq = 9"], "not what its changes come to"),
        (["UPDATE changed SET rev = 9 WHERE seq = 9"], "not what its changes come to"),
        (["UPDATE changed SET deleted_ms = NULL"], "not what its changes come to"),
        (["UPDATE changed SET reactions = '[]'"], "not what its changes come to"),
        (["UPDATE changed SET reactions = 'x' WHERE seq = 9"], "not what its changes come to"),
        (["DELETE FROM changed WHERE seq = 7"], "not what its changes come to"),
        (["DELETE FROM changes WHERE kind = 'delete'"], "is said to be changed, and never was"),
        (["DELETE FROM changes WHERE rev = 2"], "not what its changes come to"),
        (
            ["UPDATE changes SET message = 9000 WHERE rev = 2"],
            "of a message that is not in its room",
        ),
        (["UPDATE changes SET room_id = 2 WHERE rev = 2"], "of a message that is not in its room"),
        (["UPDATE rooms SET last_rev = 6"], "has rev 7, and its room has come to 6"),
        (["UPDATE changes SET kind = 'else' WHERE rev = 2"], "not a valid change of kind 'else'"),
        (["UPDATE changes SET written = NULL WHERE rev = 2"], "not a valid change of kind 'edit'"),
        (["UPDATE changes SET user_id = CAST(x'ff' AS TEXT) WHERE rev = 3"], "is not UTF-8"),
        (
            [
                "UPDATE changes SET rev = 90 WHERE rev = 1",
                "UPDATE changes SET rev = 1 WHERE rev = 2",
                "UPDATE changes SET rev = 2 WHERE rev = 90",
            ],
            "rev 2 was committed before the one below it",
        ),
        (["UPDATE meta SET position = position - 1"], "its changes reach"),
    ],
)
def test_a_fault_in_the_log_is_found_and_told(full: Path, statements: list[str], told: str) -> None:
    damage(full, *statements)
    before = contents(full)
    found = texts(verify_store(full))
    assert any(told in text for text in found), found
    assert contents(full) == before


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (None, None),
        ("UPDATE answers SET state = NULL", "is there, and said to be open"),
        ("UPDATE answers SET state = 'done'", "has ended as 'done', and is not there"),
        ("UPDATE answers SET room_id = 9", "is not among the messages"),
        ("DELETE FROM messages WHERE seq = 12", "is not among the messages"),
        ("UPDATE messages SET reply_to = NULL", "has ended as 'done', and is not there"),
    ],
)
def test_what_became_of_questions_agrees_with_the_messages(
    full: Path, statement: str | None, told: str | None
) -> None:
    store = open_store(full, "write")
    write_to(store, asked(10, answered=True), asked(12))
    store.close()
    if statement is not None:
        damage(full, statement)
    found = texts(verify_store(full))
    if told is None:
        assert found == []
    else:
        assert any(told in text for text in found), found


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ("gaps = 'no json'", "queue of user"),
        ("gaps = '[[1]]'", "not the queue of a member"),
        ("gaps = '[[1, 2.5, 0]]'", "not made of whole numbers"),
        ("gaps = '[[5, 4, 0]]'", "its gaps are not in order"),
        ("gaps = '[[1, 4, 0], [4, 5, 0]]'", "its gaps are not in order"),
        ("gaps = '[[0, 4, 0]]'", "its gaps are 0 to 4"),
        ("gaps = '[[6, 8, 0]]'", "its gaps are 6 to 8, beyond 1 to 7"),
        ("away_seq = NULL, gaps = '[[6, 10, 0]]'", "beyond 1 to 9"),
        ("away_seq = 10", "away since seq 10, the room's last is 9"),
        ("away_seq = -1, gaps = '[]'", "away since seq -1"),
        ("fallen = '[4, 3]'", "what fell out of it"),
        ("fallen = '[1, 10]'", "what fell out of it"),
        ("fallen = '[1]'", "not the queue of a member"),
    ],
)
def test_a_queue_without_its_form_is_found_and_told(full: Path, columns: str, told: str) -> None:
    damage(full, f"UPDATE members SET {columns} WHERE user_id = 'bob'")
    verified = verify_store(full)
    assert not verified.is_sound
    assert any(
        "queue of user 'bob'" in text and any(word in text for word in told.split("|"))
        for text in texts(verified)
    ), texts(verified)


def test_a_queue_of_too_many_gaps_is_found(full: Path) -> None:
    store = open_store(full, "write")
    write_to(store, [kept("dan", Queue(), room="other")])
    store.close()
    for count, sound in ((GAPS_MAX, True), (GAPS_MAX + 1, False)):
        gaps = [[seq, seq, 0] for seq in range(2, 2 * count + 1, 2)]
        damage(full, f"UPDATE members SET gaps = '{gaps}' WHERE user_id = 'dan'")
        for path in full.glob("snapshot-*"):
            path.unlink()
        assert verify_store(full).is_sound == sound


def test_of_many_faults_of_a_kind_the_first_are_told(full: Path) -> None:
    damage(full, "UPDATE messages SET context = x'7b' WHERE room_id = 2")
    found = texts(verify_store(full))
    assert len(found) == FAULTS_MAX + 1
    assert found[-1] == "There are more faults in the messages."


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(os.urandom(50_000)),
        lambda path: path.write_bytes(path.read_bytes()[:8_192] + bytes(path.stat().st_size)),
    ],
    ids=["cut", "empty", "garbage", "zeroed"],
)
def test_a_file_that_is_no_log_is_damage(full: Path, spoil: Callable[[Path], None]) -> None:
    spoil(full / LOG_NAME)
    before = contents(full)
    assert not verify_store(full).is_sound
    assert contents(full) == before


def test_any_page_of_the_log_that_is_lost_is_found(full: Path) -> None:
    path = full / LOG_NAME
    whole = path.read_bytes()
    for snapshot in full.glob("snapshot-*"):
        snapshot.unlink()
    for at in range(0, len(whole), 4_096):
        path.write_bytes(whole[:at] + bytes(4_096) + whole[at + 4_096 :])
        assert not verify_store(full).is_sound, f"page {at // 4_096 + 1}"


def test_each_snapshot_is_told_with_what_is_wrong(full: Path) -> None:
    store = open_store(full, "write")
    epoch, state = store.epoch, store.reread()
    store.close()
    good, damaged = sorted(full.glob("snapshot-*"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    elsewhere = full / "elsewhere"
    for name, snapshot in {
        named(9_000, 1): Snapshot(epoch, 9_000, 1, {}),
        named(5, 1): Snapshot("f" * 16, 5, 1, {}),
        named(6, 1): Snapshot(epoch, 6, 1, {"typing": []}),
        named(state.position, 9): Snapshot(
            epoch,
            state.position,
            9,
            member_parts(state) | {"members": {ROOM: {"ada": Queue(1, 1)}}},
        ),
    }.items():
        elsewhere.mkdir(exist_ok=True)
        write_snapshot(elsewhere, snapshot).rename(full / name)
    (full / named(7, 1)).mkdir()
    verified = verify_store(full)
    told = {
        finding.text.split()[1]: (finding.text.split(maxsplit=2)[2], finding.is_damage)
        for finding in verified.findings
    }
    lost, is_damage = told.pop("log")
    assert is_damage
    assert "shows that it had reached 9000; missing of what was" in lost
    assert "acknowledged: at least 6,477 records" in lost
    assert told == {
        good.name: ("is good.", False),
        named(6, 1): ("is good.", False),
        damaged.name: ("is damaged; a start passes it over.", True),
        named(7, 1): ("cannot be read; a start passes it over.", True),
        named(9_000, 1): ("stands on records that the log has lost.", True),
        named(5, 1): ("belongs to another log, as from before a restore.", False),
        named(state.position, 9): (
            "gives members that are not those of the log.",
            True,
        ),
    }
    assert not verified.is_sound


def test_snapshots_are_told_beside_a_faulty_log(full: Path) -> None:
    damage(full, "UPDATE rooms SET forgotten_seq = 1 WHERE room_id = 1")
    assert sum("is good" in finding.text for finding in verify_store(full).findings) == 2
    damage(full, "DELETE FROM meta")
    assert any("were not looked at" in text for text in texts(verify_store(full)))


def test_snapshots_that_go_and_come_meanwhile_do_not_matter(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(full, "write")
    holder = connect_to_write(store.path, Durability.WRITE)
    holder.execute("SELECT * FROM meta").fetchall()

    def faults_while_the_daemon_goes_on(connection: sqlite3.Connection) -> list[str]:
        connection.execute("SELECT * FROM meta").fetchall()
        for seq in (10, 11):
            write_to(store, [stored(seq), kept("new", Queue(seq, NOW_MS))])
            write_snapshot_of(store)
        return []

    monkeypatch.setattr("chatd.store.verify.faults", faults_while_the_daemon_goes_on)
    assert verify_store(full).findings == ()
    monkeypatch.undo()
    assert len(verify_store(full).findings) == 2
    assert verify_store(full).is_sound
    holder.close()
    store.close()
