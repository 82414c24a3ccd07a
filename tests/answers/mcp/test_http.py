"""A database over streamable HTTP: the SDK's own server, and servers that misbehave."""

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
import pytest
import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from chatd.answers.cut import Cut
from chatd.answers.mcp.mapping import Call, Form, PeerMapping
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.requests import (
    Answered,
    DatabaseFailed,
    ListTables,
    RunStatement,
    Stopped,
    Terms,
)
from chatd.observe import DatabaseConnected, DatabaseLost
from chatd.wire.codes import Code
from chatd.wire.names import RowsCut
from tests.answers.mcp.pools import LIMIT_S, Plate, Running, running

ReceiveSend = Callable[..., Awaitable[Any]]
pytestmark = pytest.mark.filterwarnings(
    # The SDK leaves streams of events before their end.
    "ignore:Exception ignored in. <async_generator object:pytest.PytestUnraisableExceptionWarning"
)

MAPPING = PeerMapping(
    query=Call("query", "sql", Form.STRUCTURED),
    list_tables=Call("list_tables", form=Form.STRUCTURED, rows="result"),
)


def server() -> MCPServer:
    """A db-mcp as somebody would write one with the SDK."""
    made = MCPServer("good")

    @made.tool()
    def list_tables() -> list[str]:
        return ["a", "b"]

    @made.tool()
    async def query(sql: str, context: Context) -> dict[str, Any]:
        if sql == "fail":
            raise ToolError("no such table: x")
        for index in range(3):
            await context.report_progress(index, None, f"row {index}")
        return {"columns": ["sql"], "rows": [[sql]], "truncated": sql == "cut"}

    return made


@attrs.define
class Front:
    """An ASGI application before the server, that sees what comes and may answer itself."""

    inner: Any
    seen: list[dict[str, str]] = attrs.field(factory=list)
    answer: Callable[[ReceiveSend], Awaitable[None]] | None = None

    async def __call__(self, scope: Any, receive: ReceiveSend, send: ReceiveSend) -> None:
        if scope["type"] == "http":
            self.seen.append({k.decode(): v.decode() for k, v in scope["headers"]})
            if self.answer is not None:
                await self.answer(send)
                return
        await self.inner(scope, receive, send)


async def respond(send: ReceiveSend, status: int, body: bytes, **headers: str) -> None:
    told = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def listening(front: Front) -> AsyncIterator[tuple[str, Callable[[], Awaitable[None]]]]:
    """Serve on a port of this machine; the URL, and what ends it."""
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.graceful_timeout = 0.1
    config.errorlog = None  # else it sets up a logger that outlives the test
    ended, closed = trio.Event(), trio.Event()

    async def end() -> None:
        ended.set()
        await closed.wait()

    async with trio.open_nursery() as nursery:

        async def run(task_status: trio.TaskStatus[Any]) -> None:
            await serve(front, config, shutdown_trigger=ended.wait, task_status=task_status)
            closed.set()

        (bound,) = await nursery.start(run)
        yield f"{bound}/mcp", end
        ended.set()


@asynccontextmanager
async def asked(**configured: Any) -> AsyncIterator[tuple[Running, Front]]:
    front = Front(server().streamable_http_app())
    async with listening(front) as (url, _):
        found = DatabaseSettings(url=url, mapping=MAPPING, connections=1, **configured)
        async with running(found) as peer:
            yield peer, front


async def test_a_server_of_the_sdk_answers_over_http() -> None:
    async with asked(headers={"Authorization": "Bearer secret"}) as (peer, front):
        assert (await peer.ask(ListTables()))[1].rows_ == [["a"], ["b"]]
        end, plate = await peer.ask("cut")
        assert end == Answered(Cut(RowsCut.DATABASE))
        assert plate.rows_ == [["cut"]]
        with pytest.raises(DatabaseFailed, match="no such table: x") as caught:
            await peer.ask("fail")
        assert caught.value.code is Code.DB_ERROR
        assert all(seen["authorization"] == "Bearer secret" for seen in front.seen)
        assert all(seen["accept-encoding"] == "identity" for seen in front.seen)
        assert "secret" not in str(peer.recorder.events)


async def test_a_server_that_was_started_anew_answers_the_next_question() -> None:
    async with asked() as (peer, front):
        await peer.ask("x")
        front.inner = server().streamable_http_app()
        async with front.inner.router.lifespan_context(front.inner):
            assert (await peer.ask("x"))[1].rows_ == [["x"]]
            assert len(peer.recorder.of(DatabaseConnected)) == 2


