"""Each scenario against a real daemon, with few clients and for a moment."""

import contextlib
import http.server
import io
import os
import signal
import ssl
import threading
from pathlib import Path

import pytest
import trio

from chatd.bench import daemon
from chatd.bench.address import parse_address
from chatd.bench.client import Transport
from chatd.bench.daemon import DaemonError
from chatd.bench.fleet import GeneratorError
from chatd.bench.options import Options
from chatd.bench.progress import Progress
from chatd.bench.results import Point, from_json, to_json
from chatd.bench.run import Ran, run
from chatd.bench.stage import SetupError
from tests.auth.key_server import certificate
from tests.bench.conftest import COMES_WHOLE_S, SECRET, Served, faulty_server
from tests.processes import children_of, commands_of, where_it_is_there


async def ran(scenario: str, options: Options) -> Ran:
    """What a run has to say, which is read again from its document."""
    with trio.fail_after(60):
        done = await run(scenario, options, Progress(io.StringIO(), is_terminal=False))
    assert from_json(to_json(done.results)) == done.results
    return done


def split(served: Served) -> tuple[str, int]:
    """Host and port of a server."""
    address = parse_address(served.url)
    return address.host, address.port


async def points(scenario: str, options: Options) -> dict[str, Point]:
    """The points of a run in which all was well, the last one of each kind."""
    done = await ran(scenario, options)
    assert done.results.is_good, (done.results.points, done.reasons)
    return {point.what: point for point in done.results.points}


async def test_messages_are_acked_and_delivered_to_everybody_in_the_room(chatd: Served) -> None:
    options = chatd.options(secret=SECRET, loads=(50.0, 100.0), processes=2)
    done = await ran("messages", options)
    assert done.results.is_good, done.reasons
    assert [(one.what, one.load) for one in done.results.points] == [
        ("ack", 50.0),
        ("delivery", 50.0),
        ("ack", 100.0),
        ("delivery", 100.0),
    ]
    acks, deliveries = done.results.points[-2:]
    # 100 a second for 0.4 s are 40 messages, of which each has 3 receivers.
    assert round(acks.rate * acks.seconds) == 40
    assert round(deliveries.rate * deliveries.seconds) == 120
    assert acks.latency_ms is not None
    assert acks.latency_ms.p50 > 0
    assert acks.server is not None
    assert acks.server.memory_bytes is not None
    assert done.results.target.kind == "chatd"
    assert "secret" not in to_json(done.results).decode()


@pytest.mark.parametrize("transport", list(Transport))
async def test_everybody_comes_by_each_transport(chatd: Served, transport: Transport) -> None:
    found = await points("connect", chatd.options(secret=SECRET, transport=transport, loads=(2,)))
    point = found[transport.value]
    assert (point.load, point.failed) == (2, 0)
    assert point.rate > 0


async def test_polling_clients_talk(chatd: Served) -> None:
    options = chatd.options(secret=SECRET, transport=Transport.POLLING, receipts=False)
    assert (await points("messages", options)).keys() == {"ack", "delivery"}


async def test_idle_connections_are_held_and_weighed(chatd: Served) -> None:
    options = chatd.options(secret=SECRET, loads=(3, 6))
    found = await points("idle", options)
    assert found["connect"].rate == found["connect"].load == 6
    assert found["connect"].server is not None
    assert found["connect"].server.bytes_per_connection is not None


async def test_one_sends_to_many_and_many_to_few(chatd: Served) -> None:
    found = await points("fan-out", chatd.options(secret=SECRET))
    assert found.keys() == {f"{kind}, {who}" for kind in ("ack", "delivery") for who in WHO}


WHO = ("1 to 6", "3 to 3")


async def test_an_echo_is_acked(chatd: Served) -> None:
    assert (await points("echo", chatd.options(secret=SECRET))).keys() == {"ack"}


async def test_questions_are_answered_row_by_row(chatd: Served) -> None:
    sql = "SELECT id FROM orders LIMIT 30"
    options = chatd.options(secret=SECRET, loads=(1, 2), sql=sql)
    found = await points("answers", options)
    first, last = found["first row"].latency_ms, found["last row"].latency_ms
    assert first is not None
    assert last is not None
    assert first.p50 <= last.p50


