"""Texts: joined with the sign of another database, wildcards that are none, names in quotes."""

import re
from typing import TYPE_CHECKING, Final

from chatd.answers.sql.remarks.statement import (
    COMPARISONS,
    Rule,
    Statement,
    bare,
    column_name,
    holder_of,
    is_assignment,
    kind_of,
    shown,
    sides,
)

if TYPE_CHECKING:
    from sqlglot import Expr

_NUMERIC: Final = re.compile(r"\s*[-+.]?\d")  # what a database takes for a number, or a date
_BOTH_ENDS: Final = re.compile(r"%[^%]*\w\w[^%]*%")
_ONE_END: Final = re.compile(r"%\w[\w ]{3,}|[\w ]*[^\W\d_]{4,}%")
_HOLDS_PATTERNS: Final = re.compile(r"pattern|format|mask|regex|like", re.IGNORECASE)
_STARS: Final = re.compile(r"\*?\w{3,}\*|\*\w{3,}")
_PERCENTS: Final = re.compile(r"%?\w{3,}%|%\w{3,}")
_LIKES: Final = {
    "EQ": ("=", "LIKE"),
    "NullSafeEQ": ("IS", "LIKE"),
    "NEQ": ("!=", "NOT LIKE"),
    "NullSafeNEQ": ("IS NOT", "NOT LIKE"),
}
"""Comparisons that know no pattern, by their names in the tree: how each is written, and what
does."""
_CONDITIONS: Final = ("Where", "Having", "Join", "And", "Or", "Not")


def _added(node: "Expr", statement: Statement) -> str | None:
    """`first + ' ' + last`. Postgres refuses it."""
    if statement.dialect == "postgres":
        return None
    texts = [text for side in sides(node) if (text := statement.text(side))]
    if not any(_NUMERIC.match(text) is None for text in texts):
        return None
    return f"+ adds numbers, and a text counts as 0; write {_joining(statement)} to join texts."


def _ored(node: "Expr", statement: Statement) -> str | None:
    """`first || ' ' || last` in MySQL."""
    if statement.dialect != "mysql" or not _is_joined(node, statement):
        return None
    return (
        f"|| means OR in MySQL, unless its sql_mode says otherwise; write {_joining(statement)} "
        "to join texts."
    )


def _is_joined(node: "Expr", statement: Statement) -> bool:
    """Whether the sign is ||, and not for conditions."""
    tokens = statement.lexed.tokens
    for side in sides(node):
        if side is None or statement.text(side) is None or (at := statement.index(side)) is None:
            continue
        around = (tokens[max(0, at - 2) : at], tokens[at + 1 : at + 3])
        if any(len(two) == 2 and all(one.is_symbol("|") for one in two) for two in around):
            return True
    is_shown = kind_of(node.parent) in ("Select", "Alias")
    return is_shown and "||" in statement.signs and "OR" not in statement.words


def _joining(statement: Statement) -> str:
    return "CONCAT(a, b)" if statement.dialect == "mysql" else "a || b"


def _equal_to_pattern(node: "Expr", statement: Statement) -> str | None:
    """`name = '%lamp%'`."""
    if is_assignment(node):
        return None
    left, right = sides(node)
    column, literal = (left, right) if statement.text(left) is None else (right, left)
    text = statement.text(literal)
    if text is None or literal is None or not _is_pattern(text):
        return None
    if kind_of(column) != "Column" or _HOLDS_PATTERNS.search(column_name(column)) is not None:
        return None
    sign, like = _LIKES[kind_of(node)]
    pattern = shown(f"'{text}'") or "instead"
    return f"With {sign}, % is only a percent sign; for any text there write {like} {pattern}."


def _in_patterns(node: "Expr", statement: Statement) -> str | None:
    """`name IN ('%lamp%')`."""
    texts = (statement.text(one) for one in node.expressions)
    if not any(text is not None and _BOTH_ENDS.fullmatch(text) for text in texts):
        return None
    return "With IN, % is only a percent sign; write LIKE for each text, with OR between them."


def _is_pattern(text: str) -> bool:
    """Whether a text is one for LIKE: 10%, vol% and % of total are none."""
    return _BOTH_ENDS.fullmatch(text) is not None or _ONE_END.fullmatch(text) is not None


def _other_wildcards(node: "Expr", statement: Statement) -> str | None:
    """`name LIKE 'lamp*'`, `name GLOB '%lamp%'`."""
    text = statement.text(sides(node)[1])
    if text is None:
        return None
    if kind_of(node) == "Glob":
        is_other = _PERCENTS.fullmatch(text) is not None
        return "With GLOB, % is only a percent sign; write * for any text." if is_other else None
    if _STARS.fullmatch(text) is None or set("%_") & set(text):
        return None
    word = kind_of(node).upper()
    return f"With {word}, * is only a star; write % for any text, and _ for one character."


def _two_texts(node: "Expr", statement: Statement) -> str | None:
    """`WHERE 'city' = 'Bonn'`."""
    left, right = sides(node)
    others = node.expressions if kind_of(node) == "In" else [right]
    name = statement.name_in_quotes(left)
    if name is None or not others or any(statement.text(one) is None for one in others):
        return None
    if kind_of(holder_of(node)) not in _CONDITIONS:
        return None
    return _no_column(name, statement)


def _columns_meant(node: "Expr", statement: Statement) -> str | None:
    """`ORDER BY 'name'`, `GROUP BY 'name'`, `PARTITION BY 'name'`, `sum('price')`."""
    match kind_of(node):
        case "Order":
            meant = [one.this for one in node.expressions]
        case "Group":
            meant = node.expressions
        case "Window":
            meant = node.args.get("partition_by") or []
        case _:
            meant = [node.this]
    name = next((one for one in map(statement.name_in_quotes, meant) if one is not None), None)
    return None if name is None else _no_column(name, statement)


def _no_column(name: str, statement: Statement) -> str:
    return (
        f"{name} is a text here, and no column; write a column without quotes, or "
        f"{statement.name_quotes}."
    )


def _negated_value(node: "Expr", statement: Statement) -> str | None:
    """`a =! 5` in MySQL."""
    right = bare(node.args.get("expression"))
    if statement.dialect != "mysql" or kind_of(right) != "Not" or "=!" not in statement.signs:
        return None
    return "=! compares with the opposite of a value; write != for unequal."


RULES: Final[dict[Rule, tuple[str, ...]]] = {
    _added: ("Add",),
    _ored: ("Or",),
    _equal_to_pattern: tuple(_LIKES),
    _in_patterns: ("In",),
    _other_wildcards: ("Like", "ILike", "Glob"),
    _two_texts: (*COMPARISONS, "Like", "ILike", "In"),
    _columns_meant: ("Order", "Group", "Window", "Sum", "Avg"),
    _negated_value: ("EQ",),
}
