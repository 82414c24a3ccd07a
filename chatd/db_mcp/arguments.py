"""The arguments of a tool call, taken apart strictly: plain JSON in, a request and its terms out.

A wrong type is the caller's fault and is refused; nothing is coerced. A number beyond its ceiling
counts as the ceiling: the answer then says that it is truncated.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chatd.answers.mcp.contract import Argument, Tool
from chatd.answers.requests import (
    DescribeTable,
    ExplainStatement,
    ListColumns,
    ListTables,
    Request,
    RunStatement,
    SampleTable,
    Terms,
)

ROWS_MAX = 100_000
"""The most rows of an answer that comes in one piece."""
CHUNKED_ROWS_MAX = 100_000_000
BYTES_MAX = 4_294_967_296
"""The most of an answer that comes in chunks, its rows as JSON: no row is kept, and the client sets
the pace."""
WHOLE_BYTES_MAX = 262_144
"""The most of the rows of an answer that comes in one piece: clients are slow with a longer
line."""
TIMEOUT_MS_MAX = 600_000
TABLES_MAX = 100
"""How many tables a narrowing may name, as `context` may."""
NAME_CHARS_MAX = 255

_DEFAULTS = Terms()
_NAME = {"type": "string", "minLength": 1, "maxLength": NAME_CHARS_MAX}

_OPTIONAL: Mapping[Argument, Mapping[str, Any]] = {
    Argument.SCHEMA: {
        **_NAME,
        "description": "The schema of tables named without one.",
    },
    Argument.TABLES: {
        "type": "array",
        "items": _NAME,
        "maxItems": TABLES_MAX,
        "description": "The only tables that may be touched.",
    },
    Argument.MAX_ROWS: {"type": "integer", "minimum": 1, "default": _DEFAULTS.max_rows},
    Argument.MAX_BYTES: {
        "type": "integer",
        "minimum": 1,
        "default": _DEFAULTS.max_bytes,
        "description": "Of the rows as JSON; beyond it the answer is truncated.",
    },
    Argument.TIMEOUT_MS: {
        "type": "integer",
        "minimum": 1,
        "default": int(_DEFAULTS.timeout_s * 1000),
    },
    Argument.READ_ONLY: {"type": "boolean", "default": True},
}
_DRY_RUN = {
    "type": "boolean",
    "default": False,
    "description": "Give the plan, as explain does, and run nothing.",
}
_REQUIRED: Mapping[Argument, Mapping[str, Any]] = {
    Argument.SQL: {"type": "string", "description": "One statement, in the SQL of the database."},
    Argument.TABLE: {**_NAME, "description": "A table or view: its name, or schema.name."},
}
_REQUESTS: Mapping[Tool, tuple[Argument | None, Callable[[str], Request]]] = {
    Tool.LIST_TABLES: (None, lambda _: ListTables()),
    Tool.LIST_COLUMNS: (None, lambda _: ListColumns()),
    Tool.DESCRIBE_TABLE: (Argument.TABLE, DescribeTable),
    Tool.SAMPLE_TABLE: (Argument.TABLE, SampleTable),
    Tool.QUERY: (Argument.SQL, RunStatement),
    Tool.EXPLAIN: (Argument.SQL, ExplainStatement),
}
"""By tool, the one argument without which it cannot be called, and the request that it makes."""


class WrongArgument(ValueError):
    """A call does not have the arguments that its tool takes; the sentence says what is wrong."""


def input_schema(tool: Tool) -> dict[str, Any]:
    """The arguments of a tool as JSON Schema."""
    required, _ = _REQUESTS[tool]
    own = {} if required is None else {str(required): _REQUIRED[required]}
    optional = {str(name): schema for name, schema in _OPTIONAL.items()}
    if tool is Tool.QUERY:
        optional[str(Argument.DRY_RUN)] = _DRY_RUN
    return {"type": "object", "properties": own | optional, "required": list(own)}


def read_arguments(
    tool: Tool, arguments: Mapping[str, Any], in_chunks: bool
) -> tuple[Request, Terms]:
    """What a call asks for. Raises `WrongArgument`.

    `null` counts as an absent argument, and unknown arguments are ignored, so that newer clients
    work.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    rows_max = CHUNKED_ROWS_MAX if in_chunks else ROWS_MAX
    bytes_max = BYTES_MAX if in_chunks else WHOLE_BYTES_MAX
    terms = Terms(
        read_only=_boolean(given, Argument.READ_ONLY, _DEFAULTS.read_only),
        schema=_name(given, Argument.SCHEMA) if Argument.SCHEMA in given else None,
        tables=_names(given, Argument.TABLES) if Argument.TABLES in given else None,
        max_rows=min(_count(given, Argument.MAX_ROWS, _DEFAULTS.max_rows), rows_max),
        max_bytes=min(_count(given, Argument.MAX_BYTES, _DEFAULTS.max_bytes), bytes_max),
        timeout_s=min(
            _count(given, Argument.TIMEOUT_MS, int(_DEFAULTS.timeout_s * 1000)), TIMEOUT_MS_MAX
        )
        / 1000,
    )
    return _request(tool, given), terms


def _request(tool: Tool, given: Mapping[str, Any]) -> Request:
    required, request = _REQUESTS[tool]
    match required:
        case None:
            subject = ""
        case Argument.SQL:
            if not isinstance(given.get(required), str):
                raise WrongArgument(f"{required} must be a text.")
            subject = given[required]
        case _:
            subject = _name(given, required)
    if tool is Tool.QUERY and _boolean(given, Argument.DRY_RUN, False):
        return ExplainStatement(subject)
    return request(subject)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= NAME_CHARS_MAX and "\0" not in value


def _name(given: Mapping[str, Any], name: Argument) -> str:
    value = given.get(name)
    if not _is_name(value):
        raise WrongArgument(f"{name} must be a name of 1 to {NAME_CHARS_MAX} characters.")
    return str(value)


def _names(given: Mapping[str, Any], name: Argument) -> tuple[str, ...]:
    values: Sequence[Any] = given[name]
    if not isinstance(values, list) or len(values) > TABLES_MAX or not all(map(_is_name, values)):
        raise WrongArgument(f"{name} must be a list of at most {TABLES_MAX} names.")
    return tuple(values)


def _count(given: Mapping[str, Any], name: Argument, default: int) -> int:
    value = given.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise WrongArgument(f"{name} must be a whole number above 0.")
    return value


def _boolean(given: Mapping[str, Any], name: Argument, default: bool) -> bool:
    value = given.get(name, default)
    if not isinstance(value, bool):
        raise WrongArgument(f"{name} must be true or false.")
    return value
