"""Hosts to listen on, however they are written: the rules of the address that they stand for."""

import pytest

from chatd.app.hosts import authority, is_loopback, plain_host


@pytest.mark.parametrize(
    ("host", "plain", "here", "reached_at"),
    [
        ("127.0.0.1", "127.0.0.1", True, "127.0.0.1"),
        ("127.0.0.5", "127.0.0.5", True, "127.0.0.5"),
        ("127.1", "127.0.0.1", True, "127.0.0.1"),
        ("::1", "::1", True, "[::1]"),
        ("[::1]", "::1", True, "[::1]"),
        ("0:0:0:0:0:0:0:1", "::1", True, "[::1]"),
        ("::ffff:127.0.0.1", "127.0.0.1", True, "127.0.0.1"),
        ("[::FFFF:127.0.0.1]", "127.0.0.1", True, "127.0.0.1"),
        ("localhost", "localhost", True, "localhost"),
        ("LocalHost.", "localhost", True, "localhost"),
        ("0.0.0.0", "0.0.0.0", False, "127.0.0.1"),
        ("0", "0.0.0.0", False, "127.0.0.1"),
        ("::ffff:0.0.0.0", "0.0.0.0", False, "127.0.0.1"),
        ("::", "::", False, "127.0.0.1"),
        ("::0", "::", False, "127.0.0.1"),
        ("[::]", "::", False, "127.0.0.1"),
        ("0:0::0", "::", False, "127.0.0.1"),
        ("2001:DB8::0001", "2001:db8::1", False, "[2001:db8::1]"),
        ("fe80::1%eth0", "fe80::1%eth0", False, "[fe80::1%25eth0]"),
        ("198.51.100.7", "198.51.100.7", False, "198.51.100.7"),
        ("Chat.Example", "chat.example", False, "chat.example"),
        ("localhost.evil.example", "localhost.evil.example", False, "localhost.evil.example"),
        ("127.0.0.1 evil.example", "127.0.0.1 evil.example", False, None),
        ("127.0.0.1:80", "127.0.0.1:80", False, None),
        ("*", "*", False, "127.0.0.1"),
        ("é" * 300, "é" * 300, False, None),
    ],
)
def test_a_host_is_judged_by_the_address_that_it_stands_for(
    host: str, plain: str, here: bool, reached_at: str | None
) -> None:
    assert plain_host(host) == plain
    assert is_loopback(host) is here
    if reached_at is not None:
        assert authority(host, 8765) == f"{reached_at}:8765"
