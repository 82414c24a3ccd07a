"""What the bundled db-mcp and its clients agree on: names, chunks, and the notice of a stop.

It imports nothing of MCP, so that both ends can use it: the db-mcp writes by it, and `peers` reads
by it, from every db-mcp that streams (`peers.chunks`). A call that carries a progress token gets
its rows while they are read, as progress notifications: `progress` is the index of the chunk + 1,
and `message` is JSON:

    {"index": 0, "columns": [{"name": "id", "type": "INTEGER"}], "rows": [[1], [2]]}

`columns` are only in chunk 0, which always comes if the call succeeds. The result then holds
`rowCount`, `truncated` and `chunks`, how many there were; without a token it holds `columns` and
`rows` instead. A result that is `truncated` says in `cut` what was left out (`chatd.answers.cut`).
A call that wrote tells `rowsWritten`.

MCP answers no request that was cancelled. So a cancelled call with a token gets a last progress
notification when its statement has ended and its connection is closed: `{"stopped": true}`. From
then on nothing of it runs. If the client has given up the request, no callback of the SDK takes the
notification; the session's message handler gets it, with the token.

A call that fails is a tool error whose structured content is `{"code", "message"}`: one of the db_
codes, and one sentence.
"""

from collections.abc import Sequence
from enum import StrEnum

import attrs
import orjson

from chatd.answers.table import Column, Row


class Tool(StrEnum):
    """The tools, by their names."""

    LIST_TABLES = "list_tables"
    LIST_COLUMNS = "list_columns"
    DESCRIBE_TABLE = "describe_table"
    SAMPLE_TABLE = "sample_table"
    QUERY = "query"
    EXPLAIN = "explain"


class Argument(StrEnum):
    """The arguments of tools. `TABLE` or `SQL` is required if a tool takes it; no other argument
    is.

    `READ_ONLY` is true if it is not given. With `DRY_RUN`, which only `query` takes, nothing runs,
    and the result is that of `explain`.
    """

    SQL = "sql"
    TABLE = "table"
    SCHEMA = "schema"
    TABLES = "tables"
    MAX_ROWS = "maxRows"
    MAX_BYTES = "maxBytes"
    TIMEOUT_MS = "timeoutMs"
    READ_ONLY = "readOnly"
    DRY_RUN = "dryRun"


class Field(StrEnum):
    """The fields of results, chunks, notices and errors."""

    COLUMNS = "columns"
    NAME = "name"
    TYPE = "type"
    ROWS = "rows"
    ROW_COUNT = "rowCount"
    TRUNCATED = "truncated"
    CUT = "cut"
    CHUNKS = "chunks"
    ROWS_WRITTEN = "rowsWritten"
    INDEX = "index"
    STOPPED = "stopped"
    CODE = "code"
    MESSAGE = "message"


CHUNK_ROWS_MAX = 200
CHUNK_BYTES_MAX = 65_536
"""Bytes of the rows of a chunk, as JSON; a longer row is a chunk of its own."""

ADDRESS_VARIABLE = "DATABASE_URL"
"""The variable of the environment that holds the address of a PostgreSQL database, with its
secrets: a command line can be read by other users of the machine."""
ROWS_WRITTEN_MAX = 10_000
"""Rows that a statement may change, those of triggers included: what a person asks for in a chat
and looks at is less; a larger change is a task for the program that owns the data. Beyond: it is
undone."""
GROWTH_BYTES_MAX = 67_108_864
"""Bytes by which a statement may make the file grow, or its journal: as much as 10,000 rows of
6 KiB. Beyond: it is undone."""
NO_PSYCOPG = 'psycopg is missing; in the sources of chatd: pip install ".[postgres]"'
"""What chatd's own db-mcp for PostgreSQL says, and ends, if that is so."""
STOPPED_MESSAGE = '{"stopped":true}'
"""The notice of a stop, as it is written."""


@attrs.frozen
class Chunk:
    """Some rows of an answer; `columns` with index 0, None with all others."""

    index: int
    columns: tuple[Column, ...] | None
    rows: Sequence[Row]


def columns_as_json(columns: Sequence[Column]) -> list[dict[str, str | None]]:
    """The columns as chunks and results hold them."""
    return [{Field.NAME.value: column.name, Field.TYPE.value: column.type} for column in columns]


def chunk_message(index: int, columns: Sequence[Column] | None, rows: Sequence[bytes]) -> str:
    """The message of a chunk; each of `rows` is a row as JSON already."""
    head = b'{"index":%d' % index
    if columns is not None:
        head += b',"columns":' + orjson.dumps(columns_as_json(columns))
    return (head + b',"rows":[' + b",".join(rows) + b"]}").decode()
