"""Conditions that say something else than they seem to: AND, OR, BETWEEN, comparisons in a row."""

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from chatd.answers.sql.remarks.statement import (
    COMPARISONS,
    Rule,
    Statement,
    bare,
    holder_of,
    is_assignment,
    is_negated,
    kind_of,
    number_of,
    operands,
    sides,
)

if TYPE_CHECKING:
    from sqlglot import Expr

_ISO_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d{1,30}(?:\.\d{0,30})?", re.ASCII)
_TRUTH: Final = ("0", "1", "true", "false")  # what people write for truth values
_RANGES: Final = ("GT", "GTE", "LT", "LTE")


def _alone(node: "Expr", statement: Statement) -> str | None:
    """`a = 'x' OR 'y'`."""
    both = sides(node)
    values = [_value(side, statement) for side in both]
    if all(value is None or value.lower() in _TRUTH for value in values):
        return None
    holder = holder_of(node, "And")
    if holder is not None and is_assignment(holder):
        return None  # it is said of the assignment
    word = kind_of(node).upper()
    other = next((side for side, value in zip(both, values, strict=True) if value is None), None)
    return (
        f"A value that stands alone beside {word} is compared with nothing; "
        f"name the column with each, as in {_meant(other)}."
    )


def _meant(other: "Expr | None") -> str:
    """An example of what may be meant, by the condition on the other side."""
    last = bare(other)
    while last is not None and kind_of(last) in ("And", "Or"):
        last = sides(last)[1]
    match kind_of(last):
        case "Like" | "ILike":
            is_not = last is not None and last.args.get("negate")
            return "a NOT LIKE 'x' AND a NOT LIKE 'y'" if is_not else "a LIKE 'x' OR a LIKE 'y'"
        case "NEQ" | "Not":
            return "a NOT IN ('x', 'y')"
        case "GT" | "GTE" | "LT" | "LTE":
            return "a > 1 AND a > b"
        case _:
            return "a IN ('x', 'y')"


def _assigned(node: "Expr", statement: Statement) -> str | None:
    """`SET a = 1 AND b = 2`."""
    joined = node.args.get("expression")
    if not is_assignment(node) or joined is None or kind_of(joined) != "And":
        return None
    last = sides(joined)[1]
    if last is None or kind_of(last) != "EQ" or kind_of(sides(last)[0]) != "Column":
        return None
    return "AND makes one value of all; separate assignments with a comma, as in SET a = 1, b = 2."


def _backwards(node: "Expr", statement: Statement) -> str | None:
    """BETWEEN with the greater value first."""
    low, high = node.args.get("low"), node.args.get("high")
    if node.args.get("symmetric") or not _is_greater(low, high, statement):
        return None
    rows = "every row" if is_negated(node) else "no row"
    return (
        f"BETWEEN is true for {rows} if the greater value comes first; "
        "write the smaller one first, or two comparisons with OR."
    )


def _is_greater(low: "Expr | None", high: "Expr | None", statement: Statement) -> bool:
    """Whether two values stand in the wrong order, as far as that is certain."""
    first, second = number_of(low), number_of(high)
    if first is not None and second is not None:
        if _NUMBER.fullmatch(first) is None or _NUMBER.fullmatch(second) is None:
            return False
        return Decimal(first) > Decimal(second)
    dates = [statement.text(_uncast(one)) for one in (low, high)]
    match dates:
        case [str(early), str(late)] if _ISO_DATE.fullmatch(early) and _ISO_DATE.fullmatch(late):
            return early[:10] > late[:10]
    return False


def _uncast(node: "Expr | None") -> "Expr | None":
    node = bare(node)
    return node.this if node is not None and kind_of(node) in ("Cast", "Date") else node


def _in_a_row(node: "Expr", statement: Statement) -> str | None:
    """`1 < a < 10`. Postgres refuses it."""
    if statement.dialect == "postgres" or is_assignment(node):
        return None
    before = node.this
    if kind_of(before) not in COMPARISONS or is_assignment(before):
        return None
    if kind_of(before) not in _RANGES and kind_of(node) not in _RANGES:
        return None  # a truth value may be compared
    return "A comparison is compared again here; write two with AND, as in a > 1 AND a <= 10."


def _contradicted(node: "Expr", statement: Statement) -> str | None:
    """`a != 'x' OR a != 'y'`, `a = 'x' AND a = 'y'`."""
    if kind_of(node.parent) == kind_of(node):
        return None  # said of all of the chain
    compared, word = ("NEQ", "every row") if kind_of(node) == "Or" else ("EQ", "no row")
    values: dict[str, set[str]] = {}
    for part in operands(node, kind_of(node)):
        left, right = sides(part)
        value = _value(right, statement)
        if kind_of(part) == compared and kind_of(left) == "Column" and value is not None:
            assert left is not None
            values.setdefault(left.sql().lower(), set()).add(value)
    if all(len(found) < 2 for found in values.values()):
        return None
    if kind_of(node) == "Or":
        return f"One of these is always true, so this is true for {word}; write AND, or NOT IN."
    return f"A value cannot equal two others, so this is true for {word}; write OR, or IN."


def _value(node: "Expr | None", statement: Statement) -> str | None:
    """A text or a number as it is written; None for all else."""
    text = statement.text(node)
    return number_of(node) if text is None else text


RULES: Final[dict[Rule, tuple[str, ...]]] = {
    _alone: ("And", "Or", "Xor"),
    _assigned: ("EQ",),
    _backwards: ("Between",),
    _in_a_row: COMPARISONS,
    _contradicted: ("And", "Or"),
}
