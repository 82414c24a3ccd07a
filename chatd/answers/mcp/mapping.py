"""Which tool of a db-mcp serves which request, with what arguments, and how it answers.

Every db-mcp has its own names for the same few things. A `Mapping` says for each kind of request
which tool is called (none: the peer cannot do that), under which name the table or the statement
goes, and in what form the result comes. `READY` holds those that were tried with the real servers;
others are written in chatd.toml, [databases.<connectionId>.mapping].
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from chatd.answers.mcp.contract import Argument, Tool


class Form(enum.StrEnum):
    """How a result is written."""

    STRUCTURED = "structured"  # structuredContent of MCP, in any of the shapes of JSON
    JSON = "json"  # text: a list of objects, {columns, rows}, {rows}, or a list of values
    MARKDOWN = "markdown"  # text: a Markdown table
    TABS = "tabs"  # text: lines of tab-separated values, names first
    PYTHON = "python"  # text: the repr of a list of dicts or tuples
    RECORDS = "records"  # text: "1. row", then "name: value" lines, as mcp-alchemy writes
    NAMES = "names"  # text: names, each after a comma
    TEXT = "text"  # text for people, shown as it is


class Binary(enum.StrEnum):
    """How bytes are written in JSON."""

    NONE = "none"  # not at all
    BUFFER = "buffer"  # {"type": "Buffer", "data": [0, 255]}
    INDEXED = "indexed"  # {"0": 0, "1": 255}


@attrs.frozen
class Call:
    """How one kind of request is put to a tool.

    `argument` is where the table or the statement goes, None if the tool takes none; with `is_list`
    it goes there as the only member of a list. `fixed` are arguments that are always the same.
    `as_statement`: the tool takes SQL, and what is asked is written as a statement. `is_quoted`:
    the tool puts the name of a table into a statement as it is, so that it is quoted here. The
    schema of a table goes to `schema_argument`; if there is none, the schema goes before the name,
    with a dot, if it was asked with one. `wraps_values`: the tool gives rows to a SELECT and not to
    VALUES, which is put into one here. `takes_any_name`: the tool takes the name of a table as a
    value, whatever signs it holds; a tool that may write it into a statement is given only plain
    names. `reads_parameters`: the tool takes `:name` in a statement for a parameter, so that a
    backslash is put before it, as SQLAlchemy has it. `asks_for_json`: the tool writes values in a
    way that loses some, so that Postgres is asked to give each row as JSON. `rows` is the path to
    the rows in JSON: "data.results"; a number counts in a list, and "*" is the object in a list
    whose `name`, and whose `schema` where it has one, are those of the table.
    """

    tool: str
    argument: str | None = None
    form: Form = Form.JSON
    rows: str = ""
    fixed: Mapping[str, object] = MappingProxyType({})
    is_list: bool = False
    as_statement: bool = False
    is_quoted: bool = False
    wraps_values: bool = False
    takes_any_name: bool = False
    reads_parameters: bool = False
    asks_for_json: bool = False
    schema_argument: str | None = None


@attrs.frozen
class PeerMapping:
    """A db-mcp as it is asked.

    `terms` says what the peer calls the arguments, of every tool, that carry `TERMS`. A result that
    begins with one of `error_prefixes` is an error; one that is flagged `isError` always is, and so
    is JSON with `success: false`. An error ends where one of `error_ends` begins. `chars_variable`
    is the variable of the peer's environment that bounds the characters of an answer; unless it is
    configured, it is given what `max_message_bytes` allows. `server_binary` is how bytes of
    Postgres and MySQL are written, if not as for SQLite. `streams`: rows come in progress messages
    (`chunks`). `confirms_stop`: after a cancel the peer says when nothing of the call runs on.
    """

    list_tables: Call | None = None
    list_columns: Call | None = None
    describe_table: Call | None = None
    sample_table: Call | None = None
    query: Call | None = None
    explain: Call | None = None
    terms: Mapping[str, str] = MappingProxyType({})
    error_prefixes: tuple[str, ...] = ()
    error_ends: tuple[str, ...] = ()
    binary: Binary = Binary.NONE
    server_binary: Binary | None = None
    chars_variable: str = ""
    streams: bool = False
    confirms_stop: bool = False

    @property
    def tools(self) -> frozenset[str]:
        """The tools that a question may need; besides them only `optional_tools` are ever
        called."""
        calls = (self.list_tables, self.describe_table, self.sample_table, self.query, self.explain)
        return frozenset(call.tool for call in calls if call is not None)

    @property
    def optional_tools(self) -> frozenset[str]:
        """The tools that are called if the peer has them."""
        return frozenset() if self.list_columns is None else frozenset({self.list_columns.tool})


BUNDLED: Final = "chatd"
"""The name of the mapping for the db-mcps that come with chatd."""
TERMS: Final = ("read_only", "schema", "tables", "max_rows", "max_bytes", "timeout_ms")
"""The terms that a mapping may pass on."""

_ALCHEMY: Final = Call(
    "execute_query", "query", form=Form.RECORDS, reads_parameters=True, asks_for_json=True
)
_ALCHEMY_STATEMENT: Final = attrs.evolve(_ALCHEMY, as_statement=True)
_SQLITE_PATH: Final = "data.statements.0.rows"


def _on_table(tool: Tool) -> Call:
    return Call(
        tool,
        Argument.TABLE,
        form=Form.STRUCTURED,
        takes_any_name=True,
        schema_argument=Argument.SCHEMA,
    )


READY: Final[Mapping[str, PeerMapping]] = {
    # Those that come with chatd: `chatd db-mcp`. Every value is exact.
    BUNDLED: PeerMapping(
        list_tables=Call(Tool.LIST_TABLES, form=Form.STRUCTURED),
        list_columns=Call(Tool.LIST_COLUMNS, form=Form.STRUCTURED),
        describe_table=_on_table(Tool.DESCRIBE_TABLE),
        sample_table=_on_table(Tool.SAMPLE_TABLE),
        query=Call(Tool.QUERY, Argument.SQL, form=Form.STRUCTURED),
        explain=Call(Tool.EXPLAIN, Argument.SQL, form=Form.STRUCTURED),
        terms={
            "read_only": Argument.READ_ONLY,
            "schema": Argument.SCHEMA,
            "tables": Argument.TABLES,
            "max_rows": Argument.MAX_ROWS,
            "max_bytes": Argument.MAX_BYTES,
            "timeout_ms": Argument.TIMEOUT_MS,
        },
        streams=True,
        confirms_stop=True,
    ),
    # PyPI's mcp-alchemy 2026.10.15 (SQLAlchemy, any dialect). Its text is Python's str() of each
    # value: NULL and the text "NULL" are the same, bytes are Python's notation of them, and a value
    # with a line break can look like the next column; so Postgres is asked for JSON. Of MySQL and
    # SQLite all values are text. It cuts an answer after so many characters, and says so. Its own
    # tools for tables know one schema, and no views.
    "mcp-alchemy": PeerMapping(
        list_tables=_ALCHEMY_STATEMENT,
        list_columns=_ALCHEMY_STATEMENT,
        describe_table=_ALCHEMY_STATEMENT,
        sample_table=_ALCHEMY_STATEMENT,
        query=_ALCHEMY,
        explain=_ALCHEMY_STATEMENT,
        error_prefixes=("Error:", "Error executing tool"),
        error_ends=("\n[SQL: ", "\n(Background on this error at: "),
        chars_variable="EXECUTE_QUERY_MAX_CHARS",
    ),
    # PyPI's mcp-server-sqlite 2025.4.25. Integers and bytes are exact; SQLite's decimals are
    # floats; of two columns with one name the second is lost; no rows have no columns. Only
    # statements that begin with SELECT are taken, so that there is no plan, and no WITH.
    "mcp-server-sqlite": PeerMapping(
        list_tables=Call("list_tables", form=Form.PYTHON),
        list_columns=Call("read_query", "query", form=Form.PYTHON, as_statement=True),
        describe_table=Call("describe_table", "table_name", Form.PYTHON, is_quoted=True),
        sample_table=Call("read_query", "query", form=Form.PYTHON, as_statement=True),
        query=Call("read_query", "query", form=Form.PYTHON, wraps_values=True),
        error_prefixes=("Error:", "Database error:"),
    ),
    # npm's mcp-server-sqlite-npx 0.8. Values pass through JavaScript's numbers: integers beyond
    # 2^53 are rounded, infinity is NULL. Bytes are exact. Otherwise as mcp-server-sqlite.
    "mcp-server-sqlite-npx": PeerMapping(
        list_tables=Call("list_tables"),
        list_columns=Call("read_query", "query", as_statement=True),
        describe_table=Call("describe_table", "table_name", is_quoted=True),
        sample_table=Call("read_query", "query", as_statement=True),
        query=Call("read_query", "query", wraps_values=True),
        error_prefixes=("Error:",),
        binary=Binary.BUFFER,
    ),
    # npm's @bytebase/dbhub 1.4. Integers are exact, floats beyond 2^53 are rounded, infinity and
    # NaN are NULL, numbers in JSON and in lists of Postgres are rounded to floats, empty bytes of
    # SQLite are an empty object; of two columns with one name the first is lost; no rows have no
    # columns. Without a schema tables are searched in every one.
    "dbhub": PeerMapping(
        list_tables=Call(
            "search_objects",
            rows="data.results",
            fixed={"object_type": "table", "pattern": "%"},
        ),
        list_columns=Call("execute_sql", "sql", rows=_SQLITE_PATH, as_statement=True),
        describe_table=Call(
            "search_objects",
            "pattern",
            rows="data.results.*.columns",
            fixed={"object_type": "table", "detail_level": "full"},
            schema_argument="schema",
            takes_any_name=True,
        ),
        sample_table=Call("execute_sql", "sql", rows=_SQLITE_PATH, as_statement=True),
        query=Call("execute_sql", "sql", rows=_SQLITE_PATH, wraps_values=True),
        explain=Call("execute_sql", "sql", rows=_SQLITE_PATH, as_statement=True),
        binary=Binary.INDEXED,
        server_binary=Binary.BUFFER,
    ),
}
"""Mappings by name, each tried with the real server in tests/answers/mcp/test_others.py."""
