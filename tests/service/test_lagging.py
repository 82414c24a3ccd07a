"""A client that is too slow for presence and typing learns it once, and catches up later."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.service.chats import ROOM, Chat, MemoryPeer, message, open_chat, token

WHERE = {"connectionId": ROOM}
ROOMS = (ROOM, "stock")


@pytest.fixture
async def chat(tmp_path: Path, mock_clock: MockClock) -> AsyncIterator[Chat]:
    async with open_chat(tmp_path, in_memory=True) as chat:
        yield chat


async def enter(chat: Chat, user_id: str) -> MemoryPeer:
    peer = await chat.attach_and_enter(token(user_id, ROOMS))
    peer.take()
    return peer


def stop_taking(peer: MemoryPeer) -> None:
    peer.transport.taking = trio.Event()


def shown(peer: MemoryPeer) -> list[tuple[str, Any]]:
    """What it was told of presence and typing, and of its own state."""
    told = []
    for name, payload in peer.take_events():
        match name:
            case "connection:status":
                told.append((name, payload["status"]))
            case "presence:update":
                told.append((payload["userId"], payload["status"]))
            case "presence:snapshot":
                told.append((name, {it["userId"]: it["status"] for it in payload["users"]}))
            case "chat:typing":
                told.append((payload["userId"], payload["isTyping"]))
    return told


async def test_who_lags_is_told_once_and_misses_presence_and_typing_but_no_message(
    chat: Chat,
) -> None:
    ada, bob = await enter(chat, "ada"), await enter(chat, "bob")
    stop_taking(bob)
    for status in ("away", "online", "away"):
        await ada.emit("presence:update", {**WHERE, "status": status})
    await ada.emit("chat:typing:start", WHERE)
    sent = message()
    await ada.emit("chat:message", sent)
    told = bob.take_events()
    assert [name for name, _ in told] == ["connection:status", "chat:message"]
    assert told[0][1] == {"status": "lagging", "code": "overloaded", "retryAfterMs": 1_000}
    assert told[1][1]["messageId"] == sent["messageId"]


async def test_what_was_missed_is_made_up_at_the_next_thing_that_is_told(chat: Chat) -> None:
    ada, bob, cyd = [await enter(chat, user) for user in ("ada", "bob", "cyd")]
    await ada.emit("chat:typing:start", WHERE)
    bob.take()
    stop_taking(bob)
    await ada.emit("presence:update", {**WHERE, "status": "away"})
    await ada.emit("chat:typing:stop", WHERE)
    assert shown(bob) == [("connection:status", "lagging")]
    bob.transport.taking.set()
    await cyd.emit("presence:update", {**WHERE, "status": "away"})
    entries = {"ada": "away", "bob": "online", "cyd": "away"}
    assert shown(bob) == [("presence:snapshot", entries), ("ada", False)]
    await cyd.emit("presence:update", {**WHERE, "status": "online"})
    assert shown(bob) == [("cyd", "online")]


async def test_what_is_made_up_holds_the_change_that_it_comes_with(chat: Chat) -> None:
    """A start of typing was told to nobody who had just caught up."""
    ada, bob, cyd = [await enter(chat, user) for user in ("ada", "bob", "cyd")]
    bob.take()
    stop_taking(bob)
    await ada.emit("presence:update", {**WHERE, "status": "away"})
    bob.take()
    bob.transport.taking.set()
    await cyd.emit("chat:typing:start", WHERE)
    assert ("cyd", True) in shown(bob)


async def test_what_was_missed_in_a_room_that_was_left_is_forgotten(chat: Chat) -> None:
    """Who had left a room so was never told again that it lags."""
    ada, bob = await enter(chat, "ada"), await enter(chat, "bob")
    stop_taking(bob)
    await ada.emit("presence:update", {**WHERE, "status": "away"})
    await bob.emit("connection:leave", WHERE)
    bob.transport.taking.set()
    bob.take()
    stop_taking(bob)
    await ada.emit("presence:update", {"connectionId": "stock", "status": "away"})
    assert shown(bob) == [("connection:status", "lagging")]
