"""Replies of Redis out of bytes, whoever sends them."""

import contextlib

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.bus.resp import REPLY_BYTES_MAX, BadReply, RespReader, command
from tests.rows import rows

MESSAGE = b"*3\r\n$7\r\nmessage\r\n$5\r\nr:one\r\n$10\r\n=*99 $7 xy\r\n"
HEARD = [b"message", b"r:one", b"=*99 $7 xy"]


def test_replies_come_one_by_one_however_their_bytes_are_cut() -> None:
    written = MESSAGE + b"+PONG\r\n:0\r\n#f\r\n$-1\r\n*-1\r\n" + MESSAGE
    expected = [HEARD, b"PONG", 0, False, None, None, HEARD]
    for cut in range(1, len(written)):
        reader = RespReader()
        pieces = [written[at : at + cut] for at in range(0, len(written), cut)]
        assert [one for piece in pieces for one in reader.replies(piece)] == expected


def test_an_error_is_a_reply() -> None:
    (reply,) = RespReader().replies(b"-NOPERM no\r\n")
    assert isinstance(reply, hiredis.ReplyError)


@rows(
    "written",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x15\x03\x01\x00\x02\x02P",  # an alert of TLS
        b"\x00",
        b"*-5\r\n",
        b"$-7\r\n",
        b"*9999999999\r\n",
        b"*2147483647\r\n" * 8,
        b":99999999999999999999999\r\n",
        b"*1\r\n" * 500_000,
        b"+OK\r\n*10\r\n",
        b">3\r\n$7\r\nmessage\r\n",
        b"*3\r\n$1\r\na\r\n*2147483647\r\n",
    ],
)
def test_what_is_no_reply_is_told(written: bytes) -> None:
    with pytest.raises(BadReply):
        list(RespReader().replies(written))


@rows("head", [b"$999999999\r\n", b"+", b"*3\r\n$7\r\nmessage\r\n$999999999\r\n"])
def test_a_reply_that_is_too_long_is_given_up_before_it_is_held(head: bytes) -> None:
    reader = RespReader()
    piece = b"x" * 65_536
    assert list(reader.replies(head)) == []
    for _ in range(REPLY_BYTES_MAX // len(piece) - 1):
        assert list(reader.replies(piece)) == []
    with pytest.raises(BadReply):
        [*reader.replies(piece), *reader.replies(piece)]


@rows("cut", range(1, 12))
def test_a_head_that_is_cut_is_seen(cut: int) -> None:
    reader, written = RespReader(), b"+OK\r\n*2147483647\r\n"
    with pytest.raises(BadReply):
        [*reader.replies(written[:cut]), *reader.replies(written[cut:])]


def test_many_short_replies_are_not_one_long_one() -> None:
    reader = RespReader()
    data = MESSAGE * 1000
    for _ in range(2 + REPLY_BYTES_MAX // len(data)):
        assert len(list(reader.replies(data))) == 1000


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_any_bytes_give_replies_or_are_told(pieces: list[bytes]) -> None:
    reader = RespReader()
    with contextlib.suppress(BadReply):
        for piece in pieces:
            list(reader.replies(piece))


def test_a_command_holds_any_bytes() -> None:
    assert (
        command(b"PUBLISH", b"r:\r\n", b"") == b"*3\r\n$7\r\nPUBLISH\r\n$4\r\nr:\r\n\r\n$0\r\n\r\n"
    )
