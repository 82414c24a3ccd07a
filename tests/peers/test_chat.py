"""Client libraries of npm and PyPI against `chatd serve`: the chat as people use it."""

import uuid
from typing import Any

import pytest

from tests.peers.conftest import NewClient
from tests.peers.drivers import KINDS, Client
from tests.peers.servers import Server, token

PAIRS = [
    ("npm-4.8", "python-asyncio"),
    ("python-sync", "npm-4.0"),
    ("python-asyncio", "npm-3.1"),
    ("chromium", "npm-4.4"),
    ("npm-4.8", "chromium"),
]
"""Who speaks, and who listens."""


def message(room: str, content: str) -> dict[str, Any]:
    return {"messageId": str(uuid.uuid4()), "content": content, "connectionId": room}


def entered(client: Client, user_id: str, room: str) -> Client:
    """Let a client in and wait until it is in the room."""
    client.connected(auth={"token": token(user_id, room)})
    assert client.expect("chat:history")[0]["connectionId"] == room
    return client


@pytest.fixture
def room() -> str:
    """A room that no other test uses."""
    return f"room-{uuid.uuid4()}"


def test_a_good_token_lets_in_and_tells_who_one_is(
    new_client: NewClient, chat_server: Server, kind: str, room: str
) -> None:
    client = new_client(chat_server, kind)
    client.connect(auth={"token": token("ann", room)})
    client.expect("connect")
    (status,) = client.expect("connection:status")
    assert (status["status"], status["userId"], status["name"]) == ("connected", "ann", "Ann")
    counts = dict.fromkeys(("lastSeq", "lastRev", "readSeq", "unread", "mentions", "owed"), 0)
    assert status["rooms"] == [{"connectionId": room, "role": "member", **counts}]
    assert "message_get" in status["server"]["features"]
    (history,) = client.expect("chat:history")
    assert (history["connectionId"], history["messages"]) == (room, [])


def test_a_refusal_tells_its_code(
    new_client: NewClient, chat_server: Server, kind: str, room: str
) -> None:
    nobody, stranger = new_client(chat_server, kind), new_client(chat_server, kind)
    nobody.connect()
    reason, data = nobody.expect("connect_error")
    assert (data["code"], data["retryable"]) == ("unauthorized", False)
    assert reason
    stranger.connect(auth={"token": token("ann", room, secret="another secret, long enough" * 2)})
    reason, data = stranger.expect("connect_error")
    assert (data["code"], data["retryable"]) == ("token_invalid", False)
    assert reason
    entered(new_client(chat_server, kind), "ann", room)  # and clears the address


@pytest.mark.parametrize(("speaks", "listens"), PAIRS)
def test_a_message_is_acknowledged_and_reaches_the_other_library(
    new_client: NewClient, chat_server: Server, speaks: str, listens: str, room: str
) -> None:
    speaker = entered(new_client(chat_server, speaks), "ann", room)
    listener = entered(new_client(chat_server, listens), "bob", room)
    sent = message(room, "Grüße, 😀 <b>&")
    (ack,) = speaker.call("chat:message", sent)
    assert (ack["ok"], ack["messageId"], ack["seq"]) == (True, sent["messageId"], 1)
    (told,) = speaker.expect("chat:message:sent")
    assert told["messageId"] == sent["messageId"]
    for client in (speaker, listener):
        (heard,) = client.expect("chat:message")
        assert (heard["messageId"], heard["userId"], heard["name"], heard["seq"]) == (
            *(sent["messageId"], "ann", "Ann"),
            1,
        )
        assert heard["content"].startswith("Grüße, 😀")
        assert heard["timestamp"] == ack["timestamp"]
    (again,) = speaker.call("chat:message", sent)
    assert (again["ok"], again["duplicate"], again["seq"]) == (True, True, 1)
    listener.call("chat:ack", {"messageId": sent["messageId"]})
    assert listener.came("chat:message") == 0


def test_a_message_to_a_room_of_others_is_refused_in_its_ack_and_as_an_event(
    new_client: NewClient, chat_server: Server, kind: str, room: str
) -> None:
    client = entered(new_client(chat_server, kind), "ann", room)
    sent = message("of others", "hello?")
    (ack,) = client.call("chat:message", sent)
    assert (ack["ok"], ack["error"]["code"]) == (False, "forbidden_room")
    (error,) = client.expect("chat:message:error")
    assert (error["messageId"], error["code"]) == (sent["messageId"], "forbidden_room")


@pytest.mark.parametrize(("speaks", "listens"), PAIRS)
def test_a_thousand_messages_reach_the_other_library_in_order(
    new_client: NewClient, chat_server: Server, speaks: str, listens: str, room: str
) -> None:
    speaker = entered(new_client(chat_server, speaks), "ann", room)
    listener = entered(new_client(chat_server, listens), "bob", room)
    contents = [f"message {number}" for number in range(1000)]
    acks = [speaker.ask("chat:message", message(room, content)) for content in contents]
    heard = [args[0] for args in listener.take("chat:message", 1000)]
    assert [each["content"] for each in heard] == contents
    assert [each["seq"] for each in heard] == list(range(1, 1001))
    assert [speaker.expect(ack)[0]["seq"] for ack in acks] == list(range(1, 1001))


def test_all_libraries_come_back_after_a_kill_and_find_what_was_acknowledged(
    new_client: NewClient, mortal_chat_server: Server, room: str
) -> None:
    # All at once: to start a daemon takes longer than all that is tested here.
    clients = {kind: new_client(mortal_chat_server, kind) for kind in KINDS}
    contents = [f"message {number}" for number in range(20)]
    for kind, client in clients.items():
        entered(client, "ann", f"{room} {kind}")
        for content in contents:
            assert client.call("chat:message", message(f"{room} {kind}", content))[0]["ok"]
    mortal_chat_server.kill()
    for client in clients.values():
        client.expect("disconnect")
    mortal_chat_server.start()
    for kind, client in clients.items():
        client.expect("connect")
        (history,) = client.expect("chat:history")
        assert [each["content"] for each in history["messages"]] == contents
        assert [each["seq"] for each in history["messages"]] == list(range(1, 21))
        assert client.call("chat:message", message(f"{room} {kind}", "after"))[0]["seq"] == 21
