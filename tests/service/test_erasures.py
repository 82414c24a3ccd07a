"""Erasing users and deleting rooms, as clients see it, and what is left in the files."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chatd.chat.audit import BEGUN, AuditAction, AuditEntry
from chatd.observe import AdministratorActed
from chatd.observe.clock import Clock
from chatd.service.erasures import Erased, ErasureFailedError
from chatd.store import AuditQuery, CommitFailed, look_at_audit
from chatd.store.verify import verify_store
from chatd.wire.codes import Code
from chatd.wire.identifiers import ERASED_USER_PREFIX
from tests.answers.services import HeldDatabase
from tests.service.chats import ROOM, Chat, ChatPeer, message, open_chat, token
from tests.service.events.test_answers import ask, called, open_answering
from tests.store.whole_files import whole_files

BY = "uid:0"
EMOJI = "\N{THUMBS UP SIGN}"


def traces(chat: Chat, *words: str) -> dict[str, list[str]]:
    """The files of the store in which a word still stands, by the word."""
    directory = chat.store.path.parent
    files = whole_files(directory)
    return {
        word: found
        for word in words
        if (found := [name for name, content in files.items() if word.encode() in content])
    }


def tables_with(chat: Chat, user_id: str) -> set[str]:
    """The tables of the log in which a user is named."""
    connection = sqlite3.connect(f"file:{chat.store.path}?mode=ro", uri=True)
    named = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'message_text%'"
    tables = [name for (name,) in connection.execute(named)]
    exactly = (user_id, f'"{user_id}"')
    found = {
        table
        for table in tables
        for row in connection.execute(f"SELECT * FROM {table}")
        for value in row
        if isinstance(value, str) and (value == exactly[0] or exactly[1] in value)
    }
    connection.close()
    return found


def sound(chat: Chat) -> None:
    verified = verify_store(chat.store.path.parent)
    assert verified.is_sound, verified.findings


async def history(peer: ChatPeer) -> list[dict[str, Any]]:
    ack = await peer.call("chat:history:get", {"connectionId": ROOM, "after": 0})
    return list(ack["messages"])


async def found(peer: ChatPeer, query: str) -> int:
    return len((await peer.call("chat:search", {"query": query}))["hits"])


@asynccontextmanager
async def open_spoken(directory: Path) -> AsyncIterator[tuple[Chat, HeldDatabase, ChatPeer]]:
    """Eve has left traces of every kind, and Ada is there; everything is indexed."""
    async with open_answering(directory) as (chat, database):
        ada = await chat.enter("ada")
        eve = await chat.enter("eve", name="Evelyn Everest")
        theirs = message("Hello @Evelyn Everest, have a look at marmalade")
        await ada.say(theirs)
        mine = message("quincejam is what I like", context={"schema": "pantryschema"})
        assert (await eve.call("chat:message", mine))["ok"]
        for content in ("gooseberry it is", "rhubarb it is"):
            edit = {"connectionId": ROOM, "messageId": mine["messageId"], "content": content}
            assert (await eve.call("chat:message:edit", edit))["ok"]
        gone = message("elderflower was a mistake")
        assert (await eve.call("chat:message", gone))["ok"]
        assert await found(ada, "elderflower") == 1  # so that the words are in the index
        delete = {"connectionId": ROOM, "messageId": gone["messageId"]}
        assert (await eve.call("chat:message:delete", delete))["ok"]
        react = {"connectionId": ROOM, "messageId": theirs["messageId"]}
        for peer, emoji, is_on in (
            (eve, ":damson:", True),
            (eve, EMOJI, True),
            (ada, ":jam:", True),
            (ada, EMOJI, True),
            (eve, ":damson:", False),
        ):
            reaction = react | {"emoji": emoji, "on": is_on}
            assert (await peer.call("chat:message:react", reaction))["ok"]
        assert (await eve.call("chat:ack", {"messageId": theirs["messageId"]}))["ok"]
        await ask(eve, "SELECT mirabelle FROM cellar")
        call = await called(database)
        call.rows(*range(900_001, 900_040))
        call.end()
        await eve.until("chat:answer:end")
        await eve.expect("chat:message")
        assert await found(ada, "rhubarb") == 1
        await chat.parts.maintenance.snapshots.write()
        yield chat, database, ada


WORDS = (
    "quincejam",
    "pantryschema",
    "gooseberry",
    "rhubarb",
    "elderflower",
    "mirabelle",
    "damson",
    "900017",
)
NAMES = ("Evelyn Everest",)


async def test_no_byte_of_what_an_erased_user_wrote_is_left_in_the_files(tmp_path: Path) -> None:
    async with open_spoken(tmp_path) as (chat, _, ada):
        assert set(traces(chat, *WORDS)) == set(WORDS)
        erased = await chat.parts.operators.erasures.erase_user("eve", BY)
        assert erased == Erased(messages=4, reactions=1, memberships=1)
        assert traces(chat, *WORDS) == {}
        assert set(traces(chat, "marmalade")) == {"marmalade"}  # what others wrote is theirs
        sound(chat)
        for word in ("quincejam", "rhubarb", "elderflower", "mirabelle"):
            assert await found(ada, word) == 0
        assert await found(ada, "marmalade") == 1


async def test_places_stay_and_others_are_told_of_it_as_of_any_change(tmp_path: Path) -> None:
    async with open_spoken(tmp_path) as (chat, _, ada):
        await chat.parts.operators.erasures.erase_user("eve", BY)
        shown = await history(ada)
        assert [one["seq"] for one in shown] == [1, 2, 3, 4, 5]
        first, *places = shown
        assert first["userId"] == "ada"
        assert [(one["emoji"], one["users"]) for one in first["reactions"]] == [
            (EMOJI, ["ada"]),
            (":jam:", ["ada"]),
        ]
        assert "mentions" not in first
        authors = {one["userId"] for one in places[:3]}
        assert len(authors) == 1
        assert authors.pop().startswith(ERASED_USER_PREFIX)
        assert places[3]["userId"] == f"db:{ROOM}"
        for place in places:
            assert place["content"] == ""
            assert place["deletedAt"]
            assert "name" not in place
            assert "answer" not in place
            assert "context" not in place
        bob = await chat.connect({"token": token("bob")})
        assert (await bob.until("chat:history"))["messages"] == shown
        assert "eve" not in chat.parts.messages.machine.members.of_room(ROOM)
        presence = chat.parts.rosters.presence.machine.room(ROOM)
        assert "eve" not in {one.user_id for one in presence}


async def test_nothing_but_the_audit_names_an_erased_user(tmp_path: Path) -> None:
    async with open_spoken(tmp_path) as (chat, _, _ada):
        assert {"members", "messages", "changes", "mentions"} <= tables_with(chat, "eve")
        await chat.parts.operators.erasures.erase_user("eve", BY)
        assert tables_with(chat, "eve") == {"audit"}
        for snapshot in chat.store.path.parent.glob("snapshot-*"):
            assert b'"eve"' not in snapshot.read_bytes()
        asked, erased = look_at_audit(chat.store.path.parent, AuditQuery(user_id="eve"))
        assert (asked.action, asked.statement, asked.address) == (AuditAction.ASK, None, None)
        assert (erased.action, erased.target) == (AuditAction.ERASE_USER, "eve")
        assert (erased.user_id, erased.outcome) == (BY, "done")


async def test_live_clients_hear_of_each_place_and_reaction(tmp_path: Path) -> None:
    async with open_spoken(tmp_path) as (chat, _, ada):
        await ada.call("connection:leave", {"connectionId": "a room that is not there"})
        await chat.parts.operators.erasures.erase_user("eve", BY)
        taken = await ada.expect("chat:message:reaction")
        assert (taken["userId"], taken["on"], taken["seq"]) == ("eve", False, 1)
        told = [await ada.expect("chat:message:deleted") for _ in range(4)]
        assert sorted(one["seq"] for one in told) == [2, 3, 4, 5]
        for one in told:
            is_answer = one["seq"] == 5
            assert one["userId"].startswith(f"db:{ROOM}" if is_answer else ERASED_USER_PREFIX)


async def test_a_client_that_was_away_catches_up_with_places_only(tmp_path: Path) -> None:
    async with open_spoken(tmp_path) as (chat, _, _ada):
        bob = await chat.enter("bob")
        await chat.parts.operators.erasures.erase_user("eve", BY)
        await bob.call("connection:leave", {"connectionId": ROOM})
        back = await chat.connect(
            {"token": token("bob"), "since": {ROOM: 1}, "sinceRev": {ROOM: 0}}
        )
        page = await back.until("chat:history")
        assert {one["content"] for one in page["messages"]} == {""}


async def test_an_erasure_that_the_disk_refused_is_done_by_the_same_command(
    tmp_path: Path,
) -> None:
    async with open_spoken(tmp_path) as (chat, _, ada):
        failing = CommitFailed(Code.STORAGE_FULL, "no space")
        rewrite = chat.log.rewrite

        async def refused() -> None:
            raise failing

        chat.log.rewrite = refused  # type: ignore[method-assign]
        with pytest.raises(ErasureFailedError, match="repeat"):
            await chat.parts.operators.erasures.erase_user("eve", BY)
        [entry] = look_at_audit(chat.store.path.parent, AuditQuery(user_id=BY))
        assert entry.outcome == BEGUN
        assert await found(ada, "rhubarb") == 0
        chat.log.rewrite = rewrite  # type: ignore[method-assign]
        again = await chat.parts.operators.erasures.erase_user("eve", BY)
        assert again == Erased(0, 0, 0, was_cut_off=True)
        assert traces(chat, *WORDS) == {}
        entries = look_at_audit(chat.store.path.parent, AuditQuery(user_id=BY))
        assert [one.outcome for one in entries] == ["done", "done"]
        acted = [one.outcome for one in chat.recorder.of(AdministratorActed)]
        assert acted == ["failed", "done"]


async def test_an_erasure_that_finds_nothing_is_no_erasure_in_the_audit(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, _):
        erasures = chat.parts.operators.erasures
        assert await erasures.erase_user("nobody", BY) == Erased(0, 0, 0, "nothing")
        assert await erasures.delete_room("nowhere", BY) == Erased(0, 0, 0, "nothing")
        entries = look_at_audit(chat.store.path.parent, AuditQuery(user_id=BY))
        assert [one.outcome for one in entries] == ["nothing", "nothing"]
        acted = [one.outcome for one in chat.recorder.of(AdministratorActed)]
        assert acted == ["nothing", "nothing"]


async def test_who_left_nothing_but_traces_is_erased_all_the_same(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, _):
        ada = await chat.enter("ada")
        await chat.enter("bob")
        await ada.say(message("Hello @bob"))
        assert await chat.parts.operators.erasures._commands.remove_member(ROOM, "bob") is None
        erasures = chat.parts.operators.erasures
        assert await erasures.erase_user("bob", BY) == Erased(0, 0, 0, "done")
        assert await erasures.erase_user("bob", BY) == Erased(0, 0, 0, "nothing")


async def test_nothing_is_erased_that_the_audit_does_not_note(tmp_path: Path) -> None:
    async with open_spoken(tmp_path) as (chat, _, ada):
        chat.log.failure = CommitFailed(Code.STORAGE_FULL, "no space")
        with pytest.raises(ErasureFailedError, match="full"):
            await chat.parts.operators.erasures.erase_user("eve", BY)
        chat.log.failure = None
        assert await found(ada, "rhubarb") == 1


async def test_what_a_crash_cut_off_is_finished_before_anybody_comes_in(tmp_path: Path) -> None:
    async with open_spoken(tmp_path) as (chat, _, _ada):
        entry = AuditEntry(AuditAction.ERASE_USER, 1, BY, BEGUN, target="eve", span="cut off")
        assert await chat.parts.messages.trail.append(entry) is None
    async with open_answering(tmp_path) as (chat, _):
        await chat.parts.operators.erasures.resume()
        assert traces(chat, *WORDS) == {}
        [entry] = look_at_audit(chat.store.path.parent, AuditQuery(user_id=BY))
        assert (entry.outcome, entry.target) == ("done", "eve")
        late = message("gooseberry once more")
        eve = await chat.enter("eve", now_s=Clock().wall_s() + 20)  # a token of after the erasure
        assert (await eve.say(late))["ok"]
        await chat.parts.operators.erasures.resume()  # it is done, and not done again
        assert [one["content"] for one in await history(eve)][-1] == "gooseberry once more"


async def test_a_question_that_is_being_answered_ends_first(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        eve = await chat.enter("eve")
        await ask(eve, "SELECT mirabelle FROM cellar")
        call = await called(database)
        call.rows(900_017)
        assert (await chat.parts.operators.erasures.erase_user("eve", BY)).messages == 2
        assert traces(chat, "mirabelle", "900017") == {}
        assert [one["content"] for one in await history(ada)] == ["", ""]
        sound(chat)


# Rooms


async def test_a_deleted_room_is_empty_at_once_and_its_seqs_go_on(tmp_path: Path) -> None:
    async with open_spoken(tmp_path) as (chat, _, ada):
        deleted = await chat.parts.operators.erasures.delete_room(ROOM, BY)
        assert deleted == Erased(messages=5, reactions=0, memberships=2)
        left = await ada.until("connection:left")
        assert left == {"connectionId": ROOM, "code": "room_deleted"}
        assert traces(chat, *WORDS, "marmalade", *NAMES) == {}
        assert await history(ada) == []
        assert await found(ada, "marmalade") == 0
        assert (await ada.say(message("a new beginning")))["seq"] == 6
        assert [one["seq"] for one in await history(ada)] == [6]
        sound(chat)


async def test_a_message_of_a_deleted_room_may_be_sent_anew(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, _):
        ada = await chat.enter("ada")
        said = message("marmalade")
        await ada.say(said)
        await chat.parts.operators.erasures.delete_room(ROOM, BY)
        await ada.until("connection:left")
        ack = await ada.say(said)
        assert (ack["seq"], ack.get("duplicate")) == (2, None)


async def test_other_rooms_keep_what_they_have(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, _):
        ada = await chat.enter("ada", [ROOM, "other"])
        await ada.say(message("marmalade"))
        await ada.say(message("chutney", room="other"))
        await chat.parts.operators.erasures.delete_room(ROOM, BY)
        assert traces(chat, "marmalade") == {}
        assert await found(ada, "chutney") == 1
        assert chat.parts.messages.machine.members.has("other", "ada")
        await chat.parts.operators.erasures.delete_room("a room that never was", BY)
        sound(chat)


async def test_a_database_is_no_user_that_could_be_erased(tmp_path: Path) -> None:
    async with open_spoken(tmp_path) as (chat, _, ada):
        with pytest.raises(ErasureFailedError, match="delete the room"):
            await chat.parts.operators.erasures.erase_user(f"db:{ROOM}", BY)
        assert len([one for one in await history(ada) if "answer" in one]) == 1


async def test_an_erasure_that_meets_a_drain_is_refused_and_holds_it_up_no_more(
    tmp_path: Path,
) -> None:
    async with open_answering(tmp_path) as (chat, _):
        await chat.enter("ada")
        chat.parts.messages.mailbox.close()
        with pytest.raises(ErasureFailedError):
            await chat.parts.operators.erasures.erase_user("ada", BY)
        assert await chat.parts.operators.erasures._commands.remove_member(ROOM, "ada") is not None


async def test_a_log_that_does_not_say_what_is_unfinished_ends_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_chat(tmp_path) as chat:
        erasures = chat.parts.operators.erasures

        async def unknown(*_: Any) -> Any:
            raise CommitFailed(Code.STORAGE_ERROR, "the database gave no answer")

        monkeypatch.setattr(type(erasures._traces), "unfinished", unknown)
        await erasures.resume()
