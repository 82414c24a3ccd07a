from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.peers.drivers import KINDS, TRANSPORTS, Client, Driver
from tests.peers.servers import Server, daemon, peers_app

NewClient: TypeAlias = Callable[[Server, str], Client]


@pytest.fixture(scope="session")
def drivers() -> Iterator[dict[str, Driver]]:
    """A process for each library, started by the first test that needs it, shared by all."""
    started: dict[str, Driver] = {}
    yield started
    for driver in started.values():
        driver.stop()


@pytest.fixture(scope="session")
def peers_server() -> Iterator[Server]:
    server = peers_app()
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="session")
def chat_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = daemon(tmp_path_factory.mktemp("chat"))
    yield server
    assert server.stop() == 0


@pytest.fixture
def mortal_peers_server() -> Iterator[Server]:
    """A server of the test's own, to be killed and started again."""
    server = peers_app()
    yield server
    server.kill()


@pytest.fixture
def mortal_chat_server(tmp_path: Path) -> Iterator[Server]:
    """A daemon of the test's own, to be killed and started again."""
    server = daemon(tmp_path)
    yield server
    server.kill()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """A client library."""
    return str(request.param)


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def new_client(drivers: dict[str, Driver], transport: str) -> Iterator[NewClient]:
    """Makes clients of any kind; those of a test end with it, and broken drivers too."""
    made: list[tuple[str, Client]] = []

    def new(server: Server, kind: str) -> Client:
        if kind not in drivers:
            drivers[kind] = Driver(kind)
        client = drivers[kind].client(server.url, transport)
        made.append((kind, client))
        return client

    yield new
    for kind, client in made:
        if kind in drivers:
            try:
                client.close()
            except (AssertionError, OSError):
                drivers.pop(kind).stop()
                raise
