"""Pages of other origins in Chromium, against `chatd serve`: whose may come in."""

from tests.peers.conftest import NewClient
from tests.peers.servers import Server, token

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
