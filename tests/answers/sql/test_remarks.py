"""What is remarked on a statement that may run, and that the good ones get no remark."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import pytest

from chatd.answers.requests import ExplainStatement, RunStatement
from chatd.answers.sql.guard import check_statement
from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.reading import Piece, read
from chatd.answers.sql.verdicts import Allowed, Policy
from tests.answers.sql import honest_postgres, honest_sqlite
from tests.answers.sql.corpus import DIALECTS, good
from tests.rows import rows


def remark_on(sql: str, dialect: Dialect, *, read_only: bool = True) -> str | None:
    verdict = check_statement(sql, Policy(dialect, read_only=read_only))
    assert isinstance(verdict, Allowed), (sql, verdict)
    return verdict.remark


NO_ROW: Final = "A comparison with NULL is true for no row; write"
OR_LEFT_OUT: Final = "A comparison with NULL is true for no row; leave it out, or write IS NULL."
NOT_IN: Final = "NOT IN is true for no row if NULL is in its list;"
BARE_DATE: Final = "{} without quotes is a {}; write a date as 'YYYY-MM-DD', in quotes."
FIRST: Final = "if the greater value comes first; write the smaller one first, or two comparisons"
FEWER: Final = f"BETWEEN is true for no row {FIRST} with OR."
PERCENT: Final = "With {}, % is only a percent sign; for any text there write {}."
STAR: Final = "With {}, * is only a star; write % for any text, and _ for one character."
ALONE: Final = (
    "A value that stands alone beside {} is compared with nothing; name the column with each, "
    "as in {}."
)
IN: Final = "a IN ('x', 'y')"
COUNTS: Final = (
    "count() counts each value that is not NULL, 0 and false too; "
    "write count(CASE WHEN ... THEN 1 END)."
)

UNJOINED: Final = (
    "Each row of {} stands with each row of {}, as nothing says which belong together; "
    "write JOIN ... ON a.id = b.a_id, or CROSS JOIN if that is meant."
)

EVERYWHERE: Final = [
    ("SELECT * FROM t WHERE city = NULL", f"{NO_ROW} city IS NULL instead."),
    ("SELECT * FROM t WHERE NULL = t.city", f"{NO_ROW} t.city IS NULL instead."),
    ("SELECT * FROM t WHERE city = (NULL)", f"{NO_ROW} city IS NULL instead."),
    ("SELECT * FROM t WHERE city = CAST(NULL AS CHAR)", f"{NO_ROW} city IS NULL instead."),
    ("SELECT * FROM t WHERE city <> null", f"{NO_ROW} city IS NOT NULL instead."),
    ("SELECT * FROM t WHERE city != NULL AND b = 1", f"{NO_ROW} city IS NOT NULL instead."),
    ("SELECT * FROM t WHERE NOT city = NULL", f"{NO_ROW} city IS NOT NULL instead."),
    ("SELECT * FROM t WHERE NOT (city = NULL)", f"{NO_ROW} city IS NOT NULL instead."),
    ("SELECT * FROM t WHERE lower(city) = NULL", f"{NO_ROW} IS NULL instead."),
    ("SELECT * FROM t WHERE city LIKE NULL", f"{NO_ROW} city IS NULL instead."),
    ("SELECT * FROM t WHERE city NOT LIKE NULL", f"{NO_ROW} city IS NOT NULL instead."),
    ("SELECT a, (SELECT max(b) FROM u WHERE u.c > NULL) FROM t", OR_LEFT_OUT),
    ("SELECT * FROM t WHERE a BETWEEN NULL AND 5", OR_LEFT_OUT),
    (
        "WITH x AS (SELECT a FROM t WHERE a NOT IN (1, NULL)) SELECT * FROM x",
        f"{NOT_IN} leave NULL out.",
    ),
    ("SELECT * FROM t WHERE a NOT IN (NULL)", f"{NOT_IN} write IS NOT NULL."),
    ("SELECT * FROM t WHERE a IN (1, NULL)", "IN finds no NULL; test for it with a IS NULL."),
    ("SELECT * FROM t WHERE lower(a) IN (NULL)", "IN finds no NULL; test for it with IS NULL."),
    (
        "SELECT CASE a WHEN 1 THEN 'x' WHEN NULL THEN 'y' END FROM t",
        "WHEN NULL is never true; write CASE WHEN a IS NULL.",
    ),
    (
        "SELECT CASE lower(a) WHEN NULL THEN 'y' END FROM t",
        "WHEN NULL is never true; write CASE WHEN x IS NULL.",
    ),
    *(
        (f"SELECT * FROM t WHERE {condition}", BARE_DATE.format(date, "subtraction"))
        for date, condition in {
            "2024-01-31": "d > 2024-01-31",
            "2024-1-5": "d BETWEEN 2024-1-5 AND 9",
            "31-01-2024": "d = 31-01-2024",
            "2024-02": "d >= 2024-02",
            "2023-05-01": "d > 2023 - 05 - 01",
            "2025-03-01": "d IN (2025-03-01, 1)",
        }.items()
    ),
    *(
        (f"SELECT * FROM t WHERE {condition}", BARE_DATE.format(date, "division"))
        for date, condition in {
            "12/31/2024": "d > 12/31/2024 OR d < 1",
            "2024/1/5": "d = 2024/1/5",
            "01/02/24": "d = 01/02/24",
        }.items()
    ),
    ("SELECT 2024-01-31", BARE_DATE.format("2024-01-31", "subtraction")),
    *(
        (f"SELECT * FROM t WHERE {condition}", FEWER)
        for condition in (
            "n BETWEEN 100 AND 20",
            "n BETWEEN 5 AND -5",
            "n BETWEEN -1 AND -10",
            "n BETWEEN 100.5 AND 20",
            "(n BETWEEN '2024-12-31' AND '2024-01-01') AND a = 1",
            "n BETWEEN DATE '2024-12-31' AND DATE '2024-01-01'",
        )
    ),
    ("SELECT * FROM t WHERE n NOT BETWEEN 9 AND 2", FEWER.replace("no row", "every row")),
    ("SELECT * FROM t WHERE n = '%lamp%'", PERCENT.format("=", "LIKE '%lamp%'")),
    ("SELECT * FROM t WHERE '%lamp' = n", PERCENT.format("=", "LIKE '%lamp'")),
    ("SELECT * FROM t WHERE n != 'lamp%'", PERCENT.format("!=", "NOT LIKE 'lamp%'")),
    (
        f"SELECT * FROM t WHERE n <> '%{'long' * 10}%'",
        PERCENT.format("!=", "NOT LIKE instead"),
    ),
    (
        "SELECT * FROM t WHERE n IN ('%lamp%', 'b')",
        "With IN, % is only a percent sign; write LIKE for each text, with OR between them.",
    ),
    ("SELECT * FROM t WHERE n LIKE 'lamp*'", STAR.format("LIKE")),
    ("SELECT * FROM t WHERE n LIKE '*lamp*'", STAR.format("LIKE")),
    ("SELECT * FROM t WHERE a = 'x' OR 'y'", ALONE.format("OR", IN)),
    ("SELECT * FROM t WHERE a = 'x' OR b = 1 OR ('y')", ALONE.format("OR", IN)),
    ("SELECT * FROM t WHERE a = 'x' AND 'y'", ALONE.format("AND", IN)),
    (
        "SELECT * FROM t WHERE a != 'x' AND 'y'",
        ALONE.format("AND", "a NOT IN ('x', 'y')"),
    ),
    (
        "SELECT * FROM t WHERE a LIKE '%x%' OR '%y%'",
        ALONE.format("OR", "a LIKE 'x' OR a LIKE 'y'"),
    ),
    (
        "SELECT * FROM t WHERE city <> 'A' OR city <> 'B' OR b = 1",
        "One of these is always true, so this is true for every row; write AND, or NOT IN.",
    ),
    (
        "SELECT * FROM t WHERE b = 1 AND (city = 'A' AND city = 'B')",
        "A value cannot equal two others, so this is true for no row; write OR, or IN.",
    ),
    ("SELECT count(CASE WHEN a > 1 THEN 1 ELSE 0 END) FROM t", COUNTS),
    ("SELECT count(a = 'x') FROM t", COUNTS),
    ("SELECT count(*), count((a > 2)) FROM t", COUNTS),
    ("SELECT count(*) FROM orders, customers", UNJOINED.format("orders", "customers")),
    ("SELECT * FROM sales.orders JOIN customers", UNJOINED.format("orders", "customers")),
    ("SELECT * FROM a INNER JOIN b LIMIT 5", UNJOINED.format("a", "b")),
    ("SELECT max((SELECT count(*) FROM a AS x, b AS y)) FROM t", UNJOINED.format("a", "b")),
    ("SELECT * FROM a, b, c ORDER BY 1", UNJOINED.format("a", "b")),
]


@pytest.mark.parametrize("dialect", DIALECTS)
@rows("sql, remark", EVERYWHERE)
def test_a_statement_that_no_database_complains_about(
    sql: str, remark: str, dialect: Dialect
) -> None:
    assert remark_on(sql, dialect) == remark


NO_COLUMN: Final = "'{}' is a text here, and no column; write a column without quotes, or {}."
ANY_ROW: Final = "{} is that of any one row, as there is no GROUP BY; group by it, or leave it out."
ADDED: Final = "+ adds numbers, and a text counts as 0; write {} to join texts."
ORED: Final = (
    "|| means OR in MySQL, unless its sql_mode says otherwise; write CONCAT(a, b) to join texts."
)
YEARS: Final = (
    "SQLite keeps dates as texts, and adds or subtracts their years alone; write "
    "date('now', '-7 days'), or julianday(a) - julianday(b)."
)
NO_NUMBER: Final = (
    "A text is compared with a number here, and never equals one; put the number in quotes."
)
IN_A_ROW: Final = (
    "A comparison is compared again here; write two with AND, as in a > 1 AND a <= 10."
)

LEFT_OVER: Final = "Counts are whole numbers, and what is left over is dropped"

OF_SOME: Final[list[tuple[Dialect, str, str]]] = [
    (
        "sqlite",
        "SELECT * FROM t ORDER BY 'name' DESC",
        NO_COLUMN.format("name", "in double quotes"),
    ),
    (
        "mysql",
        'SELECT * FROM t ORDER BY a, "name"',
        NO_COLUMN.format("name", "in backticks"),
    ),
    (
        "sqlite",
        "SELECT count(*) FROM t GROUP BY 'city', a",
        NO_COLUMN.format("city", "in double quotes"),
    ),
    (
        "sqlite",
        "SELECT name AS 'Full name' FROM t ORDER BY 'Full name'",
        NO_COLUMN.format("Full name", "in double quotes"),
    ),
    (
        "postgres",
        "SELECT string_agg(name, ',' ORDER BY 'name') FROM t",
        NO_COLUMN.format("name", "in double quotes"),
    ),
    (
        "postgres",
        "SELECT sum(a) OVER (PARTITION BY 'city') FROM t",
        NO_COLUMN.format("city", "in double quotes"),
    ),
    (
        "postgres",
        "SELECT * FROM t WHERE 'city' = 'Bonn'",
        NO_COLUMN.format("city", "in double quotes"),
    ),
    (
        "mysql",
        "SELECT * FROM t WHERE a = 1 AND 'city' IN ('Bonn', 'Ulm')",
        NO_COLUMN.format("city", "in backticks"),
    ),
    ("sqlite", "SELECT sum('price') FROM t", NO_COLUMN.format("price", "in double quotes")),
    ("sqlite", "SELECT * FROM t WHERE a = 1 OR 2", ALONE.format("OR", IN)),
    ("mysql", "SELECT * FROM t WHERE a = 1 XOR -2", ALONE.format("XOR", IN)),
    ("sqlite", "SELECT first + ' ' + last FROM t", ADDED.format("a || b")),
    ("sqlite", "SELECT 'Order #1' + last FROM t", ADDED.format("a || b")),
    ("mysql", "SELECT 'Dr ' + last FROM t", ADDED.format("CONCAT(a, b)")),
    ("mysql", "SELECT first || ' ' || last FROM t WHERE a = 1 OR b = 2", ORED),
    ("mysql", "SELECT first || last AS whole FROM t", ORED),
    ("mysql", "SELECT * FROM t WHERE a =! 5", "=! compares with the opposite of a value; "),
    (
        "sqlite",
        "SELECT * FROM t WHERE n GLOB '%lamp'",
        "With GLOB, % is only a percent sign; write * for any text.",
    ),
    ("sqlite", "SELECT * FROM t WHERE n IS '%lamp%'", "With IS, % is only"),
    ("sqlite", "SELECT name, count(*) FROM t", ANY_ROW.format("name")),
    ("mysql", "SELECT name, sum(a) FROM t WHERE city = 'Bonn'", ANY_ROW.format("name")),
    ("sqlite", "SELECT name, min(a), max(a) FROM t", ANY_ROW.format("name")),
    ("sqlite", "SELECT * FROM (SELECT *, total(a) FROM t)", ANY_ROW.format("A column")),
    ("postgres", "SELECT * FROM t WHERE n ILIKE '*lamp'", STAR.format("ILIKE")),
    ("sqlite", "SELECT * FROM t WHERE d > date('now') - 7", YEARS),
    ("sqlite", "SELECT CURRENT_DATE - 30", YEARS),
    ("sqlite", "SELECT date('2024-12-31') - date('2024-01-01')", YEARS),
    ("mysql", "SELECT * FROM t WHERE d > CURDATE() - 7", "A date is no number of days here; "),
    ("mysql", "SELECT NOW() - 7", "A date is no number of days here; "),
    ("sqlite", "SELECT * FROM t WHERE strftime('%Y', d) = 2024", NO_NUMBER),
    ("sqlite", "SELECT * FROM t WHERE 2024 <= substr(d, 1, 4)", NO_NUMBER),
    ("sqlite", "SELECT * FROM t WHERE strftime('%Y', d) IN (2023, 2024)", NO_NUMBER),
    ("sqlite", "SELECT * FROM t WHERE strftime('%Y', d) BETWEEN 2023 AND 2024", NO_NUMBER),
    (
        "sqlite",
        "SELECT * FROM t WHERE d >= '2024-1-5'",
        "SQLite compares dates as texts; write two digits each, as in '2024-01-05'.",
    ),
    ("sqlite", "SELECT * FROM t WHERE 1 < a < 10", IN_A_ROW),
    ("mysql", "SELECT * FROM t WHERE 10 >= a >= 1", IN_A_ROW),
    ("sqlite", "SELECT count(a) / count(*) FROM t", LEFT_OVER),
    ("postgres", "SELECT (count(a)) / count(DISTINCT b) FROM t", LEFT_OVER),
    (
        "postgres",
        "SELECT sum(CASE WHEN a = 1 THEN 1 ELSE 0 END) / count(*) FROM t",
        LEFT_OVER,
    ),
    ("sqlite", "SELECT count(*) FILTER (WHERE a = 1) / count(*) AS part FROM t", LEFT_OVER),
    ("sqlite", "SELECT sum(a = 1) / count(*) * 100 FROM t", LEFT_OVER),
    ("sqlite", "SELECT a, count(*) / sum(count(*)) OVER () FROM t GROUP BY a", LEFT_OVER),
    ("postgres", "SELECT (SELECT count(*) FROM t) / (SELECT count(*) AS n FROM u)", LEFT_OVER),
    ("sqlite", "SELECT a / 0 FROM t", "Dividing by 0 gives NULL."),
    ("mysql", "SELECT a % 0 FROM t", "Dividing by 0 gives NULL."),
    ("sqlite", "SELECT * FROM a LEFT JOIN b", UNJOINED.format("a", "b")),
]


@rows("dialect, sql, remark", OF_SOME)
def test_a_statement_that_its_database_does_not_complain_about(
    dialect: Dialect, sql: str, remark: str
) -> None:
    assert (remark_on(sql, dialect) or "").startswith(remark)


ASSIGNED: Final = "AND makes one value of all; separate assignments with a comma, as in SET a = 1,"


@rows(
    "dialect, sql, remark",
    [
        ("sqlite", "UPDATE t SET a = 1 WHERE b = NULL", f"{NO_ROW} b IS NULL instead."),
        ("mysql", "DELETE FROM t WHERE b = NULL", f"{NO_ROW} b IS NULL instead."),
        ("postgres", "UPDATE t SET a = CASE WHEN b = NULL THEN 1 END, c = NULL", NO_ROW),
        ("sqlite", "INSERT INTO t (d) VALUES (2024-01-31)", "2024-01-31 without quotes"),
        ("sqlite", "UPDATE t SET d = 2024-1-5", "2024-1-5 without quotes"),
        ("sqlite", "UPDATE t SET a = 5 AND b = 'x'", ASSIGNED),
        ("mysql", "UPDATE t SET a = 1 AND b = 2 AND c = 3 WHERE d = 4", ASSIGNED),
    ],
)
def test_a_statement_that_changes_rows(dialect: Dialect, sql: str, remark: str) -> None:
    assert (remark_on(sql, dialect, read_only=False) or "").startswith(remark)


@rows(
    "dialect, sql",
    [
        ("sqlite", "UPDATE t SET a = NULL, b = '%lamp%' WHERE c IS NULL"),
        ("mysql", "INSERT INTO t (a) VALUES (NULL) ON DUPLICATE KEY UPDATE a = NULL"),
        ("postgres", "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = NULL"),
        ("postgres", "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET a = NULL"),
        ("sqlite", "UPDATE t SET d = '2024-1-5', flag = b = 2"),
        ("mysql", "UPDATE t SET flag = (b = 2 AND c = 3)"),
    ],
)
def test_what_is_stored_may_be_anything(dialect: Dialect, sql: str) -> None:
    assert remark_on(sql, dialect, read_only=False) is None


MEANT_EVERYWHERE: Final = [
    "SELECT * FROM t WHERE a IS NULL OR a IS NOT NULL",
    "SELECT * FROM t WHERE a IN (1, NULL) OR a IS NULL",
    "SELECT NULL = NULL, 1 IN (1, NULL)",
    "SELECT coalesce(a, NULL), nullif(a, '') FROM t",
    "SELECT CASE WHEN a IS NULL THEN NULL ELSE 1 END FROM t",
    "SELECT 2024 - 1 - 31, 10-2-3, 1/2/3, 2000/12/20, 2000-10-20 AS remaining",
    "SELECT salary*5/12/2000, balance-10-5-2000, x-2024-1-1, 10*2024-1-1 FROM t",
    "SELECT a FROM t WHERE n BETWEEN 1 AND 10 AND m > 2",
    "SELECT a FROM t WHERE n BETWEEN 10 AND 2 * x",
    "SELECT a FROM t WHERE n BETWEEN '10' AND '2'",
    "SELECT a FROM t WHERE n LIKE '%*' OR n LIKE '**' OR gene LIKE 'HLA-A*'",
    "SELECT a FROM t WHERE 1 = 1 AND a = 'x'",
    "SELECT a FROM t WHERE a = 'x' OR a = 'y' OR a LIKE 'z'",
    "SELECT a FROM t WHERE a <> 'x' AND a <> 'y' AND b = 1",
    "SELECT a FROM t WHERE a = 'x' AND b = 'y' OR a = 'z'",
    "SELECT a, count(*) FROM t GROUP BY a ORDER BY 2",
    "SELECT count(CASE WHEN a = 1 THEN 1 END), sum(CASE WHEN a = 1 THEN 1 ELSE 0 END) FROM t",
    "SELECT row_number() OVER (ORDER BY 'x') FROM t",
    "SELECT a FROM t WHERE 'x' = a OR '1' = '1'",
    "SELECT * FROM a CROSS JOIN b",
    "SELECT * FROM a, b WHERE a.id = b.a_id",
    "SELECT * FROM a JOIN b ON a.id = b.a_id",
    "SELECT * FROM a JOIN b USING (id)",
    "SELECT * FROM a NATURAL JOIN b",
    "SELECT x.n, y.n FROM digits AS x, digits AS y",
    "SELECT a / total FROM t, (SELECT sum(a) AS total FROM t) AS s",
    "WITH s AS (SELECT sum(a) AS total FROM t) SELECT a / total FROM t, s",
    "WITH s AS (SELECT 1 AS n) SELECT (SELECT max(a) FROM t, s)",
    "SELECT 7 / 2, 5 / 2.0, count(a) / 2, 1.0 * count(a) / count(*) FROM t",
    "SELECT 100 * count(a) / count(*), a / nullif(b, 0) FROM t GROUP BY a, b",
    "SELECT sum(CASE WHEN a = 1 THEN b ELSE 0 END) / count(*), sum(a) / count(a) FROM t",
    "SELECT sum(CASE WHEN a = 1 THEN 1.0 ELSE 0 END) / count(*) FROM t",
    "SELECT (SELECT avg(a) FROM t) / (SELECT count(*) FROM u)",
    *(
        f"SELECT a FROM t WHERE {condition}"
        for condition in (
            "discount = '10%' OR x = '%'",
            "unit = 'vol%' OR unit = 'mol%' OR unit <> '%rh' OR unit = '%o'",
            "metric = '% change' OR label = '% of total' OR name = 'CPU%'",
            "date_format = '%d.%m.%Y' OR time_format = '%H:%M' OR pattern = '%foo%'",
            "a >= 'Apple%' AND a < 'Bread%'",
            "a = '%' OR b = '%%'",
        )
    ),
]

MEANT: Final[list[tuple[Dialect, str]]] = [
    ("mysql", "SELECT * FROM t WHERE a <=> NULL"),
    ("mysql", "SELECT '2024-01-31' + INTERVAL 1 DAY, DATE '2024-01-01' + INTERVAL 1 DAY"),
    ("mysql", "SELECT '' + a, a + '1', now() - INTERVAL 7 DAY FROM t"),
    ("mysql", "SELECT data->>'$.price' + data->>'$.tax' FROM t ORDER BY data->>'$.y' + 0"),
    ("mysql", "SELECT * FROM t WHERE a = 1 || b = 2"),
    ("mysql", "SELECT * FROM t WHERE city = 'Bonn' || city = 'Ulm'"),
    ("mysql", "SELECT * FROM t WHERE name LIKE 'a%' || name LIKE 'b%'"),
    ("mysql", "SELECT * FROM t WHERE n BETWEEN 10 AND 3 DIV 1"),
    ("mysql", "SELECT * FROM t WHERE a = NOT 5"),
    ("mysql", "SELECT * FROM t WHERE DATE_FORMAT(d, '%Y') = '2024' AND YEAR(d) = 2024"),
    ("sqlite", "SELECT data->>'price' + data->>'tax' FROM t WHERE j->>'price' + 5 > 10"),
    ("sqlite", "SELECT sum(j->>'qty' + 0) FROM t"),
    ("sqlite", "SELECT * FROM t WHERE 1 AND a = 2 OR 0"),
    ("sqlite", "SELECT first || ' ' || last FROM t WHERE n = '%lamp' || a"),
    ("postgres", "SELECT first || ' ' || last FROM t"),
    ("postgres", "SELECT * FROM t WHERE a IS DISTINCT FROM NULL"),
    ("postgres", "SELECT * FROM t WHERE d > current_date - 7"),
    ("postgres", "SELECT * FROM t WHERE n BETWEEN SYMMETRIC 10 AND 5"),
    ("sqlite", "SELECT name, max(price) FROM t"),
    ("sqlite", "SELECT name, max(price), count(*), avg(price) FROM t"),
    ("sqlite", "SELECT name, min(price) FILTER (WHERE price > 0) FROM t"),
    ("sqlite", "SELECT max(a, b), name FROM t"),
    ("sqlite", "SELECT 'all' AS label, count(*) FROM t"),
    ("sqlite", 'SELECT "Total" AS label, sum(price) FROM t'),
    ("sqlite", "SELECT id, count(*) FROM t WHERE id = 5 AND a > 1"),
    ("sqlite", "SELECT o.no, c.name, sum(i.qty) FROM o JOIN c JOIN i WHERE o.id = 7"),
    ("sqlite", "SELECT name, sum(qty) FROM t WHERE name = 'Lamp'"),
    ("sqlite", "SELECT name, sum(price) OVER () FROM t"),
    ("sqlite", "SELECT name, (SELECT count(*) FROM u) FROM t"),
    ("sqlite", "SELECT (SELECT count(*) || o.name FROM items WHERE o = o.id) FROM orders AS o"),
    ("sqlite", "SELECT name FROM t WHERE EXISTS (SELECT a, count(*) FROM u)"),
    ("sqlite", "SELECT julianday('now') - julianday(d), date('now', '-7 days') FROM t"),
    ("sqlite", "SELECT * FROM t WHERE strftime('%Y', d) = '2024' AND d >= '2024-01-05'"),
    ("sqlite", "SELECT * FROM t WHERE CAST(strftime('%Y', d) AS INTEGER) = 2024"),
    ("sqlite", "SELECT * FROM t WHERE (a < 3) = (b < 3) OR length(d) = 10"),
]


@pytest.mark.parametrize("dialect", DIALECTS)
@rows("sql", MEANT_EVERYWHERE)
def test_what_is_meant_as_it_stands_is_not_remarked_on(sql: str, dialect: Dialect) -> None:
    assert remark_on(sql, dialect) is None


@rows("dialect, sql", MEANT)
def test_what_a_dialect_has_is_not_remarked_on(dialect: Dialect, sql: str) -> None:
    assert remark_on(sql, dialect) is None


_MIXED: Final = "SELECT max(1, 2, 3), min(total, 5), sum(quantity * price) AS revenue"
"""The corpus has it for the functions; its `total` is that of any row indeed."""


def test_good_statements_get_no_remark() -> None:
    every = good()
    every += [("postgres", sql) for sql in honest_postgres.STATEMENTS]
    every += [("sqlite", sql) for sql in honest_sqlite.STATEMENTS]
    remarked = [sql for dialect, sql in every if remark_on(sql, dialect) is not None]
    assert len(every) > 500
    assert [sql.partition(" FROM ")[0] for sql in remarked] == [_MIXED]


@pytest.fixture
def shop() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(
            """
            CREATE TABLE t (name TEXT, city TEXT, n INTEGER, d TEXT);
            INSERT INTO t VALUES ('desk lamp', NULL, 30, '2024-02-01'),
                ('chair', 'Bonn', 20, '2025-03-01'), ('apple', 'Ulm', 10, '2023-05-05');
            CREATE TABLE u (t_name TEXT);
            INSERT INTO u VALUES ('chair'), ('apple');
            """
        )
        yield connection


@rows(
    "sql, meant",
    [
        ("SELECT name FROM t WHERE city = NULL", "SELECT name FROM t WHERE city IS NULL"),
        ("SELECT name FROM t WHERE city != NULL", "SELECT name FROM t WHERE city IS NOT NULL"),
        (
            "SELECT name FROM t WHERE n NOT IN (10, NULL)",
            "SELECT name FROM t WHERE n NOT IN (10)",
        ),
        ("SELECT name FROM t WHERE d < 2024-01-31", "SELECT name FROM t WHERE d < '2024-01-31'"),
        ("SELECT name FROM t ORDER BY 'name'", "SELECT name FROM t ORDER BY name"),
        ("SELECT name FROM t WHERE n = 10 OR 20", "SELECT name FROM t WHERE n = 10 OR n = 20"),
        ("SELECT name + ' ' + city FROM t", "SELECT name || ' ' || city FROM t"),
        ("SELECT name FROM t WHERE name = '%lamp'", "SELECT name FROM t WHERE name LIKE '%lamp'"),
        (
            "SELECT name FROM t WHERE name LIKE '*lamp'",
            "SELECT name FROM t WHERE name LIKE '%lamp'",
        ),
        (
            "SELECT name FROM t WHERE name GLOB '%lamp'",
            "SELECT name FROM t WHERE name GLOB '*lamp'",
        ),
        (
            "SELECT name FROM t WHERE n BETWEEN 30 AND 20",
            "SELECT name FROM t WHERE n BETWEEN 20 AND 30",
        ),
        ("SELECT city, count(*) FROM t", "SELECT city, count(*) FROM t GROUP BY city"),
        (
            "SELECT count(city) / count(*) FROM t",
            "SELECT 1.0 * count(city) / count(*) FROM t",
        ),
        ("SELECT name FROM t, u", "SELECT name FROM t JOIN u ON u.t_name = t.name"),
    ],
)
def test_sqlite_gives_other_rows_than_were_meant(
    shop: sqlite3.Connection, sql: str, meant: str
) -> None:
    assert remark_on(sql, "sqlite") is not None
    assert remark_on(meant, "sqlite") is None
    assert shop.execute(sql).fetchall() != shop.execute(meant).fetchall()


LONG: Final = 4_000


@pytest.mark.parametrize("dialect", DIALECTS)
@rows(
    "sql",
    [
        "SELECT a FROM t WHERE " + " AND ".join(["a = 1"] * (LONG // 2)),
        "SELECT a FROM t WHERE " + " OR ".join(["a IN (1, NULL)"] * 1_000) + " OR a IS NULL",
        "SELECT a FROM t WHERE " + " OR ".join(["a <> b"] * (LONG // 2)),
        "SELECT a - " + " - ".join(["2024"] * LONG),
        "SELECT " + " + ".join(["a"] * LONG) + " FROM t",
        "SELECT a FROM t" + " UNION SELECT a FROM t" * 800,
        "SELECT " + "NOT " * 300 + "a FROM t",
        "SELECT " + "- " * 300 + "1",
    ],
)
def test_a_long_statement_is_looked_at_like_a_short_one(sql: str, dialect: Dialect) -> None:
    check_statement(sql, Policy(dialect))


@rows(
    "content, kind",
    [
        ("SELECT a FROM t WHERE a = NULL", RunStatement),
        ("/sql select a from t where a = null", RunStatement),
        ("/explain SELECT a FROM t WHERE a = NULL", ExplainStatement),
    ],
)
def test_a_question_keeps_the_remark_on_its_statement(content: str, kind: type) -> None:
    question = read(Piece(content, Policy("sqlite")))
    assert isinstance(question, RunStatement | ExplainStatement)
    assert isinstance(question, kind)
    assert question.remark == f"{NO_ROW} a IS NULL instead."
