"""Records as rows to be written.

A `Batch` collects the rows of many records by statement, so that each is run by one `executemany`;
what becomes of a member in one batch is written once, as the member's last record has it. Messages
go first, as a `Delivered` or a change may be about one of the same batch; the order of the others
does not matter.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import assert_never

import attrs
import orjson

from chatd.chat.commits import RecordRefused
from chatd.chat.ids import scoped_id
from chatd.chat.queue import PRESENT, Queue
from chatd.chat.records import (
    AnswerClosed,
    AnswerOpened,
    Audited,
    Change,
    Delivered,
    MemberKept,
    MemberRemoved,
    Message,
    MessageDeleted,
    MessageEdited,
    MessageErased,
    MessageRead,
    MessageStored,
    ReactionChanged,
    ReadMarked,
    Record,
)
from chatd.store.audit import APPEND_AUDIT, audit_row
from chatd.store.erasure import scrub
from chatd.store.rows import (
    ID_LENGTHS,
    SELECT_HEADS,
    mentions_as_json,
    queue_fields,
    reactions_as_json,
    uuid_bytes,
)

_INSERT_ROOM = "INSERT INTO rooms (connection_id, room_id) VALUES (?, ?)"
_INSERT_MESSAGE = """
    INSERT INTO messages (position, room_id, seq, message_id, thread_id, timestamp_ms,
                          user_id, name, context, content, reply_to, answer)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# The same for a message that has nothing else, as most: sqlite3 looks for an adapter for every None
# and every `bytes` that it is given (0.2 us each), and a row is written in two thirds of the time.
_INSERT_TALK = """
    INSERT INTO messages (position, room_id, seq, message_id, timestamp_ms, user_id, name, content)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_OPEN_ANSWER = """
    INSERT INTO answers
        (question_id, answer_id, room_id, user_id, thread_id, opened_ms, is_to_read, address)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_KEEP_QUESTION = "UPDATE answers SET is_to_read = 0 WHERE question_id = ?"
_FORGET_TALK = "DELETE FROM answers WHERE question_id = ? AND is_to_read"
_CLOSE_ANSWER = """
    UPDATE answers SET state = ?, answer_id = ?, is_to_read = 0, address = NULL
    WHERE question_id = ?
"""
# Parameter 10: the user was removed and came again in this batch. Otherwise the first joining
# stands.
_PUT_MEMBER = """
    INSERT INTO members (room_id, user_id, position, joined_ms, is_member,
                         away_seq, away_ms, gaps, fallen, read_seq, name)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?11, ?12)
    ON CONFLICT DO UPDATE SET
        joined_ms = CASE WHEN is_member AND NOT ?10 THEN joined_ms ELSE excluded.joined_ms END,
        position = excluded.position, is_member = excluded.is_member,
        away_seq = excluded.away_seq, away_ms = excluded.away_ms,
        gaps = excluded.gaps, fallen = excluded.fallen,
        read_seq = excluded.read_seq, name = excluded.name
"""
_MARK_READ = "UPDATE members SET read_seq = ?, position = ? WHERE room_id = ? AND user_id = ?"
_PUT_MENTIONS = """
    INSERT INTO mentions (message, room_id, seq, author, users)
    SELECT m.position, ?1, ?2, m.user_id, ?3 FROM messages m WHERE m.room_id = ?1 AND m.seq = ?2
    ON CONFLICT DO UPDATE SET users = excluded.users
"""
_DROP_MENTIONS = "DELETE FROM mentions WHERE room_id = ? AND seq = ?"
_MARK_DELIVERED = """
    UPDATE messages SET delivered_by = ?, delivered_ms = ?
    WHERE room_id = ? AND seq = ? AND delivered_by IS NULL
"""
# A change of a message that is not there fails: `message` is never null.
_ADD_CHANGE = """
    INSERT INTO changes (position, room_id, rev, message, kind, user_id, at_ms, written)
    VALUES (?1, ?2, ?3, (SELECT m.position FROM messages m WHERE m.room_id = ?2 AND m.seq = ?4),
            ?5, ?6, ?7, ?8)
"""
_PUT_CHANGED = """
    INSERT INTO changed (message, room_id, seq, rev, at_ms, edited_rev, edited_ms, content,
                         deleted_ms, reactions)
    SELECT m.position, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
    FROM messages m WHERE m.room_id = ?1 AND m.seq = ?2
    ON CONFLICT DO UPDATE SET
        rev = excluded.rev, at_ms = excluded.at_ms, edited_rev = excluded.edited_rev,
        edited_ms = excluded.edited_ms, content = excluded.content,
        deleted_ms = excluded.deleted_ms, reactions = excluded.reactions
"""
_SET_LAST_REV = "UPDATE rooms SET last_rev = ? WHERE room_id = ?"
_SET_POSITION = "UPDATE meta SET position = ?"

