"""Copies of a log from engine to engine: they hold the same, and are used only when they do."""

import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path

import attrs
import pytest

from chatd.app.copying import LogPlace, copy_between
from chatd.config import StateConfig
from chatd.postgres_store.copied_log import NewPostgresLog
from chatd.postgres_store.errors import DatabaseUnfit
from chatd.postgres_store.opening import open_log
from chatd.postgres_store.sessions import LogAddress
from chatd.postgres_store.store import open_postgres_store
from chatd.store import StoreLocked
from chatd.store.copied_log import NewSqliteLog
from chatd.store.copied_rows import COLUMNS, NO_JSON, Row, Table
from chatd.store.errors import StoreUnavailable
from chatd.store.log_copy import Copied, CopyFailed
from chatd.store.log_file import LOG_NAME
from chatd.store.mark import MARK_NAME
from chatd.store.opening import open_store
from chatd.store.verify import verify_store
from tests.postgres import Postgres
from tests.postgres_store.logs import NOW_MS, new_address, opened_log, rows_of, run_in
from tests.rows import rows
from tests.store.full_store import asked, fill, write_to
from tests.store.logs import ROOM

pytestmark = pytest.mark.timeout(120)


def silent(_what: str, _count: int, _is_all: bool) -> None:
    pass


def in_files(directory: Path) -> LogPlace:
    return LogPlace(StateConfig(durability="write"), directory)


def in_postgres(address: LogAddress) -> LogPlace:
    state = StateConfig(url=address.url, schema=address.schema, durability="write")
    return LogPlace(state, Path("/nowhere"))


def copied(source: LogPlace, target: LogPlace) -> Copied:
    return copy_between(source, target, silent)


AUDIT = """
    INSERT INTO audit (position, at_ms, action, user_id, outcome, address, rows, span)
    VALUES (4000, 7, 'export', 'ada', 'open', '10.0.0.1', NULL, 's'),
           (4001, 9, NULL, NULL, 'done', NULL, 12, 's')
"""


def filled(directory: Path) -> Path:
    """A log of everything, of a daemon that has stopped."""
    fill(directory)
    store = open_store(directory, "write")
    write_to(store, asked(10, answered=True), asked(12))
    store.close()
    damage(directory, AUDIT, "UPDATE meta SET position = 4001, has_scoped_ids = 1")
    return directory


def damage(directory: Path, *statements: str) -> None:
    with contextlib.closing(
        sqlite3.connect(directory / LOG_NAME, isolation_level=None)
    ) as connection:
        for statement in statements:
            connection.execute(statement)


def bytes_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "lock"}


def test_a_log_goes_to_postgres_and_back_and_is_the_same(
    directory: Path, tmp_path: Path, postgres: Postgres
) -> None:
    filled(directory)
    before = bytes_of(directory)
    address, further = new_address(postgres), new_address(postgres)
    there = copied(in_files(directory), in_postgres(address))
    assert there.damaged == []
    assert bytes_of(directory) == before
    assert there.counts == {
        Table.ROOMS: 2,
        Table.MESSAGES: 12 + 2_460,
        Table.MENTIONS: 0,
        Table.CHANGES: 7,
        Table.CHANGED: 3,
        Table.MEMBERS: 3,
        Table.ANSWERS: 2,
        Table.AUDIT: 2,
    }
    sales, other = there.rooms
    assert (sales.room, sales.messages, sales.first_seq, sales.last_seq) == (ROOM, 12, 1, 12)
    assert (other.room, other.messages, other.first_seq, other.last_seq) == (
        "other",
        2_460,
        41,
        2_500,
    )
    elsewhere = copied(in_postgres(address), in_postgres(further))
    back = copied(in_postgres(further), in_files(tmp_path / "back"))
    for one in (elsewhere, back):
        assert [room.sum() for room in one.rooms] == [room.sum() for room in there.rooms]
        assert (one.counts, one.epoch) == (there.counts, there.epoch)
    verified = verify_store(tmp_path / "back")
    assert verified.findings == ()
    first, last = (open_store(path, "write") for path in (directory, tmp_path / "back"))
    assert last.epoch == first.epoch
    assert attrs.evolve(last.recovered, position=0) == attrs.evolve(first.recovered, position=0)
    first.close()
    last.close()


