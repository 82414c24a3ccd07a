"""A database of Postgres whose schema is full of traps, for a role that may only SELECT.

Each trap is a user's function that runs with the rights of its owner, and moves a sequence on: what
came of it stays, whatever becomes of the statement. There is one for every name that the guard
knows or might take for grammar, for many kinds of arguments; behind casts to domains, some of which
are called like types of the server; and behind operators.
"""

from collections.abc import Iterator
from typing import Any, Final

import attrs
import psycopg

from chatd.answers.sql.catalogue import NAMED_TYPES
from chatd.answers.sql.functions import FUNCTIONS, words
from chatd.answers.sql.keywords import AFTER_WORDS, BEFORE_PARENTHESES, BEHIND_VALUES, GROUPINGS
from tests.postgres import Postgres

READER: Final = "reader"
SEARCH_PATHS: Final = ("public", "public, pg_catalog")
"""The usual one, before which `pg_catalog` is searched; and one that names it late."""

NAMES: Final = sorted(
    name.lower()
    for name in FUNCTIONS["postgres"]
    | FUNCTIONS["mysql"]
    | FUNCTIONS["sqlite"]
    | frozenset().union(*BEFORE_PARENTHESES.values(), *BEHIND_VALUES.values(), GROUPINGS)
    | frozenset().union(*(after.keys() for after in AFTER_WORDS.values()))
    | words(
        "similarity word_similarity unaccent levenshtein metaphone evil int4 float8 bool bpchar"
    )
)
ARGUMENTS: Final = (
    *("", "text", "integer", "numeric", "text, text", "integer, integer", "text, integer"),
    *("text, text, text", "text, integer, integer", "date", "json", "jsonb", "public.color"),
    "timestamptz",
)
DOMAINS: Final = sorted({name.lower() for name in NAMED_TYPES} | {"my_domain", "year", "datetime"})
OPERATORS: Final = ("<=>", "~~~", "=>>", "@@+", "<#>")


@attrs.frozen
class Trapped:
    """The database, and what runs in it as the role that may only read."""

    server: Postgres
    name: str

    def reached(self) -> int:
        """How often a trap was sprung so far."""
        with self.server.connect(self.name) as connection:
            row = connection.execute(
                "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM sprung"
            ).fetchone()
        assert row is not None
        return int(row[0])

    def reader(self, search_path: str) -> "psycopg.Connection[Any]":
        """A connection of the role that may only read."""
        path = search_path.replace(" ", r"\ ")
        return self.server.connect(self.name, READER, f"-c search_path={path}")


def trapped(server: Postgres) -> Trapped:
    """Make the database."""
    name = server.new_database()
    with server.connect(name) as connection:
        connection.execute("\n".join(_schema()))
    return Trapped(server, name)


def tries(connection: "psycopg.Connection[Any]", sql: str) -> bool:
    """Run a statement, whatever it is; whether it went well."""
    try:
        connection.execute(sql.encode())
    except psycopg.Error:
        return False
    return True


def _schema() -> Iterator[str]:
    yield "CREATE SEQUENCE sprung;"
    yield "CREATE TYPE color AS ENUM ('red');"
    yield (
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reader') "
        "THEN CREATE ROLE reader LOGIN; END IF; END $$;"
    )
    # Plain SQL, so that there is no plan that keeps what it does; volatile, as functions are.
    ends = "LANGUAGE sql SECURITY DEFINER AS $$ SELECT nextval('public.sprung'); SELECT {} $$;"
    yield f"CREATE FUNCTION spring() RETURNS boolean {ends.format('true')}"
    for name in NAMES:
        for arguments in ARGUMENTS:
            head = f'CREATE FUNCTION "{name}"({arguments}) RETURNS text'
            yield f"{head} {ends.format('1::text')}"
    yield "CREATE TABLE orders (a text, b int, ts timestamptz, j json, c color, d date);"
    yield "INSERT INTO orders VALUES ('x', 1, '2026-01-01', '{}', 'red', '2026-01-01');"
    for number, operator in enumerate(OPERATORS):
        yield f"CREATE FUNCTION operator_{number}(text, text) RETURNS text {ends.format('1::text')}"
        yield (
            f"CREATE OPERATOR {operator} "
            f"(LEFTARG = text, RIGHTARG = text, FUNCTION = operator_{number});"
        )
    for name in DOMAINS:  # last, since one of them is called `text`
        yield f'CREATE DOMAIN "{name}" AS pg_catalog.varchar CHECK (spring());'
    yield "GRANT USAGE ON SCHEMA public TO reader; GRANT SELECT ON orders TO reader;"


