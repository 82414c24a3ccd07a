"""What nodes tell each other of a room, and what is no such thing."""

import contextlib
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.bus.frames import MOST, OLDEST, VERSION, Frame, UnreadableFrame, decode, encode
from chatd.chat.order import Place
from chatd.chat.records import (
    Changes,
    Message,
    MessageDeleted,
    MessageEdited,
    MessageErased,
    Reaction,
    ReactionChanged,
)
from tests.rows import rows

ROOM = "a room: with spaces"
PLAIN = Message(
    "0b9d3bb4-7d0e-4c37-9e0b-6b6b1d1f3b01",
    ROOM,
    1,
    "ann",
    None,
    "hi",
    None,
    None,
    1_700_000_000_000,
)
FULL = attrs.evolve(
    PLAIN,
    seq=MOST,
    name="Änn",
    content="1 \r\n \x00 \u2028 <b> 上海 🙂 \"'\\",
    context=b'{"a":1.0,"b":1e400,"c":12345678901234567890123}',
    thread_id="0b9d3bb4-7d0e-4c37-9e0b-6b6b1d1f3b02",
    reply_to="0b9d3bb4-7d0e-4c37-9e0b-6b6b1d1f3b03",
    answer='{"rows":[[1.10,"é"]]}'.encode(),
    mentions=("bob", "cy"),
    changes=Changes(7, 5, 6, 4, 3, (Reaction("👍", ("bob", "ann")), Reaction("x", ()))),
)
FRAMES: list[Frame] = [
    PLAIN,
    FULL,
    Place(),
    Place(5, MOST),
    MessageEdited(FULL, 8, "ann", 9),
    MessageDeleted(FULL, 8, "ann", 9),
    MessageErased(PLAIN, 8, "chatd:system", 9),
    ReactionChanged(FULL, 8, "bob", 9, "👍", is_on=True),
    ReactionChanged(PLAIN, 8, "bob", 9, "👍", is_on=False),
]


@rows("frame", FRAMES)
def test_a_frame_comes_back_as_it_was(frame: Frame) -> None:
    payload = encode(frame)
    read = decode(payload, ROOM)
    assert read == frame
    assert type(read) is type(frame)
    assert not any(byte < 32 or byte == 127 for byte in payload)  # as a bus wants it


@rows("frame", FRAMES)
def test_a_later_version_is_understood_where_it_needs_no_more(frame: Frame) -> None:
    """It has more fields at every end."""
    version, needs, kind, fields = orjson.loads(encode(frame))
    later = [version + 1, needs, kind, [*lengthened(fields), "later"], "later"]
    assert decode(orjson.dumps(later), ROOM) == frame


def lengthened(fields: Any) -> list[Any]:
    """With a field more in each list that holds a message or its changes."""
    return [
        [*lengthened(one), "later"] if isinstance(one, list) and len(one) > 5 else one
        for one in fields
    ]


@rows(
    ("version", "needs"),
    [(VERSION + 1, VERSION + 1), (VERSION + 9, VERSION + 2), (OLDEST - 1, OLDEST - 1), (-1, 1)],
)
def test_other_versions_are_left_to_the_log(version: int, needs: int) -> None:
    _, _, kind, fields = orjson.loads(encode(PLAIN))
    with pytest.raises(UnreadableFrame):
        decode(orjson.dumps([version, needs, kind, fields]), ROOM)


def test_another_kind_is_none_of_this_version() -> None:
    assert decode(b'[1,1,"z",[]]', ROOM) is None
    assert decode(b'[1,1,"typing",{"user":"ann"}]', ROOM) is None


@rows(
    "payload",
    [
        *(b"", b"{}", b"[]", b"1", b"null", b'"mmmm"', b"[1,1]", b"\xff", b"\x00", b"[" * 2000),
        *(b'[1,1,"m",[]]', b'[1,1,"m",null]', b'[1,1,"m",{}]', b'[1,1,"m","abcdefghijkl"]'),
        *(b'[1,1,"h",[1]]', b'[1,1,"h",[-1,0]]', b'[1,1,"h",[1.0,0]]', b'[1,1,"h",[true,0]]'),
        *(b'[1,1,"h",["1",0]]', b'[1,1,"h",[9007199254740992,0]]', b'["1",1,"h",[1,1]]'),
        *(b'[true,1,"h",[1,1]]', b'[1,1,"c",["edited",1,"ann",1,[]]]', b'[1,1,"c",[]]'),
    ],
)
def test_what_is_no_frame_is_told(payload: bytes) -> None:
    with pytest.raises(UnreadableFrame):
        decode(payload, ROOM)


@rows(
    ("place", "value"),
    [
        *((0, 1), (0, None), (1, 0), (1, "1"), (2, None), (3, 1), (4, None), (5, {}), (6, [])),
        *((7, "now"), (8, 1), (9, []), (10, None), (10, "bob"), (10, [1]), (11, []), (11, {})),
        *((11, [1, 2, 3]), (11, [1, 2, 3, 4, 5, 6]), (11, [0, 1, 0, None, None, []])),
        *((11, [1, 1, 0, None, None, [[1, []]]]), (11, [1, 1, 0, None, None, [["x"]]])),
    ],
)
def test_a_field_that_is_not_what_it_should_be_is_told(place: int, value: object) -> None:
    fields = orjson.loads(encode(FULL))[3]
    fields[place] = value
    with pytest.raises(UnreadableFrame):
        decode(orjson.dumps([1, 1, "m", fields]), ROOM)


json = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=13),
    max_leaves=30,
)


@given(
    st.sampled_from(["m", "c", "h"]),
    json | st.tuples(st.sampled_from(["edited", "reaction"]), json),
)
def test_any_fields_are_a_frame_or_are_told(kind: str, fields: object) -> None:
    with contextlib.suppress(UnreadableFrame):
        decode(orjson.dumps([1, 1, kind, fields]), ROOM)


@given(st.binary(max_size=30))
def test_any_bytes_are_a_frame_or_are_told(payload: bytes) -> None:
    with contextlib.suppress(UnreadableFrame):
        decode(payload, ROOM)
