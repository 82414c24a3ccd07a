"""Upkeep over a real store: what is removed is told, and what lasts is not told each second."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from chatd.actors.retention import DAY_MS
from chatd.app.upkeep import Upkeep
from chatd.chat.audit import AuditAction, AuditEntry
from chatd.observe import (
    FileRenewed,
    LogDisplaced,
    LogReturned,
    MessagesRemoved,
    SearchIndexRenewed,
    SearchIndexRenewing,
    StoreFailed,
)
from chatd.observe.recorder import Recorder
from chatd.store import (
    AuditQuery,
    CommitFailed,
    CommitOutcome,
    look_at_audit,
    search_index,
)
from chatd.wire.codes import Code
from tests.service.chats import ROOM, message, open_chat
from tests.service.conftest import no_upkeep
from tests.service.test_catch_up_of_clients import FREE, write

__all__ = ["no_upkeep"]  # a fixture


async def soon(recorder: Recorder, kind: type) -> None:
    with trio.fail_after(20):
        while not recorder.of(kind):
            await trio.lowlevel.checkpoint()


async def between_commits(upkeep: Upkeep, step: Callable[[], object]) -> None:
    """Run `step` while upkeep renews its files: it is the log's only caller then, and waits."""
    renew, ran = upkeep._renew, trio.Event()

    def run_instead() -> list[str]:
        upkeep._renew = renew
        step()
        trio.from_thread.run_sync(ran.set)
        return []

    upkeep._renew = run_instead
    with trio.fail_after(20):
        await ran.wait()


async def test_what_is_removed_is_told_room_by_room(tmp_path: Path, no_upkeep: None) -> None:
    async with open_chat(tmp_path, limits=FREE, messages={"keep_per_room": 3}) as chat:
        ada = await chat.enter("ada")
        await write(ada, 8)
        await chat.parts.maintenance.upkeep._removals[0].run()
        await chat.parts.maintenance.upkeep._removals[0].run()
        assert chat.recorder.of(MessagesRemoved) == [MessagesRemoved(ROOM, 5, 1, 5)]
        await ada.say(message("one more"))
        await chat.parts.maintenance.upkeep._removals[0].run()
        assert chat.recorder.of(MessagesRemoved)[1:] == [MessagesRemoved(ROOM, 1, 6, 6)]


async def test_entries_of_the_audit_are_removed_after_their_own_days(tmp_path: Path) -> None:
    for keep_days, kept in ((1, ["new"]), (0, ["old", "new"])):
        directory = tmp_path / str(keep_days)
        directory.mkdir()
        async with open_chat(directory, audit={"keep_days": keep_days}) as chat:
            now_ms = chat.parts.common.clock.wall_ms()
            for user, at_ms in (("old", now_ms - 2 * DAY_MS), ("new", now_ms)):
                entry = AuditEntry(AuditAction.KICK, at_ms, user, "done")
                assert await chat.parts.messages.trail.append(entry) is None
            for one in chat.parts.maintenance.upkeep._removals:
                if one.is_on:
                    await one.run()
            found = look_at_audit(chat.store.path.parent, AuditQuery())
            assert [entry.user_id for entry in found] == kept


async def test_an_index_of_another_form_is_built_anew_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada = await chat.enter("ada")
        await write(ada, 8)
        assert (await ada.call("chat:search", {"query": "8"}))["ok"]
        assert chat.recorder.of(SearchIndexRenewing) == []
    monkeypatch.setattr(search_index, "FORM", "another")
    async with open_chat(tmp_path, limits=FREE) as chat:
        chat.parts.maintenance.upkeep.round_s = 0.02
        await soon(chat.recorder, SearchIndexRenewed)
        assert len(chat.recorder.of(SearchIndexRenewing)) == 1
        assert chat.recorder.of(SearchIndexRenewed) == [SearchIndexRenewed(8)]
        found = await (await chat.enter("ada")).call("chat:search", {"query": "8"})
        assert "incomplete" not in found


async def test_a_displaced_log_is_told_once_and_so_is_its_return(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        chat.parts.maintenance.upkeep.round_s = 0.02
        recorder, directory = chat.recorder, chat.parts.storage.store.path.parent
        away = directory.with_name("away")
        await between_commits(chat.parts.maintenance.upkeep, lambda: directory.rename(away))
        await soon(recorder, LogDisplaced)
        away.rename(directory)
        await soon(recorder, LogReturned)
        assert len(recorder.of(LogDisplaced)) == len(recorder.of(LogReturned)) == 1
        (directory / "lock").unlink()
        await soon(recorder, FileRenewed)
        ada = await chat.enter("ada")
        assert (await ada.say(message("it goes on")))["ok"]


async def test_a_disk_that_fails_in_one_way_is_told_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        chat.parts.maintenance.upkeep.round_s = 0.02
        rounds = trio.Semaphore(0)

        async def fail(_: object) -> CommitOutcome:
            rounds.release()
            raise CommitFailed(Code.STORAGE_ERROR, "broken")

        monkeypatch.setattr(chat.log, "commit", fail)
        chat.log.is_failing = True
        with trio.fail_after(20):
            for _ in range(5):
                await rounds.acquire()
        assert len(chat.recorder.of(StoreFailed)) == 1
