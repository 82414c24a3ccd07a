"""The end of a daemon: told to everybody, complete, and in time, whatever hangs (promise 7)."""

import json
import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from chatd.app.bounded_end import ECHO_S
from tests.app.client import Client, Gone, message, token_for
from tests.app.daemon import LONG_DRAIN_S, NO_LIMITS, Daemon, House
from tests.app.test_kill import ROOMS, SECRET, Flood, flood

ENV = {**NO_LIMITS, "CHATD_AUTH__JWT_SECRET": SECRET, "CHATD_STATE__DURABILITY": "write"}
HANGING_DISK = (sys.executable, str(Path(__file__).with_name("hanging_disk.py")), "serve")
SLACK_S = 90.0
"""Seconds for a slow machine, and for the process's own end. What a test tells from a good end
takes longer by far: a drain that runs to its timeout, a disk or a loop that hangs for ever."""

BOUND_S = 1.0
"""Seconds of a drain that is to run to its timeout."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_is_told_to_the_clients_before_their_transport_closes(
    house: House, nursery: trio.Nursery, number: signal.Signals
) -> None:
    daemon = await house.start(env=ENV)
    clients = [
        await Client.connect(nursery, daemon.port, token_for(SECRET, user))
        for user in ("alice", "bob")
    ]
    for client in clients:
        await client.hear("chat:history")
    began_s = trio.current_time()
    daemon.send_signal(number)
    waits = set()
    for client in clients:
        await client.gone()
        (name, draining), (status_name, status) = client.heard[-2:]
        assert name == "server:draining"
        assert draining.keys() == {"deadline", "reconnectAfterMs"}
        assert status_name == "connection:status"
        assert status["status"] == "draining"
        assert status["code"] == "draining"
        assert status["retryAfterMs"] == draining["reconnectAfterMs"] >= 0
        waits.add(status["retryAfterMs"])
        # A DISCONNECT would tell stock clients to stay away.
        assert not any(packet.startswith("41") for packet in client.packets)
    assert await daemon.ended() == 0
    assert trio.current_time() - began_s < SLACK_S
    assert daemon.events("daemon.stopping")[0]["reason"] == number.name
    assert daemon.events("daemon.stopped")[0]["clean"] is True
    assert {gone["reason"] for gone in daemon.events("socket.disconnected")} == {
        "server shutting down"
    }
    with pytest.raises(OSError, match="failed"):
        await trio.open_tcp_stream("127.0.0.1", daemon.port)


async def test_what_was_accepted_is_acknowledged_before_the_end(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    what = Flood()
    with trio.fail_after(LONG_DRAIN_S):
        async with trio.open_nursery() as flooding:
            clients = await flood(daemon.port, what, flooding)
            await what.reached(300)
            daemon.send_signal(signal.SIGTERM)
            for client in clients:
                await client.gone()
                assert client.said("server:draining")
            assert await daemon.ended() == 0
            flooding.cancel_scope.cancel()
    daemon = await house.start(env=ENV)
    reader = await Client.connect(nursery, daemon.port, token_for(SECRET, "reader", ROOMS))
    for room in ROOMS:
        kept = {shown["seq"]: shown["messageId"] for shown in await reader.whole_room(room)}
        assert kept == what.acked[room]


async def test_peers_that_take_nothing_hold_nobody_up(house: House, nursery: trio.Nursery) -> None:
    # However slow the machine is, nobody is put out before the drain.
    patience = {"CHATD_SERVER__PING_TIMEOUT_S": "600", "CHATD_SERVER__BACKLOG_BYTES": "1000000000"}
    daemon = await house.start(env={**ENV, **patience})
    half = await trio.open_tcp_stream("127.0.0.1", daemon.port)
    await half.send_all(b"GET /api/websocket/health HTTP/1.1\r\nHo")
    idle = await trio.open_tcp_stream("127.0.0.1", daemon.port)
    await idle.send_all(b"GET /api/websocket/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    with trio.fail_after(SLACK_S):
        assert b" 200 " in await idle.receive_some()

    deaf = await Client.connect(
        nursery, daemon.port, token_for(SECRET, "deaf"), receive_buffer_bytes=4096
    )
    await deaf.hear("chat:history")
    deaf.stop_reading()
    sender = await Client.connect(nursery, daemon.port, token_for(SECRET, "sender"))
    hearer = await Client.connect(nursery, daemon.port, token_for(SECRET, "hearer"))
    flooding = trio.CancelScope()

    async def send() -> None:
        with flooding, suppress(Gone):  # the daemon ends its connection, too
            while not sender.is_gone:
                await sender.emit("chat:message", message("x" * 10_000))

    nursery.start_soon(send)
    await hearer.hear(
        "chat:message", within_s=LONG_DRAIN_S, seq=1200
    )  # beyond what any kernel buffers
    assert not daemon.events("socket.disconnected")

    began_s = trio.current_time()
    daemon.send_signal(signal.SIGTERM)
    await hearer.gone()
    flooding.cancel()
    assert hearer.said("server:draining")
    assert await daemon.ended(SLACK_S) == 0
    assert trio.current_time() - began_s < SLACK_S  # it did not wait for those that take nothing
    assert daemon.events("daemon.stopped")[0]["clean"] is True
    for stream in (half, idle):
        with trio.fail_after(SLACK_S):
            async for _ in stream:  # the rest of the answer
                pass
        await stream.aclose()


GET = "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n"
POST = "POST /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n"
HANDSHAKE = "/socket.io/?EIO=4&transport={transport}"
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
OF_STRANGERS = {
    "nothing": (b"", 20),
    "the beginning of TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 20),
    "pages that are not read": (GET.format(path="/", more="").encode() * 3, 200),
    "answers that are not read": (
        GET.format(path=HANDSHAKE.format(transport="polling"), more="").encode() * 40,
        20,
    ),
    "half a WebSocket's head": (
        GET.format(path=HANDSHAKE.format(transport="websocket"), more=UPGRADE).encode()[:-2],
        20,
    ),
    "half a WebSocket's frame": (
        GET.format(path=HANDSHAKE.format(transport="websocket"), more=UPGRADE).encode()
        + b"\x81\xfe\x01",
        20,
    ),
    "half a body": (
        POST.format(query="&sid=x", more="Content-Length: 99\r\n").encode() + b"40",
        20,
    ),
    "half a chunk": (
        POST.format(query="", more="Transfer-Encoding: chunked\r\n").encode() + b"5\r\nab",
        20,
    ),
}
"""What strangers send, and how many of them; they read nothing."""


async def open_by_polling(port: int, token: str | None) -> tuple[trio.SocketStream, str]:
    """A session, of a user where there is a token, and the connection that it was opened on."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    await stream.send_all(GET.format(path=HANDSHAKE.format(transport="polling"), more="").encode())
    found = re.search(rb'"sid":"([^"]+)"', await heard_so_far(stream, b"}"))
    assert found is not None
    path = f"{HANDSHAKE.format(transport='polling')}&sid={found[1].decode()}"
    if token is not None:
        connect = f'40{{"token":"{token}"}}'.encode()
        async with await begin_post(port, path, connect, len(connect)) as posting:
            await heard_so_far(posting, b"ok")
        other = await trio.open_tcp_stream("127.0.0.1", port)
        await other.send_all(GET.format(path=path, more="").encode())
        assert b"connection:status" in await heard_so_far(other, b"connection:status")
        await other.aclose()
    return stream, path


