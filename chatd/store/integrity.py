"""What must hold of a whole log, each rule as a search for what breaks it.

Every row is read, so this takes as long as the log is large; it is for `chatd store verify` and for
a backup before it is restored. A start looks at samples only (`recovery.probe`).

What cannot be seen: a changed letter in a message that the search has not indexed, as SQLite's
pages have no checksum.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import Any

from chatd.chat.queue import GAPS_MAX, Queue
from chatd.chat.words import FORM, searchable
from chatd.counts import counted
from chatd.store.changes import faults_of_changes
from chatd.store.damage import BROKEN, is_unavailable, words_of
from chatd.store.rows import (
    ID_LENGTHS,
    QUEUE_COLUMNS,
    SELECT_HEADS,
    is_answer,
    is_document,
    mentions_from_json,
    queue_from_row,
)
from chatd.store.schema import TEXT_OPTIONS
from chatd.store.search_index import TEXT_AT

FAULTS_MAX = 20  # that one rule reports
_EPOCH = re.compile(r"[0-9a-f]{16}")

_NEIGHBOURS = """
    SELECT r.connection_id, m.room_id, m.seq, coalesce(m.seq_before, r.forgotten_seq, 0),
           m.position <= m.position_before
    FROM (SELECT room_id, seq, position, lag(seq) OVER room AS seq_before,
                 lag(position) OVER room AS position_before
          FROM messages INDEXED BY messages_by_seq
          WINDOW room AS (PARTITION BY room_id ORDER BY seq)) m
    LEFT JOIN rooms r USING (room_id)
    WHERE r.room_id IS NULL OR m.position <= m.position_before
          OR m.seq <> coalesce(m.seq_before, r.forgotten_seq) + 1
"""
_MESSAGES = """
    SELECT position, message_id, thread_id, reply_to, context, answer,
           user_id, name, delivered_by, content
    FROM messages ORDER BY position
"""
_ANSWERS = """
    SELECT hex(a.question_id), a.state, r.room_id IS NULL, q.position IS NULL,
           f.position IS NULL, f.reply_to IS a.question_id AND f.answer IS NOT NULL
    FROM answers a
    LEFT JOIN rooms r USING (room_id)
    LEFT JOIN messages q ON q.message_id = a.question_id
    LEFT JOIN messages f ON f.message_id = a.answer_id
"""
_MEMBERS = f"""
    SELECT m.room_id, m.user_id, m.is_member, m.read_seq, m.name, {QUEUE_COLUMNS}
    FROM members m ORDER BY 1, 2
"""
_MENTIONS = """
    SELECT n.room_id, n.seq, n.author, n.users, m.room_id IS n.room_id AND m.seq = n.seq,
           m.user_id, c.deleted_ms IS NOT NULL
    FROM mentions n
    LEFT JOIN messages m ON m.position = n.message LEFT JOIN changed c ON c.message = n.message
    ORDER BY n.message
"""
_CHECK = "integrity-check"
_COPY_TEXT_INDEX = (
    """
    CREATE TEMP VIEW indexed_messages AS
    SELECT position, searchable(CAST(text AS BLOB)) AS words
    FROM (SELECT m.position, TEXT_AT AS text FROM main.messages m JOIN main.meta
          WHERE m.position > meta.unindexed_up_to AND m.position <= meta.indexed_position)
    WHERE text IS NOT NULL
    """.replace("TEXT_AT", TEXT_AT.format(position="meta.indexed_position")),
    f"""
    CREATE VIRTUAL TABLE temp.copied_text USING fts5 (
        words, content = 'indexed_messages', content_rowid = 'position', {TEXT_OPTIONS})
    """,
    *(
        statement
        for table in ("data", "idx", "docsize", "config")
        for statement in (
            f"DELETE FROM temp.copied_text_{table}",
            f"INSERT INTO temp.copied_text_{table} SELECT * FROM main.message_text_{table}",
        )
    ),
)


def faults(connection: sqlite3.Connection) -> Iterator[str]:
    """What is wrong with the log, a sentence for each fault; nothing if it is sound.

    In the view of `connection`; the log must have the current form. Raises `sqlite3.Error` only if
    the surroundings of the file are at fault.
    """
    for name, rule in _RULES.items():
        try:
            found = list(islice(rule(connection), FAULTS_MAX + 1))
        except sqlite3.Error as error:
            if is_unavailable(error):
                raise
            found = [f"The {name} cannot be read: {words_of(error)}."]
        yield from found[:FAULTS_MAX]
        if len(found) > FAULTS_MAX:
            yield f"There are more faults in the {name}."


def _pages(connection: sqlite3.Connection) -> Iterator[str]:
    """SQLite's own: pages, rows and indexes agree; every message is in each of its indexes."""
    for (line,) in connection.execute(f"PRAGMA integrity_check({FAULTS_MAX})"):
        if line != "ok":
            yield f"SQLite finds: {' '.join(str(line).split())}."


