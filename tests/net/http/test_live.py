"""Bodies that go on for as long as their connection, past Hypercorn, over real sockets."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio

from chatd.net.http.app import HttpApp, HttpRoute, Live, Request, Response, refusal
from chatd.net.http.connection import HttpConnection
from chatd.net.http.cors import CorsPolicy
from tests.net.http.serving import serving

FRIEND = "https://app.example"


@attrs.define
class Ticks(Live):
    """Three ticks, or a refusal, or a fault."""

    refused: Response | None = None
    is_broken: bool = False

    async def serve(
        self, connection: HttpConnection, head: bytes, carries: Callable[[Any], None]
    ) -> Response | None:
        if self.is_broken:
            raise RuntimeError("the code")
        if self.refused is None:
            carries("a session")
            connection.writer.write(head)
            for _ in range(3):
                await trio.lowlevel.checkpoint()
                connection.writer.write(b"tick\n")
            connection.writer.finish(b"")
        return self.refused


def app(live: Ticks) -> HttpApp:
    async def handler(request: Request) -> Response:
        if request.path.startswith("/for/faulty"):
            raise RuntimeError("the code")
        if request.method == "GET" and request.path.endswith("/live"):
            return Response(200, ((b"content-type", b"text/plain"),), live)
        return Response(200, (), request.path.encode())

    route = HttpRoute(
        handler,
        cors=CorsPolicy((FRIEND,), is_loopback=False),
        headers=((b"x-of-route", b"1"),),
        is_live=lambda path: path.endswith("/live"),
        methods_at=lambda path: frozenset({"GET", "PUT"} if path == "/for/both" else {"GET"}),
    )
    return HttpApp({"/for/": route})


async def answer(app: HttpApp, method: str, path: str, *headers: str) -> tuple[bytes, list[str]]:
    """All that comes back, and the faults."""
    lines = [f"{method} {path} HTTP/1.1", "host: x", f"origin: {FRIEND}", *headers, "", ""]
    async with serving(app, "\r\n".join(lines).encode()) as served:
        received = b"".join([piece async for piece in served.peer])
        return received, [repr(fault) for fault in served.faults]


@pytest.mark.parametrize("path", ["/for/faulty", "/for/faulty/live"])
async def test_a_fault_in_a_route_is_answered_with_what_the_route_adds(path: str) -> None:
    received, faults = await answer(app(Ticks()), "GET", path)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500 ")
    assert b"x-of-route: 1" in head
    assert f"access-control-allow-origin: {FRIEND}".encode() in head
    assert b'"code":"internal"' in body
    assert faults == ["RuntimeError('the code')"]


async def test_a_live_body_has_the_headers_of_its_route_and_no_length() -> None:
    received, faults = await answer(app(Ticks()), "GET", "/for/live")
    head, _, body = received.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    assert status == "HTTP/1.1 200 OK"
    told = dict(field.split(": ", 1) for field in fields)
    assert told["content-type"] == "text/plain"
    assert told["x-of-route"] == "1"
    assert told["access-control-allow-origin"] == FRIEND
    assert told["Connection"] == "close"
    assert "content-length" not in head.decode().lower()
    assert body == b"tick\n" * 3
    assert faults == []


async def test_what_is_refused_before_it_begins_is_an_answer_of_the_route() -> None:
    busy = Ticks(refusal(503, "overloaded", "Later.", ((b"retry-after", b"5"),)))
    received, _ = await answer(app(busy), "GET", "/for/live")
    assert received.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    for field in (b"retry-after: 5", b"x-of-route: 1", b"access-control-allow-origin: "):
        assert received.count(field) == 1
    assert received.endswith(b'{"error":{"code":"overloaded","message":"Later."}}')


async def test_a_fault_of_a_live_body_is_reported_and_ends_its_connection_alone() -> None:
    received, [fault] = await answer(app(Ticks(is_broken=True)), "GET", "/for/live")
    assert received == b""
    assert "the code" in fault


async def test_other_paths_and_methods_go_the_usual_way() -> None:
    for method, path in [("GET", "/for/this"), ("HEAD", "/for/live"), ("PUT", "/for/both")]:
        received, faults = await answer(app(Ticks()), method, path)
        assert received.startswith(b"HTTP/1.1 200 ")
        assert b"date: " in received, "Hypercorn says it"
        assert faults == []


async def test_each_path_below_a_route_may_have_methods_of_its_own() -> None:
    received, _ = await answer(app(Ticks()), "PUT", "/for/live")
    assert received.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nallow: GET, HEAD\r\n" in received
    for path, methods in [("/for/both", b"GET, HEAD, PUT"), ("/for/live", b"GET, HEAD")]:
        preflight, _ = await answer(app(Ticks()), "OPTIONS", path)
        assert preflight.startswith(b"HTTP/1.1 204 ")
        assert b"\r\naccess-control-allow-methods: %b\r\n" % methods in preflight
        assert b"\r\naccess-control-allow-headers: authorization\r\n" in preflight
