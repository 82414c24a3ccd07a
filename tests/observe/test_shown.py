"""Words of strangers in the log: short, and without meaning to any reader."""

from hypothesis import given
from hypothesis import strategies as st

from chatd.observe.shown import SHOWN_CHARS_MAX, shown
from tests.rows import rows


@rows(
    ("text", "said"),
    [
        ("", ""),
        ("https://chat.example:8443", "https://chat.example:8443"),
        ("[2001:db8::1]:80", "[2001:db8::1]:80"),
        ("ann@chat_1.example", "ann@chat_1.example"),
        ('<a href="x">\n\x1b[31m', "?a?href??x????[31m"),
        ("münchen.example", "m?nchen.example"),
        ("a" * SHOWN_CHARS_MAX, "a" * SHOWN_CHARS_MAX),
        ("a" * (SHOWN_CHARS_MAX + 1), "a" * SHOWN_CHARS_MAX + "..."),
    ],
)
def test_what_names_a_host_stays_and_what_is_strange_does_not(text: str, said: str) -> None:
    assert shown(text) == said


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_it_is_it_stays_one_short_line(text: str) -> None:
    said = shown(text)
    assert said.isascii()
    assert len(said) <= SHOWN_CHARS_MAX + 3
    assert not set(said) & set("<>\"'&\\\n\r\t\x1b ")