_SET_HAS_SCOPED = "UPDATE meta SET has_scoped_ids = 1"
_HAS_ID = "SELECT 1 FROM messages WHERE message_id = ?"
_IN_ORDER = (
    _INSERT_TALK,
    _INSERT_MESSAGE,
    _ADD_CHANGE,
    _PUT_CHANGED,
    _SET_LAST_REV,
    _MARK_DELIVERED,
    _OPEN_ANSWER,
    _KEEP_QUESTION,
    _FORGET_TALK,
    _CLOSE_ANSWER,
    APPEND_AUDIT,
)


@attrs.define
class Heads:
    """Where the log ends: the last position, the number of each room, its last seq and its last
    rev, if it has one.

    `messages` is how many were ever stored: the sum of those.
    `has_scoped`: a message has, or had, an id with a scope (`chatd.chat.ids`).
    """

    position: int
    room_ids: dict[str, int]
    last_seqs: dict[str, int]
    messages: int
    has_scoped: bool
    last_revs: dict[str, int] = attrs.field(factory=dict)

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> "Heads":
        """The heads as they are on disk: one look-up in an index for each room."""
        [(position, has_scoped)] = connection.execute("SELECT position, has_scoped_ids FROM meta")
        room_ids: dict[str, int] = {}
        last_seqs: dict[str, int] = {}
        last_revs: dict[str, int] = {}
        for connection_id, room_id, last_seq, _, last_rev in connection.execute(SELECT_HEADS):
            room_ids[connection_id] = room_id
            last_seqs[connection_id] = last_seq
            last_revs[connection_id] = last_rev
        messages = sum(last_seqs.values())
        return cls(position, room_ids, last_seqs, messages, bool(has_scoped), last_revs)

    def advance(self, batch: "Batch") -> None:
        """Take over what `batch` has written."""
        self.position = batch.position
        self.room_ids.update(batch.new_rooms)
        for room, seq in batch.last_seqs.items():
            self.messages += seq - self.last_seqs.get(room, 0)
        self.last_seqs.update(batch.last_seqs)
        self.last_revs.update(batch.last_revs)
        self.has_scoped = self.has_scoped or batch.has_scoped


@attrs.define
class _MemberRow:
    """What becomes of a member in one batch.

    `queue` is None if it is removed; `joined_anew`: it was removed before it came again.
    """

    position: int
    queue: Queue | None
    joined_ms: int
    joined_anew: bool
    read_seq: int = 0
    name: str | None = None

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
            self.read_seq,
            self.name,
        )


