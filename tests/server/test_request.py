"""Requests as they come: heads and bodies, however they are cut, one after the other."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.server.request import BadRequestError, RequestReader

HEAD = (
    b"GET /socket.io/?EIO=4&a=b#part HTTP/1.1\r\nHost: here\r\nX-Many: 1\r\nx-many: 2\r\n"
    b"Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\r\n"
)
CHUNKED = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

# Requests, and what each is: chunks with the pattern that ends a message inside, trailers, empty
# lines between requests.
PIPELINE = [
    (CHUNKED + b"4\r\n\r\n\r\n\r\n3\r\nabc\r\n0\r\n\r\n", ("POST", b"/a", b"\r\n\r\nabc")),
    (b"GET /b?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", ("GET", b"/b", b"")),
    (b"POST /c HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz", ("POST", b"/c", b"xyz")),
    (CHUNKED + b"1;e=f\r\nq\r\n0\r\nT: v\r\n\r\n\r\n", ("POST", b"/a", b"q")),
    (b"POST /d HTTP/1.1\r\nContent-Length: 0\r\n\r\n", ("POST", b"/d", b"")),
]


def read_all(sent: bytes, pieces: list[int]) -> list[tuple[str, bytes, bytes]]:
    """Feed `sent` cut at `pieces`, and take requests as they become complete."""
    reader = RequestReader(1000)
    taken = []
    head = None
    for start, end in zip([0, *pieces], [*pieces, len(sent)], strict=True):
        reader.feed(sent[start:end])
        while True:
            head = head or reader.head()
            if head is None or (body := reader.body(100)) is None:
                break
            taken.append((head.method, head.path, body))
            head = None
    assert reader.waiting_bytes == 0
    return taken


@given(cuts=st.sets(st.integers(1, sum(len(sent) for sent, _ in PIPELINE) - 1)))
def test_pipelined_requests_are_the_same_however_they_are_cut(cuts: set[int]) -> None:
    sent = b"".join(sent for sent, _ in PIPELINE)
    assert read_all(sent, sorted(cuts)) == [expected for _, expected in PIPELINE]


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_head_is_read_however_it_is_cut(piece: int) -> None:
    reader = RequestReader(1000)
    sent = HEAD + b"\x81\x00"
    head = None
    for at in range(0, len(sent), piece):
        reader.feed(sent[at : at + piece])
        head = head or reader.head()
    assert head is not None
    assert (head.method, head.path, head.query) == ("GET", b"/socket.io/", b"EIO=4&a=b")
    assert head.headers[b"x-many"] == b"1, 2"
    assert head.header(b"host") == "here"
    assert head.header(b"cookie") is None
    assert head.is_websocket
    assert head.keeps_alive
    assert head.raw == HEAD
    assert reader.rest == b"\x81\x00"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\0\1\2\3\r\n\r\n", 400),
        (b"\x16\x03\x01\x02", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 200, 431),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 200 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_no_head_is_refused_with_a_status(sent: bytes, status: int) -> None:
    reader = RequestReader(100)
    reader.feed(sent)
    with pytest.raises(BadRequestError) as caught:
        reader.head()
    assert caught.value.status == status


def test_what_is_behind_the_head_does_not_count_for_its_limit() -> None:
    reader = RequestReader(100)
    reader.feed(b"POST / HTTP/1.1\r\nContent-Length: 500\r\n\r\n" + bytes(500))
    head = reader.head()
    assert head is not None
    assert not head.is_websocket
    assert reader.body(500) == bytes(500)


def test_a_body_over_the_limit_is_refused_from_its_declared_length() -> None:
    reader = RequestReader(1000)
    reader.feed(b"POST / HTTP/1.1\r\nContent-Length: 501\r\n\r\n")
    assert reader.head() is not None
    with pytest.raises(BadRequestError) as caught:
        reader.body(500)
    assert caught.value.status == 413


def test_chunks_over_the_limit_are_refused_as_they_are_counted() -> None:
    reader = RequestReader(1000)
    reader.feed(CHUNKED + b"3\r\nabc\r\n")
    assert reader.head() is not None
    assert reader.body(5) is None
    reader.feed(b"3\r\ndef\r\n")
    with pytest.raises(BadRequestError) as caught:
        reader.body(5)
    assert caught.value.status == 413


@pytest.mark.parametrize("head", [b"POST /a HTTP/1.1\r\nContent-Length: 500\r\n\r\n", CHUNKED])
def test_of_a_body_that_nobody_wants_nothing_is_kept(head: bytes) -> None:
    reader = RequestReader(1000)
    reader.feed(head)
    assert reader.head() is not None
    if head is CHUNKED:
        reader.feed(b"1f4\r\n")
    for _ in range(5):
        assert reader.body(500, is_wanted=False) is None
        assert reader.waiting_bytes == len(reader._body) == 0
        reader.feed(bytes(100))
    if head is CHUNKED:
        reader.feed(b"\r\n0\r\n\r\n")
    reader.feed(b"GET /next HTTP/1.1\r\n\r\n")
    assert reader.body(500, is_wanted=False) == b""
    following = reader.head()
    assert following is not None
    assert following.path == b"/next"


def test_chunks_that_nobody_wants_are_counted_all_the_same() -> None:
    reader = RequestReader(1000)
    reader.feed(CHUNKED)
    assert reader.head() is not None
    reader.feed(b"3\r\nabc\r\n")
    assert reader.body(5, is_wanted=False) is None
    reader.feed(b"3\r\ndef\r\n")
    with pytest.raises(BadRequestError) as caught:
        reader.body(5, is_wanted=False)
    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("start", "more"),
    [
        pytest.param(b"1;", b"e", id="an extension"),
        pytest.param(b"1;e=", b"v", id="the value of an extension"),
        pytest.param(b"", b"1;name=value\r\na\r\n", id="many extensions"),
        pytest.param(b"1\r\na\r\n0\r\nX", b"x", id="the name of a trailer"),
        pytest.param(b"1\r\na\r\n0\r\nX: ", b"x", id="a trailer"),
        pytest.param(b"1\r\na\r\n0\r\n", b"X: y\r\n", id="many trailers"),
    ],
)
@pytest.mark.parametrize("is_wanted", [True, False])
def test_what_frames_chunks_is_no_larger_than_a_head(
    start: bytes, more: bytes, is_wanted: bool
) -> None:
    reader = RequestReader(100)
    reader.feed(CHUNKED)
    assert reader.head() is not None
    reader.feed(start)

    def go_on() -> None:
        for _ in range(200):
            reader.feed(more)
            assert reader.body(10_000, is_wanted=is_wanted) is None

    with pytest.raises(BadRequestError) as caught:
        go_on()
    assert caught.value.status == 431


def test_a_body_may_come_in_as_many_chunks_as_it_has_bytes() -> None:
    reader = RequestReader(100)
    reader.feed(CHUNKED)
    assert reader.head() is not None
    for _ in range(500):
        reader.feed(b"00000001\r\na\r\n")
        assert reader.body(500) is None
    reader.feed(b"0\r\nX: y\r\n\r\n")
    assert reader.body(500) == b"a" * 500


def test_chunks_that_are_none_are_refused() -> None:
    reader = RequestReader(1000)
    reader.feed(CHUNKED + b"what\r\n\r\n")
    assert reader.head() is not None
    with pytest.raises(BadRequestError) as caught:
        reader.body(500)
    assert caught.value.status == 400


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_head_or_a_refusal_and_nothing_else(data: bytes) -> None:
    reader = RequestReader(200)
    reader.feed(data)
    with contextlib.suppress(BadRequestError):
        while reader.head() is not None and reader.body(100) is not None:
            pass
