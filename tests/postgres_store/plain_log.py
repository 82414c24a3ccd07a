"""A log in PostgreSQL that is written row by row, for tests of what reads it."""

from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any

import attrs
import psycopg
import pytest

from chatd.chat.records import (
    AnswerClosed,
    AnswerOpened,
    Delivered,
    Message,
    MessageChange,
    MessageDeleted,
    MessageEdited,
    MessageErased,
    MessageRead,
    MessageStored,
    ReactionChanged,
    Record,
)
from chatd.store.rows import mentions_as_json, reactions_as_json, uuid_bytes
from tests.postgres import Postgres

SCHEMA = "chatd"
# Children first. Sequences go on: nothing may depend on where they begin.
TABLES = (
    "message_text", "indexed", "mentions", "changed", "changes", "messages", "answers", "members",
    "rooms",
)  # fmt: skip


def create(connection: "psycopg.Connection[Any]") -> None:
    """Make the tables in an empty database."""
    connection.execute(f'CREATE SCHEMA "{SCHEMA}"')
    connection.execute(f'SET search_path TO "{SCHEMA}"')
    directory = files("chatd.postgres_store") / "schema"
    for file in sorted(directory.iterdir(), key=lambda one: one.name):
        connection.execute(file.read_bytes())


@pytest.fixture(scope="session")
def log_database(postgres: Postgres) -> str:
    """The name of a database with the tables of the log."""
    database = postgres.new_database()
    with postgres.connect(database) as connection:
        create(connection)
    return database


