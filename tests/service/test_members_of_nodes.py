"""Members of rooms over several nodes: what they are owed, have read and are called, wherever their
sockets are."""

from pathlib import Path
from typing import Any

import pytest

from chatd.postgres_store.sessions import LogAddress
from tests.bus.memory_bus import Wire
from tests.postgres import Postgres
from tests.postgres_store.logs import new_address
from tests.service.chats import NO_ROOM, ROOM, Chat, ChatPeer, message, token
from tests.service.nodes import open_nodes

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def address(postgres: Postgres) -> LogAddress:
    return new_address(postgres)


async def standing(node: Chat, user_id: str) -> dict[str, Any]:
    """What a user who connects is told of the room; it does not go in."""
    peer = await node.connect({"token": token(user_id), "connectionId": NO_ROOM})
    [room] = (await peer.until("connection:status"))["rooms"]
    told: dict[str, Any] = room
    return told


async def leaves(node: Chat, peer: ChatPeer) -> None:
    """A socket leaves the room, and its node has told the log."""
    assert (await peer.call("connection:leave", {"connectionId": ROOM}))["ok"]
    await node.enter("eve")  # which is carried out behind it


async def test_a_user_is_owed_what_came_while_it_was_on_no_node(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_nodes(address, tmp_path, monkeypatch, wire=Wire()) as (one, other):
        bob = await one.enter("bob")
        here, there = await one.enter("ada"), await other.enter("ada")
        await leaves(one, here)
        await bob.say(message("she is there still"))
        await there.until("chat:message")
        assert (await standing(one, "ada"))["owed"] == 0
        await leaves(other, there)
        for number in range(1, 4):
            await bob.say(message(f"number {number}"))
        for node in (one, other):
            told = await standing(node, "ada")
            assert (told["owed"], told["lastSeq"], told["unread"]) == (3, 4, 4)
        back = await other.connect({"token": token("ada")})
        history = await back.until("chat:history")
        assert [one["seq"] for one in history["messages"]] == [1, 2, 3, 4]
        last = history["messages"][-1]["messageId"]
        assert (await back.call("chat:ack", {"messageId": last, "upTo": True}))["ok"]
        assert (await standing(one, "ada"))["owed"] == 0


async def test_what_was_read_on_one_node_is_read_on_the_other(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_nodes(address, tmp_path, monkeypatch, wire=Wire()) as (one, other):
        ada, bob = await one.enter("ada"), await other.enter("bob")
        for number in range(1, 6):
            await bob.say(message(f"number {number}"))
            await ada.until("chat:message")
        assert (await standing(other, "ada"))["unread"] == 5
        ack = await ada.call("chat:read", {"connectionId": ROOM, "seq": 3})
        assert (ack["readSeq"], ack["unread"]) == (3, 2)
        told = await standing(other, "ada")
        assert (told["readSeq"], told["unread"]) == (3, 2)
        again = await other.enter("ada")
        ack = await again.call("chat:read", {"connectionId": ROOM, "seq": 2})
        assert (ack["readSeq"], ack["unread"]) == (3, 2)


async def test_a_member_of_another_node_is_mentioned_by_its_name(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_nodes(address, tmp_path, monkeypatch, wire=Wire()) as (one, other):
        bob = await other.enter("bob")
        ada = await one.connect({"token": token("ada", name="Ada Lovelace")})
        await ada.until("chat:history")
        await standing(other, "ada")
        await bob.say(message("Have you seen it, @Ada Lovelace?"))
        assert (await ada.until("chat:message"))["mentions"] == ["ada"]
        assert (await standing(other, "ada"))["mentions"] == 1
