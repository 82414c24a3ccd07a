"""Dates: without quotes, and what a database makes of them that has no type for them."""

import itertools
import re
from typing import TYPE_CHECKING, Final

from chatd.answers.sql.remarks.statement import (
    COMPARISONS,
    Rule,
    Statement,
    bare,
    has_column,
    is_assignment,
    kind_of,
    number_of,
    sides,
)

if TYPE_CHECKING:
    from sqlglot import Expr

_DAY: Final = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH: Final = r"(?:0?[1-9]|1[0-2])"
_YEAR: Final = r"(?:19|20)\d\d"
_DATES: Final = {
    "Sub": re.compile(rf"{_YEAR}-{_MONTH}-{_DAY}|{_DAY}-{_MONTH}-{_YEAR}|{_YEAR}-0[1-9]", re.ASCII),
    "Div": re.compile(
        rf"{_YEAR}/{_MONTH}/{_DAY}|{_DAY}/{_DAY}/{_YEAR}|0[1-9]/0[1-9]/\d\d", re.ASCII
    ),
}
_PADDED: Final = re.compile(r"(?<!\d)0\d", re.ASCII)  # nobody writes a number so
_UNPADDED: Final = re.compile(rf"{_YEAR}-(?:[1-9]-\d\d?|\d\d-[1-9])", re.ASCII)
_ARITHMETIC: Final = ("Add", "Sub", "Mul", "Div", "Mod", "Neg")
_NOW: Final = ("CurrentDate", "CurrentTimestamp", "CurrentTime", "Date", "TsOrDsToDate")
_NOW_CALLED: Final = ("NOW", "DATE", "DATETIME", "TIME", "SYSDATE", "LOCALTIME", "LOCALTIMESTAMP")
_TEXTS: Final = ("TimeToStr", "Substring", "Upper", "Lower", "Trim", "Date", "CurrentDate")
_TEXTS_CALLED: Final = ("DATE", "DATETIME", "TIME", "STRFTIME", "SUBSTR", "SUBSTRING", "PRINTF")


def _bare(node: "Expr", statement: Statement) -> str | None:
    """2024-01-31 without quotes."""
    if kind_of(node.parent) in _ARITHMETIC:
        return None
    numbers = _chain(node, kind_of(node))
    found = [statement.index(number) for number in numbers]
    if len(numbers) < 2 or None in found:
        return None
    tokens = statement.lexed.tokens[found[0] : (found[-1] or 0) + 1]
    written = "".join(token.written for token in tokens)
    if len(tokens) != 2 * len(numbers) - 1 or _DATES[kind_of(node)].fullmatch(written) is None:
        return None
    if _PADDED.search(written) is None:  # else it may be meant
        is_spaced = any(one.end != after.at for one, after in itertools.pairwise(tokens))
        if is_spaced or kind_of(node.parent) in ("Select", "Alias"):
            return None
    what = "subtraction" if kind_of(node) == "Sub" else "division"
    return f"{written} without quotes is a {what}; write a date as 'YYYY-MM-DD', in quotes."


def _chain(node: "Expr", kind: str) -> "list[Expr]":
    """The two or three numbers of `1 - 2 - 3`; none if something else stands there."""
    numbers: list[Expr] = []
    left: Expr | None = node
    while left is not None and kind_of(left) == kind and len(numbers) < 2:
        numbers.insert(0, left.args["expression"])
        left = left.this
    numbers = [*([] if left is None else [left]), *numbers]
    are_numbers = all(kind_of(one) == "Literal" and not one.args["is_string"] for one in numbers)
    return numbers if are_numbers else []


def _days(node: "Expr", statement: Statement) -> str | None:
    """`date('now') - 7`, which takes away years in SQLite, and seconds or a number in MySQL."""
    left, right = sides(node)
    is_date = _is_called(left, _NOW, _NOW_CALLED)
    if statement.dialect == "postgres" or not is_date:
        return None
    if number_of(right) is None and not _is_called(right, _NOW, _NOW_CALLED):
        return None
    if statement.dialect == "mysql":
        return "A date is no number of days here; write + INTERVAL 7 DAY, or DATEDIFF(a, b)."
    return (
        "SQLite keeps dates as texts, and adds or subtracts their years alone; write "
        "date('now', '-7 days'), or julianday(a) - julianday(b)."
    )


def _text_and_number(node: "Expr", statement: Statement) -> str | None:
    """`strftime('%Y', d) = 2024`: in SQLite no text equals a number."""
    if statement.dialect != "sqlite":
        return None
    match kind_of(node):
        case "In":
            compared, others = node.this, list(node.expressions)
        case "Between":
            compared, others = node.this, [node.args.get("low"), node.args.get("high")]
        case _:
            left, right = sides(node)
            compared, others = (left, [right]) if number_of(left) is None else (right, [left])
    if not _is_called(bare(compared), _TEXTS, _TEXTS_CALLED):
        return None
    if not others or any(number_of(one) is None for one in others):
        return None
    return "A text is compared with a number here, and never equals one; put the number in quotes."


def _unpadded(node: "Expr", statement: Statement) -> str | None:
    """`d > '2024-1-5'`: SQLite compares dates as texts."""
    if statement.dialect != "sqlite" or is_assignment(node):
        return None
    values = (node.args.get("low"), node.args.get("high"), *sides(node))
    if not has_column(node) or not any(map(_is_unpadded, map(statement.text, values))):
        return None
    return "SQLite compares dates as texts; write two digits each, as in '2024-01-05'."


def _is_unpadded(text: str | None) -> bool:
    return text is not None and _UNPADDED.fullmatch(text) is not None


def _is_called(node: "Expr | None", kinds: tuple[str, ...], names: tuple[str, ...]) -> bool:
    """Whether it calls one of these functions."""
    if node is not None and kind_of(node) == "Anonymous":
        return str(node.this).upper() in names
    return kind_of(node) in kinds


RULES: Final[dict[Rule, tuple[str, ...]]] = {
    _bare: ("Sub", "Div"),
    _days: ("Sub", "Add"),
    _text_and_number: (*COMPARISONS, "In", "Between"),
    _unpadded: (*COMPARISONS, "Between"),
}
