"""The proxies of docs/operations before the daemon, with the very lines of the document.

test_nginx has what people make of nginx's lines; here is what each proxy has to do.
"""

import json
import re
import socket
import ssl
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs
import pytest
import requests
import socketio
import websocket

from tests.peers.proxied import (
    POLLING,
    WEBSOCKET,
    certificate,
    chats,
    polled,
    web,
)
from tests.peers.proxies import Caddy, HAProxy, Nginx, Proxy, documented
from tests.peers.servers import LIMIT_S, Server, daemon, leave, token

__all__ = ["certificate", "web"]  # fixtures

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")

PORT, PASSED_ON, SOCKET = documented("toml")
NGINX, _ = documented("nginx")
CADDY, CADDY_BELOW = documented("caddy")
HAPROXY, HAPROXY_BELOW, HAPROXY_TCP = documented("haproxy")
SOCKET_PATH: Final = "/run/chatd/chatd.sock"
HOST: Final = "chat.example"
ELSEWHERE: Final = "127.0.0.2"  # another address of this machine: the proxy is called from it
MAX_PAYLOAD_BYTES: Final = 1_000_000
HEARTBEAT_S: Final = 45  # interval and timeout of a ping together, by default

Start: TypeAlias = Callable[[str, Path, Path], Proxy]
"""Makes a proxy before this upstream, with a directory of its own, and one of certificates."""


def nginx(upstream: str, directory: Path, certificate: Path) -> Proxy:
    return Nginx(upstream, directory, NGINX.replace("/etc/ssl", str(certificate)))


def caddy(upstream: str, directory: Path, _: Path) -> Proxy:
    return Caddy(upstream, directory, CADDY)


def haproxy(upstream: str, directory: Path, certificate: Path) -> Proxy:
    return HAProxy(upstream, directory, HAPROXY, certificate)


def haproxy_tcp(upstream: str, directory: Path, certificate: Path) -> Proxy:
    return HAProxy(upstream, directory, HAPROXY_TCP, certificate)


def haproxy_tcp_1(upstream: str, directory: Path, certificate: Path) -> Proxy:
    sections = HAPROXY_TCP.replace("send-proxy-v2", "send-proxy")
    assert sections != HAPROXY_TCP
    return HAProxy(upstream, directory, sections, certificate)


WAYS: Final[dict[str, tuple[Start, str]]] = {
    "nginx to the port": (nginx, PORT),
    "nginx to the socket": (nginx, SOCKET),
    "Caddy to the port": (caddy, PORT),
    "Caddy to the socket": (caddy, SOCKET),
    "HAProxy to the port": (haproxy, PORT),
    "HAProxy to the socket": (haproxy, SOCKET),
    "HAProxy passes on TCP": (haproxy_tcp, PASSED_ON),
    "HAProxy passes on TCP, version 1": (haproxy_tcp_1, PASSED_ON),
}


@attrs.define
class Behind:
    """A proxy, and the daemon behind it."""

    proxy: Proxy
    server: Server
    is_drained: bool = False

    @property
    def url(self) -> str:
        return f"{self.proxy.url}/socket.io/"

    @property
    def origin(self) -> str:
        return f"{self.proxy.scheme}://{HOST}:{self.proxy.port}"

    @property
    def host(self) -> str:
        return f"{HOST}:{self.proxy.port}"


@pytest.fixture(scope="module", params=WAYS)
def behind(
    request: pytest.FixtureRequest, certificate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Behind]:
    start, configuration = WAYS[request.param]
    directory = tmp_path_factory.mktemp("behind")
    place = directory / "chatd.sock"
    server = daemon(
        directory, configuration.replace(SOCKET_PATH, str(place)), CHATD_LOG__LEVEL="debug"
    )
    upstream = f"unix:{place}" if configuration == SOCKET else server.url
    both = "".join(
        (certificate / name).read_text() for name in ("chat.example.pem", "chat.example.key")
    )
    (certificate / "chat.example.both.pem").write_text(both)
    proxy_directory = tmp_path_factory.mktemp("proxy")
    proxy = start(upstream, proxy_directory, certificate)
    pair = Behind(proxy, server)
    yield pair
    proxy.stop()
    if not pair.is_drained:
        assert server.stop() == 0


