"""The guard beside its corpus, beside SQLite itself, and beside texts made to be bad."""

import sqlite3
import threading
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatd.answers.sql.functions import FUNCTIONS, words
from chatd.answers.sql.guard import DEPTH_MAX, NAME_CHARS_MAX, check_statement, check_table
from chatd.answers.sql.keywords import BEFORE_PARENTHESES
from chatd.answers.sql.lexer import STATEMENT_CHARS_MAX, Dialect
from chatd.answers.sql.questions import question_in
from chatd.answers.sql.scopes import TableName
from chatd.answers.sql.verdicts import Allowed, Policy, Rejected
from chatd.wire.codes import Code
from tests.answers.sql.corpus import DIALECTS, bad, good
from tests.rows import rows

dialects = st.sampled_from(DIALECTS)
READING_ACTIONS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}


def allowed(sql: str, policy: Policy) -> Allowed:
    verdict = check_statement(sql, policy)
    assert isinstance(verdict, Allowed), (sql, verdict)
    return verdict


def rejected(sql: str, policy: Policy) -> Rejected:
    verdict = check_statement(sql, policy)
    assert isinstance(verdict, Rejected), (sql, verdict)
    return verdict


@rows(("dialect", "sql", "why"), bad())
def test_a_statement_that_writes_or_escapes_is_refused(
    dialect: Dialect, sql: str, why: str
) -> None:
    verdict = rejected(sql, Policy(dialect))
    assert verdict.code in (Code.DB_READ_ONLY, Code.DB_STATEMENT_REJECTED, Code.DB_SYNTAX), why
    assert verdict.sentence.endswith((".", "?"))


@rows(("dialect", "sql"), good())
def test_an_honest_statement_passes(dialect: Dialect, sql: str) -> None:
    assert allowed(sql, Policy(dialect)).is_reading
    assert allowed(sql, Policy(dialect, read_only=False)).is_reading


@rows(
    ("sql", "code"),
    [
        ("INSERT INTO t VALUES (1)", Code.DB_READ_ONLY),
        ("WITH x AS (DELETE FROM t RETURNING a) SELECT a FROM x", Code.DB_READ_ONLY),
        ("SELECT * INTO copied FROM t", Code.DB_READ_ONLY),
        ("SELECT * FROM t FOR UPDATE", Code.DB_READ_ONLY),
        ("SELECT 1; SELECT 2", Code.DB_STATEMENT_REJECTED),
        ("SELECT pg_sleep(1)", Code.DB_STATEMENT_REJECTED),
        ("SELECT 1 /*! */", Code.DB_STATEMENT_REJECTED),
        ("COPY t FROM STDIN", Code.DB_STATEMENT_REJECTED),
        ("SELECT * FROM t WHERE", Code.DB_SYNTAX),
        ("SELECT (1", Code.DB_SYNTAX),
        ("", Code.DB_SYNTAX),
    ],
)
def test_the_code_says_what_is_wrong(sql: str, code: Code) -> None:
    assert rejected(sql, Policy("postgres")).code is code


def test_the_database_gets_the_statement_alone() -> None:
    text = "-- all of them\nSELECT a /* the first */ FROM t ; -- done"
    assert allowed(text, Policy("sqlite")).sql == "SELECT a   FROM t"


def test_mysql_gets_no_space_before_the_parenthesis_of_a_call() -> None:
    # With one, `now ()` is a stored function of the database, if there is such.
    policy = Policy("mysql")
    assert allowed("SELECT now (), max\n( a )/**/, date /**/(b)", policy).sql == (
        "SELECT now(), max( a ) , date(b)"
    )
    sql = "SELECT a FROM t WHERE a IN (1) AND b = ANY (SELECT 1) GROUP BY a HAVING (a)"
    assert allowed(sql, policy).sql == sql


@pytest.mark.parametrize("word", ["replace", "delete", "copy", "load", "set", "into", "table"])
def test_a_column_with_the_name_of_a_banned_word_passes_in_quotes_only(word: str) -> None:
    for dialect, quote in (("sqlite", '"'), ("postgres", '"'), ("mysql", "`")):
        policy = Policy(dialect)  # type: ignore[arg-type]
        allowed(f"SELECT {quote}{word}{quote} FROM t", policy)
        rejected(f"SELECT {word} FROM t", policy)