class Batch:
    """Rows by statement, with positions and room numbers that continue `heads` without changing
    it."""

    def __init__(self, heads: Heads) -> None:
        self._heads = heads
        self.position = heads.position
        self.new_rooms: dict[str, int] = {}
        self.last_seqs: dict[str, int] = {}
        self.last_revs: dict[str, int] = {}
        self.has_scoped = False
        self._twins: list[bytes] = []  # ids that would make two of one in a room
        self._members: dict[tuple[int, str], _MemberRow] = {}
        # For members of whom nothing else has to be written: the seq, and the position of the
        # record.
        self._read: dict[tuple[int, str], tuple[int, int]] = {}
        self._mentions: dict[tuple[int, int], Sequence[str]] = {}  # by room and seq
        # Room, seq and rev of what is erased, and who is then named as its author.
        self._erased: list[tuple[int, int, int, str]] = []
        self._rows: dict[str, list[tuple[object, ...]]] = {one: [] for one in _IN_ORDER}

    def add(self, records: Iterable[Record]) -> None:
        """Take in records, in order. Raises `RecordRefused` or `ValueError` if one cannot be taken
        in."""
        for record in records:
            self.position += 1
            match record:
                case MessageStored():
                    self._add_message(record.message)
                case MemberKept():
                    self._keep_member(record)
                case MemberRemoved(connection_id, user_id):
                    key = (self._room_id(connection_id), user_id)
                    self._members[key] = _MemberRow(self.position, None, 0, joined_anew=False)
                    self._read.pop(key, None)
                case ReadMarked(connection_id, user_id, read_seq):
                    self._mark_read((self._room_id(connection_id), user_id), read_seq)
                case Delivered(connection_id, seq, by, at_ms):
                    room_id = self._room_id(connection_id)
                    self._rows[_MARK_DELIVERED].append((by, at_ms, room_id, seq))
                case AnswerOpened(answer):
                    self._rows[_OPEN_ANSWER].append(
                        (
                            uuid_bytes(answer.question_id),
                            uuid_bytes(answer.answer_id),
                            self._room_id(answer.connection_id),
                            answer.user_id,
                            None if answer.thread_id is None else uuid_bytes(answer.thread_id),
                            answer.opened_ms,
                            answer.is_to_read,
                            answer.address,
                        )
                    )
                case MessageRead(_, question_id, _, is_question):
                    statement = _KEEP_QUESTION if is_question else _FORGET_TALK
                    self._rows[statement].append((uuid_bytes(question_id),))
                case AnswerClosed(_, question_id, answer_id, state):
                    ids = uuid_bytes(answer_id), uuid_bytes(question_id)
                    self._rows[_CLOSE_ANSWER].append((state, *ids))
                case MessageErased(message, rev):
                    self._add_change(record)
                    room_id = self._room_id(message.connection_id)
                    self._erased.append((room_id, message.seq, rev, message.user_id))
                case MessageEdited() | MessageDeleted() | ReactionChanged():
                    self._add_change(record)
                case Audited(entry):
                    self._rows[APPEND_AUDIT].append(audit_row(self.position, entry))
                case _:
                    assert_never(record)

    def write(self, connection: sqlite3.Connection) -> None:
        """Run the statements, inside the transaction that the caller has begun. Raises
        `RecordRefused` if a room already has a message of the same id with its scope."""
        for twin in self._twins:
            if connection.execute(_HAS_ID, (twin,)).fetchone() is not None:
                raise RecordRefused("A message of this id is in the room, with its scope.")
        if self.has_scoped and not self._heads.has_scoped:
            connection.execute(_SET_HAS_SCOPED)
        if self.new_rooms:
            connection.executemany(_INSERT_ROOM, self.new_rooms.items())
        put = [
            (*place, mentions_as_json(users)) for place, users in self._mentions.items() if users
        ]
        dropped = [place for place, users in self._mentions.items() if not users]
        written: list[tuple[str, Sequence[tuple[object, ...]]]] = [
            *self._rows.items(),
            (_PUT_MEMBER, [row.parameters(*key) for key, row in self._members.items()]),
            (_MARK_READ, [(*marker, *key) for key, marker in self._read.items()]),
            (_PUT_MENTIONS, put),
            (_DROP_MENTIONS, dropped),
        ]
        for statement, rows in written:
            if rows:
                connection.executemany(statement, rows)
        if self._erased:
            scrub(connection, self._erased)
        if self.position == self._heads.position:
            # Nothing to write: a test whether the disk takes anything. SQLite does not write a page
            # whose bytes stay the same, so they are changed there and back.
            connection.execute(_SET_POSITION, (self.position + 1,))
        connection.execute(_SET_POSITION, (self.position,))

    def _keep_member(self, kept: MemberKept) -> None:
        key = (self._room_id(kept.connection_id), kept.user_id)
        self._read.pop(key, None)
        known = self._members.get(key)
        if known is None or known.queue is None:
            row = _MemberRow(self.position, kept.queue, kept.at_ms, joined_anew=known is not None)
            known = self._members[key] = row
        known.position, known.queue = self.position, kept.queue
        known.read_seq, known.name = kept.read_seq, kept.name

    def _mark_read(self, key: tuple[int, str], read_seq: int) -> None:
        known = self._members.get(key)
        if known is None:
            self._read[key] = (read_seq, self.position)
        else:
            known.position, known.read_seq = self.position, read_seq

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
        if message.mentions:
            self._mentions[room_id, message.seq] = message.mentions
        thread_id, reply_to = message.thread_id, message.reply_to
        message_key = uuid_bytes(message.message_id)
        if len(message_key) > ID_LENGTHS[0]:
            self.has_scoped = True
        elif self._heads.has_scoped:
            self._twins.append(uuid_bytes(scoped_id(message.message_id, connection_id)))
        has_more = message.context is not None or message.answer is not None
        if thread_id is None and reply_to is None and not has_more:
            self._rows[_INSERT_TALK].append(
                (
                    self.position,
                    room_id,
                    message.seq,
                    bytearray(message_key),
                    message.timestamp_ms,
                    message.user_id,
                    message.name,
                    message.content,
                )
            )
            return
        self._rows[_INSERT_MESSAGE].append(
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

    def _add_change(self, change: Change) -> None:
        message, changes = change.message, change.message.changes
        room, room_id = message.connection_id, self._room_id(message.connection_id)
        last_rev = self.last_revs.get(room)
        if last_rev is None:
            last_rev = self._heads.last_revs.get(room, 0)
        if changes is None or not changes.rev == change.rev == last_rev + 1:
            raise RecordRefused(
                f"A change with rev {change.rev} does not follow on rev {last_rev} of its room."
            )
        self.last_revs[room] = change.rev
        if not isinstance(change, ReactionChanged):
            self._mentions[room_id, message.seq] = message.mentions
        kind, written = kind_and_text(change)
        self._rows[_ADD_CHANGE].append(
            (
                self.position,
                room_id,
                change.rev,
                message.seq,
                kind,
                change.by,
                change.at_ms,
                written,
            )
        )
        is_edited = changes.edited_rev > 0 and changes.deleted_ms is None
        self._rows[_PUT_CHANGED].append(
            (
                room_id,
                message.seq,
                changes.rev,
                changes.at_ms,
                changes.edited_rev,
                changes.edited_ms,
                message.content if is_edited else None,
                changes.deleted_ms,
                reactions_as_json(changes.reactions),
            )
        )
        self._rows[_SET_LAST_REV].append((change.rev, room_id))

    def _room_id(self, connection_id: str) -> int:
        room_id = self._heads.room_ids.get(connection_id)
        if room_id is None:
            room_id = self.new_rooms.get(connection_id)
        if room_id is None:
            # Rooms are never deleted: their numbers are dense.
            room_id = len(self._heads.room_ids) + len(self.new_rooms) + 1
            self.new_rooms[connection_id] = room_id
        return room_id


def kind_and_text(change: Change) -> tuple[str, str | None]:
    """The kind of a change, as its row has it, and what was written."""
    match change:
        case MessageEdited(message):
            return "edit", message.content
        case MessageErased():
            return "erase", None
        case MessageDeleted():
            return "delete", None
        case ReactionChanged(emoji=emoji, is_on=is_on):
            return "react" if is_on else "unreact", emoji
        case _:
            assert_never(change)
