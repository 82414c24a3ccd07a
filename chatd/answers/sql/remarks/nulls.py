"""NULL, with which nothing compares."""

from typing import TYPE_CHECKING, Final

from chatd.answers.sql.remarks.statement import (
    COMPARISONS,
    Rule,
    Statement,
    column_name,
    has_column,
    is_assignment,
    is_negated,
    kind_of,
    operands,
    sides,
)

if TYPE_CHECKING:
    from sqlglot import Expr

_MEANS_NULL: Final = ("EQ", "Like", "ILike")
_OTHER_COMPARISONS: Final = (
    "A comparison with NULL is true for no row; leave it out, or write IS NULL."
)


def _compared(node: "Expr", statement: Statement) -> str | None:
    """`a = NULL`."""
    left, right = sides(node)
    if is_assignment(node) or not (_is_null(left) or _is_null(right)) or not has_column(node):
        return None
    if kind_of(node) not in (*_MEANS_NULL, "NEQ"):
        return _OTHER_COMPARISONS
    is_not = is_negated(node) != (kind_of(node) == "NEQ")
    meant = _tested(right if _is_null(left) else left, "IS NOT NULL" if is_not else "IS NULL")
    return f"A comparison with NULL is true for no row; write {meant} instead."


def _between(node: "Expr", statement: Statement) -> str | None:
    """`a BETWEEN NULL AND 5`."""
    ends = (node.args.get("low"), node.args.get("high"))
    return _OTHER_COMPARISONS if any(map(_is_null, ends)) and has_column(node) else None


def _in_list(node: "Expr", statement: Statement) -> str | None:
    """`a IN (1, NULL)`."""
    nulls = [one for one in node.expressions if _is_null(one)]
    if not nulls or not has_column(node.this) or _is_null_tested(node):
        return None
    if is_negated(node):
        instead = "write IS NOT NULL" if len(nulls) == len(node.expressions) else "leave NULL out"
        return f"NOT IN is true for no row if NULL is in its list; {instead}."
    return f"IN finds no NULL; test for it with {_tested(node.this, 'IS NULL')}."


def _tested(node: "Expr | None", test: str) -> str:
    """The test, after the name of the column if it is plain."""
    return f"{column_name(node)} {test}".strip()


def _is_null_tested(node: "Expr") -> bool:
    """Whether IS NULL stands beside it, by OR."""
    top = node
    while top.parent is not None and kind_of(top.parent) in ("Or", "Paren"):
        top = top.parent
    return any(kind_of(part) == "Is" for part in operands(top, "Or"))


def _case(node: "Expr", statement: Statement) -> str | None:
    """`CASE a WHEN NULL`."""
    if node.this is None or not any(_is_null(one.this) for one in node.args["ifs"]):
        return None
    return f"WHEN NULL is never true; write CASE WHEN {column_name(node.this, 'x')} IS NULL."


def _is_null(node: "Expr | None") -> bool:
    """Whether it is NULL, of whatever type."""
    while node is not None and kind_of(node) in ("Cast", "Paren"):
        node = node.this
    return kind_of(node) == "Null"


RULES: Final[dict[Rule, tuple[str, ...]]] = {
    _compared: (*COMPARISONS, "Like", "ILike"),
    _between: ("Between",),
    _in_list: ("In",),
    _case: ("Case",),
}
