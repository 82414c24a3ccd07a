"""The application by itself, asked in ASGI's terms; and once as Hypercorn serves it."""

from collections.abc import Iterator
from typing import Any

import attrs
import orjson
import pytest
import trio

from chatd.net.addresses import LOCAL, as_network
from chatd.net.http.app import (
    EXPOSED,
    AsgiMessage,
    HttpApp,
    HttpRoute,
    Request,
    Response,
    json_response,
    refusal,
)
from chatd.net.http.cors import CorsPolicy
from chatd.net.http.public import HEALTH_PATH, Health, public_app
from chatd.net.http.reader import RequestHead
from tests.net.http.serving import serving
from tests.rows import rows


def health() -> Health:
    return Health("ok", connected_clients=3, uptime_s=12.5)


@attrs.frozen
class Answer:
    status: int
    headers: dict[bytes, bytes]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


async def ask(
    app: HttpApp,
    path: str,
    method: str = "GET",
    *,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    pieces: tuple[bytes, ...] = (),
    peer: str | None = None,
) -> Answer:
    """One request, with its body in pieces."""
    events: list[AsgiMessage] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    events.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[AsgiMessage] = []

    async def receive() -> AsgiMessage:
        return events.pop(0)

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": list(headers),
        "client": None if peer is None else (peer, 50123),
    }
    with trio.fail_after(5):
        await app(scope, receive, send)
    start, *bodies = sent
    assert [body["more_body"] for body in bodies] == [True] * (len(bodies) - 1) + [False]
    whole = b"".join(body["body"] for body in bodies)
    headers_sent = dict(start["headers"])
    assert len(headers_sent) == len(start["headers"]), "no header comes twice"
    return Answer(start["status"], headers_sent, whole)


async def judged(
    app: HttpApp,
    path: str,
    method: str = "POST",
    *,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    chunked: bool = False,
) -> int | Answer:
    """What is said of a request that has a body, before that is read."""
    head = RequestHead(method, path.encode(), b"", dict(headers), is_chunked=chunked)
    said = await app.judge_body(head, LOCAL)
    if isinstance(said, int):
        return said
    assert isinstance(said.body, bytes)
    return Answer(said.status, dict(said.headers), said.body)


async def take_body(request: Request) -> Response:
    return json_response(200, {"bytes": len(request.body)})


def app_with_body_route() -> HttpApp:
    route = HttpRoute(take_body, frozenset({"POST"}), max_body_bytes=10)
    return public_app(health, routes={"/take": route})


async def test_health_is_public_json_that_nobody_stores() -> None:
    answer = await ask(public_app(health), HEALTH_PATH)
    assert answer.status == 200
    assert answer.json() == {"status": "ok", "connectedClients": 3, "uptime": 12.5}
    assert answer.headers == {
        b"content-type": b"application/json",
        b"cache-control": b"no-store",
        b"access-control-allow-origin": b"*",
        b"vary": b"Origin",
        b"access-control-expose-headers": EXPOSED[0][1],
        b"x-content-type-options": b"nosniff",
        b"content-length": b"%d" % len(answer.body),
    }


async def test_the_health_may_be_read_by_all_and_with_credentials_by_friends() -> None:
    cors = CorsPolicy(("https://friend.example",), is_loopback=True)
    app = public_app(health, cors=cors)
    friend, stranger = (
        ((b"host", b"chat.example"), (b"origin", b"https://" + name))
        for name in (b"friend.example", b"evil.example")
    )
    for method, status in (("GET", 200), ("HEAD", 200), ("OPTIONS", 204), ("POST", 405)):
        told = await ask(app, HEALTH_PATH, method, headers=friend)
        assert told.status == status
        assert told.headers[b"access-control-allow-origin"] == b"https://friend.example"
        assert told.headers[b"access-control-allow-credentials"] == b"true"
        told = await ask(app, HEALTH_PATH, method, headers=stranger)
        assert told.status == status
        assert told.headers[b"access-control-allow-origin"] == b"*"
        assert b"access-control-allow-credentials" not in told.headers


@pytest.mark.parametrize("status", ["draining", "degraded"])
async def test_health_that_is_not_ok_is_503_and_says_how(status: str) -> None:
    app = public_app(lambda: Health(status, 0, 1.0))
    answer = await ask(app, HEALTH_PATH)
    assert answer.status == 503
    assert answer.json() == {"status": status, "connectedClients": 0, "uptime": 1.0}


async def test_health_is_asked_anew_each_time() -> None:
    now = health()
    app = public_app(lambda: now)
    assert (await ask(app, HEALTH_PATH)).status == 200
    now = attrs.evolve(now, status="draining")
    assert (await ask(app, HEALTH_PATH)).status == 503


