"""Rows that come in progress messages, read and put in order; pure.

How a chunk and the notice of a stop are written stands in `bundled.contract`; here they are read,
from whatever db-mcp streams like that. MCP does not promise that progress notifications are handled
in the order in which they came, so each message has an index. Messages that are too early are kept
until their turn, within bounds; one that comes twice counts once.
"""

from typing import Final

from chatd.answers.mcp.contract import Chunk, Field
from chatd.answers.mcp.documents import COLUMNS_MAX, named_column
from chatd.answers.mcp.exact_json import from_json, json_cell
from chatd.answers.mcp.mapping import Binary
from chatd.answers.table import Column

MESSAGE_CHARS_MAX: Final = 1_048_576
"""Characters of one message. Beyond: `BadChunk`."""
AHEAD_MAX: Final = 64
"""Messages that are kept because an earlier one is missing. Beyond: `BadChunk`."""


class BadChunk(Exception):
    """A progress message does not belong to an answer, or too many came out of order."""


class ChunkSequence:
    """The chunks of one answer; `next_index` is how many are in order so far."""

    def __init__(self) -> None:
        self.next_index = 0
        self._ahead: dict[int, Chunk] = {}
        self._width: int | None = None

    def take(self, chunk: Chunk) -> list[Chunk]:
        """Take a chunk in, and give those whose turn it now is. Raises `BadChunk`."""
        if chunk.index < self.next_index or chunk.index in self._ahead:
            return []
        self._ahead[chunk.index] = chunk
        turn: list[Chunk] = []
        while (due := self._ahead.pop(self.next_index, None)) is not None:
            if due.columns is not None:
                self._width = len(due.columns)
            if any(len(row) != self._width for row in due.rows):
                raise BadChunk("a row of another width")
            turn.append(due)
            self.next_index += 1
        if len(self._ahead) > AHEAD_MAX:
            raise BadChunk("too many out of order")
        return turn


def read_chunk(message: str) -> Chunk:
    """The chunk in a progress message. Raises `BadChunk`."""
    if len(message) > MESSAGE_CHARS_MAX:
        raise BadChunk("too long")
    try:
        return _read(from_json(message))
    except (ValueError, RecursionError):
        raise BadChunk("no JSON, or a column without a name") from None


def _read(content: object) -> Chunk:
    match content:
        case {Field.INDEX: int() as index, Field.ROWS: list() as rows, **rest} if all(
            isinstance(row, list) for row in rows
        ):
            columns = rest.get(Field.COLUMNS) if index == 0 else None
            cells = [[json_cell(value, Binary.NONE) for value in row] for row in rows]
            return Chunk(index, None if columns is None else _columns(columns), cells)
    raise BadChunk("no chunk")


def is_stopped_notice(message: str) -> bool:
    """Whether a progress message says that a cancelled call has ended."""
    if len(message) > 100:  # so that no chunk is parsed twice
        return False
    try:
        content = from_json(message)
    except (ValueError, RecursionError):
        return False
    match content:
        case {Field.STOPPED: True, **rest} if not rest:
            return True
    return False


def _columns(content: object) -> tuple[Column, ...]:
    columns = content if isinstance(content, list) else [content]
    if len(columns) > COLUMNS_MAX:
        raise BadChunk("too many columns")
    if not all(isinstance(one, dict) for one in columns):
        raise BadChunk("a column without a name")
    return tuple(map(named_column, columns))
