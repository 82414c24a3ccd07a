"""Retention as people see it: what is removed is gone everywhere, and nobody is owed it."""

from pathlib import Path

import pytest
import trio

from chatd.app import upkeep
from chatd.store import CommitFailed
from chatd.wire.codes import Code
from tests.service.chats import ROOM, Chat, message, open_chat
from tests.service.test_catch_up_of_clients import FREE, all_told, come, go, seqs, write
from tests.store.logs import last_page

KEPT = 3


async def removed(chat: Chat) -> None:
    """Run retention to its end."""
    await chat.parts.maintenance.upkeep._removals[0].run()


async def test_only_so_many_messages_of_a_room_stay(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE, messages={"keep_per_room": KEPT}) as chat:
        ada = await chat.enter("ada")
        ids = await write(ada, 8)
        await removed(chat)
        page = await ada.call("chat:history:get", {"connectionId": ROOM})
        assert (seqs(page["messages"]), page["firstSeq"], page["hasMore"]) == ([6, 7, 8], 6, False)
        hits = (await ada.call("chat:search", {"query": "message"}))["hits"]
        assert sorted(hit["message"]["seq"] for hit in hits) == [6, 7, 8]
        bob, _ = await come(chat)
        told = dict(await all_told(bob))
        assert seqs(told["chat:history"]["messages"]) == [6, 7, 8]
        assert told["chat:history"]["firstSeq"] == 6
        await ada.say(message("again"))
        assert (await bob.until("chat:message"))["seq"] == 9
        assert (await ada.call("chat:ack", {"messageId": ids[7]}))["ok"]


async def test_a_thread_outlives_its_opener(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE, messages={"keep_per_room": KEPT}) as chat:
        ada = await chat.enter("ada")
        opener = message("shall we?")
        await ada.say(opener)
        await ada.say(message("yes", threadId=opener["messageId"]))
        await write(ada, KEPT - 1)
        await removed(chat)
        thread = {"connectionId": ROOM, "threadId": opener["messageId"]}
        page = await ada.call("chat:history:get", thread)
        assert [one["content"] for one in page["messages"]] == ["yes"]
        page = await ada.call("chat:history:get", {**thread, "after": 2})
        assert page["messages"] == []
        await write(ada, 1)
        await removed(chat)
        ack = await ada.call("chat:history:get", thread)
        assert ack["error"]["code"] == "unknown_thread"


@pytest.mark.parametrize("is_recent", [True, False])
async def test_a_retry_of_a_reply_needs_no_opener(tmp_path: Path, is_recent: bool) -> None:
    """It was refused for its thread, before anybody saw that it was stored long ago."""
    keeping: dict[str, object] = {"keep_per_room": KEPT}
    opener = message("shall we?")
    reply = message("yes", threadId=opener["messageId"])
    async with open_chat(tmp_path, limits=FREE, messages=keeping) as chat:
        ada = await chat.enter("ada")
        await ada.say(opener)
        first = await ada.say(reply)
        await write(ada, KEPT - 1)
        await removed(chat)
        if is_recent:
            assert await ada.call("chat:message", reply) == {**first, "duplicate": True}
    async with open_chat(tmp_path, limits=FREE, messages=keeping) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        assert await ada.call("chat:message", reply) == {**first, "duplicate": True}
        other = {**reply, "content": "no"}
        assert (await ada.call("chat:message", other))["error"]["code"] == "message_id_conflict"
        assert (await bob.call("chat:message", reply))["error"]["code"] == "message_id_conflict"
        another = message("yes", threadId=opener["messageId"])
        assert (await ada.call("chat:message", another))["error"]["code"] == "unknown_thread"
        await write(ada, KEPT)
        await removed(chat)


async def test_what_was_removed_falls_out_of_the_queue_and_is_told_so(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE, messages={"keep_per_room": KEPT}) as chat:
        await go(await chat.enter("bob"))
        await write(await chat.enter("ada"), 8)
        await removed(chat)
        bob, status = await come(chat)
        assert status["rooms"][0]["owed"] == KEPT
        told = await all_told(bob)
        assert [name for name, _ in told] == ["presence:snapshot", "chat:history", "queue:overflow"]
        overflow = told[2][1]
        assert (overflow["fromSeq"], overflow["toSeq"]) == (1, 5)


async def test_who_resumes_from_before_gets_what_there_is(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE, messages={"keep_per_room": KEPT}) as chat:
        await write(await chat.enter("ada"), 8)
        await removed(chat)
        bob, _ = await come(chat, since={ROOM: 2}, epoch=chat.store.epoch)
        [history] = [it for name, it in await all_told(bob) if name == "chat:history"]
        assert (seqs(history["messages"]), history["firstSeq"]) == ([6, 7, 8], 6)


async def test_a_full_disk_puts_retention_off(tmp_path: Path, no_upkeep: None) -> None:
    async with open_chat(tmp_path, limits=FREE, messages={"keep_per_room": KEPT}) as chat:
        ada = await chat.enter("ada")
        await go(await chat.enter("bob"))
        await write(ada, 5)
        chat.log.failure = CommitFailed(Code.STORAGE_FULL, "for the test")
        await removed(chat)
        page = await ada.call("chat:history:get", {"connectionId": ROOM})
        assert len(page["messages"]) == 5
        chat.log.failure = None
        await removed(chat)
        page = await ada.call("chat:history:get", {"connectionId": ROOM})
        assert len(page["messages"]) == KEPT


async def test_nothing_is_removed_unless_it_is_asked_for(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        assert not chat.parts.maintenance.upkeep._removals[0].is_on
        await write(await chat.enter("ada"), 3)
        await removed(chat)
        assert chat.parts.publishing.timelines.last_seq(ROOM) == 3
        assert len((await last_page(chat.store.readers, ROOM, 10)).messages) == 3


async def test_the_upkeep_sees_to_it_by_itself(tmp_path: Path) -> None:
    assert upkeep.RETENTION_S >= upkeep.ROUND_S
    async with open_chat(tmp_path, limits=FREE, messages={"keep_per_room": 1}) as chat:
        ada = await chat.enter("ada")
        await write(ada, 2)
    async with open_chat(tmp_path, limits=FREE, messages={"keep_per_room": 1}) as chat:
        with trio.fail_after(10):
            while len((await last_page(chat.store.readers, ROOM, 10)).messages) > 1:
                await trio.lowlevel.checkpoint()
