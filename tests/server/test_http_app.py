"""The application by itself, asked in ASGI's terms; and once over the lane, as it is served."""

import re
import socket
from collections.abc import Iterator
from typing import Any

import attrs
import orjson
import pytest
import trio

from chatd.server.http_app import (
    HEALTH_PATH,
    PAGE_FILES,
    AsgiApp,
    Health,
    Message,
    Request,
    Response,
    Route,
    build_app,
    json_response,
)
from chatd.server.http_lane import HttpLane
from chatd.server.origin import OriginRules


@attrs.define
class StatusOf:
    now: Health = attrs.field(factory=lambda: Health("ok", connected_clients=3, uptime_s=12.5))

    def health(self) -> Health:
        return self.now


@attrs.frozen
class Answer:
    status: int
    headers: dict[bytes, bytes]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


async def ask(
    app: AsgiApp,
    path: str,
    method: str = "GET",
    *,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    pieces: tuple[bytes, ...] | None = (),
    cut: bool = False,
) -> Answer:
    """One request. `pieces=None` is a body that never comes; `cut` ends it with a disconnect."""
    events: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces or ()
    ]
    events.append(
        {"type": "http.disconnect"}
        if cut
        else {"type": "http.request", "body": b"", "more_body": False}
    )
    sent: list[Message] = []

    async def receive() -> Message:
        if pieces is None:
            await trio.sleep_forever()
        return events.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": list(headers),
    }
    with trio.fail_after(5):
        await app(scope, receive, send)
    start, *bodies = sent
    assert [body["more_body"] for body in bodies] == [True] * (len(bodies) - 1) + [False]
    whole = b"".join(body["body"] for body in bodies)
    return Answer(start["status"], dict(start["headers"]), whole)


async def take_body(request: Request) -> Response:
    return json_response(200, {"bytes": len(await request.body())})


def app_with_body_route() -> AsgiApp:
    route = Route(take_body, frozenset({"POST"}), max_body_bytes=10)
    return build_app(StatusOf(), routes={"/take": route})


async def test_health_is_public_json_that_nobody_stores() -> None:
    answer = await ask(build_app(StatusOf()), HEALTH_PATH)
    assert answer.status == 200
    assert answer.json() == {"status": "ok", "connectedClients": 3, "uptime": 12.5}
    assert answer.headers == {
        b"content-type": b"application/json",
        b"cache-control": b"no-store",
        b"access-control-allow-origin": b"*",
        b"content-length": b"%d" % len(answer.body),
    }


@pytest.mark.parametrize("status", ["draining", "degraded"])
async def test_health_that_is_not_ok_is_503_and_says_how(status: str) -> None:
    app = build_app(StatusOf(Health(status=status, connected_clients=0, uptime_s=1.0)))
    answer = await ask(app, HEALTH_PATH)
    assert answer.status == 503
    assert answer.json() == {"status": status, "connectedClients": 0, "uptime": 1.0}


async def test_health_is_asked_anew_each_time() -> None:
    status = StatusOf()
    app = build_app(status)
    assert (await ask(app, HEALTH_PATH)).status == 200
    status.now = attrs.evolve(status.now, status="draining")
    assert (await ask(app, HEALTH_PATH)).status == 503


@pytest.mark.parametrize("path", [HEALTH_PATH, *PAGE_FILES])
async def test_head_has_the_headers_of_get_and_no_body(path: str) -> None:
    app = build_app(StatusOf())
    with_body, without = await ask(app, path), await ask(app, path, "HEAD")
    assert without == Answer(with_body.status, with_body.headers, b"")


@pytest.mark.parametrize("path", [HEALTH_PATH, *PAGE_FILES])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
async def test_another_method_is_405_and_learns_which_are_allowed(path: str, method: str) -> None:
    answer = await ask(build_app(StatusOf()), path, method)
    assert (answer.status, answer.headers[b"allow"]) == (405, b"GET, HEAD")


@pytest.mark.parametrize("path", ["/nothing", "", "//", "/index.html", "/../chatd.js", "*"])
async def test_an_unknown_path_is_404_in_json(path: str) -> None:
    answer = await ask(build_app(StatusOf()), path)
    assert answer.status == 404
    assert answer.json() == {
        "error": {"code": "not_found", "message": "There is nothing at this path."}
    }


async def echo_path(request: Request) -> Response:
    return json_response(200, [request.path, request.peer])


