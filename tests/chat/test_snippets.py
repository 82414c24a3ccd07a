"""What is shown of a hit: short, around the match, safe, and with the matches where they are."""

import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.markup import MARKUPS, Markup, keep, neutralise
from chatd.chat.snippets import ELLIPSIS, SNIPPET_CHARS, Snippet, snippet
from tests.chat.test_markup import Witness, opens_markup


def marked(shown: Snippet) -> list[str]:
    return [shown.text[low:high] for low, high in shown.highlights]


def test_a_short_message_is_shown_whole() -> None:
    shown = snippet("the late order", [(4, 8)], keep)
    assert shown == Snippet("the late order", ((4, 8),))


def test_a_long_one_is_cut_at_words_around_the_first_match() -> None:
    content = "before " * 50 + "late " + "after " * 50
    at = content.index("late")
    shown = snippet(content, [(at, at + 4)], keep)
    assert shown.text.startswith(f"{ELLIPSIS}before ")
    assert shown.text.endswith(f"after{ELLIPSIS}")
    assert marked(shown) == ["late"]
    assert len(shown.text) <= SNIPPET_CHARS + 2 * len(ELLIPSIS)


def test_a_match_beyond_the_cut_is_not_told() -> None:
    content = "late " + "x " * 200 + "late"
    assert marked(snippet(content, [(0, 4), (len(content) - 4, len(content))], keep)) == ["late"]


def test_text_without_a_space_is_cut_all_the_same() -> None:
    content = "x" * 500
    shown = snippet(content, [(0, 500)], keep)
    assert shown.text == "x" * SNIPPET_CHARS + ELLIPSIS
    assert marked(shown) == ["x" * SNIPPET_CHARS]


def test_a_cut_parts_no_mark_from_its_letter() -> None:
    for before in range(3):
        content = "x" * before + "กี่" * 100 + "ข้าว" + "กี่" * 100
        at = content.index("ข้าว")
        shown = snippet(content, [(at, at + 4)], keep)
        assert marked(shown) == ["ข้าว"]
        inside = shown.text.strip(ELLIPSIS)
        assert inside.startswith("กี่")
        assert inside.endswith("กี่")


def test_without_a_match_the_beginning_is_shown() -> None:
    assert snippet("nothing of it", [], keep) == Snippet("nothing of it", ())


def test_a_highlight_moves_with_what_the_rule_puts_in() -> None:
    shown = snippet("a<b>late</b>", [(4, 8)], neutralise)
    assert shown.text == "a< b>late< /b>"
    assert marked(shown) == ["late"]


def test_a_highlight_moves_with_what_the_rule_leaves_out() -> None:
    shown = snippet("\u202ea\u2066\x1b late\u2069r", [(5, 9)], neutralise)
    assert shown.text == "a␛ later"
    assert marked(shown) == ["late"]


def test_a_cut_before_what_a_bracket_opens_leaves_nothing_open() -> None:
    content = "x " * 78 + "late <" + "script>"
    shown = snippet(content, [(156, 160)], neutralise)
    assert not opens_markup(shown.text)
    assert marked(shown) == ["late"]


@st.composite
def matched_content(draw: st.DrawFn) -> tuple[str, Sequence[tuple[int, int]]]:
    content = draw(st.text("<>/!?ab &\n\r\x1b\u202e", max_size=400))
    cuts = sorted(draw(st.sets(st.integers(0, len(content)), max_size=8)))
    return content, list(zip(cuts[::2], cuts[1::2], strict=False))


@given(matched_content(), st.sampled_from(sorted(MARKUPS)))
def test_a_snippet_is_delivered_as_content_is_and_its_matches_stay_those_of_the_content(
    found: tuple[str, Sequence[tuple[int, int]]], name: str
) -> None:
    content, matches = found
    markup: Markup = MARKUPS[name]
    shown = snippet(content, matches, markup)
    if name == "neutralise":
        assert Witness(shown.text).found == []
    bare = snippet(content, matches, keep)
    assert shown.text == markup(bare.text)
    assert len(shown.highlights) == len(bare.highlights)
    for told, original in zip(marked(shown), marked(bare), strict=True):
        # As written, but for the spaces and references that the rule put in. A match may end
        # between the two characters of a line end.
        assert told.replace(" ", "").replace("\r", "\n") == markup(original).replace(
            " ", ""
        ).replace("\r", "\n")
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(shown.highlights))
