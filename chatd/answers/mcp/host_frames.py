"""What the daemon and the process that has its sessions with db-mcps say to each other; pure.

The daemon opens a session under a number, asks one call after the other in it, each under a number
of its own, and closes it. The process says once that it is ready (`frames`), and then, for each
session, that it is open, what comes of each call, and at last that the session is over. Rows go in
pieces of `PIECE_BYTES`; what the daemon has not yet taken (`Took`) is bounded if the db-mcp sends
rows while they come.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, get_args

import attrs
import orjson

from chatd.answers.frames import FrameBreach, Shapes, strict_converter
from chatd.answers.mcp.calls import ToolCall
from chatd.answers.mcp.mapping import PeerMapping
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.requests import Answered, Stopped, Terms
from chatd.answers.table import Column, Row
from chatd.wire.codes import Code

PIECE_BYTES: Final = 65_536
"""Bytes of rows in one frame, as JSON; a longer row is a frame of its own."""


@attrs.frozen
class Open:
    """Open a session with the URL of the settings, or with a child: `command`, with `variables` for
    its environment."""

    session: int
    settings: DatabaseSettings = attrs.field(repr=False)
    command: tuple[str, ...] = attrs.field(repr=False)
    variables: Mapping[str, str] = attrs.field(repr=False)


@attrs.frozen
class Ask:
    """Carry out a call in a session that is open and has no other call."""

    session: int
    number: int
    call: ToolCall
    terms: Terms
    timeout_s: float


@attrs.frozen
class Stop:
    """Have a call stopped; if it has ended already, do nothing."""

    session: int
    number: int


@attrs.frozen
class Took:
    """The daemon took so many bytes of the rows of a call."""

    session: int
    number: int
    size: int


@attrs.frozen
class Close:
    """End a session, and all that belongs to it."""

    session: int


Order: TypeAlias = Open | Ask | Stop | Took | Close
"""What the daemon says."""


@attrs.frozen
class Opened:
    """The session is there, and its tools are those of the mapping."""

    session: int


@attrs.frozen
class Wrote:
    """The child of a session wrote to its standard error."""

    session: int
    content: bytes = attrs.field(repr=False)


@attrs.frozen
class Columns:
    """The columns of an answer, before its rows."""

    session: int
    number: int
    columns: tuple[Column, ...]


@attrs.frozen
class Rows:
    """The next rows of an answer; `size` is the size of their frame."""

    session: int
    number: int
    rows: Sequence[Row]
    size: int


@attrs.frozen
class Failed:
    """The database did not answer; see `DatabaseFailed`."""

    code: Code
    sentence: str


@attrs.frozen
class NotBegun:
    """The call was not begun: the session ends, or the peer has forgotten it; see `Forgotten`."""


Outcome: TypeAlias = Answered | Stopped | Failed | NotBegun
"""What became of a call."""


@attrs.frozen
class Ended:
    """A call has ended; `is_usable`: the session may be asked again."""

    session: int
    number: int
    outcome: Outcome
    is_usable: bool


@attrs.frozen
class Over:
    """A session has ended, and nothing of it is left.

    `reason` is why, in the words of the log; None if it was closed here, or is of no more use.
    `breach` is why the peer was cut off, if it was.
    """

    session: int
    reason: str | None
    breach: str | None = None


Word: TypeAlias = Opened | Wrote | Columns | Ended | Over
"""What the process says, other than rows. Rows are many, and what a child wrote may be any bytes,
so both have separate forms."""


def order_to_json(order: Order) -> bytes:
    """An order as the content of a frame."""
    return _orders.written(order)


def order_from_json(content: bytes) -> Order:
    """The order in a frame. Raises `FrameBreach`."""
    order: Order = _orders.read(content)
    return order


def word_to_json(word: Word) -> bytes:
    """A word as the content of a frame."""
    if isinstance(word, Wrote):  # bytes as JSON would take the daemon 14 ms for 64 KiB
        return b"!%d " % word.session + word.content
    return _words.written(word)


def word_from_json(content: bytes) -> Word | Rows:
    """The word or the rows in a frame. Raises `FrameBreach`."""
    if content.startswith(b"!"):
        number, _, wrote = content[1:].partition(b" ")
        try:
            return Wrote(int(number), wrote)
        except ValueError:
            raise FrameBreach("words of no session") from None
    if not content.startswith(b"["):
        word: Word = _words.read(content)
        return word
    try:
        session, number, rows = orjson.loads(content)
    except ValueError as error:
        raise FrameBreach(type(error).__name__) from None
    if type(session) is not int or type(number) is not int or type(rows) is not list:
        raise FrameBreach("no rows")
    if not all(type(row) is list for row in rows):
        raise FrameBreach("not a row")
    return Rows(session, number, rows, len(content))


def rows_as_json(session: int, number: int, rows: Sequence[Row]) -> Iterator[bytes]:
    """Rows as the contents of as many frames as they need."""
    head = b"[%d,%d,[" % (session, number)
    waiting: list[bytes] = []
    size = 0
    for row in map(orjson.dumps, rows):
        if waiting and size + len(row) > PIECE_BYTES:
            yield head + b",".join(waiting) + b"]]"
            waiting, size = [], 0
        waiting.append(row)
        size += len(row) + 1
    if waiting:
        yield head + b",".join(waiting) + b"]]"


def _mapping(value: Any, _: Any) -> str | PeerMapping:
    return value if isinstance(value, str) else _converter.structure(value, PeerMapping)


_converter = strict_converter()
# Settings and the arguments of a call are JSON already.
_converter.register_structure_hook_func(lambda kind: kind is object, lambda value, _: value)
_converter.register_structure_hook(str | PeerMapping, _mapping)
_outcomes = Shapes(_converter, *get_args(Outcome))
_converter.register_structure_hook(Outcome, lambda value, _: _outcomes.structured(value))
_converter.register_unstructure_hook(Outcome, _outcomes.plain)
_orders = Shapes(_converter, *get_args(Order))
_words = Shapes(_converter, *get_args(Word))
