"""The proxy of docs/operations: nginx with its very lines, and what people make of them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import pytest
import requests
import websocket
from playwright.sync_api import expect

from tests.page.browser.conftest import chromium, house
from tests.page.browser.people import House
from tests.peers.drivers import Driver
from tests.peers.proxied import WEBSOCKET, certificate, chats, dialled, polled, web
from tests.peers.proxies import Nginx, documented
from tests.peers.servers import LIMIT_S, Server, daemon, token

TRUSTING: Final = documented("toml")[0]
BLOCK, BELOW = documented("nginx")
"""Of the document: the configuration, the server, and the two lines that put it below a path."""

__all__ = ["certificate", "chromium", "house", "web"]  # fixtures

Edit: TypeAlias = Callable[[str], str]


def without(*words: str) -> Edit:
    """Leave out the lines that hold one of these words."""
    return lambda text: "".join(
        line for line in text.splitlines(True) if not any(word in line for word in words)
    )


def instead(old: str, new: str) -> Edit:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return edit


def below_a_path(text: str) -> str:
    place = "    location / {\n        proxy_pass http://chatd;\n"
    return instead(place, BELOW)(text)


def by_the_other_header(text: str) -> str:
    words = '"for=$remote_addr;host=\\"$http_host\\";proto=$scheme"'
    bare = without("X-Forwarded", "header Host")(text)
    line = "proxy_http_version 1.1;"
    return instead(line, f"{line} proxy_set_header Forwarded {words};")(bare)


NO_TLS: Final = without("ssl_certificate")
EDITS: Final[dict[str, list[Edit]]] = {
    "as it is": [],
    "$host": [instead(" Host $http_host", " Host $host")],
    "only $host": [without("X-Forwarded"), instead(" Host $http_host", " Host $host")],
    "$host and the port": [
        without("X-Forwarded-Host"),
        instead(" Host $http_host", " Host $host"),
        instead("X-Forwarded-Proto $scheme", "X-Forwarded-Port $server_port"),
    ],
    "no TLS": [NO_TLS, instead(" ssl;", ";")],
    "no TLS, and only $http_host": [NO_TLS, instead(" ssl;", ";"), without("X-Forwarded")],
    "below a path": [below_a_path],
    "Forwarded": [by_the_other_header],
    "the name of the upstream": [without("header Host")],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A daemon that trusts a proxy of this machine."""
    server = daemon(tmp_path_factory.mktemp("behind"), TRUSTING)
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def forwarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same, for a proxy that writes `Forwarded`."""
    configuration = f'{TRUSTING}proxy_headers = "forwarded"\n'
    server = daemon(tmp_path_factory.mktemp("forwarded"), configuration)
    yield server
    assert server.stop() == 0


NewProxy: TypeAlias = Callable[..., Nginx]


@pytest.fixture
def proxy(certificate: Path, tmp_path: Path) -> Iterator[NewProxy]:
    """Starts the nginx of the document before a daemon, with changes."""
    started: list[Nginx] = []

    def start(before: Server, *edits: Edit) -> Nginx:
        servers = BLOCK
        for edit in edits:
            servers = edit(servers)
        servers = servers.replace("/etc/ssl", str(certificate))
        started.append(Nginx(before.url, tmp_path, servers))
        return started[-1]

    yield start
    for nginx in started:
        nginx.stop()


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("change", EDITS)
def test_pages_of_the_proxy_and_programs_chat_and_strangers_do_not(
    server: Server,
    forwarded_server: Server,
    proxy: NewProxy,
    web: requests.Session,
    change: str,
) -> None:
    server = forwarded_server if change == "Forwarded" else server
    nginx = proxy(server, *EDITS[change])
    path = "/chat/socket.io/" if change == "below a path" else "/socket.io/"
    url, scheme = nginx.url + path, nginx.url.partition(":")[0]
    knows_ports = change != "the name of the upstream"
    for host in ("chat.example", f"chat.example:{nginx.port}"):
        if change == "$host and the port" and ":" not in host:
            continue  # no browser leaves out a port like this one
        chats(web, url, host, None)
        chats(web, url, host, f"{scheme}://{host}" if knows_ports else None)
        with pytest.raises(websocket.WebSocketBadStatusException) as caught:
            dialled(url, host, "https://evil.example", WEBSOCKET)
        assert caught.value.status_code == 403
        for stranger in (
            "https://evil.example",
            "http://localhost:5173",
            server.url,
            "http://127.0.0.1",
            "null",
            *([] if "only" in change else [f"{scheme}://chat.example:9"]),
        ):
            refused = polled(web, url, host, stranger)
            assert refused.status_code == 403, stranger
            assert "server.origins" in refused.json()["message"]
            assert "Access-Control-Allow-Origin" not in refused.headers
    assert nginx.log == ""


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_page_without_tls_is_a_stranger_to_a_server_with_it(
    server: Server, proxy: NewProxy, web: requests.Session
) -> None:
    nginx = proxy(server)
    refused = polled(web, f"{nginx.url}/socket.io/", "chat.example", "http://chat.example")
    assert refused.status_code == 403


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_below_a_path_the_page_finds_its_files(
    server: Server, proxy: NewProxy, web: requests.Session
) -> None:
    nginx = proxy(server, below_a_path)
    page = web.get(f"{nginx.url}/chat/", timeout=LIMIT_S)
    assert page.status_code == 200
    links = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(links) >= 3
    for link in links:
        found = web.get(f"{nginx.url}/chat/{link}", timeout=LIMIT_S)
        assert found.status_code == 200, link


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_below_a_path_people_chat_on_the_page_and_reload_it(
    server: Server, proxy: NewProxy, house: House, transport: str
) -> None:
    blocked = [] if transport == "websocket" else [without("$http_upgrade;", "$connection_upgrade")]
    nginx = proxy(server, below_a_path, NO_TLS, instead(" ssl;", ";"), *blocked)
    profile = house.profile()
    asked: list[str] = []
    profile.context.on("request", lambda request: asked.append(urlsplit(request.url).path))
    ann = profile.open(f"{nginx.url}/chat/#token={token('ann', transport)}").is_in()
    ann.say("from below a path")
    expect(ann.message("from below a path").get_by_text("Sent", exact=True)).to_be_attached()
    ann.reload()
    ann.is_in().sees("from below a path")
    assert {path.split("/")[1] for path in asked} == {"chat"}
    polls = [path for path in asked if path == "/chat/socket.io/"]
    assert bool(polls) == (transport == "polling")


def test_where_the_proxy_passes_no_upgrade_clients_stay_on_polling_and_a_websocket_hears_why(
    server: Server, proxy: NewProxy
) -> None:
    plain = [NO_TLS, instead(" ssl;", ";")]
    nginx = proxy(server, *plain, without("$http_upgrade;", "$connection_upgrade;"))
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        dialled(f"{nginx.url}/socket.io/", "chat.example", None, WEBSOCKET)
    assert caught.value.status_code == 400
    assert caught.value.resp_body is not None
    assert b"Upgrade and Connection" in caught.value.resp_body
    driver = Driver("npm-4.8")
    client = driver.client(nginx.url, "upgrade")
    client.connected(auth={"token": token("bob", "room")})
    client.expect("chat:history")
    said = {"messageId": "11111111-1111-4111-8111-111111111111", "content": "hi"}
    assert client.call("chat:message", {**said, "connectionId": "room"})[0]["ok"]
    assert client.close() == "polling"
    driver.stop()


@pytest.fixture(scope="module")
def untrusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A daemon that trusts no proxy, and knows one page."""
    listed = '[server]\norigins = ["http://listed.example:8080"]\n'
    server = daemon(tmp_path_factory.mktemp("untrusting"), listed)
    yield server
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("host", "more"), [("one.example", ()), ("two.example", (without("X-Forwarded"),))]
)
def test_a_proxy_that_is_not_trusted_hears_which_host_and_which_key(
    untrusting: Server, proxy: NewProxy, web: requests.Session, host: str, more: tuple[Edit, ...]
) -> None:
    only_host = instead(" Host $http_host", " Host $host")
    nginx = proxy(untrusting, NO_TLS, instead(" ssl;", ";"), only_host, *more)
    health = web.get(f"{nginx.url}/api/websocket/health", timeout=LIMIT_S)
    assert health.status_code == 200
    for _ in range(3):
        refused = polled(web, f"{nginx.url}/socket.io/", host, f"http://{host}")
        assert (refused.status_code, refused.json()["code"]) == (403, 4)
        for named in (host, "server.trusted_proxies", "server.origins"):
            assert named in refused.json()["message"]
    [told] = untrusting.said("request.forbidden", host)
    assert (told["host"], told["origin"]) == (host, f"http://{host}")
    assert "server.trusted_proxies" in told["advice"]


def test_a_listed_origin_comes_in_though_the_proxy_is_not_trusted(
    untrusting: Server, proxy: NewProxy, web: requests.Session
) -> None:
    only_host = instead(" Host $http_host", " Host $host")
    nginx = proxy(untrusting, NO_TLS, instead(" ssl;", ";"), only_host)
    chats(web, f"{nginx.url}/socket.io/", "listed.example:8080", "http://listed.example:8080")
