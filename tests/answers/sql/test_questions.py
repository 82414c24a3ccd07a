"""What is a question and what is talk; talk is the larger part."""

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.requests import (
    DescribeTable,
    ExplainStatement,
    ListTables,
    RunStatement,
    SampleTable,
)
from chatd.answers.sql.commands import COMMANDS, Help, Misused, Question, help_text
from chatd.answers.sql.first_look import may_be_question
from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.questions import TEXT_CHARS_MAX, question_in
from chatd.answers.sql.reading import Piece, read
from chatd.answers.sql.talk import Talk
from chatd.answers.sql.verdicts import Policy, Rejected
from tests.rows import rows

DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgres", "mysql")


def in_any(content: str) -> Question | None:
    """The question that a message is in a room of one of the dialects."""
    for dialect in DIALECTS:
        question = question_in(content, dialect)
        if not isinstance(question, Talk):
            return question
    return None


TALK = [
    "sql\nis nice",
    "%sql is a cell of a notebook",
    "help me, please",
    "",
    "hello",
    "Select the best one please",
    "select one",
    "select one, two or three",
    "Select a color",
    "select two, please",
    "Select one from the menu",
    "select something from this list",
    "select all that apply",
    "Select one",
    "Select 2 people",
    "select 2 people",
    "select two people",
    "Select people from Berlin",
    "Select people from Berlin -- thanks!",
    "Select sub-category from dropdown",
    "Select winner from candidates as discussed",
    "select two from column A",
    "select two from candidates",
    "select seats from row A",
    "select best tall people from Berlin",
    "explain Select people from Berlin",
    "Select all from above.",
    "With you in a minute",
    "with pleasure",
    "with that, select the next",
    "update on the deploy?",
    "update on the deploy",
    "Update: all is well",
    "update me please",
    "update orders",
    "Update team on status",
    "insert into orders",
    "insert into slot machine",
    "alter table orders",
    "create table orders",
    "Update the set of rules",
    "show me the tables",
    "show tables to me",
    "Show status",
    "Show grants",
    "Show of hands",
    "explain this to me",
    "explain select",
    "Explain show tables",
    "explain",
    "delete this message",
    "Delete from here",
    "Delete from cart",
    "delete from cart tomorrow",
    "delete from the list",
    "delete it",
    "describe your problem",
    "describe it",
    "Describe problem",
    "Describe table manners",
    "Describe yourself",
    "describe the orders table to me",
    "Values matter",
    "values",
    "Values (ours) matter",
    "insert coin",
    "insert into the slot",
    "Create a table for us",
    "create table reservations",
    "create view",
    "Create index of books",
    "create index of books",
    "create index of books (old)",
    "create index on books",
    "create or not",
    "drop it",
    "drop table manners, please",
    "Drop table talk",
    "drop table reservations",
    "drop index cards",
    "explain drop table reservations",
    "Drop me a line",
    "alter ego",
    "alter table reservations please",
    "truncate that",
    "Truncate output",
    "truncate it, please",
    "truncate the logs",
    "truncate long lines please",
    "replace into the slot",
    "replace it",
    "replace the first with the second",
    "Replace orders",
    "merge into main when green",
    "merge into main",
    "update or not",
    "update or else",
    "pragma is a word",
    "Pragma once",
    "pragma matters",
    "PRAGMA once",
    "Merge when green",
    "call me",
    "set up the meeting",
    "use the other one",
    "begin",
    "commit",
    "grant me access",
    "SELECT",
    "SELECT * FROM orders is what I ran.",
    "I ran SELECT * FROM orders",
    "select * from orders gives me nothing, why?",
    "selection of one",
    "select's fine",
    "(see above)",
    "-- note to self",
    "-- note to self\nshow me",
    "select one -- or two?",
    "explain -- this",
    "explain /* this */",
    "show -- tables",
    "/shrug",
    "/me waves",
    "/usr/bin/env",
    "/ tables",
    "//tables",
    "/",
    "and /tables",
    "```python\nselect = 1\n```",
    "```\nhello\n```",
    "```text\nSELECT 1\n```",
    "look:\n```\nselect the best\n```",
    "``` ```",
    "> ```sql\n> SELECT 1\n> ```",
    "> look: ```sql\n> SELECT 1\n> ```",
    "look: ```python\nSELECT 1\n```",
    "look: ```\nselect the best\n```",
    "a fence is ``` and nothing\nSELECT 1",
    "```python\nx = '```\nSELECT 1\n```",
    "`SELECT 1`",
]


def run(sql: str) -> RunStatement:
    return RunStatement(sql)


