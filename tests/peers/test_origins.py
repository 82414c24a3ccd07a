"""Pages of other origins in Chromium, against `chatd serve`: whose may come in."""

from collections.abc import Iterator

import pytest

from tests.peers.conftest import NewClient
from tests.peers.drivers import Driver
from tests.peers.servers import Server, daemon, free_port, token

STRANGER = "chromium-of-a-stranger"


def test_a_page_of_a_foreign_origin_is_refused(
    new_client: NewClient, chat_server: Server, transport: str
) -> None:
    stranger = new_client(chat_server, STRANGER)
    stranger.connect(auth={"token": token("ann", "room")})
    (message, _) = stranger.expect("connect_error")
    assert message == ("websocket error" if transport == "websocket" else "xhr poll error")
    assert stranger.came("connect") == 0
    neighbour = new_client(chat_server, "chromium")
    neighbour.connected(auth={"token": token("ann", "room")})


def test_a_page_that_calls_the_server_by_a_foreign_name_is_refused(
    new_client: NewClient, chat_server: Server, transport: str
) -> None:
    # A stranger's name that resolves to this machine: no browser protects from that.
    stranger = new_client(chat_server.called("evil.test"), STRANGER)
    stranger.connect(auth={"token": token("ann", "room")})
    (message, _) = stranger.expect("connect_error")
    assert message == ("websocket error" if transport == "websocket" else "xhr poll error")
    assert stranger.came("connect") == 0


def test_the_same_page_is_let_in_where_all_origins_are(
    new_client: NewClient, peers_server: Server
) -> None:
    stranger = new_client(peers_server, STRANGER).connected()
    assert stranger.call("message-with-ack", 1) == [1]


@pytest.fixture(scope="module")
def app_driver() -> Iterator[tuple[str, Driver]]:
    """A browser with a page of an application, and the origin of that page."""
    port = free_port()
    driver = Driver("chromium-of-an-app", str(port))
    yield f"http://app.test:{port}", driver
    driver.stop()


@pytest.fixture(scope="module")
def app_server(
    app_driver: tuple[str, Driver], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A daemon that lets this page in by its name."""
    origin, _ = app_driver
    server = daemon(tmp_path_factory.mktemp("app"), f'[server]\norigins = ["{origin}"]\n')
    yield server
    assert server.stop() == 0


def test_a_page_of_an_allowed_origin_connects_with_the_credentials_of_its_browser(
    app_driver: tuple[str, Driver], app_server: Server, transport: str
) -> None:
    client = app_driver[1].client(app_server.url, transport)
    client.connected(auth={"token": token("ann", "room")}, credentials=True)
    (status,) = client.expect("connection:status")
    assert status["userId"] == "ann"
    carriers = client.take("$transport", 2 if transport == "upgrade" else 1)
    assert carriers[-1] == ["polling" if transport == "polling" else "websocket"]
    client.close()
