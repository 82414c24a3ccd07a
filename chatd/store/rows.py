"""What a row of the log says, as values: messages, ids, the queues of members."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, TypeAlias, TypeVar

import attrs
import orjson

from chatd.chat.answer_rows import with_rows
from chatd.chat.ids import SCOPE_BYTES, WRITTEN_CHARS
from chatd.chat.queue import PRESENT, Gap, Queue
from chatd.chat.records import Changes, Message, Reaction
from chatd.chat.rendering import DAMAGED_SENTENCE

_WRITTEN_COLUMNS = (
    "m.message_id, r.connection_id, m.seq, m.user_id, m.name, m.content, m.context, m.thread_id,"
    " m.timestamp_ms, m.reply_to, m.answer"
)
_WRITTEN_WIDTH = 11  # how many columns these are
_CHANGED_WIDTH = 9  # how many more say what became of it, and whom it mentions today
_ANSWER_AT = _WRITTEN_COLUMNS.split(", ").index("m.answer")
# A message as it is today, from messages `m`, their rooms `r` and, by `CHANGED`, their changes `c`
# and by `MENTIONED`, which is in it, their mentions `n`.
MESSAGE_COLUMNS = (
    f"{_WRITTEN_COLUMNS}, c.message, c.rev, c.at_ms, c.edited_rev, c.edited_ms, c.content,"
    " c.deleted_ms, c.reactions, n.users"
)
MESSAGE_WIDTH = _WRITTEN_WIDTH + _CHANGED_WIDTH
MENTIONED = "LEFT JOIN mentions n ON n.message = m.position"
CHANGED = f"LEFT JOIN changed c ON c.message = m.position {MENTIONED}"
# The same as it was first written, whatever became of it.
FIRST_COLUMNS = _WRITTEN_COLUMNS + ", NULL" * _CHANGED_WIDTH
# Those of one id, the one without a scope first: between the two of `ids_from`. What a client sends
# again is compared with what was first written.
SELECT_MESSAGES = f"""
    SELECT {FIRST_COLUMNS} FROM messages m JOIN rooms r USING (room_id)
    WHERE m.message_id BETWEEN ? AND ? ORDER BY m.message_id
"""
# The last seq of a room `r` that was ever given, whether its message is still there or not.
LAST_SEQ = """
    max(r.forgotten_seq,
        coalesce((SELECT max(m.seq) FROM messages m WHERE m.room_id = r.room_id), 0))
"""
# The changes have the last word where they are there: a rev that is given twice cannot be written.
LAST_REV = """
    max(r.last_rev,
        coalesce((SELECT max(ch.rev) FROM changes ch WHERE ch.room_id = r.room_id), 0))
"""
SELECT_HEADS = f"""
    SELECT r.connection_id, r.room_id, {LAST_SEQ}, r.forgotten_seq, {LAST_REV} FROM rooms r
