import html
import itertools
import sqlite3
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatd.chat.markup import MARKUPS, escape, keep, neutralise

# WHATWG HTML, "Tag open state": only these take the tokenizer out of text after `<`.
OPENERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/!?")

markup_like = st.text("<>/!?-[]aZ \n\0'\"&;=#x0\u017f\u212a", max_size=60)
written = st.one_of(markup_like, st.text(max_size=60))


class Witness(HTMLParser):
    """Notes whatever the parser takes for something other than text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.found.append(tag)

    def handle_comment(self, data: str) -> None:
        self.found.append(data)

    def handle_decl(self, decl: str) -> None:
        self.found.append(decl)

    def handle_pi(self, data: str) -> None:
        self.found.append(data)

    def unknown_decl(self, data: str) -> None:
        self.found.append(data)


def opens_markup(text: str) -> bool:
    return any(one == "<" and two in OPENERS for one, two in itertools.pairwise(text))


def without_spaces_put_after_brackets(text: str, original: str) -> str:
    """`text` less each space after a `<` that `original` does not have at that place."""
    kept: list[str] = []
    for char in text:
        at = len(kept)
        put_in = char == " " and kept[-1:] == ["<"] and original[at : at + 1] != " "
        if not put_in:
            kept.append(char)
    return "".join(kept)


@pytest.mark.parametrize(
    "text",
    [
        "<b>",
        "</b>",
        "<!-- x -->",
        "<!doctype html>",
        "<?php ?>",
        "<script>x</script>",
        "<IMG src=x>",
    ],
)
def test_the_witnesses_do_find_markup_that_is_there(text: str) -> None:
    assert Witness(text).found
    assert opens_markup(text)


@pytest.mark.parametrize(
    ("content", "delivered"),
    [
        ("", ""),
        ("plain", "plain"),
        ("<b>bold</b>", "< b>bold< /b>"),
        ("<!-- gone -->", "< !-- gone -->"),
        ("<?xml?>", "< ?xml?>"),
        ("<<script>", "<< script>"),
        ("<", "<"),
        ("a < b", "a < b"),
        ("a<1", "a<1"),
        ("a<=b<>c<@d<-e", "a<=b<>c<@d<-e"),
        ("<\u00e9t\u00e9>", "<\u00e9t\u00e9>"),
        ("i <3 you", "i <3 you"),
        ("&lt;b&gt;", "&lt;b&gt;"),
    ],
)
def test_a_bracket_is_parted_exactly_where_it_would_open_markup(
    content: str, delivered: str
) -> None:
    assert neutralise(content) == delivered


@given(written)
@example("<" * 5 + "a")
@example("<scr<script>ipt>")
@example("<\0b>")
def test_no_parser_finds_markup_in_neutralised_text(content: str) -> None:
    delivered = neutralise(content)
    assert Witness(delivered).found == []
    assert not opens_markup(delivered)


@given(written)
def test_neutralising_only_puts_spaces_after_brackets(content: str) -> None:
    assert without_spaces_put_after_brackets(neutralise(content), content) == content


@given(written)
def test_text_that_opens_no_markup_is_delivered_as_written(content: str) -> None:
    assert (neutralise(content) == content) is not opens_markup(content)


@given(written)
def test_neutralising_twice_is_neutralising_once(content: str) -> None:
    once = neutralise(content)
    assert neutralise(once) == once


@pytest.mark.parametrize(
    "condition", ["a<b", "b<a", "a</*why*/b", "a<b and b<c or c<a", "a<>b", "a<=b", "a<<b", "a<(b)"]
)
def test_neutralised_sql_gives_the_same_answer(condition: str) -> None:
    database = sqlite3.connect(":memory:")
    answers = [
        database.execute(f"with t(a, b, c) as (values (1, 2, 3)) select {text} from t").fetchall()
        for text in (condition, neutralise(condition))
    ]
    database.close()
    assert answers[0] == answers[1]


@given(written)
def test_escaped_text_holds_no_markup_and_reads_back_as_written(content: str) -> None:
    delivered = escape(content)
    assert not set(delivered) & set("<>\"'")
    if "\0" not in content:
        assert html.unescape(delivered) == content


@given(written)
def test_kept_text_is_the_text(content: str) -> None:
    assert keep(content) is content


def test_the_rules_have_the_names_of_the_configuration() -> None:
    assert {"neutralise": neutralise, "escape": escape, "keep": keep} == MARKUPS
