"""What strangers do to a real daemon: it stays small, answers others, loses nothing, and ends well.

No token is needed for any of it. Each is a bounded version of what once filled the memory, kept
descriptors for ever, or held everybody up.
"""

import os
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.app.client import Client, token_for
from tests.app.daemon import NO_LIMITS, Daemon, House
from tests.net.peers import BINARY, CONTINUATION, TEXT, frame, read_to_end, upgrade_request

SECRET = "a secret for the tests, of more than 32 bytes"
ENV = {
    **NO_LIMITS,
    "CHATD_AUTH__JWT_SECRET": SECRET,
    "CHATD_ANSWERS__ENABLED": "false",
    "CHATD_LIMITS__PENDING_SESSIONS_PER_ADDRESS": "1e6",
    "CHATD_SERVER__CONNECT_TIMEOUT_S": "1",
}
HEALTH = b"GET /api/websocket/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
GROWTH_MIB = 80  # what a quiet daemon may grow by; each of these attacks took several times that
PATIENCE_S = 10.0  # for what takes milliseconds, on a machine that is busy with other tests
ACK_S = 60.0  # only what hangs takes so long
PAUSE_S = 0.05  # between two looks, and two messages
DEFLATE = ["Sec-WebSocket-Extensions: permessage-deflate"]


def rss_mib(daemon: Daemon) -> float:
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    [kib] = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
    return int(kib) / 1024


def descriptors(daemon: Daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


async def dial(daemon: Daemon) -> trio.SocketStream:
    return await trio.open_tcp_stream("127.0.0.1", daemon.port)


async def say(stream: trio.SocketStream, sent: bytes) -> bool:
    """Send to somebody who may have hung up; whether it was taken."""
    try:
        with trio.move_on_after(PATIENCE_S):
            await stream.send_all(sent)
            return True
    except trio.BrokenResourceError:
        pass
    return False


async def heard(stream: trio.SocketStream) -> bytes:
    """All that comes in a while, to the end if there is one."""
    with trio.move_on_after(PATIENCE_S):
        return await read_to_end(stream)
    return b""


@asynccontextmanager
async def attacked(house: House, nursery: trio.Nursery) -> AsyncIterator[tuple[Daemon, Client]]:
    """A daemon with somebody in it who is answered all the time, before and after; then its end."""
    daemon = await house.start(env=ENV)
    before_mib, before = rss_mib(daemon), descriptors(daemon)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))

    async def go_on_talking(*, task_status: trio.TaskStatus[None]) -> None:
        while True:
            with trio.fail_after(ACK_S):
                assert (await alice.say("I am still here"))["ok"]
            task_status.started()
            task_status = trio.TASK_STATUS_IGNORED
            await trio.sleep(PAUSE_S)

    async with trio.open_nursery() as talking:
        await talking.start(go_on_talking)
        yield daemon, alice
        talking.cancel_scope.cancel()
    assert rss_mib(daemon) - before_mib < GROWTH_MIB
    for _ in range(round(5 * PATIENCE_S / PAUSE_S)):
        if descriptors(daemon) <= before + 1:  # one is alice's
            break
        await trio.sleep(PAUSE_S)
    assert descriptors(daemon) <= before + 1
    await daemon.stop()
    assert daemon.events("internal.error") == []


