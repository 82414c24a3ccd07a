"""Answers of HTTP/1.1, whole and in pieces, and what is not an answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.bench import http_answers
from chatd.bench.http_answers import Answer, Answers, NoHttpError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"
)
EMPTY = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


@given(st.integers(1, 40))
def test_answers_come_whole_however_they_are_cut(step: int) -> None:
    answers, wire = Answers(), OK + CHUNKED + EMPTY + OK
    got = [one for at in range(0, len(wire), step) for one in answers.receive(wire[at : at + step])]
    assert [(one.status, one.body) for one in got] == [
        (200, b"ok"),
        (200, b"abc0123456789"),
        (204, b""),
        (200, b"ok"),
    ]
    assert [one.keeps_the_connection for one in got] == [True, True, False, True]


def test_what_follows_a_101_is_left_alone() -> None:
    answers = Answers()
    assert [one.status for one in answers.receive(SWITCHED + b"\x81\x00HTTP")] == [101]
    assert bytes(answers.rest) == b"\x81\x00HTTP"


def test_an_answer_without_a_length_is_empty() -> None:
    assert Answers().receive(b"HTTP/1.1 200 OK\r\n\r\n") == [Answer(200, b"http/1.1 200 ok", b"")]


@pytest.mark.parametrize(
    "wire",
    [
        b"SSH-2.0\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: much\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
def test_what_is_no_answer_is_said_to_be_none(wire: bytes) -> None:
    with pytest.raises(NoHttpError):
        Answers().receive(wire)


def test_a_head_without_end_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_answers, "HEAD_BYTES_MAX", 20)
    with pytest.raises(NoHttpError, match="no end"):
        Answers().receive(b"HTTP/1.1 200 OK\r\nX: yyyyyyyyyyyyy")
