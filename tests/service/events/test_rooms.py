"""Joining, leaving, paging."""

from pathlib import Path
from uuid import uuid4

import orjson
import pytest
import trio
import trio.testing

from chatd.engine.websocket import WebSocketTransport
from chatd.net.disconnects import DisconnectReason
from chatd.store import CommitFailed
from chatd.wire.codes import Code
from tests.service.chats import (
    NO_ROOM,
    ROOM,
    Chat,
    ChatPeer,
    connected,
    in_no_room,
    message,
    open_chat,
    token,
)


async def seqs(peer: ChatPeer, **wanted: object) -> list[int]:
    page = await peer.call("chat:history:get", {"connectionId": "sales", **wanted})
    assert page["ok"] is True
    return [body["seq"] for body in page["messages"]]


async def enter_quietly(
    chat: Chat, user_id: str = "ada", rooms: tuple[str, ...] = ("sales",)
) -> ChatPeer:
    peer = await chat.connect({"token": token(user_id, rooms), "connectionId": NO_ROOM})
    await in_no_room(peer)
    return peer


async def test_a_join_gives_the_history_and_then_the_ack(chat: Chat) -> None:
    ada, grace = await chat.enter("ada"), await enter_quietly(chat, "grace")
    await ada.call("chat:message", message("the first"))
    ack_id = await grace.ask("connection:join", {"connectionId": "sales"})
    history = await grace.expect("chat:history")
    assert [body["content"] for body in history.pop("messages")] == ["the first"]
    place = {"firstSeq": 1, "lastSeq": 1, "lastRev": 0}
    assert history == {"connectionId": "sales", "hasMore": False, **place}
    assert await grace.expect(ack_id) == {
        "ok": True,
        "connectionId": "sales",
        "lastSeq": 1,
        "epoch": chat.store.epoch,
    }
    await ada.call("chat:message", message("the second"))
    assert (await grace.expect("chat:message"))["seq"] == 2


async def test_after_leaving_nothing_of_the_room_comes(chat: Chat) -> None:
    ada, grace = await chat.enter("ada"), await chat.enter("grace")
    ack = await grace.call("connection:leave", {"connectionId": "sales"})
    place = {"connectionId": "sales", "lastSeq": 0, "epoch": chat.store.epoch}
    assert ack == {"ok": True, **place}
    ack = await grace.call("connection:leave", {"connectionId": "of others"})
    assert ack == {"ok": True, "connectionId": "of others"}
    await ada.call("chat:message", message())
    await grace.quiet()


@pytest.mark.parametrize(
    ("name", "payload", "code"),
    [
        ("connection:join", {"connectionId": "secret"}, "forbidden_room"),
        ("connection:join", {"connectionId": 1}, "invalid_payload"),
        ("connection:join", None, "invalid_payload"),
        ("connection:leave", {}, "invalid_payload"),
        ("chat:history:get", {"connectionId": "secret"}, "forbidden_room"),
        ("chat:history:get", {"connectionId": "sales", "limit": 0}, "invalid_payload"),
        ("chat:history:get", {"connectionId": "sales", "limit": 201}, "invalid_payload"),
        ("chat:history:get", {"connectionId": "sales", "before": -1}, "invalid_payload"),
        ("chat:history:get", {"connectionId": "sales", "after": 1.5}, "invalid_payload"),
        ("chat:history:get", {"connectionId": "sales", "after": 2**60}, "invalid_payload"),
        (
            "chat:history:get",
            {"connectionId": "sales", "before": 2, "after": 1},
            "invalid_payload",
        ),
        ("chat:history:get", {"connectionId": "sales", "threadId": "x"}, "unknown_thread"),
        ("chat:history:get", {"connectionId": "sales", "threadId": str(uuid4())}, "unknown_thread"),
        ("auth:refresh", {}, "invalid_payload"),
    ],
)
async def test_what_may_not_be_is_refused_by_ack_and_event(
    chat: Chat, name: str, payload: object, code: str
) -> None:
    ada = await chat.enter()
    ack_id = await ada.ask(name, payload)
    ack = await ada.expect(ack_id)
    assert (ack["ok"], ack["error"]["code"]) == (False, code)
    error = await ada.expect("chat:error")
    assert (error["event"], error["code"]) == (name, code)
    await ada.quiet()


async def test_history_is_paged_in_both_directions(tmp_path: Path) -> None:
    limits = {"user_messages_per_minute": 1e6, "socket_messages_per_minute": 1e6}
    async with open_chat(tmp_path, limits=limits, messages={"history_page": 60}) as chat:
        ada = await chat.enter()
        for number in range(70):
            await ada.call("chat:message", message(f"number {number}"))
        assert await seqs(ada) == list(range(21, 71))
        assert await seqs(ada, before=21, limit=10) == list(range(11, 21))
        assert await seqs(ada, before=3) == [1, 2]
        assert await seqs(ada, after=68) == [69, 70]
        assert await seqs(ada, after=0, limit=60) == list(range(1, 61))
        assert await seqs(ada, after=70) == []
        assert await seqs(ada, before=0) == []
        page = await ada.call("chat:history:get", {"connectionId": "sales", "limit": 60})
        assert (page["hasMore"], page["firstSeq"], page["lastSeq"]) == (True, 1, 70)


