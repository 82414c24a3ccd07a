"""What is answered: exact values, the database's own words for types, and bounds that are told."""

import sqlite3
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from chatd.answers.cut import Cut
from chatd.answers.requests import (
    DescribeTable,
    ExplainStatement,
    ListColumns,
    ListTables,
    Request,
    RunStatement,
    SampleTable,
)
from chatd.answers.table import Cell, Column
from chatd.db_mcp.arguments import ROWS_MAX
from chatd.db_mcp.statement import SAMPLE_ROWS
from chatd.sqlite_mcp.functions import VALUE_BYTES_MAX
from chatd.sqlite_mcp.handle import CALLS_WITH_LONG_VALUES
from chatd.sqlite_mcp.permissions import CALLS_MAX
from chatd.wire.codes import Code
from chatd.wire.names import RowsCut
from tests.rows import rows
from tests.sqlite_mcp.databases import ask, failure, query

COUNTING = (
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 10) SELECT n FROM r"
)


@rows(
    ("expression", "expected"),
    [
        ("NULL", None),
        ("7", 7),
        ("9007199254740991", 9007199254740991),
        ("9007199254740992", "9007199254740992"),
        ("-9223372036854775807 - 1", "-9223372036854775808"),
        ("1.5", 1.5),
        ("1e999", "inf"),
        ("'text'", "text"),
        ("'10.20'", "10.20"),
        ("'Жанна 🐘 <b>'", "Жанна 🐘 <b>"),
        ("CAST(x'41ff42' AS TEXT)", "A�B"),
        ("CAST(x'eda080' AS TEXT)", "���"),
        ("'a' || char(0) || 'b'", "a\0b"),
        ("x'00ff'", {"$bytes": "AP8="}),
        ("x''", {"$bytes": ""}),
        ("date('2026-11-24')", "2026-11-24"),
        ("'{}' -> '$'", "{}"),
        ("1 = 1", 1),
    ],
)
def test_a_value_comes_exactly(database: Path, expression: str, expected: Cell) -> None:
    (row,) = query(database, f"SELECT {expression}").rows
    assert row == [expected]
    assert type(row[0]) is type(expected)


def test_a_column_has_the_type_that_its_table_declares_or_that_of_its_values(
    database: Path,
) -> None:
    sql = (
        "SELECT id, name AS title, born, salary, photo, anything, id + 1, boss AS boss FROM people"
    )
    assert list(query(database, sql).columns) == [
        Column("id", "INTEGER"),
        Column("title", "VARCHAR(40)"),
        Column("born", "DATE"),
        Column("salary", "DECIMAL(10, 2)"),
        Column("photo", "BLOB"),
        Column("anything", None),
        Column("id + 1", "INTEGER"),
        Column("boss", "INTEGER"),
    ]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM names", ["INTEGER", "VARCHAR(40)"]),
        ("WITH c AS (SELECT born FROM people) SELECT born FROM c; -- so", ["DATE"]),
        ("SELECT a.id, b.id FROM people a, people b", ["INTEGER", "INTEGER"]),
        ("SELECT people.rowid FROM people", ["INTEGER"]),
        ("SELECT born FROM people UNION ALL SELECT word FROM secrets", ["DATE"]),
        ("VALUES (1, 2.5)", ["INTEGER", "REAL"]),
        ("SELECT body FROM notes", ["TEXT"]),
        (
            "SELECT count(*), sum(salary), NULL, x'00' FROM people",
            ["INTEGER", "REAL", None, "BLOB"],
        ),
        ("VALUES (1, 1), (2.5, 'x'), (NULL, NULL)", ["REAL", None]),
        ("SELECT 1 + 1 WHERE 0", [None]),
        ("SELECT 9007199254740993 AS big", ["INTEGER"]),
    ],
)
def test_a_type_is_found_behind_views_and_joins(
    database: Path, sql: str, expected: list[str | None]
) -> None:
    assert [column.type for column in query(database, sql).columns] == expected


def test_columns_of_one_name_are_all_there(database: Path) -> None:
    answered = query(database, "SELECT 1 AS x, 2 AS x, 3 AS x")
    assert [column.name for column in answered.columns] == ["x", "x", "x"]
    assert answered.rows == [[1, 2, 3]]


def test_no_rows_are_an_answer_too(database: Path) -> None:
    answered = query(database, "SELECT id FROM people WHERE 1 = 0")
    assert answered.columns == [Column("id", "INTEGER")]
    assert answered.rows == []
    assert not answered.outcome.is_truncated


