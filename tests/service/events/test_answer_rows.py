"""`answerRows`: clients get as many rows of old answers as they want, wherever these come from."""

from pathlib import Path
from typing import Any

import pytest

from tests.answers.services import HeldDatabase
from tests.service.chats import ROOM, Chat, ChatPeer, connected, message, token
from tests.service.events.test_answers import ask, called, open_answering

ROWS = 30


async def answered(peer: ChatPeer, database: HeldDatabase, rows: int = ROWS) -> Any:
    """An answer of so many rows, as the room gets it."""
    await ask(peer, f"SELECT n FROM numbers WHERE n > {len(database.calls)}")
    call = await called(database, len(database.calls) + 1)
    call.rows(*range(rows))
    call.end()
    await peer.until("chat:answer:end")
    return await peer.expect("chat:message")


def told(one: Any) -> tuple[int, int | None]:
    """How many rows a copy has, and how many it says it lacks."""
    return len(one["answer"]["rows"]), one["answer"].get("rowsOmitted")


def answers(page: Any) -> list[tuple[int, int | None]]:
    return [told(one) for one in page["messages"] if "answer" in one]


async def joined(chat: Chat, **auth: object) -> ChatPeer:
    peer = await chat.connect({"token": token("bob"), **auth})
    await connected(peer)
    await peer.expect("connection:status")
    return peer


async def test_what_connect_says_holds_for_every_room_that_is_joined(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        live = await answered(ada, database)
        assert told(live) == (ROWS, None)
        for wanted, copy in ((5, (5, 25)), (0, (0, 30)), (30, (30, None)), (None, (30, None))):
            bob = await joined(chat, answerRows=wanted)
            assert answers(await bob.expect("chat:history")) == [copy]
            await bob.emit("connection:leave", {"connectionId": ROOM})
            await bob.emit("chat:typing:stop", {"connectionId": ROOM})
            assert answers(await bob.until("chat:history")) == [copy]


async def test_a_join_may_say_otherwise(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        await answered(await chat.enter("ada"), database)
        bob = await joined(chat, answerRows=5)
        await bob.expect("chat:history")
        for asked, copy in ({"answerRows": 7}, (7, 23)), ({}, (5, 25)), ({"since": 1}, (5, 25)):
            await bob.ask("connection:join", {"connectionId": ROOM, **asked})
            assert answers(await bob.until("chat:history")) == [copy]


async def test_pages_of_the_log_and_what_is_owed_are_cut_too(tmp_path: Path) -> None:
    settings = {"messages": {"history_on_join": 2}}
    async with open_answering(tmp_path, **settings) as (chat, database):  # type: ignore[arg-type]
        ada, bob = await chat.enter("ada"), await joined(chat)
        await bob.expect("chat:history")
        await bob.call("connection:leave", {"connectionId": ROOM})
        for _ in range(4):
            await answered(ada, database)
        ack_id = await bob.ask(
            "connection:join", {"connectionId": ROOM, "answerRows": 3, "since": 0}
        )
        assert answers(await bob.until("chat:history")) == [(3, 27)] * 4
        await bob.until(ack_id)

        await bob.call("connection:leave", {"connectionId": ROOM})
        for _ in range(3):
            await answered(ada, database)
        ack_id = await bob.ask("connection:join", {"connectionId": ROOM, "answerRows": 4})
        assert answers(await bob.until("chat:history")) == [(4, 26)]
        owed: list[Any] = []
        while (packet := await bob.packet())[0] != ack_id:
            owed.append(packet[1])
        assert [told(one) for one in owed if "answer" in one] == [(4, 26)] * 6
        assert all(one["replay"] for one in owed)


async def test_pages_hits_and_messages_are_cut_as_they_are_asked_for(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        live = await answered(ada, database)
        room, cut = {"connectionId": ROOM}, {"connectionId": ROOM, "answerRows": 2}
        one = {"messageId": live["messageId"]}
        for asked, copy in ((room, (30, None)), (cut, (2, 28))):
            assert answers(await ada.call("chat:history:get", asked)) == [copy]
            found = await ada.call("chat:search", {"query": "n", "userId": f"db:{ROOM}", **asked})
            assert [told(hit["message"]) for hit in found["hits"]] == [copy]
            assert told((await ada.call("chat:message:get", asked | one))["message"]) == copy


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("connection:join", {}),
        ("chat:history:get", {}),
        ("chat:search", {"query": "n"}),
        ("chat:message:get", {"messageId": message()["messageId"]}),
    ],
)
@pytest.mark.parametrize("wanted", [-1, 1.5, "3", True])
async def test_rows_that_are_no_count_are_refused(
    chat: Chat, event: str, fields: dict[str, object], wanted: object
) -> None:
    peer = await chat.enter()
    ack = await peer.call(event, {"connectionId": ROOM, "answerRows": wanted, **fields})
    assert (ack["error"]["code"], ack["error"]["path"]) == ("invalid_payload", "answerRows")


@pytest.mark.parametrize("wanted", [-1, 1.5, "3", True, 2**60])
async def test_a_handshake_that_asks_for_no_count_gets_all_and_is_told(
    chat: Chat, wanted: object
) -> None:
    peer = await joined(chat, answerRows=wanted)
    error = await peer.expect("chat:error")
    assert (error["event"], error["code"]) == ("connection:join", "invalid_payload")
    assert error["path"] == "answerRows"
    await peer.expect("chat:history")