def _head(connection: sqlite3.Connection) -> Iterator[str]:
    """The log has one name, and no row is beyond its position."""
    heads = connection.execute(
        "SELECT epoch, position, indexed_position, unindexed_up_to FROM meta"
    ).fetchall()
    if len(heads) != 1:
        yield f"The log has {len(heads)} heads instead of one."
        return
    [(epoch, position, indexed_position, unindexed_up_to)] = heads
    if not _EPOCH.fullmatch(epoch):
        yield f"The epoch {epoch!r} is not 16 hex digits."
    for table in ("messages", "members", "changes", "audit"):
        [(last,)] = connection.execute(f"SELECT coalesce(max(position), 0) FROM {table}")
        if last > position:
            yield f"The log stands at position {position}, and its {table} reach {last}."
    if not 0 <= indexed_position <= position:
        yield f"The search index is said to reach {indexed_position}, and the log {position}."
    if not 0 <= unindexed_up_to <= indexed_position:
        yield f"The search index is said to begin behind {unindexed_up_to}, and to reach before it."


def _rooms(connection: sqlite3.Connection) -> Iterator[str]:
    """Their numbers are dense, as the writer gives the next one by counting."""
    numbers = [number for (number,) in connection.execute("SELECT room_id FROM rooms ORDER BY 1")]
    if numbers != list(range(1, len(numbers) + 1)):
        count = len(numbers)
        yield f"The numbers of the {counted(count, 'room')} are not 1 to {count}."
    for room, forgotten in connection.execute(
        "SELECT connection_id, forgotten_seq FROM rooms WHERE forgotten_seq < 0"
    ):
        yield f"Room {room!r} is said to have forgotten seq {forgotten}."
    # Each change takes a position of the log, so that no room can have more of them.
    for room, last_rev in connection.execute(
        "SELECT connection_id, last_rev FROM rooms, meta WHERE last_rev NOT BETWEEN 0 AND position"
    ):
        yield f"Room {room!r} is said to have come to rev {last_rev}, which the log has not."


def _seqs(connection: sqlite3.Connection) -> Iterator[str]:
    """The seqs of each room are dense above what retention removed, in the order of positions."""
    return seq_faults(connection.execute(_NEIGHBOURS))


def seq_faults(neighbours: Iterable[Sequence[Any]]) -> Iterator[str]:
    """What is wrong with messages by the ones below them: room, its number, seq, the seq before,
    whether that is of a later commit."""
    for room, number, seq, before, is_out_of_order in neighbours:
        if room is None:
            yield f"Message {seq} is of room number {number}, which is not there."
        elif seq != before + 1:
            yield f"Room {room!r}: seq {seq} follows on {before}."
        elif is_out_of_order:
            yield f"Room {room!r}: seq {seq} was committed before the one below it."


def _messages(connection: sqlite3.Connection) -> Iterator[str]:
    """Each message can be read: ids of their length, text in UTF-8, context and answer in JSON."""
    for position, *columns in connection.execute(_MESSAGES):
        ids, (context, answer), texts = columns[:3], columns[3:5], columns[5:]
        if any(one is not None and len(one) not in ID_LENGTHS for one in ids):
            yield f"The message at position {position} has an id that is no UUID."
        if BROKEN in texts:
            yield f"The message at position {position} has text that is not UTF-8."
        if context is not None and not is_document(context):
            yield f"The message at position {position} has a context that is no JSON object."
        if answer is not None and not is_answer(answer):
            yield f"The message at position {position} has an answer that is no JSON of one."


def _answers(connection: sqlite3.Connection) -> Iterator[str]:
    """Each question is there, and its answer is there exactly if it has ended."""
    return answer_faults(connection.execute(_ANSWERS))


def answer_faults(answers: Iterable[Sequence[Any]]) -> Iterator[str]:
    """What is wrong with questions: the id, the state, whether room, question and answer are not
    there, and whether what is there is its answer."""
    for question, state, no_room, no_question, no_answer, is_its_answer in answers:
        if no_room or no_question:
            yield f"Question {question} is not among the messages, and what became of it is."
        elif state is None and not no_answer:
            yield f"The answer to question {question} is there, and said to be open."
        elif state is not None and not is_its_answer:
            yield f"The answer to question {question} has ended as {state!r}, and is not there."


