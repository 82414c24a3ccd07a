"""The whole chat on several nodes over one log: what clients of each see of what others say."""

from pathlib import Path
from typing import Any

import pytest
import trio

from chatd.actors.retention import Retention
from chatd.chat.order import Place
from chatd.chat.records import Message
from chatd.observe import InternalError
from chatd.postgres_store.sessions import LogAddress
from chatd.service import ordered_publisher
from chatd.service.ordered_publisher import Healed, OrderedPublisher
from tests.bus.memory_bus import Wire
from tests.postgres import Postgres
from tests.postgres_store.logs import new_address, rows_of, run_in
from tests.service.api_callers import Api
from tests.service.chats import ROOM, Chat, ChatPeer, message, token
from tests.service.nodes import open_nodes
from tests.service.streams import open_stream

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def address(postgres: Postgres) -> LogAddress:
    return new_address(postgres)


def place(content: str, message_id: object) -> dict[str, object]:
    return {"connectionId": ROOM, "messageId": message_id, "content": content}


async def heard(peer: ChatPeer, count: int) -> list[tuple[int, str]]:
    """The next messages, and nothing else but them."""
    came = [await peer.until("chat:message") for _ in range(count)]
    return [(one["seq"], one["content"]) for one in came]


@pytest.mark.parametrize("has_bus", [True, False])
async def test_messages_and_changes_of_each_node_reach_clients_of_the_other_in_order_and_once(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_bus: bool
) -> None:
    wire = Wire() if has_bus else None
    async with open_nodes(address, tmp_path, monkeypatch, wire=wire) as (one, other):
        ada, eve = await one.enter("ada"), await other.enter("eve")
        first = message("first")
        assert (await ada.call("chat:message", first))["seq"] == 1
        assert await heard(eve, 1) == [(1, "first")]
        assert (await eve.call("chat:message", message("second")))["seq"] == 2
        for number in range(3, 6):
            await ada.call("chat:message", message(f"number {number}"))
        assert [seq for seq, _ in await heard(eve, 4)] == [2, 3, 4, 5]
        edit = place("first again", first["messageId"])
        assert (await ada.call("chat:message:edit", edit))["rev"] == 1
        edited = await eve.until("chat:message:edited")
        assert (edited["seq"], edited["content"]) == (1, "first again")
        react = {"connectionId": ROOM, "messageId": first["messageId"], "emoji": ":done:"}
        assert (await eve.call("chat:message:react", react | {"on": True}))["rev"] == 2
        for peer in (ada, eve):
            assert (await peer.until("chat:message:reaction"))["rev"] == 2
        gone = {"connectionId": ROOM, "messageId": first["messageId"]}
        assert (await ada.call("chat:message:delete", gone))["rev"] == 3
        assert (await eve.until("chat:message:deleted"))["rev"] == 3
        await ada.until("chat:message:deleted")
        for peer in (ada, eve):
            await peer.quiet()
        shown = [await contents(node) for node in (one, other)]
        assert shown == [["", "second", "number 3", "number 4", "number 5"]] * 2
        if not has_bus:
            assert other.parts.publishing.fan_out.publisher.healed.total() >= 6  # type: ignore[union-attr]


async def contents(node: Chat, **auth: Any) -> list[str]:
    """What a client that comes to a node is shown of the room."""
    peer = await node.connect({"token": token("late"), **auth})
    history = await peer.until("chat:history")
    return [one["content"] for one in history["messages"]]


