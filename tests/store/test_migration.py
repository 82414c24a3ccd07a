"""A log that an older chatd wrote opens with all that it held."""

import sqlite3
import uuid
from pathlib import Path

import pytest
import trio

from chatd.chat.commits import Committed
from chatd.chat.queue import Queue
from chatd.chat.records import Message, OpenAnswer
from chatd.store import schema
from chatd.store.connections import Durability, connect_to_write
from chatd.store.log_file import LOG_NAME
from chatd.store.opening import open_store
from tests.store.logs import NOW_MS, kept, stored

EPOCH = "00112233aabbccdd"
MESSAGES = 300
THREAD = uuid.UUID(int=1)


def message_id(number: int) -> uuid.UUID:
    return uuid.UUID(int=number)


def write_version_1(directory: Path, messages: int) -> None:
    """Two rooms of which one has no message, members of both, acknowledgements of both kinds."""
    directory.mkdir()
    connection = sqlite3.connect(directory / LOG_NAME, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    connection.execute("BEGIN")
    for statement in schema.MIGRATIONS[0]:
        connection.execute(statement)
    connection.execute("PRAGMA user_version = 1")
    connection.execute(
        "INSERT INTO meta (only_row, epoch, created_ms, position) VALUES (1, ?, 5, ?)",
        (EPOCH, messages + 10),
    )
    connection.execute("INSERT INTO rooms VALUES (1, 'sales'), (2, 'quiet')")
    connection.executemany(
        "INSERT INTO messages VALUES (?, 1, ?, ?, ?, ?, NULL, NULL, 'ada', 'Ada', x'7b7d', ?)",
        (
            (n, n, message_id(n).bytes, THREAD.bytes if n == 2 else None, NOW_MS + n, f"no {n} 🐘")
            for n in range(1, messages + 1)
        ),
    )
    connection.execute("UPDATE messages SET delivered_by = 'bob', delivered_ms = 9 WHERE seq = 3")
    connection.execute(
        "INSERT INTO members VALUES (1, 'ada', 100, 1), (1, 'bob', 200, 2), (2, 'bob', 300, 3)"
    )
    connection.execute("INSERT INTO acknowledged_up_to VALUES (1, 'bob', 7, 1, 4)")
    connection.execute("INSERT INTO acknowledged VALUES (1, 'bob', 9, 1, 5)")
    connection.execute("COMMIT")
    connection.close()


@pytest.fixture
def older(directory: Path) -> Path:
    write_version_1(directory, MESSAGES)
    return directory


async def test_a_log_of_version_1_keeps_messages_members_and_position(older: Path) -> None:
    for _ in range(2):
        store = open_store(older, "fsync")
        assert store.epoch == EPOCH
        assert store.recovered.position == MESSAGES + 10
        assert store.recovered.message_count == MESSAGES
        assert store.recovered.rooms == {"sales": MESSAGES, "quiet": 0}
        # Nothing was owed before there was a queue: they are away since their rooms' last seq.
        assert store.recovered.members == {
            "sales": {"ada": Queue(MESSAGES, 100), "bob": Queue(MESSAGES, 200)},
            "quiet": {"bob": Queue(0, 300)},
        }
        page = await store.readers.page(
            "sales", before=None, after=0, limit=MESSAGES, thread_id=None
        )
        assert page.messages == tuple(
            Message(
                str(message_id(n)),
                "sales",
                n,
                "ada",
                "Ada",
                f"no {n} 🐘",
                b"{}",
                str(THREAD) if n == 2 else None,
                NOW_MS + n,
            )
            for n in range(1, MESSAGES + 1)
        )
        assert page.delivered == {3}
        assert store.close()


async def test_a_log_of_version_1_goes_on(older: Path) -> None:
    store = open_store(older, "fsync")
    writer = store.start_writer(trio.lowlevel.current_trio_token())
    outcome = await writer.commit(
        [stored(MESSAGES + 1, room="sales"), kept("bob", room="quiet"), kept("eve", room="quiet")]
    )
    assert outcome == Committed(MESSAGES + 13)
    assert await writer.close(30)
    assert store.reread().members["quiet"] == {"bob": Queue(), "eve": Queue()}
    assert store.close()
    connection = sqlite3.connect(older / LOG_NAME)
    joined = connection.execute("SELECT user_id, joined_ms FROM members WHERE room_id = 2")
    assert joined.fetchall() == [("bob", 300), ("eve", NOW_MS)]
    connection.close()


def test_what_was_open_before_messages_were_read_after_they_were_stored_is_a_question(
    directory: Path,
) -> None:
    write_version_1(directory, 1)
    connection = sqlite3.connect(directory / LOG_NAME, isolation_level=None)
    for statement in (*schema.MIGRATIONS[1], *schema.MIGRATIONS[2]):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO answers (question_id, answer_id, room_id, user_id, opened_ms)"
        " VALUES (?, ?, 1, 'ada', 7)",
        (message_id(1).bytes, message_id(2).bytes),
    )
    connection.execute("PRAGMA user_version = 3")
    connection.close()
    store = open_store(directory, "fsync")
    assert store.recovered.open_answers == (
        OpenAnswer(str(message_id(1)), str(message_id(2)), "sales", "ada", None, 7),
    )
    assert store.close()


def test_what_migrated_has_the_tables_of_what_is_new(older: Path, tmp_path: Path) -> None:
    tables = []
    for directory in (older, tmp_path / "new"):
        store = open_store(directory, "fsync")
        connection = connect_to_write(store.path, Durability.FSYNC)
        tables.append(sorted(connection.execute("SELECT type, name, sql FROM sqlite_schema")))
        connection.close()
        store.close()
    assert tables[0] == tables[1]


def test_bringing_a_log_forward_scans_no_messages(tmp_path: Path) -> None:
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    def open_counted(path: Path, durability: Durability) -> sqlite3.Connection:
        connection = connect_to_write(path, durability)
        connection.set_progress_handler(count, 1)
        return connection

    counted = []
    for messages in (200, 5_000):
        directory = tmp_path / str(messages)
        write_version_1(directory, messages)
        steps[0] = 0
        open_store(directory, "fsync", connect_to_write=open_counted).close()
        counted.append(steps[0])
    assert counted[0] > 100
    assert counted[1] < counted[0] * 1.2