@pytest.mark.parametrize(("most", "count", "truncated"), [(9, 9, True), (10, 10, False)])
def test_rows_end_where_the_terms_say(
    database: Path, most: int, count: int, truncated: bool
) -> None:
    answered = query(database, COUNTING, max_rows=most)
    assert len(answered.rows) == answered.outcome.row_count == count
    assert answered.outcome.is_truncated is truncated


def test_bytes_end_where_the_terms_say(database: Path) -> None:
    exact = sum(len(orjson.dumps([n])) + 1 for n in range(1, 11))
    assert not query(database, COUNTING, max_bytes=exact).outcome.is_truncated
    answered = query(database, COUNTING, max_bytes=exact - 1)
    assert answered.outcome.is_truncated
    assert answered.rows == [[n] for n in range(1, 10)]


def test_a_first_row_that_is_too_long_is_cut_and_told(database: Path) -> None:
    sql = "SELECT 1, printf('%.*c', 3000000, 'x'), zeroblob(3000000), 'short'"
    answered = query(database, sql, max_bytes=1_000)
    assert answered.outcome.is_truncated
    ((number, text, blob, short),) = answered.rows
    assert (number, short) == (1, "short")
    assert isinstance(text, str)
    assert 100 < len(text) < 1_000
    assert isinstance(blob, dict)
    assert len(orjson.dumps(answered.rows[0])) < 1_000
    assert answered.outcome.cut == Cut(values=2)  # and no row is missing


def test_that_more_rows_follow_a_first_row_that_is_shortened_is_told_too(database: Path) -> None:
    sql = "SELECT printf('%.*c', 3000, 'x') UNION ALL SELECT 'y'"
    answered = query(database, sql, max_bytes=1_000)
    assert answered.outcome.cut == Cut(RowsCut.MAX_BYTES, values=1)
    assert answered.outcome.row_count == 1


def test_a_later_row_that_is_too_long_is_left_out(database: Path) -> None:
    sql = "SELECT 'x' UNION ALL SELECT printf('%.*c', 3000000, 'x') UNION ALL SELECT 'y'"
    answered = query(database, sql, max_bytes=1_000)
    assert answered.outcome.is_truncated
    assert answered.rows == [["x"]]


def test_a_row_of_numbers_that_does_not_fit_is_left_out(database: Path) -> None:
    answered = query(database, "SELECT 123456789, 123456789", max_bytes=5)
    assert answered.outcome.is_truncated
    assert answered.rows == []


def test_a_value_beyond_what_sqlite_hands_out_ends_the_answer(database: Path) -> None:
    too_long = f"SELECT zeroblob({VALUE_BYTES_MAX} + n * 0 + (n > 2)) FROM ({COUNTING})"
    answered = query(database, too_long, max_rows=ROWS_MAX, max_bytes=100_000_000)
    assert answered.outcome.is_truncated
    assert answered.outcome.cut == Cut(RowsCut.LARGE_VALUE)
    assert answered.outcome.row_count == 1  # of two: `sqlite3` loses the one before a failure
    refused = failure(database, RunStatement(f"SELECT zeroblob({VALUE_BYTES_MAX} + 1)"))
    assert refused.code is Code.DB_ERROR
    assert "longer than 4 MiB" in refused.sentence


@pytest.mark.parametrize(
    ("sql", "code", "part"),
    [
        ("SELECT FROM", Code.DB_SYNTAX, "syntax error"),
        ("SELECT 'open", Code.DB_SYNTAX, "unrecognized token"),
        ("SELECT x FROM people", Code.DB_ERROR, "no such column: x"),
        ("SELECT * FROM absent", Code.DB_ERROR, "no such table: absent"),
        ("SELECT absent()", Code.DB_SYNTAX, "no such function: absent"),
        ("SELECT abs(-9223372036854775807 - 1)", Code.DB_ERROR, "integer overflow"),
        ("SELECT json('{')", Code.DB_ERROR, "malformed JSON"),
        ("SELECT 1; SELECT 2", Code.DB_STATEMENT_REJECTED, "one statement"),
    ],
)
def test_what_fails_says_why_in_one_sentence(
    database: Path, sql: str, code: Code, part: str
) -> None:
    failed = failure(database, RunStatement(sql))
    assert failed.code is code
    assert part in failed.sentence


