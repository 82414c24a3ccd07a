"""The synchronous write side, on real files: what is written, refused, taken back."""

import contextlib
import resource
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from chatd.chat.commits import CommitFailed, Committed, Conflict, RecordRefused
from chatd.chat.ids import scoped_id
from chatd.chat.queue import PRESENT, Gap, Queue
from chatd.chat.records import Delivered, MemberRemoved, MessageStored
from chatd.store.connections import Durability, connect_to_write
from chatd.store.log import Log
from chatd.store.opening import Store
from chatd.wire.codes import Code
from tests.store.logs import NOW_MS, ROOM, kept, message, stored, stored_from

OWED = Queue(7, 70, (Gap(1, 1, 10), Gap(3, 2**40, 2**41)), (2, 2))


class Connections:
    """Makes connections as the store does, and keeps them to look at and to spoil."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.made: list[sqlite3.Connection] = []

    def connect(self) -> sqlite3.Connection:
        self.made.append(connect_to_write(self.path, Durability.FSYNC))
        return self.made[-1]


@pytest.fixture
def connections(store: Store) -> Connections:
    return Connections(store.path)


@pytest.fixture
def log(connections: Connections) -> Iterator[Log]:
    log = Log(connections.connect)
    yield log
    log.close()


def test_every_kind_of_record_is_there_again(store: Store, log: Log) -> None:
    opener = message(1, context=b'{"schema":"public"}', name=None, content="Ünïcode 🐘 <b>")
    answer = message(2, thread_id=opener.message_id)
    [outcome] = log.commit(
        [
            [
                stored(1, room="other"),
                kept("ada"),
                *map(type(stored(1)), (opener, answer)),
                kept("bob", OWED),
                kept("eve"),
                MemberRemoved(ROOM, "eve"),
                Delivered(ROOM, 2, "bob", NOW_MS),
            ]
        ]
    )

    assert outcome == Committed(position=8)
    recovered = store.reread()
    assert recovered.position == 8
    assert recovered.rooms == {ROOM: 2, "other": 1}
    assert recovered.message_count == 3
    assert recovered.members == {ROOM: {"ada": PRESENT, "bob": OWED}}
    assert rows(log, "SELECT seq, delivered_by, delivered_ms FROM messages WHERE room_id = 2") == [
        (1, None, None),
        (2, "bob", NOW_MS),
    ]


def test_the_disk_is_timed_for_each_transaction_of_records_alone(connections: Connections) -> None:
    took_s: list[float] = []
    log = Log(connections.connect, synced=took_s.append)
    log.commit([[stored(1)], [stored(2)]])
    log.commit([[stored(3)]])
    log.maintain(lambda connection: connection.execute("SELECT 1").fetchone())
    log.commit([[stored(3)], [stored(4)]])  # apart, as the first conflicts
    log.close()
    assert len(took_s) == 3
    assert all(one_s > 0 for one_s in took_s)


def test_a_member_is_as_its_last_record_has_it(store: Store, log: Log) -> None:
    log.commit([[kept("bob", OWED), kept("eve", OWED)]])
    assert members(store) == {"bob": OWED, "eve": OWED}

    log.commit([[kept("bob"), MemberRemoved(ROOM, "eve"), kept("bob", Queue(9, 90))]])
    assert members(store) == {"bob": Queue(9, 90)}
    assert rows(
        log, "SELECT away_seq, gaps, fallen, position FROM members WHERE is_member = 0"
    ) == [(None, "[]", None, 4)]

    log.commit([[MemberRemoved(ROOM, "bob")], [kept("bob", OWED)], [kept("eve", OWED)]])
    assert members(store) == {"bob": OWED, "eve": OWED}
    log.commit([[kept("eve")], [MemberRemoved(ROOM, "eve")], [MemberRemoved(ROOM, "bob")]])
    assert store.reread().members == {}


def test_a_first_joining_stands_until_the_member_is_removed(log: Log) -> None:
    def joined_ms() -> object:
        return rows(log, "SELECT joined_ms FROM members WHERE user_id = 'bob'")

    log.commit([[kept("bob", at_ms=10), kept("bob", OWED, at_ms=20)]])
    log.commit([[kept("bob", at_ms=30)]])
    assert joined_ms() == [(10,)]
    log.commit([[MemberRemoved(ROOM, "bob")]])
    log.commit([[kept("bob", at_ms=40)]])
    assert joined_ms() == [(40,)]
    log.commit([[MemberRemoved(ROOM, "bob"), kept("bob", at_ms=50), kept("bob", at_ms=60)]])
    assert joined_ms() == [(50,)]


def test_many_records_of_a_member_are_one_row_written(log: Log, connections: Connections) -> None:
    statements: list[str] = []
    connections.made[0].set_trace_callback(statements.append)
    log.commit([[kept("bob", Queue(seq, NOW_MS))] for seq in range(100)])
    connections.made[0].set_trace_callback(None)
    assert sum("INTO members" in statement for statement in statements) == 1
    assert rows(log, "SELECT away_seq, position FROM members") == [(99, 100)]


def test_the_first_delivery_stands(log: Log) -> None:
    log.commit([[stored(1), Delivered(ROOM, 1, "bob", 20)]])
    log.commit([[Delivered(ROOM, 1, "eve", 40)]])
    assert rows(log, "SELECT delivered_by, delivered_ms FROM messages") == [("bob", 20)]


def test_positions_go_on_after_a_record_that_left_no_row(store: Store, log: Log) -> None:
    log.commit([[stored(1), Delivered(ROOM, 1, "bob", NOW_MS)]])
    log.commit([[Delivered(ROOM, 1, "eve", NOW_MS)]])
    assert store.reread().position == 3
    again = Log(Connections(store.path).connect)
    assert again.commit([[stored(2)]]) == [Committed(4)]
    again.close()


def test_seqs_of_a_room_that_retention_emptied_go_on(store: Store, log: Log) -> None:
    log.commit([stored_from(1, 5), [stored(1, room="other")]])
    log.maintain(forget(5))
    recovered = store.reread()
    assert recovered.rooms == {ROOM: 5, "other": 1}
    assert recovered.message_count == 1

    again = Log(Connections(store.path).connect)
    for one in (log, again):
        [refused] = one.commit([[stored(1)]])
        assert isinstance(refused, RecordRefused)
    again.close()
    assert log.commit([[stored(6)]]) == [Committed(7)]
    assert store.reread().message_count == 2


def test_a_known_message_id_is_a_conflict_and_writes_nothing_of_its_request(
    store: Store, log: Log
) -> None:
    first = message(1, context=b"{}")
    log.commit([[type(stored(1))(first)]])

    results = log.commit(
        [
            [stored(2)],
            [stored(3), kept("eve"), stored(4, message_id=first.message_id)],
            [stored(3), kept("bob")],
        ]
    )

    assert results == [Committed(2), Conflict({first.message_id: first}), Committed(4)]
    recovered = store.reread()
    assert recovered.members == {ROOM: {"bob": PRESENT}}
    assert recovered.rooms == {ROOM: 3}
    assert recovered.position == 4


def test_two_requests_of_one_group_with_the_same_id_are_told_apart(log: Log) -> None:
    first = message(1)
    results = log.commit(
        [[type(stored(1))(first)], [stored(1, room="other", message_id=first.message_id)]]
    )
    assert results == [Committed(1), Conflict({first.message_id: first})]


def test_a_conflict_names_all_the_messages_of_the_id(log: Log) -> None:
    first = message(1, room="other")
    scoped = message(1, message_id=scoped_id(first.message_id, ROOM))

    log.commit([[MessageStored(first)], [MessageStored(scoped)]])
    [conflict] = log.commit([[stored(2, message_id=first.message_id)]])
    assert conflict == Conflict({first.message_id: first, scoped.message_id: scoped})
    [again] = log.commit([[MessageStored(attrs.evolve(scoped, seq=2))]])
    assert again == Conflict({scoped.message_id: scoped})


def test_an_id_is_not_free_in_a_room_that_has_it_with_its_scope(
    connections: Connections, log: Log
) -> None:
    """The message of the other room, for which the scope was, is not there any more."""
    first = message(1)
    scoped = attrs.evolve(first, message_id=scoped_id(first.message_id, ROOM))
    log.commit([[MessageStored(scoped)]])
    again = stored(2, message_id=first.message_id)
    for one in (log, Log(connections.connect)):  # as after a restart
        assert one.commit([[again]]) == [Conflict({scoped.message_id: scoped})]
    elsewhere = stored(1, room="other", message_id=first.message_id)
    assert log.commit([[elsewhere]]) == [Committed(2)]


def test_what_is_refused_for_itself_is_no_conflict_with_another_room(log: Log) -> None:
    first = message(1)
    scoped = attrs.evolve(first, message_id=scoped_id(first.message_id, ROOM))
    log.commit([[MessageStored(scoped)]])
    misplaced = stored(7, room="other", message_id=first.message_id)
    [refused] = log.commit([[misplaced]])
    assert isinstance(refused, RecordRefused)


def test_a_room_first_seen_in_a_refused_request_can_be_made_later(log: Log) -> None:
    log.commit([[stored(1)]])
    [refused, done] = log.commit([[stored(2, room="new")], [stored(1, room="newer")]])
    assert isinstance(refused, RecordRefused)
    assert done == Committed(2)
    assert log.commit([[stored(1, room="new"), stored(2, room="newer")]]) == [Committed(4)]


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([stored(3)], id="a gap"),
        pytest.param([stored(1)], id="a seq that is taken"),
        pytest.param([stored(2, message_id="not-a-uuid")], id="no uuid"),
        pytest.param(
            [stored(2, message_id="11111111-2222-3333-4444-AAAAAAAAAAAA")], id="upper case"
        ),
        pytest.param([stored(2, content="\ud800")], id="a lone surrogate"),
        pytest.param([stored(2, content=b"bytes")], id="content of another type"),
        pytest.param([kept("bob", at_ms=2**63)], id="a time beyond 64 bits"),
        pytest.param([kept("bob", Queue(0, 0, (Gap(1, 2**64, 0),)))], id="a seq beyond 64 bits"),
        pytest.param(
            [
                stored(2, message_id="11111111-2222-3333-4444-555555555555"),
                stored(3, message_id="11111111-2222-3333-4444-555555555555"),
            ],
            id="one id twice",
        ),
    ],
)
def test_records_that_do_not_fit_are_refused_alone(
    store: Store, log: Log, records: list[object]
) -> None:
    log.commit([[stored(1)]])
    [refused, done] = log.commit([records, [stored(2)]])  # type: ignore[list-item]
    assert isinstance(refused, RecordRefused)
    assert done == Committed(2)
    assert store.reread().rooms == {ROOM: 2}


def test_requests_of_a_group_share_one_transaction(log: Log, connections: Connections) -> None:
    statements: list[str] = []
    connections.made[0].set_trace_callback(statements.append)
    log.commit([[stored(seq)] for seq in range(1, 51)])
    connections.made[0].set_trace_callback(None)
    assert statements.count("BEGIN IMMEDIATE") == 1
    assert statements.count("COMMIT") == 1
    assert not any("SAVEPOINT" in statement for statement in statements)


def test_a_full_disk_refuses_everything_and_the_log_goes_on_when_there_is_space(
    store: Store, log: Log, connections: Connections
) -> None:
    log.commit([[stored(1)]])
    [connection] = connections.made
    limit_pages(connection, "page_count")

    large = stored(2, content="x" * 100_000)
    for _ in range(3):
        with pytest.raises(CommitFailed) as caught:
            log.commit([[kept("bob")], [large]])
        assert caught.value.code == "storage_full"
    assert store.reread().rooms == {ROOM: 1}
    assert store.reread().members == {}
    assert log.commit([[stored(2)]]) == [Committed(2)]

    limit_pages(connection, 100_000)
    assert log.commit([[stored(3, content="x" * 100_000)]]) == [Committed(3)]
    assert len(connections.made) == 1


def test_a_full_disk_in_a_group_with_a_conflict_writes_nothing_either(
    store: Store, log: Log, connections: Connections
) -> None:
    first = stored(1)
    log.commit([[first]])
    limit_pages(connections.made[0], "page_count")
    again = stored(1, message_id=first.message.message_id)
    with pytest.raises(CommitFailed) as caught:
        log.commit([[stored(1, room="new")], [again], [stored(2, content="x" * 100_000)]])
    assert caught.value.code == "storage_full"
    assert store.reread().rooms == {ROOM: 1}

    assert log.commit([[stored(2)], [stored(1, room="newer")]]) == [Committed(2), Committed(3)]


def test_an_io_error_is_told_and_the_next_commit_has_a_new_connection(
    store: Store, log: Log, connections: Connections
) -> None:
    log.commit([[stored(1)]])
    wal = store.path.with_name(f"{store.path.name}-wal")
    with largest_file(wal.stat().st_size):
        with pytest.raises(CommitFailed) as caught:
            log.commit([[stored(2)]])
        assert caught.value.code == "storage_error"
    assert store.reread().rooms == {ROOM: 1}

    assert log.commit([[stored(2)]]) == [Committed(2)]
    assert len(connections.made) == 2


def test_a_connection_that_cannot_be_remade_yet_is_tried_again_each_time(
    store: Store, connections: Connections
) -> None:
    broken = [False]

    def connect() -> sqlite3.Connection:
        if broken[0]:
            raise sqlite3.OperationalError("unable to open database file")
        return connections.connect()

    log = Log(connect)
    log.commit([[stored(1)]])
    wal = store.path.with_name(f"{store.path.name}-wal")
    with largest_file(wal.stat().st_size), pytest.raises(CommitFailed):
        log.commit([[stored(2)]])
    broken[0] = True
    for _ in range(2):
        with pytest.raises(CommitFailed) as caught:
            log.commit([[stored(2)]])
        assert caught.value.code is Code.STORAGE_ERROR
    broken[0] = False
    assert log.commit([[stored(2)]]) == [Committed(2)]
    log.close()


def test_a_job_is_one_transaction_and_commits_go_on_after_it(store: Store, log: Log) -> None:
    log.commit([stored_from(1, 3)])

    def job(connection: sqlite3.Connection) -> str:
        assert connection.in_transaction
        connection.execute("DELETE FROM messages WHERE seq < 3")
        connection.execute("UPDATE rooms SET forgotten_seq = 2")
        return "done"

    assert log.maintain(job) == "done"
    assert log.commit([[stored(4)], [stored(1, room="new")]]) == [Committed(4), Committed(5)]
    recovered = store.reread()
    assert recovered.rooms == {ROOM: 4, "new": 1}
    assert recovered.message_count == 3


def test_a_job_that_fails_leaves_nothing_and_raises_what_it_raised(
    store: Store, log: Log, connections: Connections
) -> None:
    log.commit([stored_from(1, 3)])

    def job(connection: sqlite3.Connection) -> None:
        forget(3)(connection)
        connection.execute("SELECT * FROM messages")  # and nobody reads on
        raise KeyError("of the job")

    with pytest.raises(KeyError, match="of the job"):
        log.maintain(job)
    assert store.reread().message_count == 3
    assert log.commit([[stored(4)]]) == [Committed(4)]
    assert len(connections.made) == 1


def test_a_job_that_the_database_fails_is_a_failed_commit(
    store: Store, log: Log, connections: Connections
) -> None:
    def job(connection: sqlite3.Connection) -> None:
        forget(3)(connection)
        connection.execute("DELETE FROM nothing")

    log.commit([stored_from(1, 3)])
    with pytest.raises(CommitFailed) as caught:
        log.maintain(job)
    assert caught.value.code == "storage_error"
    assert store.reread().message_count == 3
    assert log.commit([[stored(4)]]) == [Committed(4)]
    assert len(connections.made) == 2

    limit_pages(connections.made[1], "page_count")
    with pytest.raises(CommitFailed) as caught:
        log.maintain(
            lambda connection: connection.execute("CREATE TABLE more AS SELECT randomblob(99999)")
        )
    assert caught.value.code == "storage_full"
    limit_pages(connections.made[1], 100_000)
    assert log.commit([[stored(5)]]) == [Committed(5)]
    assert len(connections.made) == 2


def test_a_commit_of_nothing_asks_the_disk(store: Store, log: Log) -> None:
    log.commit([[stored(1)]])
    wal = store.path.with_name(f"{store.path.name}-wal")
    for _ in range(2):
        before = wal.stat().st_size
        assert log.commit([()]) == [Committed(1)]
        assert wal.stat().st_size > before
    with largest_file(wal.stat().st_size), pytest.raises(CommitFailed):
        log.commit([()])
    assert log.commit([(), ()]) == [Committed(1), Committed(1)]
    assert log.commit([[stored(2)], ()]) == [Committed(2), Committed(2)]
    assert store.reread().position == 2


def rows(log: Log, statement: str) -> list[tuple[object, ...]]:
    return log._connection.execute(statement).fetchall()


def members(store: Store) -> dict[str, Queue]:
    return store.reread().members[ROOM]


def forget(last_seq: int) -> Callable[[sqlite3.Connection], None]:
    """What retention does to the first room, up to a seq."""

    def job(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM messages WHERE room_id = 1 AND seq <= ?", (last_seq,))
        connection.execute("UPDATE rooms SET forgotten_seq = ? WHERE room_id = 1", (last_seq,))

    return job


def limit_pages(connection: sqlite3.Connection, pages: int | str) -> None:
    if pages == "page_count":
        [(pages,)] = connection.execute("PRAGMA page_count")
    connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()


@contextlib.contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Writes beyond `size_bytes` of any file fail with EFBIG: an I/O error to SQLite."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    set_soft: Callable[[int], None] = lambda limit: resource.setrlimit(  # noqa: E731
        resource.RLIMIT_FSIZE, (limit, hard)
    )
    set_soft(size_bytes)
    try:
        yield
    finally:
        set_soft(soft)
