"""In which order a batch goes out."""

from pathlib import Path

import orjson
import trio
import trio.testing

from tests.service.chats import message, open_chat, token


async def test_senders_are_answered_before_rooms_get_what_was_committed_with_theirs(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_chat(tmp_path, in_memory=True) as chat:
        ada = await chat.attach_and_enter(token("ada"))
        chat.log.held = trio.Event()
        await ada.emit("chat:message", message("a batch of its own"))
        await ada.emit("chat:message", message("one"))
        await ada.emit("chat:message", message("two"))
        ada.take()
        chat.log.held.set()
        await trio.testing.wait_all_tasks_blocked()
        assert [(name, payload["seq"]) for name, payload in ada.take_events()] == [
            ("chat:message:sent", 1),
            ("chat:message", 1),
            ("chat:message:sent", 2),
            ("chat:message:sent", 3),
            ("chat:message", 2),
            ("chat:message", 3),
        ]


async def test_who_joins_between_two_messages_of_a_batch_gets_each_of_them_once(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_chat(tmp_path, in_memory=True) as chat:
        ada, bob = await chat.attach_and_enter(token("ada")), chat.attach()
        chat.log.held = trio.Event()
        await ada.emit("chat:message", message("a batch of its own"))
        await ada.emit("chat:message", message("one"))
        shown = orjson.dumps({"token": token("bob")}).decode()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bob.say, f"40{shown}")
            await trio.testing.wait_all_tasks_blocked()
            await ada.emit("chat:message", message("two"))
            chat.log.held.set()
        events = bob.take_events()
        (history,) = [payload["messages"] for name, payload in events if name == "chat:history"]
        live = [payload for name, payload in events if name == "chat:message"]
        assert [one["seq"] for one in (*history, *live)] == [1, 2, 3]
