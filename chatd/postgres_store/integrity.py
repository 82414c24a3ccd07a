"""What must hold for a whole log in PostgreSQL, each rule as a search for what breaks it; the
counterpart of `chatd.store.integrity`.

The server keeps indexes and the encoding of texts right. The check here is that ids are unique in
the tables themselves, whatever an index says: a promoted copy from another machine, whose locale
sorts differently, may have broken indexes.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

import orjson
import psycopg

from chatd.chat.words import FORM, words_of
from chatd.counts import counted
from chatd.postgres_store.reader_pool import words_of as words_of_error
from chatd.postgres_store.search_query import indexed_text
from chatd.store.changes import faults_of_replay
from chatd.store.integrity import (
    FAULTS_MAX,
    answer_faults,
    mention_faults,
    queue_fault,
    seq_faults,
)
from chatd.store.rows import (
    ID_LENGTHS,
    is_answer,
    is_document,
    queue_from_fields,
)

_EPOCH: Final = re.compile(r"[0-9a-f]{16}")
_READ_ROWS: Final = 500
"""Rows that are in memory at once."""

_HEADS: Final = "SELECT epoch, has_scoped_ids FROM meta"
_ROOMS: Final = """
    SELECT connection_id, last_seq, forgotten_seq, last_rev FROM rooms
    WHERE NOT (forgotten_seq BETWEEN 0 AND last_seq AND last_rev >= 0)
"""
_NEIGHBOURS: Final = """
    SELECT r.connection_id, m.room_id, m.seq, coalesce(m.seq_before, r.forgotten_seq, 0),
           m.position <= m.position_before
    FROM (SELECT room_id, seq, position, lag(seq) OVER room AS seq_before,
                 lag(position) OVER room AS position_before
          FROM messages WINDOW room AS (PARTITION BY room_id ORDER BY seq)) m
    LEFT JOIN rooms r USING (room_id)
    WHERE r.room_id IS NULL OR m.position <= m.position_before
          OR m.seq <> coalesce(m.seq_before, r.forgotten_seq) + 1
    ORDER BY m.room_id, m.seq
"""
_ENDS: Final = """
    SELECT r.connection_id, r.last_seq, greatest(r.forgotten_seq, coalesce(m.last, 0))
    FROM rooms r LEFT JOIN (SELECT room_id, max(seq) AS last FROM messages GROUP BY room_id) m
        USING (room_id)
    WHERE r.last_seq <> greatest(r.forgotten_seq, coalesce(m.last, 0)) ORDER BY r.room_id
"""
# By the rows themselves, not by the index that should keep them apart.
_TWICE: Final = """
    SELECT encode(message_id, 'hex'), count(*) FROM messages GROUP BY message_id HAVING count(*) > 1
"""
_SWITCH_INDEXES: Final = """
    SELECT set_config(name, '{to}', true)
    FROM unnest(ARRAY['enable_indexscan', 'enable_indexonlyscan', 'enable_bitmapscan']) AS s(name)
"""
_WITHOUT_INDEXES: Final = _SWITCH_INDEXES.format(to="off")
_WITH_INDEXES: Final = _SWITCH_INDEXES.format(to="on")
_MESSAGES: Final = f"""
    SELECT r.connection_id, m.seq,
           NOT (length(m.message_id) IN {ID_LENGTHS}
                AND coalesce(length(m.thread_id), 16) IN {ID_LENGTHS}
                AND coalesce(length(m.reply_to), 16) IN {ID_LENGTHS}),
           length(m.message_id) > 16 AND NOT (SELECT has_scoped_ids FROM meta),
           convert_to(m.context, 'UTF8'), convert_to(m.answer, 'UTF8')
    FROM messages m LEFT JOIN rooms r USING (room_id)
"""
_CHANGES: Final = """
    SELECT ARRAY[c.room_id, c.seq], c.room_id, c.rev, c.kind, c.user_id, c.at_ms, c.written,
           r.connection_id, r.last_rev, m.room_id, c.seq
    FROM changes c LEFT JOIN rooms r USING (room_id)
    LEFT JOIN messages m ON m.room_id = c.room_id AND m.seq = c.seq
    ORDER BY c.room_id, c.seq, c.rev
"""
_CHANGED: Final = """
    SELECT ARRAY[room_id, seq], room_id, seq, rev, at_ms, edited_rev, edited_ms, content,
           deleted_ms, reactions::text
    FROM changed ORDER BY room_id, seq
