"""Finds the line of a TOML file in which a key stands; the standard library's parser does not say.

The file is valid TOML. It is cut into its statements (a line, or several if a text or a list goes
on), each of which is TOML by itself, so that the parser says what it sets.
"""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import attrs

from chatd.config.kinds import unknown_name
from chatd.config.tables import SECRET_FILE

MOST_LINES: Final = 20_000
"""How many lines of a file, and of one statement, are looked at; beyond, errors name no line."""
MOST_STATEMENT_LINES: Final = 200

Path: TypeAlias = tuple[str, ...]


def line_numbers(text: str) -> dict[Path, int]:
    """The first line of each table and key, by the names that lead there, from 1 on."""
    found: dict[Path, int] = {}
    table: Path = ()
    for line, statement in _statements(text):
        try:
            paths = list(_paths(tomllib.loads(statement)))
        except (ValueError, RecursionError):
            continue
        if statement.lstrip().startswith("["):
            table = max(paths, key=len)
            paths = [table[:length] for length in range(1, len(table) + 1)]
        else:
            paths = [table + path for path in paths]
        for path in paths:
            found.setdefault(path, line)
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each statement with the number of its first line; blank lines and comments are not
    statements."""
    begun: list[str] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n")[:MOST_LINES], 1):
        if not begun and line.lstrip()[:1] in ("", "#"):
            continue
        begun.append(line)
        if _is_whole("\n".join(begun)) or len(begun) == MOST_STATEMENT_LINES:
            yield number - len(begun) + 1, "\n".join(begun)
            begun = []


def _is_whole(statement: str) -> bool:
    try:
        tomllib.loads(statement)
    except (ValueError, RecursionError):
        return False
    return True


def _paths(document: object, above: Path = ()) -> Iterator[Path]:
    """The names that lead to each table and value."""
    if isinstance(document, list) and len(document) == 1:  # a table of [[tables]]
        document = document[0]
    if isinstance(document, Mapping):
        for name, value in document.items():
            yield (*above, name)
            yield from _paths(value, (*above, name))


@attrs.define
class WrittenFile:
    """A configuration file as it is written; its text holds secrets."""

    name: str
    _text: str = attrs.field(repr=False)
    _lines: dict[str, int] | None = attrs.field(default=None, init=False, repr=False)

    def place(self, dotted: str) -> str:
        """Where a key stands, as errors say it: the file and, if known, the line of the key (named
        "databases.shop.users[1]"), of the path of its file, or of the table or list around it."""
        line = self.line(dotted)
        return f"{self.name}, line {line}" if line else self.name

    def line(self, dotted: str) -> int:
        """Only that line; 0 if none is known."""
        if self._lines is None:
            found = line_numbers(self._text)
            self._lines = {".".join(map(unknown_name, path)): found[path] for path in found}
        while dotted:
            for name in (dotted, f"{dotted}{SECRET_FILE}"):
                if name in self._lines:
                    return self._lines[name]
            dotted = dotted[: max(dotted.rfind("."), dotted.rfind("["), 0)]
        return 0
