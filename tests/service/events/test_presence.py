"""Presence and typing between real sockets, and by a clock of the test's own."""

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.observe.clock import Clock
from tests.service.chats import (
    NO_ROOM,
    ROOM,
    Chat,
    ChatPeer,
    MemoryPeer,
    connected,
    message,
    open_chat,
    token,
)


async def snapshot_of(peer: ChatPeer) -> dict[str, str]:
    """What `presence:snapshot` shows: status by user."""
    shown = await peer.until("presence:snapshot")
    assert shown["connectionId"] == ROOM
    return {user["userId"]: user["status"] for user in shown["users"]}


async def come(chat: Chat, user_id: str, **auth: object) -> ChatPeer:
    peer = await chat.connect({"token": token(user_id, name=user_id.title()), **auth})
    await connected(peer)
    await peer.expect("connection:status")
    return peer


async def test_who_comes_is_shown_who_is_there_and_the_others_are_told(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await come(chat, "ada")
        assert await snapshot_of(ada) == {"ada": "online"}
        await ada.expect("chat:history")
        bob = await come(chat, "bob")
        assert await snapshot_of(bob) == {"ada": "online", "bob": "online"}
        update = await ada.expect("presence:update")
        assert isinstance(update.pop("lastSeen"), int)
        assert update == {
            "userId": "bob",
            "name": "Bob",
            "status": "online",
            "connectionId": ROOM,
        }
        await bob.expect("chat:history")
        await bob.quiet()


async def test_what_one_socket_declares_is_the_users(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada, one, other = [await chat.enter(user) for user in ("ada", "bob", "bob")]
        for peer, status in ((one, "away"), (other, "online"), (one, "offline")):
            declared = {"connectionId": ROOM, "status": status}
            assert await peer.call("presence:update", declared) == {"ok": True, "status": status}
        updates = [await ada.until("presence:update") for _ in range(4)]
        assert [(it["userId"], it["status"]) for it in updates] == [
            ("bob", "online"),
            ("bob", "away"),
            ("bob", "online"),
            ("bob", "offline"),
        ]
        assert (await other.until("presence:update"))["status"] == "offline"
        newcomer = await come(chat, "cyd")
        assert await snapshot_of(newcomer) == {"ada": "online", "cyd": "online"}


async def test_who_is_unseen_stays_so_over_a_reconnect_and_a_second_device(
    tmp_path: Path,
) -> None:
    """Others were told that the user is online, as soon as it had another socket."""
    async with open_chat(tmp_path) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        assert (await ada.until("presence:update"))["status"] == "online"
        await bob.call("presence:update", {"connectionId": ROOM, "status": "offline"})
        assert (await ada.until("presence:update"))["status"] == "offline"
        await bob.peer.reset()
        for _ in range(2):
            bob = await come(chat, "bob")
            assert await snapshot_of(bob) == {"ada": "online"}
            assert (await bob.call("chat:typing:start", {"connectionId": ROOM})) == {"ok": True}
            assert (await bob.call("connection:join", {"connectionId": ROOM}))["ok"]
        assert (await bob.say(message()))["ok"]
        told = []
        while not told or told[-1][0] != "chat:message":
            told.append(await ada.packet("presence:update"))
        assert [name for name, _ in told] == ["chat:message"]
        cyd = await come(chat, "cyd")
        assert await snapshot_of(cyd) == {"ada": "online", "cyd": "online"}
        shown = await bob.call("presence:update", {"connectionId": ROOM, "status": "online"})
        assert shown["status"] == "online"
        updates = [await ada.until("presence:update") for _ in range(2)]
        assert [(it["userId"], it["status"]) for it in updates] == [
            ("cyd", "online"),
            ("bob", "online"),
        ]


async def test_a_handshake_declares_for_its_rooms_before_anybody_sees_the_user(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        bob = await come(chat, "bob", status="offline")
        assert await snapshot_of(bob) == {"ada": "online"}
        assert (await bob.say(message()))["ok"]
        assert (await ada.packet("presence:update"))[0] == "chat:message"
        again = await come(chat, "bob", status="away")
        assert await snapshot_of(again) == {"ada": "online", "bob": "away"}
        assert (await ada.until("presence:update"))["status"] == "away"
        last = await come(chat, "bob")
        assert await snapshot_of(last) == {"ada": "online", "bob": "away"}


async def test_a_socket_begins_in_a_room_that_it_joins_later_with_what_it_declared(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path) as chat:
        rooms = [ROOM, "stock"]
        ada = await chat.enter("ada", rooms)
        one = await chat.connect({"token": token("bob", rooms), "connectionId": ROOM})
        await connected(one)
        assert (await ada.until("presence:update"))["connectionId"] == ROOM
        await one.call("presence:update", {"connectionId": ROOM, "status": "offline"})
        assert (await ada.until("presence:update"))["status"] == "offline"
        assert (await one.call("connection:join", {"connectionId": "stock"}))["ok"]
        assert (await one.say(message(room="stock")))["ok"]
        assert (await ada.packet("presence:update"))[0] == "chat:message"


async def test_who_joins_a_room_by_declaring_there_is_never_seen_otherwise(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        bob = await come(chat, "bob", connectionId=NO_ROOM)
        unseen = {"connectionId": ROOM, "status": "offline"}
        assert (await bob.call("presence:update", unseen))["status"] == "offline"
        cyd = await come(chat, "cyd", connectionId=NO_ROOM)
        await cyd.call("presence:update", {"connectionId": ROOM, "status": "away"})
        update = await ada.until("presence:update")
        assert (update["userId"], update["status"]) == ("cyd", "away")


@pytest.mark.parametrize("status", ["busy", "", 7, ["away"], {"demo": "away"}])
async def test_a_status_of_the_handshake_that_is_none_is_refused_and_not_obeyed(
    tmp_path: Path, status: object
) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await come(chat, "ada", status=status)
        error = await ada.expect("chat:error")
        assert (error["event"], error["code"], error["path"]) == (
            "connection:join",
            "invalid_payload",
            "status",
        )
        assert await snapshot_of(ada) == {"ada": "online"}


async def test_who_declares_to_be_unseen_while_typing_types_no_more(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        where = {"connectionId": ROOM}
        await bob.call("chat:typing:start", where)
        assert (await ada.until("chat:typing"))["isTyping"] is True
        await bob.call("presence:update", {**where, "status": "offline"})
        assert (await ada.until("chat:typing"))["isTyping"] is False
        await bob.call("chat:typing:start", where)
        await bob.call("presence:update", {**where, "status": "away"})
        await bob.call("chat:typing:start", where)
        assert (await ada.until("chat:typing"))["isTyping"] is True


async def test_an_actor_that_begins_again_shows_nobody_who_is_unseen(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        one = await come(chat, "bob", status="offline")
        await one.until("chat:history")
        other = await chat.enter("bob")
        chat.parts.rosters.presence.revive(trio.current_time())
        assert (await other.say(message()))["ok"]
        assert (await ada.packet("presence:update"))[0] == "chat:message"


class Calendar:
    """What people are shown of the time, as the test sets it."""

    now_ms = 1_000

    def __call__(self) -> int:
        return self.now_ms

    async def turn(self, now_ms: int) -> None:
        """It is so late now, for all that is still to come."""
        await wait_all_tasks_blocked()
        self.now_ms = now_ms


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> Calendar:
    calendar = Calendar()
    monkeypatch.setattr(Clock, "wall_ms", lambda _: calendar())
    return calendar


async def last_seen(peer: ChatPeer) -> dict[str, int]:
    """What `presence:snapshot` shows: the time of the last sign by user."""
    shown = await peer.until("presence:snapshot")
    return {user["userId"]: user["lastSeen"] for user in shown["users"]}


IN_ROOM = {"connectionId": ROOM}
SENT = message()


@pytest.mark.parametrize(
    "signs",
    [
        [("presence:update", {**IN_ROOM, "status": "away"})],
        [("presence:update", {**IN_ROOM, "status": "online"})],
        [("chat:message", message())],
        [("chat:message", SENT)],
        [("chat:typing:start", IN_ROOM)],
        [("chat:typing:stop", IN_ROOM)],
        [("connection:join", IN_ROOM)],
        [("connection:leave", IN_ROOM)],
        [("connection:leave", IN_ROOM), ("connection:join", IN_ROOM)],
    ],
    ids=[
        "another status",
        "the same status",
        "a message",
        "the same message",
        "typing",
        "no typing",
        "a join",
        "a leave",
        "a leave and a join",
    ],
)
async def test_last_seen_is_the_time_of_the_last_sign(
    tmp_path: Path, calendar: Calendar, signs: list[tuple[str, object]]
) -> None:
    """It was that of the last change of status that was told."""
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        assert (await ada.say(SENT))["ok"]
        await calendar.turn(5_000)
        for name, payload in signs:
            assert (await ada.call(name, payload))["ok"]
        await calendar.turn(9_000)
        bob = await come(chat, "bob")
        assert await last_seen(bob) == {"ada": 5_000, "bob": 9_000}
        await chat.parts.maintenance.snapshots.write()
    await calendar.turn(9_500)
    async with open_chat(tmp_path) as chat:
        cyd = await come(chat, "cyd")
        assert (await last_seen(cyd))["ada"] == 5_000


async def test_who_reloads_or_joins_again_is_shown_itself_as_seen_now(
    tmp_path: Path, calendar: Calendar
) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        await calendar.turn(5_000)
        await ada.ask("connection:join", IN_ROOM)
        assert await last_seen(ada) == {"ada": 5_000}
        await ada.peer.reset()
        await calendar.turn(6_000)
        assert await last_seen(await come(chat, "ada")) == {"ada": 6_000}


async def test_an_actor_that_begins_again_takes_nobody_for_seen(
    tmp_path: Path, calendar: Calendar
) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        assert (await ada.call("presence:update", {**IN_ROOM, "status": "away"}))["ok"]
        await calendar.turn(5_000)
        machine = chat.parts.rosters.presence.revive(trio.current_time())
        assert [(it.status, it.last_seen_ms) for it in machine.room(ROOM)] == [("away", 1_000)]


async def test_what_others_do_is_no_sign_of_somebody(tmp_path: Path, calendar: Calendar) -> None:
    async with open_chat(tmp_path) as chat:
        await chat.enter("ada")
        bob = await chat.enter("bob", [ROOM, "stock"])
        await calendar.turn(5_000)
        assert (await bob.call("chat:message", message(room="stock")))["ok"]
        assert (await bob.call("chat:typing:start", {"connectionId": "stock"}))["ok"]
        await calendar.turn(9_000)
        cyd = await come(chat, "cyd")
        assert await last_seen(cyd) == {"ada": 1_000, "bob": 1_000, "cyd": 9_000}


@pytest.mark.parametrize(
    ("payload", "code", "path"),
    [
        ({"connectionId": ROOM, "status": "busy"}, "invalid_payload", "status"),
        ({"connectionId": ROOM}, "invalid_payload", "status"),
        ({"connectionId": "secret", "status": "away"}, "forbidden_room", "connectionId"),
        (None, "invalid_payload", None),
    ],
    ids=str,
)
async def test_a_presence_that_cannot_be_is_refused(
    tmp_path: Path, payload: object, code: str, path: str | None
) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        answer = await ada.call("presence:update", payload)
        assert (answer["error"]["code"], answer["error"].get("path")) == (code, path)


async def test_typing_is_told_to_the_other_users_and_ends_with_a_message(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada, own, bob = [await chat.enter(user) for user in ("ada", "ada", "bob")]
        where = {"connectionId": ROOM}
        assert await ada.call("chat:typing:start", where) == {"ok": True}
        assert await ada.call("chat:typing:start", where) == {"ok": True}
        typing = await bob.until("chat:typing")
        assert isinstance(typing.pop("timestamp"), int)
        assert typing == {"userId": "ada", "connectionId": ROOM, "isTyping": True}
        newcomer = await come(chat, "cyd")
        assert (await newcomer.until("chat:typing"))["userId"] == "ada"
        await ada.say(message())
        assert (await bob.until("chat:message"))["userId"] == "ada"
        assert (await bob.until("chat:typing"))["isTyping"] is False
        await own.until("chat:message")
        await own.quiet()


async def test_typing_ends_with_a_stop_a_leave_and_a_disconnect(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        bob, where = await chat.enter("bob"), {"connectionId": ROOM}
        for end in ("chat:typing:stop", "connection:leave", None):
            ada = await chat.enter("ada")
            await ada.call("chat:typing:start", where)
            assert (await bob.until("chat:typing"))["isTyping"] is True
            if end is None:
                await ada.peer.reset()
            else:
                await ada.call(end, where)
            assert (await bob.until("chat:typing"))["isTyping"] is False


async def test_too_many_starts_are_refused_and_a_stop_is_free(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits={"user_typing_per_minute": 2}) as chat:
        ada, where = await chat.enter("ada"), {"connectionId": ROOM}
        for _ in range(2):
            assert (await ada.call("chat:typing:start", where))["ok"]
        refused = await ada.call("chat:typing:start", where)
        assert refused["error"]["code"] == "rate_limited"
        assert refused["error"]["retryAfterMs"] > 0
        for _ in range(5):
            assert (await ada.call("chat:typing:stop", where))["ok"]
        assert (await ada.call("chat:message", message()))["ok"]


async def test_an_event_for_a_permitted_room_joins_it_first(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await come(chat, "ada", connectionId=NO_ROOM)
        assert (await ada.call("chat:typing:start", {"connectionId": ROOM}))["ok"]
        bob = await come(chat, "bob", connectionId=NO_ROOM)
        assert (await bob.expect("chat:error"))["code"] == "forbidden_room"
        away = {"connectionId": ROOM, "status": "away"}
        ack_id = await bob.ask("presence:update", away)
        await bob.expect("presence:snapshot")
        await bob.expect("chat:history")
        assert (await bob.until(ack_id))["status"] == "away"


def events(peer: MemoryPeer, name: str) -> list[Any]:
    return [payload for told, payload in peer.take_events() if told == name]


async def test_a_reload_shows_nothing_and_ten_seconds_without_a_socket_are_offline(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    async with open_chat(tmp_path, in_memory=True) as chat:
        ada = await chat.attach_and_enter(token("ada"))
        bob = await chat.attach_and_enter(token("bob"))
        await wait_all_tasks_blocked()
        assert [it["userId"] for it in events(ada, "presence:update")] == ["bob"]
        await bob.say("1")
        mock_clock.jump(9.9)
        await wait_all_tasks_blocked()
        bob = await chat.attach_and_enter(token("bob"))
        mock_clock.jump(20)
        await wait_all_tasks_blocked()
        assert events(ada, "presence:update") == []
        await bob.say("1")
        mock_clock.jump(10.1)
        await wait_all_tasks_blocked()
        [gone] = events(ada, "presence:update")
        assert (gone["userId"], gone["status"]) == ("bob", "offline")


async def test_typing_ends_ten_seconds_after_the_last_start(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    async with open_chat(tmp_path, in_memory=True) as chat:
        ada = await chat.attach_and_enter(token("ada"))
        bob = await chat.attach_and_enter(token("bob"))
        await ada.emit("chat:typing:start", {"connectionId": ROOM})
        mock_clock.jump(9)
        await ada.emit("chat:typing:start", {"connectionId": ROOM})
        mock_clock.jump(9)
        await wait_all_tasks_blocked()
        assert [it["isTyping"] for it in events(bob, "chat:typing")] == [True]
        mock_clock.jump(1.1)
        await wait_all_tasks_blocked()
        assert [it["isTyping"] for it in events(bob, "chat:typing")] == [False]


async def test_after_a_restart_those_who_were_there_have_ten_seconds_to_come_back(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path) as chat:
        for user in ("ada", "bob"):
            peer = await chat.enter(user)
            assert (await peer.call("presence:update", {"connectionId": ROOM, "status": "away"}))[
                "ok"
            ]
        eve = await come(chat, "eve", status="offline")
        unseen = {"connectionId": ROOM, "status": "offline"}
        assert (await eve.call("presence:update", unseen))["ok"]  # the actor has it
        await chat.parts.maintenance.snapshots.write()
    async with open_chat(tmp_path) as chat:
        cyd = await come(chat, "cyd")
        assert await snapshot_of(cyd) == {"ada": "away", "bob": "away", "cyd": "online"}
        await cyd.until("chat:history")
        eve = await come(chat, "eve")
        await eve.until("chat:history")
        assert (await eve.say(message()))["ok"]
        told = await cyd.packet("presence:update")
        assert told[0] == "chat:message", told


@pytest.mark.parametrize("end", ["chat:message", "connection:leave"])
async def test_who_stops_and_starts_in_one_turn_ends_with_a_message_or_a_leave(
    tmp_path: Path, mock_clock: MockClock, end: str
) -> None:
    """The stop was taken for the end of the start behind it, and nothing but time ended that."""
    async with open_chat(tmp_path, in_memory=True) as chat:
        ada = await chat.attach_and_enter(token("ada"))
        bob = await chat.attach_and_enter(token("bob"))
        for turn in ("start", "stop", "start"):
            ada.session.receive(f'42["chat:typing:{turn}",{{"connectionId":"{ROOM}"}}]')
        await wait_all_tasks_blocked()
        assert [it["isTyping"] for it in events(bob, "chat:typing")] == [True, False, True]
        await ada.emit(end, message() if end == "chat:message" else {"connectionId": ROOM})
        assert [it["isTyping"] for it in events(bob, "chat:typing")] == [False]


async def test_who_was_away_and_comes_again_is_away_to_itself_and_to_others(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path) as chat:
        ada, bob = await chat.enter("ada"), await come(chat, "bob")
        away = {"connectionId": ROOM, "status": "away"}
        assert (await bob.call("presence:update", away))["ok"]
        again = await come(chat, "bob")
        assert await snapshot_of(again) == {"ada": "online", "bob": "away"}
        assert (await again.say(message()))["ok"]
        updates = [await ada.packet("presence:update") for _ in range(3)]
        assert [it.get("status") for _, it in updates] == ["online", "away", "sent"]


async def test_a_second_join_shows_what_was_declared(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        bob = await chat.enter("bob")
        for status in ("away", "offline"):
            await bob.call("presence:update", {"connectionId": ROOM, "status": status})
            await bob.ask("connection:join", {"connectionId": ROOM})
            shown = await snapshot_of(bob)
            assert shown == ({"bob": "away"} if status == "away" else {})
