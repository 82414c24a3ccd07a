"""What is sent to a Postgres, beside a real server full of traps and its real parser."""

import functools
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pglast import parse_sql
from pglast.parser import ParseError
from pglast.visitors import Visitor

from chatd.answers.sql.catalogue import KEYWORD_TYPES, NAMED_TYPES, OPERATORS, SYNTAX
from chatd.answers.sql.functions import FUNCTIONS, words
from chatd.answers.sql.guard import check_statement
from chatd.answers.sql.verdicts import Allowed, Policy, Rejected
from tests.answers.sql import traps
from tests.answers.sql.corpus import bad, good
from tests.postgres import Postgres
from tests.rows import rows

NEWER = words("""
    any_value array_reverse array_sample array_shuffle array_sort casefold crc32 crc32c date_add
    date_subtract erf erfc random_normal to_bin to_oct uuid_extract_timestamp uuid_extract_version
    uuidv4 uuidv7
""")

"""Functions of the list that came with a server after 15; an older one says that it has none."""


def sent(sql: str) -> str:
    verdict = check_statement(sql, Policy("postgres"))
    assert isinstance(verdict, Allowed), (sql, verdict)
    return verdict.sql


@functools.cache
def passing() -> tuple[str, ...]:
    """What is sent of the statements that spring traps, where they are sent as they are written."""
    verdicts = [check_statement(sql, Policy("postgres")) for sql in traps.statements()]
    return tuple(verdict.sql for verdict in verdicts if isinstance(verdict, Allowed))


@pytest.fixture(scope="module")
def trapped(postgres: Postgres) -> traps.Trapped:
    return traps.trapped(postgres)


# --- a real server -------------------------------------------------------------------------------


@pytest.mark.parametrize("search_path", traps.SEARCH_PATHS)
def test_no_statement_that_passes_reaches_a_function_of_a_user(
    trapped: traps.Trapped, search_path: str
) -> None:
    with trapped.reader(search_path) as connection:
        before = trapped.reached()
        went_well = [sql for sql in passing() if traps.tries(connection, sql)]
        assert trapped.reached() == before
    assert len(went_well) > 500  # it was no empty test


@pytest.mark.parametrize("search_path", traps.SEARCH_PATHS)
def test_the_same_statements_as_they_are_written_reach_them(
    trapped: traps.Trapped, search_path: str
) -> None:
    with trapped.reader(search_path) as connection:
        before = trapped.reached()
        assert traps.tries(connection, "SELECT log('x')")
        assert traps.tries(connection, "SELECT a::my_domain FROM orders")
        assert traps.tries(connection, "SELECT a <=> a FROM orders")
        assert traps.tries(connection, "SELECT year(ts), like(b, b) FROM orders")
        assert trapped.reached() >= before + 5


def test_the_list_holds_what_the_server_brings(postgres: Postgres) -> None:
    with postgres.connect("postgres") as connection:
        rows = connection.execute(
            "SELECT upper(proname) FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
        )
        functions = {row[0] for row in rows}
        rows = connection.execute(
            "SELECT oprname FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace"
        )
        operators = {row[0] for row in rows}
        rows = connection.execute(
            "SELECT upper(typname) FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace"
        )
        types = {row[0] for row in rows}
        rows = connection.execute("SELECT upper(word), catcode FROM pg_get_keywords()")
        keywords = dict(rows.fetchall())
    assert FUNCTIONS["postgres"] - SYNTAX - functions == NEWER
    # These are syntax because no function can have such a name, without quotes.
    assert {keywords.get(word) for word in SYNTAX} == {"R", "C"}
    assert OPERATORS - {"!=", "=>"} <= operators
    assert types >= NAMED_TYPES
    assert {keywords.get(word) for word in KEYWORD_TYPES - {"DOUBLE"}} == {"C"}


def columns(cursor: "psycopg.Cursor[Any]") -> list[tuple[str, int]]:
    return [(column.name, column.type_code) for column in cursor.description or ()]


def test_honest_statements_mean_the_same_as_before(postgres: Postgres) -> None:
    """What is sent gives the columns and rows that the statement gives as it is written."""
    with postgres.connect(postgres.new_database()) as connection:
        for sql in HONEST:
            as_written = connection.execute(sql.encode())
            as_sent = connection.execute(sent(sql).encode())
            assert columns(as_sent) == columns(as_written), sql
            assert as_sent.fetchall() == as_written.fetchall(), sql


