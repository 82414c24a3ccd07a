"""A crash in one actor costs no other, no session, and nothing that was acknowledged.

The fault is injected at each effect in turn, before and after it is carried out; what is checked is
what people see: live readers have every message once and in order, retries find what was stored.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from chatd.actors.supervisor import GaveUp
from chatd.observe import ActorCrashed, InternalError, StoreFailed
from chatd.store import Store
from chatd.store.errors import LogStartedOver
from chatd.store.log_file import wal_of
from chatd.store.recovery import Recovered
from chatd.store.retention import Surplus
from chatd.wire.names import PresenceStatus
from tests.engine.polls import until
from tests.service.chats import NO_ROOM, ROOM, Chat, ChatPeer, message, open_chat, token

FREE = {
    "user_messages_per_minute": 1e9,
    "socket_messages_per_minute": 1e9,
    "room_messages_per_minute": 1e9,
    "user_changes_per_minute": 1e9,
}


class Fault(Exception):
    """Injected by a test."""


class CrashOnce:
    """A function that raises at its n-th call, once; before or after it does its work."""

    def __init__(
        self,
        function: Callable[..., Any],
        at: int,
        *,
        after: bool,
        error: type[BaseException] = Fault,
    ) -> None:
        self._function = function
        self._left = at
        self._after = after
        self._error = error
        self.has_crashed = False

    def __call__(self, *args: Any, **named: Any) -> Any:
        self._left -= 1
        crash = self._left == 0
        if crash and not self._after:
            self.has_crashed = True
            raise self._error
        result = self._function(*args, **named)
        if crash:
            self.has_crashed = True
            raise self._error
        return result


def crash(
    chat: Chat,
    owner: object,
    name: str,
    at: int,
    *,
    after: bool,
    error: type[BaseException] = Fault,
) -> CrashOnce:
    chat.faults_expected = True
    fault = CrashOnce(getattr(owner, name), at, after=after, error=error)
    setattr(owner, name, fault)
    return fault


async def send_until_stored(peer: ChatPeer, content: str) -> int:
    """Send, and retry what is worth it, as a client does; the seq."""
    sent = message(content)
    for _ in range(3):
        ack = await peer.call("chat:message", sent)
        if ack["ok"]:
            return int(ack["seq"])
        assert ack["error"]["retryable"], ack
    raise AssertionError("the message was never stored")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.parametrize("where", ["run", "finish", "publish"])
async def test_a_crash_at_any_effect_of_the_messages_actor_leaves_no_hole(
    tmp_path: Path, where: str, at: int, after: bool
) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        owner = chat.parts.publishing.publisher if where == "publish" else chat.parts.chat.effects
        fault = crash(chat, owner, where, at, after=after)
        seqs = [await send_until_stored(ada, f"message {number}") for number in range(6)]
        assert seqs == [1, 2, 3, 4, 5, 6]
        assert fault.has_crashed
        heard = [(await bob.until("chat:message"))["seq"] for _ in range(6)]
        assert heard == seqs
        page = await bob.call("chat:history:get", {"connectionId": ROOM})
        assert [one["seq"] for one in page["messages"]] == seqs
        assert [event.actor for event in chat.recorder.of(ActorCrashed)] == ["messages"]


@pytest.mark.parametrize("left", [(), (3,)], ids=["all", "the first"])
async def test_what_is_removed_before_a_crashed_actor_has_shown_it_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: tuple[int, ...]
) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        assert await send_until_stored(ada, "seen") == 1
        store, log = chat.store, chat.log
        reread = type(store).reread

        def reread_and_remove(store: Store) -> Recovered:
            recovered = reread(store)
            first_kept = 4 - len(left)
            trio.from_thread.run(log.remove, [Surplus(ROOM, first_kept, 1)])
            trio.from_thread.run_sync(chat.parts.publishing.timelines.forget, ROOM, first_kept)
            return recovered

        monkeypatch.setattr(type(store), "reread", reread_and_remove)
        crash(chat, chat.parts.publishing.publisher, "publish", 1, after=False)
        log.held = trio.Event()
        for content in ("committed with the next", "never shown either"):
            await ada.emit("chat:message", message(content))
        status = {"connectionId": ROOM, "status": PresenceStatus.AWAY}
        await ada.call("presence:update", status)  # the messages are on their way
        log.held.set()
        await until(lambda: chat.parts.publishing.timelines.last_seq(ROOM) == 3)
        shown = (3 if left else 0, list(left), 3)
        for since in (None, {ROOM: 1}):
            auth = {} if since is None else {"since": since, "epoch": store.epoch}
            newcomer = await chat.connect({"token": token("eve"), **auth})
            page = await newcomer.until("chat:history")
            seqs = [one["seq"] for one in page["messages"]]
            assert (page["firstSeq"], seqs, page["lastSeq"]) == shown
            await newcomer.quiet()
        assert await send_until_stored(ada, "goes on") == 4
        heard = [1, *left, 4]
        assert [(await bob.until("chat:message"))["seq"] for _ in heard] == heard


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_crash_in_a_commit_is_one_too(tmp_path: Path, after: bool) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        crash(chat, chat.parts.messages.machine, "apply", 2, after=after)
        seqs = [await send_until_stored(ada, f"message {number}") for number in range(3)]
        assert seqs == [1, 2, 3]
        assert [(await bob.until("chat:message"))["seq"] for _ in range(3)] == seqs


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_a_writer_that_ends_by_a_fault_is_started_again_and_leaves_no_hole(
    tmp_path: Path, at: int, after: bool
) -> None:
    """What ends its thread is no error of the disk: whoever waited is told, and tries again."""
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        writer = chat.parts.storage.log._writer
        assert writer is not None
        fault = crash(chat, writer._log, "commit", at, after=after, error=SystemExit)
        seqs = [await send_until_stored(ada, f"message {number}") for number in range(4)]
        assert fault.has_crashed
        assert chat.parts.storage.log._writer is not writer
        assert seqs == [1, 2, 3, 4]
        assert [(await bob.until("chat:message"))["seq"] for _ in range(4)] == seqs
        page = await bob.call("chat:history:get", {"connectionId": ROOM})
        assert [one["seq"] for one in page["messages"]] == seqs


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_a_crash_of_presence_is_told_to_who_asked_and_mended_for_the_others(
    tmp_path: Path, at: int, after: bool
) -> None:
    async with open_chat(tmp_path) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        fault = crash(chat, chat.parts.rosters.presence, "run", at, after=after)
        for _ in range(3):
            for status in (PresenceStatus.AWAY, PresenceStatus.ONLINE):
                where = {"connectionId": ROOM, "status": status}
                while not (ack := await bob.call("presence:update", where))["ok"]:
                    assert ack["error"]["code"] == "internal"
        assert fault.has_crashed
        shown = {"bob": "online"}
        ada.passes_over = frozenset()
        await bob.call("presence:update", {"connectionId": ROOM, "status": "away"})
        ack_id = await ada.ask("connection:leave", {"connectionId": "nowhere"})
        while (packet := await ada.packet())[0] != ack_id:
            if packet[0] == "presence:update":
                shown[packet[1]["userId"]] = packet[1]["status"]
        assert shown == {"bob": "away"}
        assert [event.actor for event in chat.recorder.of(ActorCrashed)] == ["presence"]
        assert (await ada.call("chat:message", message()))["ok"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_crash_of_typing_costs_nobody_else_anything(tmp_path: Path, after: bool) -> None:
    async with open_chat(tmp_path) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        crash(chat, chat.parts.rosters.typing, "run", 1, after=after)
        where = {"connectionId": ROOM}
        assert (await ada.call("chat:typing:start", where))["error"]["code"] == "internal"
        assert (await ada.call("chat:typing:start", where))["ok"]
        assert (await bob.until("chat:typing"))["isTyping"] is True
        assert (await ada.call("chat:message", message()))["ok"]
        assert (await bob.until("chat:typing"))["isTyping"] is False


async def test_a_wal_that_goes_during_a_commit_and_comes_back_leaves_no_hole_and_no_double(
    tmp_path: Path,
) -> None:
    """What was refused is in the log then: it is published, and a retry is told its place."""
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        assert await send_until_stored(ada, "before") == 1
        chat.faults_expected = True
        wal = wal_of(chat.parts.storage.store.path)
        away = wal.with_name("away")
        writer = chat.parts.storage.log._writer
        assert writer is not None
        commit = writer._log._commit_together  # type: ignore[attr-defined]

        def commit_and_lose(requests: object) -> object:
            result = commit(requests)
            if not away.exists():
                wal.rename(away)
            return result

        writer._log._commit_together = commit_and_lose  # type: ignore[attr-defined]
        sent = message("meanwhile")
        for _ in range(2):
            refused = await ada.call("chat:message", sent)
            assert refused["error"]["code"] == "storage_error"
        away.rename(wal)
        del writer._log._commit_together  # type: ignore[attr-defined]
        while not (ack := await ada.call("chat:message", sent))["ok"]:
            assert ack["error"]["retryable"]
        assert ack["seq"] == 2
        assert [await send_until_stored(ada, f"after {number}") for number in (3, 4)] == [3, 4]
        assert [(await bob.until("chat:message"))["seq"] for _ in range(4)] == [1, 2, 3, 4]
        page = await bob.call("chat:history:get", {"connectionId": ROOM})
        assert [one["seq"] for one in page["messages"]] == [1, 2, 3, 4]
        assert chat.recorder.of(ActorCrashed) == chat.recorder.of(InternalError) == []
        assert chat.recorder.of(StoreFailed)[-1].detail == (
            "The log holds a commit that was reported as failed."
        )


async def test_an_actor_that_crashes_again_and_again_ends_the_daemon(tmp_path: Path) -> None:
    def always(_: object) -> None:
        raise Fault

    async def keep_on() -> None:
        async with open_chat(tmp_path, limits=FREE) as chat:
            ada = await chat.enter("ada")
            chat.parts.chat.effects.run = always  # type: ignore[method-assign]
            with trio.fail_after(10):
                while True:
                    await ada.call("chat:message", message())

    with pytest.raises(ExceptionGroup) as raised:
        await keep_on()
    assert raised.value.split(GaveUp)[0] is not None


async def test_nobody_waits_for_a_log_that_is_not_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        eve = await chat.connect({"token": token("eve"), "connectionId": NO_ROOM})
        await eve.until("chat:error")
        chat.faults_expected = True

        began, may_fail = trio.Event(), trio.Event()

        async def carry_out(_self: object, _batch: object, _now_ms: int) -> object:
            began.set()
            await may_fail.wait()
            raise LogStartedOver("another log")

        monkeypatch.setattr(type(chat.parts.messages.ledger), "carry_out", carry_out)
        asked = [await ada.ask("chat:message", message())]
        await began.wait()
        asked.append(await ada.ask("chat:message", message()))  # waits behind it
        await until(lambda: len(chat.parts.messages.mailbox) == 1)
        may_fail.set()
        codes = [(await ada.until(one))["error"]["code"] for one in asked]
        assert codes == ["internal", "draining"]
        assert chat.parts.storage.starts_over.is_set()
        for peer, event, wanted in (
            (ada, "chat:message", message()),
            (eve, "connection:join", {"connectionId": ROOM}),
        ):
            refused = await peer.call(event, wanted)
            assert refused["error"]["code"] == "draining"
