"""The full check of a log in PostgreSQL: it finds what is damaged, and says where."""

from pathlib import Path

import attrs
import pytest
import trio

from chatd.chat.commits import Committed
from chatd.chat.words import FORM
from chatd.postgres_store.errors import DatabaseUnfit
from chatd.postgres_store.integrity import faults
from chatd.postgres_store.log import PostgresLog
from chatd.postgres_store.migrations import UNFINISHED_COPY
from chatd.postgres_store.opening import open_log
from chatd.postgres_store.search_index import SearchIndex, pool_to_index
from chatd.postgres_store.sessions import LogAddress, connect
from chatd.postgres_store.verify import verify_postgres_log
from chatd.store.errors import StoreTooOld, StoreUnavailable
from chatd.store.integrity import FAULTS_MAX
from tests.chat.commands import message_id
from tests.postgres import Postgres
from tests.postgres_store.logs import NOW_MS, new_address, opened_log, run_in
from tests.rows import rows
from tests.store.logs import ROOM, stored
from tests.store.test_log_copy import copied, filled, in_files, in_postgres

pytestmark = pytest.mark.timeout(120)

MENTIONING = stored(13, message_id=message_id(77), mentions=("bob",))
BAD_QUEUE = "UPDATE members SET gaps = '[[1]]' WHERE user_id = 'bob'"
UNSAID = "UPDATE meta SET has_scoped_ids = false"
WITHOUT_KEY = "ALTER TABLE mentions DROP CONSTRAINT mentions_room_id_seq_fkey"
FAULTS = [
    ("DELETE FROM messages WHERE room_id = 1 AND seq = 4", f"Room {ROOM!r}: seq 5 follows on 3"),
    ("DELETE FROM messages WHERE room_id = 1 AND seq = 1", f"Room {ROOM!r}: seq 2 follows on 0"),
    ("UPDATE rooms SET forgotten_seq = 41 WHERE room_id = 2", "Room 'other': seq 41 follows on 41"),
    ("UPDATE rooms SET last_seq = 20 WHERE room_id = 1", "come to seq 20, and its last is 13"),
    ("UPDATE rooms SET forgotten_seq = -1 WHERE room_id = 1", "forgotten seq -1"),
    (
        "UPDATE messages SET position = 90000 WHERE room_id = 1 AND seq = 2",
        f"Room {ROOM!r}: seq 3 was committed before the one below it",
    ),
    ("DELETE FROM rooms WHERE room_id = 2", "is of room number 2, which is not there"),
    (
        "DROP INDEX messages_by_id; UPDATE messages SET message_id = repeat('x', 16)::bytea",
        f"The id {b'x'.hex() * 16} is that of 2473 messages",
    ),
    ("UPDATE meta SET epoch = 'none'", "'none' is not 16 hex digits"),
    ("DELETE FROM meta", "0 heads instead of one"),
    ("UPDATE messages SET message_id = 'x' WHERE room_id = 1 AND seq = 2", "is no UUID"),
    ("UPDATE messages SET thread_id = 'x' WHERE room_id = 1 AND seq = 2", "is no UUID"),
    (
        "UPDATE messages SET message_id = message_id || 'abcdefgh' WHERE seq = 2500; " + UNSAID,
        "Message 2500 of room 'other' has an id with a scope, and the log is said to have none",
    ),
    ("UPDATE messages SET context = '{' WHERE seq = 1", "a context that is no JSON object"),
    ("UPDATE messages SET answer = '{' WHERE seq = 2", "an answer that is no JSON of one"),
    (
        "INSERT INTO members (room_id, user_id, joined_ms) VALUES (7, 'ada', 0)",
        "User 'ada' is a member of room number 7, which is not there",
    ),
    (BAD_QUEUE, f"Room {ROOM!r}: the queue of user 'bob' is wrong"),
    (
        "UPDATE members SET gaps = '[[3, 5, 0], [4, 9, 0]]' WHERE user_id = 'bob'",
        "its gaps are not in order",
    ),
    ("UPDATE members SET read_seq = 99 WHERE user_id = 'bob'", "to have read up to 99"),
    ("UPDATE changed SET content = 'other' WHERE seq = 9", "not what its changes come to"),
    ("UPDATE changed SET reactions = '[]' WHERE seq = 9", "not what its changes come to"),
    ("DELETE FROM changed WHERE seq = 7", "Message 7 of room number 1 is not what its changes"),
    ("DELETE FROM changes WHERE kind = 'delete'", "is said to be changed, and never was"),
    ("UPDATE changes SET kind = 'else' WHERE rev = 2", "not a valid change of kind 'else'"),
    ("UPDATE rooms SET last_rev = 6 WHERE room_id = 1", "rev 7, and its room has come to 6"),
    (
        f"{WITHOUT_KEY}; UPDATE mentions SET seq = 99",
        "the mentions of message 99 are of a message that is not there",
    ),
    ("UPDATE mentions SET author = 'eve'", "said to be by 'eve', and the message is by"),
    ("UPDATE mentions SET users = '[]'", "are no JSON list of users"),
    ("UPDATE answers SET state = NULL", "is there, and said to be open"),
    ("UPDATE answers SET state = 'done'", "has ended as 'done', and is not there"),
    ("UPDATE answers SET question_id = 'x' WHERE state IS NULL", "is not among the messages"),
    (
        "SELECT setval('messages_position_seq', 3)",
        "The next number of the messages is behind 3, and",
    ),
    ("UPDATE members SET version = 1 << 30", "3 members of this log have a version of another"),
    ("UPDATE message_text SET text = ' other ' WHERE room_id = 2 AND seq = 2000", "Message 2000"),
    ("DELETE FROM message_text WHERE room_id = 2 AND seq = 2000", "is not in the search index"),
    ("UPDATE indexed SET seq = 9000 WHERE room_id = 2", "said to reach beyond the room"),
]  # fmt: skip


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> LogAddress:
    """A log of everything, which is indexed."""
    directory = filled(tmp_path_factory.mktemp("full") / "state")
    address = new_address(postgres)
    copied(in_files(directory), in_postgres(address))
    trio.run(index_all, address)
    return address


