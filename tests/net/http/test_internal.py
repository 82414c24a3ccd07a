"""What operators ask: the application in ASGI's terms, and its listener on a real socket."""

import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from chatd.net.http.app import HttpApp
from chatd.net.http.hypercorn import HypercornServer
from chatd.net.http.internal import (
    CONNECTIONS_MAX,
    LIVE_PATH,
    METRICS_PATH,
    READY_PATH,
    InternalListener,
    internal_app,
)
from chatd.net.http.public import HEALTH_PATH
from chatd.observe import InternalError, conditions
from chatd.observe.conditions import Reason
from chatd.observe.recorder import Recorder
from chatd.store import Damaged, StoreReadFailed
from tests.net.http.test_app import ask
from tests.service.chats import open_chat

AWAY = Reason(conditions.DB_UNAVAILABLE, "The server of this database cannot be asked.", "sales")
ON_ITS_WAY = Reason(
    conditions.DB_STARTING, "The server of this database is being started.", "stock"
)
DRAINING = Reason(conditions.DRAINING, "The daemon is about to end.")
TEXT = b"# HELP chatd_ready 1 where clients are served.\n"


def app_of(*now: Reason, is_loopback: bool = False, text: bytes = TEXT) -> HttpApp:
    return internal_app(lambda: now, lambda: text, b"text/plain", is_loopback=is_loopback)


async def test_who_is_asked_whether_it_lives_lives() -> None:
    answer = await ask(app_of(DRAINING), LIVE_PATH)
    assert (answer.status, answer.json()) == (200, {"status": "alive"})
    assert answer.headers[b"cache-control"] == b"no-store"


@pytest.mark.parametrize(
    ("reasons", "status", "word"),
    [
        ([], 200, "ready"),
        ([AWAY], 200, "degraded"),
        ([ON_ITS_WAY], 200, "starting"),
        ([ON_ITS_WAY, AWAY], 200, "degraded"),
        ([DRAINING, ON_ITS_WAY], 503, "not_ready"),
        ([Reason(conditions.STORAGE_DAMAGED, "Some of it cannot be read.")], 200, "degraded"),
        ([Reason(conditions.STORAGE_READ_ERROR, "The disk gave nothing.")], 200, "degraded"),
        ([Reason(conditions.DISK_LOW, "1 MiB is free.")], 200, "degraded"),
        ([Reason(conditions.ACTOR_SILENT, "The actor of messages.")], 503, "not_ready"),
        ([DRAINING], 503, "not_ready"),
        ([DRAINING, AWAY], 503, "not_ready"),
        ([Reason(conditions.STORAGE_ERROR, "The disk took nothing.")], 503, "not_ready"),
        ([Reason(conditions.STARTING, "The port is not open yet.")], 503, "not_ready"),
    ],
)
async def test_readiness_has_a_word_and_reasons(
    reasons: list[Reason], status: int, word: str
) -> None:
    answer = await ask(app_of(*reasons), READY_PATH)
    assert answer.status == status
    assert answer.json() == {
        "status": word,
        "reasons": [
            {"code": one.code, "message": one.message}
            | ({"connectionId": one.connection_id} if one.connection_id else {})
            for one in reasons
        ],
    }


@pytest.mark.parametrize(
    ("accept", "is_text"),
    [
        (b"text/plain", True),
        (b"Text/Plain; charset=utf-8, application/json", True),
        (b"application/json, text/plain", False),
        (b"*/*", False),
        (b"text/html,application/xhtml+xml,*/*;q=0.8", False),
        (b"", False),
    ],
)
async def test_readiness_is_text_for_who_asks_for_text(accept: bytes, is_text: bool) -> None:
    headers = ((b"accept", accept),) if accept else ()
    answer = await ask(app_of(DRAINING, AWAY), READY_PATH, headers=headers)
    assert answer.status == 503
    assert answer.headers[b"cache-control"] == b"no-store"
    if is_text:
        assert answer.headers[b"content-type"] == b"text/plain; charset=utf-8"
        assert answer.body.decode().splitlines() == [
            "not_ready",
            "draining: The daemon is about to end.",
            "db_unavailable sales: The server of this database cannot be asked.",
        ]
    else:
        assert answer.json()["status"] == "not_ready"


async def test_no_word_of_a_database_makes_a_line_of_the_text() -> None:
    forged = Reason(conditions.DB_UNAVAILABLE, "gone\nready: \x1b[2J", "sales")
    answer = await ask(app_of(forged), READY_PATH, headers=((b"accept", b"text/plain"),))
    assert answer.body == b"degraded\ndb_unavailable sales: gone\\nready: \\x1b[2J\n"


async def test_metrics_are_what_is_rendered_when_they_are_asked() -> None:
    answer = await ask(app_of(), METRICS_PATH)
    assert (answer.status, answer.body) == (200, TEXT)
    assert answer.headers[b"content-type"] == b"text/plain"


@pytest.mark.parametrize("path", ["/", HEALTH_PATH, "/chatd.js", "/socket.io/"])
async def test_nothing_else_is_there(path: str) -> None:
    assert (await ask(app_of(), path)).status == 404