async def test_a_page_of_a_thread_needs_one_that_is_or_may_be(chat: Chat) -> None:
    """What opened no thread gave an empty page, as if nobody had answered yet."""
    ada = await chat.enter("ada", ["sales", "stock"])
    opener, elsewhere = message("shall we?"), message("shall we?", room="stock")
    lonely = message("anybody?")
    reply = message("yes", threadId=opener["messageId"])
    for said in (opener, elsewhere, reply, lonely):
        assert (await ada.call("chat:message", said))["ok"] is True
    for unknown in (elsewhere, reply):
        wanted = {"connectionId": "sales", "threadId": unknown["messageId"], "limit": 5}
        ack = await ada.call("chat:history:get", wanted)
        assert (ack["error"]["code"], ack["error"]["path"]) == ("unknown_thread", "threadId")
        assert (await ada.until("chat:error"))["connectionId"] == "sales"
    assert await seqs(ada, threadId=str(opener["messageId"]).upper()) == [2]
    assert await seqs(ada, threadId=opener["messageId"], after=2) == []
    assert await seqs(ada, threadId=lonely["messageId"]) == []


async def test_a_thread_is_there_as_soon_as_its_opener_was_sent(chat: Chat) -> None:
    ada, opener = await chat.enter(), message("shall we?")
    await ada.emit("chat:message", opener)
    assert await seqs(ada, threadId=opener["messageId"]) == []


async def test_a_page_without_an_ack_comes_as_an_event(chat: Chat) -> None:
    ada = await chat.enter()
    await ada.emit("chat:history:get", {"connectionId": "sales"})
    page = await ada.expect("chat:history")
    assert page == {
        "connectionId": "sales",
        "messages": [],
        "hasMore": False,
        "firstSeq": 0,
        "lastSeq": 0,
        "lastRev": 0,
    }


async def test_a_room_of_a_past_life_is_loaded_for_the_first_who_joins(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter()
        for number in range(3):
            await ada.call("chat:message", message(f"number {number}"))
    async with open_chat(tmp_path) as chat:
        grace = await chat.connect({"token": token("grace")})
        await connected(grace)
        status = await grace.expect("connection:status")
        [room] = status["rooms"]
        assert (room["connectionId"], room["lastSeq"], room["lastRev"]) == ("sales", 3, 0)
        history = await grace.expect("chat:history")
        assert [body["seq"] for body in history["messages"]] == [1, 2, 3]
        assert (await grace.call("chat:message", message()))["seq"] == 4


async def test_another_epoch_starts_a_room_over_whatever_else_the_client_says(
    tmp_path: Path,
) -> None:
    """Without a since nobody looked at it."""
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        await ada.say(message())
        for epoch, is_reset in (("0123456789abcdef", True), (chat.store.epoch, False)):
            await ada.ask("connection:join", {"connectionId": "sales", "epoch": epoch})
            assert ("reset" in await ada.until("chat:history")) is is_reset
            for since in ({}, {"since": {}}, {"since": {"sales": None}}):
                bob = await chat.connect({"token": token("bob"), "epoch": epoch, **since})
                await connected(bob)
                assert (await bob.expect("connection:status"))["resumed"] is False
                assert ("reset" in await bob.until("chat:history")) is is_reset
        bob = await chat.connect({"token": token("bob"), "epoch": 7})
        await connected(bob)
        error = await bob.until("chat:error")
        assert (error["code"], error["path"]) == ("invalid_payload", "epoch")


async def test_a_socket_is_in_only_so_many_rooms(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits={"rooms_per_socket": 2}) as chat:
        ada = await chat.connect({"token": token("ada", ["a", "b", "c", "d"])})
        await connected(ada)
        await ada.expect("connection:status")
        error = await ada.expect("chat:error")
        assert (error["event"], error["code"], error["connectionId"]) == (
            "connection:join",
            "rate_limited",
            "c",
        )
        assert "2 more were not joined" in error["message"]
        joined = [(await ada.expect("chat:history"))["connectionId"] for _ in range(2)]
        assert joined == ["a", "b"]
        ack = await ada.call("connection:join", {"connectionId": "c"})
        assert ack["error"]["code"] == "rate_limited"
        assert (await ada.expect("chat:error"))["connectionId"] == "c"
        await ada.call("connection:leave", {"connectionId": "a"})
        assert (await ada.call("connection:join", {"connectionId": "c"}))["ok"] is True


async def test_who_asks_for_many_histories_and_reads_none_gets_them_one_by_one(
    tmp_path: Path,
) -> None:
    """Joins of one segment were all answered at once, whatever was owed already."""
    limits = {"user_messages_per_minute": 1e6, "socket_messages_per_minute": 1e6}
    async with open_chat(tmp_path, limits=limits) as chat:
        ada = await chat.enter()
        for _ in range(20):
            await ada.say(message("x" * 10_000))
        history_bytes = 20 * 10_200
        deaf = await enter_quietly(chat, "grace")
        (client,) = chat.parts.publishing.clients._by_user["grace"]
        lane = client.socket.session.transport
        assert isinstance(lane, WebSocketTransport)
        join = '42["connection:join",{"connectionId":"sales"}]'
        await deaf.peer.send(*[join] * 200)
        while not lane.backlog.owed_bytes:
            await ada.quiet()
        for _ in range(20):
            await ada.quiet()
        assert len(lane._writer._unsent or b"") <= 2 * history_bytes


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("connection:join", {"connectionId": "stock"}),
        ("chat:message", message(room="stock")),
        ("chat:history:get", {"connectionId": "stock"}),
    ],
)
async def test_who_is_cut_while_its_join_waits_leaves_no_ghost(
    chat: Chat, name: str, payload: dict[str, object]
) -> None:
    """It once came into the room after it was gone, and every broadcast was kept for it."""
    deaf = chat.attach()
    auth = orjson.dumps({"token": token("grace", ["stock"]), "connectionId": NO_ROOM}).decode()
    await deaf.say("40" + auth)
    deaf.transport.taking = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(deaf.emit, name, payload)
        await trio.testing.wait_all_tasks_blocked()
        deaf.session.end(DisconnectReason.SLOW_CONSUMER)
        deaf.transport.taking.set()
    ada = await chat.enter("ada", ["stock"])
    await ada.say(message(room="stock"))
    assert len(chat.parts.chat.effects._adapter.sockets("/", "stock")) == 1  # type: ignore[attr-defined]
    assert deaf.session.pending == []


