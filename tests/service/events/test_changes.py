"""Messages are edited, deleted and reacted to, over real sockets (docs/protocol, "Changes")."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import trio

from chatd.chat.reactions import KINDS_MAX
from chatd.chat.records import Message
from chatd.observe import ChangeRefused, LimitHit, MessageChanged
from chatd.store import CommitFailed, StoreReadFailed
from chatd.store.rows import damaged_message
from chatd.wire.codes import Code
from tests.service.chats import ROOM, Chat, ChatPeer, message, open_chat
from tests.service.events.test_answers import ask, called, heard, open_answering
from tests.service.test_catch_up_of_clients import FREE, all_told, come, go
from tests.service.test_supervision import crash

THUMB, HEART = "\N{THUMBS UP SIGN}", "\N{HEAVY BLACK HEART}\ufe0f"
CHANGES = ("chat:message:edited", "chat:message:deleted", "chat:message:reaction")
SMALL = {"history_on_join": 2, "history_page": 3}


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    async with open_chat(tmp_path, limits=FREE) as chat:
        yield chat


async def say(peer: ChatPeer, content: str = "one", **fields: object) -> dict[str, Any]:
    """Say something; the id and the room, as changes name the message."""
    sent = message(content, **fields)  # type: ignore[arg-type]
    assert (await peer.say(sent))["ok"]
    return {"messageId": sent["messageId"], "connectionId": sent["connectionId"]}


async def edit(peer: ChatPeer, said: dict[str, Any], content: str, **fields: object) -> Any:
    return await peer.call("chat:message:edit", {**said, "content": content, **fields})


async def delete(peer: ChatPeer, said: dict[str, Any]) -> Any:
    return await peer.call("chat:message:delete", said)


async def react(
    peer: ChatPeer, said: dict[str, Any], emoji: str = THUMB, *, is_on: bool = True
) -> Any:
    return await peer.call("chat:message:react", {**said, "emoji": emoji, "on": is_on})


async def history(peer: ChatPeer, **wanted: object) -> Any:
    page = await peer.call("chat:history:get", {"connectionId": ROOM, **wanted})
    assert page["ok"], page
    return page


async def only(peer: ChatPeer, **wanted: object) -> Any:
    [one] = (await history(peer, **wanted))["messages"]
    return one


async def refused(peer: ChatPeer, event: str, payload: object) -> tuple[str, str | None]:
    ack = await peer.call(event, payload)
    assert not ack["ok"], ack
    assert ack["error"]["message"]
    return ack["error"]["code"], ack["error"].get("path")


async def changes_told(peer: ChatPeer) -> list[tuple[str, Any]]:
    """The changes among all that the peer was told by now."""
    return [(name, it) for name, it in await all_told(peer) if name in CHANGES]


async def joined(chat: Chat) -> list[Any]:
    """What somebody who joins now is shown."""
    peer, _ = await come(chat, "newcomer")
    page = await peer.until("chat:history")
    await go(peer)
    return list(page["messages"])


async def test_everybody_in_the_room_gets_changes_in_their_order(chat: Chat) -> None:
    ada, bob, cyd = [await chat.enter(user) for user in ("ada", "bob", "cyd")]
    said = await say(ada)
    edited = await edit(ada, said, "two <b>")
    liked = await react(bob, said)
    between = await say(ada, "between")
    taken_off = await react(bob, said, is_on=False)
    gone = await delete(ada, said)
    for rev, ack in enumerate([edited, liked, taken_off, gone], start=1):
        assert ack == {"ok": True, **said, "rev": rev, "timestamp": ack["timestamp"]}
    ids, reaction = {**said, "seq": 1}, {"userId": "bob", "emoji": THUMB}
    told = await all_told(cyd)
    assert [name for name, _ in told] == [
        "chat:message",
        "chat:message:edited",
        "chat:message:reaction",
        "chat:message",
        "chat:message:reaction",
        "chat:message:deleted",
    ]
    assert told[3][1]["messageId"] == between["messageId"]
    assert [it for name, it in told if name in CHANGES] == [
        {**ids, "rev": 1, "content": "two < b>", "editedAt": edited["timestamp"]},
        {**ids, "rev": 2, **reaction, "on": True},
        {**ids, "rev": 3, **reaction, "on": False},
        {**ids, "rev": 4, "deletedAt": gone["timestamp"]},
    ]


async def test_histories_live_heads_and_searches_show_the_newest_form(chat: Chat) -> None:
    ada, bob = await chat.enter("ada"), await chat.enter("bob")
    said = await say(ada, "apples", context={"schema": "shop"})
    edited = await edit(ada, said, "pears <b>")
    await react(bob, said, HEART)
    await react(ada, said, HEART)
    shown = await only(bob)
    assert (shown["content"], shown["rev"]) == ("pears < b>", 3)
    assert (shown["editedAt"], shown["context"]) == (edited["timestamp"], {"schema": "shop"})
    assert shown["reactions"] == [{"emoji": HEART, "users": ["bob", "ada"]}]
    assert "deletedAt" not in shown
    assert await joined(chat) == [shown]
    [hit] = (await bob.call("chat:search", {"query": "pears"}))["hits"]
    assert hit["message"] == shown
    assert (await bob.call("chat:search", {"query": "apples"}))["hits"] == []


async def test_a_deleted_message_leaves_its_place_and_nothing_else(chat: Chat) -> None:
    ada, bob = await chat.enter("ada"), await chat.enter("bob")
    said = await say(ada, "a secret", context={"schema": "shop"})
    await edit(ada, said, "another secret")
    await react(bob, said)
    gone = await delete(ada, said)
    shown = await only(bob)
    assert shown == {
        **said,
        "userId": "ada",
        "content": "",
        "timestamp": shown["timestamp"],
        "status": "sent",
        "seq": 1,
        "rev": 3,
        "deletedAt": gone["timestamp"],
    }
    assert await joined(chat) == [shown]
    for word in ("secret", "another"):
        assert (await bob.call("chat:search", {"query": word}))["hits"] == []
    assert await refused(bob, "chat:message:react", {**said, "emoji": THUMB, "on": True}) == (
        "message_deleted",
        "messageId",
    )
    assert await refused(ada, "chat:message:edit", {**said, "content": "x"}) == (
        "message_deleted",
        "messageId",
    )
    again = await delete(ada, said)
    assert again == {**gone, "duplicate": True}


async def test_what_is_so_already_changes_nothing_and_nobody_hears_of_it(chat: Chat) -> None:
    ada, bob = await chat.enter("ada"), await chat.enter("bob")
    said = await say(ada, "one")
    assert (await edit(ada, said, "one"))["rev"] == 0
    assert (await react(bob, said, is_on=False))["duplicate"]
    await edit(ada, said, "two")
    await react(bob, said)
    await all_told(bob)
    for ack in (await edit(ada, said, "two"), await react(bob, said)):
        assert (ack["ok"], ack["rev"], ack["duplicate"]) == (True, 2, True)
    assert await changes_told(bob) == []
    assert (await history(ada))["lastRev"] == 2
    events = chat.recorder.of(MessageChanged)
    assert [(one.change, one.rev, one.duplicate) for one in events] == [
        ("edit", 0, True),
        ("unreact", 0, True),
        ("edit", 1, False),
        ("react", 2, False),
        ("edit", 2, True),
        ("react", 2, True),
    ]


async def test_only_its_author_edits_and_deletes_a_message(chat: Chat) -> None:
    ada, bob = await chat.enter("ada"), await chat.enter("bob")
    said = await say(ada)
    wrong = ("forbidden", "messageId")
    assert await refused(bob, "chat:message:edit", {**said, "content": "x"}) == wrong
    assert await refused(bob, "chat:message:delete", said) == wrong
    assert [one.code for one in chat.recorder.of(ChangeRefused)] == ["forbidden"] * 2
    assert (await only(ada))["content"] == "one"


async def test_a_message_of_another_room_is_not_found_and_one_without_access_forbidden(
    chat: Chat,
) -> None:
    ada = await chat.enter("ada", [ROOM, "stock"])
    said = await say(ada)
    elsewhere = {**said, "connectionId": "stock"}
    assert await refused(ada, "chat:message:delete", elsewhere) == ("not_found", "messageId")
    bob = await chat.enter("bob", ["stock"])
    payload = {**said, "emoji": THUMB, "on": True}
    assert await refused(bob, "chat:message:react", payload) == ("forbidden_room", "connectionId")


async def test_of_two_messages_of_one_id_each_user_changes_the_one_that_it_can_read(
    chat: Chat,
) -> None:
    ada, bob = await chat.enter("ada", ["stock"]), await chat.enter("bob")
    cyd = await chat.enter("cyd")
    one = str(uuid4())
    await say(ada, "ada's", room="stock", message_id=one)
    said = await say(bob, "bob's", message_id=one)
    assert (await edit(bob, said, "bob's own"))["messageId"] == one
    assert (await react(cyd, said))["rev"] == 2
    shown = await only(cyd)
    assert (shown["messageId"], shown["content"], shown["rev"]) == (one, "bob's own", 2)
    [theirs] = (await ada.call("chat:history:get", {"connectionId": "stock"}))["messages"]
    assert (theirs["content"], "rev" in theirs) == ("ada's", False)


async def test_an_edit_that_has_not_seen_the_last_one_conflicts(chat: Chat) -> None:
    phone, desk = await chat.enter("ada"), await chat.enter("ada")
    said = await say(phone)
    await react(desk, said)
    assert (await edit(phone, said, "by phone", rev=0))["rev"] == 2, "a reaction is no conflict"
    payload = {**said, "content": "by desk", "rev": 1}
    assert await refused(desk, "chat:message:edit", payload) == ("edit_conflict", "rev")
    assert (await edit(phone, said, "by phone", rev=0))["duplicate"], "a retry is none either"
    assert (await edit(desk, said, "by desk", rev=2))["rev"] == 3


@pytest.mark.parametrize(
    ("content", "code"), [(" ", "content_empty"), ("x" * 10_001, "content_too_long")]
)
async def test_an_edit_is_checked_as_a_message_is(chat: Chat, content: str, code: str) -> None:
    ada = await chat.enter("ada")
    said = await say(ada)
    assert await refused(ada, "chat:message:edit", {**said, "content": content}) == (
        code,
        "content",
    )


async def test_a_message_takes_so_many_different_reactions(chat: Chat) -> None:
    ada = await chat.enter("ada")
    said = await say(ada)
    for number in range(KINDS_MAX):
        assert (await react(ada, said, f":{number}:"))["ok"]
    payload = {**said, "emoji": THUMB, "on": True}
    assert await refused(ada, "chat:message:react", payload) == ("too_many_reactions", "emoji")


async def test_a_message_that_is_sent_again_is_known_by_what_was_first_written(chat: Chat) -> None:
    ada = await chat.enter("ada")
    sent = message("one")
    assert (await ada.say(sent))["ok"]
    said = {"messageId": sent["messageId"], "connectionId": ROOM}
    for change in (edit(ada, said, "two"), delete(ada, said)):
        assert (await change)["ok"]
        again = await ada.call("chat:message", sent)
        assert (again["ok"], again["duplicate"], again["seq"]) == (True, True, 1)
        other = await ada.call("chat:message", {**sent, "content": "two"})
        assert other["error"]["code"] == "message_id_conflict"


async def test_a_change_right_behind_its_message_finds_it(chat: Chat) -> None:
    ada = await chat.enter("ada")
    sent = message("one")
    said = {"messageId": sent["messageId"], "connectionId": ROOM}
    asked = [
        await ada.ask("chat:message", sent),
        await ada.ask("chat:message:edit", {**said, "content": "two"}),
        await ada.ask("chat:message:react", {**said, "emoji": THUMB, "on": True}),
        await ada.ask("chat:message:delete", said),
    ]
    acks = [await ada.until(one) for one in asked]
    assert [ack["ok"] for ack in acks] == [True] * 4
    assert [ack["rev"] for ack in acks[1:]] == [1, 2, 3]


async def test_the_opener_of_a_thread_that_was_deleted_can_still_be_replied_to(chat: Chat) -> None:
    ada, bob = await chat.enter("ada"), await chat.enter("bob")
    opener = await say(ada, "an idea")
    await delete(ada, opener)
    await say(bob, "I saw it", threadId=opener["messageId"])
    thread = await history(ada, threadId=opener["messageId"])
    assert [one["content"] for one in thread["messages"]] == ["I saw it"]


async def test_what_was_changed_is_there_after_a_restart_and_known_to_who_asks(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        said = [await say(ada, f"message {number}") for number in range(6)]
        await edit(ada, said[0], "again")
        await react(bob, said[3])
        await delete(ada, said[1])
        await react(bob, said[0])
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        bob, status = await come(chat)
        assert status["rooms"][0]["lastRev"] == 4
        assert (await bob.until("chat:history"))["lastRev"] == 4
        page = await history(bob, changedAfter=0, limit=2)
        assert [(one["seq"], one["rev"]) for one in page["messages"]] == [(4, 2), (2, 3)]
        assert (page["hasMore"], page["lastRev"]) == (True, 4)
        page = await history(bob, changedAfter=3, limit=2)
        assert [(one["seq"], one["content"]) for one in page["messages"]] == [(1, "again")]
        assert not page["hasMore"]
        assert (await history(bob, changedAfter=4))["messages"] == []
        ada = await chat.enter("ada")
        assert (await edit(ada, said[0], "once more", rev=0))["error"]["code"] == "edit_conflict"
        assert (await edit(ada, said[0], "once more", rev=4))["rev"] == 5
        assert (await react(bob, said[3]))["duplicate"]
        assert (await delete(ada, said[1]))["duplicate"]


async def test_what_is_owed_comes_as_it_is_by_then(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        await go(await chat.enter("bob"))
        ada = await chat.enter("ada")
        said = [await say(ada, f"message {number}") for number in range(5)]
        await delete(ada, said[0])
        await edit(ada, said[1], "again")
        bob, _ = await come(chat)
        replayed = [it for name, it in await all_told(bob) if name == "chat:message"]
        assert [(one["content"], "deletedAt" in one) for one in replayed] == [
            ("", True),
            ("again", False),
            ("message 2", False),
        ]


async def test_a_change_refused_by_the_disk_leaves_nothing_and_succeeds_later(chat: Chat) -> None:
    ada, bob = await chat.enter("ada"), await chat.enter("bob")
    said = await say(ada)
    chat.log.failure = CommitFailed(Code.STORAGE_FULL, "no space")
    for event, more in (
        ("chat:message:edit", {"content": "two"}),
        ("chat:message:react", {"emoji": THUMB, "on": True}),
        ("chat:message:delete", {}),
    ):
        assert await refused(ada, event, {**said, **more}) == ("storage_full", None)
    chat.log.failure = None
    assert "rev" not in await only(bob)
    assert await changes_told(bob) == []
    assert (await edit(ada, said, "two"))["rev"] == 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("where", ["run", "publish_change"])
async def test_a_crash_at_any_change_leaves_no_hole(
    tmp_path: Path, where: str, at: int, after: bool
) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        said = await say(ada)
        await bob.until("chat:message")
        owner = chat.parts.chat.effects if where == "run" else chat.parts.publishing.publisher
        fault = crash(chat, owner, where, at, after=after)
        for number in range(4):
            for _ in range(3):
                ack = await edit(ada, said, f"text {number}")
                if ack["ok"]:
                    break
                assert ack["error"]["retryable"], ack
            else:
                raise AssertionError("the change was never stored")
        assert fault.has_crashed
        told = [(it["rev"], it["content"]) for _, it in await changes_told(bob)]
        assert told == [(number + 1, f"text {number}") for number in range(4)]
        assert (await only(bob))["content"] == "text 3"
        assert [one["content"] for one in await joined(chat)] == ["text 3"]


async def test_an_edit_costs_a_message_and_what_changes_nothing_does_not(tmp_path: Path) -> None:
    limits = {"user_messages_per_minute": 3, "user_changes_per_minute": 1e9}
    async with open_chat(tmp_path, limits=limits) as chat:
        ada = await chat.enter("ada")
        said = await say(ada, "one")
        for _ in range(5):
            assert (await edit(ada, said, "one"))["duplicate"]
        await edit(ada, said, "two")
        await edit(ada, said, "three")
        ack = await edit(ada, said, "four")
        assert ack["error"]["code"] == "rate_limited"
        assert ack["error"]["retryAfterMs"] > 0
        assert (await react(ada, said))["ok"]
        assert (await delete(ada, said))["ok"]
        assert {one.limit for one in chat.recorder.of(LimitHit)} == {"user_messages_per_minute"}


async def test_deletions_and_reactions_have_a_limit_of_their_own_whose_wait_doubles(
    tmp_path: Path,
) -> None:
    limits = {**FREE, "user_changes_per_minute": 2}
    async with open_chat(tmp_path, limits=limits) as chat:
        ada, other = await chat.enter("ada"), await chat.enter("ada")
        said = await say(ada)
        assert (await react(ada, said))["ok"]
        assert (await react(other, said, HEART))["ok"]
        waits = [(await delete(ada, said))["error"]["retryAfterMs"] for _ in range(3)]
        assert 20_000 < waits[0] <= 30_000  # less by what a slow machine needs until then
        assert 2 * waits[0] - 10_000 < waits[1] <= waits[2] == 60_000
        assert (await edit(ada, said, "two"))["ok"]
        hits = chat.recorder.of(LimitHit)
        assert {(one.limit, one.user_id) for one in hits} == {("user_changes_per_minute", "ada")}


async def test_a_message_that_retention_removed_is_not_found(
    tmp_path: Path, no_upkeep: None
) -> None:
    messages = {"keep_per_room": 1}
    async with open_chat(tmp_path, limits=FREE, messages=messages) as chat:
        ada = await chat.enter("ada")
        said = [await say(ada, f"message {number}") for number in range(3)]
        await edit(ada, said[0], "again")
        await edit(ada, said[2], "again")
        await chat.parts.maintenance.upkeep._removals[0].run()
        assert (await delete(ada, said[0]))["error"]["code"] == "not_found"
        page = await history(ada, changedAfter=0)
        assert [one["seq"] for one in page["messages"]] == [3]
        assert page["lastRev"] == 2
        assert (await edit(ada, said[2], "once more"))["rev"] == 3


async def test_a_message_that_cannot_be_looked_up_is_not_changed_and_it_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        ada = await chat.enter("ada")
        said = [await say(ada, f"message {number}") for number in range(4)]
        reader = type(chat.store.readers)

        async def broken(*_: object) -> None:
            raise StoreReadFailed("The disk is away.")

        async def damaged(*_: object) -> Message:
            return damaged_message(ROOM, 1)

        monkeypatch.setattr(reader, "message", broken)
        assert await refused(ada, "chat:message:delete", said[0]) == ("storage_read_error", None)
        monkeypatch.setattr(reader, "message", damaged)
        ack = await react(ada, said[0])
        assert (ack["error"]["code"], ack["error"]["retryable"]) == ("not_found", False)
        assert "damaged" in ack["error"]["message"]
        monkeypatch.undo()
        assert (await delete(ada, said[0]))["rev"] == 1


async def test_who_loses_the_room_while_a_message_is_looked_up_changes_nothing(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path, limits=FREE, messages=SMALL) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        said = [await say(ada, f"message {number}") for number in range(4)]
        chat.log.held = trio.Event()
        waiting = await bob.ask("chat:message", message("held"))
        while chat.log.held.statistics().tasks_waiting == 0:
            await trio.lowlevel.checkpoint()
        asked = await ada.ask("chat:message:delete", said[0])
        while len(chat.parts.messages.mailbox) == 0:
            await trio.lowlevel.checkpoint()
        [client] = chat.parts.publishing.clients.of("ada")
        client.grants = {}
        chat.log.held.set()
        ack = await ada.until(asked)
        assert ack["error"]["code"] == "forbidden_room"
        assert (await bob.until(waiting))["ok"]
        assert "rev" not in await only(bob, after=0, limit=1)


async def test_deleting_a_question_cancels_its_answer(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        question = await ask(ada)
        call = await called(database)
        call.rows(1)
        said = {"messageId": question, "connectionId": ROOM}
        assert (await delete(ada, said))["ok"]
        packets = await heard(bob, "chat:answer:end")
        assert packets[-1][1]["state"] == "cancelled"
        assert call.stop.is_set()
        answer = await bob.until("chat:message")
        assert answer["replyTo"] == question
        assert answer["answer"]["rows"] == [[1]]
        place = {"messageId": answer["messageId"], "connectionId": ROOM}
        assert await refused(ada, "chat:message:delete", place) == ("forbidden", "messageId")
        assert (await react(bob, place))["ok"], "answers take reactions"


async def test_an_edited_question_is_not_asked_again(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        question = await ask(ada)
        (await called(database)).end()
        answer = await ada.until("chat:answer:end")
        await edit(ada, {"messageId": question, "connectionId": ROOM}, "SELECT m FROM numbers")
        await all_told(ada)
        assert len(database.calls) == 1
        shown = {one["messageId"]: one for one in (await history(ada))["messages"]}
        assert shown[answer["messageId"]]["answer"]["statement"] == "SELECT n FROM numbers"


@pytest.mark.parametrize("asked", ["SELECT * FORM orders", "/describe", "/explain DROP TABLE a"])
async def test_the_answer_of_a_question_that_failed_says_what_was_asked_whatever_it_is_now(
    tmp_path: Path, asked: str
) -> None:
    async with open_answering(tmp_path) as (chat, _):
        ada = await chat.enter("ada")
        question = await ask(ada, asked)
        end = await ada.until("chat:answer:end")
        assert end["state"] == "error"
        await edit(ada, {"messageId": question, "connectionId": ROOM}, "never mind")
        await all_told(ada)
        shown = {one["messageId"]: one for one in (await history(ada))["messages"]}
        assert shown[question]["content"] == "never mind"
        assert shown[end["messageId"]]["answer"]["statement"] == asked
