"""Records as rows: the only place that knows both.

A `Batch` collects the rows of many records by table, so that each table is written by one
`executemany`; what becomes of a member in one batch is written once, as its last record has it.
The order between tables does not matter: a `Delivered` marks a message that is there already or in
the same batch, and messages go first.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, TypeAlias, TypeVar, assert_never

import attrs
import orjson

from chatd.chat.commits import RecordRefused
from chatd.chat.ids import SCOPE_BYTES, WRITTEN_CHARS, scoped_id
from chatd.chat.queue import PRESENT, Gap, Queue
from chatd.chat.records import (
    AnswerClosed,
    AnswerOpened,
    Delivered,
    MemberKept,
    MemberRemoved,
    Message,
    MessageRead,
    MessageStored,
    Record,
)
from chatd.chat.rendering import DAMAGED_SENTENCE

MESSAGE_COLUMNS = (
    "m.message_id, r.connection_id, m.seq, m.user_id, m.name, m.content, m.context, m.thread_id,"
    " m.timestamp_ms, m.reply_to, m.answer"
)
MESSAGE_WIDTH = 11  # how many columns these are
# Those of one id, the one without a scope first: between the two of `ids_from`.
SELECT_MESSAGES = f"""
    SELECT {MESSAGE_COLUMNS} FROM messages m JOIN rooms r USING (room_id)
    WHERE m.message_id BETWEEN ? AND ? ORDER BY m.message_id
"""
# The last seq of a room `r` that was ever given, be it that retention removed its message.
LAST_SEQ = """
    max(r.forgotten_seq,
        coalesce((SELECT max(m.seq) FROM messages m WHERE m.room_id = r.room_id), 0))
"""
SELECT_HEADS = f"SELECT r.connection_id, r.room_id, {LAST_SEQ}, r.forgotten_seq FROM rooms r"
QUEUE_COLUMNS = "m.away_seq, m.away_ms, m.gaps, m.fallen"

_INSERT_ROOM = "INSERT INTO rooms (connection_id, room_id) VALUES (?, ?)"
_INSERT_MESSAGE = """
    INSERT INTO messages (position, room_id, seq, message_id, thread_id, timestamp_ms,
                          user_id, name, context, content, reply_to, answer)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_OPEN_ANSWER = """
    INSERT INTO answers (question_id, answer_id, room_id, user_id, thread_id, opened_ms, is_to_read)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_KEEP_QUESTION = "UPDATE answers SET is_to_read = 0 WHERE question_id = ?"
_FORGET_TALK = "DELETE FROM answers WHERE question_id = ? AND is_to_read"
_CLOSE_ANSWER = """
    UPDATE answers SET state = ?, answer_id = ?, is_to_read = 0 WHERE question_id = ?
"""
# Parameter 10: the user was removed and came again in this batch. A first joining stands else.
_PUT_MEMBER = """
    INSERT INTO members (room_id, user_id, position, joined_ms, is_member,
                         away_seq, away_ms, gaps, fallen)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT DO UPDATE SET
        joined_ms = CASE WHEN is_member AND NOT ?10 THEN joined_ms ELSE excluded.joined_ms END,
        position = excluded.position, is_member = excluded.is_member,
        away_seq = excluded.away_seq, away_ms = excluded.away_ms,
        gaps = excluded.gaps, fallen = excluded.fallen
"""
_MARK_DELIVERED = """
    UPDATE messages SET delivered_by = ?, delivered_ms = ?
    WHERE room_id = ? AND seq = ? AND delivered_by IS NULL