async def test_head_has_the_headers_of_get_and_no_body() -> None:
    app = public_app(health)
    with_body, without = await ask(app, HEALTH_PATH), await ask(app, HEALTH_PATH, "HEAD")
    assert without == Answer(with_body.status, with_body.headers, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW"])
async def test_another_method_is_405_and_learns_which_are_allowed(method: str) -> None:
    answer = await ask(public_app(health), HEALTH_PATH, method)
    assert (answer.status, answer.headers[b"allow"]) == (405, b"GET, HEAD")


@pytest.mark.parametrize("path", ["/nothing", "", "/", "//", "/index.html", "/../chatd.js", "*"])
async def test_an_unknown_path_is_404_in_json(path: str) -> None:
    answer = await ask(public_app(health), path)
    assert answer.status == 404
    assert answer.json() == {
        "error": {"code": "not_found", "message": "There is nothing at this path."}
    }


async def echo_path(request: Request) -> Response:
    return json_response(200, [request.path, request.peer])


async def test_a_304_says_no_length() -> None:
    async def unchanged(_request: Request) -> Response:
        return Response(304, ((b"etag", b'"a"'),), b"")

    answer = await ask(public_app(health, routes={"/kept": HttpRoute(unchanged)}), "/kept")
    kept = {b"etag": b'"a"', b"x-content-type-options": b"nosniff"}
    assert answer == Answer(304, kept, b"")


@pytest.mark.parametrize("path", ["/in/a", "/in/", "/in/a/b.c", "/in/own/a"])
async def test_a_path_that_ends_in_a_slash_stands_for_all_below_it(path: str) -> None:
    app = public_app(health, routes={"/in/": HttpRoute(echo_path), "/in/own": HttpRoute(take_body)})
    assert (await ask(app, path)).json() == [path, "local"]
    assert (await ask(app, "/in/own")).json() == {"bytes": 0}


async def test_the_nearest_path_above_is_the_one_that_answers() -> None:
    app = public_app(
        health, routes={"/in/": HttpRoute(take_body), "/in/near/": HttpRoute(echo_path)}
    )
    assert (await ask(app, "/in/near/a/b")).json() == ["/in/near/a/b", "local"]
    assert (await ask(app, "/in/far/a/b")).json() == {"bytes": 0}


@pytest.mark.parametrize("path", ["/in", "/into/a", "/a", "in/", "//in/a"])
async def test_a_path_that_ends_in_a_slash_is_nothing_beside_it(path: str) -> None:
    app = public_app(health, routes={"/in/": HttpRoute(echo_path)})
    assert (await ask(app, path)).status == 404


async def no_body() -> AsgiMessage:
    return {"type": "http.request", "body": b"", "more_body": False}


async def test_a_body_in_pieces_is_made_while_it_is_taken() -> None:
    made: list[int] = []
    seen: list[tuple[object, list[int]]] = []

    def pieces() -> Iterator[bytes]:
        for number in range(3):
            made.append(number)
            yield b"%d" % number

    async def in_pieces(_request: Request) -> Response:
        return Response(200, (), pieces())

    async def send(message: AsgiMessage) -> None:
        seen.append((message.get("body"), made.copy()))
        assert b"content-length" not in dict(message.get("headers", ()))

    app = public_app(health, routes={"/pieces": HttpRoute(in_pieces)})
    scope = {"type": "http", "path": "/pieces", "query_string": b"", "headers": []}
    await app({**scope, "method": "GET"}, no_body, send)
    assert seen == [(None, []), (b"0", [0]), (b"1", [0, 1]), (b"2", [0, 1, 2]), (b"", [0, 1, 2])]
    assert (await ask(app, "/pieces")).body == b"012"
    made.clear()
    assert (await ask(app, "/pieces", "HEAD")).body == b""
    assert made == []


APP, STRANGER = b"https://app.example", b"https://evil.example"
PROXY = "10.0.0.1"


def app_for_pages(*allowed: str) -> HttpApp:
    rules = CorsPolicy(allowed, is_loopback=False)
    said = ((b"cache-control", b"no-store"),)
    route = HttpRoute(echo_path, frozenset({"GET", "POST"}), 0, cors=rules, headers=said)
    return public_app(health, routes={"/for/": route})


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("DELETE", 405), ("OPTIONS", 204)])
async def test_a_page_of_an_allowed_origin_may_read_what_it_gets_and_errors_too(
    method: str, status: int
) -> None:
    headers = ((b"origin", APP), (b"host", b"x"))
    app = app_for_pages(APP.decode())
    too_large = await judged(app, "/for/a", headers=(*headers, (b"content-length", b"9")))
    assert isinstance(too_large, Answer)
    assert too_large.status == 413
    answer = await ask(app, "/for/a", method, headers=headers)
    assert answer.status == status
    for one in (answer, too_large):
        assert one.headers[b"access-control-allow-origin"] == APP
        assert one.headers[b"access-control-allow-credentials"] == b"true"
        assert one.headers[b"vary"] == b"Origin"
        assert one.headers[b"access-control-expose-headers"] == EXPOSED[0][1]