"""
QUEUE_COLUMNS = "m.away_seq, m.away_ms, m.gaps, m.fallen"

ID_LENGTHS = (16, 16 + SCOPE_BYTES)  # bytes of a UUID alone, and with its scope

_T = TypeVar("_T")

# What a queue is in JSON, by its fields: the gaps are [first, last, since_ms].
QueueFields: TypeAlias = tuple[int | None, int, list[list[int]], list[int] | None]


def uuid_bytes(text: str) -> bytes:
    """The 16 bytes of a UUID in its lower-case text form, followed by those of its scope, if it has
    one (`chatd.chat.ids`); `ValueError` for any other text."""
    raw = bytes.fromhex(text.replace("-", "").replace("/", ""))
    # Its usual form, of 32 digits and four dashes; writing all of it anew takes twice as long.
    is_written = len(raw) == ID_LENGTHS[0] and len(text) == WRITTEN_CHARS
    if is_written and text[8:24:5] == "----" and text == text.lower():
        return raw
    if len(raw) not in ID_LENGTHS or uuid_text(raw) != text:
        raise ValueError(f"not a UUID in lower case: {text[:WRITTEN_CHARS]!r}")
    return raw


def uuid_text(raw: bytes) -> str:
    """The lower-case text of 16 bytes, and of a scope after them."""
    digits = raw.hex()
    scope = f"/{digits[32:]}" if len(digits) > 32 else ""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}{scope}"


def ids_from(key: bytes) -> tuple[bytes, bytes]:
    """The first and the last key that this id may have, with or without a scope."""
    return key, key + b"\xff" * SCOPE_BYTES


def message_from_row(row: Sequence[Any], answer_rows: int | None = None) -> Message:
    """The message in a row of `MESSAGE_COLUMNS`; columns after these are not looked at.

    Only `answer_rows` rows of an answer are read, None for all: the rest may be anything. A broken
    row gives a damaged message if its room and seq can be read, else `MisplacedRowError`.
    """
    if answer_rows is not None:
        row = _with_answer_rows(row, answer_rows)
    message_id, room, seq, user_id, name, content, context, thread_id, at_ms, reply_to, answer = (
        row[:_WRITTEN_WIDTH]
    )
    if not (
        content.__class__ is str
        and user_id.__class__ is str
        and room.__class__ is str
        and seq.__class__ is int
        and at_ms.__class__ is int
        and (name is None or name.__class__ is str)
        and is_uuid(message_id)
        and (thread_id is None or is_uuid(thread_id))
        and (reply_to is None or is_uuid(reply_to))
        and (context is None or is_document(context))
        and (answer is None or is_answer(answer))
    ):
        return _damaged_message(row)
    users = row[MESSAGE_WIDTH - 1]
    mentions = () if users is None else mentions_from_json(users)
    message = Message(
        message_id=uuid_text(message_id),
        connection_id=room,
        seq=seq,
        user_id=user_id,
        name=name,
        content=content,
        context=context,
        thread_id=None if thread_id is None else uuid_text(thread_id),
        timestamp_ms=at_ms,
        reply_to=None if reply_to is None else uuid_text(reply_to),
        answer=answer,
        is_damaged=mentions is None,
        mentions=mentions or (),
    )
    return message if row[_WRITTEN_WIDTH] is None else _changed_message(message, row)


def _with_answer_rows(row: Sequence[Any], most: int) -> Sequence[Any]:
    answer = row[_ANSWER_AT]
    if answer.__class__ is not bytes:
        return row
    return *row[:_ANSWER_AT], with_rows(answer, most), *row[_ANSWER_AT + 1 :]


class MisplacedRowError(ValueError):
    """A row that does not say of which room it is, or at which seq."""


def _damaged_message(row: Sequence[Any]) -> Message:
    """What can be read of a broken row."""
    message_id, room, seq, user_id, name, content, context, thread_id, at_ms, reply_to, answer = (
        row[:_WRITTEN_WIDTH]
    )
    if not (isinstance(room, str) and isinstance(seq, int)):
        raise MisplacedRowError("a message does not say where it belongs")
    message = Message(
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
    return message if row[_WRITTEN_WIDTH] is None else _changed_message(message, row)


def _changed_message(message: Message, row: Sequence[Any]) -> Message:
    """The message of today. If what became of it cannot be read, none of its text is shown: it may
    have been taken back."""
    _, rev, at_ms, edited_rev, edited_ms, content, deleted_ms, reactions = row[
        _WRITTEN_WIDTH : MESSAGE_WIDTH - 1
    ]
    read = reactions_from_json(reactions)
    if read is None or not (
        rev.__class__ is int
        and at_ms.__class__ is int
        and edited_rev.__class__ is int
        and (edited_ms is None or edited_ms.__class__ is int)
        and (content is None or content.__class__ is str)
        and (deleted_ms is None or deleted_ms.__class__ is int)
    ):
        changes = Changes(rev=_if_is(int, rev) or 0, at_ms=0)
        return attrs.evolve(
            message, content=DAMAGED_SENTENCE, context=None, is_damaged=True, changes=changes
        )
    changes = Changes(rev, at_ms, edited_rev, edited_ms, deleted_ms, read)
    if deleted_ms is not None:
        return attrs.evolve(message, content="", context=None, mentions=(), changes=changes)
    if content is None:
        return attrs.evolve(message, changes=changes)
    return attrs.evolve(message, content=content, changes=changes)


def reactions_as_json(reactions: Sequence[Reaction]) -> str:
    """Reactions as a row has them: [[emoji, [user, ...]], ...]."""
    return orjson.dumps([[one.emoji, one.users] for one in reactions]).decode()


def reactions_from_json(written: object) -> tuple[Reaction, ...] | None:
    """The reactions in a row; None if they are broken."""
    if written == "[]":
        return ()
    if not isinstance(written, str):
        return None
    try:
        read = [(emoji, tuple(users)) for emoji, users in orjson.loads(written)]
    except (ValueError, TypeError):
        return None
    if not all(isinstance(text, str) for emoji, users in read for text in (emoji, *users)):
        return None
    return tuple(Reaction(emoji, users) for emoji, users in read)


def mentions_as_json(mentions: Sequence[str]) -> str:
    """The users whom a message mentions, as a row has them."""
    return orjson.dumps(mentions).decode()


def mentions_from_json(written: object) -> tuple[str, ...] | None:
    """The users in a row; None if they are broken, or there are none."""
    if not isinstance(written, str):
        return None
    try:
        users = orjson.loads(written)
    except ValueError:
        return None
    if not (isinstance(users, list) and users and all(isinstance(user, str) for user in users)):
        return None
    return tuple(users)


def damaged_message(connection_id: str, seq: int) -> Message:
    """Stands for a message of which nothing can be read, so that seqs stay dense."""
    nothing = (None, connection_id, seq, *[None] * (MESSAGE_WIDTH - 3))
    return _damaged_message(nothing)


def _stand_in_id(connection_id: str, seq: int) -> str:
    """An id for a message whose own cannot be read: always the same, and no other message's."""
    return uuid_text(stand_in_key(connection_id, seq))


