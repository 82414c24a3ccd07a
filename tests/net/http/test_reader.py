"""Requests as they come: heads and bodies, however they are cut, one after the other."""

import contextlib

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatd.net.http.reader import (
    CHUNK_BYTES_MIN,
    CHUNKS_FREE,
    CHUNKS_PER_TURN,
    EMPTY_LINES_MAX,
    HEADERS_MAX,
    BadRequestError,
    RequestHead,
    RequestReader,
)
from tests.rows import rows

HEAD = (
    b"GET /socket.io/?EIO=4&a=b HTTP/1.1\r\nHost: here\r\nX-Many: 1\r\nx-many: 2\r\n"
    b"Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\r\n"
)
CHUNKED = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

# Requests, and what each is: chunks with the pattern that ends a message inside, trailers, empty
# lines between requests.
PIPELINE = [
    (CHUNKED + b"4\r\n\r\n\r\n\r\n3\r\nabc\r\n0\r\n\r\n", ("POST", b"/a", b"\r\n\r\nabc")),
    (b"GET /b?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", ("GET", b"/b", b"")),
    (b"POST /c HTTP/1.0\r\nContent-Length: 3\r\n\r\nxyz", ("POST", b"/c", b"xyz")),
    (CHUNKED + b"1;e=f\r\nq\r\n0\r\nT: v\r\n\r\n\r\n", ("POST", b"/a", b"q")),
    (b"POST /d HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", ("POST", b"/d", b"")),
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


@rows("piece", [1, 7, 1000])
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
    assert head.version == "1.1"
    assert reader.rest == b"\x81\x00"


def read_head(sent: bytes, max_head_bytes: int = 16_384) -> RequestHead | None:
    reader = RequestReader(max_head_bytes)
    reader.feed(sent)
    return reader.head()


def of(start: bytes = b"GET / HTTP/1.1", *lines: bytes, host: bytes = b"Host: x") -> bytes:
    """A head of these lines, and the usual Host."""
    return b"\r\n".join([start, *([host] if host else []), *lines, b"", b""])


LENGTH, CHUNKS = b"Content-Length: 3", b"Transfer-Encoding: chunked"

REFUSED = {
    "bytes": (b"\0\1\2\3\r\n\r\n", 400),
    "the hello of TLS, at once": (b"\x16\x03\x01\x02", 400),
    "a banner, at once": (b"SSH-2.0-OpenSSH_9.2\r\n", 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/2.0": (of(b"GET / HTTP/2.0"), 505),
    "HTTP/0.9": (of(b"GET / HTTP/0.9"), 505),
    "HTTP/1.2": (of(b"GET / HTTP/1.2"), 505),
    "HTTP/9.9": (of(b"GET / HTTP/9.9"), 505),
    "no version": (of(b"GET /"), 400),
    "a version of words": (of(b"GET / HTTP/1.x"), 400),
    "a version in lower case": (of(b"GET / http/1.1"), 400),
    "a method in lower case": (of(b"get / HTTP/1.1"), 400),
    "an endless method, at once": (b"G" * 30, 400),
    "two spaces": (of(b"GET  / HTTP/1.1"), 400),
    "a space in the target": (of(b"GET /a b HTTP/1.1"), 400),
    "a tab in the target": (of(b"GET /a\tb HTTP/1.1"), 400),
    "a fragment in the target": (of(b"GET /a#b HTTP/1.1"), 400),
    "an umlaut in the target": (of(b"GET /\xc3\xa4 HTTP/1.1"), 400),
    "a NUL in the target": (of(b"GET /\0 HTTP/1.1"), 400),
    "a URL for a target": (of(b"GET http://x/ HTTP/1.1"), 400),
    "an authority for a target": (of(b"CONNECT x:443 HTTP/1.1"), 400),
    "a star for a target": (of(b"OPTIONS * HTTP/1.1"), 400),
    "a bare LF, at once": (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    "a bare LF between headers": (of(b"GET / HTTP/1.1", b"A: b\nC: d"), 400),
    "a bare CR": (of(b"GET / HTTP/1.1", b"A: b\rC: d"), 400),
    "a NUL": (of(b"GET / HTTP/1.1", b"A: b\0"), 400),
    "a control character": (of(b"GET / HTTP/1.1", b"A: \x01"), 400),
    "a folded line": (of(b"GET / HTTP/1.1", b"A: b", b" c"), 400),
    "a folded line first": (of(b"GET / HTTP/1.1", b" A: b"), 400),
    "no colon": (of(b"GET / HTTP/1.1", b"A b"), 400),
    "no name": (of(b"GET / HTTP/1.1", b": b"), 400),
    "a space before the colon": (of(b"GET / HTTP/1.1", b"Content-Length : 3"), 400),
    "a name that is no token": (of(b"GET / HTTP/1.1", b"A(b): c"), 400),
    "no Host": (of(host=b""), 400),
    "an empty Host": (of(host=b"Host:"), 400),
    "two Hosts": (of(b"GET / HTTP/1.1", b"Host: y"), 400),
    "the same Host twice": (of(b"GET / HTTP/1.1", b"host: x"), 400),
    "a user in the Host": (of(host=b"Host: evil.example@127.0.0.1"), 400),
    "a port of letters": (of(host=b"Host: 127.0.0.1:abc"), 400),
    "two Hosts in one": (of(host=b"Host: x, y"), 400),
    "two Origins": (of(b"GET / HTTP/1.1", b"Origin: http://a", b"Origin: http://b"), 400),
    "two lengths": (of(b"POST / HTTP/1.1", LENGTH, b"Content-Length: 4"), 400),
    "the same length twice": (of(b"POST / HTTP/1.1", LENGTH, LENGTH), 400),
    "two lengths in one": (of(b"POST / HTTP/1.1", b"Content-Length: 3, 3"), 400),
    "a negative length": (of(b"POST / HTTP/1.1", b"Content-Length: -1"), 400),
    "a length with a sign": (of(b"POST / HTTP/1.1", b"Content-Length: +3"), 400),
    "a length of digits of others": (of(b"POST / HTTP/1.1", b"Content-Length: \xb2"), 400),
    "a length of words": (of(b"POST / HTTP/1.1", b"Content-Length: three"), 400),
    "no length": (of(b"POST / HTTP/1.1", b"Content-Length:"), 400),
    "an endless length": (of(b"POST / HTTP/1.1", b"Content-Length: " + b"9" * 5000), 400),
    "a length and chunks": (of(b"POST / HTTP/1.1", LENGTH, CHUNKS), 400),
    "chunks and a length": (of(b"POST / HTTP/1.1", CHUNKS, LENGTH), 400),
    "chunks twice": (of(b"POST / HTTP/1.1", CHUNKS, CHUNKS), 400),
    "another encoding": (of(b"POST / HTTP/1.1", b"Transfer-Encoding: gzip"), 400),
    "an encoding below chunks": (of(b"POST / HTTP/1.1", b"Transfer-Encoding: gzip, chunked"), 400),
    "an encoding that is nearly chunked": (
        of(b"POST / HTTP/1.1", b"Transfer-Encoding: xchunked"),
        400,
    ),
    "chunks of HTTP/1.0": (of(b"POST / HTTP/1.0", CHUNKS), 400),
    "too many empty lines": (b"\r\n" * (EMPTY_LINES_MAX + 1) + of(), 400),
    "too many headers": (of(b"GET / HTTP/1.1", *[b"A: b"] * HEADERS_MAX), 431),
    "a long line": (b"GET / HTTP/1.1\r\nA: " + b"a" * 20_000, 431),
    "a long line that ends": (of(b"GET / HTTP/1.1", b"A: " + b"a" * 20_000), 431),
    "a long target": (b"GET /" + b"a" * 20_000, 431),
}


@rows(("sent", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_head_is_refused_with_a_status(sent: bytes, status: int) -> None:
    with pytest.raises(BadRequestError) as caught:
        read_head(sent)
    assert caught.value.status == status


@rows("piece", [1, 2, 5])
@rows(("sent", "status"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_all_the_same_when_it_comes_in_pieces(
    sent: bytes, status: int, piece: int
) -> None:
    reader = RequestReader(16_384)

    def feed() -> None:
        for at in range(0, len(sent), piece):
            reader.feed(sent[at : at + piece])
            if reader.head() is not None:
                raise AssertionError("it was taken")

    with pytest.raises(BadRequestError) as caught:
        feed()
    assert caught.value.status in {status, 400}


TAKEN = {
    "no Host in HTTP/1.0": of(b"GET / HTTP/1.0", host=b""),
    "a Host with a port": of(host=b"Host: Chat.example:8765"),
    "a Host of IPv6": of(host=b"Host: [::1]:8765"),
    "as many headers as there may be": of(b"GET / HTTP/1.1", *[b"A: b"] * (HEADERS_MAX - 1)),
    "no space behind the colon": of(b"GET / HTTP/1.1", b"A:b"),
    "an empty header": of(b"GET / HTTP/1.1", b"A:"),
    "tabs around a value": of(b"GET / HTTP/1.1", b"A:\t b \t"),
    "bytes of Latin-1": of(b"GET / HTTP/1.1", b"A: \xe9"),
    "what browsers leave as it is in a query": of(b"GET /a?b={|}[]^`'\\\" HTTP/1.1"),
    "chunks in upper case": of(b"POST / HTTP/1.1", b"Transfer-Encoding: Chunked"),
    "a method that nobody knows": of(b"BREW / HTTP/1.1"),
    "a few empty lines": b"\r\n" * EMPTY_LINES_MAX + of(),
}


@rows("sent", TAKEN.values(), ids=TAKEN)
def test_what_is_a_head_is_taken(sent: bytes) -> None:
    assert read_head(sent) is not None


@rows(
    ("start", "connection", "keeps_alive"),
    [
        (b"GET / HTTP/1.1", b"", True),
        (b"GET / HTTP/1.1", b"Keep-Alive", True),
        (b"GET / HTTP/1.1", b"x , Close", False),
        (b"GET / HTTP/1.0", b"keep-alive", True),
        (b"GET / HTTP/1.0", b"x, Keep-Alive", True),
        (b"GET / HTTP/1.0", b"keep-alive, close", False),
        (b"GET / HTTP/1.0", b"", False),
    ],
)
def test_who_keeps_a_connection(start: bytes, connection: bytes, keeps_alive: bool) -> None:
    head = read_head(of(start, b"Connection: " + connection))
    assert head is not None
    assert head.keeps_alive is keeps_alive


@rows(
    ("start", "lines", "websocket", "upgrade"),
    [
        (b"GET / HTTP/1.1", (b"Upgrade: WebSocket", b"Connection: a, UPGRADE"), True, True),
        (b"GET / HTTP/1.1", (b"Upgrade: h2c", b"Connection: upgrade"), False, True),
        (b"GET / HTTP/1.1", (b"Upgrade: websocket, h2c", b"Connection: upgrade"), False, True),
        (b"GET / HTTP/1.1", (b"Upgrade: websocket",), False, False),
        (b"GET / HTTP/1.1", (b"Connection: upgrade",), False, False),
        (b"GET / HTTP/1.0", (b"Upgrade: websocket", b"Connection: upgrade"), False, False),
    ],
)
def test_who_asks_for_another_protocol(
    start: bytes, lines: tuple[bytes, ...], websocket: bool, upgrade: bool
) -> None:
    head = read_head(of(start, *lines))
    assert head is not None
    assert (head.is_websocket, head.asks_for_upgrade) == (websocket, upgrade)


METHODS_AND_TARGETS = [b"GET", b"/", b" ", b"HTTP/1.1", b"HTTP/1.0", b"\r\n", b"\r\n", b"\n"]
FIELDS = [b"Host: x", b":", b"\t", b"\0", b"\xff", LENGTH, CHUNKS, b"Connection: close"]
PARTS = st.sampled_from([*METHODS_AND_TARGETS, *FIELDS])


@given(st.lists(PARTS | st.binary(max_size=2), max_size=14).map(b"".join))
@example(of(b"GET /a?b HTTP/1.1", b"Content-Length: 3"))
@example(of(b"GET / HTTP/1.1", CHUNKS, b"A: b"))
def test_what_is_taken_is_what_another_parser_takes_too(sent: bytes) -> None:
    try:
        head = read_head(sent.lstrip(b"\r\n"))
    except BadRequestError:
        return
    if head is None:
        return
    oracle = h11.Connection(h11.SERVER)
    oracle.receive_data(sent.lstrip(b"\r\n"))
    request = oracle.next_event()
    assert isinstance(request, h11.Request)
    target = head.path + b"?" + head.query if head.query else head.path
    assert (request.method.decode(), request.target.rstrip(b"?")) == (head.method, target)
    assert request.http_version.decode() == head.version
    for name, value in request.headers:
        assert value.strip() in head.headers[name]


def test_what_is_behind_the_head_does_not_count_for_its_limit() -> None:
    reader = RequestReader(100)
    reader.feed(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n" + bytes(500))
    head = reader.head()
    assert head is not None
    assert not head.is_websocket
    assert reader.body(500) == bytes(500)


def test_a_body_over_the_limit_is_refused_from_its_declared_length() -> None:
    reader = RequestReader(1000)
    reader.feed(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 501\r\n\r\n")
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


def test_of_a_body_that_nobody_wants_nothing_is_kept() -> None:
    reader = RequestReader(1000)
    reader.feed(of(b"POST /a HTTP/1.1", b"Content-Length: 500"))
    assert reader.head() is not None
    for _ in range(5):
        assert reader.body(500, is_wanted=False) is None
        assert reader.waiting_bytes == 0
        reader.feed(bytes(100))
    reader.feed(of(b"GET /next HTTP/1.1"))
    assert reader.body(500, is_wanted=False) == b""
    following = reader.head()
    assert following is not None
    assert following.path == b"/next"


@rows(
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
def test_what_frames_chunks_is_no_larger_than_a_head(start: bytes, more: bytes) -> None:
    reader = RequestReader(100)
    reader.feed(CHUNKED)
    assert reader.head() is not None
    reader.feed(start)

    def go_on() -> None:
        for _ in range(200):
            reader.feed(more)
            assert reader.body(10_000) is None

    with pytest.raises(BadRequestError) as caught:
        go_on()
    assert caught.value.status == 431


def test_a_body_may_come_in_many_chunks() -> None:
    reader = RequestReader(100)
    reader.feed(CHUNKED)
    assert reader.head() is not None
    for _ in range(CHUNKS_FREE):
        reader.feed(b"00000001\r\na\r\n")
        assert reader.body(2000) is None
    reader.feed(b"0\r\nX: y\r\n\r\n")
    assert reader.body(2000) == b"a" * CHUNKS_FREE


@rows(("size", "chunks"), [(1, CHUNKS_FREE + 17), (CHUNK_BYTES_MIN, 5 * CHUNKS_FREE), (1_448, 700)])
def test_so_many_chunks_come_as_what_they_carry_is_worth(size: int, chunks: int) -> None:
    reader = RequestReader(100)
    reader.feed(CHUNKED)
    assert reader.head() is not None
    chunk = b"%x\r\n%b\r\n" % (size, bytes(size))

    def go_on() -> int:
        for taken in range(5 * CHUNKS_FREE):
            reader.feed(chunk)
            if taken == chunks:
                break
            assert reader.body(1_100_000) is None
        return chunks

    if size >= CHUNK_BYTES_MIN:
        assert go_on() == chunks
        return
    with pytest.raises(BadRequestError, match="too many chunks") as caught:
        go_on()
    assert caught.value.status == 413
    assert reader._chunks == chunks


def test_one_read_of_crumbs_is_taken_in_turns() -> None:
    reader = RequestReader(100)
    reader.feed(CHUNKED + b"1\r\na\r\n" * (2 * CHUNKS_PER_TURN + 5) + b"0\r\n\r\n")
    assert reader.head() is not None
    for turn in (1, 2):
        assert reader.body(1000) is None
        assert reader.can_go_on
        assert reader._chunks == turn * CHUNKS_PER_TURN
    assert reader.body(1000) == b"a" * (2 * CHUNKS_PER_TURN + 5)
    assert not reader.can_go_on


@rows(
    "sent",
    [
        b"what\r\n",
        b"\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b"1_0\r\n",
        b"1 \r\n",
        b" 1\r\n",
        b"1\na\n",
        b"1\r\nab\r\n",
        b"3\r\na\r\n0\r\n",
        b"123456789\r\n",
        b"1;\r\n",
        b"1;a b\r\n",
        b"1;a=\r\n",
        b"1;a=\0\r\n",
        b'1;a="b\r\n',
        b'1;a="\n"\r\n',
        b"0\r\nno trailer\r\n\r\n",
        b"0\r\n folded: x\r\n\r\n",
        b"0\r\nA: b\nC: d\r\n\r\n",
    ],
)
def test_chunks_that_are_none_are_refused(sent: bytes) -> None:
    reader = RequestReader(1000)
    reader.feed(CHUNKED + sent)
    assert reader.head() is not None
    with pytest.raises(BadRequestError) as caught:
        reader.body(500)
    assert caught.value.status == 400


@rows("extension", [b";a", b" ; a = b;c", b';a="b;\\" c"', b';a="\xff\t"'])
def test_extensions_of_chunks_are_passed_over(extension: bytes) -> None:
    reader = RequestReader(1000)
    reader.feed(CHUNKED + b"a" + extension + b"\r\n0123456789\r\n0" + extension + b"\r\n\r\n")
    assert reader.head() is not None
    assert reader.body(500) == b"0123456789"


@given(
    st.lists(
        st.sampled_from([b"1", b"a", b"0", b"\r\n", b"\r\n", b";a=b", b"\n", b"T: v", b"\0"]),
        max_size=16,
    ).map(b"".join)
)
def test_chunks_that_are_taken_are_what_another_parser_takes(sent: bytes) -> None:
    reader = RequestReader(16_384)
    reader.feed(CHUNKED + sent)
    assert reader.head() is not None
    try:
        body = reader.body(500)
    except BadRequestError:
        return
    if body is None:
        return
    oracle = h11.Connection(h11.SERVER)
    oracle.receive_data(CHUNKED + sent)
    assert isinstance(oracle.next_event(), h11.Request)
    received = b""
    while isinstance(event := oracle.next_event(), h11.Data):
        received += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert received == body


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_head_or_a_refusal_and_nothing_else(data: bytes) -> None:
    reader = RequestReader(200)
    reader.feed(data)
    with contextlib.suppress(BadRequestError):
        while reader.head() is not None and reader.body(100) is not None:
            pass


def test_the_head_behind_a_request_without_a_body_can_be_asked_for_at_once() -> None:
    reader = RequestReader(1000)
    reader.feed(b"\r\n\r\n" + of(b"GET /a HTTP/1.1") + b"\r\n\r\n" + of(b"GET /b HTTP/1.1"))
    assert [head.path for head in (reader.head(), reader.head()) if head] == [b"/a", b"/b"]
    assert reader.waiting_bytes == 0
