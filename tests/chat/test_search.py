"""What a user writes, as a query or a refusal. What a query finds is in `tests.store`."""

import pytest

from chatd.chat.search import QUERY_CHARS_MAX, TERMS_MAX, SearchQuery, SearchTerm, parse_query
from chatd.wire.codes import Code, Refusal

WORD, PHRASE = SearchTerm("late", is_prefix=False), SearchTerm("late orders", is_prefix=False)
BEGINNING = SearchTerm("ord", is_prefix=True)


@pytest.mark.parametrize(
    ("query", "parsed"),
    [
        ("late", SearchQuery((WORD,))),
        ("ord* late", SearchQuery((BEGINNING, WORD))),
        ('"ord"*', SearchQuery((BEGINNING,))),
        ('late -"late orders" -ord**', SearchQuery((WORD,), (PHRASE, BEGINNING))),
        ("late ^ + ( ) { } , ;", SearchQuery((WORD,))),
    ],
)
def test_a_query_is_what_has_to_occur_and_what_must_not(query: str, parsed: SearchQuery) -> None:
    assert parse_query(query) == parsed


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
    refusal = parse_query(query)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.path) == (Code.INVALID_QUERY, "query")
    assert refusal.sentence.endswith(".")


def test_as_many_words_as_are_allowed_are_allowed() -> None:
    assert isinstance(parse_query(" ".join(["a"] * TERMS_MAX)), SearchQuery)
