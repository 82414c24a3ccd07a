"""The rows of a log in a form that belongs to neither engine: what `chatd store copy` reads and
writes.

A row of SQLite may be broken, as its pages have no checksum. What PostgreSQL cannot hold gets a
value that it can hold, and that readers take for damage just as they took the first: content that
is not UTF-8 becomes the sentence for damaged messages, with a context that is not JSON. A row is
left out if nobody can tell where it belongs. Both are reported.
"""

import enum
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs
import orjson

from chatd.chat.rendering import DAMAGED_SENTENCE
from chatd.store.recovery import fallen_out
from chatd.store.rows import is_uuid, queue_fields, queue_from_row, stand_in_key

Row: TypeAlias = tuple[Any, ...]

_LEFT_OUT: Final = object()  # a row in which such a value is wrong
NO_JSON: Final = ""
"""As a context, it is damage to every reader."""
NOTHING: Final = "null"
"""As a list of users or of reactions, it is damage to every reader."""


class Kind(enum.Enum):
    """What a column holds. Ids are bytes, documents the text of JSON as it was written, lists the
    text of JSON as orjson writes it."""

    NUMBER = enum.auto()
    FLAG = enum.auto()
    TEXT = enum.auto()
    KEY = enum.auto()
    DOCUMENT = enum.auto()
    LIST = enum.auto()


@attrs.frozen
class Column:
    """A column; `instead` replaces a value of another kind; a column without one has the row left
    out."""

    name: str
    kind: Kind
    is_optional: bool = False
    instead: object = _LEFT_OUT

    def fitted(self, value: Any) -> tuple[Any, bool]:
        """The value as both engines hold it, and whether it is damaged. Raises `Misplaced`."""
        if value is None and self.is_optional:
            return None, False
        fitted = _FITTED[self.kind](value)
        if fitted is not None:
            return fitted, False
        if self.instead is _LEFT_OUT:
            raise Misplaced(self.name)
        return self.instead, True


class Misplaced(Exception):
    """A row does not say where it belongs."""


class Table(enum.StrEnum):
    """The tables of a log, in the order in which they are copied."""

    ROOMS = "rooms"
    MESSAGES = "messages"
    MENTIONS = "mentions"
    CHANGES = "changes"
    CHANGED = "changed"
    MEMBERS = "members"
    ANSWERS = "answers"
    AUDIT = "audit"


def _number(name: str, instead: object = _LEFT_OUT) -> Column:
    return Column(name, Kind.NUMBER, instead=instead)


def _no_number(name: str) -> Column:
    return Column(name, Kind.NUMBER, is_optional=True, instead=None)


def _text(name: str, instead: object = _LEFT_OUT) -> Column:
    return Column(name, Kind.TEXT, instead=instead)


def _no_text(name: str) -> Column:
    return Column(name, Kind.TEXT, is_optional=True, instead=None)


def _no_key(name: str) -> Column:
    return Column(name, Kind.KEY, is_optional=True, instead=None)


def _no_document(name: str) -> Column:
    return Column(name, Kind.DOCUMENT, is_optional=True, instead=NO_JSON)


COLUMNS: Final[Mapping[Table, Sequence[Column]]] = {
    Table.ROOMS: (
        _number("room_id"),
        _text("connection_id"),
        _number("last_seq"),
        _number("forgotten_seq"),
        _number("last_rev"),
    ),
    Table.MESSAGES: (
        _number("room_id"),
        _number("seq"),
        _number("position"),
        Column("message_id", Kind.KEY, instead=b""),
        _no_key("thread_id"),
        _number("timestamp_ms", 0),
        _no_number("delivered_ms"),
        _no_text("delivered_by"),
        _text("user_id", ""),
        _no_text("name"),
        _no_document("context"),
        _text("content", DAMAGED_SENTENCE),
        _no_key("reply_to"),
        _no_document("answer"),
    ),
    Table.MENTIONS: (
        _number("room_id"),
        _number("seq"),
        _text("author", ""),
        Column("users", Kind.LIST, instead=NOTHING),
    ),
    Table.CHANGES: (
        _number("room_id"),
        _number("rev"),
        _number("seq"),
        _text("kind", "damaged"),
        _text("user_id", ""),
        _number("at_ms", 0),
        _no_text("written"),
    ),
    Table.CHANGED: (
        _number("room_id"),
        _number("seq"),
        _number("rev"),
        _number("at_ms", 0),
        _number("edited_rev", 0),
        _no_number("edited_ms"),
        _no_text("content"),
        _no_number("deleted_ms"),
        Column("reactions", Kind.LIST, instead=NOTHING),
    ),
    Table.MEMBERS: (
        _number("room_id"),
        _text("user_id"),
        _number("joined_ms", 0),
        _no_number("read_seq"),
        _no_text("name"),
        _no_number("away_seq"),
        _number("away_ms", 0),
        Column("gaps", Kind.LIST, instead=NOTHING),
        Column("fallen", Kind.LIST, is_optional=True, instead=NOTHING),
    ),
    Table.ANSWERS: (
        _number("room_id"),
        Column("question_id", Kind.KEY),
        Column("answer_id", Kind.KEY, instead=b""),
        _text("user_id", ""),
        _no_key("thread_id"),
        _number("opened_ms", 0),
        _no_text("state"),
        Column("is_to_read", Kind.FLAG, instead=False),
        _no_text("address"),
    ),
    Table.AUDIT: (
        _number("position"),
        _number("at_ms", 0),
        _no_text("action"),
        _no_text("user_id"),
        _text("outcome", ""),
        *map(_no_text, ("address", "room", "message_id", "statement", "target", "format", "code")),
        *map(_no_number, ("rows", "size_bytes", "elapsed_ms")),
        _no_text("span"),
    ),
}

