"""A narrowing holds whatever the statement calls things; and nothing else is in its way."""

from pathlib import Path

import pytest

from chatd.answers.requests import DescribeTable, ListTables, RunStatement, SampleTable
from chatd.wire.codes import Code
from tests.rows import rows
from tests.sqlite_mcp.databases import ask, checksum, failure, query, write

OUTSIDE = (
    "SELECT * FROM secrets",
    "SELECT word FROM SECRETS",
    "SELECT 1 FROM secrets",
    "SELECT count(*) FROM secrets",
    "SELECT count(*) FROM main.secrets",
    'SELECT "word" FROM "secrets"',
    "SELECT people.* FROM people, secrets",
    "SELECT name, (SELECT word FROM secrets) FROM people",
    "SELECT name FROM people WHERE EXISTS (SELECT 1 FROM secrets)",
    "SELECT name FROM people WHERE id IN (SELECT people_id FROM secrets)",
    "SELECT name FROM people UNION SELECT word FROM secrets",
    "WITH people AS (SELECT * FROM secrets) SELECT * FROM people",
    "WITH names AS (SELECT word FROM secrets) SELECT * FROM names",
    "WITH RECURSIVE p AS (SELECT word FROM secrets UNION SELECT * FROM p) SELECT * FROM p",
    "SELECT * FROM (SELECT word AS name FROM secrets) AS people",
    "SELECT people.word FROM secrets AS people",
    "SELECT * FROM people JOIN secrets ON people_id = id",
    "SELECT * FROM people NATURAL JOIN secrets",
    "SELECT name FROM people ORDER BY (SELECT word FROM secrets)",
    "SELECT sum(id) OVER (ORDER BY (SELECT word FROM secrets)) FROM people",
    "SELECT * FROM sqlite_schema",
    "SELECT sql FROM sqlite_master",
    "SELECT count(*) FROM sqlite_master",
    "SELECT rowid FROM sqlite_schema",
    "SELECT * FROM sqlite_sequence",
    "SELECT body FROM notes",
    "SELECT c0 FROM notes_content",
    "SELECT * FROM notes_data",
    "PRAGMA table_info(secrets)",
    "PRAGMA main.table_xinfo('secrets')",
    "PRAGMA index_list(secrets)",
    "PRAGMA foreign_key_list(secrets)",
    "PRAGMA table_list",
    "EXPLAIN SELECT * FROM secrets",
)


@rows("sql", OUTSIDE)
def test_a_table_outside_is_not_read(database: Path, sql: str) -> None:
    refused = failure(database, RunStatement(sql), tables=("people", "names"))
    assert refused.code is Code.DB_STATEMENT_REJECTED
    assert "swordfish" not in refused.sentence


@rows(
    ("sql", "tables"),
    [
        ("SELECT name FROM people", ("people",)),
        ("SELECT name FROM People", ("PEOPLE",)),
        ("SELECT 1", ()),
        ("SELECT value FROM json_each('[1]')", ()),
        ("SELECT count(*) FROM people", ("people",)),
        ("WITH c AS (SELECT id FROM people) SELECT count(*) FROM c", ("people",)),
        (
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION SELECT n + 1 FROM c LIMIT 2) SELECT 1 FROM c",
            (),
        ),
        ("SELECT name FROM names", ("people", "names")),
        ("SELECT count(*) FROM names", ("people", "names")),
        ("SELECT body FROM notes WHERE notes MATCH 'fox'", ("notes",)),
        ("SELECT highlight(notes, 0, '[', ']') FROM notes('fox')", ("notes",)),
        ("PRAGMA table_info(people)", ("people",)),
    ],
)
def test_what_lies_within_is_read(database: Path, sql: str, tables: tuple[str, ...]) -> None:
    assert query(database, sql, tables=tables).rows


def test_a_view_is_read_only_where_its_tables_may_be(database: Path) -> None:
    # SQLite cannot tell a view from a common table expression of its name.
    refused = failure(database, RunStatement("SELECT name FROM names"), tables=("names",))
    assert refused.sentence == "The table people is outside of what this question may touch."


def test_only_tables_within_are_listed_described_and_sampled(database: Path) -> None:
    tables = ("people", "Names")
    assert [row[0] for row in ask(database, ListTables(), tables=tables).rows] == [
        "names",
        "people",
    ]
    for request in (DescribeTable("secrets"), SampleTable("secrets")):
        assert failure(database, request, tables=tables).code is Code.DB_STATEMENT_REJECTED
    assert ask(database, DescribeTable("PEOPLE"), tables=tables).rows
    assert ask(database, SampleTable("PEOPLE"), tables=tables).rows


def test_letters_beyond_ascii_keep_their_case(database: Path) -> None:
    write(database, "CREATE TABLE Ärger (x)")
    write(database, "CREATE TABLE ärger (x)")
    refused = failure(database, RunStatement("SELECT * FROM Ärger"), tables=("ärger",))
    assert refused.code is Code.DB_STATEMENT_REJECTED
    assert query(database, "SELECT * FROM ärger", tables=("ÄRGER", "ärger")).rows == []


@rows(
    ("sql", "tables"),
    [
        ("INSERT INTO secrets VALUES ('x', 1)", ("people",)),
        ("INSERT INTO audit SELECT word FROM secrets", ("audit",)),
        ("UPDATE secrets SET word = 'x'", ("people",)),
        ("UPDATE people SET name = 'x'", ("people",)),  # its trigger writes to audit
        ("DELETE FROM secrets", ("people",)),
        ("DROP TABLE secrets", ("people",)),
        ("DROP INDEX people_by_name", ("secrets",)),
        ("ALTER TABLE secrets ADD COLUMN x", ("people",)),
        ("CREATE TABLE other (x)", ("people",)),
        ("CREATE INDEX other ON secrets (word)", ("people",)),
        ("CREATE TABLE mine AS SELECT sql FROM sqlite_schema", ("mine",)),
        ("CREATE TABLE mine AS SELECT * FROM secrets", ("mine",)),
        ("INSERT INTO audit SELECT name FROM sqlite_schema", ("audit",)),
        ("DELETE FROM sqlite_sequence", ("people",)),
    ],
)
def test_nothing_outside_is_written(database: Path, sql: str, tables: tuple[str, ...]) -> None:
    before = checksum(database)
    terms = {"writable": True, "read_only": False, "tables": tables}
    refused = failure(database, RunStatement(sql), **terms)
    assert refused.code is Code.DB_STATEMENT_REJECTED
    assert checksum(database) == before


def test_what_lies_within_is_made_and_changed(database: Path) -> None:
    for sql in (
        "CREATE TABLE mine (x)",
        "INSERT INTO mine VALUES (1)",
        "ALTER TABLE mine ADD COLUMN y",
        "CREATE INDEX mine_by_x ON mine (x)",
        "DROP INDEX mine_by_x",
    ):
        write(database, sql, tables=("mine",))
    assert query(database, "SELECT * FROM mine").rows == [[1, None]]


@pytest.mark.parametrize("schema", ["main", "MAIN", None])
def test_the_one_schema_may_be_named(database: Path, schema: str | None) -> None:
    assert query(database, "SELECT 1", schema=schema).rows == [[1]]


@pytest.mark.parametrize("schema", ["temp", "public", "mäin"])
def test_there_is_no_other_schema(database: Path, schema: str) -> None:
    assert failure(database, ListTables(), schema=schema).code is Code.DB_ERROR