HONEST = [
    "SELECT lower('A'), UPPER ('b'), length('c'), coalesce(NULL, 1), nullif(1, 2), greatest(1, 2)",
    "SELECT count(*), count(DISTINCT x), sum(x) FILTER (WHERE x > 1) FROM (VALUES (1), (2)) v(x)",
    "SELECT extract(year FROM timestamp '2026-01-02'), date_trunc('month', date '2026-01-02')",
    "SELECT substring('abc' FROM 2), substring('abc' FROM 1 FOR 2), substring('abc', 2, 1)",
    "SELECT substring('abc' FOR 2), 'abc' SIMILAR TO '%b%', NOT 'a' LIKE 'b'",
    "SELECT overlay('abcd' PLACING 'x' FROM 2 FOR 1), overlay('abc', 'x', 2), position('b' IN 'b')",
    "SELECT trim(both 'x' from 'xax'), trim('  a '), trim(leading from ' a'), btrim('xax', 'x')",
    "SELECT '1'::int, '2'::int4, 'a'::text, '1.5'::numeric(10, 2), '{1,2}'::int[], 'x'::varchar(3)",
    "SELECT CAST('1' AS integer), CAST('2026-01-01' AS date), CAST('a' AS character varying(5))",
    "SELECT '2026-01-01'::timestamp with time zone AT TIME ZONE 'UTC', '1'::double precision",
    "SELECT date '2026-01-01', timestamptz '2026-01-01 00:00Z', interval '1 day'",
    "SELECT double precision '1.5', B'101', time '10:00', timestamp(0) '2026-01-01'",
    (
        "SELECT interval '1' day, interval(3) '1.23456 s', char(3) 'a', numeric '1.50', uuid"
        " '123e4567-e89b-12d3-a456-426614174000'"
    ),
    "SELECT 'ab' LIKE 'a%', 'ab' NOT LIKE 'b', 'a!%' LIKE 'a!%' ESCAPE '!', 'A' ILIKE ('a')",
    (
        "SELECT row_number() OVER (PARTITION BY x ORDER BY x), lag(x, 1) OVER w FROM "
        "generate_series(1, 3) AS g(x) WINDOW w AS (ORDER BY x)"
    ),
    "SELECT * FROM generate_series(1, 3)",
    "SELECT generate_series FROM generate_series(1, 2)",
    "SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b']) WITH ORDINALITY AS t(a, b, n)",
    (
        "SELECT * FROM (VALUES (1)) v(a), unnest(ARRAY[1], ARRAY[2]) t, LATERAL unnest(ARRAY[1], "
        "ARRAY[2]) u JOIN unnest(ARRAY[1, 2], ARRAY[3]) w ON true"
    ),
    "SELECT * FROM json_each('{\"a\": 1}') t, LATERAL (SELECT t.key AS k) x",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM generate_series(1, 4) AS g(x)",
    "SELECT mode() WITHIN GROUP (ORDER BY x) FROM generate_series(1, 4) AS g(x)",
    "SELECT x, grouping(x), count(*) FROM generate_series(1, 2) AS g(x) GROUP BY ROLLUP (x)",
    (
        "SELECT x % 2, x, count(*) FROM generate_series(1, 2) AS g(x) "
        "GROUP BY GROUPING SETS ((x), CUBE (x), ()) ORDER BY 1, 2, 3"
    ),
    "SELECT string_agg(x::text, ',' ORDER BY x DESC), array_agg(x) FROM generate_series(1, 3) g(x)",
    (
        "SELECT current_schema(), current_schema, current_database IS NULL FROM (VALUES (1)) "
        "v(current_database)"
    ),
    "SELECT (date '2026-01-01', date '2026-01-03') OVERLAPS (date '2026-01-02', date '2026-01-04')",
    (
        "SELECT '{\"a\": [1, 2]}'::jsonb -> 'a' ->> 0, '{\"a\": 1}'::jsonb @> '{}'::jsonb, "
        "'{\"a\": 1}'::jsonb ? 'a', '{}'::jsonb || '{}', '{\"a\": {\"b\": 1}}'::json #>> '{a,b}'"
    ),
    "SELECT 'a' ~ '^a', 'A' ~* 'a', 'a' !~ 'b', 2 ^ 3, 5 % 3, 1 <> 2, 1 != 2, -1 + -2 - - 3, 2*-1",
    "SELECT left('abc', 1), right('abc', 1), repeat('ab', 2), lpad('a', 3), format('%s', 'x')",
    "WITH lower(a) AS (SELECT 1) SELECT a FROM lower",
    "SELECT date.log FROM (VALUES (1)) AS date(log)",
    "SELECT 1 AS date, 2 AS log, text FROM (VALUES ('x')) v(text)",
    "SELECT /* one */ lower -- two\n ('A'), '$$lower(x)$$', $$it's lower(x)$$, E'\\nlower(1)'",
    (
        "SELECT ARRAY(SELECT x FROM generate_series(1, 2) g(x)), (ARRAY[1, 2, 3])[2:3], "
        "(ARRAY[1, 2, 3])[1::int]"
    ),
    (
        "SELECT to_char(date '2026-01-02', 'YYYY-MM'), split_part('a.b', '.', 1), md5('x'), "
        "jsonb_agg(x) FROM generate_series(1, 2) g(x)"
    ),
    (
        "SELECT x FROM generate_series(1, 3) g(x) WHERE x IN (1, 2) AND x BETWEEN 1 AND 2 "
        "AND EXISTS (SELECT 1) AND x = ANY (ARRAY[1])"
    ),
    "VALUES (lower('A'), date '2026-01-01')",
]