def statements() -> Iterator[str]:
    """Statements that spring traps, where they are sent as they are written."""
    values = ("'a'::varchar", "1", "1.5", "a", "b", "ts", "d", "c", "j")
    for name in NAMES:
        for written in (name, name.upper()):
            yield f"SELECT {written}('x')"
        yield f"SELECT {name}()"
        for value in values:
            yield f"SELECT {name}({value}) FROM orders"
        yield f"SELECT {name} /* x */ (a, a) FROM orders"
        yield f"SELECT {name}(a, b), {name}(b, b) FROM orders WHERE {name}(a) IS NULL"
        yield f"SELECT {name}(a, a, a) FROM orders GROUP BY a ORDER BY {name}(a)"
        yield f"SELECT {name}(a, b, b) FROM orders"
        yield f"SELECT * FROM {name}('x') AS t"
        yield f"SELECT t.a FROM orders t, LATERAL {name}(t.a) x"
        yield f"SELECT a FROM orders WHERE NOT {name}(a) LIKE {name}(a)"
        yield f"SELECT b FROM orders GROUP BY b, {name}(b)"
        yield f"SELECT CASE WHEN {name}(a) = 'x' THEN 1 ELSE 2 END FROM orders"
        yield f"SELECT DISTINCT ON (a) {name}(a) FROM orders"
        yield f"WITH x AS (SELECT {name}(a) AS y FROM orders) SELECT y FROM x"
        yield f"SELECT {name}(a IS DISTINCT FROM a, b, b), {name}(a, b) FROM orders"
        yield f"SELECT {name} 'x'"
        yield f"SELECT a LIKE {name} 'x' FROM orders"
        yield f"SELECT a::{name} FROM orders"
    for name in DOMAINS:
        yield f"SELECT a::{name} FROM orders"
        yield f"SELECT a :: {name.upper()} FROM orders"
        yield f"SELECT '2026-01-01'::{name}"
        yield f"SELECT CAST(a AS {name}) FROM orders"
        yield f"SELECT {name} 'x'"
        yield f"SELECT {name} '2026-01-01' FROM orders"
        yield f"SELECT a::{name}[] FROM orders"
        yield f"SELECT ARRAY[a]::{name}[] FROM orders"
        yield f'SELECT a::"{name}" FROM orders'
        yield f"SELECT \"{name}\" 'x'"
        yield f"SELECT a::public.{name} FROM orders"
        yield f"SELECT public.{name} 'x'"
        yield f"SELECT CAST((SELECT a FROM orders) AS {name})"
        yield f"SELECT CAST(CAST(a AS varchar) AS {name}) FROM orders"
        yield f'SELECT x.y FROM json_to_record(\'{{"y": "z"}}\') AS x(y {name})'
        yield f'SELECT y FROM json_to_record(\'{{"y": "z"}}\') AS (y {name})'
        yield f"SELECT a FROM orders WHERE a = ANY (ARRAY['x']::{name}[])"
        yield f"SELECT {name}('x')"
        yield f"SELECT t.{name} FROM generate_series(1, 2) t"
    for operator in OPERATORS:
        yield f"SELECT a {operator} a FROM orders"
        yield f"SELECT 'x'::varchar{operator}'y'"
        yield f"SELECT a OPERATOR(public.{operator}) a FROM orders"