@pytest.mark.parametrize("path", ["/in/a", "/in/", "/in/a/b.c", "/in/own/a"])
async def test_a_path_that_ends_in_a_slash_stands_for_all_below_it(path: str) -> None:
    app = build_app(StatusOf(), routes={"/in/": Route(echo_path), "/in/own": Route(take_body)})
    assert (await ask(app, path)).json() == [path, "local"]
    assert (await ask(app, "/in/own")).json() == {"bytes": 0}


async def test_the_nearest_path_above_is_the_one_that_answers() -> None:
    app = build_app(StatusOf(), routes={"/in/": Route(take_body), "/in/near/": Route(echo_path)})
    assert (await ask(app, "/in/near/a/b")).json() == ["/in/near/a/b", "local"]
    assert (await ask(app, "/in/far/a/b")).json() == {"bytes": 0}


@pytest.mark.parametrize("path", ["/in", "/into/a", "/a", "in/", "//in/a"])
async def test_a_path_that_ends_in_a_slash_is_nothing_beside_it(path: str) -> None:
    app = build_app(StatusOf(), routes={"/in/": Route(echo_path)})
    assert (await ask(app, path)).status == 404


async def test_a_body_in_pieces_is_made_while_it_is_taken() -> None:
    made: list[int] = []
    seen: list[tuple[object, list[int]]] = []

    def pieces() -> Iterator[bytes]:
        for number in range(3):
            made.append(number)
            yield b"%d" % number

    async def in_pieces(_request: Request) -> Response:
        return Response(200, (), pieces())

    async def send(message: Message) -> None:
        seen.append((message.get("body"), made.copy()))
        assert b"content-length" not in dict(message.get("headers", ()))

    app = build_app(StatusOf(), routes={"/pieces": Route(in_pieces)})
    scope = {"type": "http", "path": "/pieces", "query_string": b"", "headers": []}
    await app({**scope, "method": "GET"}, trio.sleep_forever, send)
    assert seen == [(None, []), (b"0", [0]), (b"1", [0, 1]), (b"2", [0, 1, 2]), (b"", [0, 1, 2])]
    assert (await ask(app, "/pieces")).body == b"012"
    made.clear()
    assert (await ask(app, "/pieces", "HEAD")).body == b""
    assert made == []


APP, STRANGER = b"https://app.example", b"https://evil.example"


def app_for_pages(*allowed: str) -> AsgiApp:
    rules = OriginRules(allowed, is_loopback=False)
    said = ((b"cache-control", b"no-store"),)
    route = Route(echo_path, frozenset({"GET", "POST"}), 0, origins=rules, headers=said)
    return build_app(StatusOf(), routes={"/for/": route})


@pytest.mark.parametrize(
    ("method", "length", "status"),
    [("GET", b"0", 200), ("DELETE", b"0", 405), ("POST", b"9", 413), ("OPTIONS", b"0", 204)],
)
async def test_a_page_of_an_allowed_origin_may_read_what_it_gets_and_errors_too(
    method: str, length: bytes, status: int
) -> None:
    headers = ((b"origin", APP), (b"host", b"x"), (b"content-length", length))
    answer = await ask(app_for_pages(APP.decode()), "/for/a", method, headers=headers)
    assert answer.status == status
    assert answer.headers[b"access-control-allow-origin"] == APP
    assert answer.headers[b"vary"] == b"Origin"
    assert answer.headers[b"access-control-expose-headers"] == b"content-disposition, retry-after"


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
    assert answer.json()["error"]["code"] == "forbidden_origin"
    assert not [name for name in answer.headers if name.startswith(b"access-control-")]


async def test_programs_send_no_origin_and_are_answered() -> None:
    app = app_for_pages(APP.decode())
    answer = await ask(app, "/for/a")
    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith(b"access-control-")]
    assert (await ask(app, "/for/a", "OPTIONS")).status == 405


async def test_on_loopback_a_strange_name_of_the_server_is_not_answered() -> None:
    route = Route(echo_path, origins=OriginRules((), is_loopback=True))
    app = build_app(StatusOf(), routes={"/for/": route})
    assert (await ask(app, "/for/a", headers=((b"host", b"evil.example"),))).status == 403
    assert (await ask(app, "/for/a", headers=((b"host", b"localhost:1"),))).status == 200