QUESTIONS: list[tuple[str, Question]] = [
    ("/tables", ListTables()),
    ("  /TABLES \n", ListTables()),
    ("/describe orders", DescribeTable("orders")),
    ('/describe  "Order Items" ', DescribeTable('"Order Items"')),
    ("/sample sales.orders", SampleTable("sales.orders")),
    ("/sql delete from orders", run("delete from orders")),
    ("/sql\nSELECT 1\nFROM t", run("SELECT 1\nFROM t")),
    ("/sql ```sql\nSELECT 1\n```", run("SELECT 1")),
    ("/sql ```\nnonsense\n```", run("nonsense")),
    ("/sql `select 1`", run("select 1")),
    ("/sql please run: select 1", run("select 1")),
    ("/sql %%sql\nselect 1", run("select 1")),
    ("/explain 'select 1'", ExplainStatement("select 1")),
    ("%%sql\nselect count(*) from orders", run("select count(*) from orders")),
    ("%%sql sqlite:///shop.db\nselect 1", run("select 1")),
    ("%sql select 1", run("select 1")),
    ("sql\nselect 1", run("select 1")),
    ("SQL:\nSELECT 1", run("SELECT 1")),
    ("/explain SELECT 1", ExplainStatement("SELECT 1")),
    ("/explain\n~~~\nSELECT 1\n~~~", ExplainStatement("SELECT 1")),
    ("/help", Help()),
    ("select * from orders", run("select * from orders")),
    # Two statements of one form: nothing tells them apart, and an answer costs less than silence.
    ("select name from customers", run("select name from customers")),
    ("select winner from candidates", run("select winner from candidates")),
    ("select Name from Customers", run("select Name from Customers")),
    ("SELECT name FROM customers c", run("SELECT name FROM customers c")),
    ("SELECT name, city FROM customers", run("SELECT name, city FROM customers")),
    ("select distinct city from customers", run("select distinct city from customers")),
    ("select count from t", run("select count from t")),
    ("select a from t", run("select a from t")),
    ("select name as n from customers", run("select name as n from customers")),
    ("select name from customers as c", run("select name from customers as c")),
    ("select first name from customers", run("select first name from customers")),
    ("select name from customers limit 5", run("select name from customers limit 5")),
    ("select a from t union select b from u", run("select a from t union select b from u")),
    (
        "select name from customers c order by city",
        run("select name from customers c order by city"),
    ),
    ("select 1 as n", run("select 1 as n")),
    ("select null", run("select null")),
    ("Select 1", run("Select 1")),
    ("Select * from customers", run("Select * from customers")),
    ("Select name, city from customers", run("Select name, city from customers")),
    ("Select name from customers;", run("Select name from customers;")),
    ("Select name\nfrom customers", run("Select name\nfrom customers")),
    ("Select name from sales.customers", run("Select name from sales.customers")),
    ('Select name from "customers"', run('Select name from "customers"')),
    ("Select name from order_items", run("Select name from order_items")),
    ("Select name from customers where id = 1", run("Select name from customers where id = 1")),
    ("Select name from customers limit 5", run("Select name from customers limit 5")),
    ("Select count(id) from customers", run("Select count(id) from customers")),
    ("SELECT 1", run("SELECT 1")),
    ("SELECT 1;", run("SELECT 1;")),
    (" \n select now() ", run("select now()")),
    ("SELECT current_date", run("SELECT current_date")),
    ("SELECT 'the answer'", run("SELECT 'the answer'")),
    ("with x as (select 1) select * from x", run("with x as (select 1) select * from x")),
    ("select count(*) from t where a<3;", run("select count(*) from t where a<3;")),
    ("select count(*) from t where a< b;", run("select count(*) from t where a< b;")),
    ("SELECT * FROM t WHERE a = 'who?'", run("SELECT * FROM t WHERE a = 'who?'")),
    ("SELECT 1; SELECT 2", run("SELECT 1; SELECT 2")),
    ("SELECT * FROM `order`", run("SELECT * FROM `order`")),
    ('SELECT * FROM "the"', run('SELECT * FROM "the"')),
    ("SELECT a FROM [order items]", run("SELECT a FROM [order items]")),
    ("SELECT $$it's$$", run("SELECT $$it's$$")),
    (
        "SELECT group_concat(a SEPARATOR 'x') FROM t",
        run("SELECT group_concat(a SEPARATOR 'x') FROM t"),
    ),
    ("-- all\nSELECT 1", run("-- all\nSELECT 1")),
    ("/* all */ SELECT 1", run("/* all */ SELECT 1")),
    ("-- all\nDELETE FROM orders", run("-- all\nDELETE FROM orders")),
    ("-- list\nSHOW TABLES", ListTables()),
    ("SHOW TABLES -- all of them.", ListTables()),
    ("show /* x */ tables;", ListTables()),
    ("-- c\ndescribe orders", DescribeTable("orders")),
    ("describe orders -- what is in it?", DescribeTable("orders")),
    ("/* x */ explain select 1", ExplainStatement("select 1")),
    ("explain -- x\nselect 1", ExplainStatement("select 1")),
    ("explain query /* x */ plan select 1 -- y\n+ 2;", ExplainStatement("select 1 -- y\n+ 2")),
    ("EXPLAIN /* x */ ANALYZE SELECT 1", run("EXPLAIN /* x */ ANALYZE SELECT 1")),
    ("/* x */ pragma user_version", run("/* x */ pragma user_version")),
    ("delete /* all */ from orders", run("delete /* all */ from orders")),
    ("select * from orders -- why?", run("select * from orders -- why?")),
    ("select * from orders; -- why?", run("select * from orders; -- why?")),
    ("select * from orders # why?", run("select * from orders # why?")),
    ("select * from orders /* all of them. */", run("select * from orders /* all of them. */")),
    ("```sql\n-- c\nshow tables\n```", ListTables()),
    ("\ufeffselect 1", run("select 1")),
    ("\ufeff\n/tables", ListTables()),
    ("(SELECT 1) UNION (SELECT 2)", run("(SELECT 1) UNION (SELECT 2)")),
    ("VALUES (1), (2)", run("VALUES (1), (2)")),
    ("INSERT INTO orders VALUES (1)", run("INSERT INTO orders VALUES (1)")),
    ("insert into orders select * from t", run("insert into orders select * from t")),
    ("UPDATE orders SET total = 0", run("UPDATE orders SET total = 0")),
    ("DELETE FROM orders", run("DELETE FROM orders")),
    ("delete from orders where id = 1", run("delete from orders where id = 1")),
    ("delete from orders", run("delete from orders")),
    ("Delete from orders;", run("Delete from orders;")),
    ("CREATE TABLE t (a int)", run("CREATE TABLE t (a int)")),
    ("CREATE TABLE t AS SELECT 1", run("CREATE TABLE t AS SELECT 1")),
    ("CREATE UNIQUE INDEX i ON t (a)", run("CREATE UNIQUE INDEX i ON t (a)")),
    ("ALTER TABLE t ADD COLUMN a int", run("ALTER TABLE t ADD COLUMN a int")),
    ("CREATE INDEX IF NOT EXISTS i ON t (a)", run("CREATE INDEX IF NOT EXISTS i ON t (a)")),
    ("alter table t add column note text", run("alter table t add column note text")),
    ("DROP TABLE t", run("DROP TABLE t")),
    ("drop table reservations;", run("drop table reservations;")),
    ("drop table if exists reservations", run("drop table if exists reservations")),
    ("drop table sales.reservations", run("drop table sales.reservations")),
    ('drop table "reservations"', run('drop table "reservations"')),
    ("drop table order_items", run("drop table order_items")),
    ("drop table reservations cascade", run("drop table reservations cascade")),
    ("TRUNCATE TABLE t", run("TRUNCATE TABLE t")),
    ("truncate orders", run("truncate orders")),
    ("TRUNCATE orders, people", run("TRUNCATE orders, people")),
    ("replace into t values (1)", run("replace into t values (1)")),
    ("REPLACE INTO t (a) SELECT 1", run("REPLACE INTO t (a) SELECT 1")),
    ("insert or ignore into t values (1)", run("insert or ignore into t values (1)")),
    ("insert ignore into t values (1)", run("insert ignore into t values (1)")),
    ("update or ignore t set a=1", run("update or ignore t set a=1")),
    ("UPDATE OR /* x */ REPLACE t SET a = 1", run("UPDATE OR /* x */ REPLACE t SET a = 1")),
    (
        "merge into t using s on t.a = s.a when matched then delete",
        run("merge into t using s on t.a = s.a when matched then delete"),
    ),
    ("PRAGMA table_info(orders)", DescribeTable("orders")),
    ("pragma journal_mode", run("pragma journal_mode")),
    ("pragma main.user_version;", run("pragma main.user_version;")),
    ("pragma future_name = 1", run("pragma future_name = 1")),
    ("SHOW TABLES", ListTables()),
    ("show full tables;", ListTables()),
    ("show tables like 'x%'", ListTables()),
    ("SHOW COLUMNS FROM orders", DescribeTable("orders")),
    ("SHOW GRANTS", run("SHOW GRANTS")),
    ("show status", run("show status")),
    ("Show tables", ListTables()),
    ("Show columns from orders", DescribeTable("orders")),
    ("describe orders", DescribeTable("orders")),
    ("Describe orders;", DescribeTable("orders")),
    ("DESCRIBE orders;", DescribeTable("orders")),
    ("desc sales.orders", DescribeTable("sales.orders")),
    ("EXPLAIN SELECT 1", ExplainStatement("SELECT 1")),
    ("explain query plan select * from t", ExplainStatement("select * from t")),
    ("EXPLAIN ANALYZE SELECT 1", run("EXPLAIN ANALYZE SELECT 1")),
    ("EXPLAIN (ANALYZE) DELETE FROM t", run("EXPLAIN (ANALYZE) DELETE FROM t")),
    ("```sql\nSELECT 1\n```", run("SELECT 1")),
    ("Look at this:\n```SQL\nSELECT 1;\n```\nWhat do you think?", run("SELECT 1;")),
    ("~~~postgresql\nSELECT 1\n~~~", run("SELECT 1")),
    ("```mysql title=x\nanything at all\n```", run("anything at all")),
    ("````sql\nSELECT '```'\n````", run("SELECT '```'")),
    ("```sql\nSELECT 1", run("SELECT 1")),
    ("```sql\r\nSELECT 1\r\n```\r\nthanks", run("SELECT 1")),
    ("```sql\nSELECT 1\n````  \nthanks", run("SELECT 1")),
    ("```sql\nSELECT 1\n~~~", run("SELECT 1\n~~~")),
    ("   ```sql\n   SELECT 1\n   ```", run("SELECT 1")),
    ("    ```sql\n    SELECT 1\n    ```", run("SELECT 1")),
    ("this:\n\n\t```sql\n\tSELECT 1\n\t```\nthanks", run("SELECT 1")),
    ("1. this:\n\n      ```\n      SELECT 1\n      ```", run("SELECT 1")),
    ("- ```sql\n  SELECT 1\n  ```", run("SELECT 1")),
    ("run this ```sql\nSELECT 1\n```", run("SELECT 1")),
    ("run this: ``` SQL\nSELECT 1\n```\nthanks", run("SELECT 1")),
    ("run `this` ```\nSELECT 1\n```", run("SELECT 1")),
    ("run this ```sql\nSELECT 1", run("SELECT 1")),
    ("```sql\nSELECT 1```", run("SELECT 1")),
    ("```\nSELECT 1\nFROM t; ```\nthanks", run("SELECT 1\nFROM t;")),
    ("SELECT '```' FROM t", run("SELECT '```' FROM t")),
    ("SELECT a FROM t WHERE b = '~~~'", run("SELECT a FROM t WHERE b = '~~~'")),
    ("```sql\nSELECT `a`\n```", run("SELECT `a`")),
    ("/sql run this ```\nSELECT 1\n```", run("SELECT 1")),
    ("```\nSELECT * FROM orders\n```", run("SELECT * FROM orders")),
    ("```sql\nSHOW TABLES;\n```", ListTables()),
    ("```python\nx\n```\n```sql\nSELECT 1\n```", run("SELECT 1")),
]