"""
_SET_POSITION = "UPDATE meta SET position = ?"

_SET_HAS_SCOPED = "UPDATE meta SET has_scoped_ids = 1"
_HAS_ID = "SELECT 1 FROM messages WHERE message_id = ?"

ID_LENGTHS = (16, 16 + SCOPE_BYTES)  # bytes of a UUID alone, and with its scope

_T = TypeVar("_T")

# What a queue is in JSON, by its fields: the gaps are [first, last, since_ms].
QueueFields: TypeAlias = tuple[int | None, int, list[list[int]], list[int] | None]


def uuid_bytes(text: str) -> bytes:
    """The 16 bytes of a UUID in its lower-case text form, and behind them those of its scope, where
    it has one (`chatd.chat.ids`); `ValueError` for any other text."""
    raw = bytes.fromhex(text.replace("-", "").replace("/", ""))
    if len(raw) not in ID_LENGTHS or uuid_text(raw) != text:
        raise ValueError(f"not a UUID in lower case: {text[:WRITTEN_CHARS]!r}")
    return raw


def uuid_text(raw: bytes) -> str:
    """The lower-case text of 16 bytes, and of a scope behind them."""
    digits = raw.hex()
    scope = f"/{digits[32:]}" if len(digits) > 32 else ""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}{scope}"


def ids_from(key: bytes) -> tuple[bytes, bytes]:
    """The first and the last key that this id may have, be it with a scope."""
    return key, key + b"\xff" * SCOPE_BYTES


def message_from_row(row: Sequence[Any]) -> Message:
    """The message in a row of `MESSAGE_COLUMNS`; columns after these are not looked at.

    One that is broken is damaged, as far as its room and seq can be read: `MisplacedRowError` else.
    """
    (
        message_id,
        connection_id,
        seq,
        user_id,
        name,
        content,
        context,
        thread_id,
        timestamp_ms,
        reply_to,
        answer,
    ) = row[:MESSAGE_WIDTH]
    if not (
        content.__class__ is str
        and user_id.__class__ is str
        and connection_id.__class__ is str
        and seq.__class__ is int
        and timestamp_ms.__class__ is int
        and (name is None or name.__class__ is str)
        and is_uuid(message_id)
        and (thread_id is None or is_uuid(thread_id))
        and (reply_to is None or is_uuid(reply_to))
        and (context is None or is_document(context))
        and (answer is None or is_answer(answer))
    ):
        return _damaged_message(row)
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
        reply_to=None if reply_to is None else uuid_text(reply_to),
        answer=answer,
    )


class MisplacedRowError(ValueError):
    """A row that does not say of which room it is, or at which seq."""


def _damaged_message(row: Sequence[Any]) -> Message:
    """What can be read of a broken row."""
    message_id, room, seq, user_id, name, content, context, thread_id, at_ms, reply_to, answer = (
        row[:MESSAGE_WIDTH]
    )
    if not (isinstance(room, str) and isinstance(seq, int)):
        raise MisplacedRowError("a message does not say where it belongs")
    return Message(
        message_id=uuid_text(message_id) if is_uuid(message_id) else _stand_in_id(room, seq),
        connection_id=room,
        seq=seq,
        user_id=_if_is(str, user_id) or "",
        name=_if_is(str, name),
        content=_if_is(str, content) or DAMAGED_SENTENCE,
        context=context if is_document(context) else None,
        thread_id=uuid_text(thread_id) if is_uuid(thread_id) else None,
        timestamp_ms=_if_is(int, at_ms) or 0,
        reply_to=uuid_text(reply_to) if is_uuid(reply_to) else None,
        answer=answer if is_answer(answer) else None,
        is_damaged=True,
    )


def damaged_message(connection_id: str, seq: int) -> Message:
    """Stands for a message of which nothing can be read, so that seqs stay dense."""
    nothing = (None, connection_id, seq, *[None] * (MESSAGE_WIDTH - 3))
    return _damaged_message(nothing)


def _stand_in_id(connection_id: str, seq: int) -> str:
    """An id for a message whose own cannot be read: always the same, and nobody else's."""
    place = f"{connection_id}\0{seq}".encode()
    return uuid_text(blake2b(place, digest_size=16, person=b"chatd damaged").digest())


def _if_is(kind: type[_T], value: object) -> _T | None:
    return value if isinstance(value, kind) else None


def is_uuid(value: object) -> bool:
    """Whether it is the bytes of an id, be it with a scope."""
    return value.__class__ is bytes and len(value) in ID_LENGTHS


def is_document(value: object) -> bool:
    """Whether it is the bytes of a JSON object: what goes out as it is, must be."""
    return _document(value) is not None


def is_answer(value: object) -> bool:
    """Whether it is a document whose error, where it has one, says in words what it is."""
    document = _document(value)
    if document is None:
        return False
    error = document.get("error")
    return error is None or (isinstance(error, dict) and isinstance(error.get("message"), str))


def _document(value: object) -> dict[str, Any] | None:
    if not isinstance(value, bytes):
        return None
    try:
        document = orjson.loads(value)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def queue_fields(queue: Queue) -> QueueFields:
    """A queue as plain JSON values, for a row and for a snapshot."""
    gaps = [[gap.first, gap.last, gap.since_ms] for gap in queue.gaps]
    fallen = None if queue.fallen is None else list(queue.fallen)
    return queue.away_seq, queue.away_ms, gaps, fallen


