"""Where a query stands in a text: as the index finds it, in places of the text as written."""

import sqlite3
from contextlib import closing

from hypothesis import example, given
from hypothesis import strategies as st

from chatd.chat import matches as matching
from chatd.chat.matches import matches
from chatd.chat.search import SearchQuery, SearchTerm, parse_query
from chatd.chat.words import folded, searchable
from chatd.store.search import match_expression
from tests.rows import rows


@rows(
    ("text", "query", "marked"),
    [
        ("the late order is LATE", "late", ["late", "LATE"]),
        ("later, late", "late", ["late"]),
        ("later, late", "late*", ["later", "late"]),
        ("a late order", '"late order"', ["late order"]),
        ("order_id", "id", ["id"]),
        ("Späte Café-Bestellung 🐘 cafe\u0301!", "cafe", ["Café", "cafe\u0301"]),
        ("我家在上海东边。上海", "上海", ["上海", "上海"]),
        ("我家在上海东边。", "边", ["边"]),
        ("哈哈哈", "哈哈", ["哈哈哈"]),
        ("上。海", "上海", []),
        ("新iPhone手机", "iphone手机", ["iPhone手机"]),
        ("Straße, ﬁnd", "strasse find", ["Straße", "ﬁnd"]),
        ("ｶﾞｯｺｳへ", "ガッコウ", ["ｶﾞｯｺｳ"]),
        ("กินข้าวที่บ้าน", "ข้าว", ["ข้าว"]),
        ("กินข้าวที่บ้าน", "ที", ["ที่"]),
        ("مُحَمَّدٌ هنا", "محمد", ["مُحَمَّدٌ"]),
        ("soft\u00adware", "software", ["soft\u00adware"]),
        ("\u09c7\u09be x É", "e", ["É"]),
        ("서울에서", "서울", ["서울"]),
        ("late \ufdd0 late", "late", ["late", "late"]),
    ],
)
def test_the_right_place_is_marked(text: str, query: str, marked: list[str]) -> None:
    parsed = parse_query(query)
    assert isinstance(parsed, SearchQuery)
    assert [text[low:high] for low, high in matches(text, parsed.required)] == marked


ALPHABET = "aB é_-.上海边が가กี่ﾞe\u0301ß0\u00ad"


@given(st.text(ALPHABET, max_size=24), st.text(ALPHABET, min_size=1, max_size=5), st.booleans())
@example("上海 边", "海 边", False)
@example("上.海", "上海", False)
@example("上海", "海 ", True)
def test_what_the_index_finds_has_a_place_and_nothing_else_has(
    text: str, asked: str, is_prefix: bool
) -> None:
    term = SearchTerm(asked, is_prefix)
    if not searchable(asked).strip(" _-."):
        return
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE t USING fts5 (w, tokenize = 'ascii')")
        connection.execute("INSERT INTO t VALUES (?)", (searchable(text),))
        found = connection.execute(
            "SELECT 1 FROM t WHERE t MATCH ?", (match_expression(SearchQuery((term,))),)
        ).fetchall()
    places = matches(text, [term])
    assert bool(places) == bool(found)
    for low, high in places:
        assert 0 <= low < high <= len(text)


@given(st.text(max_size=60))
def test_folding_piece_by_piece_gives_the_same_letters(text: str) -> None:
    pieces = [piece.group() for piece in matching._FOLDED_TOGETHER.finditer(text)]
    assert "".join(pieces) == text
    assert sum(len(folded(piece)) for piece in pieces) == len(folded(text))


@given(st.text("aé上กี่ﾞ\u0301 \u00ad", max_size=300), st.integers(0, 300))
def test_a_place_far_into_a_text_is_the_right_one(before: str, after: int) -> None:
    text = f"{before} late{'é' * after}"
    [*_, place] = matches(text + " late", [SearchTerm("late", is_prefix=False)])
    assert place == (len(text) + 1, len(text) + 5)


def test_a_long_word_is_looked_at_once() -> None:
    assert matches("a" * 1_000_000, [SearchTerm("a", is_prefix=False)]) == ()
    assert matches("a" * 1_000_000, [SearchTerm("a", is_prefix=True)]) == ((0, 1_000_000),)
