"""The tables of a database, and the columns of one of them."""

from chatd.answers.requests import DescribeTable, ListColumns, ListTables, SampleTable
from tests.postgres_mcp.shops import Shop
from tests.rows import rows


def test_tables_are_listed_with_their_schema_and_without_partitions_and_secrets(shop: Shop) -> None:
    listed = shop.ask(ListTables())
    assert [name for name, _ in listed.columns] == ["name", "schema", "kind", "columns"]
    assert listed.rows == [
        ["My Table (2024)", "public", "table", 2],
        ["counts", "public", "materialized view", 1],
        ["customers", "public", "table", 2],
        ["months", "public", "table", 1],
        ["names", "public", "view", 1],
        ["twins", "public", "table", 1],
        ["orders", "sales", "table", 4],
        ["twins", "sales", "table", 1],
    ]
    of_sales = shop.ask(ListTables(), schema="sales")
    assert [row[:2] for row in of_sales.rows] == [["orders", "sales"], ["twins", "sales"]]


def test_columns_of_all_tables_are_listed_with_them_in_the_same_order(shop: Shop) -> None:
    listed = shop.ask(ListColumns())
    assert [name for name, _ in listed.columns] == [
        *("name", "schema", "kind", "column_name", "column_type")
    ]
    tables = [tuple(row[:3]) for row in shop.ask(ListTables()).rows]
    assert list(dict.fromkeys(tuple(row[:3]) for row in listed.rows)) == tables
    orders = [row[3:] for row in listed.rows if row[:2] == ["orders", "sales"]]
    assert orders == [row[:2] for row in shop.ask(DescribeTable("orders"), schema="sales").rows]
    of_sales = shop.ask(ListColumns(), schema="sales")
    assert {row[1] for row in of_sales.rows} == {"sales"}
    assert shop.ask(ListColumns(), max_rows=3).rows == listed.rows[:3]


def test_a_table_is_described_with_keys_defaults_and_references(shop: Shop) -> None:
    assert shop.ask(DescribeTable("orders"), schema="sales").rows == [
        ["id", "bigint", False, "identity", 1, None],
        ["customer", "integer", True, None, None, "public.customers.id"],
        ["total", "numeric(10,2)", True, "0", None, None],
        ["twice", "numeric", True, "generated as (total * (2)::numeric)", None, None],
    ]


@rows(
    ("name", "schema", "first"),
    [
        ("customers", None, "id"),
        ("CUSTOMERS", None, "id"),
        ("orders", None, "id"),  # in one schema alone
        ("twins", None, "id"),  # the one in the search path
        ("TWINS", "sales", "id"),
        ("My Table (2024)", None, "a.b"),
        ("january", None, "at"),
        ("pg_class", "pg_catalog", "oid"),
    ],
)
def test_a_table_is_found_by_its_name(
    shop: Shop, name: str, schema: str | None, first: str
) -> None:
    assert shop.ask(DescribeTable(name), schema=schema).rows[0][0] == first


@rows(
    ("name", "schema", "sentence"),
    [
        ("nope", None, "There is no table nope here."),
        ("customers", "sales", "There is no table customers here in the schema sales."),
        ("hidden", None, "There is no table hidden here."),
        ("pg_class", None, "There is no table pg_class here."),
        ("customers; DROP TABLE x", None, "There is no table customers; DROP TABLE x here."),
    ],
)
def test_a_table_that_is_not_there_is_said_so(
    shop: Shop, name: str, schema: str | None, sentence: str
) -> None:
    assert shop.failure(DescribeTable(name), schema=schema).sentence == sentence
    assert shop.failure(SampleTable(name), schema=schema).sentence == sentence


def test_a_name_that_two_tables_have_needs_its_schema(shop: Shop) -> None:
    with shop.postgres.connect(shop.database) as connection:
        connection.execute("""
            CREATE SCHEMA other; CREATE TABLE other.orders (n int);
            GRANT USAGE ON SCHEMA other TO shopper; GRANT SELECT ON other.orders TO shopper;
        """)
    assert shop.failure(DescribeTable("orders")).sentence == (
        "More than one table can be meant, as other.orders and sales.orders; write its schema "
        "before it."
    )


def test_a_sample_has_rows_of_the_table_whatever_its_name(shop: Shop) -> None:
    with shop.postgres.connect(shop.database) as connection:
        connection.execute("""INSERT INTO "My Table (2024)" VALUES ('{1}', 'it''s')""")
    sampled = shop.ask(SampleTable("my table (2024)"))
    assert sampled.columns == [("a.b", "integer[]"), ("Customer's [name]", "text")]
    assert sampled.rows == [["{1}", "it's"]]
    assert shop.ask(SampleTable("orders"), schema="sales", max_rows=1).rows[0][:3] == [
        1,
        1,
        "98.70",
    ]