def queue_from_fields(
    away_seq: int | None, away_ms: int, gaps: list[list[int]], fallen: list[int] | None
) -> Queue:
    """The queue of `queue_fields`; `ValueError` where they are none."""
    if away_seq is None and not away_ms and not gaps and fallen is None:
        return PRESENT  # one for all: most members are in their room
    try:
        told: tuple[int, int] | None = None
        if fallen is not None:
            told = (fallen[0], fallen[1])
        queue = Queue(away_seq, away_ms, tuple(Gap(*gap) for gap in gaps), told)
    except (TypeError, IndexError, KeyError):
        raise ValueError("not the queue of a member") from None
    numbers = [away_seq or 0, away_ms, *(told or ())]
    numbers += [number for gap in queue.gaps for number in (gap.first, gap.last, gap.since_ms)]
    if not all(type(number) is int for number in numbers):
        raise ValueError("not made of whole numbers")
    return queue


def queue_from_row(away_seq: int | None, away_ms: int, gaps: str, fallen: str | None) -> Queue:
    """The queue in a row's `QUEUE_COLUMNS`; `ValueError` where its JSON is damaged."""
    return queue_from_fields(
        away_seq,
        away_ms,
        orjson.loads(gaps),
        None if fallen is None else orjson.loads(fallen),
    )


@attrs.define
class Heads:
    """Where the log ends: the last position, the number of each room and its last seq.

    `messages` is how many were ever stored, be it that retention removed some: the sum of those.
    `has_scoped`: a message has, or had, an id with a scope (`chatd.chat.ids`).
    """

    position: int
    room_ids: dict[str, int]
    last_seqs: dict[str, int]
    messages: int
    has_scoped: bool

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> "Heads":
        """The heads as they are on disk: one look-up in an index for each room."""
        [(position, has_scoped)] = connection.execute("SELECT position, has_scoped_ids FROM meta")
        room_ids: dict[str, int] = {}
        last_seqs: dict[str, int] = {}
        for connection_id, room_id, last_seq, _ in connection.execute(SELECT_HEADS):
            room_ids[connection_id] = room_id
            last_seqs[connection_id] = last_seq
        return cls(position, room_ids, last_seqs, sum(last_seqs.values()), bool(has_scoped))

    def advance(self, batch: "Batch") -> None:
        """Take over what `batch` has written."""
        self.position = batch.position
        self.room_ids.update(batch.new_rooms)
        for room, seq in batch.last_seqs.items():
            self.messages += seq - self.last_seqs.get(room, 0)
        self.last_seqs.update(batch.last_seqs)
        self.has_scoped = self.has_scoped or batch.has_scoped


class _MemberRow:
    """What becomes of a member in one batch. Slots: one for each member in it.

    `queue` is None where it is removed; `joined_anew` where it was removed before it came again.
    """

    __slots__ = ("joined_anew", "joined_ms", "position", "queue")

    def __init__(
        self, position: int, queue: Queue | None, joined_ms: int, joined_anew: bool
    ) -> None:
        self.position = position
        self.queue = queue
        self.joined_ms = joined_ms
        self.joined_anew = joined_anew

    def parameters(self, room_id: int, user_id: str) -> tuple[object, ...]:
        queue = PRESENT if self.queue is None else self.queue
        away_seq, away_ms, gaps, fallen = queue_fields(queue)
        return (
            room_id,
            user_id,
            self.position,
            self.joined_ms,
            self.queue is not None,
            away_seq,
            away_ms,
            orjson.dumps(gaps).decode() if gaps else "[]",
            None if fallen is None else orjson.dumps(fallen).decode(),
            self.joined_anew,
        )