def test_a_start_goes_on_in_the_copy_where_the_log_was(directory: Path, postgres: Postgres) -> None:
    filled(directory)
    address = new_address(postgres)
    copied(in_files(directory), in_postgres(address))
    before = open_store(directory, "write")
    before.close()
    for _ in range(2):
        store = open_postgres_store(directory, address)
        assert store.passed_over == ()  # the snapshots of the log in SQLite are no fault
        assert store.epoch == before.epoch
        assert store.recovered.rooms == before.recovered.rooms
        assert store.recovered.members == before.recovered.members
        assert store.recovered.open_answers == before.recovered.open_answers
        store.close()
    assert rows_of(address, "SELECT has_scoped_ids FROM meta") == [(True,)]
    run_in(address, "INSERT INTO chatd.rooms (connection_id) VALUES ('new')")
    assert rows_of(address, "SELECT max(room_id) FROM rooms") == [(3,)]
    [(last,)] = rows_of(address, "SELECT max(position) FROM messages")
    run_in(
        address,
        "INSERT INTO chatd.messages (room_id, seq, message_id, timestamp_ms, user_id, content)"
        " VALUES (1, 13, 'x', 0, 'ada', '')",
    )
    assert rows_of(address, "SELECT max(position) FROM messages") == [(last + 1,)]


def test_a_copy_replaces_nothing(directory: Path, tmp_path: Path, postgres: Postgres) -> None:
    filled(directory)
    address = new_address(postgres)
    with opened_log(address):
        pass
    with pytest.raises(CopyFailed, match=r"target \(schema_not_empty\): .* already") as caught:
        copied(in_files(directory), in_postgres(address))
    assert caught.value.exit_code == 1
    foreign = new_address(postgres)
    run_in(foreign, "CREATE SCHEMA chatd")
    run_in(foreign, "CREATE TABLE chatd.theirs ()")
    with pytest.raises(CopyFailed, match="schema_foreign"):
        copied(in_files(directory), in_postgres(foreign))
    for name in (LOG_NAME, MARK_NAME, "snapshot-00000000000000000009-1.chatd"):
        taken = tmp_path / f"with {name}"
        taken.mkdir()
        (taken / name).touch()
        with pytest.raises(CopyFailed, match="target_not_empty"):
            copied(in_files(directory), in_files(taken))
        assert {path.name for path in taken.iterdir()} == {name, "lock"}


def test_a_log_that_a_daemon_uses_is_neither_copied_nor_copied_to(
    directory: Path, tmp_path: Path, postgres: Postgres
) -> None:
    filled(directory)
    used = new_address(postgres)
    store = open_store(directory, "write")
    with pytest.raises(StoreLocked):
        copied(in_files(directory), in_postgres(used))
    store.close()
    node = attrs.evolve(used, node="a")
    opened = open_log(node, NOW_MS)
    with pytest.raises(DatabaseUnfit, match="schema_in_use"):
        copied(in_postgres(used), in_files(tmp_path / "target"))
    opened.close()
    with pytest.raises(StoreUnavailable, match="no log"):
        copied(in_postgres(new_address(postgres)), in_files(tmp_path / "target"))


def test_who_was_there_when_a_daemon_was_killed_is_owed_what_comes_after(
    directory: Path, tmp_path: Path, postgres: Postgres
) -> None:
    filled(directory)
    address, named = new_address(postgres), new_address(postgres)
    copied(in_files(directory), in_postgres(address))
    there = "SELECT user_id, room_id FROM members WHERE away_seq IS NULL"
    assert rows_of(address, there) == [("ada", 1)]
    copied(in_postgres(address), in_postgres(named))
    with opened_log(attrs.evolve(named, node="a")):
        assert rows_of(named, there) == []
        assert rows_of(named, "SELECT away_seq FROM members WHERE user_id = 'ada'") == [(12,)]
    run_in(named, "UPDATE chatd.members SET stays = '{7}' WHERE user_id = 'ada'")
    with pytest.raises(CopyFailed, match="nodes_not_ended"):
        copied(in_postgres(named), in_files(tmp_path / "target"))


