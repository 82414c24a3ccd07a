"""The audit in the log: appended, read with its ends, kept as it was written, removed when old."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest

from chatd.chat.audit import BEGUN, AuditAction, AuditEnd, AuditEntry
from chatd.chat.records import AnswerClosed, Audited
from chatd.store.audit import OPEN, AuditQuery, look_at_audit, remove_old
from chatd.store.connections import Durability, connect_to_write
from chatd.store.log import Log
from chatd.store.opening import Store, open_store
from chatd.store.verify import verify_store
from tests.chat.commands import message_id
from tests.store.full_store import write_to
from tests.store.logs import NOW_MS, ROOM, stored
from tests.store.test_answers import opened

ASKED = AuditEntry(
    AuditAction.ASK,
    NOW_MS,
    "ada",
    "done",
    "203.0.113.7",
    ROOM,
    message_id(1),
    "SELECT 1",
    rows=1,
    elapsed_ms=7,
)
EXPORT = attrs.evolve(
    ASKED, action=AuditAction.EXPORT, at_ms=NOW_MS + 1, outcome=BEGUN, format="csv", span="x"
)
KICK = AuditEntry(AuditAction.KICK, NOW_MS + 2, "uid:0", "done", target="bob")


def entries(directory: Path, **query: object) -> list[AuditEntry]:
    return look_at_audit(directory, AuditQuery(**query))  # type: ignore[arg-type]


def test_entries_are_read_while_the_log_is_open_and_after_it(store: Store, directory: Path) -> None:
    write_to(store, [Audited(ASKED), Audited(KICK)])
    assert entries(directory) == [ASKED, KICK]
    store.close()
    assert entries(directory) == [ASKED, KICK]
    assert verify_store(directory).is_sound


def test_what_was_begun_is_read_with_its_end(store: Store, directory: Path) -> None:
    write_to(store, [Audited(EXPORT)], [Audited(attrs.evolve(EXPORT, span="y"))])
    assert [one.outcome for one in entries(directory)] == [BEGUN, BEGUN]
    write_to(store, [Audited(AuditEnd("x", NOW_MS + 9, "sent", 3, 40, 8))])
    first, second = entries(directory)
    assert (first.outcome, first.rows, first.size_bytes, first.elapsed_ms) == ("sent", 3, 40, 8)
    assert second.outcome == BEGUN


def test_a_question_that_is_being_answered_is_open_and_then_there_once(
    store: Store, directory: Path
) -> None:
    question, answer = message_id(1), message_id(2)
    asked = opened(address="203.0.113.7")
    write_to(store, [stored(1, message_id=question, content="SELECT 1"), asked])
    [one] = entries(directory)
    assert (one.outcome, one.user_id, one.address) == (OPEN, "ada", "203.0.113.7")
    assert (one.statement, one.message_id) == ("SELECT 1", question)
    assert store.reread().open_answers == (asked.answer,)
    ended = stored(2, message_id=answer, user_id=f"db:{ROOM}", reply_to=question, answer=b"{}")
    write_to(store, [ended, AnswerClosed(ROOM, question, answer, "done"), Audited(ASKED)])
    assert entries(directory) == [ASKED]
    connection = sqlite3.connect(store.path)
    assert connection.execute("SELECT address FROM answers").fetchall() == [(None,)]
    connection.close()


NARROWED: Sequence[tuple[dict[str, object], list[AuditEntry]]] = [
    ({"connection_id": ROOM}, [ASKED, EXPORT]),
    ({"connection_id": "other"}, []),
    ({"user_id": "ada"}, [ASKED, EXPORT]),
    ({"user_id": "bob"}, [KICK]),  # whom it was done to
    ({"since_ms": NOW_MS + 1}, [EXPORT, KICK]),
    ({"until_ms": NOW_MS + 1}, [ASKED]),
    ({"since_ms": NOW_MS + 1, "until_ms": NOW_MS + 2, "user_id": "ada"}, [EXPORT]),
]


def test_the_audit_is_narrowed(store: Store, directory: Path) -> None:
    write_to(store, [Audited(ASKED), Audited(EXPORT), Audited(KICK)])
    for query, found in NARROWED:
        assert entries(directory, **query) == [attrs.evolve(it, span=None) for it in found], query


def test_no_entry_is_ever_changed(store: Store) -> None:
    write_to(store, [Audited(ASKED)])
    connection = sqlite3.connect(store.path)
    for column in ("at_ms", "user_id", "outcome", "room", "target", "rows"):
        with pytest.raises(sqlite3.IntegrityError, match="only appended"):
            connection.execute(f"UPDATE audit SET {column} = NULL")
    connection.close()


def test_old_entries_are_removed_from_the_oldest_end_only(store: Store, directory: Path) -> None:
    times = [NOW_MS, NOW_MS + 1, NOW_MS + 100, NOW_MS + 2]  # the clock went back before the last
    write_to(store, [Audited(attrs.evolve(ASKED, at_ms=at_ms)) for at_ms in times])
    log = Log(lambda: connect_to_write(store.path, Durability.WRITE))
    assert log.maintain(lambda connection: remove_old(connection, NOW_MS + 50, 1)) == 1
    assert log.maintain(lambda connection: remove_old(connection, NOW_MS + 50, 10)) == 1
    log.close()
    assert [one.at_ms for one in entries(directory)] == [NOW_MS + 2, NOW_MS + 100]


def test_entries_survive_a_start(store: Store, directory: Path) -> None:
    write_to(store, [Audited(ASKED)])
    store.close()
    again = open_store(directory, "fsync")
    assert again.recovered.position == 1
    assert entries(directory) == [ASKED]
    again.close()