async def test_a_client_that_was_further_than_its_new_node_goes_on_without_a_hole(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire()
    async with open_nodes(address, tmp_path, monkeypatch, wire=wire) as (one, other):
        ada, eve = await one.enter("ada"), await other.enter("eve")
        wire.lose = lambda _topic, _payload: True
        monkeypatch.setattr(ordered_publisher, "POLL_S", 1e9)
        other.parts.publishing.fan_out.publisher._polled_s = trio.current_time()  # type: ignore[union-attr]
        for number in range(1, 4):
            await ada.say(message(f"number {number}"))
        epoch = one.parts.storage.store.epoch
        moved = await other.connect({"token": token("moved"), "since": {ROOM: 2}, "epoch": epoch})
        history = await moved.until("chat:history")
        assert "reset" not in history
        assert [one["seq"] for one in history["messages"]] == [3]
        assert (history["lastSeq"], history["lastRev"]) == (3, 0)
        assert [seq for seq, _ in await heard(eve, 3)] == [1, 2, 3]
        assert other.parts.publishing.fan_out.publisher.healed == {Healed.AHEAD: 3}  # type: ignore[union-attr]
        await eve.quiet()
        ahead = await other.connect({"token": token("ahead"), "since": {ROOM: 9}, "epoch": epoch})
        assert (await ahead.until("chat:history"))["reset"] is True


async def test_a_room_that_nobody_held_begins_with_all_that_others_said_meanwhile(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_nodes(address, tmp_path, monkeypatch, wire=Wire()) as (one, other):
        eve = await other.enter("eve")
        ada = await one.enter("ada")
        await ada.say(message("first"))
        assert await heard(eve, 1) == [(1, "first")]
        assert (await eve.call("connection:leave", {"connectionId": ROOM}))["ok"]
        assert other.parts.publishing.signals.rooms == ()  # type: ignore[union-attr]
        said = message("second")
        await ada.say(said)
        edit = place("second again", said["messageId"])
        assert (await ada.call("chat:message:edit", edit))["ok"]
        assert await contents(other) == ["first", "second again"]
        assert other.parts.publishing.signals.rooms == (ROOM,)  # type: ignore[union-attr]
        assert other.parts.publishing.timelines.last_rev(ROOM) == 1


async def test_a_client_is_told_how_far_rooms_are_that_are_not_published_so_far(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_nodes(address, tmp_path, monkeypatch, 1) as (one,):
        timelines = one.parts.publishing.timelines
        ada = await one.enter("ada")
        await ada.say(message("first"))
        run_in(address, "INSERT INTO chatd.rooms (connection_id, last_seq) VALUES ('other', 4)")
        eve = await one.connect({"token": token("eve", [ROOM, "other", "third"])})
        rooms = (await eve.until("connection:status"))["rooms"]
        assert [(room["lastSeq"], room["lastRev"]) for room in rooms] == [(1, 0), (4, 0), (0, 0)]
        assert (await eve.until("chat:history"))["lastSeq"] == 1
        timelines.note_heads({ROOM: Place(0, 0)})
        assert timelines.head(ROOM) == Place(1, 0)


async def test_what_other_nodes_stored_is_acknowledged_wholly(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_nodes(address, tmp_path, monkeypatch, wire=Wire()) as (one, other):
        ada, eve = await one.enter("ada"), await other.enter("eve")
        await eve.say(message("zero"))
        await ada.until("chat:message")
        for number in range(1, 4):
            last = await ada.say(message(f"number {number}"))
        await heard(eve, 3)
        ack = {"messageId": last["messageId"], "upTo": True}
        assert (await eve.call("chat:ack", ack))["ok"]
    found = rows_of(address, "SELECT seq, delivered_by FROM messages ORDER BY seq")
    assert found == [(1, None), (2, "eve"), (3, "eve"), (4, "eve")]


async def test_streams_over_http_hold_rooms_too(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire()
    async with open_nodes(address, tmp_path, monkeypatch, wire=wire) as (one, other):
        ada = await one.enter("ada")
        await ada.say(message("first"))
        epoch = one.parts.storage.store.epoch
        stream = await open_stream(other, token("eve"))
        opened = await stream.expect("stream:open")
        assert (opened["lastSeq"], opened["resumed"]) == (1, False)
        await ada.say(message("second"))
        assert (await stream.expect("chat:message"))["content"] == "second"
        wire.lose = lambda _topic, _payload: True
        await ada.say(message("third"))
        moved = await open_stream(other, token("moved"), last_id=f"{epoch}:3")
        assert (await moved.expect("stream:open"))["resumed"] is True
        assert (await stream.expect("chat:message"))["content"] == "third"


async def test_what_is_said_over_http_on_a_node_where_nobody_is_reaches_the_room(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_nodes(address, tmp_path, monkeypatch, wire=Wire()) as (one, other):
        ada = await one.enter("ada")
        for number in range(1, 4):
            said = await Api(other, token("eve")).say(f"number {number}")
            assert said["seq"] == number
        assert await heard(ada, 3) == [(seq, f"number {seq}") for seq in range(1, 4)]
        assert other.parts.publishing.fan_out.publisher.rooms == 0  # type: ignore[union-attr]
        assert await contents(other) == ["number 1", "number 2", "number 3"]
        found = await Api(other, token("eve")).ask("GET", "messages")
        assert len(found.json()["messages"]) == 3


async def test_what_retention_removes_on_one_node_no_other_one_shows(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = open_nodes(address, tmp_path, monkeypatch, messages={"keep_per_room": 2})
    async with opening as (one, other):
        ada, _eve = await one.enter("ada"), await other.enter("eve")
        for number in range(1, 6):
            await ada.say(message(f"number {number}"))
        [retention] = [
            one for one in one.parts.maintenance.upkeep._removals if isinstance(one, Retention)
        ]
        await retention.run()
        with trio.fail_after(60):
            while other.parts.publishing.timelines.first_seq(ROOM) != 4:  # noqa: ASYNC110 - of a poll
                await trio.sleep(0.01)
        assert await contents(other) == ["number 4", "number 5"]


async def test_what_one_node_erases_is_gone_on_the_others_too(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_nodes(address, tmp_path, monkeypatch, wire=Wire()) as (one, other):
        ada, eve, bob = await one.enter("ada"), await one.enter("eve"), await other.enter("bob")
        await ada.say(message("hello @eve"))
        await eve.say(message("gooseberry"))
        await heard(bob, 2)
        assert other.parts.publishing.timelines._timelines[ROOM].recent[0][0].mentions == ("eve",)
        await one.parts.operators.erasures.erase_user("eve", "uid:0")
        assert (await bob.until("chat:message:deleted"))["seq"] == 2
        with trio.fail_after(60):
            while other.parts.publishing.timelines._timelines[ROOM].recent[0][0].mentions:  # noqa: ASYNC110
                await trio.sleep(0.01)
        assert await contents(other) == ["hello @eve", ""]
        other.parts.publishing.signals._bus.publish("v:", b'[1,1,"x","erased",[1,2]]')  # type: ignore[union-attr]
        other.parts.publishing.signals._bus.publish("v:", b'[1,1,"x","erased",[]]')  # type: ignore[union-attr]


async def test_a_room_that_one_node_deletes_is_deleted_wholly_and_left_everywhere(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_nodes(address, tmp_path, monkeypatch, wire=Wire()) as (one, other):
        ada, bob = await one.enter("ada"), await other.enter("bob")
        await ada.say(message("first"))
        for number in range(3):
            await bob.say(message(f"number {number}"))
        erased = await one.parts.operators.erasures.delete_room(ROOM, "uid:0")
        assert erased.messages == 4
        assert (await bob.until("connection:left"))["code"] == "room_deleted"
        assert rows_of(address, "SELECT * FROM messages") == []


async def test_an_actor_that_was_started_again_shows_what_it_had_committed(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_nodes(address, tmp_path, monkeypatch, wire=Wire()) as (one, other):
        one.faults_expected = True
        ada, eve = await one.enter("ada"), await other.enter("eve")
        await ada.say(message("first"))
        assert await heard(eve, 1) == [(1, "first")]
        publish, crashes = OrderedPublisher.publish, 1

        def crash(self: OrderedPublisher, message: Message) -> None:
            nonlocal crashes
            if crashes:
                crashes -= 1
                raise ValueError
            publish(self, message)

        monkeypatch.setattr(OrderedPublisher, "publish", crash)
        await ada.emit("chat:message", message("second"))
        for peer in (ada, eve):
            assert await heard(peer, 1) == [(2, "second")]
        assert one.recorder.of(InternalError)
        await ada.say(message("third"))
        assert await heard(eve, 1) == [(3, "third")]
        for peer in (ada, eve):
            await peer.quiet()


async def test_a_log_that_has_lost_its_end_gets_one_other_epoch_and_both_nodes_end(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_nodes(address, tmp_path, monkeypatch) as (one, other):
        ada, _eve = await one.enter("ada"), await other.enter("eve")
        await ada.say(message("first"))
        await ada.say(message("second"))
        run_in(address, "DELETE FROM chatd.messages WHERE seq = 2")
        run_in(address, "UPDATE chatd.rooms SET last_seq = 1")
        for node in (one, other):
            with trio.fail_after(60):
                await node.parts.storage.starts_over.wait()
        [(epoch,)] = rows_of(address, "SELECT epoch FROM meta")
        assert epoch != one.parts.storage.store.epoch == other.parts.storage.store.epoch
