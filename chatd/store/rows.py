"""Records as rows: the only place that knows both.

A `Batch` collects the rows of many records by table, so that each table is written by one
`executemany`. The order between tables does not matter for what is in them in the end: see the
statements of acknowledgements, which give the same set in whatever order they run.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, assert_never

import attrs

from chatd.chat.records import (
    Acknowledged,
    Delivered,
    MemberJoined,
    Message,
    MessageStored,
    Record,
)
from chatd.store.errors import RecordRefused

MESSAGE_COLUMNS = (
    "m.message_id, r.connection_id, m.seq, m.user_id, m.name, m.content, m.context, m.thread_id,"
    " m.timestamp_ms"
)
SELECT_MESSAGE = (
    f"SELECT {MESSAGE_COLUMNS} FROM messages m JOIN rooms r USING (room_id) WHERE m.message_id = ?"
)
SELECT_HEADS = """
    SELECT r.connection_id, r.room_id,
           coalesce((SELECT max(m.seq) FROM messages m WHERE m.room_id = r.room_id), 0)
    FROM rooms r
"""

_INSERT_ROOM = "INSERT INTO rooms (connection_id, room_id) VALUES (?, ?)"
_INSERT_MESSAGE = """
    INSERT INTO messages (position, room_id, seq, message_id, thread_id, timestamp_ms,
                          user_id, name, context, content)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_INSERT_MEMBER = """
    INSERT INTO members (position, room_id, user_id, joined_ms) VALUES (?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""
_ADVANCE_CURSOR = """
    INSERT INTO acknowledged_up_to (position, room_id, user_id, seq, at_ms) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET seq = excluded.seq, at_ms = excluded.at_ms,
                              position = excluded.position
    WHERE excluded.seq > seq
"""
_DELETE_PASSED = "DELETE FROM acknowledged WHERE room_id = ? AND user_id = ? AND seq <= ?"
_INSERT_ACKNOWLEDGED = """
    INSERT INTO acknowledged (position, room_id, user_id, seq, at_ms)
    SELECT ?1, ?2, ?3, ?4, ?5
    WHERE NOT EXISTS (
        SELECT 1 FROM acknowledged_up_to WHERE room_id = ?2 AND user_id = ?3 AND seq >= ?4)
    ON CONFLICT DO NOTHING
"""
_MARK_DELIVERED = """
    UPDATE messages SET delivered_by = ?, delivered_ms = ?
    WHERE room_id = ? AND seq = ? AND delivered_by IS NULL