@pytest.mark.parametrize(
    ("method", "length", "origin", "status"),
    [
        ("GET", b"0", APP, 200),
        ("OPTIONS", b"0", APP, 204),
        ("GET", b"0", STRANGER, 403),
        ("DELETE", b"0", APP, 405),
        ("POST", b"9", APP, 413),
    ],
)
async def test_what_a_route_says_is_said_with_each_answer(
    method: str, length: bytes, origin: bytes, status: int
) -> None:
    headers = ((b"origin", origin), (b"host", b"x"), (b"content-length", length))
    answer = await ask(app_for_pages(APP.decode()), "/for/a", method, headers=headers)
    assert (answer.status, answer.headers[b"cache-control"]) == (status, b"no-store")


async def test_several_headers_of_one_name_are_one_list() -> None:
    async def show(request: Request) -> Response:
        return json_response(200, [request.header(b"a"), request.header(b"b")])

    app = build_app(StatusOf(), routes={"/show": Route(show)})
    headers = ((b"a", b"1"), (b"a", b"2"))
    assert (await ask(app, "/show", headers=headers)).json() == ["1, 2", None]


async def test_nothing_waits_for_a_body_that_is_not_needed() -> None:
    headers = ((b"transfer-encoding", b"chunked"),)
    answer = await ask(build_app(StatusOf()), HEALTH_PATH, headers=headers, pieces=None)
    assert answer.status == 200


async def test_a_body_declared_over_the_bound_is_refused_before_it_comes() -> None:
    headers = ((b"content-length", b"16385"),)
    answer = await ask(build_app(StatusOf()), HEALTH_PATH, headers=headers, pieces=None)
    assert answer.status == 413


async def test_a_body_is_counted_and_refused_where_it_exceeds_the_bound() -> None:
    app = app_with_body_route()
    at_the_bound = await ask(app, "/take", "POST", pieces=(b"12345", b"67890"))
    assert at_the_bound.json() == {"bytes": 10}
    assert (await ask(app, "/take", "POST", pieces=(b"12345", b"678901"))).status == 413


async def test_a_body_that_is_cut_is_no_body() -> None:
    answer = await ask(app_with_body_route(), "/take", "POST", pieces=(b"123",), cut=True)
    assert answer.status == 400


def test_a_path_has_one_route() -> None:
    with pytest.raises(ValueError, match=HEALTH_PATH):
        build_app(StatusOf(), routes={HEALTH_PATH: Route(take_body)})


@pytest.mark.parametrize("path", PAGE_FILES)
async def test_the_page_is_sent_with_strict_headers(path: str) -> None:
    headers = (await ask(build_app(StatusOf()), path)).headers
    assert headers[b"content-type"] == PAGE_FILES[path][1]
    assert headers[b"content-security-policy"].startswith(b"default-src 'none';")
    assert b"unsafe" not in headers[b"content-security-policy"]
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert headers[b"x-frame-options"] == b"DENY"
    assert headers[b"cache-control"] == b"no-cache"


async def test_the_page_needs_only_what_its_policy_lets_it_load() -> None:
    app = build_app(StatusOf())
    page = (await ask(app, "/")).body.decode()
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert {"/chatd.js", "/chatd.css"} < set(links)
    for link in links:
        assert (await ask(app, link)).status == 200
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", page)


async def test_the_script_finds_what_it_fills_in_and_never_writes_markup() -> None:
    app = build_app(StatusOf())
    page = (await ask(app, "/")).body.decode()
    script = (await ask(app, "/chatd.js")).body.decode()
    for name in re.findall(r'getElementById\("([^"]+)"\)', script):
        assert f'id="{name}"' in page
    assert '"…"' in page
    assert '"…"' in script
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval", script)


async def test_a_server_that_asks_for_a_lifespan_gets_its_answers() -> None:
    events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[Message] = []

    async def receive() -> Message:
        return events.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await build_app(StatusOf())({"type": "lifespan"}, receive, send)
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_a_websocket_is_closed_where_the_server_knows_no_other_denial() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await build_app(StatusOf())({"type": "websocket", "path": "/"}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /api/websocket/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", 200),
        (b"GET /none HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", 404),
        (b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", 404),
        (
            b"GET /api/websocket/health HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n",
            200,
        ),
        (
            (
                b"GET /ws HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
                b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ),
            404,
        ),
    ],
)
async def test_it_answers_over_the_lane(head: bytes, status: int) -> None:
    faults: list[Exception] = []
    lane = HttpLane(build_app(StatusOf()), read_timeout_s=5, report_fault=faults.append)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with trio.fail_after(10):
        async with (
            trio.open_nursery() as nursery,
            trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as peer,
        ):
            nursery.start_soon(lane.serve, theirs, head)
            answer = b"".join([piece async for piece in peer])
            await peer.aclose()
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert faults == []