def _members(connection: sqlite3.Connection) -> Iterator[str]:
    """The queue of every member is well-formed, and owes nothing that was never said; and nobody
    has read what was never said."""
    heads = connection.execute(SELECT_HEADS)
    rooms = {number: (room, last) for room, number, last, _, _ in heads}
    for number, user, is_member, read_seq, name, *columns in connection.execute(_MEMBERS):
        if number not in rooms:
            yield f"User {user!r} is a member of room number {number}, which is not there."
            continue
        room, last_seq = rooms[number]
        try:
            fault = queue_fault(queue_from_row(*columns), last_seq)
        except ValueError as error:
            fault = str(error)
        if is_member not in (0, 1):
            fault = f"is_member is {is_member}"
        if fault is not None:
            yield f"Room {room!r}: the queue of user {user!r} is wrong: {fault}."
        if not 0 <= read_seq <= last_seq:
            yield (
                f"Room {room!r}: user {user!r} is said to have read up to {read_seq}, and the "
                f"room's last is {last_seq}."
            )
        if name is BROKEN:
            yield f"Room {room!r}: the name of user {user!r} is not UTF-8."


def _mentions(connection: sqlite3.Connection) -> Iterator[str]:
    """Each mention is of a message that is there, and names its author."""
    return mention_faults(connection.execute(_MENTIONS))


def mention_faults(mentions: Iterable[Sequence[Any]]) -> Iterator[str]:
    """What is wrong with mentions, given as the room's number and the seq, who mentions whom, and,
    of the message, whether it is there, who wrote it, and whether it is deleted."""
    for number, seq, author, users, is_there, written_by, is_deleted in mentions:
        place = f"Room number {number}: the mentions of message {seq}"
        if not is_there or is_deleted:
            yield f"{place} are of a message that is not there."
        elif author != written_by:
            yield f"{place} are said to be by {author!r}, and the message is by {written_by!r}."
        elif mentions_from_json(users) is None:
            yield f"{place} are no JSON list of users."


def queue_fault(queue: Queue, last_seq: int) -> str | None:
    """What is wrong with a queue in a room whose newest seq is `last_seq`."""
    ends = [end for gap in queue.gaps for end in (gap.first, gap.last)]
    if any(gap.first > gap.last for gap in queue.gaps) or any(
        gap.last >= after.first for gap, after in pairwise(queue.gaps)
    ):
        return "its gaps are not in order"
    if len(queue.gaps) > GAPS_MAX:
        return f"it has {len(queue.gaps)} gaps"
    top = last_seq if queue.away_seq is None else queue.away_seq
    if ends and not 1 <= ends[0] <= ends[-1] <= top:
        return f"its gaps are {ends[0]} to {ends[-1]}, beyond 1 to {top}"
    if not 0 <= (queue.away_seq or 0) <= last_seq:
        return f"it is away since seq {queue.away_seq}, the room's last is {last_seq}"
    if queue.fallen is not None and not _is_range(queue.fallen, last_seq):
        return f"what fell out of it is {queue.fallen}, the room's last is {last_seq}"
    return None


def _is_range(ends: tuple[int, int], last_seq: int) -> bool:
    return all(type(end) is int for end in ends) and 1 <= ends[0] <= ends[1] <= last_seq


def _text_index(connection: sqlite3.Connection) -> Iterator[str]:
    """What is indexed for the search are the messages up to where the index reaches, as they are.

    By FTS5's own check, which needs a table that it may write to: it is given a copy. An index of
    another form is not checked: the next start builds it anew.
    """
    if connection.execute("SELECT indexed_form FROM main.meta").fetchall() != [(FORM,)]:
        return
    connection.create_function("searchable", 1, _searchable, deterministic=True)
    for statement in _COPY_TEXT_INDEX:
        connection.execute(statement)
    try:
        connection.execute("INSERT INTO copied_text (copied_text, rank) VALUES (?, 1)", (_CHECK,))
    except sqlite3.DatabaseError as error:
        if is_unavailable(error):
            raise
        yield f"The search index is not that of the messages: {words_of(error)}."


def _searchable(content: bytes) -> str:
    return searchable(content.decode(errors="replace"))


_RULES: dict[str, Callable[[sqlite3.Connection], Iterator[str]]] = {
    "pages": _pages,
    "head": _head,
    "rooms": _rooms,
    "order of messages": _seqs,
    "messages": _messages,
    "changes": faults_of_changes,
    "answers": _answers,
    "members": _members,
    "mentions": _mentions,
    "search index": _text_index,
}
