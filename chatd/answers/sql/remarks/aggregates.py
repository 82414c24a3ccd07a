"""Aggregates: a column beside them that belongs to no group, and count() of a condition."""

from typing import TYPE_CHECKING, Final

from chatd.answers.sql.remarks.statement import (
    COMPARISONS,
    Rule,
    Statement,
    bare,
    column_name,
    holder_of,
    kind_of,
    operands,
    sides,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlglot import Expr

_OUTER: Final = frozenset({"CTE", "From", "Join", "Insert", "Create"})
"""What may hold a query that sees no columns but its own."""
_PASSED: Final = ("Subquery", "Union", "Except", "Intersect")
"""What may stand between such a query and what holds it."""
_CLOSED: Final = frozenset({"Window", "Subquery", "Select", "Exists"})
"""What is no part of a query's own rows."""


def _of_any_row(node: "Expr", statement: Statement) -> str | None:
    """`SELECT name, count(*)` without GROUP BY. Postgres refuses it.

    SQLite takes the row of the extreme if there is one min() or max() ("Bare columns in an
    aggregate query").
    """
    if statement.dialect == "postgres" or node.args.get("group") is not None:
        return None
    aggregates, columns = _parts(node)
    if not aggregates or not columns or not _sees_own_columns(node):
        return None
    extremes = sum(kind_of(one) in ("Min", "Max") for one in aggregates)
    if statement.dialect == "sqlite" and extremes == 1:
        return None
    if any(_is_of_one_row(name, columns) for name in _fixed(node)):
        return None
    name = column_name(columns[0], "A column")
    return f"{name} is that of any one row, as there is no GROUP BY; group by it, or leave it out."


def _parts(select: "Expr") -> "tuple[list[Expr], list[Expr]]":
    """The aggregates that a query selects, and the columns outside of them."""
    aggregates, columns = [], []
    for projection in select.expressions:
        for part in projection.walk(prune=_is_closed):
            if _is_aggregate(part):
                aggregates.append(part.this if kind_of(part) == "Filter" else part)
            elif kind_of(part) == "Star" or (kind_of(part) == "Column" and not _is_quoted(part)):
                columns.append(part)
    return aggregates, columns


def _is_quoted(column: "Expr") -> bool:
    """Whether it is a name in quotes, which SQLite takes for a text if there is no such column."""
    return column.args.get("table") is None and bool(column.this.args.get("quoted"))


def _fixed(select: "Expr") -> "Iterator[str]":
    """The columns that WHERE binds to one value."""
    where = select.args.get("where")
    condition = None if where is None else bare(where.this)
    if condition is None:
        return
    for part in operands(condition, "And"):
        left, right = sides(part)
        if kind_of(part) == "EQ" and kind_of(left) == "Column" and kind_of(right) != "Column":
            assert left is not None
            yield left.name.lower()


def _is_of_one_row(name: str, columns: "list[Expr]") -> bool:
    """Whether a bound column says which row is meant: a key, or what is selected itself."""
    return name.endswith("id") or name in (column.name.lower() for column in columns)


def _is_aggregate(node: "Expr") -> bool:
    """Whether it makes one value of many rows."""
    from sqlglot.expressions import AggFunc

    match kind_of(node):
        case "Filter":
            return True
        case "Anonymous":
            return str(node.this).upper() == "TOTAL"  # of SQLite
        case _:
            return isinstance(node, AggFunc)


def _is_closed(node: "Expr") -> bool:
    """Whether what is in it counts as its own."""
    return kind_of(node) in _CLOSED or _is_aggregate(node)


def _sees_own_columns(select: "Expr") -> bool:
    """Whether a query can name no columns but those of its own tables."""
    holder = holder_of(select, *_PASSED)
    return holder is None or kind_of(holder) in _OUTER


def _counted(node: "Expr", statement: Statement) -> str | None:
    """`count(a = 'x')`, `count(CASE WHEN a THEN 1 ELSE 0 END)`."""
    counted = bare(node.this)
    is_case = kind_of(counted) == "Case" and kind_of(counted and counted.args.get("default")) in (
        "Literal",
        "Boolean",
    )
    if not is_case and kind_of(counted) not in COMPARISONS:
        return None
    return (
        "count() counts each value that is not NULL, 0 and false too; "
        "write count(CASE WHEN ... THEN 1 END)."
    )


RULES: Final[dict[Rule, tuple[str, ...]]] = {
    _of_any_row: ("Select",),
    _counted: ("Count",),
}