"""
_ANSWERS: Final = """
    SELECT encode(a.question_id, 'hex'), a.state, r.room_id IS NULL, q.room_id IS NULL,
           f.room_id IS NULL, coalesce(f.reply_to = a.question_id AND f.answer IS NOT NULL, false)
    FROM answers a
    LEFT JOIN rooms r USING (room_id)
    LEFT JOIN messages q ON q.message_id = a.question_id
    LEFT JOIN messages f ON f.message_id = a.answer_id
"""
_MEMBERS: Final = """
    SELECT m.room_id, r.connection_id, r.last_seq, m.user_id, m.read_seq, m.away_seq, m.away_ms,
           m.gaps, m.fallen
    FROM members m LEFT JOIN rooms r USING (room_id) ORDER BY m.room_id, m.user_id
"""
_MENTIONS: Final = """
    SELECT n.room_id, n.seq, n.author, n.users::text, m.user_id, c.deleted_ms IS NOT NULL
    FROM mentions n
    LEFT JOIN messages m ON m.room_id = n.room_id AND m.seq = n.seq
    LEFT JOIN changed c ON c.room_id = n.room_id AND c.seq = n.seq
    ORDER BY n.room_id, n.seq
"""
_NEXT_NUMBERS: Final = """
    SELECT * FROM (
        SELECT pg_sequence_last_value(pg_get_serial_sequence(s.name, s.field)::regclass) AS given,
               s.name, s.last
        FROM (SELECT 'rooms' AS name, 'room_id' AS field, max(room_id) AS last FROM rooms
              UNION ALL SELECT 'messages', 'position', max(position) FROM messages
              UNION ALL SELECT 'audit', 'position', max(position) FROM audit) s) n
    WHERE coalesce(given, 0) < last
"""
# Versions are transaction numbers of this server: those of another server may be ahead.
_AHEAD_OF_SERVER: Final = """
    SELECT count(*) FROM (SELECT version FROM members UNION ALL SELECT version FROM removals) v
    WHERE version >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint
"""
# What the index holds of the messages that it should have, in today's form.
_TEXTS: Final = """
    SELECT m.room_id, m.seq, CASE WHEN c.deleted_ms IS NULL THEN coalesce(c.content, m.content) END,
           t.text
    FROM messages m JOIN indexed i USING (room_id)
    LEFT JOIN changed c ON c.room_id = m.room_id AND c.seq = m.seq
    LEFT JOIN message_text t ON t.room_id = m.room_id AND t.seq = m.seq
    WHERE m.seq > i.older_seq AND m.seq <= i.seq AND coalesce(c.rev, 0) <= i.rev
"""
_AHEAD: Final = """
    SELECT r.connection_id FROM indexed i JOIN rooms r USING (room_id)
    WHERE NOT (i.seq BETWEEN 0 AND r.last_seq AND i.rev BETWEEN 0 AND r.last_rev
               AND i.older_seq BETWEEN 0 AND i.seq)
