"""What a start, or an actor that begins anew, learns from a log in PostgreSQL.

As in SQLite, nothing grows with the number of messages. Only the members are read whole, since
there are no snapshots.
"""

from collections.abc import Mapping
from typing import Any, Final

import attrs
import psycopg

from chatd.chat.records import OpenAnswer
from chatd.chat.shares import Share
from chatd.postgres_store.members import MEMBER_COLUMNS, member_from
from chatd.store.damage import Damaged
from chatd.store.recovery import Recovered, RecoveredMembers
from chatd.store.rows import uuid_text

_META: Final = """
    SELECT epoch, has_scoped_ids, pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM meta
"""
_ROOMS: Final = "SELECT connection_id, room_id, last_seq, forgotten_seq, last_rev FROM rooms"
_MEMBERS: Final = f"""
    SELECT r.connection_id, m.user_id, {MEMBER_COLUMNS} FROM members m JOIN rooms r USING (room_id)
"""
OPEN_ANSWERS: Final = """
    SELECT a.question_id, a.answer_id, r.connection_id, a.user_id, a.thread_id, a.opened_ms,
           a.is_to_read, a.address
    FROM answers a JOIN rooms r USING (room_id) WHERE a.state IS NULL
"""
AS_ASKED: Final = """
    ORDER BY a.opened_ms, (SELECT position FROM messages WHERE message_id = a.question_id)
"""
"""In the order in which they were asked, those of one millisecond too."""
_OWN_ANSWERS: Final = f"{OPEN_ANSWERS} AND a.node_id = %s {AS_ASKED}"
_NEWEST: Final = "SELECT position, timestamp_ms FROM messages ORDER BY position DESC LIMIT 1"


@attrs.frozen
class RecoveredLog:
    """What the log holds, its name, and what its writer has to know about it. `member_mark` is the
    mark from which to look for members that are written (`chatd.postgres_store.members`)."""

    recovered: Recovered
    epoch: str
    room_ids: dict[str, int]
    has_scoped: bool
    member_mark: int


def recover(connection: "psycopg.Connection[Any]", node: int) -> RecoveredLog:
    """Read the summary, in one view of the log, for the node with this number, with the open
    answers whose ends it owes. Raises `psycopg.Error`."""
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        return _recovered(connection, node)
    finally:
        if not connection.broken:
            connection.execute("ROLLBACK")


def _recovered(connection: "psycopg.Connection[Any]", node: int) -> RecoveredLog:
    [(epoch, has_scoped, mark)] = connection.execute(_META)
    rooms: dict[str, int] = {}
    room_ids: dict[str, int] = {}
    revs: dict[str, int] = {}
    message_count = 0
    for room, room_id, last_seq, forgotten_seq, last_rev in connection.execute(_ROOMS):
        rooms[room], room_ids[room] = last_seq, room_id
        message_count += last_seq - forgotten_seq  # the messages that a room still has are dense
        if last_rev:
            revs[room] = last_rev
    damaged: list[Damaged] = []
    members, shares = _members(connection, rooms, damaged)
    position, newest_ms = connection.execute(_NEWEST).fetchone() or (0, None)
    recovered = Recovered(
        rooms,
        position,
        message_count,
        members.queues,
        tuple(open_answer(*row) for row in connection.execute(_OWN_ANSWERS, (node,))),
        tuple(damaged),
        newest_ms,
        revs,
        members.read_seqs,
        members.names,
        shares,
        node,
    )
    return RecoveredLog(recovered, epoch, room_ids, has_scoped, mark)


def _members(
    connection: "psycopg.Connection[Any]", last_seqs: Mapping[str, int], damaged: list[Damaged]
) -> tuple[RecoveredMembers, dict[tuple[str, str], Share]]:
    members, shares = RecoveredMembers(), {}
    called: dict[str, str] = {}  # one string for the name of a user in all rooms
    for room, user, *columns in connection.execute(_MEMBERS):
        member, is_whole = member_from(columns)
        if not is_whole:
            damaged.append(Damaged("members", room))
        name = None if member.name is None else called.setdefault(member.name, member.name)
        members.keep(room, user, member.queue, member.read_seq, name)
        shares[room, user] = member.share
    return members, shares


def open_answer(
    question_id: bytes,
    answer_id: bytes,
    connection_id: str,
    user_id: str,
    thread_id: bytes | None,
    opened_ms: int,
    is_to_read: bool,
    address: str | None,
) -> OpenAnswer:
    """The answer in a row of `OPEN_ANSWERS`."""
    return OpenAnswer(
        uuid_text(question_id),
        uuid_text(answer_id),
        connection_id,
        user_id,
        None if thread_id is None else uuid_text(thread_id),
        opened_ms,
        is_to_read,
        address,
    )
