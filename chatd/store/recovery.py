"""What a start learns from the log: whether it is sound, and what memory begins with.

Nothing here grows with the number of messages, so that a log of millions opens at once: rooms are
looked at by their ends, and soundness by samples. `chatd store verify` is the full check. Members
are read whole, or, where a snapshot knows them as of a position, only those that changed since.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from chatd.chat.queue import Queue
from chatd.chat.records import OpenAnswer
from chatd.chat.shares import Share
from chatd.store.damage import BROKEN, Damaged
from chatd.store.mark import Reached
from chatd.store.rows import (
    CHANGED,
    MESSAGE_COLUMNS,
    QUEUE_COLUMNS,
    SELECT_HEADS,
    MisplacedRowError,
    is_uuid,
    message_from_row,
    queue_from_row,
    uuid_text,
)
from chatd.store.snapshots import MEMBERS, NAMES, READ_SEQS, Snapshot

SAMPLES = 64  # places, evenly over the log, that are read at a start: a cut or zeroed part shows

_MESSAGE_AT = f"""
    SELECT {MESSAGE_COLUMNS} FROM messages m JOIN rooms r USING (room_id) {CHANGED}
    WHERE m.position >= ? ORDER BY m.position LIMIT 1
"""
_ALL_MEMBERS = f"""
    SELECT r.connection_id, m.user_id, m.is_member, m.read_seq, m.name, {QUEUE_COLUMNS}
    FROM members m JOIN rooms r USING (room_id) WHERE m.is_member
"""
# CROSS JOIN fixes the order: the members that changed first, then the room of each.
_MEMBERS_SINCE = f"""
    SELECT r.connection_id, m.user_id, m.is_member, m.read_seq, m.name, {QUEUE_COLUMNS}
    FROM members m INDEXED BY members_by_position CROSS JOIN rooms r USING (room_id)
    WHERE m.position > ?
"""
# In the order in which they were asked, those of one millisecond too.
_OPEN_ANSWERS = """
    SELECT a.question_id, a.answer_id, r.connection_id, a.user_id, a.thread_id, a.opened_ms,
           a.is_to_read, a.address
    FROM answers a INDEXED BY answers_open CROSS JOIN rooms r USING (room_id)
    WHERE a.state IS NULL
    ORDER BY a.opened_ms, (
        SELECT m.position FROM messages m INDEXED BY messages_by_id
        WHERE m.message_id = a.question_id
    )
