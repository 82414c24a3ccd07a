"""What a database says of a statement, with the place in it as it was written."""

import sqlite3
from contextlib import closing
from typing import Final

import psycopg
import pytest

from chatd.answers.sql.complaints import located
from chatd.answers.sql.lexer import Dialect
from chatd.sqlite_mcp.failures import as_failure as of_sqlite
from tests.postgres import Postgres
from tests.rows import rows

SAYS: Final = "The database says: "


@rows(
    ("statement", "sentence"),
    [
        ("SELECT id,\n\n, total FROM t", 'near "," (line 3, column 1): syntax error.'),
        ("SELECT id, name, FROM t", 'near "FROM" (line 1, column 18): syntax error.'),
        ("SELECT /* a, b, c */ id,, x, y FROM t", 'near "," (line 1, column 25): syntax error.'),
        ("SELECT * orders", 'near "orders" (line 1, column 10): syntax error.'),
        ("SELECT * FROM t GROUP BY", "incomplete input (after BY, line 1, column 23)."),
        ("SELECT * FROM t LIMIT 1 OFFSET 2 ROWS", 'near "ROWS" (line 1, column 34): syntax error.'),
        (
            "SELECT * FROM t WHERE a ILIKE 'x'",
            "SQLite has no ILIKE; write LIKE, which does not look at case (line 1, column 25).",
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
        "SELECT 1,\n  2,, 3": 'syntax error at or near "," (line 2, column 5).',
        "SELECT id, FROM t": 'syntax error at or near "FROM" (line 1, column 12).',
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


def test_a_table_of_another_database_has_no_nearest_name() -> None:
    told = located("no such table: pg_tables; did you mean stables?", "SELECT 1", "sqlite")
    assert told.startswith("no such table: pg_tables; ask with /tables")