async def heard_so_far(stream: trio.SocketStream, mark: bytes) -> bytes:
    heard = b""
    with trio.fail_after(SLACK_S):
        while mark not in heard:
            piece = await stream.receive_some()
            assert piece, heard
            heard += piece
    return heard


async def begin_post(port: int, path: str, body: bytes, length: int) -> trio.SocketStream:
    """A POST that says how long it is."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n"
    await stream.send_all(head.encode() + body)
    return stream


async def test_strangers_hold_nothing_up_and_leave_the_end_clean(house: House) -> None:
    """Each of these once took the whole of the drain's time, and made the exit code 1."""
    daemon = await house.start(env=ENV)
    streams = []
    for sent, count in OF_STRANGERS.values():
        for _ in range(count):
            streams.append(await trio.open_tcp_stream("127.0.0.1", daemon.port))
            await streams[-1].send_all(sent)
    stream, path = await open_by_polling(daemon.port, None)
    half = await begin_post(daemon.port, path, b"40{", 99)
    streams += [stream, half]
    for _ in range(50):  # polls that wait
        stream, path = await open_by_polling(daemon.port, None)
        await stream.send_all(GET.format(path=path, more="").encode())
        streams.append(stream)
    inside = await trio.open_unix_socket(str(house.state_dir / "internal.sock"))
    await inside.send_all(b"GET /metr")
    began_s = trio.current_time()
    daemon.send_signal(signal.SIGTERM)
    assert await daemon.ended(SLACK_S) == 0
    assert trio.current_time() - began_s < SLACK_S
    assert [line["clean"] for line in daemon.events("daemon.stopped")] == [True]
    assert not (house.state_dir / "internal.sock").exists()
    for stream in (*streams, inside):
        await trio.aclose_forcefully(stream)