async def test_a_daemon_of_its_own_is_killed_and_everybody_comes_back(tmp_path: Path) -> None:
    options = Options(connections=4, room_size=2, loads=(20.0,), seconds=0.3)
    found = await points("reconnect", options)
    assert found["reconnect"].load == 4
    assert found["delivery, after"].rate > 0


async def test_a_server_that_somebody_else_restarts_is_waited_for() -> None:
    told = io.StringIO()
    with contextlib.ExitStack() as servers:
        first = servers.enter_context(faulty_server())
        _, port = split(first)

        async def restart() -> None:
            await until_told(told, "Restart the server")
            servers.close()
            await trio.to_thread.run_sync(servers.enter_context, faulty_server(str(port)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(restart)
            options = first.options(
                rooms=("r",), event="bcast", join='["join","%r"]', patience_s=COMES_WHOLE_S
            )
            with trio.fail_after(60):
                done = await run("reconnect", options, Progress(told, is_terminal=False))
    assert done.results.is_good, done.reasons
    assert done.results.points[2].what == "reconnect"


async def test_any_socket_io_server_is_measured_by_what_it_is_told(faulty: Served) -> None:
    options = faulty.options(
        rooms=("r",),
        event="bcast",
        payload='{"text":"%m%p"}',
        join='["join","%r"]',
        patience_s=COMES_WHOLE_S,
    )
    done = await ran("messages", options)
    assert done.results.is_good, done.reasons
    assert done.results.target.kind == "socket.io"
    assert round(done.results.points[1].rate * done.results.points[1].seconds) == 20 * 6
    assert (await points("echo", faulty.options(event="msg", payload="1"))).keys() == {"ack"}
    assert (await points("idle", faulty.options(event="msg"))).keys() == {"connect"}


@pytest.mark.parametrize(
    ("event", "wrong"),
    [
        ("lose", {"lost"}),
        ("double", {"twice"}),
        ("swap", {"out_of_order"}),
        ("mute", {"lost"}),
        ("hang_up", {"failed", "lost"}),
    ],
)
async def test_a_server_that_mistreats_messages_is_found_out(
    faulty: Served, event: str, wrong: set[str]
) -> None:
    # One client, so that the next message is one of the same sender.
    options = faulty.options(rooms=("r",), event=event, join='["join","%r"]', connections=1)
    done = await ran("messages", options)
    found = {
        name
        for point in done.results.points
        for name in ("failed", "lost", "twice", "out_of_order")
        if getattr(point, name)
    }
    assert wrong <= found <= wrong | {"lost"}


async def test_more_deliveries_than_were_due_are_found_out(faulty: Served) -> None:
    # Its sender gets it too, though it is not to: that many others could be without it.
    options = faulty.options(
        rooms=("r",), event="bcast", join='["join","%r"]', connections=3, others_only=True
    )
    acks, deliveries = (await ran("messages", options)).results.points
    assert (deliveries.strays, deliveries.lost) == (round(acks.rate * acks.seconds), 0)
    assert not deliveries.is_good


async def test_named_rooms_that_do_not_share_everybody_evenly_have_fewer_senders(
    faulty: Served,
) -> None:
    options = faulty.options(
        rooms=("a", "b", "c"), event="msg", connections=4, room_size=4, payload='"%m"'
    )
    done = await ran("fan-out", options)
    assert [point.what for point in done.results.points][-1] == "delivery, 3 to 1"


def workers() -> list[int]:
    """The processes of the generator."""
    commands = commands_of(*children_of(os.getpid()))
    return [pid for pid, words in commands.items() if "bench.worker" in " ".join(words)]


async def until_told(stream: io.StringIO, words: str) -> None:
    """Return when the progress has said these words."""
    with trio.fail_after(30):
        while words not in stream.getvalue():  # noqa: ASYNC110 - a stream tells nobody
            await trio.sleep(0.02)


async def test_a_slow_generator_says_that_it_is_the_bottleneck(chatd: Served) -> None:
    """It is stopped again and again, so that it is late with what it sends."""

    async def hold_up() -> None:
        while True:
            for pid in workers():
                with where_it_is_there():
                    os.kill(pid, signal.SIGSTOP)
                    await trio.sleep(0.1)
                    os.kill(pid, signal.SIGCONT)
            await trio.sleep(0.1)

    options = chatd.options(secret=SECRET, seconds=1.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold_up)
        done = await ran("echo", options)
        nursery.cancel_scope.cancel()
    (point,) = done.results.points
    assert point.generator is not None
    assert point.generator.is_bottleneck
    assert point.generator.lag_ms > 20
    # What was due meanwhile counts from when it was due.
    assert point.latency_ms is not None
    assert point.latency_ms.p99 > 20


async def test_a_server_behind_tls_is_measured(
    chatd: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    _, port = split(chatd)

    async def forward(stream: trio.SocketStream) -> None:
        secured = trio.SSLStream(stream, context, server_side=True)
        plain = await trio.open_tcp_stream("127.0.0.1", port)
        with trio.CancelScope() as scope:
            async with secured, plain, trio.open_nursery() as nursery:
                nursery.start_soon(_pass_on, secured, plain, scope)
                nursery.start_soon(_pass_on, plain, secured, scope)

    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, forward, [listener])
        url = f"https://127.0.0.1:{listener.socket.getsockname()[1]}"
        found = await points("messages", chatd.options(secret=SECRET, url=url))
        assert found["delivery"].rate > 0
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(SetupError, match="CERTIFICATE_VERIFY_FAILED"):
            await ran("echo", chatd.options(secret=SECRET, url=url, event="x"))
        nursery.cancel_scope.cancel()


async def _pass_on(
    source: trio.abc.ReceiveStream, sink: trio.abc.SendStream, scope: trio.CancelScope
) -> None:
    try:
        while data := await source.receive_some(65_536):
            await sink.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    scope.cancel()


async def test_a_run_that_is_stopped_has_what_it_measured(chatd: Served) -> None:
    told = io.StringIO()

    async def stop() -> None:
        await until_told(told, "100 messages/s")
        os.kill(os.getpid(), signal.SIGINT)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop)
        with trio.fail_after(60):
            done = await run(
                "echo",
                chatd.options(secret=SECRET, loads=(50.0, 100.0, 150.0), seconds=1.0),
                Progress(told, is_terminal=True),
            )
    assert done.was_stopped
    assert [point.load for point in done.results.points] == [50.0]


async def test_a_generator_that_breaks_ends_the_run_with_a_sentence(chatd: Served) -> None:
    told = io.StringIO()
    options = chatd.options(secret=SECRET, seconds=5.0)

    async def kill() -> None:
        await until_told(told, "50 messages/s")
        for pid in workers():
            os.kill(pid, signal.SIGKILL)

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kill)
            with pytest.raises(GeneratorError, match="has ended"):
                await run("echo", options, Progress(told, is_terminal=True))
            nursery.cancel_scope.cancel()