MISUSED = [
    ("/describe", "/describe TABLE"),
    ("/sample ", "/sample TABLE"),
    ("/sql", "/sql SQL"),
    ("/explain\n", "/explain SQL"),
    ("/sql ```sql\n```", "/sql SQL"),
    ("/tables please", "/tables alone"),
    ("/help me", "/help alone"),
    ("```sql\n```", "block is empty"),
    ("```sql\nSELECT 1\n```\n```sql\nSELECT 2\n```", "2 blocks"),
    ("this ```sql\nSELECT 1\n```\nthat ```sql\nSELECT 2\n```", "2 blocks"),
    ("    ```sql\n    ```", "block is empty"),
]


@rows("content", TALK)
def test_talk_is_no_question(content: str) -> None:
    assert in_any(content) is None


@rows(("content", "question"), QUESTIONS)
def test_sql_blocks_and_commands_are_questions(content: str, question: Question) -> None:
    assert may_be_question(content)
    assert in_any(content) == question


@pytest.mark.parametrize(
    ("content", "dialect"),
    [
        ("SELECT [name] FROM [order items]", "sqlite"),
        ("SELECT name::text FROM people", "postgres"),
        ("SELECT `name` FROM `order items` -- all", "mysql"),
    ],
)
def test_a_text_is_read_in_the_dialect_of_its_room_alone(content: str, dialect: Dialect) -> None:
    assert question_in(content, dialect) == run(content)
    assert isinstance(read(Piece(content, Policy(dialect))), RunStatement)
    others = [read(Piece(content, Policy(other))) for other in DIALECTS if other != dialect]
    assert any(isinstance(reading, Rejected) for reading in others), content


