"""Pure rules at the door: origins, hosts, addresses, counts, heads of requests."""

import ipaddress

import pytest

from chatd.server.admission import Admission, Overload, client_address
from chatd.server.origin import OriginRules
from chatd.server.request import BadRequestError, HeadReader

TRUSTED = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128"))


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("::1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9 , 10.2.3.4", "203.0.113.9"),
        ("10.0.0.1", "10.9.9.9, 10.2.3.4", "10.9.9.9"),
        ("10.0.0.1", "1.1.1.1, garbage", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, garbage, 10.2.3.4", "10.2.3.4"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("local", "203.0.113.9", "local"),
        ("10.0.0.1", "203.0.113.9" + ", 10.0.0.2" * 100, "10.0.0.2"),
    ],
)
def test_the_client_is_whom_the_last_trusted_proxy_names(
    peer: str, forwarded_for: str | None, address: str
) -> None:
    assert client_address(peer, forwarded_for, TRUSTED) == address


def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert client_address("127.0.0.1", "203.0.113.9", ()) == "127.0.0.1"


@pytest.mark.parametrize(
    ("origin", "host", "on_loopback", "elsewhere"),
    [
        (None, "chat.example", True, True),
        ("https://app.example", "chat.example", True, True),
        ("http://chat.example:8765", "chat.example:8765", True, True),
        ("https://CHAT.example", "chat.EXAMPLE", True, True),
        ("http://localhost:5173", "chat.example", True, False),
        ("http://127.0.0.1", "chat.example", True, False),
        ("http://[::1]:3000", "chat.example", True, False),
        ("http://localhost.evil.example", "chat.example", False, False),
        ("http://localhost@evil.example", "chat.example", False, False),
        ("https://evil.example", "chat.example", False, False),
        ("https://evil.example", None, False, False),
        ("null", "chat.example", False, False),
        ("", "chat.example", False, False),
        ("file://localhost", "chat.example", False, False),
        ("http://[", "chat.example", False, False),
        ("http://", "", False, False),
    ],
)
def test_which_pages_may_talk_to_us(
    origin: str | None, host: str | None, on_loopback: bool, elsewhere: bool
) -> None:
    allowed = ("https://app.example",)
    assert OriginRules(allowed, is_loopback=True).allows_origin(origin, host) is on_loopback
    assert OriginRules(allowed, is_loopback=False).allows_origin(origin, host) is elsewhere


def test_a_star_lets_every_page_in() -> None:
    rules = OriginRules(("*",), is_loopback=False)
    assert rules.allows_origin("https://anybody.example", "chat.example")
    assert rules.allows_origin("null", "chat.example")


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        (None, True),
        ("localhost:8765", True),
        ("127.0.0.1", True),
        ("[::1]:8765", True),
        ("chat.example", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("", False),
        ("[", False),
    ],
)
def test_on_loopback_the_host_is_checked_too(host: str | None, allowed: bool) -> None:
    origins = ("https://chat.example",)
    assert OriginRules(origins, is_loopback=True).allows_host(host) is allowed
    assert OriginRules(origins, is_loopback=False).allows_host(host) is True


def admission(**bounds: float) -> Admission:
    usual = {"handshakes_per_second": 100, "sessions_per_address": 2, "max_connections": 2}
    return Admission(**{**usual, **bounds}, now_s=0.0)  # type: ignore[arg-type]


def test_connections_are_counted() -> None:
    door = admission()
    assert [door.open_connection() for _ in range(3)] == [True, True, False]
    door.close_connection()
    assert door.open_connection()
    assert door.connections == 2


async def test_emptied_returns_when_the_last_connection_is_gone() -> None:
    door = admission()
    await door.emptied()
    door.open_connection()
    door.close_connection()
    await door.emptied()


def test_sessions_are_counted_by_address() -> None:
    door = admission()
    assert [door.open_session("a", 0) for _ in range(2)] == [None, None]
    assert door.open_session("a", 0) == Overload("sessions_per_address", 5)
    assert door.open_session("b", 0) is None
    door.close_session("a")
    assert door.open_session("a", 0) is None
    for address in ("a", "a", "b"):
        door.close_session(address)
    assert door._by_address == {}


def test_handshakes_come_back_with_time_and_a_refusal_costs_none() -> None:
    door = admission(handshakes_per_second=2, sessions_per_address=100)
    assert [door.open_session("a", 0) for _ in range(2)] == [None, None]
    assert door.open_session("a", 0) == Overload("handshakes_per_second", 1)
    assert door.open_session("a", 0.4) == Overload("handshakes_per_second", 1)
    assert door.open_session("a", 0.5) is None
    assert door._by_address == {"a": 3}


def test_while_draining_nobody_comes_in() -> None:
    door = admission()
    door.is_draining = True
    overload = door.open_session("a", 0)
    assert overload is not None
    assert overload.limit == "draining"


HEAD = (
    b"GET /socket.io/?EIO=4&a=b#part HTTP/1.1\r\nHost: here\r\nX-Many: 1\r\nx-many: 2\r\n"
    b"Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\r\n"
)


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_head_is_read_however_it_is_cut(piece: int) -> None:
    reader = HeadReader(1000)
    sent = HEAD + b"\x81\x00"
    head = None
    for at in range(0, len(sent), piece):
        head = reader.feed(sent[at : at + piece])
        if head is not None:
            break
    assert head is not None
    assert (head.method, head.path, head.query) == ("GET", b"/socket.io/", b"EIO=4&a=b")
    assert head.headers[b"x-many"] == b"1, 2"
    assert head.header(b"host") == "here"
    assert head.header(b"cookie") is None
    assert head.is_websocket
    assert reader.received.startswith(HEAD)
    assert reader.received == HEAD + head.rest
    assert (b"\x81\x00").startswith(head.rest)
    if piece == 1000:
        assert head.rest == b"\x81\x00"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\0\1\2\3\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 200, 431),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 200 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_no_head_is_refused_with_a_status(sent: bytes, status: int) -> None:
    with pytest.raises(BadRequestError) as caught:
        HeadReader(100).feed(sent)
    assert caught.value.status == status


def test_what_is_behind_the_head_does_not_count() -> None:
    sent = b"POST / HTTP/1.1\r\nContent-Length: 500\r\n\r\n" + bytes(500)
    head = HeadReader(100).feed(sent)
    assert head is not None
    assert not head.is_websocket