@pytest.mark.parametrize("path", [LIVE_PATH, READY_PATH, METRICS_PATH])
async def test_nothing_is_taken(path: str) -> None:
    answer = await ask(app_of(), path, "POST")
    assert (answer.status, answer.headers[b"allow"]) == (405, b"GET, HEAD")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (((b"host", b"127.0.0.1:9100"),), 200),
        (((b"host", b"rebound.example"),), 403),
        (((b"host", b"127.0.0.1:9100"), (b"origin", b"https://evil.example")), 403),
    ],
)
async def test_on_loopback_no_web_page_of_a_stranger_may_ask(
    headers: tuple[tuple[bytes, bytes], ...], status: int
) -> None:
    answer = await ask(app_of(is_loopback=True), METRICS_PATH, headers=headers)
    assert answer.status == status
    if status == 403:
        assert "server.internal" in answer.json()["error"]["message"]
        assert "server.origins" not in answer.json()["error"]["message"]


@asynccontextmanager
async def listening(
    path: Path, text: bytes = TEXT, head_timeout_s: float = 20.0
) -> AsyncIterator[InternalListener]:
    """The listener at a path; cut and cancelled on the way out, as the daemon does it."""
    recorder = Recorder()
    http = HypercornServer(
        app_of(text=text),
        body_timeout_s=5,
        report_fault=lambda fault: recorder.record(InternalError.of("internal", fault)),
    )
    internal = InternalListener(http, recorder, max_head_bytes=1000, head_timeout_s=head_timeout_s)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    listener.setblocking(False)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(internal.serve, [listener])
            yield internal
            internal.sever()
            nursery.cancel_scope.cancel()
    assert recorder.of(InternalError) == []


GET = b"GET /metrics HTTP/1.1\r\nHost: chatd\r\nConnection: close\r\n\r\n"


async def get(path: Path) -> bytes:
    async with await trio.open_unix_socket(str(path)) as stream:
        await stream.send_all(GET)
        return b"".join([piece async for piece in stream])


async def test_the_listener_answers_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "it"
    async with listening(path):
        for _ in range(CONNECTIONS_MAX + 1):
            answer = await get(path)
            assert answer.startswith(b"HTTP/1.1 200")
            assert answer.endswith(TEXT)


async def test_one_connection_too_many_is_answered_and_the_oldest_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "it"
    async with listening(path):
        streams = []
        for number in range(CONNECTIONS_MAX + 3):
            stream = await trio.open_unix_socket(str(path))
            await stream.send_all(GET[:5])  # a head that does not go on
            streams.append(stream)
            if number >= CONNECTIONS_MAX:
                assert await streams[number - CONNECTIONS_MAX].receive_some() == b""
        assert (await get(path)).startswith(b"HTTP/1.1 200")
        for stream in streams[4:]:
            await stream.send_all(GET[5:])
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
        for stream in streams:
            await stream.aclose()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
        (b"GET /metrics HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"GET /metrics HTTP/1.1\r\nHost: evil.example@127.0.0.1\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + bytes(2000), 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", 413),
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n", 400),
        (GET + GET, 200),
    ],
)
async def test_a_request_is_judged_as_strictly_as_on_the_public_port(
    tmp_path: Path, sent: bytes, status: int
) -> None:
    async with (
        listening(tmp_path / "it"),
        await trio.open_unix_socket(str(tmp_path / "it")) as stream,
    ):
        await stream.send_all(sent)
        answer = b"".join([piece async for piece in stream])
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert len(re.findall(rb"HTTP/1\.1 \d", answer)) == 1


async def test_a_head_that_does_not_come_is_told_so(tmp_path: Path) -> None:
    async with (
        listening(tmp_path / "it", head_timeout_s=0.05),
        await trio.open_unix_socket(str(tmp_path / "it")) as stream,
    ):
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 408 ")


async def test_a_peer_that_takes_nothing_does_not_hold_the_end(tmp_path: Path) -> None:
    path = tmp_path / "it"
    async with listening(path, text=bytes(8_000_000)):
        stream = await trio.open_unix_socket(str(path))
        await stream.send_all(GET)
        assert (await stream.receive_some(1)) == b"H"
        await trio.testing.wait_all_tasks_blocked()
    await trio.aclose_forcefully(stream)


async def test_the_daemon_says_what_is_amiss_the_gravest_first(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        status = chat.parts.health.status
        reasons = status.reasons
        assert [one.code for one in reasons()] == ["starting"]
        status.is_open = True
        assert reasons() == []
        chat.log.is_failing = True
        assert [one.code for one in reasons()] == ["storage_error"]
        chat.log.displaced = "log.sqlite3 is gone"
        [displaced] = reasons()
        assert displaced.code == "storage_error"
        assert "log.sqlite3 is gone" in displaced.message
        status.is_draining = True
        assert [one.code for one in reasons()] == ["draining", "storage_error"]
        status.is_draining, chat.log.is_failing, chat.log.displaced = False, False, None
        assert status.health().status == "ok"
        witness = chat.parts.storage.store.readers.witness
        assert witness is not None
        witness.read_failed(StoreReadFailed("no descriptor"))
        assert [one.code for one in reasons()] == ["storage_read_error"]
        witness.damaged(Damaged("messages", "sales", 7))
        assert [one.code for one in reasons()] == ["storage_damaged", "storage_read_error"]
        assert status.health().status == "degraded"
