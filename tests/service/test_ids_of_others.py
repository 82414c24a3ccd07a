"""What a messageId tells of rooms that its sender may not read: nothing.

Each test does the same with the id of a message of theirs and with a fresh one.
"""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.service.chats import ROOM, Chat, ChatPeer, message, open_chat
from tests.service.events.test_answers import SQL, ask, called, open_answering

SECRET = "secret"


async def theirs(chat: Chat) -> str:
    """The id of a message in a room of which eve knows nothing."""
    bob = await chat.enter("bob", [SECRET])
    said = message("nobody else's business", room=SECRET)
    assert (await bob.say(said))["ok"]
    return str(said["messageId"])


async def sent(peer: ChatPeer, said: dict[str, object]) -> list[Any]:
    """All that the sender is told of a message, but for what differs between any two."""
    ack_id = await peer.ask("chat:message", said)
    told: list[Any] = [await peer.packet()]
    while told[-1][0] != ack_id:
        told.append(await peer.packet())
    ack = told[-1][1]
    if "duplicate" not in ack:
        told.append(await peer.packet("chat:message" if ack["ok"] else "chat:message:error"))
    return [_bare(name, payload, said) for name, payload in told]


def _bare(name: object, payload: Any, said: dict[str, object]) -> object:
    message_id = str(said["messageId"]).lower()
    assert payload.get("messageId", message_id) == message_id
    fields = {key for key in payload if key not in ("timestamp", "seq")}
    return (name if isinstance(name, str) else "ack"), fields, payload.get("error")


@pytest.mark.parametrize("is_recent", [True, False])
async def test_the_id_of_their_message_is_taken_as_a_fresh_one_is(
    tmp_path: Path, is_recent: bool
) -> None:
    rooms = [ROOM, "stock"]
    async with open_chat(tmp_path) as chat:
        their_id = await theirs(chat)
        if is_recent:
            await use_it(chat, their_id, rooms)
    if not is_recent:
        async with open_chat(tmp_path) as chat:
            await use_it(chat, their_id, rooms)
    async with open_chat(tmp_path) as chat:  # and what was made of it is found by it
        eve = await chat.enter("eve", rooms)
        ack = await eve.call("chat:message", message("one", message_id=their_id))
        assert ack["duplicate"] is True
        other = await eve.call("chat:message", message("two", message_id=their_id))
        assert other["error"]["code"] == "message_id_conflict"
        bob = await chat.enter("bob", [SECRET])
        history = await bob.call("chat:history:get", {"connectionId": SECRET})
        assert [one["messageId"] for one in history["messages"]] == [their_id]


async def use_it(chat: Chat, their_id: str, rooms: list[str]) -> None:
    eve, mallory = await chat.enter("eve", rooms), await chat.enter("mallory", [ROOM])
    told = []
    for message_id in (str(uuid4()), their_id):
        said = message("one", message_id=message_id)
        told.append(
            [
                await sent(eve, said),
                await sent(eve, said),
                await sent(eve, {**said, "messageId": message_id.upper()}),
                await sent(eve, {**said, "content": "two"}),
                await sent(eve, {**said, "connectionId": "stock"}),
                await mallory.until("chat:message"),
                await sent(mallory, said),
                await mallory.call("chat:ack", {"messageId": message_id}),
                await eve.until("chat:message:status"),
                await eve.call("chat:message", message("re", threadId=message_id)),
                await eve.until("chat:message"),
                await eve.call("chat:history:get", {"connectionId": ROOM, "threadId": message_id}),
            ]
        )
        assert (await mallory.until("chat:message"))["content"] == "re"
        assert told[-1][5]["messageId"] == told[-1][8]["messageId"] == message_id
        [reply] = told[-1][11]["messages"]
        assert (reply["content"], reply["threadId"]) == ("re", message_id)
    assert told[0][:5] == told[1][:5]
    assert told[0][6:8] == told[1][6:8]