async def test_a_preflight_says_what_may_be_asked_and_how() -> None:
    headers = ((b"origin", APP), (b"access-control-request-method", b"GET"))
    answer = await ask(app_for_pages(APP.decode()), "/for/a", "OPTIONS", headers=headers)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers[b"access-control-allow-methods"] == b"GET, HEAD, POST"
    assert answer.headers[b"access-control-allow-headers"] == b"authorization"
    assert answer.headers[b"access-control-max-age"] == b"600"
    assert b"content-length" not in answer.headers


async def test_any_page_may_read_where_all_origins_are_allowed() -> None:
    answer = await ask(app_for_pages("*"), "/for/a", headers=((b"origin", STRANGER),))
    assert (answer.status, answer.headers[b"access-control-allow-origin"]) == (200, b"*")


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_a_page_of_a_stranger_gets_nothing(method: str) -> None:
    headers = ((b"origin", STRANGER), (b"host", b"x"))
    answer = await ask(app_for_pages(APP.decode()), "/for/a", method, headers=headers)
    assert answer.status == 403
    error = answer.json()["error"]
    assert error["code"] == "forbidden_origin"
    assert STRANGER.decode() in error["message"]
    assert "server.origins" in error["message"]
    assert not [name for name in answer.headers if name.startswith(b"access-control-")]


async def test_programs_send_no_origin_and_are_answered() -> None:
    app = app_for_pages(APP.decode())
    answer = await ask(app, "/for/a")
    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith(b"access-control-")]
    assert (await ask(app, "/for/a", "OPTIONS")).status == 405


async def test_on_loopback_a_strange_name_of_the_server_is_not_answered() -> None:
    route = HttpRoute(echo_path, cors=CorsPolicy((), is_loopback=True))
    app = public_app(health, routes={"/for/": route})
    assert (await ask(app, "/for/a", headers=((b"host", b"evil.example"),))).status == 403
    assert (await ask(app, "/for/a", headers=((b"host", b"localhost:1"),))).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (((b"host", b"inside"), (b"x-forwarded-host", b"app.example"), (b"origin", APP)), 200),
        (((b"host", b"inside"), (b"forwarded", b"host=app.example"), (b"origin", APP)), 403),
        (((b"host", b"app.example"), (b"origin", APP)), 200),
        (((b"host", b"app.example"), (b"origin", STRANGER)), 403),
        (((b"host", b"app.example"), (b"origin", b"http://localhost:5173")), 403),
    ],
)
async def test_behind_a_trusted_proxy_a_page_is_judged_by_the_host_that_was_called(
    headers: tuple[tuple[bytes, bytes], ...], status: int
) -> None:
    turned_away: list[tuple[str, str | None]] = []
    rules = CorsPolicy((), is_loopback=True, trusted_proxies=(as_network(PROXY),))
    route = HttpRoute(echo_path, cors=rules)
    app = public_app(
        health,
        routes={"/for/": route},
        turned_away=lambda address, forbidden: turned_away.append((address, forbidden.origin)),
    )
    answer = await ask(app, "/for/a", headers=headers, peer=PROXY)
    assert answer.status == status
    origin = dict(headers)[b"origin"]
    assert turned_away == ([] if status == 200 else [(PROXY, origin.decode())])
    echoed = origin if status == 200 else None
    assert answer.headers.get(b"access-control-allow-origin") == echoed


@pytest.mark.parametrize(
    ("method", "origin", "status"),
    [
        ("GET", APP, 200),
        ("OPTIONS", APP, 204),
        ("GET", STRANGER, 403),
        ("DELETE", APP, 405),
    ],
)
async def test_what_a_route_says_is_said_with_each_answer(
    method: str, origin: bytes, status: int
) -> None:
    headers = ((b"origin", origin), (b"host", b"x"))
    answer = await ask(app_for_pages(APP.decode()), "/for/a", method, headers=headers)
    assert (answer.status, answer.headers[b"cache-control"]) == (status, b"no-store")


