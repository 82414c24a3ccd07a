"""The names that a person may have meant if a statement names a table or a column that is not
there; pure."""

import difflib
import re
from collections.abc import Iterable
from typing import Final

NAMES_MAX: Final = 3
"""Names that are told; more do not help."""
NEARNESS: Final = 0.7
"""How near one name has to be to another, from 0 to 1, for the person to have meant it."""
KNOWN_MAX: Final = 20_000
"""Names that are compared, in less than 0.5 s; further ones are not looked at."""
NAME_CHARS_MAX: Final = 100
"""Characters of a name that is compared; a longer one has no nearest."""

LISTS_TABLES: Final = "/tables lists those that exist."
"""What is said of a table that is near to none."""

_NAME: Final = r"[\"'`]?(?P<name>[^\"'`]+?)[\"'`]?"
_UNKNOWN_TABLES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"no such table: {_NAME}[.;]?$",  # SQLite
        rf"relation {_NAME} does not exist",  # Postgres
        rf"Table {_NAME} doesn't exist",  # MySQL
        # chatd, of a description: `mcp.documents`, and its own db-mcps.
        rf"There is no table {_NAME}(?: here(?: in the schema .+)?)?\.$",
    )
)
_UNKNOWN_COLUMNS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"no such column: {_NAME}[.;]?$",
        rf"table .+ has no column named {_NAME}[.;]?$",
    )
)


def unknown_table(complaint: str) -> str | None:
    """The table that a database says is not there, as it names it; None if it says no such
    thing."""
    return _unknown(complaint, _UNKNOWN_TABLES)


def unknown_column(complaint: str) -> str | None:
    """The column that SQLite says is not there, without its table; None if it says no such
    thing."""
    column = _unknown(complaint, _UNKNOWN_COLUMNS)
    return column and column.rpartition(".")[2]


def _unknown(complaint: str, patterns: "Iterable[re.Pattern[str]]") -> str | None:
    for pattern in patterns:
        if (match := pattern.search(complaint)) is not None:
            return match["name"]
    return None


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known names that are nearest to a name, the nearest first; the case does not matter."""
    if len(name) > NAME_CHARS_MAX:
        return []
    by_folded: dict[str, str] = {}
    for one in known:
        if len(one) <= NAME_CHARS_MAX:
            by_folded.setdefault(one.casefold(), one)
        if len(by_folded) == KNOWN_MAX:
            break
    if name.casefold() in by_folded:  # it was named with a schema where it is not
        return [by_folded[name.casefold()]]
    near = difflib.get_close_matches(name.casefold(), by_folded, NAMES_MAX, NEARNESS)
    return [by_folded[one] for one in near]


def with_nearest(sentence: str, names: list[str]) -> str:
    """The sentence, with a question for these names at its end, if there are any."""
    if not names:
        return sentence
    *others, last = names
    asked = f"{', '.join(others)} or {last}" if others else last
    return f"{sentence.rstrip('.')}; did you mean {asked}?"
