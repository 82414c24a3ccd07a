"""Pure rules at the door: origins, hosts, addresses, counts, heads of requests."""

import ipaddress

import pytest

from chatd.server.admission import Admission, Overload, client_address
from chatd.server.origin import OriginRules

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
        ("https://app.example:443", "chat.example", True, True),
        ("https://APP.example", "chat.example", True, True),
        ("http://app.example", "chat.example", False, False),
        ("https://app.example.", "chat.example", False, False),
        ("https://app.example/", "chat.example", False, False),
        ("http://evil.example\\@localhost", "localhost", False, False),
        ("http://evil.example@localhost", "localhost", False, False),
        ("http://localhost\\@evil.example", "localhost", False, False),
        ("http://localhost:abc", "localhost", False, False),
        ("http://localhost:", "localhost", False, False),
        ("http://localhost/", "localhost", False, False),
        ("http://localhost.", "localhost", False, False),
        ("http://localhost evil", "localhost", False, False),
        ("http://localhost, http://evil.example", "localhost", False, False),
        ("http://localhost, http://localhost", "localhost", False, False),
        ("http://LOCALHOST", "chat.example", True, False),
        ("http://chat.example:80", "chat.example", True, True),
        ("https://chat.example", "chat.example:443", True, True),
        ("https://chat.example", "chat.example:80", False, False),
        ("http://chat.example:81", "chat.example", False, False),
        ("http://evil.example@chat.example", "evil.example@chat.example", False, False),
        ("http://a:abc", "a:abc", False, False),
        ("ftp://chat.example", "chat.example", False, False),
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
        ("LOCALHOST", True),
        ("[::1]", True),
        ("chat.example:443", True),
        ("chat.example:8765", False),
        ("localhost.", False),
        ("127.0.0.1.", False),
        ("127.0.0.2", False),
        ("127.1", False),
        ("0x7f.0.0.1", False),
        ("[::]", False),
        ("[0:0:0:0:0:0:0:1]", False),
        ("evil.example@127.0.0.1", False),
        ("evil.example:80@localhost", False),
        ("127.0.0.1:abc", False),
        ("127.0.0.1:", False),
        ("127.0.0.1:99999", False),
        ("127.0.0.1/", False),
        ("localhost\\@evil.example", False),
        ("localhost, evil.example", False),
    ],
)
def test_on_loopback_the_host_is_checked_too(host: str | None, allowed: bool) -> None:
    origins = ("https://chat.example",)
    assert OriginRules(origins, is_loopback=True).allows_host(host) is allowed
    assert OriginRules(origins, is_loopback=False).allows_host(host) is True


def admission(**bounds: float) -> Admission:
    usual: dict[str, float]
    usual = {"handshakes_per_second": 100, "sessions_per_address": 2, "max_connections": 2}
    usual |= {"pending_sessions_per_address": 100, "connections_per_address": 100}
    usual |= bounds
    return Admission(**usual, now_s=0.0, trusted_proxies=TRUSTED)  # type: ignore[arg-type]


def test_connections_are_counted() -> None:
    door = admission()
    assert [door.open_connection("a") for _ in range(2)] == [None, None]
    assert door.open_connection("b") == Overload("max_connections", 1)
    door.close_connection("a")
    assert door.open_connection("b") is None
    assert door.connections == 2


def test_connections_are_counted_by_address() -> None:
    door = admission(max_connections=100, connections_per_address=3)
    assert [door.open_connection("198.51.100.7") for _ in range(3)] == [None] * 3
    for _ in range(2):
        refusal = Overload("connections_per_address", 5)
        assert door.open_connection("198.51.100.7") == refusal
    assert door.open_connection("198.51.100.8") is None
    door.close_connection("198.51.100.7")
    assert door.open_connection("198.51.100.7") is None
    for address in (*["198.51.100.7"] * 3, "198.51.100.8"):
        door.close_connection(address)
    assert door._connected == {}
    assert door.connections == 0


@pytest.mark.parametrize("proxy", ["10.1.2.3", "::1"])
def test_a_trusted_proxy_has_the_connections_of_all_whom_it_serves(proxy: str) -> None:
    door = admission(max_connections=10, connections_per_address=3)
    assert [door.open_connection(proxy) for _ in range(10)] == [None] * 10
    assert door.open_connection(proxy) == Overload("max_connections", 1)


def test_an_address_has_connections_for_all_of_its_sessions() -> None:
    door = admission(max_connections=100, connections_per_address=1, sessions_per_address=5)
    assert [door.open_connection("a") for _ in range(5)] == [None] * 5
    assert door.open_connection("a") is not None


async def test_emptied_returns_when_the_last_connection_is_gone() -> None:
    door = admission()
    await door.emptied()
    door.open_connection("a")
    door.close_connection("a")
    await door.emptied()


def test_sessions_are_counted_by_address() -> None:
    door = admission()
    assert [door.open_session("a", 0) for _ in range(2)] == [None, None]
    assert door.open_session("a", 0) == Overload("sessions_per_address", 5)
    assert door.open_session("b", 0) is None
    door.close_session("a", is_identified=False)
    assert door.open_session("a", 0) is None
    for address in ("a", "a", "b"):
        door.close_session(address, is_identified=False)
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


def test_sessions_that_are_nobodys_yet_have_a_lower_ceiling() -> None:
    door = admission(sessions_per_address=10, pending_sessions_per_address=1)
    assert door.open_session("a", 0) is None
    assert door.open_session("a", 0) == Overload("pending_sessions_per_address", 5)
    door.identify_session("a")
    assert door.open_session("a", 0) is None
    door.close_session("a", is_identified=True)
    assert door.open_session("a", 0) is not None
    door.close_session("a", is_identified=False)
    assert door.open_session("a", 0) is None
