"""The whole chat over a log in PostgreSQL: what clients see, and go on with after a start."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from chatd.actors.retention import Retention
from chatd.chat.commits import CommitFailed
from chatd.observe import ActorCrashed, StoreFailed
from chatd.postgres_client import TrioConnection
from chatd.postgres_store import writer as writing
from chatd.postgres_store.sessions import LogAddress
from chatd.wire.codes import Code
from tests.postgres import Postgres
from tests.postgres_store.logs import new_address, rows_of
from tests.service.chats import ROOM, Chat, ChatPeer, message, open_chat, token

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def address(postgres: Postgres) -> LogAddress:
    return new_address(postgres)


@asynccontextmanager
async def over(address: LogAddress, tmp_path: Path, **sections: Any) -> AsyncIterator[Chat]:
    async with open_chat(tmp_path, postgres=address, **sections) as chat:
        yield chat


async def contents(peer: ChatPeer) -> list[str]:
    ack = await peer.call("chat:history:get", {"connectionId": ROOM, "after": 0})
    return [one["content"] for one in ack["messages"]]


async def test_what_was_said_changed_and_owed_is_there_after_a_start(
    address: LogAddress, tmp_path: Path
) -> None:
    async with over(address, tmp_path) as chat:
        ada, eve = await chat.enter("ada"), await chat.enter("eve")
        first = message("have a look at marmalade, @eve")
        await ada.say(first)
        edit = {"connectionId": ROOM, "messageId": first["messageId"], "content": "at quincejam"}
        assert (await ada.call("chat:message:edit", edit))["ok"]
        assert (await eve.call("connection:leave", {"connectionId": ROOM}))["ok"]
        await ada.say(message("second"))
        assert (await ada.call("chat:message", first))["duplicate"] is True
        found = await ada.call("chat:search", {"query": "quince*"})
        assert [hit["message"]["seq"] for hit in found["hits"]] == [1]
    async with over(address, tmp_path) as chat:
        assert {gap for gaps in chat.parts.messages.machine.owed_to("eve").values() for gap in gaps}
        ada = await chat.enter("ada")
        assert await contents(ada) == ["at quincejam", "second"]
        assert (await ada.say(message("third")))["seq"] == 3


async def test_a_user_who_is_erased_leaves_places_and_nothing_else(
    address: LogAddress, tmp_path: Path
) -> None:
    async with over(address, tmp_path) as chat:
        ada, eve = await chat.enter("ada"), await chat.enter("eve")
        theirs = message("hello @eve")
        await ada.say(theirs)
        await eve.say(message("gooseberry", context={"schema": "pantryschema"}))
        emoji = {"connectionId": ROOM, "messageId": theirs["messageId"], "emoji": ":done:"}
        assert (await eve.call("chat:message:react", emoji | {"on": True}))["ok"]
        assert (await ada.call("chat:search", {"query": "gooseberry"}))["hits"]
        erased = await chat.parts.operators.erasures.erase_user("eve", "uid:0")
        assert (erased.messages, erased.reactions, erased.memberships) == (1, 1, 1)
        assert erased.outcome == "done"
        assert (await chat.parts.operators.erasures.erase_user("eve", "uid:0")).outcome == "nothing"
        assert await contents(ada) == ["hello @eve", ""]
        assert (await ada.call("chat:search", {"query": "gooseberry"}))["hits"] == []
        assert await chat.parts.operators.erasures._traces.unfinished() == []
    for table in ("messages", "mentions", "changes", "changed", "members", "answers"):
        text = "".join(map(str, rows_of(address, f"SELECT * FROM {table}")))
        assert "'eve'" not in text
        assert "gooseberry" not in text
        assert "pantryschema" not in text


async def test_a_room_that_is_deleted_has_nothing_left(address: LogAddress, tmp_path: Path) -> None:
    async with over(address, tmp_path) as chat:
        ada = await chat.enter("ada")
        for number in range(3):
            await ada.say(message(f"number {number}"))
        erased = await chat.parts.operators.erasures.delete_room(ROOM, "uid:0")
        assert (erased.messages, erased.outcome) == (3, "done")
        assert (await chat.parts.operators.erasures.delete_room(ROOM, "uid:0")).outcome == "nothing"
    assert rows_of(address, "SELECT * FROM messages") == []
    assert rows_of(address, "SELECT last_seq, forgotten_seq FROM rooms") == [(3, 3)]


async def test_retention_takes_what_is_too_much_and_what_is_too_old(
    address: LogAddress, tmp_path: Path
) -> None:
    async with over(address, tmp_path, messages={"keep_per_room": 2}) as chat:
        ada = await chat.enter("ada")
        for number in range(5):
            await ada.say(message(f"number {number}"))
        [retention] = [
            one for one in chat.parts.maintenance.upkeep._removals if isinstance(one, Retention)
        ]
        await retention.run()
        assert await contents(ada) == ["number 3", "number 4"]
    assert rows_of(address, "SELECT seq FROM messages ORDER BY seq") == [(4,), (5,)]


async def test_a_batch_that_was_reported_as_failed_and_is_in_the_log_reaches_readers(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database took the batch, and could not say so before the senders were answered."""
    async with over(address, tmp_path) as chat:
        chat.faults_expected = True
        ada, eve = await chat.enter("ada"), await chat.enter("eve")
        await ada.say(message("first"))
        execute, connected = TrioConnection.execute, writing.LogWriter._connected
        is_away = False

        async def unanswered(self: TrioConnection, statement: Any, *rest: Any) -> Any:
            nonlocal is_away
            result = await execute(self, statement, *rest)
            if statement == writing.COMMIT and not is_away:
                is_away = True
                self.drop()
                raise writing.psycopg.OperationalError("the connection is lost")
            return result

        async def nobody(self: writing.LogWriter) -> TrioConnection:
            if is_away and self.is_in_doubt:
                raise writing._Lost
            return await connected(self)

        monkeypatch.setattr(writing, "GIVE_UP_S", 0.2)
        monkeypatch.setattr(TrioConnection, "execute", unanswered)
        monkeypatch.setattr(writing.LogWriter, "_connected", nobody)
        second = message("second")
        ack = await ada.call("chat:message", second)
        assert ack["error"]["code"] == Code.STORAGE_ERROR
        monkeypatch.setattr(writing.LogWriter, "_connected", connected)
        monkeypatch.setattr(TrioConnection, "execute", execute)
        with trio.fail_after(60):
            while (seen := await eve.until("chat:message"))["content"] != "second":
                pass
        assert seen["seq"] == 2
        assert (await ada.call("chat:message", second))["duplicate"] is True
        assert chat.recorder.of(ActorCrashed) == []
        assert chat.recorder.of(StoreFailed)[-1].detail == (
            "The log holds a batch that was reported as failed."
        )


async def test_a_database_that_is_away_refuses_messages_and_who_comes_and_goes_on_alone(
    address: LogAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with over(address, tmp_path) as chat:
        ada = await chat.enter("ada")
        await ada.say(message("first"))
        commit = writing.LogWriter.commit

        async def away(*_: Any) -> Any:
            raise CommitFailed(Code.STORAGE_ERROR, "the database gave no answer")

        monkeypatch.setattr(writing.LogWriter, "commit", away)
        ack = await ada.call("chat:message", message("lost"))
        assert ack["error"]["code"] == Code.STORAGE_ERROR
        eve = await chat.connect({"token": token("eve")})
        assert (await eve.until("chat:error"))["code"] == Code.STORAGE_ERROR
        assert chat.parts.storage.log.is_failing
        monkeypatch.setattr(writing.LogWriter, "commit", commit)
        assert (await eve.call("connection:join", {"connectionId": ROOM}))["ok"]
        assert (await eve.say(message("second")))["seq"] == 2
        assert not chat.parts.storage.log.is_failing
    assert sorted(rows_of(address, "SELECT user_id FROM members")) == [("ada",), ("eve",)]
