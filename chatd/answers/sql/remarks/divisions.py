"""Divisions: what is left over when counts are divided, and division by zero."""

from typing import TYPE_CHECKING, Final

from chatd.answers.sql.remarks.statement import (
    COMPARISONS,
    Rule,
    Statement,
    bare,
    kind_of,
    number_of,
    sides,
)

if TYPE_CHECKING:
    from sqlglot import Expr


def _of_counts(node: "Expr", statement: Statement) -> str | None:
    """`count(a) / count(*)`. MySQL gives a fraction."""
    if statement.dialect == "mysql" or not all(_is_count(side, statement) for side in sides(node)):
        return None
    return (
        "Counts are whole numbers, and what is left over is dropped, so that a part of all is 0; "
        "write 1.0 * count(a) / count(*)."
    )


def _is_count(node: "Expr | None", statement: Statement) -> bool:
    """Whether it is a number of rows, which is whole, however it was counted: `count(*)`, also with
    FILTER or OVER or in a query of its own, or `sum(CASE WHEN a THEN 1 ELSE 0 END)`."""
    node = bare(node)
    match kind_of(node):
        case "Count":
            return True
        case "Filter" | "Window" | "Alias":
            return _is_count(node and node.this, statement)
        case "Sum":
            return _is_sum_of_ones(bare(node and node.this), statement)
        case "Subquery":
            select = node and node.this
            if select is None or kind_of(select) != "Select" or len(select.expressions) != 1:
                return False
            return _is_count(select.expressions[0], statement)
        case _:
            return False


def _is_sum_of_ones(summed: "Expr | None", statement: Statement) -> bool:
    """Whether the sum of this is a count. That of counts is no whole number in Postgres, which has
    no sum of comparisons."""
    if statement.dialect == "sqlite" and kind_of(summed) in ("Count", *COMPARISONS):
        return True
    return _is_one_or_nothing(summed)


def _is_one_or_nothing(node: "Expr | None") -> bool:
    """Whether it is a CASE that gives 1, 0 or NULL."""
    if node is None or kind_of(node) != "Case":
        return False
    given = [one.args.get("true") for one in node.args["ifs"]]
    otherwise = node.args.get("default")
    if otherwise is not None:
        given.append(otherwise)
    return all(number_of(one) in ("0", "1") or kind_of(one) == "Null" for one in given)


def _by_zero(node: "Expr", statement: Statement) -> str | None:
    """`a / 0`. Postgres refuses it."""
    if statement.dialect == "postgres" or number_of(sides(node)[1]) != "0":
        return None
    return "Dividing by 0 gives NULL."


RULES: Final[dict[Rule, tuple[str, ...]]] = {_of_counts: ("Div",), _by_zero: ("Div", "Mod")}