async def test_a_join_that_a_leave_overtakes_leaves_no_ghost(chat: Chat) -> None:
    ada, grace = await chat.enter("ada"), await enter_quietly(chat, "grace")
    chat.log.held = trio.Event()
    await grace.peer.send('42["connection:join",{"connectionId":"sales"}]', "1")
    while chat.parts.publishing.timelines._timelines["sales"].holders < 2:
        await ada.quiet()
    chat.log.held.set()
    await grace.ended()
    assert (await ada.say(message()))["ok"] is True


async def test_who_is_cut_while_its_queues_are_looked_through_is_owed_what_comes(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its leave overtook its join, and from then on it counted as one who is there."""
    grace = await chat.enter("grace")
    await grace.peer.send("1")
    await grace.ended()
    cut = chat.attach()
    auth = orjson.dumps({"token": token("grace"), "connectionId": NO_ROOM}).decode()
    await cut.say("40" + auth)
    looked = trio.Event()

    async def look(*_: object) -> dict[str, object]:
        await looked.wait()
        return {}

    monkeypatch.setattr(chat.parts.messages.machine, "needs_trim", lambda *_: True)
    monkeypatch.setattr(chat.store.readers, "newest_owed", look)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cut.emit, "connection:join", {"connectionId": "sales"})
        await trio.testing.wait_all_tasks_blocked()
        cut.session.end(DisconnectReason.PING_TIMEOUT)
        looked.set()
    monkeypatch.undo()
    ada = await chat.enter("ada")
    await ada.say(message())
    assert chat.parts.messages.machine.owed_count("sales", "grace") == 1


EVENTS_THAT_JOIN = [
    ("chat:message", message(room="stock")),
    ("chat:typing:start", {"connectionId": "stock"}),
    ("chat:typing:stop", {"connectionId": "stock"}),
    ("presence:update", {"connectionId": "stock", "status": "away"}),
    ("chat:history:get", {"connectionId": "stock"}),
]


@pytest.mark.parametrize(("name", "payload"), EVENTS_THAT_JOIN, ids=lambda it: str(it)[:12])
async def test_an_event_whose_join_is_too_much_is_answered(
    tmp_path: Path, name: str, payload: object
) -> None:
    """Who asked for an ack waited for it in vain."""
    async with open_chat(tmp_path, limits={"rooms_per_socket": 1}) as chat:
        ada = await chat.connect({"token": token("ada", ["sales", "stock"]), "connectionId": ROOM})
        await ada.until("chat:history")
        error = (await ada.call(name, payload))["error"]
        assert error["code"] == "rate_limited"
        assert error["retryAfterMs"] > 0


@pytest.mark.parametrize(("name", "payload"), EVENTS_THAT_JOIN, ids=lambda it: str(it)[:12])
async def test_an_event_joins_also_while_the_disk_takes_nothing(
    chat: Chat, name: str, payload: object
) -> None:
    ada = await chat.connect({"token": token("ada", ["sales", "stock"]), "connectionId": ROOM})
    await ada.until("chat:history")
    chat.log.failure = CommitFailed(Code.STORAGE_FULL, "the disk is full")
    ack = await ada.call(name, payload)
    if name == "chat:message":
        assert ack["error"]["code"] == "storage_full"
    else:
        assert ack["ok"] is True
    assert ("stock", "ada") in chat.parts.entering.occupancy.pairs()
    assert chat.parts.messages.machine.members.has("stock", "ada")
    chat.log.failure = None
    assert (await ada.call(name, payload))["ok"] is True
