"""What the daemon and the process that reads for it say to each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.frames import FRAME_BYTES_MAX, FrameBreach, Frames, framed
from chatd.answers.requests import (
    DescribeTable,
    ExplainStatement,
    ListTables,
    RunStatement,
    SampleTable,
)
from chatd.answers.sql.commands import Help, Misused
from chatd.answers.sql.frames import (
    piece_from_json,
    piece_to_json,
    reading_from_json,
    reading_to_json,
)
from chatd.answers.sql.reading import Piece, Reading, Talk
from chatd.answers.sql.verdicts import Policy, Rejected
from chatd.wire.codes import Code, HintCode
from tests.rows import rows

READINGS: list[Reading] = [
    Talk(),
    Talk.near_sql("Write it so."),
    Talk(HintCode.UNKNOWN_COMMAND, "There is no /x."),
    Rejected(Code.DB_READ_ONLY, "Only reading is allowed here."),
    ListTables(),
    DescribeTable("orders"),
    SampleTable("order items", "main"),
    RunStatement("SELECT '\u0000 \u2028 東 🐘'"),
    ExplainStatement("SELECT 1"),
    Help(),
    Misused("Say what to describe."),
]


@rows("reading", READINGS, ids=lambda reading: type(reading).__name__)
def test_what_a_piece_came_to_arrives_as_it_was(reading: Reading) -> None:
    assert reading_from_json(reading_to_json(reading)) == reading


@given(
    st.builds(
        Piece,
        st.text(st.characters(codec="utf-8"), max_size=30),
        st.builds(
            Policy,
            st.sampled_from(["sqlite", "postgres", "mysql"]),
            st.booleans(),
            st.none() | st.text(st.characters(codec="utf-8"), max_size=5),
            st.none() | st.lists(st.text(max_size=3, alphabet="ab\u00e4"), max_size=3).map(tuple),
        ),
    )
)
def test_a_piece_arrives_as_it_was(piece: Piece) -> None:
    assert piece_from_json(piece_to_json(piece)) == piece


@rows(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"Talk"',
        b"{}",
        b'{"is":"Talk","more":1}',
        b'{"is":"Talk","code":"strange"}',
        b'{"is":"Talk","sentence":1}',
        b'{"is":["Talk"]}',
        b'{"is":"Piece","content":"x"}',
        b'{"is":"RunStatement"}',
        b'{"is":"RunStatement","sql":1}',
        b'{"is":"RunStatement","sql":["SELECT 1"]}',
        b'{"is":"DescribeTable","table":"t","schema":2}',
        b'{"is":"Rejected","code":"no code","sentence":"x"}',
        b'{"is":"Rejected","code":"db_syntax","sentence":null}',
    ],
)
def test_what_is_of_no_known_shape_is_a_breach(content: bytes) -> None:
    with pytest.raises(FrameBreach):
        reading_from_json(content)
    with pytest.raises(FrameBreach):
        piece_from_json(content)


@given(st.lists(st.binary(max_size=40), max_size=6), st.integers(1, 9))
def test_frames_come_out_whole_however_their_bytes_come(contents: list[bytes], step: int) -> None:
    sent = b"".join(map(framed, contents))
    frames, received = Frames(), []
    for start in range(0, len(sent), step):
        received += frames.feed(sent[start : start + step])
    assert received == contents


def test_a_frame_that_is_too_long_is_a_breach_before_it_has_come() -> None:
    with pytest.raises(FrameBreach, match="bytes"):
        list(Frames().feed((FRAME_BYTES_MAX + 1).to_bytes(4, "big")))
