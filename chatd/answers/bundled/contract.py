"""What the bundled db-mcp and who calls it agree on: names, chunks, and the notice of a stop.

It imports no MCP, so that both ends can use it. A call that carries a progress token gets its rows
while they are read, as progress notifications: `progress` is the index of the chunk + 1, and
`message` is JSON:

    {"index": 0, "columns": [{"name": "id", "type": "INTEGER"}], "rows": [[1], [2]]}

`columns` are in chunk 0 only, which always comes where the call succeeds. The result then holds
`rowCount`, `truncated` and `chunks`, how many there were; without a token it holds `columns` and
`rows` instead. A call that wrote tells `rowsWritten`.

MCP answers no request that was cancelled. So a cancelled call with a token gets a last progress
notification when its statement has ended and its connection is closed: `{"stopped": true}`. From
then on nothing of it runs. Where the client has given the request up, no callback of the SDK takes
it; it comes to the session's message handler, with the token.

A call that fails is a tool error whose structured content is `{"code", "message"}`: one of the db_
codes, and one sentence.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeAlias

import attrs
import orjson

from chatd.answers.table import Column, Row


class Tool(StrEnum):
    """The tools, by their names."""

    LIST_TABLES = "list_tables"
    DESCRIBE_TABLE = "describe_table"
    SAMPLE_TABLE = "sample_table"
    QUERY = "query"
    EXPLAIN = "explain"


class Argument(StrEnum):
    """The arguments of tools. `TABLE` or `SQL` is required where a tool takes it, no other is."""

    SQL = "sql"
    TABLE = "table"
    SCHEMA = "schema"
    TABLES = "tables"
    MAX_ROWS = "maxRows"
    MAX_BYTES = "maxBytes"
    TIMEOUT_MS = "timeoutMs"
    READ_ONLY = "readOnly"


class Field(StrEnum):
    """The fields of results, chunks, notices and errors."""

    COLUMNS = "columns"
    NAME = "name"
    TYPE = "type"
    ROWS = "rows"
    ROW_COUNT = "rowCount"
    TRUNCATED = "truncated"
    CHUNKS = "chunks"
    ROWS_WRITTEN = "rowsWritten"
    INDEX = "index"
    STOPPED = "stopped"
    CODE = "code"
    MESSAGE = "message"


CHUNK_ROWS_MAX = 200
CHUNK_BYTES_MAX = 65_536
"""Of the rows of a chunk, as JSON; a row that is longer is a chunk of its own."""

STOPPED_MESSAGE = '{"stopped":true}'


@attrs.frozen
class Chunk:
    """Some rows of an answer; `columns` with index 0, None with all others."""

    index: int
    columns: Sequence[Column] | None
    rows: Sequence[Row]


@attrs.frozen
class StoppedNotice:
    """A call that was cancelled has ended."""


Progress: TypeAlias = Chunk | StoppedNotice


def columns_as_json(columns: Sequence[Column]) -> list[dict[str, str | None]]:
    """The columns as they stand in chunks and results."""
    return [{Field.NAME.value: column.name, Field.TYPE.value: column.type} for column in columns]


def chunk_message(index: int, columns: Sequence[Column] | None, rows: Sequence[bytes]) -> str:
    """The message of a chunk; each of `rows` is a row as JSON already."""
    head = b'{"index":%d' % index
    if columns is not None:
        head += b',"columns":' + orjson.dumps(columns_as_json(columns))
    return (head + b',"rows":[' + b",".join(rows) + b"]}").decode()


def read_progress(message: str | None) -> Progress | None:
    """What the message of a progress notification says; None where it is none of these."""
    try:
        told = orjson.loads(message or "")
    except orjson.JSONDecodeError:
        return None
    match told:
        case {"stopped": True}:
            return StoppedNotice()
        case {"index": int(index), "rows": list(rows), **rest} if all(
            isinstance(row, list) for row in rows
        ):
            return _chunk(index, rows, rest.get(Field.COLUMNS))
        case _:
            return None


def _chunk(index: int, rows: list[Row], told: object) -> Chunk | None:
    if told is None:
        return Chunk(index, None, rows)
    if not isinstance(told, list):
        return None
    columns: list[Column] = []
    for one in told:
        match one:
            case {"name": str(name), "type": str() | None as kind}:
                columns.append(Column(name, kind))
            case _:
                return None
    return Chunk(index, columns, rows)
