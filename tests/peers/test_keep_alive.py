"""Clients and proxies that keep connections: pages, health, polls and upgrades over one pool."""

import asyncio
import json
import subprocess
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
import requests
import socketio

from tests.peers.conftest import NewClient
from tests.peers.drivers import HERE, LIMIT_S
from tests.peers.proxies import Nginx
from tests.peers.servers import Server, leave, token

HEALTH = "/api/websocket/health"
ROUNDS = 5


@pytest.fixture(scope="module")
def nginx(chat_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    proxy = Nginx(chat_server.url, tmp_path_factory.mktemp("nginx"))
    yield proxy
    proxy.stop()


@pytest.fixture(params=["directly", "through nginx"])
def url(request: pytest.FixtureRequest, chat_server: Server, nginx: Nginx) -> str:
    """Where the daemon is called."""
    return chat_server.url if request.param == "directly" else nginx.url


@pytest.fixture
def room() -> str:
    """A room that no other test uses."""
    return f"room-{uuid.uuid4()}"


def message(room: str, number: int) -> dict[str, Any]:
    return {"messageId": str(uuid.uuid4()), "content": f"round {number}", "connectionId": room}


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]])
def test_the_pool_of_requests_carries_health_pages_and_a_session(
    url: str, transports: list[str], room: str
) -> None:
    with requests.Session() as pool:
        assert pool.get(url + HEALTH, timeout=LIMIT_S).json()["status"] == "ok"
        client = socketio.Client(http_session=pool, reconnection=False)
        client.connect(
            url, auth={"token": token("ann", room)}, transports=transports, wait_timeout=LIMIT_S
        )
        for number in range(ROUNDS):
            assert pool.get(f"{url}/", timeout=LIMIT_S).status_code == 200
            ack = client.call("chat:message", message(room, number), timeout=LIMIT_S)
            assert ack["ok"], ack
            assert pool.get(url + HEALTH, timeout=LIMIT_S).status_code == 200
        assert client.transport() == transports[-1]
        leave(client)


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]])
def test_the_pool_of_aiohttp_carries_health_pages_and_a_session(
    url: str, transports: list[str], room: str
) -> None:
    async def talk() -> None:
        async with aiohttp.ClientSession() as pool:

            async def status(path: str) -> int:
                async with pool.get(url + path) as response:
                    await response.read()
                    return response.status

            assert await status(HEALTH) == 200
            client = socketio.AsyncClient(http_session=pool, reconnection=False)
            await client.connect(
                url, auth={"token": token("bob", room)}, transports=transports, wait_timeout=LIMIT_S
            )
            for number in range(ROUNDS):
                assert await status("/") == 200
                ack = await client.call("chat:message", message(room, number), timeout=LIMIT_S)
                assert ack["ok"], ack
                assert await status(HEALTH) == 200
            assert client.transport() == transports[-1]
            await client.disconnect()

    asyncio.run(asyncio.wait_for(talk(), 3 * LIMIT_S))


def test_an_agent_of_node_carries_pages_health_polls_and_upgrades(url: str, room: str) -> None:
    ended = subprocess.run(
        ["node", "keep_alive.mjs", url, token("cid", room), room],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=3 * LIMIT_S,
        check=True,
    )
    told = json.loads(ended.stdout)
    assert told["error"] is None
    assert told["statuses"] == [200] * (3 * 2 * ROUNDS)
    assert told["acks"] == [True] * (3 * ROUNDS)
    assert told["transports"] == ["polling", "websocket", "websocket"]
    assert told["upgrade"] == [400, 101, 405, 200]


@pytest.mark.parametrize("library", ["npm-4.8", "npm-3.1", "python-sync", "python-asyncio"])
def test_who_comes_through_a_proxy_that_keeps_connections_chats(
    new_client: NewClient,
    chat_server: Server,
    nginx: Nginx,
    transport: str,
    library: str,
    room: str,
) -> None:
    through, direct = (
        new_client(chat_server.at(nginx.url), library),
        new_client(chat_server, library),
    )
    for client, user_id in ((through, "ann"), (direct, "bob")):
        client.connected(auth={"token": token(user_id, room)})
        client.expect("chat:history")
    for number in range(ROUNDS):
        assert through.call("chat:message", message(room, number))[0]["ok"]
        (heard,) = direct.expect("chat:message")
        assert heard["content"] == f"round {number}"


def test_a_proxy_that_shares_its_connections_passes_on_every_answer(
    nginx: Nginx, chat_server: Server
) -> None:
    """Were one of them used after its last answer, somebody would get 502, or another's answer."""
    before = nginx.log
    wrong: list[tuple[str, int]] = []

    def ask(expected: dict[str, int]) -> None:
        with requests.Session() as pool:
            for _ in range(20):
                for path, status in expected.items():
                    answer = pool.get(nginx.url + path, timeout=LIMIT_S)
                    if answer.status_code != status:
                        wrong.append((path, answer.status_code))

    polls = {"/socket.io/?EIO=3&transport=polling": 400, "/socket.io/?EIO=4&transport=x": 400}
    pages = {"/": 200, HEALTH: 200, "/nothing": 404}
    threads = [
        threading.Thread(target=ask, args=[one]) for one in (polls, pages, polls | pages) * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(4 * LIMIT_S)
    assert wrong == []
    assert nginx.log == before