def test_a_user_comes_in_by_polling_by_websocket_and_by_the_upgrade_and_a_stranger_does_not(
    behind: Behind, web: requests.Session
) -> None:
    chats(web, behind.url, behind.host, None)
    chats(web, behind.url, behind.host, behind.origin)
    for stranger in ("https://evil.example", "http://localhost:5173"):
        assert polled(web, behind.url, behind.host, stranger).status_code == 403


def dialled_from(address: str, proxy: Proxy) -> socket.socket:
    """A connection to the proxy from another address of this machine."""
    sock = socket.create_connection(("127.0.0.1", proxy.port), LIMIT_S, (address, 0))
    if proxy.scheme == "http":
        return sock
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock)


@pytest.mark.parametrize(
    "spoofed",
    [
        pytest.param([], id="nothing"),
        pytest.param(
            [*["X-Forwarded-For: 203.0.113.66"] * 2, "Forwarded: for=203.0.113.66"], id="headers"
        ),
    ],
)
def test_the_daemon_sees_the_address_of_the_client_whatever_that_writes(
    behind: Behind, spoofed: list[str]
) -> None:
    marks = f"{POLLING}&mark={uuid.uuid4()}", f"{WEBSOCKET}&mark={uuid.uuid4()}"
    with dialled_from(ELSEWHERE, behind.proxy) as sock:
        lines = [f"GET /socket.io/?{marks[0]} HTTP/1.1", f"Host: {behind.host}", *spoofed]
        sock.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        answer = b"".join(iter(lambda: sock.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    sid = json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1])["sid"]
    [opened] = behind.server.said("session.opened", sid[:8])
    assert opened["address"] == ELSEWHERE
    upgrade = websocket.WebSocket()
    upgrade.connect(
        f"ws://{behind.host}/socket.io/?{marks[1]}",
        socket=dialled_from(ELSEWHERE, behind.proxy),
        header=spoofed,
        suppress_origin=True,
    )
    sid = json.loads(str(upgrade.recv())[1:])["sid"]
    upgrade.close()
    [opened] = behind.server.said("session.opened", sid[:8])
    assert opened["address"] == ELSEWHERE


def test_the_page_is_served_and_what_is_for_operators_is_not(
    behind: Behind, web: requests.Session
) -> None:
    headers = {"Host": behind.host}
    page = web.get(f"{behind.proxy.url}/", headers=headers, timeout=LIMIT_S)
    assert page.status_code == 200
    for link in re.findall(r'(?:src|href)="\./([^"]*)"', page.text):
        found = web.get(f"{behind.proxy.url}/{link}", headers=headers, timeout=LIMIT_S)
        assert found.status_code == 200, link
    for path in ("/metrics", "/readyz", "/livez"):
        found = web.get(behind.proxy.url + path, headers=headers, timeout=LIMIT_S)
        assert found.status_code == 404


def test_the_largest_body_that_the_daemon_takes_comes_through(
    behind: Behind, web: requests.Session
) -> None:
    opened = polled(web, behind.url, behind.host, None)
    query = f"{POLLING}&sid={json.loads(opened.text[1:])['sid']}"
    credentials = "40" + json.dumps({"token": token("ann", "room")})
    assert polled(web, behind.url, behind.host, None, query, credentials).text == "ok"
    while "chat:history" not in polled(web, behind.url, behind.host, None, query).text:
        pass  # a large body waits until its client has taken what came before
    event = '42["unknown","' + "x" * (MAX_PAYLOAD_BYTES - 16) + '"]'
    assert len(event) == MAX_PAYLOAD_BYTES
    assert polled(web, behind.url, behind.host, None, query, event).text == "ok"
    assert polled(web, behind.url, behind.host, None, query, event + " ").status_code == 413


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_a_client_of_a_library_says_something_and_hears_it(
    behind: Behind, web: requests.Session, transport: str
) -> None:
    client, heard = entered(behind, web, transport)
    said = {"messageId": str(uuid.uuid4()), "content": "hello", "connectionId": "room"}
    assert client.call("chat:message", said, timeout=LIMIT_S)["ok"]
    assert heard.wait_for("chat:message")["content"] == "hello"
    leave(client)


def test_a_drain_reaches_clients_through_the_proxy_and_ends(
    behind: Behind, web: requests.Session
) -> None:
    clients = [entered(behind, web, transport) for transport in ("polling", "websocket")]
    behind.is_drained = True
    assert behind.server.stop() == 0
    for client, heard in clients:
        assert heard.wait_for("server:draining")["deadline"] > 0
        assert heard.gone.wait(LIMIT_S)
        leave(client)