# --- the grammar is not believed, and does not have to be ----------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS)  # each with a time limit of its own
@rows(
    "sql",
    [
        "SELECT " + "(" * 9_000 + "1" + ")" * 9_000,
        "SELECT " + "(" * 15_000,
        "SELECT " + "array[" * 38 + "1" + "]" * 38,
        "SELECT " + "decimal(" * 38 + "1" + ")" * 38,
        "SELECT * FROM a " + "JOIN b " * 60,
        "SELECT * FROM a " + "JOIN b " * 2_500,
        "SELECT " + "NOT " * 4_900 + "1",
        "SELECT " + "CASE WHEN " * 1_900 + "1",
        "SELECT 1" + "+1" * 9_900,
        "SELECT 1" + " UNION SELECT 1" * 1_300,
        "SELECT a" + ".a" * 9_900,
        "SELECT " + "a," * 9_900 + "a",
        "SELECT '" + "''" * 9_900,
        "SELECT a FROM t GROUP BY " + "cube(a)," * 2_400 + "a",
        "SELECT * FROM " + "unnest(a,b)," * 1_600 + "a",
        "SELECT * FROM a WHERE " + "(a)like(b)or " * 1_500 + "a",
        "SELECT " + "/**/" * 4_900,
        "SELECT " + "interval " * 2_000 + "1",
        "WITH " + ",".join(f"c{n} AS (SELECT 1)" for n in range(900)) + " SELECT 1",
        "SELECT 1 " + "x" * 100_000,
    ],
    ids=lambda sql: f"{sql[:24]} {len(sql)}" if len(sql) > 10 else sql,
)
def test_no_text_hangs_or_breaks_the_guard(dialect: Dialect, sql: str) -> None:
    # Whatever comes of it, something comes: a hang ends in the time limit of the test.
    assert check_statement(sql, Policy(dialect)) is not None
    assert check_statement(sql, Policy(dialect, schema="main", tables=("b",))) is not None


def test_nothing_of_a_statement_gets_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    # sqlglot logs the text of what it takes unparsed, and of JSON paths that it does not know.
    for dialect, sql in [*good(), *((dialect, sql) for dialect, sql, _ in bad())]:
        for read_only in (True, False):
            check_statement(sql, Policy(dialect, read_only))
    for sql in ("CREATE TRIGGER secret AFTER", "SELECT a -> 'secret[[' FROM t", "ALTER TABLE a b"):
        check_statement(sql, Policy("sqlite", read_only=False))
        question_in(sql, "sqlite")
    # A thread that an earlier test left behind may write to the log as well.
    assert [one for one in caplog.records if one.thread == threading.get_ident()] == []


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@given(NAMES, NAMES, dialects)
@example("$", "$", "sqlite")
def test_every_name_in_quotes_is_the_name_that_its_database_reads(
    name: str, column: str, dialect: Dialect
) -> None:
    quote = "`" if dialect == "mysql" else '"'
    table, field = (quote + one.replace(quote, quote * 2) + quote for one in (name, column))
    sql = f"SELECT {field}, t.{field} AS {field} FROM s.{table} t ORDER BY {field}"
    assert allowed(sql, Policy(dialect)).sql == sql
    assert check_table(table, Policy(dialect)) in (
        TableName(name),
        Rejected(Code.DB_STATEMENT_REJECTED, closed_sentence(name)),
    )
    inside = Policy(dialect, schema="s", tables=(f"s.{table}",))
    is_system = TableName(name, "s").is_system(dialect)
    assert isinstance(check_statement(sql, inside), Allowed) is not is_system
    rejected(sql, Policy(dialect, schema="s", tables=(f"s.{quote}{quote * 2}x{quote}",)))


def closed_sentence(name: str) -> str:
    return f"{name} may not be read here; it can tell secrets of the server."


def test_depth_and_length_are_bounded() -> None:
    def nested(depth: int) -> str:
        return "SELECT " + "(" * depth + "1" + ")" * depth

    policy = Policy("sqlite")
    allowed(nested(DEPTH_MAX), policy)
    assert "nested too deeply" in rejected(nested(DEPTH_MAX + 1), policy).sentence
    long = "SELECT '" + "x" * (STATEMENT_CHARS_MAX - 9) + "'"
    allowed(long, policy)
    assert "may have" in rejected(long + " ", policy).sentence


