"""A room is taken away from outside (a reload) while its client is on the way in, or catches up."""

from pathlib import Path

import orjson
import pytest
import trio
import trio.testing

from chatd.auth import Grant
from chatd.service.client import Client
from chatd.wire.names import ClientEvent
from tests.service.chats import NO_ROOM, ROOM, Chat, message, open_chat, token


def client_of(chat: Chat, user_id: str) -> Client:
    [client] = chat.parts.publishing.clients.of(user_id)
    return client


def take_away(chat: Chat, user_id: str, *left: str) -> None:
    grants = {room: Grant(room, None) for room in left}
    chat.parts.entering.granting.give(client_of(chat, user_id), grants)


async def test_a_join_that_the_disk_holds_up_ends_in_a_refusal(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        peer = await chat.connect({"token": token("ada"), "connectionId": NO_ROOM})
        await peer.until("chat:error")
        chat.log.held = trio.Event()
        asked = await peer.ask("connection:join", {"connectionId": ROOM})
        while not client_of(chat, "ada").rooms:
            await trio.testing.wait_all_tasks_blocked(0.001)
        take_away(chat, "ada")
        assert (await peer.expect("connection:left"))["connectionId"] == ROOM
        chat.log.held.set()
        ack = await peer.until(asked)
        assert ack["error"]["code"] == "forbidden_room"
        assert chat.parts.entering.occupancy.pairs() == set()


async def test_who_catches_up_gets_nothing_more_of_a_room_that_is_taken_away(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_chat(tmp_path, in_memory=True) as chat:
        bob = await chat.attach_and_enter(token("bob"))
        for number in range(5):
            await bob.emit("chat:message", message(f"number {number}"))
        ada = chat.attach()
        ada.transport.taking = trio.Event()  # she reads nothing yet
        async with trio.open_nursery() as nursery:
            connect = f'40{{"token":"{token("ada")}"}}'
            nursery.start_soon(ada.say, connect)
            await trio.testing.wait_all_tasks_blocked()
            take_away(chat, "ada")
            ada.transport.taking.set()
        names = [name for name, _ in ada.take_events()]
        assert names[0] == "connection:status"
        assert "chat:history" not in names
        assert "chat:message" not in names
        await bob.emit("chat:message", message("later"))
        assert "chat:message" not in [name for name, _ in ada.take_events()]


async def test_an_event_for_a_room_that_is_not_granted_any_more_joins_nothing(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        take_away(chat, "ada")
        assert await ada.expect("connection:left")
        ack = await ada.call("chat:message", message("still?"))
        assert ack["error"]["code"] == "forbidden_room"
        take_away(chat, "ada", ROOM)  # and given back
        assert (await ada.say(message("again")))["ok"]


@pytest.mark.parametrize("is_acked", [True, False], ids=["acked", "as an event"])
@pytest.mark.parametrize("event", [ClientEvent.HISTORY_GET, ClientEvent.MESSAGE_GET])
async def test_who_reads_on_late_gets_no_page_of_a_room_that_was_taken_away_meanwhile(
    tmp_path: Path, event: ClientEvent, is_acked: bool
) -> None:
    later = message("said when she was out")
    wanted = {"connectionId": ROOM, "messageId": later["messageId"]}
    asked = f"42{'7' if is_acked else ''}" + orjson.dumps([event, wanted]).decode()
    async with open_chat(tmp_path, in_memory=True) as chat:
        bob = await chat.attach_and_enter(token("bob"))
        ada = await chat.attach_and_enter(token("ada"))
        ada.take()
        ada.transport.taking = trio.Event()  # she reads nothing now
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ada.say, asked)
            await trio.testing.wait_all_tasks_blocked()
            take_away(chat, "ada")
            await bob.emit("chat:message", later)
            ada.transport.taking.set()
        told = ada.take()
        refusal = "437[" if is_acked else '42["chat:error"'
        assert any(text.startswith(refusal) and "forbidden_room" in text for text in told)
        assert later["content"] not in "".join(told)
