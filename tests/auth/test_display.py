"""Names and titles: one line, bounded, with nothing in it that turns or hides text."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from chatd.auth.display import DISPLAY_TEXT_CHARS, display_text
from tests.rows import rows


@rows(
    ("value", "shown"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("  Ada \r\n\t Lovelace\u2028", "Ada Lovelace"),
        ("Ada\u202egnp.exe", "Adagnp.exe"),
        ("\u2066Ada\u2069", "Ada"),
        ("A\0d\x1b[31ma", "Ad[31ma"),
        ("A\u200bd\ufeffa\u00ad", "Ada"),
        ("Ada \u202e Lovelace", "Ada Lovelace"),
        ("\ud83dAda", "Ada"),
        ("\U000e0041Ada", "Ada"),
        ("نیم\u200cفاصله", "نیم\u200cفاصله"),
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
        ("x" * 101, "x" * 100),
        ("x" * 99 + " y", "x" * 99),
        ("", None),
        (" \n ", None),
        ("\u202e", None),
        ("\u200d\u200c", None),
        ("\u3164 \u2800", None),
        ("\ufe0f\u0301", None),
        ("\u115fAda", "\u115fAda"),
        (None, None),
        (7, None),
        (["Ada"], None),
    ],
)
def test_what_is_shown_of_a_value(value: object, shown: str | None) -> None:
    assert display_text(value) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_comes_in_one_harmless_line_goes_out(text: str) -> None:
    shown = display_text(text)
    if shown is None:
        return
    assert 0 < len(shown) <= DISPLAY_TEXT_CHARS
    assert display_text(shown) == shown
    shown.encode()
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(character) for character in shown} & {
        "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
    }  # fmt: skip