def stand_in_key(connection_id: str, seq: int) -> bytes:
    """The bytes of an id for a message whose own cannot be read."""
    place = f"{connection_id}\0{seq}".encode()
    return blake2b(place, digest_size=16, person=b"chatd damaged").digest()


def _if_is(kind: type[_T], value: object) -> _T | None:
    return value if isinstance(value, kind) else None


def is_uuid(value: object) -> bool:
    """Whether it is the bytes of an id, with or without a scope."""
    return value.__class__ is bytes and len(value) in ID_LENGTHS


def is_document(value: object) -> bool:
    """Whether it is the bytes of a JSON object: what goes out as it is, must be."""
    return _document(value) is not None


def is_answer(value: object) -> bool:
    """Whether it is a document whose error, if it has one, says in words what it is."""
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
    """The queue of `queue_fields`; `ValueError` if these are not such fields."""
    if away_seq is None and not away_ms and not gaps and fallen is None:
        return PRESENT  # one for all: most members are in their room
    try:
        fallen_out: tuple[int, int] | None = None
        if fallen is not None:
            fallen_out = (fallen[0], fallen[1])
        queue = Queue(away_seq, away_ms, tuple(Gap(*gap) for gap in gaps), fallen_out)
    except (TypeError, IndexError, KeyError):
        raise ValueError("not the queue of a member") from None
    numbers = [away_seq or 0, away_ms, *(fallen_out or ())]
    numbers += [number for gap in queue.gaps for number in (gap.first, gap.last, gap.since_ms)]
    if not all(type(number) is int for number in numbers):
        raise ValueError("not made of whole numbers")
    return queue


def queue_from_row(away_seq: int | None, away_ms: int, gaps: str, fallen: str | None) -> Queue:
    """The queue in a row's `QUEUE_COLUMNS`; `ValueError` if its JSON is damaged."""
    return queue_from_fields(
        away_seq,
        away_ms,
        orjson.loads(gaps),
        None if fallen is None else orjson.loads(fallen),
    )