async def test_a_daemon_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "CONFIG", "[nonsense]\n")
    with trio.fail_after(30), pytest.raises(DaemonError, match="nonsense"):
        await ran("idle", Options())


@pytest.mark.parametrize(
    ("scenario", "options", "why"),
    [
        ("messages", Options(url="http://127.0.0.1:1"), "Nothing answers .*Connection refused"),
        ("idle", Options(url="http://127.0.0.1:1"), "Connection refused"),
        ("idle", Options(url="http://no.such.host.invalid"), "is not found"),
    ],
)
async def test_a_run_that_cannot_begin_says_why(scenario: str, options: Options, why: str) -> None:
    with pytest.raises(SetupError, match=why):
        await ran(scenario, options)


@pytest.mark.parametrize(
    ("scenario", "why"),
    [
        ("messages", "no chatd: say by --event"),
        ("echo", "name an event"),
        ("answers", "is no chatd"),
    ],
)
async def test_a_server_that_is_no_chatd_has_to_be_explained(scenario: str, why: str) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        try:
            with pytest.raises(SetupError, match=why):
                await ran(scenario, Options(url=f"http://127.0.0.1:{other.server_port}"))
        finally:
            await trio.to_thread.run_sync(other.shutdown)
            thread.join()


async def test_a_chatd_wants_tokens_and_tells_why_it_refuses_one(chatd: Served) -> None:
    with pytest.raises(SetupError, match="--secret"):
        await ran("idle", chatd.options())
    with pytest.raises(SetupError, match="refused: "):
        await ran("idle", chatd.options(tokens=("bad",)))