async def test_a_page_that_follows_the_log_does_not_hold_up_the_end(house: House) -> None:
    daemon = await house.start(env={**ENV, "CHATD_AUTH__ADMIN_CLAIM": "roles"})
    stream = await trio.open_tcp_stream("127.0.0.1", daemon.port)
    bearer = token_for(SECRET, "root", roles=["admin"])
    head = f"GET /api/admin/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bearer}"
    await stream.send_all(f"{head}\r\n\r\n".encode())
    told = b""
    while b"\r\n\r\n" not in told:
        told += await stream.receive_some()
    assert told.startswith(b"HTTP/1.1 200")
    daemon.send_signal(signal.SIGTERM)
    while data := await stream.receive_some():
        told += data
    assert told.endswith(b"0\r\n\r\n")  # the body has its end: the stream was not cut off
    assert b'"event":"daemon.stopping"' in told
    await trio.aclose_forcefully(stream)
    assert await daemon.ended(SLACK_S) == 0
    assert [line["clean"] for line in daemon.events("daemon.stopped")] == [True]


async def test_users_who_are_slow_to_leave_are_cut_off_and_leave_the_end_clean(
    house: House, nursery: trio.Nursery
) -> None:
    """By polling: half a body, a poll that waits, an upgrade that is never finished. By WebSocket:
    one who does not say goodbye."""
    daemon = await house.start(env=ENV)
    streams = []
    for user in ("half", "waiting", "upgrading"):
        stream, path = await open_by_polling(daemon.port, token_for(SECRET, user))
        streams.append(stream)
        match user:
            case "half":
                streams.append(await begin_post(daemon.port, path, b"42[", 99))
            case "waiting":
                await stream.send_all(GET.format(path=path, more="").encode())
            case "upgrading":
                path = path.replace("polling", "websocket")
                await stream.send_all(GET.format(path=path, more=UPGRADE).encode())
                await heard_so_far(stream, b"\r\n\r\n")
                await stream.send_all(b"\x81\x86\0\0\0\0002probe")
                await heard_so_far(stream, b"3probe")
    deaf = await Client.connect(nursery, daemon.port, token_for(SECRET, "deaf"))
    deaf.stop_reading()
    daemon.send_signal(signal.SIGTERM)
    assert await daemon.ended(SLACK_S) == 0
    assert [line["clean"] for line in daemon.events("daemon.stopped")] == [True]
    for stream in streams:
        await trio.aclose_forcefully(stream)


async def test_no_signal_changes_the_exit_code_once_the_daemon_has_stopped(house: House) -> None:
    daemon = await house.start(env=ENV)
    daemon.send_signal(signal.SIGTERM)
    await trio.sleep(ECHO_S)
    await daemon.event("daemon.stopped")
    with suppress(ProcessLookupError):
        while daemon.process.poll() is None:
            daemon.process.send_signal(signal.SIGTERM)
            await trio.sleep(0.001)
    assert await daemon.ended() == 0
    assert len(daemon.events("daemon.stopped")) == 1


async def hang_in_the_disk(
    house: House, nursery: trio.Nursery, bound_s: float = LONG_DRAIN_S
) -> Daemon:
    """A daemon whose disk has just taken a message and says no more."""
    daemon = await house.start(
        "--log-level",
        "debug",
        program=HANGING_DISK,
        env={**ENV, "CHATD_SERVER__DRAIN_TIMEOUT_S": str(bound_s)},
    )
    client = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    await client.hear("chat:history")
    await client.emit("chat:message", message("never to be stored"))
    await daemon.event("message.received")
    return daemon


