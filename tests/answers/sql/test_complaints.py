"""What a database says of a statement, with the place in it as it was written."""

import sqlite3
from contextlib import closing
from typing import Final

import psycopg
import pytest

from chatd.answers.sql.complaints import located
from chatd.answers.sql.lexer import Dialect
from chatd.postgres_mcp.failures import as_failure as of_postgres
from chatd.sqlite_mcp.failures import as_failure as of_sqlite
from tests.postgres import Postgres
from tests.rows import rows

SAYS: Final = "The database says: "


@rows(
    ("statement", "sentence"),
    [
        (
            "SELECT id,\n\n, total FROM t",
            'near "," (line 3, column 1): syntax error; remove one of the two commas.',
        ),
        (
            "SELECT id, name, FROM t",
            'near "FROM" (line 1, column 18): syntax error; remove the comma before FROM.',
        ),
        (
            "select id, name, from t",
            'near "from" (line 1, column 18): syntax error; remove the comma before from.',
        ),
        (
            "SELECT id FROM t WHERE id IN (1, 2, )",
            'near ")" (line 1, column 37): syntax error; remove the comma before ).',
        ),
        (
            "SELECT id FROM t ORDER BY id, LIMIT 3",
            'near "LIMIT" (line 1, column 31): syntax error; remove the comma before LIMIT.',
        ),
        (
            "SELECT /* a, b, c */ id,, x, y FROM t",
            'near "," (line 1, column 25): syntax error; remove one of the two commas.',
        ),
        (
            "SELECT * FROM t LIMIT 10 OFFSET 5 WHERE id > 3",
            'near "WHERE" (line 1, column 35): syntax error; write WHERE before LIMIT.',
        ),
        (
            "SELECT name FROM t ORDER BY name GROUP BY name",
            'near "GROUP" (line 1, column 34): syntax error; write GROUP BY before ORDER BY.',
        ),
        (
            "SELECT * FROM t WHERE a > 1 INNER JOIN t AS u USING (id)",
            'near "INNER" (line 1, column 29): syntax error; write JOIN before WHERE.',
        ),
        (
            "SELECT * FROM (SELECT * FROM t LIMIT 3 WHERE a = 1) WHERE a = 1",
            'near "WHERE": syntax error.',  # either of two places
        ),
        (
            "SELECT * FROM (SELECT * FROM t LIMIT 3) WHERE a = 1 HAVING, 1",
            'near "," (line 1, column 59): syntax error.',
        ),
        ("SELECT * orders", 'near "orders" (line 1, column 10): syntax error.'),
        ("SELECT * FROM t GROUP BY", "incomplete input (after BY, line 1, column 23)."),
        ("SELECT * FROM t LIMIT 1 OFFSET 2 ROWS", 'near "ROWS" (line 1, column 34): syntax error.'),
        (
            "SELECT * FROM t WHERE a ILIKE 'x'",
            (
                "SQLite has no ILIKE; write LIKE, which does not look at the case of A to Z "
                "(line 1, column 25)."
            ),
        ),
        (
            "SELECT *\nFROM t fetch first 5 rows only",
            "SQLite has no FETCH; write LIMIT 10 for FETCH FIRST 10 ROWS ONLY (line 2, column 8).",
        ),
        (
            "SELECT * FROM information_schema.tables",
            (
                "no such table: information_schema.tables; ask with /tables, or "
                "SELECT name FROM sqlite_schema."
            ),
        ),
        ("SELECT 1 FROM dual", "no such table: dual; leave FROM DUAL out."),
        (
            "SELECT sysdate FROM dual",
            "no such table: dual; leave FROM DUAL out, and write CURRENT_TIMESTAMP for sysdate.",
        ),
        ("SELECT SYSDATE FROM t", "no such column: SYSDATE; write CURRENT_TIMESTAMP."),
        ("SELECT id FROM t WHERE rownum < 3", "no such column: rownum; write LIMIT 10 at the end."),
        ("SELECT distnct name FROM t", "no such column: distnct; did you mean DISTINCT?"),
        ("SELECT id FROM t WHERE name IS nul", "no such column: nul; did you mean NULL?"),
        ("SELECT distnct FROM t", "no such column: distnct."),
        ("SELECT id, distnct name FROM t", "no such column: distnct."),
        ("SELECT 1 FROM t2", "no such table: t2."),
        (
            "SELECT id FROM t WHERE name = delivered",
            "no such column: delivered; a text stands in single quotes, as in 'delivered'.",
        ),
        (
            "SELECT id FROM t WHERE name IN (Ann, Bob)",
            "no such column: Ann; a text stands in single quotes, as in 'Ann'.",
        ),
        (
            "SELECT id FROM t WHERE name LIKE ann AND id = 1",
            "no such column: ann; a text stands in single quotes, as in 'ann'.",
        ),
        ("SELECT id FROM t WHERE amount = 3", "no such column: amount."),
        ("SELECT amount FROM t WHERE id = amount", "no such column: amount."),
        (
            "SELECT o.id FROM t",
            (
                "no such column: o.id; no table of the statement is called o; name it in FROM, as "
                "in FROM t AS o."
            ),
        ),
        ("SELECT o.size FROM t AS o", "no such column: o.size."),
        (
            "SELECT id FROM t WHERE rank() OVER (ORDER BY id) = 1",
            (
                "misuse of window function rank(); compute it in a subquery, as in "
                "SELECT * FROM (SELECT ... AS place) AS t WHERE place = 1."
            ),
        ),
        (
            "SELECT id FROM t WHERE count(*) > 1",
            (
                "misuse of aggregate function count(); write HAVING after GROUP BY, or a subquery "
                "as in price = (SELECT max(price) FROM ...)."
            ),
        ),
        ("SELECT a b c, d b c FROM t", 'near "c": syntax error.'),  # either of two places
    ],
)
def test_what_sqlite_does_not_understand_is_told_with_its_place(
    statement: str, sentence: str
) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (id, name, total, a)")
        with pytest.raises(sqlite3.Error) as caught:
            connection.execute(statement)
    complaint = of_sqlite(caught.value, is_compiling=True).sentence
    assert located(complaint, statement, "sqlite").removeprefix(SAYS) == sentence


