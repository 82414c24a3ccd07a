"""Pure rules at the door: origins and hosts."""

import attrs
import pytest

from chatd.net.http.arrival import Arrival
from chatd.net.http.cors import CorsPolicy
from chatd.observe.shown import SHOWN_CHARS_MAX
from tests.rows import rows

HERE, PROXY = "127.0.0.1", "10.0.0.1"


def directly(host: str | None) -> Arrival:
    return Arrival(HERE, host)


def through(host: str | None, scheme: str | None = None) -> Arrival:
    """By way of a proxy that is trusted."""
    return Arrival("192.0.2.1", host, scheme, is_trusted=True, is_forwarded=True)


def portless(host: str) -> Arrival:
    """By way of a proxy that is trusted, and may have left out a port."""
    return attrs.evolve(through(host), may_lack_port=True)


def through_some(host: str | None) -> Arrival:
    """By way of a proxy that is not."""
    return Arrival(PROXY, host, is_forwarded=True)


@rows(
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
        ("wss://chat.example", "chat.example", True, True),
        ("wss://chat.example:443", "chat.example", True, True),
        ("ws://chat.example", "chat.example:80", True, True),
        ("wss://app.example", "chat.example", True, True),
        ("ws://app.example", "chat.example", False, False),
        ("ws://localhost:5173", "chat.example", True, False),
    ],
)
def test_which_pages_may_talk_to_us(
    origin: str | None, host: str | None, on_loopback: bool, elsewhere: bool
) -> None:
    allowed = ("https://app.example",)
    near, far = CorsPolicy(allowed, is_loopback=True), CorsPolicy(allowed, is_loopback=False)
    assert near.allows_origin(origin, directly(host)) is on_loopback
    assert far.allows_origin(origin, directly(host)) is elsewhere
    # Through a proxy, known or not, pages of this machine have no right of their own.
    assert near.allows_origin(origin, through(host)) is elsewhere
    assert near.allows_origin(origin, through_some(host)) is elsewhere


def test_a_star_lets_every_page_in() -> None:
    rules = CorsPolicy(("*",), is_loopback=False)
    assert rules.allows_origin("https://anybody.example", directly("chat.example"))
    assert rules.allows_origin("null", directly("chat.example"))


@rows(
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
        ("chat.example:80", True),
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
    near, far = CorsPolicy(origins, is_loopback=True), CorsPolicy(origins, is_loopback=False)
    assert near.allows_host(directly(host)) is allowed
    assert near.allows_host(through_some(host)) is allowed
    assert far.allows_host(directly(host)) is True


@rows("origin", ["https://chat.example:8443", "wss://chat.example:8443"])
@rows("host", ["chat.example:8443", "chat.example", "chat.example:443", "chat.example:80"])
def test_a_proxy_may_leave_out_the_port_of_an_origin_that_is_listed(origin: str, host: str) -> None:
    policy = CorsPolicy((origin,), is_loopback=True)
    for arrival in (directly(host), through_some(host), through(host)):
        assert policy.forbids(origin, arrival) is None
    assert policy.forbids(origin, directly("chat.example:9999")) is not None


@rows(
    ("host", "allowed"),
    [
        ("chat.example", True),
        ("anything:8443", True),
        ("localhost:8080", True),
        ("[2001:db8::1]:1", True),
        (None, True),
        ("evil.example@localhost", False),
        ("chat.example:99999", False),
        ("<script>", False),
    ],
)
def test_a_trusted_proxy_may_be_called_by_any_name_that_is_one(
    host: str | None, allowed: bool
) -> None:
    for is_loopback in (True, False):
        assert CorsPolicy((), is_loopback).allows_host(through(host)) is allowed


@rows(
    ("origin", "arrival", "allowed"),
    [
        ("https://chat.example", through("chat.example", "https"), True),
        ("https://chat.example", through("chat.example", "http"), True),  # TLS ends further out
        ("http://chat.example", through("chat.example", "https"), False),
        ("http://chat.example", through("chat.example", "http"), True),
        ("http://chat.example", through("chat.example"), True),
        ("https://chat.example:8443", through("chat.example:8443"), True),
        ("https://chat.example", through("chat.example:8443"), False),
        ("https://chat.example:8443", through("chat.example"), False),
        ("http://localhost:5173", through("localhost:5173"), True),  # the proxy's own page
        ("http://localhost:5173", through("localhost:8080"), False),
        ("http://127.0.0.1:8765", through("chat.example"), False),
        ("http://127.0.0.1:8765", through_some("127.0.0.1"), False),
        ("http://127.0.0.1:8765", directly("localhost"), True),
        ("http://127.0.0.5:8765", directly("localhost"), False),
        ("http://chat.example:8080", portless("chat.example"), True),
        ("https://chat.example:8443", portless("chat.example"), True),
        ("https://evil.example:8443", portless("chat.example"), False),
        ("http://localhost:5173", portless("localhost"), False),
        ("http://localhost", portless("localhost"), True),
        ("http://127.0.0.1:5173", portless("127.0.0.1"), False),
        (None, through("chat.example"), True),
    ],
)
def test_through_a_trusted_proxy_a_page_is_judged_by_the_host_that_it_called(
    origin: str | None, arrival: Arrival, allowed: bool
) -> None:
    policy = CorsPolicy((), is_loopback=True, here="http://127.0.0.1:8765")
    assert (policy.forbids(origin, arrival) is None) is allowed


def test_the_address_on_which_it_listens_is_a_name_of_the_server() -> None:
    policy = CorsPolicy((), is_loopback=True, here="http://127.0.0.5:8765")
    assert policy.forbids("http://127.0.0.5:8765", directly("127.0.0.5:8765")) is None
    assert policy.forbids(None, directly("127.0.0.6:8765")) is not None


@pytest.mark.parametrize(
    ("origin", "arrival", "key", "named"),
    [
        (None, directly("chat.example"), "server.origins", ["chat.example", "trusted_proxies"]),
        (None, through_some("chat.example"), "server.trusted_proxies", ["chat.example", "origins"]),
        (None, through("a@b"), "server.trusted_proxies", ["a@b", "X-Forwarded-Host"]),
        ("https://b.example", directly("localhost"), "server.origins", ["b.example", "localhost"]),
        ("https://b.example", through_some("localhost"), "server.origins", ["trusted_proxies"]),
        ("null", through("chat.example"), "server.origins", ["null", "chat.example"]),
    ],
)
def test_who_is_forbidden_hears_by_which_name_and_which_key_decides(
    origin: str | None, arrival: Arrival, key: str, named: list[str]
) -> None:
    forbidden = CorsPolicy((), is_loopback=True).forbids(origin, arrival)
    assert forbidden is not None
    assert forbidden.key == key
    for name in (key, *named):
        assert name in forbidden.sentence


def test_what_a_stranger_wrote_is_shown_short_and_plain() -> None:
    origin = '<script>\n"\x1b[31m' + "é" * 5_000
    forbidden = CorsPolicy((), is_loopback=True).forbids(origin, through("x" * 5_000))
    assert forbidden is not None
    said = f"{forbidden.host}{forbidden.origin}{forbidden.sentence}"
    assert len(said) < 6 * SHOWN_CHARS_MAX
    assert not set("<>\n\x1bé") & set(said)