def test_what_the_grammar_needs_too_many_steps_for_is_refused() -> None:
    sql = "SELECT " + "array[" * 30 + "1" + "]" * 30
    verdict = rejected(sql, Policy("postgres"))
    assert verdict.code is Code.DB_STATEMENT_REJECTED
    assert "more simply" in verdict.sentence


def test_a_word_before_a_parenthesis_calls_nothing_or_is_listed_never_both_by_mistake() -> None:
    # Functions that are also words of the grammar: each was looked at.
    both = {dialect: BEFORE_PARENTHESES[dialect] & FUNCTIONS[dialect] for dialect in DIALECTS}
    assert both == {
        "sqlite": words("char date datetime like time"),
        "postgres": frozenset(),
        "mysql": words("char interval left right"),
    }


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT dblink(a) AS (values text) FROM t",
        "WITH x AS (SELECT 1), dblink(a) AS (a int) SELECT 1",
        "SELECT DISTINCT ON (a) lo_unlink(1) FROM t",
        "SELECT DISTINCT ON (a) group_concat(b) FROM t",
        "SELECT 1 AS lo_unlink(1)",
        "SELECT (1) lo_unlink(1)",
        "WITH lo_unlink(a) AS (SELECT lo_unlink(1)) SELECT 1",
        "SELECT NOT EXISTS lo_unlink(1)",
    ],
)
def test_the_places_where_a_name_is_no_call_hide_none(sql: str) -> None:
    rejected(sql, Policy("postgres"))
    rejected(sql, Policy("postgres", read_only=False))


# --- SQLite itself is asked --------------------------------------------------------------------


def actions_of(sql: str) -> set[tuple[int, str | None]]:
    """What SQLite would do for the statement; empty where it does not understand it."""
    seen: set[tuple[int, str | None]] = set()
    database = sqlite3.connect(":memory:", isolation_level=None)
    for table in ("t", "u", "a", "b", "orders", "customers", "secret"):
        database.execute(f"CREATE TABLE {table} (a, b, c, id, total, status, customer)")

    def note(action: int, one: str | None, two: str | None, *_: object) -> int:
        seen.add((action, two if action == sqlite3.SQLITE_FUNCTION else one))
        return sqlite3.SQLITE_OK

    database.set_authorizer(note)
    try:
        database.execute(f"EXPLAIN {sql}").fetchall()
    except sqlite3.Error:
        seen.clear()
    except sqlite3.Warning:  # several statements
        seen.add((-1, "several statements"))
    finally:
        database.close()
    return seen


@rows(("dialect", "sql"), [entry for entry in good() if entry[0] == "sqlite"])
def test_sqlite_itself_only_reads_for_what_passes(dialect: Dialect, sql: str) -> None:
    verdict = allowed(sql, Policy(dialect))
    assert {action for action, _ in actions_of(verdict.sql)} <= READING_ACTIONS


spaces = st.sampled_from([" ", "\n", "\t", "/**/", "/* x */", "-- x\n", " /*'*/ ", "\r\n"])


@st.composite
def mutated(draw: st.DrawFn, statements: list[tuple[Dialect, str]]) -> tuple[Dialect, str]:
    """A statement with other white space, comments between its words, in other case."""
    dialect, sql = draw(st.sampled_from(statements))
    pieces = sql.split(" ")
    text = pieces[0] + "".join(draw(spaces) + piece for piece in pieces[1:])
    recase = draw(st.sampled_from([str, str.lower, str.upper, str.swapcase, str.title]))
    # Beyond ASCII another case may be another text: a Kelvin sign becomes a plain k.
    return dialect, recase(text) if text.isascii() else text


@given(mutated([(dialect, sql) for dialect, sql, _ in bad()]))
def test_white_space_comments_and_case_do_not_help(statement: tuple[Dialect, str]) -> None:
    dialect, sql = statement
    rejected(sql, Policy(dialect))


@st.composite
def spliced(draw: st.DrawFn) -> str:
    """Parts of statements of SQLite, good and bad ones, put together in some order."""
    pools = [sql for dialect, sql, _ in bad() if dialect == "sqlite"]
    pools += [sql for dialect, sql in good() if dialect == "sqlite"]
    words = draw(st.lists(st.sampled_from(pools), min_size=1, max_size=3))
    cut = [piece for sql in words for piece in sql.split(" ")]
    start = draw(st.integers(0, len(cut)))
    stop = draw(st.integers(start, len(cut)))
    return draw(st.sampled_from(["", "SELECT ", "WITH x AS (", "VALUES ("])) + " ".join(
        cut[start:stop]
    )


