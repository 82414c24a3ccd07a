"""Divisions: what is left over when counts are divided, and division by zero."""

from typing import TYPE_CHECKING, Final

from chatd.answers.sql.remarks.statement import Rule, Statement, kind_of, number_of, sides

if TYPE_CHECKING:
    from sqlglot import Expr


def _of_counts(node: "Expr", statement: Statement) -> str | None:
    """`count(a) / count(*)`. MySQL gives a fraction."""
    above, below = sides(node)
    if statement.dialect == "mysql" or not kind_of(above) == kind_of(below) == "Count":
        return None
    return (
        "Counts are whole numbers, and what is left over is dropped, so that a part of all is 0; "
        "write 1.0 * count(a) / count(*)."
    )


def _by_zero(node: "Expr", statement: Statement) -> str | None:
    """`a / 0`. Postgres refuses it."""
    if statement.dialect == "postgres" or number_of(sides(node)[1]) != "0":
        return None
    return "Dividing by 0 gives NULL."


RULES: Final[dict[Rule, tuple[str, ...]]] = {_of_counts: ("Div",), _by_zero: ("Div", "Mod")}