async def test_no_connection_inflates_what_is_sent_to_it(
    house: House, nursery: trio.Nursery
) -> None:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflate.compress(b"4" + bytes(60_000_000)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    inflating = frame(BINARY, bomb[:-4], rsv=4)
    async with attacked(house, nursery) as (daemon, _):
        for first, path, status in (
            (HEALTH, "/socket.io/", b"200"),
            (b"", "/socket.io/", b"101"),
            (b"", "/elsewhere/", b"400"),
        ):
            async with await dial(daemon) as stream:
                await say(stream, first + upgrade_request(path=path, headers=DEFLATE) + inflating)
                answer = await heard(stream)
            assert answer.startswith(b"HTTP/1.1 " + status)
            assert b"permessage-deflate" not in answer.lower()


async def test_whoever_leaves_messages_unread_leaves_nothing_behind(
    house: House, nursery: trio.Nursery
) -> None:
    many = frame(TEXT, b"3") * 500
    async with attacked(house, nursery) as (daemon, _):
        streams = []
        for number in range(40):
            stream = await dial(daemon)
            await say(stream, HEALTH if number % 2 else upgrade_request())
            await stream.receive_some()
            await say(stream, upgrade_request() + many if number % 2 else many)
            streams.append(stream)
        for stream in streams:  # the server ends each of them, whatever waits there
            await heard(stream)
            await trio.aclose_forcefully(stream)


@pytest.mark.parametrize(
    "kind", ["fragments", "fragments behind", "fragments of a user", "chunks", "chunks behind"]
)
async def test_crumbs_of_many_delay_nobody_and_end(
    house: House, nursery: trio.Nursery, kind: str
) -> None:
    a_byte = frame(CONTINUATION, b" ", fin=False)
    message = frame(TEXT, b"4", fin=False) + a_byte * 1000 + frame(CONTINUATION)
    chunked = b"POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: localhost\r\n"
    chunked += b"Transfer-Encoding: chunked\r\n\r\n"
    connect = frame(TEXT, b'40{"token":"%b"}' % token_for(SECRET, "greedy").encode())
    first, crumbs = {
        "fragments": (upgrade_request(), message),
        "fragments behind": (HEALTH + upgrade_request(), message),
        "fragments of a user": (upgrade_request() + connect, message),
        "chunks": (chunked, b"1\r\nx\r\n" * 1000),
        "chunks behind": (HEALTH + chunked, b"1\r\nx\r\n" * 1000),
    }[kind]

    async def flood(daemon: Daemon) -> None:
        async with await dial(daemon) as stream:
            with trio.move_on_after(2):
                if await say(stream, first):
                    while await say(stream, crumbs):
                        pass

    async with attacked(house, nursery) as (daemon, alice), trio.open_nursery() as floods:
        for _ in range(30):
            floods.start_soon(flood, daemon)
        for number in range(10):
            with trio.fail_after(ACK_S):
                assert (await alice.say(f"in between {number}"))["ok"]


def websocket_elsewhere(*headers: str, behind: bytes = b"") -> bytes:
    return upgrade_request(path="/elsewhere/", headers=headers) + behind


STRANGE = [
    websocket_elsewhere(behind=b"\0"),
    websocket_elsewhere(behind=frame(TEXT, b"hello")),
    websocket_elsewhere("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99"),
    websocket_elsewhere("Sec-WebSocket-Extensions: ;;;="),
    websocket_elsewhere("Sec-WebSocket-Key: x"),
    websocket_elsewhere("Sec-WebSocket-Version: 99"),
    upgrade_request(headers=["Sec-WebSocket-Version: 99"]) + b"\0",
    upgrade_request(headers=["Sec-WebSocket-Key: x"]),
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]


async def test_strange_requests_are_answered_and_no_error_of_the_daemon(
    house: House, nursery: trio.Nursery
) -> None:
    async with attacked(house, nursery) as (daemon, _):
        for sent in STRANGE:
            async with await dial(daemon) as stream:
                await say(stream, sent)
                answer = await heard(stream)
                assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), (sent, answer)
            async with await dial(daemon) as stream:
                await say(stream, HEALTH + sent)
                assert (await heard(stream)).count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("place", ["", "127.0.0.1:0"])
async def test_the_internal_listener_judges_as_strictly(house: House, place: str) -> None:
    daemon = await house.start(env={**ENV, "CHATD_SERVER__INTERNAL": place})
    told = daemon.events("daemon.started")[0]["internal"]

    async def inside() -> trio.SocketStream:
        if place:
            host, _, port = told.rpartition(":")
            return await trio.open_tcp_stream(host, int(port))
        return await trio.open_unix_socket(told)

    for sent in STRANGE:
        async with await inside() as stream:
            await say(stream, sent)
            assert (await heard(stream)).startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), sent
    async with await inside() as stream:
        await say(stream, b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await heard(stream)).startswith(b"HTTP/1.1 200 ")
    await daemon.stop()
    assert daemon.events("internal.error") == []