class Heard:
    """What a client was told, by event."""

    def __init__(self, client: socketio.Client) -> None:
        self._events: dict[str, Any] = {}
        self._news = threading.Condition()
        self.gone = threading.Event()
        client.on("*", self._take)
        client.on("disconnect", lambda *_: self.gone.set())

    def _take(self, event: str, payload: Any) -> None:
        with self._news:
            self._events[event] = payload
            self._news.notify_all()

    def wait_for(self, event: str) -> Any:
        with self._news:
            assert self._news.wait_for(lambda: event in self._events, LIMIT_S), self._events
            return self._events[event]


def entered(behind: Behind, web: requests.Session, transport: str) -> tuple[socketio.Client, Heard]:
    """A user of python-socketio in a room."""
    client = socketio.Client(http_session=web, ssl_verify=False, reconnection=False)
    heard = Heard(client)
    client.connect(
        behind.proxy.url,
        auth={"token": token("bob", "room")},
        transports=[transport],
        wait_timeout=LIMIT_S,
    )
    heard.wait_for("chat:history")
    return client, heard


@pytest.fixture
def streaming() -> Iterator[tuple[str, threading.Event]]:
    """A server that sends one event of a stream, and the next only when it is told to."""
    go_on = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            while b"\r\n\r\n" not in connection.recv(65_536, socket.MSG_PEEK):
                pass
            connection.recv(65_536)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                b"Cache-Control: no-cache\r\nConnection: close\r\n\r\ndata: one\n\n"
            )
            go_on.wait(LIMIT_S)
            connection.sendall(b"data: two\n\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=[listener], daemon=True)
        server.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", go_on
        go_on.set()
        server.join(LIMIT_S)


@pytest.mark.parametrize("start", [nginx, caddy, haproxy])
def test_what_is_streamed_comes_through_event_by_event(
    start: Start,
    streaming: tuple[str, threading.Event],
    certificate: Path,
    tmp_path: Path,
    web: requests.Session,
) -> None:
    upstream, go_on = streaming
    proxy = start(upstream, tmp_path, certificate)
    try:
        headers = {"Host": f"{HOST}:{proxy.port}"}
        with web.get(proxy.url, headers=headers, stream=True, timeout=LIMIT_S) as answer:
            lines = answer.iter_lines(chunk_size=1)
            assert next(lines) == b"data: one"
            go_on.set()
            assert list(lines) == [b"", b"data: two", b""]
    finally:
        proxy.stop()


BELOW_A_PATH: Final[dict[str, Start]] = {
    "Caddy": lambda upstream, directory, _: Caddy(upstream, directory, CADDY_BELOW),
    "HAProxy": lambda upstream, directory, certificate: HAProxy(
        upstream,
        directory,
        HAPROXY.replace("backend chatd\n", f"backend chatd\n{HAPROXY_BELOW}"),
        certificate,
    ),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A daemon that trusts a proxy of this machine."""
    server = daemon(tmp_path_factory.mktemp("below"), PORT)
    yield server
    assert server.stop() == 0


@pytest.mark.parametrize("kind", BELOW_A_PATH)
def test_below_a_path_too(
    server: Server, kind: str, certificate: Path, tmp_path: Path, web: requests.Session
) -> None:
    proxy = BELOW_A_PATH[kind](server.url, tmp_path, certificate)
    try:
        host = f"{HOST}:{proxy.port}"
        chats(web, f"{proxy.url}/chat/socket.io/", host, f"{proxy.scheme}://{host}")
        page = web.get(f"{proxy.url}/chat/", headers={"Host": host}, timeout=LIMIT_S)
        assert page.status_code == 200
        for link in re.findall(r'(?:src|href)="\./([^"]*)"', page.text):
            found = web.get(f"{proxy.url}/chat/{link}", headers={"Host": host}, timeout=LIMIT_S)
            assert found.status_code == 200, link
    finally:
        proxy.stop()


def test_the_timeouts_of_the_document_are_longer_than_a_heartbeat_takes() -> None:
    waits = re.findall(
        r"(?:proxy_read_timeout|timeout (?:client|server|tunnel)) (\d+)s",
        (NGINX + HAPROXY + HAPROXY_TCP),
    )
    assert len(waits) == 6
    assert all(int(wait) > HEARTBEAT_S for wait in waits)
