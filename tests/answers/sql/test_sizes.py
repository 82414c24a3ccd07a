"""What a statement may have Postgres make and search, beside a Postgres: what the guard lets
through ends soon after its timeout, even where the server does not look at it for a while."""

from contextlib import suppress
from typing import Final

import psycopg
import pytest

from chatd.answers.sql.guard import check_statement
from chatd.answers.sql.verdicts import Allowed, Policy, Rejected
from tests.postgres import Postgres
from tests.processes import processor_s

TIMEOUT_MS: Final = 300
SOON_S: Final = 3.0  # of the processor, whatever else the machine is at; it was 2

LONG: Final = "string_agg(repeat('a', 100), '')"
HUGE: Final = "(('1' || repeat(repeat('7', 10000), 13))::numeric"
HUGE_TOO: Final = "('3' || repeat(repeat('1', 10000), 6))::numeric"

# Each ran for 3 s to minutes after a timeout of 0.3 s, or nearly so.
STUCK: Final = (
    "length(translate(repeat(repeat('a', 10000), 9000), repeat('b', 10000), 'c'))",
    "length(ltrim(repeat(repeat('a', 10000), 2000), repeat('b', 10000) || 'a'))",
    "length(btrim(repeat(repeat('a', 10000), 100)::bytea, (repeat('b', 10000) || 'a')::bytea))",
    "length(trim(both repeat('b', 10000) || 'a' from repeat(repeat('a', 10000), 100)))",
    "repeat(repeat('a', 10000), 300) ILIKE '%' || repeat('_a', 4000) || 'b'",
    "position(repeat('a', 4999) || 'b' || repeat('a', 5000) IN repeat(repeat('a', 10000), 1000))",
    "strpos(repeat(repeat('a', 10000), 1000), repeat('a', 4999) || 'b' || repeat('a', 5000))",
    f"length({HUGE} / {HUGE_TOO})::text)",
    f"length({HUGE} % {HUGE_TOO})::text)",
    "polygon(9000, circle(point(0, 0), 1)) <-> polygon(9000, circle(point(9, 0), 1))",
    "cardinality(array_agg(repeat('x', 10000) || g)) FROM generate_series(1, 300000) g",
    "length(json_agg(repeat('x', 10000) || g)::text) FROM generate_series(1, 60000) g",
)
# What the guard lets through of the same kinds, as large as it does; each reads from `MANY`.
LARGEST: Final = (
    f"length(translate({LONG}, '{'b' * 100}', 'c'))",
    f"length(ltrim({LONG}, '{'b' * 99}a'))",
    f"{LONG} ILIKE '%' || repeat('_a', 50) || 'b'",
    f"strpos({LONG}, repeat('a', 49) || 'b' || repeat('a', 50))",
    "array_agg(repeat('x', 100) || g)",
    "length((('1' || repeat('7', 9999))::numeric / ('3' || repeat('1', 5000))::numeric)::text)",
    "polygon(100, circle(point(0, 0), 1)) <-> polygon(100, circle(point(9, 0), 1))",
)
MANY: Final = "FROM generate_series(1, 20000) g"


@pytest.mark.parametrize("expression", STUCK)
def test_what_does_not_heed_its_timeout_is_refused(expression: str) -> None:
    verdict = check_statement(f"SELECT {expression}", Policy("postgres"))
    assert isinstance(verdict, Rejected)
    assert "at most" in verdict.sentence or "write smaller ones" in verdict.sentence


@pytest.mark.parametrize("expression", LARGEST)
def test_what_the_guard_lets_through_ends_soon_after_its_timeout(
    postgres: Postgres, expression: str
) -> None:
    verdict = check_statement(f"SELECT {expression} {MANY}", Policy("postgres"))
    assert isinstance(verdict, Allowed), verdict
    with postgres.connect("postgres", options=f"-c statement_timeout={TIMEOUT_MS}") as connection:
        backend = connection.info.backend_pid
        before_s = processor_s(backend)
        with suppress(psycopg.errors.QueryCanceled):
            connection.execute(verdict.sql)
        assert processor_s(backend) - before_s < SOON_S