def test_what_postgres_does_not_understand_is_told_with_its_place(postgres: Postgres) -> None:
    statements = {
        "SELECT 1,\n  2,, 3": (
            'syntax error at or near "," (line 2, column 5); remove one of the two commas.'
        ),
        "SELECT id, FROM t": (
            'syntax error at or near "FROM" (line 1, column 12); remove the comma before FROM.'
        ),
        "SELECT 1 LIMIT 1 WHERE true": (
            'syntax error at or near "WHERE" (line 1, column 18); write WHERE before LIMIT.'
        ),
        """SELECT 1 FROM (SELECT 'Ann') AS t (name) WHERE name = "Ann May\"""": (
            "column \"Ann May\" does not exist; a text stands in single quotes, as in 'Ann May'."
        ),
        "SELECT o.name FROM (SELECT 'Ann') AS t (name)": (
            'missing FROM-clause entry for table "o"; no table of the statement is called o; '
            "name it in FROM, as in FROM t AS o."
        ),
        "SELECT 1 FROM (SELECT 1) AS t (a) WHERE rank() OVER () = 1": (
            "window functions are not allowed in WHERE; compute it in a subquery, as in "
            "SELECT * FROM (SELECT ... AS place) AS t WHERE place = 1."
        ),
        "SELECT [id] FROM t": 'syntax error at or near "[" (line 1, column 8).',
        "SELECT distnct a FROM (SELECT 1) AS t (a)": (
            'column "distnct" does not exist; did you mean DISTINCT?'
        ),
        "SELECT 1 GROUP BY": "syntax error at end of input (after BY, line 1, column 16).",
        "SELECT 1 WHERE count(*) > 1": (
            "aggregate functions are not allowed in WHERE; write HAVING after GROUP BY, or a "
            "subquery as in price = (SELECT max(price) FROM ...)."
        ),
    }
    with postgres.connect("postgres") as connection:
        for statement, sentence in statements.items():
            with pytest.raises(psycopg.Error) as caught:
                connection.execute(statement.encode())
            complaint = f"{SAYS}{caught.value.diag.message_primary}."
            assert located(complaint, statement, "postgres") == SAYS + sentence
        with pytest.raises(psycopg.Error) as caught:
            connection.execute("SELECT * FROM sqlite_master")
    complaint = f"{caught.value.diag.message_primary}."
    assert "; ask with /tables" in located(complaint, "SELECT * FROM sqlite_master", "postgres")


@rows("dialect", ["sqlite", "postgres", "mysql"])
def test_what_names_no_place_stays_as_it_was(dialect: Dialect) -> None:
    for complaint in ("", "The database says: division by zero.", 'near "": syntax error.'):
        assert located(complaint, "SELECT 1 / 0", dialect) == complaint
        assert located(complaint, "SELECT '", dialect) == complaint
    told = 'syntax error at or near "," (line 1, at ,)'
    assert located(told, "SELECT 1,, 2", dialect) == told


def test_the_column_that_postgres_means_is_told_as_with_other_databases(
    postgres: Postgres,
) -> None:
    people = """FROM (SELECT 'Ann', 'Bonn', 7) AS p (name, city, "Age")"""
    meant = {
        "SELECT nam": 'column "nam" does not exist; did you mean name?',
        "SELECT p.nam": "column p.nam does not exist; did you mean name?",
        "SELECT citty, name": 'column "citty" does not exist; did you mean city?',
    }
    with postgres.connect("postgres") as connection:
        for begin, sentence in meant.items():
            assert _said_by_postgres(connection, f"{begin} {people}") == SAYS + sentence
        quoted = _said_by_postgres(connection, f'SELECT "Agee" {people}')
        assert quoted.endswith('Perhaps you meant to reference the column "p.Age".')


def _said_by_postgres(connection: psycopg.Connection, statement: str) -> str:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement.encode())
    return located(of_postgres(caught.value).sentence, statement, "postgres")


def test_a_table_of_another_database_has_no_nearest_name() -> None:
    told = located("no such table: pg_tables; did you mean stables?", "SELECT 1", "sqlite")
    assert told.startswith("no such table: pg_tables; ask with /tables")
