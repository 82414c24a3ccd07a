"""UUIDs between their text and the bytes of the log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.ids import scoped_id
from chatd.store.rows import uuid_bytes, uuid_text

UUID = "d9428888-122b-11e1-b85c-61cd3cbb3210"


@given(st.uuids())
def test_a_uuid_is_its_bytes_with_or_without_a_scope(one: object) -> None:
    for text in (str(one), scoped_id(str(one), "sales")):
        assert uuid_text(uuid_bytes(text)) == text
    assert uuid_bytes(str(one)).hex() == str(one).replace("-", "")


@pytest.mark.parametrize(
    "text",
    [
        UUID.upper(),
        UUID[:-1] + "F",
        UUID.replace("-", ""),
        UUID.replace("-", "/"),
        UUID.replace("-", " "),
        "d9428888122b-11e1-b85c-61cd-3cbb3210",  # as long, and as many dashes
        "d942888-8122b-11e1-b85c-61cd3cbb3210",
        UUID[:-2] + "  ",
        f" {UUID}",
        f"{UUID}0",
        UUID[:-1],
        UUID[:-1] + "g",
        UUID[:-1] + "\N{FULLWIDTH DIGIT ONE}",
        f"{UUID}/0011223344556677".replace("7", "F"),
        "",
    ],
)
def test_any_other_text_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        uuid_bytes(text)
