"""Three daemons behind the proxies of docs/cluster, with its very lines, and stock clients.

Each daemon has a state of its own here: what is asked is whether every request of a session reaches
the node that has it, whichever node a client came to first.
"""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import requests

from chatd.cli.docs import documents
from tests.peers.drivers import TRANSPORTS, Client, Driver
from tests.peers.proxied import POLLING, polled, web
from tests.peers.proxies import HAProxy, Nginx, Proxy, documented
from tests.peers.servers import Server, daemon, token

__all__ = ["web"]  # a fixture

DOCUMENT: Final = documents()["cluster"]
NAMED: Final = documented("toml", DOCUMENT)[0]
(NGINX,) = documented("nginx", DOCUMENT)
(HAPROXY,) = documented("haproxy", DOCUMENT)
NODES: Final = ("a", "b", "c")
TRUSTING: Final = '\n[server]\ntrusted_proxies = ["127.0.0.1"]\n'
STOCK: Final = "npm-4.8"
CLIENTS: Final = 3  # for each transport
ROOM: Final = "room"
DEMO: Final = "demo"  # of the sample database


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    started = {
        name: daemon(
            tmp_path_factory.mktemp(name),
            NAMED.replace('"a"', f'"{name}"') + TRUSTING,
        )
        for name in NODES
    }
    yield started
    for node in started.values():
        assert node.stop() == 0


def placed(text: str, nodes: dict[str, Server]) -> str:
    """The lines of the document, with the places of these nodes."""
    for number, name in enumerate(NODES, 1):
        place = f"10.0.0.{number}:8765"
        assert place in text
        text = text.replace(place, nodes[name].url.removeprefix("http://"))
    return text


def without_tls(text: str) -> str:
    text = "".join(line for line in text.splitlines(True) if "ssl_certificate" not in line)
    return re.sub(r"(listen 443|bind :443) ssl( crt [^ \n]+)?", r"\1", text)