@given(st.one_of(spliced(), mutated([e for e in good() if e[0] == "sqlite"]).map(lambda e: e[1])))
def test_whatever_passes_sqlite_itself_only_reads(sql: str) -> None:
    verdict = check_statement(sql, Policy("sqlite"))
    if isinstance(verdict, Allowed):
        seen = actions_of(verdict.sql)
        assert {action for action, _ in seen} <= READING_ACTIONS
        called = {str(name).upper() for action, name in seen if action == sqlite3.SQLITE_FUNCTION}
        assert called <= FUNCTIONS["sqlite"] | {"LIKE", "GLOB", "MATCH", "->", "->>"}


@given(st.one_of(spliced(), mutated([e for e in good() if e[0] == "sqlite"]).map(lambda e: e[1])))
def test_whatever_passes_a_narrow_context_reads_nothing_else(sql: str) -> None:
    verdict = check_statement(sql, Policy("sqlite", tables=("t", "orders")))
    if isinstance(verdict, Allowed):
        read = {name for action, name in actions_of(verdict.sql) if action == sqlite3.SQLITE_READ}
        assert not read & {"u", "a", "b", "customers", "secret", "sqlite_master"}


# --- texts made to be bad ------------------------------------------------------------------------

BANNED = words("""
    insert update delete merge into copy attach pragma call grant alter drop create truncate lock
    execute prepare handler load table set vacuum outfile
""")
banned = st.sampled_from(sorted(BANNED)).flatmap(
    lambda word: st.sampled_from([word, word.lower(), word.title()])
)
harmless = st.sampled_from(
    [
        "a",
        "1",
        "'x'",
        "(",
        ")",
        ",",
        "FROM",
        "t",
        "SELECT",
        "WHERE",
        "=",
        "AS",
        "*",
        "UNION",
        "JOIN",
    ]
)


@given(st.lists(harmless, max_size=8), banned, st.lists(harmless, max_size=8), dialects, spaces)
def test_a_banned_word_outside_of_quotes_is_never_allowed(
    before: list[str], word: str, after: list[str], dialect: Dialect, space: str
) -> None:
    for beginning in ("SELECT", "WITH x AS (", ""):
        rejected(space.join([beginning, *before, word, *after]), Policy(dialect))


@given(
    st.text(max_size=60),
    dialects,
    st.booleans(),
    st.none() | st.text(max_size=5),
    st.none() | st.lists(st.text(max_size=8), max_size=3).map(tuple),
)
def test_no_text_and_no_policy_make_it_raise(
    text: str, dialect: Dialect, read_only: bool, schema: str | None, tables: tuple[str, ...] | None
) -> None:
    policy = Policy(dialect, read_only, schema, tables)
    for sql in (text, f"SELECT {text}", f"SELECT a FROM {text}", f"CREATE TABLE {text}"):
        check_statement(sql, policy)
    check_table(text, policy)


def test_a_name_that_is_no_unicode_does_not_make_it_raise() -> None:
    allowed('SELECT "\ud800".a FROM t AS "\ud800"', Policy("postgres"))


@given(st.text("();,'\"`[]$:.*+-/<>=!|&~^%#?@{}\\ \na1", max_size=40), dialects)
def test_no_signs_make_it_raise(text: str, dialect: Dialect) -> None:
    for sql in (f"SELECT {text}", f"SELECT * FROM t WHERE {text}"):
        check_statement(sql, Policy(dialect))


# --- writes, where they are allowed --------------------------------------------------------------

