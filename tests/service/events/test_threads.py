"""Threads as clients get them: with their opener, and with what was replied to it."""

from typing import Any

import pytest

from tests.service.chats import ROOM, Chat, ChatPeer, message, open_chat


async def thread(ada: ChatPeer, bob: ChatPeer) -> Any:
    """A thread of two replies, with talk around it; the id of its opener."""
    opener = message("Who knows?")
    await ada.say(message("before"))
    await ada.say(opener)
    for peer, content in ((ada, "not me"), (bob, "me")):
        await peer.say(message(content, threadId=opener["messageId"]))
    await ada.say(message("behind"))
    return opener["messageId"]


REPLIES = {"count": 2, "lastSeq": 4, "users": ["bob", "ada"]}


def replies(page: Any) -> list[tuple[int, Any]]:
    """The openers of a page, and what it says of their threads."""
    return [(one["seq"], one["replies"]) for one in page["messages"] if "replies" in one]


async def test_a_thread_comes_with_its_opener(chat: Chat) -> None:
    ada, bob = await chat.enter("ada"), await chat.enter("bob")
    opener = await thread(ada, bob)
    asked = {"connectionId": ROOM, "threadId": str(opener).upper(), "limit": 1}
    page = await ada.call("chat:history:get", asked)
    assert [one["content"] for one in page["messages"]] == ["me"]
    assert (page["root"]["messageId"], page["root"]["content"]) == (opener, "Who knows?")
    assert page["root"]["replies"] == REPLIES
    await ada.emit("chat:history:get", asked)
    assert (await ada.until("chat:history"))["root"] == page["root"]


async def test_a_page_has_no_root_and_tells_of_its_threads(chat: Chat) -> None:
    ada, bob = await chat.enter("ada"), await chat.enter("bob")
    opener = await thread(ada, bob)
    page = await ada.call("chat:history:get", {"connectionId": ROOM})
    assert replies(page) == [(2, REPLIES)]
    assert "root" not in page
    found = await ada.call("chat:search", {"query": "knows"})
    assert [hit["message"]["replies"] for hit in found["hits"]] == [REPLIES]
    asked = {"connectionId": ROOM, "messageId": opener}
    assert (await ada.call("chat:message:get", asked))["message"]["replies"] == REPLIES


@pytest.mark.parametrize("recent", [2, 4, 50])
async def test_who_joins_learns_of_threads_from_memory_and_from_the_log(
    tmp_path: Any, recent: int
) -> None:
    async with open_chat(tmp_path, messages={"history_on_join": recent}) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        await thread(ada, bob)
        joins = {"connectionId": ROOM}
        await bob.ask("connection:join", joins)
        page = await bob.until("chat:history")
        assert replies(page) == ([(2, REPLIES)] if recent >= 4 else [])
        for since, told in ((0, [(2, REPLIES)]), (1, [(2, REPLIES)]), (2, [])):
            await bob.ask("connection:join", joins | {"since": since})
            assert replies(await bob.until("chat:history")) == told
