"""Of a list of tables nobody sees what the context of the question leaves out."""

import pytest

from chatd.answers.mcp.calls import tool_call
from chatd.answers.mcp.listing import LISTED_MAX, TEXT, ListedTables, Narrowed, Narrowing
from chatd.answers.mcp.mapping import Call, PeerMapping
from chatd.answers.requests import DatabaseFailed, ListTables, Terms
from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.scopes import ContextScope
from chatd.answers.table import Column, Row
from chatd.wire.codes import Code
from tests.answers.mcp.pools import Plate
from tests.rows import rows


def within(dialect: Dialect, schema: str | None, tables: tuple[str, ...] | None) -> Narrowing:
    """What a context lets be seen of a list whose peer was told nothing of it."""
    return Narrowing(ContextScope.of(dialect, schema, tables))


def seen(narrowing: Narrowing, columns: list[str], rows: list[Row]) -> list[list[object]]:
    """What of a list of tables comes through."""
    plate = Plate()
    narrowed = Narrowed(plate, narrowing)
    narrowed.columns([Column(name) for name in columns])
    narrowed.rows(rows)
    assert plate.names == columns
    return plate.rows_


@rows(
    ("dialect", "context", "name", "is_seen"),
    [
        ("sqlite", "orders", "Orders", True),
        ("sqlite", "main.orders", "orders", True),
        ("sqlite", "[orders]", "orders", True),
        ("sqlite", "other.orders", "orders", False),
        ("postgres", "orders", "orders", True),
        ("postgres", "public.orders", "orders", True),
        ("postgres", "orders", "Orders", False),
        ("postgres", "sales.orders", "sales.orders", True),
        ("postgres", "orders", "sales.orders", False),
        ("postgres", "pg_class", "pg_class", False),
        ("mysql", "orders", "orders", True),
        ("mysql", "orders", "Orders", False),
    ],
)
@rows("column", ["name", "TABLE_NAME", "Tables_in_shop", "value"])
def test_a_table_is_seen_where_a_statement_may_touch_it(
    dialect: Dialect, context: str, name: str, is_seen: bool, column: str
) -> None:
    narrowing = within(dialect, None, (context,))
    assert seen(narrowing, [column], [[name], ["secret"]]) == ([[name]] if is_seen else [])


def test_a_schema_is_looked_at_where_the_list_has_one() -> None:
    columns = ["table_schema", "table_name", "rows"]
    rows: list[Row] = [["sales", "orders", 1], ["public", "orders", 2], ["sales", "secret", 3]]
    by_schema = within("postgres", "sales", None)
    assert seen(by_schema, columns, rows) == [rows[0], rows[2]]
    assert seen(within("mysql", "sales", ("orders",)), columns, rows) == [rows[0]]
    assert seen(within("postgres", None, ("orders",)), columns, rows) == [rows[1]]


def test_a_row_without_a_name_is_not_seen() -> None:
    rows: list[Row] = [[None], [7], [{"$bytes": "eA=="}], ["x"]]
    assert seen(within("sqlite", None, ("x", "7", "None")), ["name"], rows) == [["x"]]


def test_an_empty_list_is_an_empty_list() -> None:
    assert seen(within("sqlite", None, ("x",)), [], []) == []


@pytest.mark.parametrize(
    ("narrowing", "columns"),
    [
        (within("sqlite", None, ("x",)), [TEXT]),
        (within("sqlite", None, ("x",)), ["what", "kind"]),
        # It is not told in which schema they are, and a bare name is in another one.
        (within("postgres", "sales", None), ["name"]),
        (within("mysql", "shop", None), ["name"]),
    ],
    ids=str,
)
def test_a_list_that_cannot_be_narrowed_is_refused(
    narrowing: Narrowing, columns: list[str]
) -> None:
    with pytest.raises(DatabaseFailed, match="ask without schema and tables") as caught:
        seen(narrowing, columns, [["x"] * len(columns)])
    assert caught.value.code is Code.DB_ERROR


def test_a_list_is_looked_through_as_far_as_time_allows() -> None:
    rows: list[Row] = [["x"]] * LISTED_MAX
    narrowing = within("sqlite", None, ("x",))
    assert len(seen(narrowing, ["name"], rows)) == LISTED_MAX
    with pytest.raises(DatabaseFailed):
        seen(narrowing, ["name"], [*rows, ["x"]])


def test_names_are_in_the_schema_that_the_database_was_asked_for() -> None:
    terms = Terms(schema="sales", tables=("orders",))
    told = PeerMapping(list_tables=Call("list"), terms={"schema": "schema"})
    call = tool_call(told, "postgres", ListTables(), terms)
    assert call is not None
    assert call.narrowing is not None
    assert seen(call.narrowing, ["name"], [["orders"], ["secret"]]) == [["orders"]]


def test_a_question_without_a_context_sees_everything() -> None:
    call = tool_call(PeerMapping(list_tables=Call("list")), "sqlite", ListTables(), Terms())
    assert call is not None
    assert call.narrowing is None


@rows(
    ("dialect", "missing", "told"),
    [
        ("postgres", "order", ["orders", '"Orders"', "sales.orders"]),
        ("postgres", "sales.order", ["sales.orders"]),
        ("postgres", "sales.customrs", ["customers"]),
        ("postgres", "sales.customers", ["customers"]),
        ("postgres", "Price Lst", ['sales."Price List"']),
        ("postgres", "nothing", []),
        ("mysql", "price lst", ["sales.`Price List`"]),
        ("mysql", "Order", ["orders", "Orders", "sales.orders"]),
    ],
)
def test_tables_that_may_have_been_meant_are_told_as_a_statement_names_them(
    dialect: Dialect, missing: str, told: list[str]
) -> None:
    listed = ListedTables()
    listed.columns([Column("name"), Column("schema")])
    listed.rows([["orders", "public"], ["Orders", "public"], ["customers", "public"]])
    listed.rows([["orders", "sales"], ["Price List", "sales"]])
    assert listed.nearest(missing, dialect) == told


def test_a_schema_that_is_listed_before_the_name_is_told_with_it() -> None:
    listed = ListedTables()
    listed.columns([Column("table")])
    listed.rows([["sales.orders"], ["customers"]])
    assert listed.nearest("ordrs", "postgres") == ["sales.orders"]
    assert listed.nearest("custmers", "postgres") == ["customers"]