class Batch:
    """Rows by table, with positions and room numbers that continue `heads` without changing it.

    Written by hand with slots: one is made for each transaction.
    """

    __slots__ = (
        "_closed",
        "_delivered",
        "_heads",
        "_members",
        "_messages",
        "_opened",
        "_questions",
        "_talk",
        "_twins",
        "has_scoped",
        "last_seqs",
        "new_rooms",
        "position",
    )

    def __init__(self, heads: Heads) -> None:
        self._heads = heads
        self.position = heads.position
        self.new_rooms: dict[str, int] = {}
        self.last_seqs: dict[str, int] = {}
        self.has_scoped = False
        self._twins: list[bytes] = []  # ids that would make two of one in a room
        self._messages: list[tuple[object, ...]] = []
        self._members: dict[tuple[int, str], _MemberRow] = {}
        self._delivered: list[tuple[object, ...]] = []
        self._opened: list[tuple[object, ...]] = []
        self._questions: list[tuple[object, ...]] = []
        self._talk: list[tuple[object, ...]] = []
        self._closed: list[tuple[object, ...]] = []

    def add(self, records: Iterable[Record]) -> None:
        """Take in records, in order. Raises `RecordRefused` or `ValueError` where one cannot be."""
        for record in records:
            self.position += 1
            match record:
                case MessageStored():
                    self._add_message(record.message)
                case MemberKept(connection_id, user_id, queue, at_ms):
                    self._keep_member((self._room_id(connection_id), user_id), queue, at_ms)
                case MemberRemoved(connection_id, user_id):
                    key = (self._room_id(connection_id), user_id)
                    self._members[key] = _MemberRow(self.position, None, 0, joined_anew=False)
                case Delivered(connection_id, seq, by, at_ms):
                    self._delivered.append((by, at_ms, self._room_id(connection_id), seq))
                case AnswerOpened(answer):
                    self._opened.append(
                        (
                            uuid_bytes(answer.question_id),
                            uuid_bytes(answer.answer_id),
                            self._room_id(answer.connection_id),
                            answer.user_id,
                            None if answer.thread_id is None else uuid_bytes(answer.thread_id),
                            answer.opened_ms,
                            answer.is_to_read,
                        )
                    )
                case MessageRead(_, question_id, _, is_question):
                    read = self._questions if is_question else self._talk
                    read.append((uuid_bytes(question_id),))
                case AnswerClosed(_, question_id, answer_id, state):
                    self._closed.append((state, uuid_bytes(answer_id), uuid_bytes(question_id)))
                case _:
                    assert_never(record)

    def write(self, connection: sqlite3.Connection) -> None:
        """Run the statements, inside of the transaction that the caller has begun. Raises
        `RecordRefused` where a room has a message of the same id with its scope."""
        for twin in self._twins:
            if connection.execute(_HAS_ID, (twin,)).fetchone() is not None:
                raise RecordRefused("A message of this id is in the room, with its scope.")
        if self.has_scoped and not self._heads.has_scoped:
            connection.execute(_SET_HAS_SCOPED)
        if self.new_rooms:
            connection.executemany(_INSERT_ROOM, self.new_rooms.items())
        if self._messages:
            connection.executemany(_INSERT_MESSAGE, self._messages)
        if self._members:
            rows = [row.parameters(*key) for key, row in self._members.items()]
            connection.executemany(_PUT_MEMBER, rows)
        if self._delivered:
            connection.executemany(_MARK_DELIVERED, self._delivered)
        if self._opened:
            connection.executemany(_OPEN_ANSWER, self._opened)
        if self._questions:
            connection.executemany(_KEEP_QUESTION, self._questions)
        if self._talk:
            connection.executemany(_FORGET_TALK, self._talk)
        if self._closed:
            connection.executemany(_CLOSE_ANSWER, self._closed)
        if self.position == self._heads.position:
            # Nothing to write, which asks whether the disk takes anything. SQLite leaves a page
            # alone whose bytes stay the same, so that they are changed there and back.
            connection.execute(_SET_POSITION, (self.position + 1,))
        connection.execute(_SET_POSITION, (self.position,))

    def _keep_member(self, key: tuple[int, str], queue: Queue, at_ms: int) -> None:
        known = self._members.get(key)
        if known is None:
            self._members[key] = _MemberRow(self.position, queue, at_ms, joined_anew=False)
        elif known.queue is None:
            self._members[key] = _MemberRow(self.position, queue, at_ms, joined_anew=True)
        else:
            known.position, known.queue = self.position, queue

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
        thread_id, reply_to = message.thread_id, message.reply_to
        message_key = uuid_bytes(message.message_id)
        if len(message_key) > ID_LENGTHS[0]:
            self.has_scoped = True
        elif self._heads.has_scoped:
            self._twins.append(uuid_bytes(scoped_id(message.message_id, connection_id)))
        self._messages.append(
            (
                self.position,
                room_id,
                message.seq,
                message_key,
                None if thread_id is None else uuid_bytes(thread_id),
                message.timestamp_ms,
                message.user_id,
                message.name,
                message.context,
                message.content,
                None if reply_to is None else uuid_bytes(reply_to),
                message.answer,
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
