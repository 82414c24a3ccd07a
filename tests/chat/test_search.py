"""Words as an expression of FTS5: SQLite itself says whether it is one, and what it finds."""

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatd.chat.search import QUERY_CHARS_MAX, TERMS_MAX, match_expression
from chatd.wire.codes import Code, Refusal
from tests.rows import rows

ROWS = {
    1: "Orders of today, and of Élodie",
    2: "the order was LATE",
    3: "late orders",
    4: "select order_id from orders",
    5: "NOT late AND not early",
}


@pytest.fixture(scope="module")
def index() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.execute(
        "CREATE VIRTUAL TABLE t USING fts5 "
        "(content, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3')"
    )
    connection.executemany("INSERT INTO t (rowid, content) VALUES (?, ?)", ROWS.items())
    yield connection
    connection.close()


@rows(
    ("query", "found"),
    [
        ("late", {2, 3, 5}),
        ("LATE", {2, 3, 5}),
        ("late order", {2}),
        ("order late", {2}),
        ("elodie", {1}),
        ("Élodie", {1}),
        ('"late orders"', {3}),
        ('"orders late"', set()),
        ("ord*", {1, 2, 3, 4}),
        ("orders*", {1, 3, 4}),
        ('"of to"*', {1}),
        ("late -orders", {2, 5}),
        ('late -"late orders"', {2, 5}),
        ("-orders late", {2, 5}),
        ("not late", {5}),
        ("early AND late", {5}),
        ("late OR today", set()),
        ("order_id", {4}),
        ("content:late", set()),
        ("(late)", {2, 3, 5}),
        ("late ^ + ( ) { } , ;", {2, 3, 5}),
        ("NEAR(late orders)", set()),
        ("late*orders", {3}),
    ],
)
def test_a_query_finds_what_a_person_means(
    index: sqlite3.Connection, query: str, found: set[int]
) -> None:
    expression = match_expression(query)
    assert isinstance(expression, str)
    rows = index.execute("SELECT rowid FROM t WHERE t MATCH ?", (expression,))
    assert {rowid for (rowid,) in rows} == found


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "*",
        "-",
        "-late",
        '-"late orders"',
        "( ) : ^",
        '""',
        '"late orders',
        'late"',
        "la\0te",
        "x" * (QUERY_CHARS_MAX + 1),
        " ".join(["a"] * (TERMS_MAX + 1)),
    ],
)
def test_what_cannot_be_searched_for_is_refused_with_a_sentence(query: str) -> None:
    refusal = match_expression(query)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.path) == (Code.INVALID_QUERY, "query")
    assert refusal.sentence.endswith(".")


def test_as_many_words_as_are_allowed_are_allowed() -> None:
    assert isinstance(match_expression(" ".join(["a"] * TERMS_MAX)), str)


@given(st.one_of(st.text("ab-*\"'()^:+ ANDORT\\\n;,{}", max_size=40), st.text(max_size=40)))
@example('a"b"*c')
@example('a -b* -"c d"*')
def test_whatever_is_written_is_an_expression_or_a_refusal(query: str) -> None:
    expression = match_expression(query)
    if isinstance(expression, str):
        connection = sqlite3.connect(":memory:")
        connection.execute("CREATE VIRTUAL TABLE t USING fts5 (content)")
        connection.execute("INSERT INTO t VALUES ('a b c')")
        connection.execute("SELECT rowid FROM t WHERE t MATCH ?", (expression,)).fetchall()
        connection.close()
