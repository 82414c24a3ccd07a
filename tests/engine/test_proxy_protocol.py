"""A listener whose connections come from a proxy that passes on TCP and says whose they are."""

from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from chatd.net.addresses import UNNAMED, as_network
from chatd.net.http.cors import CorsPolicy
from chatd.net.proxy_protocol import LOCAL_HEADER, SIGNATURE
from chatd.observe import HandshakeRefused, LimitHit, SessionOpened
from tests.engine.listeners import Door, open_door, opening
from tests.engine.polls import HttpPeer, request, until
from tests.net.peers import Peer, read_head, read_to_end, upgrade_request
from tests.net.test_proxy_protocol import TLVS, UNIX, block, inet, inet6
from tests.rows import rows

PROXY = (as_network("127.0.0.1"),)
EVERYWHERE = CorsPolicy((), is_loopback=False, trusted_proxies=PROXY)
ANN = b"PROXY TCP4 203.0.113.9 192.0.2.1 50123 443\r\n"
BOB = block(0x21, inet6("2001:db8::1"), tlvs=TLVS)
NOBODY = block(0x00, b"")


def open_behind(**bounds: Any) -> AbstractAsyncContextManager[Door]:
    return open_door(proxy_protocol=PROXY, origins=EVERYWHERE, **bounds)


async def dial(door: Door, header: bytes) -> HttpPeer:
    stream = await door.dial()
    await stream.send_all(header)
    return HttpPeer(stream)


def addresses(door: Door) -> list[str]:
    return [event.address for event in door.recorder.of(SessionOpened)]


@rows(
    ("header", "headers", "address"),
    [
        (ANN, [], "203.0.113.9"),
        (BOB, [], "2001:db8::1"),
        (block(0x11, inet("203.0.113.9")), [], "203.0.113.9"),
        (block(0x31, UNIX), [], "local"),
        (NOBODY, [], UNNAMED),
        (b"PROXY UNKNOWN\r\n", [], UNNAMED),
        (LOCAL_HEADER, [], "127.0.0.1"),
        # What a client writes itself, nobody believes; what a proxy behind the proxy writes, is.
        (ANN, ["X-Forwarded-For: 6.6.6.6"], "203.0.113.9"),
        (NOBODY, ["X-Forwarded-For: 6.6.6.6"], UNNAMED),
        (block(0x11, inet("127.0.0.1")), ["X-Forwarded-For: 198.51.100.7"], "198.51.100.7"),
        (LOCAL_HEADER, ["X-Forwarded-For: 198.51.100.7"], "198.51.100.7"),
    ],
)
async def test_sessions_are_those_of_the_client_that_the_proxy_names(
    header: bytes, headers: list[str], address: str
) -> None:
    async with open_behind() as door:
        polling = await dial(door, header + request(headers=headers))
        assert (await polling.answer()).status == 200
        stream = await door.dial()
        await stream.send_all(header)
        await stream.send_all(upgrade_request(headers=headers))
        await opening(Peer(stream, *await read_head(stream)))
        assert addresses(door) == [address, address]


async def test_a_header_may_come_in_crumbs_and_the_connection_is_kept() -> None:
    async with open_behind() as door:
        peer = await dial(door, b"")
        for byte in BOB:
            await peer.stream.send_all(bytes([byte]))
            await trio.lowlevel.checkpoint()
        for _ in range(3):
            assert (await peer.ask()).status == 200
        assert addresses(door) == ["2001:db8::1"] * 3


async def test_whichever_name_the_client_called_it_is_judged_by_that() -> None:
    async with open_behind() as door:
        for host, origin, status in (
            ("chat.example", "https://chat.example", 200),
            ("chat.example", "https://evil.example", 403),
            ("chat.example", "http://localhost:5173", 403),
        ):
            peer = await dial(door, ANN)
            answer = await peer.ask(host=host, headers=[f"Origin: {origin}"])
            assert answer.status == status


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(request(), id="a request"),
        pytest.param(upgrade_request(), id="a handshake"),
        pytest.param(b"\x16\x03\x01\x02\x00", id="TLS"),
        pytest.param(SIGNATURE + b"\x21\x11\xff\xff", id="an endless block"),
        pytest.param(b"PROXY " + b"x" * 200, id="an endless line"),
        pytest.param(ANN[:20], id="half a header"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_a_connection_without_its_header_is_closed_and_gets_no_answer(sent: bytes) -> None:
    async with open_behind() as door:
        peer = await dial(door, sent)
        await peer.stream.send_eof()
        assert await read_to_end(peer.stream) == b""
        await until(lambda: door.recorder.of(HandshakeRefused))
        [refused] = door.recorder.of(HandshakeRefused)
        assert (refused.address, refused.reason) == ("127.0.0.1", "proxy_protocol")


async def test_a_header_that_takes_too_long_is_not_waited_for(mock_clock: MockClock) -> None:
    async with open_behind(head_timeout_s=10.0) as door:
        peer = await dial(door, ANN[:20])
        await until(lambda: door.admission.connections == 1)
        for _ in range(100):
            await trio.lowlevel.checkpoint()
        mock_clock.jump(10.0)
        assert await read_to_end(peer.stream) == b""


async def test_whoever_is_no_trusted_proxy_is_closed_whatever_it_sends() -> None:
    elsewhere = (as_network("192.0.2.0/24"), as_network("unix:"))
    async with open_door(proxy_protocol=elsewhere, origins=EVERYWHERE) as door:
        for sent in (ANN + request(), BOB + request(), LOCAL_HEADER, request()):
            assert await read_to_end((await dial(door, sent)).stream) == b""
        assert addresses(door) == []
        reasons = {event.reason for event in door.recorder.of(HandshakeRefused)}
        assert reasons == {"proxy_untrusted"}


async def test_connections_count_as_their_clients_and_one_of_them_shuts_out_no_other() -> None:
    async with open_behind(connections_per_address=2, sessions_per_address=2) as door:
        flood = [await dial(door, ANN) for _ in range(6)]
        await until(lambda: len(door.recorder.of(LimitHit)) == 4)
        assert {hit.address for hit in door.recorder.of(LimitHit)} == {"203.0.113.9"}
        for peer in flood[:4]:
            assert b" 503 " in await read_to_end(peer.stream)
        other = await dial(door, BOB)
        assert (await other.ask()).status == 200
        assert door.admission.connections == 3


async def test_users_of_an_address_that_is_full_hear_when_to_come_back() -> None:
    async with open_behind(connections_per_address=1, sessions_per_address=1) as door:
        stream = await door.dial()
        await stream.send_all(ANN + upgrade_request())
        await opening(Peer(stream, *await read_head(stream)))
        door.identify()
        late = await dial(door, ANN + request())
        answer = await late.answer()
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        [refused] = door.recorder.of(HandshakeRefused)
        assert (refused.address, refused.reason) == ("203.0.113.9", "connections_per_address")
        assert (await (await dial(door, BOB)).ask()).status == 200


async def test_a_connection_whose_header_comes_during_the_drain_is_closed() -> None:
    async with open_behind() as door:
        peer = await dial(door, ANN[:20])
        await until(lambda: door.admission.connections == 1)
        door.door.stop_accepting()
        await peer.stream.send_all(ANN[20:] + request())
        assert await read_to_end(peer.stream) == b""
        assert addresses(door) == []