"""
_SET_POSITION = "UPDATE meta SET position = ?"

_UUID_TEXT_LENGTH = 36


def uuid_bytes(text: str) -> bytes:
    """The 16 bytes of a UUID in its lower-case text form; `ValueError` for any other text."""
    raw = bytes.fromhex(text.replace("-", ""))
    if len(raw) != 16 or uuid_text(raw) != text:
        raise ValueError(f"not a UUID in lower case: {text[:_UUID_TEXT_LENGTH]!r}")
    return raw


def uuid_text(raw: bytes) -> str:
    """The lower-case text of 16 bytes."""
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def message_from_row(row: Sequence[Any]) -> Message:
    """The message in a row of `MESSAGE_COLUMNS`; columns after these are not looked at."""
    message_id, connection_id, seq, user_id, name, content, context, thread_id, timestamp_ms = row[
        :9
    ]
    return Message(
        message_id=uuid_text(message_id),
        connection_id=connection_id,
        seq=seq,
        user_id=user_id,
        name=name,
        content=content,
        context=context,
        thread_id=None if thread_id is None else uuid_text(thread_id),
        timestamp_ms=timestamp_ms,
    )


@attrs.define
class Heads:
    """Where the log ends: the last position, the number of each room and its last seq."""

    position: int
    room_ids: dict[str, int]
    last_seqs: dict[str, int]

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> "Heads":
        """The heads as they are on disk: one look-up in an index for each room."""
        [(position,)] = connection.execute("SELECT position FROM meta")
        room_ids: dict[str, int] = {}
        last_seqs: dict[str, int] = {}
        for connection_id, room_id, last_seq in connection.execute(SELECT_HEADS):
            room_ids[connection_id] = room_id
            last_seqs[connection_id] = last_seq
        return cls(position, room_ids, last_seqs)

    def advance(self, batch: "Batch") -> None:
        """Take over what `batch` has written."""
        self.position = batch.position
        self.room_ids.update(batch.new_rooms)
        self.last_seqs.update(batch.last_seqs)


class Batch:
    """Rows by table, with positions and room numbers that continue `heads` without changing it.

    Written by hand with slots: one is made for each transaction.
    """

    __slots__ = (
        "_acknowledged",
        "_cursors",
        "_delivered",
        "_heads",
        "_members",
        "_messages",
        "last_seqs",
        "new_rooms",
        "position",
    )

    def __init__(self, heads: Heads) -> None:
        self._heads = heads
        self.position = heads.position
        self.new_rooms: dict[str, int] = {}
        self.last_seqs: dict[str, int] = {}
        self._messages: list[tuple[object, ...]] = []
        self._members: list[tuple[object, ...]] = []
        self._cursors: list[tuple[int, int, str, int, int]] = []
        self._acknowledged: list[tuple[object, ...]] = []
        self._delivered: list[tuple[object, ...]] = []

    def add(self, records: Iterable[Record]) -> None:
        """Take in records, in order. Raises `RecordRefused` or `ValueError` where one cannot be."""
        for record in records:
            self.position += 1
            match record:
                case MessageStored():
                    self._add_message(record.message)
                case MemberJoined(connection_id, user_id, at_ms):
                    room_id = self._room_id(connection_id)
                    self._members.append((self.position, room_id, user_id, at_ms))
                case Acknowledged(connection_id, user_id, seq, up_to, at_ms):
                    room_id = self._room_id(connection_id)
                    row = (self.position, room_id, user_id, seq, at_ms)
                    (self._cursors if up_to else self._acknowledged).append(row)
                case Delivered(connection_id, seq, by, at_ms):
                    self._delivered.append((by, at_ms, self._room_id(connection_id), seq))
                case _:
                    assert_never(record)

    def write(self, connection: sqlite3.Connection) -> None:
        """Run the statements, inside of the transaction that the caller has begun."""
        if self.new_rooms:
            connection.executemany(_INSERT_ROOM, self.new_rooms.items())
        if self._messages:
            connection.executemany(_INSERT_MESSAGE, self._messages)
        if self._members:
            connection.executemany(_INSERT_MEMBER, self._members)
        if self._cursors:
            connection.executemany(_ADVANCE_CURSOR, self._cursors)
            connection.executemany(_DELETE_PASSED, [row[1:4] for row in self._cursors])
        if self._acknowledged:
            connection.executemany(_INSERT_ACKNOWLEDGED, self._acknowledged)
        if self._delivered:
            connection.executemany(_MARK_DELIVERED, self._delivered)
        connection.execute(_SET_POSITION, (self.position,))

    def _add_message(self, message: Message) -> None:
        connection_id = message.connection_id
        room_id = self._room_id(connection_id)
        last_seq = self.last_seqs.get(connection_id)
        if last_seq is None:
            last_seq = self._heads.last_seqs.get(connection_id, 0)
        if message.seq != last_seq + 1:
            raise RecordRefused(
                f"A message with seq {message.seq} does not follow on seq {last_seq} of its room."
            )
        self.last_seqs[connection_id] = message.seq
        thread_id = message.thread_id
        self._messages.append(
            (
                self.position,
                room_id,
                message.seq,
                uuid_bytes(message.message_id),
                None if thread_id is None else uuid_bytes(thread_id),
                message.timestamp_ms,
                message.user_id,
                message.name,
                message.context,
                message.content,
            )
        )

    def _room_id(self, connection_id: str) -> int:
        room_id = self._heads.room_ids.get(connection_id)
        if room_id is None:
            room_id = self.new_rooms.get(connection_id)
        if room_id is None:
            # Rooms are never deleted: their numbers are dense.
            room_id = len(self._heads.room_ids) + len(self.new_rooms) + 1
            self.new_rooms[connection_id] = room_id
        return room_id
