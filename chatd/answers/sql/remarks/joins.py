"""Tables that nothing joins: each row of one stands with each row of the other."""

from typing import TYPE_CHECKING, Final

from chatd.answers.sql.remarks.statement import Rule, Statement, kind_of, shown

if TYPE_CHECKING:
    from sqlglot import Expr

_SAID: Final = frozenset({"ON", "USING", "NATURAL", "CROSS"})
"""Words of a statement that says how its tables belong together. The tree adds some of its own."""


def _unjoined(node: "Expr", statement: Statement) -> str | None:
    """`FROM orders, customers` without any condition.

    A query with one row, a table function, and a table that is joined with itself are often meant
    so; and who writes CROSS JOIN means it.
    """
    source, joins = node.args.get("from_"), node.args.get("joins")
    if source is None or not joins or node.args.get("where") is not None:
        return None
    if not _SAID.isdisjoint(statement.words):
        return None
    names = [_table_name(table) for table in (source.this, *(join.this for join in joins))]
    if len(set(names)) != len(names) or any(name is None for name in names):
        return None
    if any(name in _queries(node) for name in names):
        return None
    first, second = (shown(name or "") or "a table" for name in names[:2])
    return (
        f"Each row of {first} stands with each row of {second}, as nothing says which belong "
        "together; write JOIN ... ON a.id = b.a_id, or CROSS JOIN if that is meant."
    )


def _table_name(table: "Expr | None") -> str | None:
    """The name of a plain table, in small letters; None for all else in FROM."""
    if kind_of(table) != "Table" or table is None or kind_of(table.this) != "Identifier":
        return None
    return str(table.name).lower()


def _queries(node: "Expr") -> set[str]:
    """The names that WITH gives to queries, here and around it."""
    found: set[str] = set()
    holder: Expr | None = node
    while holder is not None:
        with_ = holder.args.get("with_")
        if with_ is not None:
            found.update(str(one.alias).lower() for one in with_.expressions)
        holder = holder.parent
    return found


RULES: Final[dict[Rule, tuple[str, ...]]] = {_unjoined: ("Select",)}