WRITES: list[tuple[str, str]] = [
    ("*", "INSERT INTO orders (id, total) VALUES (1, 2), (3, 4)"),
    ("*", "INSERT INTO main.orders (id) SELECT id FROM t"),
    ("*", "UPDATE orders SET total = total + 1, status = lower(status) WHERE id = 1"),
    ("*", "DELETE FROM orders WHERE id IN (SELECT id FROM t)"),
    ("*", "CREATE TABLE x (id int PRIMARY KEY, name varchar(20) NOT NULL DEFAULT 'a')"),
    ("*", "CREATE TABLE x AS SELECT a FROM t"),
    ("*", "CREATE INDEX i ON orders (id, total)"),
    ("*", "CREATE UNIQUE INDEX i ON orders (id)"),
    ("*", "CREATE TABLE IF NOT EXISTS x (a int, b int, FOREIGN KEY (b) REFERENCES orders (id))"),
    ("postgres mysql", "DROP TABLE orders RESTRICT"),
    ("*", "CREATE TABLE x (b int REFERENCES orders (id) ON DELETE CASCADE)"),
    ("*", "ALTER TABLE orders ADD COLUMN x int"),
    ("*", "ALTER TABLE orders DROP COLUMN x"),
    ("*", "DROP TABLE IF EXISTS orders"),
    ("postgres mysql", "TRUNCATE TABLE orders"),
    ("sqlite mysql", "REPLACE INTO t VALUES (1)"),
    ("sqlite mysql", "/* again */ replace INTO t (a, b) VALUES (1, replace(lower('x'), 'y', 'z'))"),
    ("sqlite mysql", "REPLACE INTO orders (id) SELECT id FROM t"),
    ("sqlite", "INSERT OR REPLACE INTO t VALUES (1)"),
    ("mysql", "REPLACE INTO t SET a = 1"),
    ("sqlite postgres", "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2"),
    ("sqlite postgres", "INSERT INTO t (a) VALUES (1) RETURNING a"),
    ("mysql", "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a)"),
    ("postgres", "WITH gone AS (DELETE FROM t RETURNING a) SELECT count(*) FROM gone"),
    ("postgres", "INSERT INTO t SELECT table_name FROM information_schema.tables"),
    ("sqlite", "DELETE FROM t WHERE name NOT IN (SELECT name FROM sqlite_schema)"),
    ("postgres", "UPDATE orders AS o SET total = n.total FROM news n WHERE n.id = o.id"),
    ("postgres", "DELETE FROM orders o USING news n WHERE n.id = o.id RETURNING o.id"),
    (
        "postgres",
        "INSERT INTO t AS x (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET b = excluded.b + x.b",
    ),
]