async def index_all(address: LogAddress) -> None:
    pool = pool_to_index(address)
    index = SearchIndex(pool)
    log = PostgresLog(open_log(address, NOW_MS), index=index)
    async with trio.open_nursery() as nursery:
        await nursery.start(log.run)
        assert isinstance(await log.commit([MENTIONING]), Committed)
        while await index.index_older_until(trio.current_time() + 60):
            pass
        await index.index_until(trio.current_time() + 60)
        nursery.cancel_scope.cancel()
    await log.close(30)
    pool.close()


def test_a_full_log_is_sound_and_counted(full: LogAddress) -> None:
    verified = verify_postgres_log(full)
    assert verified.findings == ()
    assert verified.recovered is not None
    assert verified.recovered.rooms == {ROOM: 13, "other": 2_500}
    with connect(full) as connection:
        assert connection.execute("SELECT form FROM search_index").fetchall() == [(FORM,)]
        [(indexed,)] = connection.execute("SELECT count(*) FROM message_text")
    assert indexed > 1_000


@rows(("statement", "told"), FAULTS)
def test_a_fault_is_found_and_told(full: LogAddress, statement: str, told: str) -> None:
    with connect(full) as connection, connection.transaction(force_rollback=True):
        for one in statement.split(";"):
            connection.execute(one.encode())
        found = list(faults(connection))
        # A sequence is not rolled back.
        connection.execute("SELECT setval('messages_position_seq', 1000000)")
    assert any(told in text for text in found), found


def test_no_more_faults_of_a_kind_are_told_than_a_person_reads(full: LogAddress) -> None:
    with connect(full) as connection, connection.transaction(force_rollback=True):
        connection.execute("UPDATE messages SET context = '{' WHERE room_id = 2")
        found = list(faults(connection))
    assert len(found) == FAULTS_MAX + 1
    assert found[-1] == "There are more faults in the messages."


def test_what_cannot_be_read_is_a_fault_of_its_rule_alone(full: LogAddress) -> None:
    with connect(full) as connection, connection.transaction(force_rollback=True):
        connection.execute("ALTER TABLE members RENAME gaps TO holes")
        connection.execute(BAD_QUEUE.replace("gaps", "holes"))
        found = list(faults(connection))
    assert found == ["The members cannot be read: PostgreSQL says UndefinedColumn (42703)."]


def test_what_is_no_log_of_this_version_is_told(full: LogAddress, postgres: Postgres) -> None:
    with pytest.raises(StoreUnavailable, match="no log in the schema"):
        verify_postgres_log(attrs.evolve(full, schema="elsewhere"))
    address = new_address(postgres)
    with opened_log(address):
        assert verify_postgres_log(address).is_sound  # beside a daemon
    run_in(address, "UPDATE chatd.meta SET version = 2")
    with pytest.raises(StoreTooOld, match="has version 2"):
        verify_postgres_log(address)
    run_in(address, f"CREATE TABLE chatd.{UNFINISHED_COPY} ()")
    with pytest.raises(DatabaseUnfit, match="copy_unfinished"):
        verify_postgres_log(address)


def test_nothing_is_changed(full: LogAddress, tmp_path: Path) -> None:
    before = copied(in_postgres(full), in_files(tmp_path / "before"))
    verify_postgres_log(full)
    after = copied(in_postgres(full), in_files(tmp_path / "after"))
    assert [one.sum() for one in before.rooms] == [one.sum() for one in after.rooms]