_MESSAGE_NAMES: Final = [column.name for column in COLUMNS[Table.MESSAGES]]
_MESSAGE_ID, _CONTEXT = map(_MESSAGE_NAMES.index, ("message_id", "context"))
_QUEUE_AT: Final = 5  # in a row of a member: away_seq, away_ms, gaps, fallen
_READ_AT: Final = 3


@attrs.frozen
class Head:
    """What a log says of itself. None of its positions is above `position`, and no room has more
    changes than that."""

    epoch: str
    created_ms: int
    has_scoped_ids: bool
    position: int


class Rooms:
    """The rooms that were met: their numbers in the copy, which are dense, and their last seqs."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.last_seqs: list[int] = []
        self._numbers: dict[int, int] = {}

    def add(self, row: Row) -> Row:
        """A row of a room, with its number in the copy."""
        self.names.append(row[1])
        self.last_seqs.append(row[2])
        self._numbers[row[0]] = len(self.names)
        return (len(self.names), *row[1:])

    def number_of(self, room_id: int) -> int:
        """The number of a room in the copy. Raises `Misplaced`."""
        try:
            return self._numbers[room_id]
        except KeyError:
            raise Misplaced("room_id") from None


def fitted(table: Table, row: Row, rooms: Rooms) -> tuple[Row, bool]:
    """A row as it is copied, and whether it was damaged. Raises `Misplaced` if it is left out."""
    is_damaged = False
    values: list[Any] = []
    for column, value in zip(COLUMNS[table], row, strict=True):
        one, is_wrong = column.fitted(value)
        values.append(one)
        is_damaged |= is_wrong
    if table is Table.ROOMS:
        return rooms.add(tuple(values)), is_damaged
    if table is Table.AUDIT:
        return tuple(values), is_damaged
    values[0] = rooms.number_of(values[0])
    if table is Table.MESSAGES and is_damaged:
        values[_CONTEXT] = NO_JSON
        room = rooms.names[values[0] - 1]
        values[_MESSAGE_ID] = values[_MESSAGE_ID] or stand_in_key(room, values[1])
    if table is Table.MEMBERS:
        is_damaged |= _mend_member(values, rooms.last_seqs[values[0] - 1])
    return tuple(values), is_damaged


def _mend_member(values: list[Any], last_seq: int) -> bool:
    """What a start makes of a member whose queue or marker is broken (`recovery`)."""
    read_seq = values[_READ_AT]
    is_broken = read_seq is None or not 0 <= read_seq <= last_seq
    if is_broken:
        values[_READ_AT] = last_seq
    try:
        queue_from_row(*values[_QUEUE_AT:])
    except (ValueError, TypeError):
        away_seq, away_ms, gaps, fallen = queue_fields(fallen_out(values[_QUEUE_AT], last_seq))
        values[_QUEUE_AT:] = away_seq, away_ms, _json(gaps), fallen and _json(fallen)
        return True
    return is_broken


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _fitted_number(value: Any) -> int | None:
    return value if value.__class__ is int else None


def _fitted_flag(value: Any) -> bool | None:
    return bool(value) if value in (0, 1) else None


def _fitted_text(value: Any) -> str | None:
    """No text of PostgreSQL has a NUL."""
    return value if value.__class__ is str and "\0" not in value else None


def _fitted_key(value: Any) -> bytes | None:
    return value if is_uuid(value) else None


def _fitted_document(value: Any) -> str | None:
    if value.__class__ is bytes:
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return None
    return _fitted_text(value)


def _fitted_list(value: Any) -> str | None:
    if value.__class__ is not str or "\\u0000" in value:
        return None
    try:
        return _json(orjson.loads(value))
    except ValueError:
        return None


_FITTED: Final = {
    Kind.NUMBER: _fitted_number,
    Kind.FLAG: _fitted_flag,
    Kind.TEXT: _fitted_text,
    Kind.KEY: _fitted_key,
    Kind.DOCUMENT: _fitted_document,
    Kind.LIST: _fitted_list,
}
