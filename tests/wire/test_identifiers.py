"""What may be an id: it is compared, so that it is never changed, and goes into pages as it is."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.wire.identifiers import is_connection_id, is_id, is_user_id

PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40)


@given(PRINTABLE)
def test_printable_ascii_is_an_id_unless_it_opens_markup(text: str) -> None:
    opens = any(
        char == "<" and after in (*string.ascii_letters, *"/!?", "")
        for char, after in zip(text, [*text[1:], ""], strict=True)
    )
    assert is_id(text, 40) is not opens


@pytest.mark.parametrize("value", ["", "é", "a\n", "\x7f", None, 7, ["a"], "x" * 5])
def test_anything_else_is_none(value: object) -> None:
    assert not is_id(value, 4)


def test_rooms_and_users_have_lengths_of_their_own() -> None:
    assert is_connection_id("x" * 128)
    assert not is_connection_id("x" * 129)
    assert is_user_id("x" * 255)
    assert not is_user_id("x" * 256)
    assert not is_user_id("db:x")
    for name in ("chatd:system", "Chatd:x", "chat d:erased:1", "chatd:"):
        assert not is_user_id(name)
    assert is_user_id("chatd")


@pytest.mark.parametrize("value", ["db:x", "bot:x", "BOT:x", "b o t :x", "bot:", "Bot: "])
def test_no_user_has_the_name_of_a_database_or_a_bot(value: str) -> None:
    assert not is_user_id(value)


def test_a_name_that_only_resembles_those_is_a_users() -> None:
    assert is_user_id("bottle")
    assert is_user_id("robot:x")
