import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.content import PADDING_CHARS_MAX, canonical_message_id, check_content
from chatd.chat.invisible import is_blank
from chatd.wire.codes import Code, Refusal

UUID = "0b8e6f1a-3c1d-4b7e-9a55-00c0ffee0001"
MOST = 10


def test_a_message_id_is_compared_in_lower_case() -> None:
    assert canonical_message_id(UUID.upper()) == UUID
    assert canonical_message_id(UUID) == UUID


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        UUID + "\n",
        " " + UUID,
        UUID.replace("-", ""),
        "{" + UUID + "}",
        "urn:uuid:" + UUID,
        UUID[:-1] + "g",
        UUID[:-1] + "\uff11",
        UUID[:-1] + "\u0661",
        UUID * 2,
    ],
)
def test_what_is_no_uuid_is_no_message_id(text: str) -> None:
    assert canonical_message_id(text) == Refusal(Code.INVALID_MESSAGE_ID, path="messageId")


@pytest.mark.parametrize(
    "content",
    [
        "a",
        "a" * MOST,
        " " * 15 + "a" * MOST + "\n" * 15,
        "\U0001f600" * MOST,
        "a\u200bb",
        "\u200b" * (MOST - 1) + "a",
        "a" + " " * 40 * MOST,
        " " * (PADDING_CHARS_MAX - 5) + "a" * MOST + "\n" * 5,
        "\u00a0a",
        "\u3164a",
        "\u0301e",
        "1\ufe0f\u20e3",
        "\u0e01\u0e33",
        "\u06dd",
        "\x1b",
    ],
)
def test_content_that_fits_is_taken_as_written(content: str) -> None:
    assert check_content(content, MOST) is None


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", Code.CONTENT_EMPTY),
        (" \t\r\n", Code.CONTENT_EMPTY),
        ("\u00a0\u2003", Code.CONTENT_EMPTY),
        ("\u200b", Code.CONTENT_EMPTY),
        ("\u3164\uffa0", Code.CONTENT_EMPTY),
        ("\u2800 \u2800", Code.CONTENT_EMPTY),
        ("\ufe0f\U000e0101", Code.CONTENT_EMPTY),
        ("\U000e0001\U000e0041\U000e007f", Code.CONTENT_EMPTY),
        ("\u2067\u202e\u2069\u200f", Code.CONTENT_EMPTY),
        ("\u0301\u034f\u20dd", Code.CONTENT_EMPTY),
        ("\u115f\u1160\u180e\u00ad\u2065", Code.CONTENT_EMPTY),
        ("\u200b \u2060\n\u200b", Code.CONTENT_EMPTY),
        ("a" * (MOST + 1), Code.CONTENT_TOO_LONG),
        ("\u200b" * MOST + "a", Code.CONTENT_TOO_LONG),
        ("a" + " " * (PADDING_CHARS_MAX + 1), Code.CONTENT_TOO_LONG),
        (" " * (PADDING_CHARS_MAX + 1), Code.CONTENT_EMPTY),
        ("\u200b \u2060\n" * PADDING_CHARS_MAX, Code.CONTENT_EMPTY),
        ("\0" + " " * (PADDING_CHARS_MAX + 1), Code.CONTENT_TOO_LONG),
        ("a\0b", Code.INVALID_PAYLOAD),
        ("\0", Code.INVALID_PAYLOAD),
    ],
)
def test_content_that_cannot_be_a_message_is_refused_by_name(content: str, code: Code) -> None:
    refusal = check_content(content, MOST)
    assert refusal is not None
    assert (refusal.code, refusal.path) == (code, "content")


@given(st.text(max_size=6) | st.text(" \n\x1b\x1c\u200b\u3164\u0301a", max_size=6))
def test_content_is_empty_where_none_of_its_characters_is_seen(content: str) -> None:
    refusal = check_content(content, MOST)
    assert (refusal is not None and refusal.code is Code.CONTENT_EMPTY) == is_blank(content)


def test_a_refusal_for_length_says_how_long_it_may_be() -> None:
    refusal = check_content("a" * 11, MOST)
    assert refusal is not None
    assert refusal.sentence == "The message has 11 characters and may have 10; shorten it."
    refusal = check_content(" " * PADDING_CHARS_MAX + "a" * MOST + "\n", MOST)
    assert refusal is not None
    assert refusal.sentence == (
        "The message has 100001 characters of white space around it and may have 100000; trim it."
    )