def test_a_statement_calls_so_many_functions_and_no_more(database: Path) -> None:
    calls = ["abs(abs(abs(abs(abs(1)))))"] * (CALLS_MAX // 5)
    assert query(database, f"SELECT {', '.join(calls)}").rows == [[1] * len(calls)]
    refused = failure(database, RunStatement(f"SELECT {', '.join([*calls, 'abs(1)'])}"))
    assert refused.code is Code.DB_STATEMENT_REJECTED
    assert "more than 5,000 functions" in refused.sentence


def test_the_more_functions_a_statement_calls_the_shorter_its_values_may_be(database: Path) -> None:
    def calls(count: int, chars: int) -> str:
        value = f"(SELECT printf('%.*c', {chars}, 'x') AS v)"  # one call
        return f"SELECT {' + '.join(['length(v)'] * (count - 1))} FROM {value}"

    most = VALUE_BYTES_MAX - 100  # what stands beside it in its row
    assert query(database, calls(CALLS_WITH_LONG_VALUES, most)).rows == [[99 * most]]
    failed = failure(database, RunStatement(calls(4 * CALLS_WITH_LONG_VALUES, most // 3)))
    assert "its share of that in a statement of more than 100 calls" in failed.sentence
    query(database, calls(4 * CALLS_WITH_LONG_VALUES, most // 5))


@rows(
    ("sql", "sentence"),
    [
        ("SELECT now()", " has no now(); write datetime('now')."),
        ("SELECT nvl(1, 2)", " has no nvl(); write coalesce(x, y)."),
        ("SELECT concat(1, 2)", "has no concat(); write x || y."),
        ("SELECT absent()", "no such function: absent"),
        ("(SELECT 1)", "The database takes no parentheses around a statement; leave them out."),
        (" /* x */ ( SELECT 1 )", "takes no parentheses"),
    ],
)
def test_what_sqlite_does_not_have_is_told_with_what_it_has(
    database: Path, sql: str, sentence: str
) -> None:
    if "concat(1" in sql and sqlite3.sqlite_version_info >= (3, 44):
        return
    assert sentence in failure(database, RunStatement(sql)).sentence


@rows(
    ("request_", "sentence"),
    [
        ("SELECT * FROM peple", "The database says: no such table: peple; did you mean people?"),
        ("SELECT * FROM main.SECRET", "no such table: main.SECRET; did you mean secrets?"),
        ("SELECT nme FROM people", "no such column: nme; did you mean name?"),
        ("SELECT p.salry FROM people p", "no such column: p.salry; did you mean salary?"),
        ("SELECT wrd FROM people, secrets", "no such column: wrd; did you mean word?"),
        ("SELECT word FROM people", "no such column: word."),  # of another table
        ("SELECT x.name FROM people p", "no such column: x.name."),
        ("SELECT * FROM zzzzzz", "no such table: zzzzzz."),
        (DescribeTable("Peopel"), "There is no table Peopel here; did you mean people?"),
        (SampleTable("main.peopl"), "There is no table main.peopl here; did you mean people?"),
        (DescribeTable("other.people"), "other.people here; did you mean people?"),
        (DescribeTable("qqqqqq"), "There is no table qqqqqq here."),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest_names(
    database: Path, request_: Request | str, sentence: str
) -> None:
    asked = RunStatement(request_) if isinstance(request_, str) else request_
    assert failure(database, asked).sentence.endswith(sentence)


def test_no_name_outside_of_the_context_is_told(database: Path) -> None:
    failed = failure(database, RunStatement("SELECT * FROM secret"), tables=("people", "secret"))
    assert failed.sentence == "The database says: no such table: secret."
    failed = failure(database, RunStatement("SELECT wor FROM people"), tables=("people",))
    assert "word" not in failed.sentence


def test_text_that_is_no_utf_8_does_not_break_an_answer(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE broken (x TEXT)")
        connection.execute("INSERT INTO broken VALUES (CAST(x'c328' AS TEXT)), ('fine')")
    assert query(database, "SELECT x, length(x), upper(x) FROM broken").rows == [
        ["�(", 2, "�("],
        ["fine", 4, "FINE"],
    ]


def test_tables_are_listed_by_name(database: Path) -> None:
    answered = ask(database, ListTables())
    assert [column.name for column in answered.columns] == ["name", "kind", "columns"]
    assert [list(row[:2]) for row in answered.rows] == [
        ["audit", "table"],
        ["names", "view"],
        ["notes", "table"],
        ["people", "table"],
        ["secrets", "table"],
    ]
    assert answered.rows[3] == ["people", "table", 7]


def test_columns_of_all_tables_are_listed_with_them(database: Path) -> None:
    answered = ask(database, ListColumns())
    assert [column.name for column in answered.columns] == [
        *("name", "kind", "column_name", "column_type")
    ]
    tables = [tuple(row[:2]) for row in ask(database, ListTables()).rows]
    assert list(dict.fromkeys(tuple(row[:2]) for row in answered.rows)) == tables
    assert [row[2:] for row in answered.rows if row[0] == "people"][:2] == [
        ["id", "INTEGER"],
        ["name", "VARCHAR(40)"],
    ]
    narrowed = ask(database, ListColumns(), tables=("names",)).rows
    assert {row[0] for row in narrowed} == {"names"}
    assert len(ask(database, ListColumns(), max_rows=1).rows) == 1


def test_a_table_is_described(database: Path) -> None:
    answered = ask(database, DescribeTable("People"))
    assert [column.name for column in answered.columns] == [
        "name",
        "type",
        "nullable",
        "default",
        "primaryKey",
        "references",
    ]
    assert answered.rows == [
        ["id", "INTEGER", False, None, 1, None],
        ["name", "VARCHAR(40)", False, None, None, None],
        ["born", "DATE", True, None, None, None],
        ["salary", "DECIMAL(10, 2)", True, "0", None, None],
        ["photo", "BLOB", True, None, None, None],
        ["anything", None, True, None, None, None],
        ["boss", "INTEGER", True, None, None, "people.id"],
    ]
    assert ask(database, DescribeTable("secrets")).rows[1][5] == "people"
    assert [row[0] for row in ask(database, DescribeTable("notes")).rows] == ["body"]


def test_a_table_is_sampled(database: Path) -> None:
    answered = ask(database, SampleTable("PEOPLE"), max_rows=2)
    assert [row[1] for row in answered.rows] == ["Ada", "Жанна 🐘"]
    assert not answered.outcome.is_truncated  # it is a sample; there is more in any case
    assert answered.columns[1] == Column("name", "VARCHAR(40)")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(f"CREATE TABLE numbers AS {COUNTING.replace('10', '99')}")
    assert len(ask(database, SampleTable("numbers")).rows) == SAMPLE_ROWS


@pytest.mark.parametrize(
    "name", ['odd "name"', "select", "x; DROP TABLE people", "[a]", "a'b", "😀"]
)
def test_a_table_of_any_name_is_described_and_sampled(database: Path, name: str) -> None:
    quoted = name.replace('"', '""')
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(f'CREATE TABLE "{quoted}" (a)')
        connection.execute(f'INSERT INTO "{quoted}" VALUES (1)')
    assert ask(database, DescribeTable(name)).rows[0][0] == "a"
    assert ask(database, SampleTable(name)).rows == [[1]]


def test_a_table_may_be_named_with_its_schema(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executescript('CREATE TABLE "main.odd" (b); INSERT INTO "main.odd" VALUES (2);')
    assert ask(database, SampleTable("Main.secrets")).rows == [["swordfish", 1]]
    assert ask(database, DescribeTable("main.secrets"), tables=("secrets",)).rows
    assert ask(database, SampleTable("main.odd")).rows == [[2]]
    refused = failure(database, SampleTable("main.secrets"), tables=("people",))
    assert refused.code is Code.DB_STATEMENT_REJECTED
    assert failure(database, SampleTable("temp.secrets")).code is Code.DB_ERROR


@pytest.mark.parametrize("request_kind", [DescribeTable, SampleTable])
def test_a_table_that_is_not_there_is_told(
    database: Path, request_kind: type[DescribeTable | SampleTable]
) -> None:
    failed = failure(database, request_kind("nothing\n\x1b[31m"))
    assert failed.code is Code.DB_ERROR
    assert failed.sentence == "There is no table nothing\\n\\x1b[31m here."


def test_a_plan_is_told_and_nothing_runs(database: Path) -> None:
    endless = (
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"
    )
    assert ask(database, ExplainStatement(endless)).rows
    answered = ask(database, ExplainStatement("SELECT * FROM people WHERE name = 'Ada'"))
    assert [column.name for column in answered.columns] == ["id", "parent", "detail"]
    assert "people_by_name" in str(answered.rows[0][2])


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough to be looked at"])
def test_a_file_that_is_no_database_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(content * 100)
    if not content:  # which is a database without tables
        assert ask(path, ListTables()).rows == []
    else:
        assert failure(path, ListTables()).sentence == "The file is no SQLite database."


def test_a_file_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    for terms in ({}, {"writable": True, "read_only": False}):
        failed = failure(tmp_path / "nothing.db", RunStatement("CREATE TABLE x (y)"), **terms)
        assert failed.code in (Code.DB_ERROR, Code.DB_READ_ONLY)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_told(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[4_096:] = b"\xff" * (len(content) - 4_096)
    database.write_bytes(content)
    assert failure(database, RunStatement("SELECT * FROM people")).sentence == (
        "The database file is damaged."
    )


def test_a_name_with_marks_of_a_url_is_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=rwc#b%20c.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE x (y)")
    assert [row[0] for row in ask(path, ListTables()).rows] == ["x"]
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