@rows(("content", "part"), MISUSED)
def test_a_command_or_a_block_that_lacks_something_is_answered_with_how_to_write_it(
    content: str, part: str
) -> None:
    question = in_any(content)
    assert isinstance(question, Misused)
    assert part in question.sentence


def test_the_help_names_every_command() -> None:
    for name in COMMANDS:
        assert f"`/{name}" in help_text("sqlite")
    assert "`/describe TABLE` shows the columns of a table" in help_text("sqlite")


def test_a_long_text_is_a_question_in_a_block_only() -> None:
    sql = "SELECT '" + "x" * (TEXT_CHARS_MAX - 9) + "'"
    assert question_in(sql, "sqlite") == run(sql)
    assert in_any(sql[:-1] + "x'") is None
    assert question_in(f"```sql\n{sql}x\n```", "sqlite") == run(f"{sql}x")


@rows(
    "content",
    [
        "SELECT " + "(" * 9_900,
        "SELECT " + "array[" * 1_600,
        "SELECT " + "NOT " * 2_400 + "1",
        "SELECT * FROM a " + "JOIN b " * 1_400,
        "/*" * 5_000,
        "/* x */ " * 1_200 + "SELECT",
        "(" * 9_000 + "SELECT",
        "```\n" * 2_400,
        "```sql\n" * 1_400,
        "~~~\n```\n" * 1_200,
        "/" * 9_000,
        "/sql " + "```\n" * 2_400,
        "EXPLAIN " * 1_200 + "SELECT 1",
        "DESCRIBE " + "a." * 4_900,
        " " * 9_000 + "x",
        "--\n" * 3_000 + "SELECT",
        "select " + "a " * 4_900,
        "Select " + "a-" * 4_900,
        "Select " + "1 " * 4_900 + "_",
        "select a" + " " * 9_900 + "b c d",
        "EXPLAIN (a 'b) -- ' c",
        "/* /* */ select */",
        "explain " + "/* x */ " * 1_200 + "select 1",
    ],
    ids=lambda content: f"{content[:12]!r}",
)
def test_no_message_hangs_or_breaks_it(content: str) -> None:
    in_any(content)  # a hang ends in the time limit of the test


