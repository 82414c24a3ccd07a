"""`chat:message:get`: one message by its id, in rooms that the client may use."""

from uuid import uuid4

import pytest
import trio

from tests.service.chats import NO_ROOM, ROOM, Chat, in_no_room, message, token


async def test_a_message_comes_as_its_page_has_it(chat: Chat) -> None:
    ada, bob = await chat.enter("ada"), await chat.enter("bob")
    sent = message("hello <b>")
    await ada.say(sent)
    await bob.until("chat:message")
    await bob.call("chat:ack", {"messageId": sent["messageId"]})
    [shown] = (await ada.call("chat:history:get", {"connectionId": ROOM}))["messages"]
    for written in (str(sent["messageId"]), str(sent["messageId"]).upper()):
        ack = await ada.call("chat:message:get", {"connectionId": ROOM, "messageId": written})
        assert ack == {"ok": True, "message": shown}
    assert shown["status"] == "delivered"


async def test_a_message_that_was_just_sent_is_found(chat: Chat) -> None:
    ada = await chat.enter("ada")
    sent = message()
    chat.log.held = trio.Event()
    await ada.ask("chat:message", sent)
    ack_id = await ada.ask(
        "chat:message:get", {"connectionId": ROOM, "messageId": sent["messageId"]}
    )
    chat.log.held.set()
    assert (await ada.until(ack_id))["message"]["content"] == sent["content"]


async def test_a_client_needs_not_be_in_the_room(chat: Chat) -> None:
    ada = await chat.enter("ada")
    sent = message()
    await ada.say(sent)
    bob = await chat.connect({"token": token("bob"), "connectionId": NO_ROOM})
    await in_no_room(bob)
    asked = {"connectionId": ROOM, "messageId": sent["messageId"]}
    assert (await bob.call("chat:message:get", asked))["message"]["userId"] == "ada"
    await bob.quiet()


async def test_a_message_elsewhere_is_not_found_and_neither_is_none(chat: Chat) -> None:
    ada = await chat.enter("ada", ["stock"])
    sent = message(room="stock")
    await ada.say(sent)
    bob = await chat.enter("bob", [ROOM])
    for message_id in (sent["messageId"], str(uuid4())):
        ack = await bob.call("chat:message:get", {"connectionId": ROOM, "messageId": message_id})
        assert (ack["error"]["code"], ack["error"]["path"]) == ("not_found", "messageId")
        error = await bob.call(
            "chat:message:get", {"connectionId": "stock", "messageId": message_id}
        )
        assert error["error"]["code"] == "forbidden_room"


async def test_one_id_in_two_rooms_is_two_messages(chat: Chat) -> None:
    ada, bob = await chat.enter("ada", ["stock"]), await chat.enter("bob", [ROOM])
    message_id = str(uuid4())
    await ada.say(message("theirs", room="stock", message_id=message_id))
    await bob.say(message("mine", message_id=message_id))
    found = await bob.call("chat:message:get", {"connectionId": ROOM, "messageId": message_id})
    assert (found["message"]["content"], found["message"]["messageId"]) == ("mine", message_id)


@pytest.mark.parametrize("written", ["", "7", "x" * 36, "0" * 36])
async def test_what_is_no_id_is_refused(chat: Chat, written: str) -> None:
    peer = await chat.enter()
    ack = await peer.call("chat:message:get", {"connectionId": ROOM, "messageId": written})
    assert ack["error"]["code"] == "invalid_message_id"