@pytest.mark.parametrize(
    ("status", "body", "headers", "sentence"),
    [
        (200, b"[" + b"1," * 600_000, {}, "more bytes than a response may have"),
        (200, gzip.compress(b"1" * 10_000_000), {"content_encoding": "gzip"},
         "more bytes than a response may have"),
        (200, b"garbage", {}, "Failed to parse JSON response"),
        (500, b"", {}, "Server returned an error response"),
        (302, b"", {"location": "http://127.0.0.2:1/mcp"}, "Redirect to http://127.0.0.2:1/mcp"),
        (307, b"", {"location": "http://127.0.0.2:1/mcp"}, "Redirect to http://127.0.0.2:1/mcp"),
        (200, b'data: {"jsonrpc": "2.0", "id": 1, "result": {"content": [], "x": "%s"}}\n\n'
         % (b"x" * 2_000_000), {"content_type": "text/event-stream"}, "ended while it answered"),
        (200, b"data: garbage\n\n", {"content_type": "text/event-stream"}, "Failed to parse SSE"),
        (200, b"", {"content_type": "text/event-stream"}, "ended while it answered"),
    ],
)  # fmt: skip
async def test_a_server_that_answers_badly_costs_its_own_question_only(
    status: int, body: bytes, headers: dict[str, str], sentence: str
) -> None:
    async with asked() as (peer, front):
        await peer.ask("x")

        async def answer(send: ReceiveSend) -> None:
            front.answer = None
            await respond(send, status, body, **{"content_type": "application/json", **headers})

        front.answer = answer
        with pytest.raises(DatabaseFailed, match=sentence):
            await peer.ask("x")
        assert (await peer.ask("x"))[1].rows_ == [["x"]]


async def test_a_server_that_never_answers_is_given_up() -> None:
    async with asked() as (peer, front):
        await peer.ask("x")

        async def answer(send: ReceiveSend) -> None:
            front.answer = None
            await trio.sleep_forever()

        front.answer = answer
        with peer.call_timeout(0.2), pytest.raises(DatabaseFailed) as caught:
            await peer.ask("x")
        assert caught.value.code is Code.DB_TIMEOUT
        assert (await peer.ask("x"))[1].rows_ == [["x"]]


async def test_a_stop_over_http_is_told_and_the_session_replaced() -> None:
    async with asked() as (peer, front):
        await peer.ask("x")
        stop, waits = trio.Event(), trio.Event()

        async def answer(send: ReceiveSend) -> None:
            front.answer = None
            stop.set()
            await waits.wait()

        front.answer = answer
        with trio.fail_after(LIMIT_S):
            end = await peer.database.ask(RunStatement("x"), Terms(), Plate(), stop)
        assert end == Stopped(is_confirmed=False)
        assert (await peer.ask("x"))[1].rows_ == [["x"]]
        waits.set()


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    found = DatabaseSettings(url="http://127.0.0.1:1/mcp", mapping=MAPPING)
    async with running(found) as peer:
        with pytest.raises(DatabaseFailed) as caught:
            await peer.ask("x")
        assert caught.value.code is Code.DB_UNAVAILABLE
        assert peer.recorder.of(DatabaseLost)[0].reason == "ConnectError"


async def test_a_server_that_goes_away_costs_one_question() -> None:
    front = Front(server().streamable_http_app())
    async with (
        listening(front) as (url, end),
        running(DatabaseSettings(url=url, mapping=MAPPING, connections=1)) as peer,
    ):
        await peer.ask("x")
        await end()
        with pytest.raises(DatabaseFailed) as caught:
            await peer.ask("x")
        assert caught.value.code is Code.DB_UNAVAILABLE


async def peeked(receive: ReceiveSend) -> tuple[bytes, ReceiveSend]:
    """The body of a request, and how it is received as if nobody had looked."""
    came = [await receive()]
    body = came[0].get("body", b"")

    async def again() -> Any:
        return came.pop() if came else await receive()

    return body, again


async def test_a_server_that_does_not_know_the_session_is_asked_anew_whatever_it_says() -> None:
    refused = 0

    async def forgetful(scope: Any, receive: ReceiveSend, send: ReceiveSend) -> None:
        nonlocal refused
        body, again = await peeked(receive)
        if b'"tools/call"' in body and not refused:
            refused += 1
            error = {"code": -32001, "message": "Session not found"}
            said = orjson.dumps({"jsonrpc": "2.0", "id": None, "error": error})
            await respond(send, 404, said, content_type="application/json")
            return
        await well(scope, again, send)

    async with asked() as (peer, front):
        await peer.ask("x")
        well, front.inner = front.inner, forgetful
        assert (await peer.ask("y"))[1].rows_ == [["y"]]
        assert refused == 1


@pytest.mark.parametrize("begun", [b"id: 1\nretry: 1\ndata:\n\n", b": it is at work\n\n"])
async def test_a_call_that_has_begun_is_not_repeated_whatever_else_is_not_found(
    begun: bytes,
) -> None:
    """The server knows no stream of events: it was restarted, or it never has one."""
    calls: list[bytes] = []

    async def broken(scope: Any, receive: ReceiveSend, send: ReceiveSend) -> None:
        if scope["method"] == "GET":
            await respond(send, 404, b"")
            return
        body, again = await peeked(receive)
        if b'"tools/call"' in body:
            calls.append(body)
            if len(calls) == 1:
                await respond(send, 200, begun, content_type="text/event-stream")
                return
        await well(scope, again, send)

    front = Front(server().streamable_http_app())
    well, front.inner = front.inner, broken
    async with (
        well.router.lifespan_context(well),
        listening(front) as (url, _),
        running(DatabaseSettings(url=url, mapping=MAPPING, connections=1)) as peer,
    ):
        with pytest.raises(DatabaseFailed) as caught:
            await peer.ask("INSERT INTO t VALUES (1)")
        assert (caught.value.code, len(calls)) == (Code.DB_UNAVAILABLE, 1)
        assert (await peer.ask("x"))[1].rows_ == [["x"]]
