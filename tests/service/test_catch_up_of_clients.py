"""A client that comes back gets what it missed, in order, once, or learns what it cannot get."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import trio

from chatd.chat.queue import QUEUE_MAX
from chatd.net.disconnects import DisconnectReason
from tests.service.chats import ROOM, Chat, ChatPeer, connected, message, open_chat, token

FREE = {
    "user_messages_per_minute": 1e9,
    "socket_messages_per_minute": 1e9,
    "room_messages_per_minute": 1e9,
    "user_changes_per_minute": 1e9,
    "socket_events_per_minute": 1e9,
}
SMALL = {"history_on_join": 2, "history_page": 3}


def seqs(messages: Iterable[dict[str, Any]]) -> list[int]:
    return [one["seq"] for one in messages]


async def write(peer: ChatPeer, count: int) -> list[str]:
    """Send so many messages; their ids."""
    ids = []
    for number in range(count):
        sent = message(f"message {number}")
        ids.append(str(sent["messageId"]))
        assert (await peer.say(sent))["ok"]
    return ids


async def go(peer: ChatPeer) -> None:
    """Hang up, and return when the server has."""
    await peer.peer.send("1")
    await peer.ended()


async def come(
    chat: Chat, user_id: str = "bob", rooms: Sequence[str] = (ROOM,), **auth: object
) -> tuple[ChatPeer, dict[str, Any]]:
    """Connect; the peer, and the status that it is told."""
    peer = await chat.connect({"token": token(user_id, rooms), **auth})
    peer.passes_over = frozenset({"presence:update"})
    await connected(peer)
    return peer, await peer.expect("connection:status")


async def all_told(peer: ChatPeer) -> list[tuple[Any, Any]]:
    """Everything that the peer was told by now."""
    ack_id = await peer.ask("connection:leave", {"connectionId": "a room that is not there"})
    told = []
    while (packet := await peer.packet())[0] != ack_id:
        told.append(packet)
    return told


async def test_what_came_while_nobody_was_there_is_owed_and_replayed_in_order(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        await go(await chat.enter("bob"))
        ada = await chat.enter("ada")
        await write(ada, 5)
        bob, status = await come(chat)
        [room] = status["rooms"]
        assert (room["connectionId"], room["lastSeq"], room["owed"]) == (ROOM, 5, 5)
        told = await all_told(bob)
        assert [name for name, _ in told] == [
            "presence:snapshot",
            "chat:history",
            "chat:message",
            "chat:message",
            "chat:message",
        ]
        assert seqs(told[1][1]["messages"]) == [4, 5]
        assert [(one["seq"], one["replay"]) for _, one in told[2:]] == [
            (n, True) for n in (1, 2, 3)
        ]
        await write(ada, 1)
        live = await bob.expect("chat:message")
        assert (live["seq"], "replay" in live) == (6, False)


async def test_who_was_there_is_owed_nothing(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        bob, ada = await chat.enter("bob"), await chat.enter("ada")
        await write(ada, 3)
        await go(bob)
        _, status = await come(chat)
        assert status["rooms"][0]["owed"] == 0


async def test_an_acknowledgement_counts_for_the_user_on_every_device_and_after_a_restart(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        await go(await chat.enter("bob"))
        ids = await write(await chat.enter("ada"), 6)
        bob, _ = await come(chat)
        assert await bob.call("chat:ack", {"messageId": ids[1]}) == {"ok": True}
        assert await bob.call("chat:ack", {"messageId": ids[3], "upTo": True}) == {"ok": True}
        _, status = await come(chat)
        assert status["rooms"][0]["owed"] == 2
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        bob, status = await come(chat)
        assert status["rooms"][0]["owed"] == 2
        told = await all_told(bob)
        assert [name for name, _ in told] == ["presence:snapshot", "chat:history"]


async def test_one_device_in_the_room_is_enough_for_a_user_to_be_owed_nothing(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        one, other = await chat.enter("bob"), await chat.enter("bob")
        ada = await chat.enter("ada")
        await go(one)
        await write(ada, 1)
        await go(other)
        await write(ada, 1)
        _, status = await come(chat)
        assert status["rooms"][0]["owed"] == 1


async def test_the_author_is_told_once_that_a_message_was_delivered(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, other_device = await chat.enter("ada"), await chat.enter("ada")
        bob, cyd = await chat.enter("bob"), await chat.enter("cyd")
        first, second, third = await write(ada, 3)
        await bob.call("chat:ack", {"messageId": first})
        await cyd.call("chat:ack", {"messageId": first})
        await ada.call("chat:ack", {"messageId": second})
        await cyd.call("chat:ack", {"messageId": third, "upTo": True})
        told = [it for name, it in await all_told(other_device) if name == "chat:message:status"]
        assert told == [
            {"messageId": one, "connectionId": ROOM, "status": "delivered", "by": by}
            for one, by in ((first, "bob"), (second, "cyd"), (third, "cyd"))
        ]
        newcomer, _ = await come(chat, "dan")
        history = await newcomer.until("chat:history")
        assert [one["status"] for one in history["messages"]] == ["delivered"] * 3
        page = await newcomer.call("chat:history:get", {"connectionId": ROOM})
        assert [one["status"] for one in page["messages"]] == ["delivered"] * 3


async def test_receipts_go_back_beyond_what_lies_in_memory(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        await go(await chat.enter("bob"))
        ids = await write(await chat.enter("ada"), 5)
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        ada = await chat.enter("ada")
        bob, _ = await come(chat)
        await bob.call("chat:ack", {"messageId": ids[0]})
        await bob.call("chat:ack", {"messageId": ids[3], "upTo": True})
        told = [it for name, it in await all_told(ada) if name == "chat:message:status"]
        assert [it["messageId"] for it in told] == ids[:4]


async def test_since_gives_everything_after_it_in_pages(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        ada = await chat.enter("ada")
        await write(ada, 9)
        epoch = chat.store.epoch
        bob, status = await come(chat, since={ROOM: 1}, epoch=epoch)
        assert status["resumed"] is True
        told = await all_told(bob)
        assert [name for name, _ in told] == ["presence:snapshot", *["chat:history"] * 3]
        pages = [page for _, page in told[1:]]
        assert [seqs(page["messages"]) for page in pages] == [[2, 3, 4], [5, 6, 7], [8, 9]]
        assert [page["hasMore"] for page in pages] == [True, True, False]
        assert all(page["firstSeq"] == 1 and page["lastSeq"] == 9 for page in pages)
        assert not any("reset" in page for page in pages)
        await write(ada, 1)
        assert (await bob.expect("chat:message"))["seq"] == 10


async def test_a_room_without_a_since_takes_it_from_no_other_room(tmp_path: Path) -> None:
    """One null made the client start over everywhere."""
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        await write(await chat.enter("ada"), 9)
        bob, status = await come(chat, since={ROOM: 6, "stock": None}, epoch=chat.store.epoch)
        assert status["resumed"] is True
        told = await all_told(bob)
        assert [name for name, _ in told] == ["presence:snapshot", "chat:history"]
        assert seqs(told[1][1]["messages"]) == [7, 8, 9]
        cyd, status = await come(chat, "cyd", since={ROOM: None}, epoch=chat.store.epoch)
        assert status["resumed"] is False
        told = await all_told(cyd)
        assert [name for name, _ in told] == ["presence:snapshot", "chat:history"]
        assert seqs(told[1][1]["messages"]) == [8, 9]


async def test_since_the_newest_gives_one_empty_page(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        ada = await chat.enter("ada")
        await write(ada, 3)
        ack_id = await ada.ask(
            "connection:join", {"connectionId": ROOM, "since": 3, "epoch": chat.store.epoch}
        )
        await ada.expect("presence:snapshot")
        page = await ada.expect("chat:history")
        assert (page["messages"], page["hasMore"]) == ([], False)
        joined = await ada.expect(ack_id)
        assert joined == {
            "ok": True,
            "connectionId": ROOM,
            "lastSeq": 3,
            "epoch": chat.store.epoch,
        }


@pytest.mark.parametrize(
    ("since", "epoch"), [(1, "another"), (4, None), (2**53 - 1, None)], ids=str
)
async def test_a_client_of_another_log_or_ahead_of_it_starts_over(
    tmp_path: Path, since: int, epoch: str | None
) -> None:
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        await write(await chat.enter("ada"), 3)
        bob, _ = await come(chat, since={ROOM: since}, epoch=epoch or chat.store.epoch)
        history = await bob.until("chat:history")
        assert history["reset"] is True
        assert seqs(history["messages"]) == [2, 3]


async def test_what_is_owed_from_before_since_is_replayed_beside_the_pages(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        await go(await chat.enter("bob"))
        await write(await chat.enter("ada"), 6)
        bob, _ = await come(chat, since={ROOM: 4}, epoch=chat.store.epoch)
        told = await all_told(bob)
        assert seqs(told[1][1]["messages"]) == [5, 6]
        assert [one["seq"] for name, one in told if name == "chat:message"] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("auth", "path"),
    [
        ({"since": [1]}, "since"),
        ({"since": {ROOM: "1"}}, "since"),
        ({"since": {ROOM: -1}}, "since"),
        ({"since": {ROOM: True}}, "since"),
        ({"since": {ROOM: 1}, "epoch": 7}, "epoch"),
    ],
    ids=str,
)
async def test_a_since_that_cannot_be_read_is_told_and_passed_over(
    tmp_path: Path, auth: dict[str, object], path: str
) -> None:
    async with open_chat(tmp_path) as chat:
        bob, status = await come(chat, **auth)
        assert status["resumed"] is False
        error = await bob.expect("chat:error")
        assert error["code"] == "invalid_payload"
        await bob.until("chat:history")


async def test_nothing_is_missing_and_nothing_comes_twice_while_others_go_on_writing(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        await go(await chat.enter("bob"))
        ada = await chat.enter("ada")
        await write(ada, 120)
        epoch = chat.store.epoch
        got: dict[str, list[int]] = {"since": [], "owed": []}

        async def follow(kind: str, peer: ChatPeer) -> None:
            last = 0
            while last < 200:
                name, payload = await peer.packet()
                if name == "chat:history":
                    got[kind] += seqs(payload["messages"])
                elif name == "chat:message":
                    got[kind].append(payload["seq"])
                last = max([0, *got[kind]])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write, ada, 80)
            since, _ = await come(chat, "cyd", since={ROOM: 10}, epoch=epoch)
            owed, _ = await come(chat, "bob")
            nursery.start_soon(follow, "since", since)
            nursery.start_soon(follow, "owed", owed)
        assert got["since"] == list(range(11, 201))
        assert sorted(got["owed"]) == list(range(1, 201))


async def test_what_is_too_much_falls_out_of_the_queue_and_is_told_once(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        await go(await chat.enter("bob"))
        ada = await chat.enter("ada")
        for number in range(QUEUE_MAX + 5):
            await ada.ask("chat:message", message(f"message {number}"))
        while (await ada.until("chat:message"))["seq"] < QUEUE_MAX + 5:
            pass
        bob, status = await come(chat)
        assert status["rooms"][0]["owed"] == QUEUE_MAX
        told = await all_told(bob)
        assert [name for name, _ in told[:3]] == [
            "presence:snapshot",
            "chat:history",
            "queue:overflow",
        ]
        assert told[2][1] == {"connectionId": ROOM, "fromSeq": 1, "toSeq": 5}
        carried = seqs(told[1][1]["messages"])
        replayed = [one["seq"] for name, one in told if name == "chat:message"]
        assert replayed + carried == list(range(6, QUEUE_MAX + 6))
        again, _ = await come(chat)
        assert "queue:overflow" not in [name for name, _ in await all_told(again)]


async def test_who_goes_before_it_is_told_what_fell_out_is_told_the_next_time(
    tmp_path: Path,
) -> None:
    """All rooms of a connect were taken for told, though they come one after the other."""
    rooms = ["a first one", ROOM]
    async with open_chat(tmp_path, limits=FREE) as chat:
        await go(await chat.enter("bob", rooms))
        ada = await chat.enter("ada", rooms)
        for room in rooms:
            for number in range(QUEUE_MAX // 2 + 5):
                await ada.ask("chat:message", message(f"message {number}", room=room))
            while (await ada.until("chat:message"))["seq"] < QUEUE_MAX // 2 + 5:
                pass
        peer = chat.attach()
        stuck = trio.Event()

        async def drained() -> None:
            if not chat.parts.messages.machine.members.freeze()[ROOM]["bob"].is_away:
                await stuck.wait()  # it has joined, and takes nothing more

        peer.transport.drained = drained  # type: ignore[method-assign]
        connect = "40" + orjson.dumps({"token": token("bob", rooms)}).decode()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.say, connect)
            while not stuck.statistics().tasks_waiting:
                await trio.lowlevel.checkpoint()
            peer.session.lost(DisconnectReason.TRANSPORT_CLOSE)
            stuck.set()
        bob, _ = await come(chat, rooms=rooms)
        told = [payload for name, payload in await all_told(bob) if name == "queue:overflow"]
        assert [(one["connectionId"], one["fromSeq"], one["toSeq"]) for one in told] == [
            (rooms[0], 1, 10)
        ]


async def test_a_member_that_the_directory_gives_the_room_no_more_is_owed_nothing(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        await go(await chat.enter("bob"))
        without = await chat.connect({"token": token("bob", ["another"])})
        await connected(without)
        await without.until("chat:history")
        await go(without)
        await write(await chat.enter("ada"), 2)
        _, status = await come(chat)
        assert status["rooms"][0]["owed"] == 0


async def test_a_second_join_of_the_same_socket_gives_the_room_once_more_and_no_gap(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        ada = await chat.enter("ada")
        await write(ada, 4)
        assert (await ada.call("connection:join", {"connectionId": ROOM, "since": 1}))["ok"]
        sent = await ada.call("chat:message", message())
        assert sent["seq"] == 5
        assert [it["seq"] for name, it in await all_told(ada) if name == "chat:message"] == [5]


async def test_nothing_that_a_joiner_is_shown_counts_as_its_backlog(chat: Chat) -> None:
    ada = await chat.enter("ada")
    await ada.say(message())
    await ada.call("chat:typing:start", {"connectionId": ROOM})
    bob = await chat.attach_and_enter(token("bob"))
    shown = [text for text in bob.take() if text.startswith("42") and "connection:" not in text]
    assert len(shown) == 3
    assert bob.transport.allowed >= sum(map(len, shown))


async def test_what_is_replayed_says_whether_it_was_delivered(tmp_path: Path) -> None:
    """It said sent, where the history said delivered."""
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        await go(await chat.enter("bob"))
        ids = await write(await chat.enter("ada"), 4)
        cyd = await chat.enter("cyd")
        assert await cyd.call("chat:ack", {"messageId": ids[0]}) == {"ok": True}
        bob, _ = await come(chat)
        told = [one for name, one in await all_told(bob) if name == "chat:message"]
        assert [(one["seq"], one["status"]) for one in told] == [(1, "delivered"), (2, "sent")]