"""

Connection = psycopg.Connection[Any]


def faults(connection: Connection) -> Iterator[str]:
    """What is wrong with the log, a sentence for each fault; nothing if it is sound.

    It reads in the view of the log that `connection` has; the schema must be of the current
    version. Raises `psycopg.Error` only if the connection is lost.
    """
    for name, rule in _RULES.items():
        try:
            with connection.transaction():
                found = list(islice(rule(connection), FAULTS_MAX + 1))
        except psycopg.Error as error:
            if connection.broken or error.sqlstate is None:
                raise
            found = [f"The {name} cannot be read: PostgreSQL says {words_of_error(error)}."]
        yield from found[:FAULTS_MAX]
        if len(found) > FAULTS_MAX:
            yield f"There are more faults in the {name}."


def _each(connection: Connection, query: str) -> Iterator[Any]:
    """The rows of a statement, only some of which are in memory at a time."""
    with connection.cursor("verified") as cursor:
        cursor.itersize = _READ_ROWS
        yield from cursor.execute(query.encode())


def _head(connection: Connection) -> Iterator[str]:
    """The log has one name."""
    heads = connection.execute(_HEADS).fetchall()
    if len(heads) != 1:
        yield f"The log has {len(heads)} heads instead of one."
    for epoch, _ in heads:
        if not _EPOCH.fullmatch(epoch):
            yield f"The epoch {epoch!r} is not 16 hex digits."


def _rooms(connection: Connection) -> Iterator[str]:
    for room, last_seq, forgotten_seq, last_rev in _each(connection, _ROOMS):
        yield (
            f"Room {room!r} is said to have come to seq {last_seq} and rev {last_rev}, and to have "
            f"forgotten seq {forgotten_seq}."
        )


def _seqs(connection: Connection) -> Iterator[str]:
    """The seqs of each room are dense above what retention removed, in the order of positions, up
    to the last seq that the room claims; and no id is there twice."""
    connection.execute(_WITHOUT_INDEXES)
    yield from seq_faults(_each(connection, _NEIGHBOURS))
    for room, last_seq, found in _each(connection, _ENDS):
        yield f"Room {room!r} is said to have come to seq {last_seq}, and its last is {found}."
    for key, count in _each(connection, _TWICE):
        yield f"The id {key} is that of {count} messages."
    connection.execute(_WITH_INDEXES)


def _messages(connection: Connection) -> Iterator[str]:
    """Each message can be read: ids have the right length, context and answer are JSON."""
    for room, seq, has_odd_id, is_scoped_unsaid, context, answer in _each(connection, _MESSAGES):
        place = f"Message {seq} of room {room!r}"
        if has_odd_id:
            yield f"{place} has an id that is no UUID."
        if is_scoped_unsaid:
            yield f"{place} has an id with a scope, and the log is said to have none."
        if context is not None and not is_document(context):
            yield f"{place} has a context that is no JSON object."
        if answer is not None and not is_answer(answer):
            yield f"{place} has an answer that is no JSON of one."


def _changes(connection: Connection) -> Iterator[str]:
    """Each change is of a message that is there, and the changed state of a message is what its
    changes come to."""
    with connection.cursor("told") as told:
        told.itersize = _READ_ROWS
        changed = (
            (*row[:-1], orjson.dumps(orjson.loads(row[-1])).decode())
            for row in told.execute(_CHANGED.encode())
        )
        yield from faults_of_replay(
            _each(connection, _CHANGES),
            changed,
            lambda key: f"Message {key[1]} of room number {key[0]}",
        )


def _answers(connection: Connection) -> Iterator[str]:
    """Each question is there, and its answer if, and only if, it has ended."""
    return answer_faults(_each(connection, _ANSWERS))


def _members(connection: Connection) -> Iterator[str]:
    """The queue of every member is well-formed, and owes nothing that was never said; and nobody
    has read what was never said."""
    for number, room, last_seq, user, read_seq, *columns in _each(connection, _MEMBERS):
        if room is None:
            yield f"User {user!r} is a member of room number {number}, which is not there."
            continue
        try:
            fault = queue_fault(queue_from_fields(*columns), last_seq)
        except (ValueError, TypeError) as error:
            fault = str(error)
        if fault is not None:
            yield f"Room {room!r}: the queue of user {user!r} is wrong: {fault}."
        if not 0 <= read_seq <= last_seq:
            yield (
                f"Room {room!r}: user {user!r} is said to have read up to {read_seq}, and the "
                f"room's last is {last_seq}."
            )


def _mentions(connection: Connection) -> Iterator[str]:
    """Each mention is in a message that is there, and names its author."""
    return mention_faults(
        (*row[:4], row[4] is not None, *row[4:]) for row in _each(connection, _MENTIONS)
    )


def _next_numbers(connection: Connection) -> Iterator[str]:
    """What is written next gets a number that nothing else has."""
    for given, table, last in connection.execute(_NEXT_NUMBERS):
        yield f"The next number of the {table} is behind {given or 0}, and {last} is there."
    [(ahead,)] = connection.execute(_AHEAD_OF_SERVER)
    if ahead:
        yield (
            f"{counted(ahead, 'member')} of this log have a version of another server, as after a "
            "restore: while no daemon runs, run UPDATE members SET version = 1, and DELETE FROM "
            "removals."
        )


def _text_index(connection: Connection) -> Iterator[str]:
    """The search index holds the messages up to where it claims to reach, as they are today. The
    next start builds an index of another form anew."""
    if connection.execute("SELECT form FROM search_index").fetchall() != [(FORM,)]:
        return
    for (room,) in _each(connection, _AHEAD):
        yield f"Room {room!r}: the search index is said to reach beyond the room."
    for number, seq, content, indexed in _each(connection, _TEXTS):
        words = [] if content is None else words_of(content)
        if (indexed_text(words) if words else None) != indexed:
            yield f"Message {seq} of room number {number} is not in the search index as it is."


_RULES: Final[dict[str, Callable[[Connection], Iterator[str]]]] = {
    "head": _head,
    "rooms": _rooms,
    "order of messages": _seqs,
    "messages": _messages,
    "changes": _changes,
    "answers": _answers,
    "members": _members,
    "mentions": _mentions,
    "next numbers": _next_numbers,
    "search index": _text_index,
}
