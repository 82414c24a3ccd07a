"""Whether `t.f` in a statement of Postgres is a column, or may call `f`.

Postgres calls `f(t)` for `t.f` if `t` has no such column ("Using Composite Types in Queries"). If
`t` is a table or a query, it is a row, and no harmful function of the server takes a row. If it is
a function in FROM, it may be a number or a text, so only known columns may be named.
"""

from typing import TYPE_CHECKING

from chatd.answers.sql.functions import CALLED_BY_WORD, COLUMNS, ITSELF
from chatd.answers.sql.scopes import identifier_of

if TYPE_CHECKING:
    from sqlglot import Expr

# What sqlglot makes of functions of `COLUMNS`.
_TREE_NAMES = {"Unnest": "unnest", "ExplodingGenerateSeries": "generate_series"}
_NAME_BYTES = 63  # of a name, in Postgres; the rest is cut off


def unknown_column(root: "Expr") -> str | None:
    """A `t.f` of a statement of Postgres that may call `f`; None if all of them are columns.

    Scopes are not told apart: if two functions have the same name, both must have the column.
    """
    from sqlglot import exp

    rows, functions = _names_in_from(root)
    for column in root.find_all(exp.Column):
        qualifier = column.args.get("table")
        if qualifier is None or isinstance(column.this, exp.Star):
            continue
        name = _shortened(identifier_of(qualifier, "postgres"))
        if name in functions:
            is_known = identifier_of(column.this, "postgres") in functions[name]
        else:
            is_known = name in rows
        if not is_known or None in functions:
            return f"{qualifier.name}.{column.name}"
    return None


def said_of_unknown(column: str, root: "Expr") -> str:
    """What to do about a `t.f` that `unknown_column` found: `t` may be a table with another name
    in the statement."""
    from sqlglot import exp

    qualifier, _, name = column.partition(".")
    for table in root.find_all(exp.Table):
        if table.alias and table.name.lower() == qualifier.lower():
            alias = table.alias
            return f"{qualifier} is called {alias} in this statement; write {alias}.{name}."
    return (
        f"It is not known that {column} is a column; give what stands in FROM an alias, and a "
        "function its columns, as in f(x) AS t(a)."
    )


def _names_in_from(root: "Expr") -> tuple[set[str], dict[str | None, frozenset[str]]]:
    """The names of tables and queries, and those of functions with their columns.

    The name None is that of a function that has no alias and is not in `COLUMNS`: Postgres names it
    after a type or a part, so that it may be any.
    """
    from sqlglot import exp

    rows = {"excluded"}  # the row that ON CONFLICT kept out
    functions: dict[str | None, frozenset[str]] = {}
    for source in root.walk():
        alias = source.args.get("alias")
        if isinstance(alias, exp.TableAlias) and alias.this is not None:
            name = identifier_of(alias.this, "postgres")
        elif _is_in_from(source):
            name = None
        else:
            continue
        if not _is_function(source):
            if name is None and isinstance(source, exp.Table):
                name = identifier_of(source.this, "postgres")
            rows.add(_shortened(name or ""))
            continue
        called = _name_of_function(source)
        name = name or called
        columns = _columns(source, COLUMNS.get(called or "", ()), name or "")
        key = None if name is None else _shortened(name)
        functions[key] = functions.get(key, columns) & columns
    return rows, functions


def _is_in_from(node: "Expr") -> bool:
    """Whether a node without an alias is what FROM, JOIN or a change names."""
    from sqlglot import exp

    if node.arg_key == "rows_from" or isinstance(node.parent, exp.Lateral):
        return False  # the parent is
    return isinstance(node, exp.Table | exp.Unnest | exp.Lateral) or (
        isinstance(node.parent, exp.From | exp.Join) and node.arg_key == "this"
    )


def _is_function(source: "Expr") -> bool:
    """Whether what stands in FROM is a call or something unknown, rather than a table or a
    query."""
    from sqlglot import exp

    if isinstance(source, exp.Lateral):
        source = source.this
    if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
        return not source.this.args.get("quoted") and source.name.upper() in CALLED_BY_WORD
    return not isinstance(source, exp.Subquery | exp.CTE | exp.Values)


def _name_of_function(source: "Expr") -> str | None:
    """The name of the function in FROM, if it is in `COLUMNS`."""
    from sqlglot import exp

    call = source if isinstance(source, exp.Unnest) else source.this
    name = call.name.lower() if isinstance(call, exp.Anonymous) else type(call).__name__
    name = _TREE_NAMES.get(name, name)
    return name if name in COLUMNS else None


def _columns(source: "Expr", known: tuple[str, ...], name: str) -> frozenset[str]:
    """The columns of a function in FROM: those of its alias, then those that have no other name."""
    from sqlglot import exp

    alias, offset = source.args.get("alias"), source.args.get("offset")
    declared = [] if alias is None else [*(alias.args.get("columns") or ())]
    if isinstance(offset, exp.Identifier):  # WITH ORDINALITY; the last of the alias
        declared.append(offset)
    if offset or source.args.get("ordinality"):
        known = (*known, "ordinality")
    rest = known[len(declared) :]
    identifiers = (one.this if isinstance(one, exp.ColumnDef) else one for one in declared)
    return frozenset(identifier_of(column, "postgres") for column in identifiers) | {
        name if column == ITSELF else column for column in rest
    }


def _shortened(name: str) -> str:
    """A key that is equal for two names that Postgres may take for one, whatever its encoding."""
    return name.encode(errors="surrogatepass")[:_NAME_BYTES].decode(errors="ignore").casefold()