# --- the real parser -----------------------------------------------------------------------------


class Strangers(Visitor):
    """Collects the names in a statement that Postgres would look up along the search path."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[list[str]] = []
        self._is_syntax: list[Any] = []

    def visit_RangeFunction(self, _: Any, node: Any) -> None:
        # Of several arrays it is grammar here: transformRangeFunction in parse_clause.c.
        calls = [members[0] for members in node.functions]
        self._is_syntax += [
            call
            for call in calls
            if [part.sval for part in getattr(call, "funcname", ())] == ["unnest"]
            and len(call.args) > 1
        ]

    def visit_FuncCall(self, _: Any, node: Any) -> None:
        if not any(node is one for one in self._is_syntax):
            self._look_at(node.funcname)

    def visit_TypeName(self, _: Any, node: Any) -> None:
        self._look_at(node.names)

    def visit_A_Indirection(self, _: Any, node: Any) -> None:
        self.found += [["." + step.sval] for step in node.indirection if hasattr(step, "sval")]

    def visit_A_Expr(self, _: Any, node: Any) -> None:
        names = [name.sval for name in node.name]
        if names[0] not in OPERATORS and "BETWEEN" not in names[0]:
            self.found.append(names)

    def _look_at(self, parts: Any) -> None:
        names = [part.sval for part in parts]
        if len(names) != 2 or names[0] != "pg_catalog":
            self.found.append(names)


def strangers(sql: str) -> list[list[str]]:
    """The names that are not of the catalogue; none where the server would not understand it."""
    try:
        tree = parse_sql(sql)
    except ParseError:
        return []
    visitor = Strangers()
    visitor(tree)
    return visitor.found


def sql_pieces(text: str) -> list[str]:
    return text.split()


PIECES = sql_pieces("""
    year regexp rlike like ilike cube rollup join over filter escape key by sets within zone 'x'
    date
    text int ( ) , . :: my_domain log lower AS a t FROM SELECT WHERE GROUP BY ORDER ON DISTINCT NOT
    LIKE ESCAPE BETWEEN AND IS substring overlay PLACING FOR SIMILAR TO CAST( VALUES WITH INTERVAL
    TIME ZONE double precision timestamp "d" [ ] + - * || <=> @@+ = ANY ARRAY[ LATERAL WINDOW OVER
    PARTITION left right overlaps( ROWS UNION MATERIALIZED trim( both position( in extract( COLLATE
    cube(a) like('a') FILTER( date( ::text CAST(a) WITHIN values( current_schema()
""")
_GIVEN = [sql.split() for dialect, sql in good() if dialect == "postgres"]
_GIVEN += [sql.split() for dialect, sql, _ in bad() if dialect == "postgres" and sql.split()]


@st.composite
def altered(draw: st.DrawFn) -> str:
    """A statement of the corpus with words put in, taken out, and exchanged."""
    pieces = list(draw(st.sampled_from(_GIVEN)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(pieces)))
        match draw(st.integers(0, 2)):
            case 0:
                pieces.insert(at, draw(st.sampled_from(PIECES)))
            case 1:
                del pieces[at : at + 1]
            case _:
                other = draw(st.sampled_from(_GIVEN))
                start = draw(st.integers(0, len(other)))
                pieces[at:at] = other[start : start + draw(st.integers(1, 5))]
    return " ".join(pieces)


@given(altered())
def test_whatever_passes_names_nothing_that_is_looked_up(sql: str) -> None:
    verdict = check_statement(sql, Policy("postgres"))
    if isinstance(verdict, Allowed):
        assert strangers(verdict.sql) == []


@pytest.mark.parametrize("read_only", [True, False])
def test_honest_statements_name_nothing_that_is_looked_up(read_only: bool) -> None:
    for sql in (*HONEST, *(sql for dialect, sql in good() if dialect == "postgres")):
        verdict = check_statement(sql, Policy("postgres", read_only))
        assert isinstance(verdict, Allowed)
        assert strangers(verdict.sql) == [], sql


def test_statements_that_look_for_traps_name_nothing_that_is_looked_up() -> None:
    assert [sql for sql in passing() if strangers(sql)] == []


# --- what is sent --------------------------------------------------------------------------------


@rows(
    ("sql", "expected"),
    [
        ("SELECT lower(a)", "SELECT pg_catalog.lower(a)"),
        ("SELECT  LOWER /* x */ ( a )", "SELECT  pg_catalog.LOWER   ( a )"),
        ("SELECT coalesce(count(*), 0)", "SELECT coalesce(pg_catalog.count(*), 0)"),
        ("SELECT a::text::int", "SELECT a::pg_catalog.text::int"),
        ("SELECT date 'x', date(a)", "SELECT pg_catalog.date 'x', pg_catalog.date(a)"),
        ("SELECT substring(a FROM 2)", "SELECT substring(a FROM 2)"),
        ("SELECT * FROM unnest(a, b)", "SELECT * FROM unnest(a, b)"),
        ("SELECT a, unnest(a, b) FROM t", "SELECT a, pg_catalog.unnest(a, b) FROM t"),
        (
            "SELECT extract(year FROM unnest(a, b)), 1 IS DISTINCT FROM unnest(a, b)",
            (
                "SELECT extract(year FROM pg_catalog.unnest(a, b)), "
                "1 IS DISTINCT FROM pg_catalog.unnest(a, b)"
            ),
        ),
        ("SELECT substring(a, 2)", "SELECT pg_catalog.substring(a, 2)"),
        ("SELECT 'lower(a)', \"lower\"", "SELECT 'lower(a)', \"lower\""),
    ],
)
def test_names_are_put_by_their_catalogue_and_nothing_else_changes(sql: str, expected: str) -> None:
    assert sent(sql) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO date (log) VALUES (1)",
        "CREATE TABLE log (a int)",
        "CREATE INDEX i ON date (log)",
        "CREATE TABLE x (a int REFERENCES log (a))",
        "CREATE TABLE x (a my_domain)",
    ],
)
def test_a_table_may_be_called_like_a_function(sql: str) -> None:
    verdict = check_statement(sql, Policy("postgres", read_only=False))
    assert isinstance(verdict, Allowed), verdict
    assert verdict.sql == sql


def test_a_condition_of_a_join_is_no_index_where_writing_is_allowed() -> None:
    policy = Policy("postgres", read_only=False)
    verdict = check_statement("INSERT INTO t SELECT 1 FROM a JOIN b ON log(a.x) > 1", policy)
    assert isinstance(verdict, Allowed)
    assert "ON pg_catalog.log(" in verdict.sql


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("SELECT a::my_domain", "types"),
        ("SELECT a <=> b", "operator <=>"),
        ("SELECT similarity(a, 'x')", "similarity"),
    ],
)
def test_the_sentence_says_which_name_is_not_the_servers(sql: str, word: str) -> None:
    verdict = check_statement(sql, Policy("postgres"))
    assert isinstance(verdict, Rejected)
    assert word in verdict.sentence