ESCAPES: list[tuple[str, str]] = [
    ("*", "INSERT INTO t VALUES (1); DROP TABLE t"),
    ("*", "ATTACH 'x' AS y"),
    ("*", "PRAGMA journal_mode = DELETE"),
    ("*", "COPY t FROM PROGRAM 'id'"),
    ("*", "VACUUM INTO 'x'"),
    ("*", "INSERT INTO t SELECT load_extension('x')"),
    ("*", "INSERT INTO t VALUES (pg_read_file('x'))"),
    ("*", "UPDATE t SET a = load_file('x')"),
    ("*", "DELETE FROM t WHERE sleep(10)"),
    ("*", "CREATE TABLE x AS SELECT a FROM t JOIN u ON readfile('x')"),
    ("*", "CREATE TABLE x (a int DEFAULT (pg_read_file('x')))"),
    ("*", "CREATE VIRTUAL TABLE x USING csv(filename='y')"),
    ("*", "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END"),
    ("*", "CREATE FUNCTION f() RETURNS int AS 'x' LANGUAGE c"),
    ("*", "CREATE EXTENSION plpython3u"),
    ("*", "CREATE DATABASE x"),
    ("*", "CREATE SCHEMA x"),
    ("*", "CREATE USER x"),
    ("*", "CREATE ROLE x SUPERUSER"),
    ("*", "CREATE SERVER x FOREIGN DATA WRAPPER y"),
    ("*", "ALTER SYSTEM SET x = 1"),
    ("*", "ALTER USER x PASSWORD 'y'"),
    ("*", "ALTER DATABASE x SET y = 1"),
    ("*", "DROP DATABASE x"),
    ("*", "DROP SCHEMA x CASCADE"),
    ("*", "GRANT ALL ON t TO x"),
    ("*", "SET x = 1"),
    ("mysql", "SELECT 1 INTO OUTFILE 'x'"),
    ("mysql", "LOAD DATA INFILE 'x' INTO TABLE t"),
    ("mysql", "CREATE TABLE x (a int) ENGINE = FEDERATED CONNECTION = 'mysql://x'"),
    ("mysql", "CREATE TABLE x (a int) DATA DIRECTORY = '/tmp'"),
    ("mysql", "INSERT INTO mysql.user VALUES (1)"),
    ("postgres", "SELECT * INTO x FROM t"),
    ("postgres", "UPDATE t SET a = g.lo_unlink FROM generate_series(1, 9) g"),
    ("postgres", "INSERT INTO t SELECT g.nextval FROM string_to_table('s', '|') g"),
    ("postgres", "DO $$ BEGIN END $$"),
    ("postgres", "CREATE TABLE x (a int) TABLESPACE y"),
    ("postgres", "CREATE TABLE x (LIKE t)"),
    ("postgres", "UPDATE pg_authid SET rolsuper = true"),
    ("postgres", "ALTER TABLE t OWNER TO x"),
    ("*", "CREATE VIEW v AS SELECT a FROM t"),
    ("*", "DROP VIEW v"),
    ("postgres mysql", "CREATE OR REPLACE VIEW v AS SELECT a FROM t"),
    ("postgres", "CREATE MATERIALIZED VIEW v AS SELECT a FROM t"),
    ("postgres", "ALTER VIEW v RENAME TO w"),
    ("*", "CREATE TEMPORARY TABLE orders (a int)"),
    ("sqlite postgres", "CREATE TEMP TABLE orders AS SELECT 1 AS a"),
    ("sqlite", "CREATE TEMP VIEW orders AS SELECT 1 AS a"),
    ("sqlite", "CREATE TABLE temp.orders (a int)"),
    ("postgres", "CREATE TABLE pg_temp.orders (a int)"),
    ("mysql", "DROP TEMPORARY TABLE orders"),
    ("postgres mysql", "DROP TABLE orders CASCADE"),
    ("postgres", "TRUNCATE TABLE orders CASCADE"),
    ("postgres", "ALTER TABLE orders DROP COLUMN id CASCADE"),
    ("postgres", "UPDATE pg_class SET relname = 'x'"),
    ("postgres", "UPDATE pg_catalog.pg_proc SET prosrc = 'x'"),
    ("postgres", 'DELETE FROM "pg_catalog"."pg_depend"'),
    ("postgres", "INSERT INTO information_schema.sql_features VALUES (1)"),
    ("postgres", "WITH x AS (DELETE FROM pg_class RETURNING *) SELECT * FROM x"),
    ("postgres", "WITH pg_class AS (SELECT 1) DELETE FROM pg_class"),
    ("postgres", "MERGE INTO pg_class USING t ON t.a = oid WHEN MATCHED THEN DELETE"),
    ("postgres", "CREATE TABLE pg_catalog.x (a int)"),
    ("postgres", "CREATE INDEX i ON pg_class (relname)"),
    ("postgres", "ALTER TABLE pg_class ADD COLUMN x int"),
    ("postgres", "ALTER TABLE orders RENAME TO pg_x"),
    ("postgres", "DROP TABLE pg_catalog.pg_class"),
    ("postgres", "DROP INDEX pg_catalog.pg_class_oid_index"),
    ("postgres", "TRUNCATE TABLE orders, pg_class"),
    ("mysql", "UPDATE MYSQL.user SET a = 1"),
    ("mysql", "REPLACE INTO mysql.user VALUES (1)"),
    ("mysql", "UPDATE performance_schema.setup_actors SET enabled = 'NO'"),
    ("mysql", "DELETE FROM sys.sys_config"),
    ("mysql", "DELETE FROM information_schema.tables"),
    ("mysql", "UPDATE t, mysql.user u SET u.a = 1"),
    ("sqlite", "INSERT INTO sqlite_master VALUES (1)"),
    ("sqlite", "UPDATE main.SQLITE_SCHEMA SET sql = 'x'"),
    ("sqlite", "UPDATE sqlite_sequence SET seq = 1"),
    ("sqlite", "DELETE FROM [sqlite_stat1]"),
    ("sqlite", "REPLACE INTO sqlite_sequence VALUES ('t', 1)"),
    ("sqlite", "DROP TABLE sqlite_sequence"),
    ("sqlite mysql", "REPLACE INTO t VALUES (1); DROP TABLE t"),
    ("sqlite mysql", "REPLACE INTO t VALUES (load_extension('x'))"),
    ("sqlite mysql", "REPLACE (a, 'b', 'c')"),
    ("postgres", "REPLACE INTO t VALUES (1)"),
    ("sqlite", "UPDATE sqlite_dbpage SET data = x'00'"),
]


def for_dialects(entries: list[tuple[str, str]]) -> Iterator[tuple[Dialect, str]]:
    for names, sql in entries:
        for dialect in DIALECTS:
            if names == "*" or dialect in names.split():
                yield dialect, sql


