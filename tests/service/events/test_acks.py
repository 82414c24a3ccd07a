"""Whose messages an acknowledgement is the first for: all up to it, wherever they are known."""

from pathlib import Path
from typing import Any

import pytest

from chatd.store import CommitFailed, StoreReadFailed
from chatd.wire.codes import Code
from tests.service.chats import ROOM, Chat, ChatPeer, message, open_chat
from tests.service.test_catch_up_of_clients import FREE, all_told, write


async def statuses(peer: ChatPeer) -> list[str]:
    """The ids of messages of whose delivery the peer was told, so far and in order."""
    return [it["messageId"] for name, it in await all_told(peer) if name == "chat:message:status"]


async def up_to(peer: ChatPeer, message_id: str) -> Any:
    return await peer.call("chat:ack", {"messageId": message_id, "upTo": True})


def reads_counted(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The ranges of seqs in which the log is searched from now on."""
    ranges: list[tuple[int, int]] = []
    read = chat.store.readers.undelivered

    async def undelivered(room: str, user: str, first: int, last: int, limit: int) -> Any:
        ranges.append((first, last))
        return await read(room, user, first, last, limit)

    monkeypatch.setattr(chat.store.readers, "undelivered", undelivered)
    return ranges


async def test_what_was_read_before_a_restart_is_acknowledged_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who had read it live is owed nothing, so that only the last one was looked up."""
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, _ = await chat.enter("ada"), await chat.enter("bob")
        ids = await write(ada, 5)
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob, cyd = [await chat.enter(user) for user in ("ada", "bob", "cyd")]
        ranges = reads_counted(chat, monkeypatch)
        assert await up_to(bob, ids[3]) == {"ok": True}
        assert await statuses(ada) == ids[:4]
        ids += await write(ada, 2)
        assert await up_to(bob, ids[6]) == {"ok": True}
        assert await statuses(ada) == ids[4:]
        assert ranges == [(1, 4), (5, 5)]
        assert await up_to(cyd, ids[6]) == {"ok": True}
        for peer in (bob, cyd, await chat.enter("dan")):
            for one in ids:
                await up_to(peer, one)
        assert ranges == [(1, 4), (5, 5), (1, 5)], "nobody looks again for what is not there"
        assert await statuses(ada) == []


async def test_an_acknowledgement_from_far_back_is_looked_up_alone(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ids = await write(await chat.enter("ada"), 5)
    async with open_chat(tmp_path, limits=FREE, messages={"history_on_join": 1}) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        assert await bob.call("chat:ack", {"messageId": ids[1]}) == {"ok": True}
        assert await statuses(ada) == ids[1:2]
        assert await up_to(bob, ids[3]) == {"ok": True}
        assert await statuses(ada) == [ids[0], *ids[2:4]]
        assert await up_to(ada, ids[4]) == {"ok": True}
        assert await statuses(ada) == []


@pytest.mark.parametrize("is_restarted", [True, False])
async def test_more_than_a_commit_holds_goes_in_pieces(tmp_path: Path, is_restarted: bool) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        chat.parts.chat.acks._receipts_per_commit, chat.parts.chat.acks._seqs_per_read = 3, 5
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        ids = await write(ada, 10)
        await write(bob, 4)
        ids += await write(ada, 1)
        if not is_restarted:
            assert await up_to(bob, ids[-1]) == {"ok": True}
            assert sorted(await statuses(ada)) == sorted(ids)
    async with open_chat(tmp_path, limits=FREE) as chat:
        chat.parts.chat.acks._receipts_per_commit, chat.parts.chat.acks._seqs_per_read = 3, 5
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        assert await up_to(bob, ids[-1]) == {"ok": True}
        assert sorted(await statuses(ada)) == (sorted(ids) if is_restarted else [])


async def test_what_is_more_than_one_may_do_is_left_to_the_next(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ids = await write(await chat.enter("ada"), 9)
    async with open_chat(tmp_path, limits=FREE) as chat:
        chat.parts.chat.acks._receipts_per_commit, chat.parts.chat.acks._receipts_per_ack = 2, 4
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        for told in (ids[5:], ids[1:5], ids[:1], []):
            assert await up_to(bob, ids[-1]) == {"ok": True}
            assert sorted(await statuses(ada)) == sorted(told)


@pytest.mark.parametrize("at", [0, 1])
async def test_what_the_disk_does_not_take_is_told_and_left_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """`ok` promises all of it; what was committed before stays told once."""
    async with open_chat(tmp_path, limits=FREE) as chat:
        chat.parts.chat.acks._receipts_per_commit = 3
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        ids = await write(ada, 7)
        commit, commits = chat.log.commit, []

        async def fail_at(records: Any) -> Any:
            commits.append(records)
            if len(commits) == at + 1:
                raise CommitFailed(Code.STORAGE_FULL, "the disk is full")
            return await commit(records)

        monkeypatch.setattr(chat.log, "commit", fail_at)
        assert (await up_to(bob, ids[-1]))["error"]["code"] == "storage_full"
        first = await statuses(ada)
        assert len(first) == 3 * at
        assert await up_to(bob, ids[-1]) == {"ok": True}
        assert sorted(first + await statuses(ada)) == sorted(ids)


async def test_a_log_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ids = await write(await chat.enter("ada"), 3)
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")

        async def undelivered(*_: object) -> Any:
            raise StoreReadFailed("for the test")

        with monkeypatch.context() as patch:
            patch.setattr(chat.store.readers, "undelivered", undelivered)
            assert (await up_to(bob, ids[-1]))["error"]["code"] == "storage_read_error"
        assert await up_to(bob, ids[-1]) == {"ok": True}
        assert await statuses(ada) == ids


async def test_the_queue_is_empty_after_it(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        await (await chat.enter("bob")).peer.reset()
        ada = await chat.enter("ada")
        ids = await write(ada, 3)
        bob = await chat.enter("bob")
        await up_to(bob, ids[1])
        assert chat.parts.messages.machine.owed_count(ROOM, "bob") == 1
        assert (await bob.call("chat:message", message()))["ok"]
