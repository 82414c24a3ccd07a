"""From an event to one line of text: JSON, logfmt, or for people.

A line is timestamp, level, event, then the fields. Values come from strangers (user ids, names,
addresses from headers), so nothing in a value may end a line, look like another field, or reach a
terminal as a command: JSON is written in ASCII as soon as a value holds anything unusual, and the
other formats show unprintable characters as \\xNN and quote what has spaces.
"""

import json
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

import orjson

BLOCKS: Final = ("traceback", "tree")
"""Fields whose text has several lines."""

_DELETE: Final = 0x7F  # as a number: to look for bytes takes five times as long

Line = Callable[[str, str, str, Mapping[str, object]], bytes]
"""(timestamp, level, event name, fields) -> the line with its line feed."""


def json_line(timestamp: str, level: str, name: str, fields: Mapping[str, object]) -> bytes:
    """One JSON object. The hot path: the head is ours and needs no escaping, orjson does the rest,
    and the careful way is taken only if needed."""
    try:
        body = orjson.dumps(fields, None, orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # lone surrogates, integers beyond 64 bits, values of other types
        body = _careful(fields)
    if not body.isascii() or _DELETE in body:
        body = _careful(fields)
    comma = "," if fields else ""
    head = f'{{"timestamp":"{timestamp}","level":"{level}","event":"{name}"{comma}'
    return head.encode() + body[1:]


def _careful(fields: Mapping[str, object]) -> bytes:
    """In ASCII, as there are controls beyond it too (U+009B starts a command in some terminals)."""
    return json.dumps(dict(fields), separators=(",", ":"), default=repr).encode("ascii") + b"\n"


def people_line(colours: bool) -> Line:
    """Lines to read on a terminal; blocks follow below their line, indented."""
    # structlog imports rich and asyncio (0.2 s): only in the formats that need it.
    from structlog.dev import ConsoleRenderer, plain_traceback

    render = ConsoleRenderer(colors=colours, sort_keys=False, exception_formatter=plain_traceback)

    def line(timestamp: str, level: str, name: str, fields: Mapping[str, object]) -> bytes:
        shown = _shown(timestamp, level, name, fields)
        for name in BLOCKS:
            block = fields.get(name)
            if isinstance(block, str) and block:
                del shown[name]
                shown["exception"] = "\n".join(f"    {visible(part)}" for part in block.split("\n"))
        return _encoded(render(None, level, shown))

    return line


def logfmt_line() -> Line:
    """key=value pairs on one line."""
    from structlog.processors import LogfmtRenderer  # as in people_line

    render = LogfmtRenderer(bool_as_flag=False)

    def line(timestamp: str, level: str, name: str, fields: Mapping[str, object]) -> bytes:
        shown = _shown(timestamp, level, name, fields)
        for name in BLOCKS:
            if name in shown:
                shown[name] = visible(" | ".join(str(fields[name]).splitlines()))
        return _encoded(render(None, level, shown))

    return line


def visible(text: str) -> str:
    """`text` with every unprintable character (controls, escapes, direction marks) spelled out."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def _shown(
    timestamp: str, level: str, name: str, fields: Mapping[str, object]
) -> MutableMapping[str, Any]:
    shown: dict[str, Any] = {"timestamp": timestamp, "level": level, "event": visible(name)}
    for key, value in fields.items():
        if value is None:
            continue
        if isinstance(value, bool | int | float):
            shown[key] = value
        elif isinstance(value, list | tuple):
            shown[key] = visible(",".join(map(str, value)))
        else:
            shown[key] = visible(str(value))
    return shown


def _encoded(line: str) -> bytes:
    return line.encode("utf-8", "backslashreplace") + b"\n"