NOT_COPIED = {
    "messages.stored_at": "when it was stored here",
    "members.stays": "no node is there yet",
    "members.version": "of transactions of this server",
    "members.seen_seq": "nobody is on a node",
    "answers.node_id": "whoever starts first has them",
}


def test_every_column_of_either_log_has_its_place(postgres: Postgres, directory: Path) -> None:
    """A new one is copied, or it is said here why not."""
    address = new_address(postgres)
    with opened_log(address):
        found = rows_of(
            address,
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'chatd'",
        )
    placed = {f"{table}.{column.name}" for table in Table for column in COLUMNS[table]}
    tables = {table for table, _ in found}
    assert tables - set(Table) == {
        *("meta", "nodes", "removals"),  # of the log as a whole, and of nodes
        *("search_index", "indexed", "message_text"),  # made anew
    }
    there = {f"{table}.{name}" for table, name in found if table in set(Table)}
    assert there == placed | NOT_COPIED.keys()
    open_store(directory, "write").close()
    with contextlib.closing(sqlite3.connect(directory / LOG_NAME)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM pragma_table_list")}
        assert {one for one in names if not one.startswith(("sqlite", "message_text"))} == {
            *Table,
            "meta",
        }
        there = {
            f"{table}.{name}"
            for table in Table
            for (name,) in connection.execute(f"SELECT name FROM pragma_table_info('{table}')")
        }
    # Positions are given anew, and name messages; last seqs are looked up; who left is no member.
    assert there - placed == {
        *("members.is_member", "members.position", "changes.position"),
        *("changes.message", "changed.message", "mentions.message"),
    }
    assert placed - there == {"rooms.last_seq", "changes.seq"}


def test_a_log_that_lost_its_end_is_not_copied_under_its_epoch(
    directory: Path, tmp_path: Path
) -> None:
    filled(directory)
    damage(directory, "UPDATE meta SET position = 2000")  # its snapshots are further
    with pytest.raises(CopyFailed, match="log_lost_its_end") as caught:
        copied(in_files(directory), in_files(tmp_path / "target"))
    assert caught.value.exit_code == 74
    assert not (tmp_path / "target" / LOG_NAME).exists()


class Cut(BaseException):
    """As if the process were killed here."""


def cut_at(
    monkeypatch: pytest.MonkeyPatch, kind: type[NewPostgresLog] | type[NewSqliteLog], table: Table
) -> None:
    write = kind.write

    def cut(self: NewPostgresLog, at: Table, copied_rows: list[Row]) -> None:
        write(self, at, copied_rows)
        if at is table:
            raise Cut

    monkeypatch.setattr(kind, "write", cut)


@pytest.mark.parametrize("table", [Table.ROOMS, Table.MESSAGES, Table.AUDIT])
def test_a_copy_that_was_cut_off_is_no_log_and_is_begun_anew(
    directory: Path,
    tmp_path: Path,
    postgres: Postgres,
    table: Table,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filled(directory)
    address = new_address(postgres)
    with monkeypatch.context() as patched:
        cut_at(patched, NewPostgresLog, table)
        with pytest.raises(Cut):
            copied(in_files(directory), in_postgres(address))
    with pytest.raises(DatabaseUnfit, match="copy_unfinished"):
        open_log(address, NOW_MS)
    with pytest.raises(DatabaseUnfit, match="copy_unfinished"):
        copied(in_postgres(address), in_files(tmp_path / "never"))
    assert copied(in_files(directory), in_postgres(address)).counts[Table.ROOMS] == 2
    target = tmp_path / "target"
    with monkeypatch.context() as patched:
        cut_at(patched, NewSqliteLog, table)
        with pytest.raises(Cut):
            copied(in_postgres(address), in_files(target))
    with pytest.raises(StoreUnavailable, match="was not finished"):
        open_store(target, "write")
    assert copied(in_postgres(address), in_files(target)).counts[Table.ROOMS] == 2
    assert verify_store(target).is_sound
    with opened_log(address):
        pass


@pytest.mark.parametrize("table", [Table.MESSAGES, Table.MEMBERS, Table.CHANGED, Table.ROOMS])
def test_a_copy_that_is_not_the_same_is_found_and_not_used(
    directory: Path, postgres: Postgres, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(directory)
    address = new_address(postgres)
    write = NewPostgresLog.write

    def losing(self: NewPostgresLog, at: Table, copied_rows: list[Row]) -> None:
        write(self, at, (list(copied_rows)[:-1] if at is table else copied_rows))

    with monkeypatch.context() as patched:
        patched.setattr(NewPostgresLog, "write", losing)
        with pytest.raises(CopyFailed, match=r"copy_differs") as caught:
            copied(in_files(directory), in_postgres(address))
    assert caught.value.exit_code == 74
    with pytest.raises(DatabaseUnfit, match="copy_unfinished"):
        open_log(address, NOW_MS)


BROKEN = "CAST(x'ff' AS TEXT)"


DAMAGE = [
    (
        f"UPDATE messages SET content = {BROKEN} WHERE room_id = 1 AND seq = 2",
        "A row of the messages (1, 2, 2) is damaged, and stays so.",
        "SELECT context FROM messages WHERE room_id = 1 AND seq = 2",
        NO_JSON,
    ),
    (
        "UPDATE messages SET message_id = x'' WHERE room_id = 1 AND seq = 2",
        "A row of the messages (1, 2, 2) is damaged, and stays so.",
        "SELECT length(message_id) FROM messages WHERE room_id = 1 AND seq = 2",
        16,
    ),
    (
        "UPDATE messages SET context = x'7bff' WHERE room_id = 1 AND seq = 1",
        "A row of the messages (1, 1, 1) is damaged, and stays so.",
        "SELECT context FROM messages WHERE room_id = 1 AND seq = 1",
        NO_JSON,
    ),
    (
        "UPDATE messages SET name = CAST(x'610062' AS TEXT) WHERE room_id = 1 AND seq = 1",
        "A row of the messages (1, 1, 1) is damaged, and stays so.",
        "SELECT name FROM messages WHERE room_id = 1 AND seq = 1",
        None,
    ),
    (
        "UPDATE changed SET reactions = 'x' WHERE seq = 9",
        "A row of the changed (1, 9, 4) is damaged, and stays so.",
        "SELECT reactions::text FROM changed WHERE seq = 9",
        "null",
    ),
    (
        "UPDATE members SET gaps = '[[1' WHERE user_id = 'bob'",
        "A row of the members (1, 1700000000000) is damaged, and stays so.",
        "SELECT fallen::text FROM members WHERE user_id = 'bob'",
        "[1, 7]",
    ),
    (
        f"UPDATE members SET user_id = {BROKEN} WHERE user_id = 'bob'",
        "A row of the members (1, 1700000000000) has a wrong user_id: ",
        "SELECT count(*) FROM members",
        2,
    ),
    (
        "UPDATE changes SET message = 9000 WHERE rev = 2",
        "A row of the changes (1, 2) has a wrong seq: it belongs nowhere, and is left out.",
        "SELECT count(*) FROM changes",
        6,
    ),
    (
        "UPDATE messages SET room_id = 9 WHERE room_id = 1 AND seq = 12",
        "A row of the messages (9, 12, 2528) has a wrong room_id: it belongs nowhere,",
        "SELECT count(*) FROM messages WHERE room_id = 1",
        11,
    ),
    (
        "DELETE FROM messages WHERE room_id = 2 AND seq = 100",
        "The room 'other' lacks messages between 41 and 2500.",
        "SELECT count(*) FROM messages WHERE room_id = 2",
        2459,
    ),
]
"""What is wrong with a row in SQLite, what is told, and what there is in PostgreSQL."""


@rows(("statement", "told", "query", "there"), DAMAGE)
def test_a_damaged_row_is_carried_as_such_or_told(
    filled_once: Path, postgres: Postgres, statement: str, told: str, query: str, there: object
) -> None:
    address = new_address(postgres)
    with tempfile.TemporaryDirectory() as made:
        full = Path(shutil.copytree(filled_once, Path(made) / "full"))
        damage(full, statement)
        done = copied(in_files(full), in_postgres(address))
    assert any(told in sentence for sentence in done.damaged), done.damaged
    assert rows_of(address, query) == [(there,)]


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("filled") / "state")