@rows(("dialect", "sql"), list(for_dialects(WRITES)))
def test_changes_of_rows_and_tables_pass_where_writing_is_allowed(
    dialect: Dialect, sql: str
) -> None:
    assert not allowed(sql, Policy(dialect, read_only=False)).is_reading
    assert rejected(sql, Policy(dialect)).code is Code.DB_READ_ONLY


@rows(("dialect", "sql"), list(for_dialects(ESCAPES)))
def test_nothing_escapes_where_writing_is_allowed(dialect: Dialect, sql: str) -> None:
    rejected(sql, Policy(dialect, read_only=False))
    rejected(sql, Policy(dialect))


# --- the name of a table -------------------------------------------------------------------------


@rows(
    ("dialect", "name", "table"),
    [
        ("sqlite", "orders", TableName("orders")),
        ("sqlite", " Orders ", TableName("Orders")),
        ("sqlite", "[order items]", TableName("order items")),
        ("sqlite", 'main."Orders"', TableName("Orders", "main")),
        ("postgres", "Sales.Orders", TableName("orders", "sales")),
        ("postgres", '"Sales"."Orders"', TableName("Orders", "Sales")),
        ("postgres", '"a-b $"', TableName("a-b $")),
        ("mysql", "`shop`.Orders", TableName("Orders", "shop")),
        ("mysql", "größe", TableName("größe")),
        ("sqlite", '"My Table (2024)"', TableName("My Table (2024)")),
        ("sqlite", "My Table (2024)", TableName("My Table (2024)")),
        ("postgres", "My Table (2024)", TableName("My Table (2024)")),
        ("postgres", '"My Table (2024)"', TableName("My Table (2024)")),
        ("mysql", "`My Table (2024)`", TableName("My Table (2024)")),
        ("sqlite", "Customer's orders", TableName("Customer's orders")),
        ("sqlite", '"Customer\'s orders"', TableName("Customer's orders")),
        ("sqlite", '"a.b"', TableName("a.b")),
        ("sqlite", "[a.b]", TableName("a.b")),
        ("sqlite", '"say ""hi"""', TableName('say "hi"')),
        ("mysql", "`back``tick`", TableName("back`tick")),
        ("postgres", 'sales."Price [EUR]"', TableName("Price [EUR]", "sales")),
        ("postgres", '"C:\\path"', TableName("C:\\path")),
        ("sqlite", "🛒 cart", TableName("🛒 cart")),
        ("sqlite", "2024", TableName("2024")),
        ("sqlite", '"a;b"', TableName("a;b")),
        ("sqlite", "orders--", TableName("orders--")),
    ],
)
def test_a_name_means_a_table(dialect: Dialect, name: str, table: TableName) -> None:
    assert check_table(name, Policy(dialect)) == table


@rows(
    "name",
    [
        "",
        " ",
        "orders;",
        "orders; DROP TABLE orders",
        "a.b.c",
        "'orders'",
        "orders.",
        ".orders",
        '"orders',
        "[orders",
        "x" * (NAME_CHARS_MAX + 1),
        "sqlite_dbpage",
        "pragma_table_info",
        '"pragma_table_info"',
        "a\nb",
    ],
)
def test_what_is_no_name_of_a_table_is_refused(name: str) -> None:
    verdict = check_table(name, Policy("sqlite"))
    assert isinstance(verdict, Rejected)
    assert verdict.code is Code.DB_STATEMENT_REJECTED


def test_a_table_outside_of_the_context_is_refused_by_name() -> None:
    policy = Policy("postgres", schema="sales", tables=("orders",))
    assert check_table("sales.orders", policy) == TableName("orders", "sales")
    for name in ("orders", "sales.secret", "public.orders", "pg_catalog.orders"):
        assert isinstance(check_table(name, policy), Rejected)


@rows(
    "sql, read_only, sentence",
    [
        ("BEGIN", True, "Leave BEGIN out; each question is a transaction of its own."),
        ("ROLLBACK", False, "Leave ROLLBACK out; each question is a transaction of its own."),
        ("USE shop", True, "A statement begins with SELECT, WITH or VALUES here."),
        (
            "USE shop",
            False,
            (
                "A statement begins with SELECT, WITH, VALUES, INSERT, UPDATE, DELETE, CREATE, "
                "ALTER or DROP here."
            ),
        ),
    ],
)
def test_what_begins_no_statement_here_is_told_what_does(
    sql: str, read_only: bool, sentence: str
) -> None:
    assert rejected(sql, Policy("sqlite", read_only)).sentence == sentence
