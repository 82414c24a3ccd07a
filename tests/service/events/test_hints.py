"""The ack of a message says whether it is read for a question; what is read ends in one of two."""

from pathlib import Path
from typing import Any

import pytest

from tests.service.chats import ROOM, ChatPeer, message, open_chat
from tests.service.events.test_answers import OTHER, called, open_answering, open_reading
from tests.service.test_catch_up_of_clients import FREE, come, go

PLAIN = "Select the best one, please."
NEAR = "drop table reservations"


async def hint_of(peer: ChatPeer, asked: dict[str, object]) -> dict[str, Any]:
    """The hint that a peer gets for a message."""
    hint: dict[str, Any] = await peer.until("chat:hint")
    assert hint.pop("messageId") == asked["messageId"]
    assert hint.pop("connectionId") == asked["connectionId"]
    return hint


async def hears_no_hint(peer: ChatPeer) -> None:
    """A peer gets no hint before what comes next."""
    peer.passes_over -= {"chat:hint"}
    ack_id = await peer.ask("connection:leave", {"connectionId": "a room that is not there"})
    while (name := (await peer.packet())[0]) != ack_id:
        assert name != "chat:hint"


@pytest.mark.parametrize(
    ("content", "question", "end"),
    [
        ("How many orders came in today?", False, None),
        ("/etc/hosts", False, None),
        (PLAIN, True, {"code": "talk"}),
        (
            NEAR,
            True,
            {
                "code": "near_sql",
                "message": "This was taken as talk. Send it with /sql to run it.",
            },
        ),
        (
            "/tabels",
            True,
            {
                "code": "unknown_command",
                "message": "There is no /tabels; did you mean /tables? "
                "/help says what can be asked.",
            },
        ),
        ("SELECT n FROM numbers", True, None),
        ("SELECT * FORM numbers", True, None),
    ],
)
async def test_the_ack_says_whether_the_message_is_read(
    tmp_path: Path, content: str, question: bool, end: dict[str, object] | None
) -> None:
    async with open_answering(tmp_path) as (chat, database):
        database.at_once = lambda call: call.end()
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        asked = message(content)
        ack = await ada.call("chat:message", asked)
        assert (ack["ok"], ack["question"]) == (True, question)
        if end is not None:
            assert await hint_of(ada, asked) == end
        elif question:
            assert (await ada.until("chat:answer:start"))["replyTo"] == asked["messageId"]
            await ada.until("chat:answer:end")
        await hears_no_hint(ada)
        await hears_no_hint(bob)


async def test_a_hint_goes_to_each_socket_of_its_sender(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, _):
        ada, phone, bob = await chat.enter("ada"), await chat.enter("ada"), await chat.enter("bob")
        asked = message(PLAIN)
        assert (await ada.call("chat:message", asked))["ok"]
        for peer in (ada, phone):
            assert await hint_of(peer, asked) == {"code": "talk"}
        await hears_no_hint(bob)
        page = await ada.call("chat:history:get", {"connectionId": ROOM})
        assert [one["content"] for one in page["messages"]] == [PLAIN]


async def test_a_message_that_is_sent_again_has_the_same_question(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        for content, question in ((PLAIN, True), ("hello", False), ("SELECT n FROM t", True)):
            asked = message(content)
            for _ in range(3):
                ack = await ada.call("chat:message", asked)
                assert ack["question"] is question, ack
                if content == PLAIN:
                    assert await hint_of(ada, asked) == {"code": "talk"}
        (await called(database)).end()
        await ada.until("chat:answer:end")
        assert len(database.calls) == 1
        await hears_no_hint(ada)


async def test_a_room_without_a_database_says_so_to_who_asks(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, _):
        ada = await chat.enter("ada", [ROOM, OTHER])
        for content in ("/tables", "SELECT * FROM orders", "```sql\nselect 1\n```"):
            asked = message(content, room=OTHER)
            assert (await ada.call("chat:message", asked))["question"] is True
            assert (await hint_of(ada, asked))["code"] == "no_database"
        for content in (PLAIN, "/shrug", "With best regards"):
            assert (await ada.call("chat:message", message(content, room=OTHER)))[
                "question"
            ] is False
        await hears_no_hint(ada)


async def test_where_nobody_answers_at_all_it_is_said_too(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=dict(FREE)) as chat:
        ada = await chat.enter("ada")
        asked = message("/tables")
        assert (await ada.call("chat:message", asked))["question"] is True
        assert (await hint_of(ada, asked))["code"] == "no_database"


async def test_a_hint_waits_for_nobody_who_is_gone(tmp_path: Path) -> None:
    async with open_reading(tmp_path) as (chat, _, reader):
        ada = await chat.enter("ada")
        asked = message(PLAIN)
        assert (await ada.call("chat:message", asked))["question"] is True
        await go(ada)
        back, _ = await come(chat, "ada")
        reader.release()
        assert await hint_of(back, asked) == {"code": "talk"}