@pytest.fixture(scope="module", params=["nginx", "HAProxy"])
def proxy(
    request: pytest.FixtureRequest,
    nodes: dict[str, Server],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    directory = tmp_path_factory.mktemp("proxy")
    started: Proxy
    if request.param == "nginx":
        started = Nginx("", directory, without_tls(placed(NGINX, nodes)))
    else:
        started = HAProxy("", directory, without_tls(placed(HAPROXY, nodes)), directory)
        started.scheme = "http"
    yield started
    started.stop()


def driver_of(drivers: dict[str, Driver]) -> Driver:
    """The stock library's, started if it is not there yet."""
    if STOCK not in drivers:
        drivers[STOCK] = Driver(STOCK)
    return drivers[STOCK]


@pytest.fixture
def clients(
    nodes: dict[str, Server], proxy: Proxy, drivers: dict[str, Driver]
) -> Iterator[dict[str, Client]]:
    """By the ids of their users: some for each transport, all of them in the room."""
    driver = driver_of(drivers)
    made = {
        f"{transport}-{uuid.uuid4()}": driver.client(proxy.url, transport)
        for transport in TRANSPORTS
        for _ in range(CLIENTS)
    }
    for user_id, client in made.items():
        client.connected(auth={"token": token(user_id, ROOM)})
        client.expect("chat:history")
    yield made
    for user_id, client in made.items():
        assert client.close() == ("polling" if user_id.startswith("polling") else "websocket")


def says_and_hears(client: Client) -> None:
    content = str(uuid.uuid4())
    said = {"messageId": str(uuid.uuid4()), "content": content, "connectionId": ROOM}
    assert client.call("chat:message", said)[0]["ok"]
    while client.expect("chat:message")[0]["content"] != content:
        pass  # of others on its node


def answered(client: Client) -> str:
    """The id of an answer that is stored, in the room of the sample database."""
    client.connected(auth={"token": token("ann", DEMO)})
    question = {"messageId": str(uuid.uuid4()), "content": "SELECT 1 AS n", "connectionId": DEMO}
    assert client.call("chat:message", question)[0]["ok"]
    while (message := client.expect("chat:message")[0]).get("replyTo") != question["messageId"]:
        pass
    client.close()
    assert message["answer"]["state"] == "done"
    return str(message["messageId"])


def users_of(node: Server, clients: dict[str, Client]) -> set[str]:
    """Whose sessions a node has, each by an id that names the node."""
    return {line["user_id"] for line in node.said("socket.connected", "")} & clients.keys()


def sessions_of(web: requests.Session, proxy: Proxy, count: int) -> list[str]:
    """Sessions that were just opened by polling."""
    url, host = f"{proxy.url}/socket.io/", f"127.0.0.1:{proxy.port}"
    opened = [polled(web, url, host, None) for _ in range(count)]
    return [json.loads(one.text[1:])["sid"] for one in opened]


def comes_in(web: requests.Session, proxy: Proxy, sid: str) -> bool:
    url, host = f"{proxy.url}/socket.io/", f"127.0.0.1:{proxy.port}"
    credentials = "40" + json.dumps({"token": token("ann", ROOM)})
    return polled(web, url, host, None, f"{POLLING}&sid={sid}", credentials).text == "ok"


def test_every_node_gets_sessions_and_another_sid_is_refused(
    proxy: Proxy, web: requests.Session
) -> None:
    sids = sessions_of(web, proxy, 3 * CLIENTS)
    assert {sid.partition(".")[0] for sid in sids} == set(NODES)
    assert all(comes_in(web, proxy, sid) for sid in sids)
    known = sids[0][2:]
    for sid in ("a.nobody", "d.nobody", "a", "..", "a.%00", known, f"A.{known}", f"a.{known}x"):
        assert not comes_in(web, proxy, sid)


def test_a_download_by_ticket_reaches_the_node_that_gave_it(
    nodes: dict[str, Server], proxy: Proxy, web: requests.Session, drivers: dict[str, Driver]
) -> None:
    driver = driver_of(drivers)
    for name, node in nodes.items():
        answer = answered(driver.client(node.url, "websocket"))
        bearer = {"Authorization": f"Bearer {token('ann', DEMO)}"}
        given = web.post(f"{node.url}/api/answers/{answer}/ticket", headers=bearer)
        ticket = given.json()["ticket"]
        assert ticket.startswith(f"{name}.")
        link = f"{proxy.url}/api/answers/{answer}.csv?ticket={ticket}"
        found = web.get(link)
        assert (found.status_code, found.text) == (200, "n\r\n1\r\n")
        assert web.get(link).status_code == 401


def test_without_the_names_requests_go_astray(
    nodes: dict[str, Server], web: requests.Session, tmp_path: Path
) -> None:
    """What the lines of the document are for."""
    lines = without_tls(placed(NGINX, nodes)).replace("http://$chatd", "http://chatd_any")
    proxy = Nginx("", tmp_path, lines)
    try:
        sids = sessions_of(web, proxy, 3 * CLIENTS + 1)  # the turns do not match again
        assert not all(comes_in(web, proxy, sid) for sid in sids)
    finally:
        proxy.stop()


def test_clients_stay_with_the_node_they_came_to_until_it_dies(
    nodes: dict[str, Server], clients: dict[str, Client]
) -> None:
    for _ in range(2):
        for client in clients.values():
            says_and_hears(client)
    by_node = {name: users_of(node, clients) for name, node in nodes.items()}
    assert all(by_node.values())
    assert sum(map(len, by_node.values())) == len(clients)
    for name, node in nodes.items():
        opened = node.said("socket.connected", "")
        assert all(line["session_id"].startswith(f"{name}.") for line in opened)
    nodes["b"].kill()
    try:
        for user_id in by_node["b"]:
            clients[user_id].expect("disconnect")
            clients[user_id].expect("connect")
            clients[user_id].expect("chat:history")
        for user_id, client in clients.items():
            if user_id not in by_node["b"]:
                assert client.came("disconnect") == 0
            says_and_hears(client)
    finally:
        nodes["b"].start()
