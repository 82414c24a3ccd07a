"""The fenced blocks of code in a message (CommonMark, "Fenced code blocks").

As SQL is expected to be answered, there are some more: a fence may be indented by any number of
spaces, and a block of SQL may open and close after other text on a line. A quoted block (`>`) is
another user's.
"""

import re
from collections.abc import Iterator

# Lines that open a block, without the spaces around them; nothing in them is tried twice.
_OPENING = re.compile(r"(?P<fence>`{3,}+|~{3,}+)(?P<info>[^`]*+)")
_OPENING_BEHIND_TEXT = re.compile(
    r"(?!>)(?>(?:[^`]++|`{1,2}+(?!`))+)(?P<fence>`{3,}+)[ \t]*+(?P<info>\w*+)"
)
SQL_INFO = frozenset({"sql", "sqlite", "sqlite3", "mysql", "mariadb", "psql", "pgsql"}) | frozenset(
    {"postgres", "postgresql", "plpgsql"}
)
"""First words of info strings that name SQL."""


def has_fence(text: str) -> bool:
    """Whether there may be a block in the text; costs next to nothing."""
    return "```" in text or "~~~" in text


def fenced_blocks(text: str) -> list[tuple[str, str]]:
    """The blocks: the first word of the info string, in small letters, and the text."""
    blocks: list[tuple[str, str]] = []
    lines = iter(text.split("\n"))
    for line in lines:
        opening = _opening(line.strip())
        if opening is not None:
            fence, language = opening
            blocks.append((language, _up_to_fence(lines, fence, language)))
    return blocks


def _opening(line: str) -> tuple[str, str] | None:
    """The fence and the language of the block that a line opens."""
    if (opening := _OPENING.fullmatch(line)) is not None:
        return opening["fence"], "".join(opening["info"].lower().split(maxsplit=1)[:1])
    opening = _OPENING_BEHIND_TEXT.fullmatch(line)
    if opening is None or not _may_hold_sql(opening["info"].lower()):
        return None
    return opening["fence"], opening["info"].lower()


def _up_to_fence(lines: Iterator[str], fence: str, language: str) -> str:
    """The text of a block; takes its lines and the one that closes it, or all that are left."""
    inside = []
    for line in lines:
        text = line.rstrip()
        if text.endswith(fence):
            before = text.rstrip(fence[0])
            if not before.strip():
                break
            if _may_hold_sql(language):
                inside.append(before)
                break
        inside.append(line)
    return "\n".join(inside).strip()


def _may_hold_sql(language: str) -> bool:
    return not language or language in SQL_INFO