"""

_NEWEST_TIME = "SELECT timestamp_ms FROM messages ORDER BY position DESC LIMIT 1"


@attrs.frozen
class Recovered:
    """The log's own summary of what was committed.

    `rooms`: the last seq by connection id, whether or not its message is still there; 0 for a room
    that has members and never had a message. `position`: that of the last record. `message_count`:
    messages in the log, without counting them. `members`: what each is owed, by connection id, then
    by user id; a room without members is not in it. In the same way `read_seqs`, up to where each
    has read the room, and `names`, for those whose name is known. `open_answers`: questions whose
    answer has not ended, and messages that are to be read for one. `damaged`: rows among these that
    could not be read. `newest_ms`: the time of the last message. `revs`: the last rev by connection
    id, of rooms in which something was changed. Where several nodes share the log, `shares` has all
    members by connection id and user id, and `node` is the number of this one's life.
    """

    rooms: dict[str, int]
    position: int
    message_count: int
    members: dict[str, dict[str, Queue]]
    open_answers: tuple[OpenAnswer, ...] = ()
    damaged: tuple[Damaged, ...] = attrs.field(default=(), eq=False)
    newest_ms: int | None = None
    revs: dict[str, int] = attrs.field(factory=dict)
    read_seqs: dict[str, dict[str, int]] = attrs.field(factory=dict)
    names: dict[str, dict[str, str]] = attrs.field(factory=dict)
    shares: dict[tuple[str, str], Share] = attrs.field(factory=dict)
    node: int = 0

    def reached(self, epoch: str) -> Reached:
        """How far the log `epoch` has come."""
        return Reached(epoch, self.position, sum(self.rooms.values()), len(self.rooms))


def read_epoch(connection: sqlite3.Connection) -> str:
    """The name of this log, new when it was created or restored."""
    [(epoch,)] = connection.execute("SELECT epoch FROM meta")
    if epoch is BROKEN:
        raise ValueError("the log does not say its name")
    return str(epoch)


def read_position(connection: sqlite3.Connection) -> int:
    """The position of the last record."""
    [(position,)] = connection.execute("SELECT position FROM meta")
    return int(position)


def recover(connection: sqlite3.Connection, base: Snapshot | None = None) -> Recovered:
    """Read the summary, in one view of the log.

    With a `base` of this log, the members are those in it, brought forward by what is newer; they
    may be newer than its position says, never older. The result is the same. Raises `sqlite3.Error`
    or `ValueError`, also where the file is damaged.
    """
    with _one_view(connection):
        position = read_position(connection)
        rooms: dict[str, int] = {}
        message_count = 0
        revs: dict[str, int] = {}
        for room, _, last_seq, forgotten_seq, last_rev in connection.execute(SELECT_HEADS):
            if room is BROKEN:
                raise ValueError("a room does not say its name")
            rooms[room] = last_seq
            if last_rev:
                revs[room] = last_rev
            message_count += last_seq - forgotten_seq  # what is there of a room is dense
        newest = connection.execute(_NEWEST_TIME).fetchone()
        damaged: list[Damaged] = []
        members = _read_members(connection, base, rooms, damaged)
        open_answers = []
        for row in connection.execute(_OPEN_ANSWERS):
            answer = _open_answer(row)
            if answer is not None:
                open_answers.append(answer)
            else:  # it cannot be ended, and stays open
                damaged.append(Damaged("answers", row[2]))
    return Recovered(
        rooms,
        position,
        message_count,
        members.queues,
        tuple(open_answers),
        tuple(damaged),
        newest[0] if newest is not None and isinstance(newest[0], int) else None,
        revs,
        members.read_seqs,
        members.names,
    )


def _open_answer(row: Sequence[Any]) -> OpenAnswer | None:
    """The answer in a row; None where the row is broken."""
    question_id, answer_id, connection_id, user_id, thread_id, opened_ms, is_to_read, address = row
    if not (
        is_uuid(question_id)
        and is_uuid(answer_id)
        and isinstance(user_id, str)
        and (thread_id is None or is_uuid(thread_id))
        and isinstance(opened_ms, int)
        and isinstance(is_to_read, int)
    ):
        return None
    return OpenAnswer(
        uuid_text(question_id),
        uuid_text(answer_id),
        connection_id,
        user_id,
        None if thread_id is None else uuid_text(thread_id),
        opened_ms,
        is_to_read=bool(is_to_read),
        address=address if isinstance(address, str) else None,
    )


@attrs.define
class RecoveredMembers:
    """What is known of members: each by connection id, then by user id."""

    queues: dict[str, dict[str, Queue]] = attrs.field(factory=dict)
    read_seqs: dict[str, dict[str, int]] = attrs.field(factory=dict)
    names: dict[str, dict[str, str]] = attrs.field(factory=dict)

    @classmethod
    def of(cls, base: Snapshot) -> "RecoveredMembers":
        """The members of a snapshot, to be brought forward."""
        return cls(
            {room: dict(queues) for room, queues in base.members.items()},
            {room: dict(seqs) for room, seqs in base.read_seqs.items()},
            {room: dict(names) for room, names in base.names.items()},
        )

    def keep(self, room: str, user: str, queue: Queue, read_seq: int, name: str | None) -> None:
        """A user is a member of a room."""
        self.queues.setdefault(room, {})[user] = queue
        self.read_seqs.setdefault(room, {})[user] = read_seq
        if name is None:
            self.names.get(room, {}).pop(user, None)
        else:
            self.names.setdefault(room, {})[user] = name

    def remove(self, room: str, user: str) -> None:
        """A user is not a member."""
        for known in (self.queues, self.read_seqs, self.names):
            known.get(room, {}).pop(user, None)

    def without_empty_rooms(self) -> "RecoveredMembers":
        """The same, without rooms that would be empty."""
        return RecoveredMembers(
            {room: queues for room, queues in self.queues.items() if queues},
            {room: seqs for room, seqs in self.read_seqs.items() if seqs},
            {room: names for room, names in self.names.items() if names},
        )


def _read_members(
    connection: sqlite3.Connection,
    base: Snapshot | None,
    last_seqs: Mapping[str, int],
    damaged: list[Damaged],
) -> RecoveredMembers:
    if base is None or not {MEMBERS, READ_SEQS, NAMES} <= base.parts.keys():
        members = RecoveredMembers()
        rows = connection.execute(_ALL_MEMBERS)
    else:
        members = RecoveredMembers.of(base)
        rows = connection.execute(_MEMBERS_SINCE, (base.position,))
    called: dict[str, str] = {}  # one text for the name of a user in all rooms
    for room, user, is_member, read_seq, name, *columns in rows:
        if not isinstance(user, str):
            damaged.append(Damaged("members", room))
            continue
        if not is_member:
            members.remove(room, user)
            continue
        last_seq = last_seqs[room]
        try:
            queue = queue_from_row(*columns)
        except (ValueError, TypeError):
            damaged.append(Damaged("members", room))
            queue = fallen_out(columns[0], last_seq)
        if not (isinstance(read_seq, int) and 0 <= read_seq <= last_seq):
            damaged.append(Damaged("members", room))
            read_seq = last_seq
        if not isinstance(name, str | None):
            damaged.append(Damaged("members", room))
            name = None
        if name is not None:
            name = called.setdefault(name, name)
        members.keep(room, user, queue, read_seq, name)
    return members.without_empty_rooms()


def fallen_out(away_seq: object, last_seq: int) -> Queue:
    """For a queue that cannot be read: everything that the member may have been owed counts as
    fallen out, and is in the history."""
    seen = away_seq if isinstance(away_seq, int) and 0 <= away_seq <= last_seq else last_seq
    return Queue(seen, 0, (), (1, seen) if seen else None)


@contextlib.contextmanager
def _one_view(connection: sqlite3.Connection) -> Iterator[None]:
    """All reads see the log at one moment, whatever is committed meanwhile."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:  # SQLite ends it by itself on some errors
            connection.execute("ROLLBACK")


def probe(connection: sqlite3.Connection) -> tuple[Damaged, ...]:
    """Read a bounded number of places; returns the broken rows among them, which a daemon can live
    with. Raises `sqlite3.DatabaseError` or `ValueError` if the file itself is damaged: writing to
    it would damage more."""
    damaged: dict[Damaged, None] = {}
    [(last,)] = connection.execute("SELECT coalesce(max(position), 0) FROM messages")
    for sample in range(SAMPLES + 1):
        for row in connection.execute(_MESSAGE_AT, (last * sample // SAMPLES,)):
            try:
                message = message_from_row(row)
            except MisplacedRowError:
                damaged[Damaged("messages")] = None
                continue
            if message.is_damaged:
                damaged[Damaged("messages", message.connection_id, message.seq)] = None
                continue
            found = connection.execute(
                "SELECT 1 FROM messages WHERE message_id = ?", (row[0],)
            ).fetchone()
            if found is None:
                raise ValueError("a message is not in its index")
    return tuple(damaged)