INNOCENT = "SELECT a FROM t WHERE " + "a = 1 AND " * 250 + "b"
"""A question of a quarter of the length of those texts."""


def processor_s_for(content: str) -> float:
    began_s = time.process_time()
    in_any(content)
    return time.process_time() - began_s


@rows(
    "content",
    [
        "~" * 10_000,
        "/sql " + "~" * 9_990,
        "~~~" + " " * 9_996 + "x",
        "~" * 5_000 + " " * 4_999 + "x",
        "x" + "`` " * 3_300 + "`x",
        "x " + "```sql " * 1_400,
        "x ```" + " " * 9_990 + "-",
        "x ```sql\n" * 1_100,
        ("```" * 16 + "x\n") * 200,
        ("select " + "[a] " * 2_500)[:9_999],
        "select a" + "[1]" * 3_330,
    ],
    ids=lambda content: content[:12],
)
def test_a_text_that_was_made_to_take_long_does_not(content: str) -> None:
    """They took 0.3 to 5 s of the processor, and take at most as long as some innocent questions.

    The best of three counts: the first may import the grammar, or clean up behind other tests.
    """
    took_s, innocent_s = [], []
    for _ in range(3):  # in turn, so that whatever slows the machine slows both
        took_s.append(processor_s_for(content))
        innocent_s.append(processor_s_for(INNOCENT))
    assert min(took_s) < 16 * min(innocent_s)


@given(
    st.one_of(
        st.text(max_size=60),
        st.text("`~\n sqlSELECT1/", max_size=60),
        st.text(max_size=30).map("SELECT {}".format),
        st.text("();,'\"`[]$:.*+-/<>=!|&~^%#?@{}\\ \na1", max_size=40).map("SELECT {}".format),
        st.text("();,'\"`[]$-/* \na1", max_size=40).map("EXPLAIN (a) {}".format),
    )
)
def test_no_message_makes_it_raise(content: str) -> None:
    in_any(content)


def test_plain_talk_does_not_import_the_grammar() -> None:
    code = """
import sys
from chatd.answers.sql.questions import question_in
for content in ("hello", "delete this message", "show me the tables", "call me", "/shrug", "/help"):
    question_in(content, "sqlite")
assert "sqlglot" not in sys.modules
question_in("SELECT 1", "sqlite")
assert "sqlglot" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
