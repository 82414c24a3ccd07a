"""The port, on every address that a host stands for; and what is said where that cannot be."""

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from chatd.app import opening
from chatd.app.errors import StartFailedError
from chatd.app.listen import CannotListenError, open_listeners
from chatd.app.secret import check_reach, check_secret
from chatd.config import AuthConfig, Config, ServerConfig, StateConfig
from chatd.observe import Recorder
from chatd.observe.clock import Clock

OWN = "a secret for the tests, of more than 32 bytes"
FOUND = {
    "both": [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ],
    "nowhere": [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0)),
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 0, 0, 0)),
    ],
    "public": [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("0.0.0.0", 0))],
}


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def names(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Every host stands for what is found under this name."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: FOUND[name])


def without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that has no IPv6, as with `ipv6.disable=1`."""
    real = socket.socket

    def make(family: int = socket.AF_INET, *args: Any, **kwargs: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return real(family, *args, **kwargs)

    monkeypatch.setattr(socket, "socket", make)


def listen(opened: ExitStack, host: str) -> Sequence[socket.socket]:
    return [opened.enter_context(one) for one in open_listeners(host, 0, 5)]


@pytest.mark.parametrize("host", ["::", "::0", "[::]"])
def test_all_addresses_are_those_of_both_families(opened: ExitStack, host: str) -> None:
    [listener] = listen(opened, host)
    # As it is asked for and not left to the system, net.ipv6.bindv6only makes no difference.
    assert listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 0
    port = listener.getsockname()[1]
    for address in ("127.0.0.1", "::1"):
        opened.enter_context(socket.create_connection((address, port), 5))


def test_a_star_is_all_addresses_too(opened: ExitStack) -> None:
    listeners = listen(opened, "*")
    port = listeners[0].getsockname()[1]
    for address in ("127.0.0.1", "::1"):
        opened.enter_context(socket.create_connection((address, port), 5))


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_one_address_is_of_its_family_alone(opened: ExitStack, host: str) -> None:
    [listener] = listen(opened, host)
    assert listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
    assert listener.getsockname()[0] == "::1"


def test_an_ipv4_address_inside_of_ipv6_is_listened_on_as_such(opened: ExitStack) -> None:
    [listener] = listen(opened, "::ffff:127.0.0.1")
    assert (listener.family, listener.getsockname()[0]) == (socket.AF_INET, "127.0.0.1")


def test_a_name_of_two_families_is_listened_on_at_both(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, "both")
    listeners = listen(opened, "localhost")
    assert [listener.getsockname()[0] for listener in listeners] == ["::1", "127.0.0.1"]
    assert len({listener.getsockname()[1] for listener in listeners}) == 1


def test_a_name_is_listened_on_where_this_machine_has_it(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, "both")
    without_ipv6(monkeypatch)
    [listener] = listen(opened, "localhost")
    assert listener.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "instead"), [("::", "0.0.0.0"), ("[::0]", "0.0.0.0"), ("::1", "127.0.0.1")]
)
def test_a_system_without_ipv6_says_so(
    monkeypatch: pytest.MonkeyPatch, host: str, instead: str
) -> None:
    without_ipv6(monkeypatch)
    with pytest.raises(CannotListenError) as caught:
        open_listeners(host, 0, 5)
    assert str(caught.value) == (
        f"{host} needs IPv6, which this system does not have; set server.host to {instead}."
    )


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("127.0.0.1:80", "set server.host."),
        ("é" * 300, "set server.host."),
    ],
)
def test_what_is_no_host_is_named(host: str, words: str) -> None:
    with pytest.raises(CannotListenError) as caught:
        open_listeners(host, 0, 5)
    assert host in str(caught.value)
    assert str(caught.value).endswith(words)


def test_a_name_that_is_nowhere_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, "nowhere")
    with pytest.raises(CannotListenError, match=r"chat\.example is not an address of this machine"):
        open_listeners("chat.example", 0, 5)


def test_a_local_name_that_stands_for_a_public_address_needs_a_secret(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, "public")
    listeners = listen(opened, "localhost")
    secret = "a secret for the tests, of more than 32 bytes"
    check_reach(
        Config(server=ServerConfig(host="localhost"), auth=AuthConfig(jwt_secret=secret)), listeners
    )
    with pytest.raises(StartFailedError, match=r"On localhost \(0\.0\.0\.0\) chatd is open to"):
        check_reach(Config(server=ServerConfig(host="localhost")), listeners)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "0", "box.example", "192.0.2.1"])
@pytest.mark.parametrize(
    "known",
    [
        "",
        "super-secret-jwt-token-with-at-least-32-characters-long",
        "changeme" * 5,
        "x" * 64,
    ],
)
def test_beyond_this_machine_a_secret_that_everybody_knows_is_none(host: str, known: str) -> None:
    server = ServerConfig(host=host)
    with pytest.raises(StartFailedError, match=r" chatd is open to others") as caught:
        check_secret(Config(server=server, auth=AuthConfig(jwt_secret=known)))
    assert caught.value.exit_code == 78
    assert not known or known not in str(caught.value)
    check_secret(Config(server=server, auth=AuthConfig(jwt_secret=OWN)))
    check_secret(Config(auth=AuthConfig(jwt_secret=known)))


def test_a_listener_that_was_handed_over_is_judged_by_its_own_address(opened: ExitStack) -> None:
    """A service manager may have opened another one than `server.host` says."""
    for known in ("", "changeme" * 5):
        config = Config(auth=AuthConfig(jwt_secret=known))
        for host in ("0.0.0.0", "::"):
            listeners = listen(opened, host)
            with pytest.raises(StartFailedError, match=r" chatd is open to others"):
                check_reach(config, listeners)
        check_reach(Config(auth=AuthConfig(jwt_secret=OWN)), listen(opened, "0.0.0.0"))


def test_on_loopback_no_secret_is_needed(opened: ExitStack) -> None:
    for host in ("127.0.0.1", "127.0.0.5", "::1", "localhost"):
        check_reach(Config(server=ServerConfig(host=host)), listen(opened, host))


def test_what_was_opened_is_closed_where_it_may_not_be_open_to_others(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names(monkeypatch, "public")
    listeners = listen(opened, "localhost")
    monkeypatch.setattr(opening, "open_public", lambda *_, **__: (listeners, None))
    config = Config(server=ServerConfig(host="localhost"), state=StateConfig(dir=str(tmp_path)))
    with pytest.raises(StartFailedError, match="is open to others"):
        opening.open_all(config, {}, Recorder(), Clock())
    assert [listener.fileno() for listener in listeners] == [-1]
