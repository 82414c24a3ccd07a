"""What clients of several nodes see of each other beside messages: presence, typing, receipts, read
markers; and what holds for a user on all of them: limits, kicks, revocations."""

import math
from pathlib import Path
from typing import Any

import pytest
import trio

from chatd.auth.revocations import read_revocations
from chatd.observe.clock import Clock
from chatd.postgres_store.sessions import LogAddress
from chatd.service.nodes_alive import BEAT_S
from chatd.service.shared_revoking import COMPARE_EVERY
from chatd.wire.codes import Code
from tests.bus.memory_bus import Wire
from tests.postgres import Postgres
from tests.postgres_store.logs import new_address
from tests.service.chats import ROOM, Chat, ChatPeer, message, refused, token
from tests.service.nodes import open_nodes

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def address(postgres: Postgres) -> LogAddress:
    return new_address(postgres)


async def eventually(peer: ChatPeer, name: str, **fields: Any) -> dict[str, Any]:
    """The next event of this name with these fields; others of it may come before."""
    while True:
        payload: dict[str, Any] = await peer.until(name)
        if all(payload.get(key) == value for key, value in fields.items()):
            return payload


async def test_presence_and_typing_of_one_node_are_seen_on_the_other(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_nodes(address, tmp_path, monkeypatch, wire=Wire()) as (one, other):
        ada = await one.enter("ada")
        eve = await other.enter("eve")
        await eventually(ada, "presence:update", userId="eve", status="online")
        await eventually(eve, "presence:update", userId="ada", status="online")
        await ada.call("presence:update", {"connectionId": ROOM, "status": "away"})
        await eventually(eve, "presence:update", userId="ada", status="away")
        await ada.call("chat:typing:start", {"connectionId": ROOM})
        await eventually(eve, "chat:typing", userId="ada", isTyping=True)
        await ada.call("chat:message", message("said"))
        await eventually(eve, "chat:typing", userId="ada", isTyping=False)
        assert ROOM in other.parts.publishing.signals.rooms


async def test_receipts_and_markers_reach_the_user_s_sockets_on_every_node(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_nodes(address, tmp_path, monkeypatch, wire=Wire()) as (one, other):
        ada, ada_too, eve = await one.enter("ada"), await other.enter("ada"), await one.enter("eve")
        said = message("said")
        await ada_too.call("chat:message", said)
        await eve.until("chat:message")
        acked = {"messageId": said["messageId"], "connectionId": ROOM}
        await eve.call("chat:ack", acked)
        for peer in (ada, ada_too):
            await eventually(peer, "chat:message:status", messageId=said["messageId"], by="eve")
        zoe = await other.connect({"token": token("zoe", [ROOM])})
        (kept,) = (await zoe.until("chat:history"))["messages"]
        assert kept["status"] == "delivered"
        await eve.call("chat:message", message("of the node where it is read"))
        await ada.call("chat:read", {"connectionId": ROOM, "seq": kept["seq"] + 1})
        await eventually(ada_too, "chat:read", readSeq=kept["seq"] + 1)


async def test_what_a_user_may_send_and_connect_counts_over_all_nodes(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"sockets_per_user": 2, "user_messages_per_minute": 4}
    async with open_nodes(address, tmp_path, monkeypatch, wire=Wire(), limits=limits) as nodes:
        one, other = nodes
        ada, ada_too = await one.enter("ada"), await other.enter("ada")
        for number in range(4):
            assert (await ada.call("chat:message", message(f"number {number}")))["ok"]
        await trio.sleep(2 * BEAT_S)
        answer = await ada_too.call("chat:message", message("one too many"))
        assert answer["error"]["code"] == Code.RATE_LIMITED
        third = await one.connect({"token": token("ada", [ROOM])})
        assert (await refused(third))["data"]["code"] == Code.RATE_LIMITED


async def test_kicks_and_revocations_hold_on_all_nodes_and_for_those_that_were_away(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire()
    async with open_nodes(address, tmp_path, monkeypatch, wire=wire) as (one, other):
        eve = await other.enter("eve")
        await one.parts.operators.administration.kick("eve", "the test")
        await eve.ended()
        eve, ada = await other.enter("eve"), await other.enter("ada")
        await one.parts.operators.administration.kick(socket_of(other, "eve"), "the test")
        await eve.ended()
        await one.parts.operators.administration.revoke("ada", "the test")
        assert (await eventually(ada, "connection:status", status="closing"))["code"] == (
            Code.TOKEN_REVOKED
        )
        await ada.ended()
        wire.cut()
        before = token("zoe", [ROOM])
        zoe = await other.enter("zoe")
        await one.parts.operators.administration.revoke("zoe", "the test")
        wire.mend()
        with trio.fail_after(4 * COMPARE_EVERY * BEAT_S):
            await zoe.ended()
        back = await other.connect({"token": before})
        assert (await refused(back))["data"]["code"] == Code.TOKEN_REVOKED
        while math.isinf(read_revocations(tmp_path / "b" / "state").moment_s("zoe")):  # noqa: ASYNC110
            await trio.sleep(0.02)  # the file tells nobody
        await other.enter("zoe", now_s=Clock().wall_s() + 20)


def socket_of(chat: Chat, user_id: str) -> str:
    (client,) = chat.parts.publishing.clients.of(user_id)
    return client.socket.id