@attrs.define(eq=False)
class PlainLog:
    """A log of its own for a test, in a database that other tests had before."""

    address: str
    connection: "psycopg.Connection[Any]"

    @classmethod
    def emptied(cls, postgres: Postgres, database: str) -> "PlainLog":
        connection = postgres.connect(database, options=f"-c search_path={SCHEMA}")
        connection.execute("; ".join(f"DELETE FROM {table}" for table in TABLES))
        connection.execute("UPDATE search_index SET form = ''")
        return cls(postgres.url(database, "postgres"), connection)

    def commit(self, records: Iterable[Record]) -> None:
        with self.connection.transaction():
            for record in records:
                self._write(record)

    def forget(self, room: str, last_seq: int) -> None:
        room_id = self._room(room)
        with self.connection.transaction():
            self.connection.execute(
                "DELETE FROM answers a USING messages m WHERE a.question_id = m.message_id"
                " AND m.room_id = %s AND m.seq <= %s",
                (room_id, last_seq),
            )
            self.connection.execute(
                "DELETE FROM messages WHERE room_id = %s AND seq <= %s", (room_id, last_seq)
            )
            self.connection.execute(
                "UPDATE rooms SET forgotten_seq = %s WHERE room_id = %s", (last_seq, room_id)
            )

    def close(self) -> None:
        self.connection.close()

    def _room(self, connection_id: str) -> int:
        row = self.connection.execute(
            "INSERT INTO rooms (connection_id) VALUES (%s) ON CONFLICT (connection_id)"
            " DO UPDATE SET connection_id = excluded.connection_id RETURNING room_id",
            (connection_id,),
        ).fetchone()
        assert row is not None
        return int(row[0])

    def _insert(self, table: str, **values: object) -> None:
        names = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        self.connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values())
        )

    def _write(self, record: Record) -> None:
        match record:
            case MessageStored(message):
                self._store(message)
            case MessageEdited() | MessageDeleted() | ReactionChanged():
                self._change(record)
            case Delivered(room, seq, by, at_ms):
                self.connection.execute(
                    "UPDATE messages SET delivered_by = %s, delivered_ms = %s"
                    " WHERE room_id = %s AND seq = %s AND delivered_by IS NULL",
                    (by, at_ms, self._room(room), seq),
                )
            case AnswerOpened(answer):
                self._insert(
                    "answers",
                    question_id=uuid_bytes(answer.question_id),
                    answer_id=uuid_bytes(answer.answer_id),
                    room_id=self._room(answer.connection_id),
                    user_id=answer.user_id,
                    opened_ms=answer.opened_ms,
                    is_to_read=answer.is_to_read,
                )
            case MessageRead(_, question_id, _, is_question):
                statement = (
                    "UPDATE answers SET is_to_read = false WHERE question_id = %s"
                    if is_question
                    else "DELETE FROM answers WHERE question_id = %s AND is_to_read"
                )
                self.connection.execute(statement, (uuid_bytes(question_id),))
            case AnswerClosed(_, question_id, answer_id, state):
                self.connection.execute(
                    "UPDATE answers SET state = %s, answer_id = %s WHERE question_id = %s",
                    (state, uuid_bytes(answer_id), uuid_bytes(question_id)),
                )
            case _:
                raise AssertionError(f"no test reads a {type(record).__name__}")

    def _store(self, message: Message) -> None:
        room_id = self._room(message.connection_id)
        self._insert(
            "messages",
            room_id=room_id,
            seq=message.seq,
            message_id=uuid_bytes(message.message_id),
            thread_id=None if message.thread_id is None else uuid_bytes(message.thread_id),
            timestamp_ms=message.timestamp_ms,
            user_id=message.user_id,
            name=message.name,
            context=None if message.context is None else message.context.decode(),
            content=message.content,
            reply_to=None if message.reply_to is None else uuid_bytes(message.reply_to),
            answer=None if message.answer is None else message.answer.decode(),
        )
        self._mention(room_id, message)
        self.connection.execute(
            "UPDATE rooms SET last_seq = %s WHERE room_id = %s", (message.seq, room_id)
        )

    def _mention(self, room_id: int, message: Message) -> None:
        self.connection.execute(
            "DELETE FROM mentions WHERE room_id = %s AND seq = %s", (room_id, message.seq)
        )
        if message.mentions:
            users = mentions_as_json(message.mentions)
            self._insert(
                "mentions", room_id=room_id, seq=message.seq, author=message.user_id, users=users
            )

    def _change(self, change: MessageChange) -> None:
        message, changes = change.message, change.message.changes
        assert changes is not None
        room_id = self._room(message.connection_id)
        kind, written = kind_and_text(change)
        if kind == "erase":
            self.connection.execute(
                "UPDATE messages SET user_id = %s, content = '' WHERE room_id = %s AND seq = %s",
                (message.user_id, room_id, message.seq),
            )
        self._insert(
            "changes",
            room_id=room_id,
            rev=change.rev,
            seq=message.seq,
            kind=kind,
            user_id=change.by,
            at_ms=change.at_ms,
            written=written,
        )
        is_edited = changes.edited_rev > 0 and changes.deleted_ms is None
        row: Sequence[object] = (
            *(room_id, message.seq, changes.rev, changes.at_ms, changes.edited_rev),
            *(changes.edited_ms, message.content if is_edited else None, changes.deleted_ms),
            reactions_as_json(changes.reactions),
        )
        self.connection.execute(
            "INSERT INTO changed (room_id, seq, rev, at_ms, edited_rev, edited_ms, content,"
            " deleted_ms, reactions) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (room_id, seq) DO UPDATE SET rev = excluded.rev, at_ms = excluded.at_ms,"
            " edited_rev = excluded.edited_rev, edited_ms = excluded.edited_ms,"
            " content = excluded.content, deleted_ms = excluded.deleted_ms,"
            " reactions = excluded.reactions",
            row,
        )
        if not isinstance(change, ReactionChanged):
            self._mention(room_id, message)
        self.connection.execute(
            "UPDATE rooms SET last_rev = %s WHERE room_id = %s", (change.rev, room_id)
        )


def kind_and_text(change: MessageChange) -> tuple[str, str | None]:
    match change:
        case MessageEdited(message):
            return "edit", message.content
        case MessageErased():
            return "erase", None
        case MessageDeleted():
            return "delete", None
        case ReactionChanged(emoji=emoji, is_on=is_on):
            return "react" if is_on else "unreact", emoji
    raise AssertionError(change)