async def test_several_headers_of_one_name_are_one_list() -> None:
    async def show(request: Request) -> Response:
        return json_response(200, [request.header(b"a"), request.header(b"b")])

    app = public_app(health, routes={"/show": HttpRoute(show)})
    headers = ((b"a", b"1"), (b"a", b"2"))
    assert (await ask(app, "/show", headers=headers)).json() == ["1, 2", None]


async def test_a_body_is_what_its_pieces_are_together() -> None:
    answer = await ask(app_with_body_route(), "/take", "POST", pieces=(b"12345", b"67890"))
    assert answer.json() == {"bytes": 10}


async def test_a_route_says_how_large_a_body_may_be() -> None:
    app = app_with_body_route()
    assert await judged(app, "/take", headers=((b"content-length", b"10"),)) == 10
    assert await judged(app, "/take", chunked=True) == 10
    assert await judged(app, "/%74ake", headers=((b"content-length", b"10"),)) == 10
    too_large = await judged(app, "/take", headers=((b"content-length", b"11"),))
    assert isinstance(too_large, Answer)
    assert (too_large.status, too_large.json()["error"]) == (
        413,
        {"code": "body_too_large", "message": "This path takes at most 10 bytes."},
    )


@rows(
    ("path", "method", "status", "code"),
    [
        (HEALTH_PATH, "GET", 413, "body_too_large"),
        (HEALTH_PATH, "HEAD", 413, "body_too_large"),
        (HEALTH_PATH, "POST", 405, "method_not_allowed"),
        ("/nothing", "POST", 404, "not_found"),
        ("/take", "GET", 405, "method_not_allowed"),
        ("/for/a", "GET", 413, "body_too_large"),
        ("/for/a", "OPTIONS", 204, None),
    ],
)
@rows("chunked", [False, True])
async def test_a_body_that_no_route_takes_is_refused_before_it_comes(
    path: str, method: str, status: int, code: str | None, chunked: bool
) -> None:
    pages = HttpRoute(echo_path, frozenset({"GET", "POST"}), 9, cors=CorsPolicy(("*",), False))
    take = HttpRoute(take_body, frozenset({"POST"}), max_body_bytes=10)
    app = public_app(health, routes={"/take": take, "/for/": pages})
    length = () if chunked else ((b"content-length", b"1"),)
    answer = await judged(app, path, method, headers=((b"origin", APP), *length), chunked=chunked)
    assert isinstance(answer, Answer)
    assert answer.status == status
    assert code is None or answer.json()["error"]["code"] == code


async def test_a_body_of_a_stranger_is_not_read() -> None:
    headers = ((b"origin", STRANGER), (b"host", b"x"), (b"content-length", b"1"))
    answer = await judged(app_for_pages(APP.decode()), "/for/a", headers=headers)
    assert isinstance(answer, Answer)
    assert answer.status == 403


def test_a_body_that_cannot_be_read_is_answered_as_its_route_answers() -> None:
    head = RequestHead("POST", b"/for/a", b"", {b"origin": APP})
    broken = refusal(400, "bad_body", "No.")
    headers = dict(app_for_pages(APP.decode()).refuse(head, LOCAL, broken).headers)
    assert headers[b"access-control-allow-origin"] == APP
    assert headers[b"cache-control"] == b"no-store"
    nowhere = RequestHead("POST", b"/nothing", b"", {})
    assert app_for_pages().refuse(nowhere, LOCAL, broken) == broken


def test_a_path_has_one_route() -> None:
    with pytest.raises(ValueError, match=HEALTH_PATH):
        public_app(health, routes={HEALTH_PATH: HttpRoute(take_body)})


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /api/websocket/health HTTP/1.1\r\nhost: x\r\n\r\n", 200),
        (b"GET /none HTTP/1.1\r\nhost: x\r\n\r\n", 404),
        (b"POST /none HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello", 404),
        (
            b"GET /api/websocket/health HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n",
            413,
        ),
        (b"GET /ws HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: a\r\n\r\n", 400),
    ],
)
async def test_it_answers_over_the_lane(head: bytes, status: int) -> None:
    async with serving(public_app(health), head) as s:
        answer = b"".join([piece async for piece in s.peer])
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert answer.lower().count(b"\r\nconnection: close\r\n") == 1
        assert s.faults == []


@pytest.mark.parametrize("path", ["/", "/nothing/is/here", HEALTH_PATH])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_no_answer_is_taken_for_something_else_than_it_says(path: str, method: str) -> None:
    async def hello(_request: Request) -> Response:
        return Response(200, ((b"x-content-type-options", b"nosniff"),), b"hello")

    app = public_app(health, routes={"/": HttpRoute(hello)})
    answered = await ask(app, path, method)
    assert answered.headers[b"x-content-type-options"] == b"nosniff"
