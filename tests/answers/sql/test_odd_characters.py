"""The cheap look for odd characters agrees with what is made of them."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.sql.odd_characters import is_odd, plain_characters


def test_a_character_is_odd_where_a_plain_one_is_put_in_its_place() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        assert is_odd(char, 1) == (plain_characters(char) != char), hex(code)


@given(st.text("a \x0bé\u00a0\u200b（", max_size=8), st.integers(0, 8))
def test_what_is_not_odd_stays_as_it_is(text: str, chars: int) -> None:
    assert is_odd(text, chars) or plain_characters(text[:chars]) == text[:chars]
