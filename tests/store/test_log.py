"""The synchronous write side, on real files: what is written, refused, taken back."""

import contextlib
import resource
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatd.chat.records import Acknowledged, Delivered, MemberJoined
from chatd.store.connections import Durability, connect_to_write
from chatd.store.errors import CommitFailed, FailureCode, RecordRefused
from chatd.store.log import Committed, Conflict, Log
from chatd.store.opening import Store
from chatd.store.recovery import AcknowledgedSeqs
from tests.store.logs import NOW_MS, ROOM, message, stored, stored_from


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
                MemberJoined(ROOM, "ada", NOW_MS),
                *map(type(stored(1)), (opener, answer)),
                MemberJoined(ROOM, "bob", NOW_MS),
                Acknowledged(ROOM, "bob", 2, up_to=True, at_ms=NOW_MS),
                Delivered(ROOM, 2, "bob", NOW_MS),
            ]
        ]
    )

    assert outcome == Committed(position=7)
    recovered = store.reread()
    assert recovered.position == 7
    assert recovered.rooms == {ROOM: 2, "other": 1}
    assert recovered.message_count == 3
    assert recovered.members == {ROOM: {"ada", "bob"}}
    assert recovered.acknowledgements == {ROOM: {"bob": AcknowledgedSeqs(up_to=2)}}
    assert rows(log, "SELECT seq, delivered_by, delivered_ms FROM messages WHERE room_id = 2") == [
        (1, None, None),
        (2, "bob", NOW_MS),
    ]


def test_an_ack_up_to_a_seq_absorbs_the_single_ones_below_it(store: Store, log: Log) -> None:
    def acked(seq: int, *, up_to: bool = False) -> Acknowledged:
        return Acknowledged(ROOM, "bob", seq, up_to=up_to, at_ms=NOW_MS)

    log.commit([[*stored_from(1, 9), acked(2), acked(4), acked(7)]])
    assert bobs(store) == AcknowledgedSeqs(0, frozenset({2, 4, 7}))

    log.commit([[acked(5, up_to=True)]])
    assert bobs(store) == AcknowledgedSeqs(5, frozenset({7}))
    assert rows(log, "SELECT count(*) FROM acknowledged") == [(1,)]

    log.commit([[acked(3, up_to=True), acked(4), acked(7)]])
    assert bobs(store) == AcknowledgedSeqs(5, frozenset({7}))


def test_acks_of_one_commit_give_the_same_in_any_order(store: Store, log: Log) -> None:
    single, cursor = (Acknowledged(ROOM, "bob", seq, seq == 6, NOW_MS) for seq in (3, 6))
    log.commit([[*stored_from(1, 9), cursor, single]])
    assert bobs(store) == AcknowledgedSeqs(6)


def test_the_first_delivery_and_the_first_joining_stand(log: Log) -> None:
    log.commit([[stored(1), MemberJoined(ROOM, "bob", 10), Delivered(ROOM, 1, "bob", 20)]])
    log.commit([[MemberJoined(ROOM, "bob", 30), Delivered(ROOM, 1, "eve", 40)]])
    assert rows(log, "SELECT delivered_by, delivered_ms FROM messages") == [("bob", 20)]
    assert rows(log, "SELECT joined_ms FROM members") == [(10,)]


def test_positions_go_on_after_a_record_that_left_no_row(store: Store, log: Log) -> None:
    log.commit([[stored(1), Acknowledged(ROOM, "bob", 1, up_to=True, at_ms=NOW_MS)]])
    log.commit([[Acknowledged(ROOM, "bob", 1, up_to=True, at_ms=NOW_MS)]])
    assert store.reread().position == 3
    again = Log(Connections(store.path).connect)
    assert again.commit([[stored(2)]]) == [Committed(4)]
    again.close()


def test_a_known_message_id_is_a_conflict_and_writes_nothing_of_its_request(
    store: Store, log: Log
) -> None:
    first = message(1, context=b"{}")
    log.commit([[type(stored(1))(first)]])

    results = log.commit(
        [
            [stored(2)],
            [stored(3), MemberJoined(ROOM, "eve", 1), stored(4, message_id=first.message_id)],
            [stored(3), MemberJoined(ROOM, "bob", 1)],
        ]
    )

    assert results == [Committed(2), Conflict({first.message_id: first}), Committed(4)]
    recovered = store.reread()
    assert recovered.members == {ROOM: {"bob"}}
    assert recovered.rooms == {ROOM: 3}
    assert recovered.position == 4


def test_two_requests_of_one_group_with_the_same_id_are_told_apart(log: Log) -> None:
    first = message(1)
    results = log.commit(
        [[type(stored(1))(first)], [stored(1, room="other", message_id=first.message_id)]]
    )
    assert results == [Committed(1), Conflict({first.message_id: first})]


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
        pytest.param([MemberJoined(ROOM, "bob", 2**63)], id="a time beyond 64 bits"),
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
            log.commit([[MemberJoined(ROOM, "bob", 1)], [large]])
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
        assert caught.value.code is FailureCode.STORAGE_ERROR
    broken[0] = False
    assert log.commit([[stored(2)]]) == [Committed(2)]
    log.close()


def rows(log: Log, statement: str) -> list[tuple[object, ...]]:
    return log._connection.execute(statement).fetchall()


def bobs(store: Store) -> AcknowledgedSeqs:
    return store.reread().acknowledgements[ROOM]["bob"]


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