async def test_whoever_may_read_their_message_is_told_of_the_conflict(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        their_id = await theirs(chat)
        ada = await chat.enter("ada", [ROOM, SECRET])
        ack = await ada.call("chat:message", message(message_id=their_id))
        assert ack["error"]["code"] == "message_id_conflict"


@pytest.mark.parametrize("is_recent", [True, False])
async def test_who_reads_both_rooms_says_of_which_message_an_ack_is(
    tmp_path: Path, is_recent: bool
) -> None:
    async with open_chat(tmp_path) as chat:
        their_id = await theirs(chat)
        eve = await chat.enter("eve")
        assert (await eve.say(message(message_id=their_id)))["ok"]
        ada = await chat.enter("ada", [ROOM, SECRET])
        if not is_recent:
            for room in (ROOM, SECRET):
                await ada.call("connection:leave", {"connectionId": room})
        for room in (ROOM, SECRET):
            ack = await ada.call("chat:ack", {"messageId": their_id, "connectionId": room})
            assert ack == {"ok": True}
            receipts = await chat.store.readers.undelivered(room, "ada", 1, 1, 1)
            assert receipts == (), room
        elsewhere = await eve.call("chat:ack", {"messageId": their_id, "connectionId": SECRET})
        assert elsewhere["error"]["code"] == "forbidden_room"


async def test_their_message_costs_a_token_as_a_new_one_does(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits={"user_messages_per_minute": 2}) as chat:
        their_id = await theirs(chat)
        eve = await chat.enter("eve")
        for message_id in (str(uuid4()), their_id):
            assert (await eve.say(message(message_id=message_id)))["ok"]
        again = await eve.call("chat:message", message("x", message_id=their_id))
        assert again["error"]["code"] == "message_id_conflict"  # her own, by now
        other = await theirs_again(chat)
        for message_id in (str(uuid4()), other):
            ack = await eve.call("chat:message", message(message_id=message_id))
            assert ack["error"]["code"] == "rate_limited"


async def theirs_again(chat: Chat) -> str:
    carol = await chat.enter("carol", [SECRET])
    said = message("more of it", room=SECRET)
    assert (await carol.say(said))["ok"]
    return str(said["messageId"])


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("chat:ack", {}),
        ("chat:ack", {"upTo": True}),
        ("answer:cancel", {}),
        ("chat:history:get", {"connectionId": ROOM}),
        ("chat:message", {"connectionId": ROOM, "content": "re"}),
    ],
    ids=str,
)
async def test_no_event_tells_their_id_from_one_that_nobody_has(
    tmp_path: Path, event: str, payload: dict[str, object]
) -> None:
    async with open_chat(tmp_path) as chat:
        their_id = await theirs(chat)
        eve = await chat.enter("eve")
        told = []
        for message_id in (str(uuid4()), their_id):
            named: dict[str, object] = {"messageId": message_id}
            if event == "chat:history:get":
                named = {"threadId": message_id}
            elif event == "chat:message":
                named = {"messageId": str(uuid4()), "threadId": message_id}
            told.append(await eve.call(event, payload | named))
        assert told[0] == told[1]
        assert told[0]["error"]["code"] in ("not_found", "unknown_thread")


async def test_their_open_question_is_looked_for_like_one_that_is_not_there(
    tmp_path: Path,
) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        question = await ask(ada)
        call = await called(database)
        eve = await chat.enter("eve", ["stock"])
        told = [
            await eve.call("answer:cancel", {"messageId": message_id})
            for message_id in (str(uuid4()), question)
        ]
        assert told[0] == told[1]
        call.end()
        await ada.until("chat:answer:end")


async def test_a_question_of_their_id_is_answered_and_cancelled_by_it(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        their_id = await theirs(chat)
        eve = await chat.enter("eve")
        assert (await eve.call("chat:message", message(SQL, message_id=their_id)))["ok"]
        await called(database)
        start = await eve.until("chat:answer:start")
        assert start["replyTo"] == their_id
        late = await chat.enter("bob")
        assert (await late.until("chat:answer:start"))["replyTo"] == their_id
        assert (await eve.call("answer:cancel", {"messageId": their_id}))["state"] == "cancelled"
        history = await eve.call("chat:history:get", {"connectionId": ROOM})
        asked, answer = history["messages"]
        assert (asked["messageId"], answer["replyTo"]) == (their_id, their_id)
        again = await eve.call("answer:cancel", {"messageId": their_id})
        assert again["state"] == "cancelled"
