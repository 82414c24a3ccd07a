"""A file from a request's headers to the bytes of its answer, read back by h11."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.net.addresses import LOCAL
from chatd.net.http.app import Request
from chatd.net.http.reader import RequestHead, RequestReader
from chatd.net.http.static import StaticFile, StaticFiles, encoded

BODIES = {"br": b"b" * 10, "gzip": b"g" * 20, "identity": b"i" * 100}
FILE = StaticFile(b"text/css", ((b"cache-control", b"no-cache"), (b"x-a", b"b")), BODIES)
PLAIN = StaticFile(b"image/png", (), {"identity": b"png"})
FILES = StaticFiles({"/": FILE, "/a.png": PLAIN})


def head_of(*lines: str, method: str = "GET", path: str = "/", version: str = "1.1") -> RequestHead:
    reader = RequestReader(16_384)
    reader.feed(
        "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *lines, "", ""]).encode()
    )
    head = reader.head()
    assert head is not None
    return head


def read_back(head: RequestHead, *, keeps_alive: bool = True) -> tuple[h11.Response, bytes]:
    """The answer as a client of another make reads it, to its last byte."""
    file = FILES.find(head)
    assert file is not None
    client = h11.Connection(h11.CLIENT)
    version = head.version.encode()
    client.send(h11.Request(method=head.method, target="/", headers=[(b"host", b"x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(b"".join(encoded(head, file.answer(head), keeps_alive=keeps_alive)))
    response = client.next_event()
    assert isinstance(response, h11.Response), version
    body = b""
    while isinstance(event := client.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    assert client.trailing_data[0] == b""
    return response, body


@pytest.mark.parametrize("coding", BODIES)
def test_a_body_comes_in_the_coding_that_is_asked_for_and_says_so(coding: str) -> None:
    response, body = read_back(head_of(f"Accept-Encoding: {coding}"))
    headers = dict(response.headers)
    assert (response.status_code, body) == (200, BODIES[coding])
    assert headers[b"content-length"] == b"%d" % len(body)
    assert headers.get(b"content-encoding") == (None if coding == "identity" else coding.encode())
    assert headers[b"vary"] == b"Accept-Encoding"
    assert headers[b"content-type"] == b"text/css"
    assert headers[b"x-a"] == b"b"


def test_a_file_without_codings_does_not_vary() -> None:
    response, body = read_back(head_of("Accept-Encoding: br", path="/a.png"))
    assert body == b"png"
    assert {b"vary", b"content-encoding"}.isdisjoint(dict(response.headers))


def test_each_coding_has_a_strong_tag_of_its_own_which_follows_the_bytes() -> None:
    def tags(file: StaticFile) -> list[bytes]:
        asked = [head_of(f"Accept-Encoding: {coding}") for coding in BODIES]
        return [dict(file.answer(head).headers)[b"etag"] for head in asked]

    assert len(set(tags(FILE))) == 3
    assert all(tag.startswith(b'"') and tag.endswith(b'"') for tag in tags(FILE))
    changed = StaticFile(b"text/css", (), {**BODIES, "identity": b"j" * 100})
    assert tags(changed)[:2] == tags(FILE)[:2]
    assert tags(changed)[2] != tags(FILE)[2]


@pytest.mark.parametrize("sent", ["{}", "W/{}", '"a", {}', '"a",W/{} , "b"', "*"])
@pytest.mark.parametrize("coding", BODIES)
def test_who_has_these_bytes_gets_304_without_a_body_or_a_length(sent: str, coding: str) -> None:
    accepts = f"Accept-Encoding: {coding}"
    tag = dict(FILE.answer(head_of(accepts)).headers)[b"etag"]
    known = f"If-None-Match: {sent.replace('{}', tag.decode())}"
    response, body = read_back(head_of(accepts, known))
    headers = dict(response.headers)
    assert (response.status_code, body) == (304, b"")
    assert headers[b"etag"] == tag
    assert headers[b"cache-control"] == b"no-cache"
    assert headers[b"vary"] == b"Accept-Encoding"
    assert {b"content-length", b"content-type", b"content-encoding"}.isdisjoint(headers)


@pytest.mark.parametrize("known", ['""', '"other"', "other", "", "W/", '"*"'])
def test_who_has_others_gets_all(known: str) -> None:
    response, body = read_back(head_of(f"If-None-Match: {known}"))
    assert (response.status_code, body) == (200, BODIES["identity"])


def test_the_tag_of_one_coding_is_not_that_of_another() -> None:
    tag = dict(FILE.answer(head_of("Accept-Encoding: gzip")).headers)[b"etag"].decode()
    response, _ = read_back(head_of("Accept-Encoding: br", f"If-None-Match: {tag}"))
    assert response.status_code == 200


def test_head_has_the_headers_of_get_and_no_body() -> None:
    with_body, _ = read_back(head_of("Accept-Encoding: br"))
    without, body = read_back(head_of("Accept-Encoding: br", method="HEAD"))
    assert body == b""
    assert without.headers.raw_items() == with_body.headers.raw_items()


@pytest.mark.parametrize(
    ("version", "keeps_alive", "said"),
    [("1.1", True, None), ("1.1", False, b"close"), ("1.0", True, b"keep-alive")],
)
def test_the_answer_says_whether_another_request_may_follow(
    version: str, keeps_alive: bool, said: bytes | None
) -> None:
    response, _ = read_back(head_of(version=version), keeps_alive=keeps_alive)
    assert dict(response.headers).get(b"connection") == said


@pytest.mark.parametrize(
    "head",
    [
        head_of(method="POST"),
        head_of(method="OPTIONS"),
        head_of("Content-Length: 5"),
        head_of("Transfer-Encoding: chunked"),
        head_of("Connection: Upgrade", "Upgrade: websocket"),
        head_of("Connection: Upgrade", "Upgrade: h2c"),
        head_of(path="/%61.png"),
        head_of(path="//"),
        head_of(path="/a.png/"),
        head_of(path="/../a.png"),
        head_of(path="/A.png"),
    ],
)
def test_what_asks_for_more_than_a_file_goes_on_elsewhere(head: RequestHead) -> None:
    assert FILES.find(head) is None


@pytest.mark.parametrize("path", ["/a.png", "/a.png?v=1", "/a.png?"])
def test_a_query_changes_nothing(path: str) -> None:
    assert FILES.find(head_of("Content-Length: 0", path=path)) is PLAIN


async def test_a_route_of_a_file_answers_alike() -> None:
    headers = ((b"accept-encoding", b"br"),)
    answer = await FILES.routes()["/"].handler(Request("GET", "/", b"", headers, LOCAL))
    assert answer == FILE.answer(head_of("Accept-Encoding: br"))


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80))
def test_whatever_a_client_says_that_it_has_it_gets_a_whole_answer(known: str) -> None:
    response, body = read_back(head_of(f"If-None-Match: {known}"))
    assert (response.status_code, body) in ((200, BODIES["identity"]), (304, b""))