async def test_a_disk_that_hangs_does_not_stretch_the_drain(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await hang_in_the_disk(house, nursery, BOUND_S)
    began_s = trio.current_time()
    daemon.send_signal(signal.SIGTERM)
    assert await daemon.ended(BOUND_S + SLACK_S) == 1
    assert trio.current_time() - began_s > BOUND_S * 0.5
    assert [line["clean"] for line in daemon.events("daemon.stopped")] == [False]
    assert not (house.state_dir / "internal.sock").exists()
    recovered = await house.start(env=ENV)
    assert (await recovered.event("store.recovered"))["messages"] == 0


async def test_a_drain_that_waits_says_so_lets_nobody_in_and_ends_at_a_second_signal(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await hang_in_the_disk(house, nursery)
    daemon.send_signal(signal.SIGTERM)
    await daemon.event("daemon.stopping")
    stream = await trio.open_tcp_stream("127.0.0.1", daemon.port)
    async with stream:
        await stream.send_all(
            b"GET /api/websocket/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        )
        with trio.fail_after(SLACK_S):
            answer = b"".join([piece async for piece in stream])
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 503 " in head
    assert json.loads(body)["status"] == "draining"
    asked = await house.run("health", "--url", f"http://127.0.0.1:{daemon.port}")
    assert (asked.code, json.loads(asked.out)["status"]) == (1, "draining")
    stream = await trio.open_tcp_stream("127.0.0.1", daemon.port)
    async with stream:
        await stream.send_all(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        with trio.fail_after(SLACK_S):
            answer = b"".join([piece async for piece in stream])
    assert b" 503 " in answer.split(b"\r\n")[0]
    assert b"retry-after: " in answer.lower()

    began_s = trio.current_time()
    daemon.send_signal(signal.SIGINT)
    assert await daemon.ended(SLACK_S) == 1
    assert trio.current_time() - began_s < SLACK_S


async def test_a_log_that_nobody_reads_does_not_stretch_the_drain(
    house: House, nursery: trio.Nursery
) -> None:
    """Its pipe is full when the forced end wants to say so."""
    reading, writing = os.pipe()
    try:
        daemon = await house.begin(
            program=HANGING_DISK,
            env={**ENV, "CHATD_SERVER__DRAIN_TIMEOUT_S": str(BOUND_S)},
            stderr=writing,
        )
        log = b""
        with trio.fail_after(SLACK_S):
            while b"daemon.started" not in log:
                await trio.lowlevel.wait_readable(reading)
                log += os.read(reading, 65_536)
        [port] = re.findall(rb'"port":(\d+)', log)
        client = await Client.connect(nursery, int(port), token_for(SECRET, "alice"))
        await client.emit("chat:message", message("never to be stored"))
        await client.ask("connection:leave", {"connectionId": "a room that is not there"})
        filling = os.open(f"/proc/self/fd/{writing}", os.O_WRONLY | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while os.write(filling, b"x"):
                pass
        os.close(filling)
        daemon.send_signal(signal.SIGTERM)
        assert await daemon.ended(BOUND_S + SLACK_S) == 1
    finally:
        os.close(reading)
        os.close(writing)


STUCK = """
import sys, time, trio
from chatd.app.bounded_end import BoundedEnd
from chatd.app.signals import Signals
from chatd.observe import open_log

async def main():
    print("stuck", flush=True)
    time.sleep(600)  # as a loop that has too much to do

Signals().begin_serving(BoundedEnd(0.5, open_log("json", "info", sys.stderr, False)))
trio.run(main)
"""


OVER = """
import os, signal, sys, time
from chatd.app.bounded_end import ECHO_S, BoundedEnd
from chatd.app.signals import Signals
from chatd.observe import open_log

log = open_log("json", "info", sys.stderr, False)
end = BoundedEnd(600, log)
signals = Signals()
signals.begin_serving(end)
os.kill(os.getpid(), signal.SIGTERM)
bound = end._timer
end.over()
bound.function()  # as where it was about to end the process in this very moment
time.sleep(2 * ECHO_S)
os.kill(os.getpid(), signal.SIGTERM)
assert end._timer is not bound
end._timer.join()
print(signals.stopped_by)
"""


async def test_nothing_ends_a_process_by_force_once_its_end_is_over(house: House) -> None:
    """Neither the timer of the bound, nor one who insists."""
    done = await house.run(program=(sys.executable, "-c", OVER))
    assert (done.code, done.out, done.err) == (0, "SIGTERM\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_loop_that_is_stuck_does_not_stretch_the_end(
    house: House, number: signal.Signals
) -> None:
    daemon = await house.begin(program=(sys.executable, "-c", STUCK))
    await daemon.out.having("stuck")
    daemon.send_signal(number)
    assert await daemon.ended(within_s=SLACK_S) == 1
    assert daemon.events("daemon.stopped")[0]["clean"] is False
