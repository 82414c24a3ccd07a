import html
import itertools
import sqlite3
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatd.chat.markup import MARKUPS, Markup, escape, in_all, keep, neutralise
from tests.rows import rows

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

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """A comment to HTML (WHATWG, "Markup declaration open state"); Python raises at some."""
        return self.parse_bogus_comment(i, report)


def markup_of(text: str) -> list[str]:
    return Witness(text).found


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


@rows(
    ("content", "delivered"),
    [
        ("", ""),
        ("plain", "plain"),
        ("<b>bold</b>", "< b>bold< /b>"),
        ("<!-- gone -->", "< !-- gone -->"),
        ("<?xml?>", "< ?xml?>"),
        ("<<script>", "<< script>"),
        ("<", "< "),
        ("a <", "a < "),
        ("a < ", "a < "),
        ("</", "< /"),
        ("a<\u202eb>", "a< b>"),
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
    kept = keep(content)
    assert without_spaces_put_after_brackets(neutralise(content), kept) == kept


@given(written)
def test_text_that_opens_no_markup_is_delivered_as_written(content: str) -> None:
    kept = keep(content)
    assert (neutralise(content) == kept) is not (opens_markup(kept) or kept.endswith("<"))


@given(written, st.text("<>/!?-[]aZ \n\0'\"&;=#", max_size=20))
@example("a <", "b>")
@example("a <\u2066", "!-- b")
@example("&", "lt;b>")
@example("a", "<![;>b")
def test_what_a_page_puts_behind_a_text_makes_no_markup_of_it(content: str, behind: str) -> None:
    delivered = neutralise(content)
    assert not delivered.endswith("<")
    assert markup_of(delivered + behind) == markup_of(behind)


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
    if keep(content) == content:
        assert html.unescape(delivered) == content


OBEYED = frozenset(
    [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F))]
    + [chr(code) for code in range(0x2066, 0x2070)]
) - {"\t", "\n"}


@pytest.mark.parametrize("rule", MARKUPS.values(), ids=MARKUPS)
@given(content=written | st.text(st.sampled_from(sorted(OBEYED) + list("a <\r\n\t")), max_size=80))
@example(content="x" * 100 + "\x1b[2J")
@example(content="é" * 100 + "\x9b2J")
def test_whatever_the_rule_no_control_is_delivered(rule: Markup, content: str) -> None:
    delivered = rule(content)
    assert not OBEYED & set(delivered.replace("\r\n", "\n"))


@given(st.text(max_size=300))
def test_kept_text_is_the_text_where_nothing_obeys_it(content: str) -> None:
    if not OBEYED & set(content):
        assert keep(content) is content


@pytest.mark.parametrize(
    ("content", "delivered"),
    [
        ("a\tb\nc\r\nd", "a\tb\nc\r\nd"),
        ("harmless\rrm -rf", "harmless\nrm -rf"),
        ("\r\r\n", "\n\r\n"),
        ("a\vb\fc", "a b c"),
        ("\x1b]8;;http://x\x07y\x1b]8;;\x07", "␛]8;;http://x␇y␛]8;;␇"),
        ("pass\b\b\b\bword\x7f", "pass␈␈␈␈word␡"),
        ("\x9b2J\x85", "\ufffd2J\ufffd"),
        ("if (a \u202e}\u2066 b\u2069", "if (a } b"),
        ("שלום, world; مرحبا", "שלום, world; مرحبا"),
        ("א\u200eb\u200fג\u061c", "א\u200eb\u200fג\u061c"),
        ("نیم\u200cفاصله \U0001f469\u200d\U0001f4bb", "نیم\u200cفاصله \U0001f469\u200d\U0001f4bb"),
    ],
)
def test_what_a_terminal_or_an_editor_obeys_is_shown_or_left_out(
    content: str, delivered: str
) -> None:
    assert keep(content) == delivered


@given(written | st.text("\r\n<a\x1b\u202e&'", max_size=40), st.integers(0, 60))
def test_what_is_delivered_of_a_part_depends_on_nothing_before_it(content: str, at: int) -> None:
    """The positions of highlights are counted so."""
    for rule in MARKUPS.values():
        assert rule(content).endswith(rule(content[at:]))


def test_the_rules_have_the_names_of_the_configuration() -> None:
    assert {"neutralise": neutralise, "escape": escape, "keep": keep} == MARKUPS


def test_the_rule_reaches_each_text_of_a_value() -> None:
    value = {"<a>": ["<b>", {"c": "<d>"}, 1, None, True]}
    assert in_all(value, neutralise) == {"<a>": ["< b>", {"c": "< d>"}, 1, None, True]}
