"""What a context lets be touched: every reference to a table is resolved in its scope."""

from chatd.answers.sql.guard import check_statement
from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.verdicts import Allowed, Policy
from tests.rows import rows

INSIDE: list[tuple[Dialect, str]] = [
    ("sqlite", "SELECT * FROM orders"),
    ("sqlite", "SELECT * FROM ORDERS AS o"),
    ("sqlite", "SELECT * FROM main.orders"),
    ("sqlite", 'SELECT * FROM "Orders"'),
    ("sqlite", "WITH Secret AS (SELECT 1) SELECT * FROM SECRET"),
    ("sqlite", "SELECT * FROM orders a, orders b JOIN items USING (id)"),
    ("sqlite", "SELECT (SELECT count(*) FROM items) FROM orders"),
    ("sqlite", "WITH secret AS (SELECT 1 AS a) SELECT a FROM secret"),
    ("sqlite", "WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b, orders"),
    ("sqlite", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"),
    ("sqlite", "SELECT * FROM (WITH secret AS (SELECT 1) SELECT * FROM secret)"),
    ("sqlite", "WITH secret AS (SELECT 1) SELECT * FROM (SELECT * FROM secret) x"),
    ("sqlite", "WITH secret AS (SELECT 1) SELECT 1 UNION SELECT * FROM secret"),
    ("sqlite", "SELECT value FROM orders, json_each(orders.tags)"),
    ("sqlite", "SELECT 1"),
    ("postgres", "SELECT * FROM Orders"),
    ("postgres", "SELECT * FROM public.orders"),
    ("postgres", 'SELECT * FROM "orders"'),
    ("postgres", "SELECT * FROM ONLY orders"),
    ("postgres", "SELECT d FROM generate_series(1, 3) AS g(d), orders"),
    ("postgres", "SELECT * FROM orders o, LATERAL (SELECT * FROM items WHERE id = o.id) i"),
    ("mysql", "SELECT * FROM orders JOIN `items` ON 1 = 1"),
]

OUTSIDE: list[tuple[Dialect, str]] = [
    ("sqlite", "SELECT * FROM secret"),
    ("sqlite", "SELECT * FROM [secret]"),
    ("sqlite", "SELECT * FROM 'secret'"),
    ("sqlite", "SELECT * FROM temp.orders"),
    ("sqlite", "WITH Öl AS (SELECT 1) SELECT * FROM öl"),  # two names: only ASCII is folded
    ("sqlite", "SELECT * FROM other.orders"),
    ("sqlite", "SELECT * FROM orders JOIN secret USING (id)"),
    ("sqlite", "SELECT * FROM orders, secret"),
    ("sqlite", "SELECT * FROM (orders, secret)"),
    ("sqlite", "SELECT * FROM (orders JOIN secret ON 1)"),
    ("sqlite", "SELECT (SELECT count(*) FROM secret) FROM orders"),
    ("sqlite", "SELECT * FROM orders WHERE id IN (SELECT id FROM secret)"),
    ("sqlite", "SELECT * FROM orders WHERE id IN secret"),
    ("sqlite", "SELECT * FROM orders WHERE EXISTS (SELECT 1 FROM secret)"),
    ("sqlite", "SELECT * FROM orders ORDER BY (SELECT a FROM secret)"),
    ("sqlite", "SELECT * FROM orders LIMIT (SELECT a FROM secret)"),
    ("sqlite", "SELECT 1 UNION SELECT * FROM secret"),
    ("sqlite", "VALUES ((SELECT a FROM secret))"),
    ("sqlite", "WITH x AS (SELECT * FROM secret) SELECT * FROM x"),
    ("sqlite", "WITH secret AS (SELECT * FROM secret) SELECT * FROM secret"),
    ("sqlite", "WITH secret AS (SELECT 1) SELECT * FROM main.secret"),
    ("sqlite", "SELECT * FROM (WITH secret AS (SELECT 1) SELECT * FROM secret), secret"),
    ("sqlite", "SELECT * FROM secret WHERE 1 IN (WITH secret AS (SELECT 1) SELECT * FROM secret)"),
    ("sqlite", "WITH a AS (SELECT * FROM secret), secret AS (SELECT 1) SELECT * FROM a"),
    ("sqlite", "SELECT * FROM sqlite_master"),
    ("sqlite", "SELECT * FROM orders, sqlite_schema"),
    ("postgres", "SELECT * FROM secret"),
    ("postgres", 'SELECT * FROM "Orders"'),
    ("postgres", "SELECT * FROM other.orders"),
    ("postgres", "SELECT * FROM shop.public.orders"),
    ("postgres", "SELECT * FROM ONLY secret"),
    ("postgres", "SELECT * FROM pg_class"),
    ("postgres", "SELECT * FROM pg_catalog.pg_tables"),
    ("postgres", "SELECT * FROM information_schema.tables"),
    ("postgres", "SELECT * FROM orders, LATERAL (SELECT * FROM secret) x"),
    ("postgres", "SELECT ARRAY(SELECT a FROM secret)"),
    ("postgres", 'WITH "Secret" AS (SELECT 1) SELECT * FROM secret'),
    ("postgres", "TABLE secret"),
    ("mysql", "SELECT * FROM Orders"),
    ("mysql", "SELECT * FROM shop.orders"),
    ("mysql", "SELECT * FROM information_schema.tables"),
    ("mysql", "WITH Secret AS (SELECT 1) SELECT * FROM secret"),
    ("mysql", "WITH RECURSIVE a AS (SELECT * FROM secret), secret AS (SELECT 1) SELECT * FROM a"),
    ("mysql", "SELECT * FROM orders STRAIGHT_JOIN secret"),
]

OUTSIDE_WRITES: list[tuple[Dialect, str]] = [
    ("sqlite", "INSERT INTO secret (a) VALUES (1)"),
    ("sqlite", "INSERT INTO orders SELECT * FROM secret"),
    ("sqlite", "REPLACE INTO secret VALUES (1)"),
    ("sqlite", "REPLACE INTO orders SELECT * FROM secret"),
    ("mysql", "REPLACE INTO secret SET a = 1"),
    ("sqlite", "UPDATE secret SET a = 1"),
    ("sqlite", "UPDATE orders SET a = (SELECT a FROM secret)"),
    ("sqlite", "DELETE FROM secret"),
    ("sqlite", "DELETE FROM orders WHERE id IN (SELECT id FROM secret)"),
    ("sqlite", "WITH secret AS (SELECT 1) DELETE FROM secret"),
    ("sqlite", "WITH secret AS (SELECT 1) INSERT INTO secret SELECT 1"),
    ("postgres", "WITH secret AS (SELECT 1) UPDATE secret SET a = 1"),
    ("sqlite", "WITH x AS (WITH secret AS (SELECT 1) DELETE FROM secret) SELECT 1"),
    ("sqlite", "DROP TABLE secret"),
    ("sqlite", "DROP TABLE orders, secret"),
    ("sqlite", "CREATE TABLE secret (a int)"),
    ("sqlite", "CREATE TABLE orders AS SELECT * FROM secret"),
    ("sqlite", "CREATE TABLE orders (a int REFERENCES secret (a))"),
    ("sqlite", "CREATE INDEX i ON secret (a)"),
    ("sqlite", "ALTER TABLE secret ADD COLUMN x int"),
    ("sqlite", "ALTER TABLE orders RENAME TO secret"),
    ("postgres", "TRUNCATE TABLE orders, secret"),
    ("postgres", "UPDATE orders SET a = 1 FROM secret"),
    ("postgres", "DELETE FROM orders USING secret WHERE true"),
    ("mysql", "UPDATE orders, secret SET secret.a = 1"),
    ("mysql", "DELETE secret FROM secret JOIN orders ON 1 = 1"),
]

TABLES = ("orders", "items")


@rows(("dialect", "sql"), INSIDE)
def test_tables_of_the_context_and_what_a_statement_names_itself_may_be_touched(
    dialect: Dialect, sql: str
) -> None:
    verdict = check_statement(sql, Policy(dialect, tables=TABLES))
    assert isinstance(verdict, Allowed), verdict


@rows(("dialect", "sql"), OUTSIDE)
def test_other_tables_may_not(dialect: Dialect, sql: str) -> None:
    assert not isinstance(check_statement(sql, Policy(dialect, tables=TABLES)), Allowed)


@rows(("dialect", "sql"), OUTSIDE_WRITES)
def test_other_tables_may_not_be_written(dialect: Dialect, sql: str) -> None:
    policy = Policy(dialect, read_only=False, tables=TABLES)
    assert not isinstance(check_statement(sql, policy), Allowed)


@rows(
    ("dialect", "schema", "tables", "sql", "may"),
    [
        ("postgres", "public", None, "SELECT * FROM orders", True),
        ("postgres", "public", None, "SELECT * FROM public.secret", True),
        ("postgres", "public", None, "SELECT * FROM sales.orders", False),
        ("postgres", "sales", None, "SELECT * FROM sales.orders", True),
        ("postgres", "sales", None, "SELECT * FROM orders", False),
        ("postgres", "Sales", None, "SELECT * FROM sales.orders", False),
        ("postgres", "Sales", None, 'SELECT * FROM "Sales".orders', True),
        ("postgres", "sales", ("orders",), "SELECT * FROM sales.orders", True),
        ("postgres", "sales", ("orders",), "SELECT * FROM sales.secret", False),
        ("postgres", "sales", ("public.orders",), "SELECT * FROM public.orders", False),
        ("postgres", None, ("sales.orders",), "SELECT * FROM sales.orders", True),
        ("postgres", None, ("sales.orders",), "SELECT * FROM orders", False),
        ("postgres", None, ("Orders",), 'SELECT * FROM "Orders"', True),
        ("postgres", None, ("Orders",), "SELECT * FROM orders", True),
        ("postgres", None, ('"Orders"',), "SELECT * FROM orders", False),
        ("postgres", "pg_catalog", None, "SELECT * FROM pg_catalog.pg_class", False),
        ("sqlite", "main", None, "SELECT * FROM secret", True),
        ("sqlite", "other", None, "SELECT * FROM secret", False),
        ("sqlite", None, ("order items",), "SELECT * FROM [order items]", True),
        ("sqlite", None, ("ÄRGER",), "SELECT * FROM ärger", False),
        ("postgres", None, ("ärger",), "SELECT * FROM Ärger", False),
        ("sqlite", None, (), "SELECT * FROM orders", False),
        ("sqlite", None, (), "SELECT 1", True),
        ("sqlite", None, ("a;b", "'x", "", "a.b.c"), "SELECT * FROM a", False),
        ("mysql", "shop", None, "SELECT * FROM shop.orders", True),
        ("mysql", "shop", None, "SELECT * FROM orders", False),
        ("mysql", "shop", ("orders",), "SELECT * FROM shop.orders", True),
        ("mysql", "mysql", None, "SELECT * FROM mysql.user", False),
    ],
)
def test_a_schema_and_a_list_of_tables_both_narrow(
    dialect: Dialect, schema: str | None, tables: tuple[str, ...] | None, sql: str, may: bool
) -> None:
    verdict = check_statement(sql, Policy(dialect, schema=schema, tables=tables))
    assert isinstance(verdict, Allowed) is may
