"""`chat:search` as a client uses it: only what it may read, best first, page after page."""

import math
import sqlite3
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import trio

from chatd.actors.fair_queue import RETRY_MS, WAIT_S, WAITING_MAX
from chatd.observe import LimitHit
from chatd.service.events import search as search_events
from chatd.store import SearchPage, SearchRequest
from chatd.store import search as store_search
from chatd.wire.payloads import ChatSearch
from tests.net.peers import HARD_LIMIT_S
from tests.service.chats import ROOM, ChatPeer, message, open_chat, token

FREE = {
    "user_messages_per_minute": 1e9,
    "socket_messages_per_minute": 1e9,
    "room_messages_per_minute": 1e9,
}
OTHER = "stock"


async def search(peer: ChatPeer, query: str, **narrowed: object) -> Any:
    return await peer.call("chat:search", {"query": query, **narrowed})


def contents(answer: Any) -> list[str]:
    assert answer["ok"], answer
    return [hit["message"]["content"] for hit in answer["hits"]]


def cursor(newest: object, length: object, position: object) -> str:
    """A cursor of a search for "late", in the form that the server gives them."""
    question = search_events._question(ChatSearch("late"))
    return urlsafe_b64encode(orjson.dumps([newest, length, position, question])).decode()


async def test_a_hit_is_the_message_with_a_snippet_and_where_the_words_are(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada, bob = await chat.enter("ada", name="Ada"), await chat.enter("bob")
        sent = message("is <b>any</b> order late?")
        await ada.say(sent)
        await bob.call("chat:ack", {"messageId": sent["messageId"]})
        answer = await search(bob, "order late")
        [hit] = answer["hits"]
        assert hit["message"]["messageId"] == sent["messageId"]
        assert hit["message"]["content"] == hit["snippet"] == "is < b>any< /b> order late?"
        assert (hit["message"]["seq"], hit["message"]["status"]) == (1, "delivered")
        assert [hit["snippet"][low:high] for low, high in hit["highlights"]] == ["order", "late"]
        assert "cursor" not in answer


async def test_nobody_finds_what_is_said_in_rooms_that_they_may_not_use(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada", [ROOM, OTHER])
        await ada.say(message("late in sales"))
        await ada.say(message("late in stock", room=OTHER))
        bob = await chat.enter("bob", [ROOM])
        assert contents(await search(bob, "late")) == ["late in sales"]
        refused = await search(bob, "late", connectionId=OTHER)
        assert refused["error"]["code"] == "forbidden_room"
        assert len(contents(await search(ada, "late"))) == 2
        assert contents(await search(ada, "late", connectionId=OTHER)) == ["late in stock"]
        nobody = await chat.connect({"token": token("eve", [])})
        await nobody.until("connection:status")
        assert contents(await search(nobody, "late")) == []


async def test_a_search_in_a_room_joins_it_first(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        await ada.call("connection:leave", {"connectionId": ROOM})
        ack_id = await ada.ask("chat:search", {"query": "late", "connectionId": ROOM})
        await ada.expect("chat:history")
        assert await ada.expect(ack_id) == {"ok": True, "hits": []}


async def test_a_search_goes_on_page_by_page(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada = await chat.enter("ada")
        for number in range(7):
            await ada.say(message(f"late {number}"))
        first = await search(ada, "late", limit=4)
        second = await search(ada, "late", limit=4, cursor=first["cursor"])
        assert "cursor" not in second
        assert sorted(contents(first) + contents(second)) == [f"late {n}" for n in range(7)]
        other = await search(ada, "late*", limit=4, cursor=first["cursor"])
        assert (other["error"]["code"], other["error"]["path"]) == ("invalid_query", "cursor")


async def test_pages_of_a_search_hold_every_hit_whatever_is_said_meanwhile(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        for number in range(6):
            await ada.say(message(f"late {number}"))
        first = await search(ada, "late", limit=3)
        for text in ("something else " * 300, "no", "yes", "late, says bob"):
            await bob.say(message(text))
        second = await search(ada, "late", limit=3, cursor=first["cursor"])
        assert contents(first) + contents(second) == [f"late {n}" for n in (5, 4, 3, 2, 1, 0)]
        assert "cursor" not in second


async def test_a_search_is_narrowed_by_user_and_time(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        first = await ada.say(message("late, says ada"))
        await bob.say(message("late, says bob"))
        assert contents(await search(ada, "late", userId="bob")) == ["late, says bob"]
        assert contents(await search(ada, "late", before=first["timestamp"])) == []
        assert len(contents(await search(ada, "late", after=first["timestamp"] - 1))) == 2


@pytest.mark.parametrize(
    ("payload", "code", "path"),
    [
        ({}, "invalid_payload", "query"),
        ({"query": 7}, "invalid_payload", "query"),
        ({"query": "late", "limit": 0}, "invalid_payload", "limit"),
        ({"query": "late", "limit": 51}, "invalid_payload", "limit"),
        ({"query": "late", "before": "now"}, "invalid_payload", "before"),
        ({"query": ""}, "invalid_query", "query"),
        ({"query": '"late'}, "invalid_query", "query"),
        ({"query": "late", "cursor": "zebra"}, "invalid_query", "cursor"),
        ({"query": "late", "cursor": "WzEsMiwzXQ=="}, "invalid_query", "cursor"),
        ({"query": "late", "cursor": cursor(-1, 0, 1)}, "invalid_query", "cursor"),
        ({"query": "late", "cursor": cursor(1, 0, 2**64 - 1)}, "invalid_query", "cursor"),
        ({"query": "late", "cursor": cursor(1, True, 1)}, "invalid_query", "cursor"),
        ({"query": "late", "cursor": cursor(1, -0.5, 1)}, "invalid_query", "cursor"),
        ({"query": "late", "cursor": "é" * 300}, "invalid_query", "cursor"),
    ],
    ids=str,
)
async def test_a_bad_search_is_refused_in_ack_and_event(
    tmp_path: Path, payload: dict[str, object], code: str, path: str
) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        ack_id = await ada.ask("chat:search", payload)
        error = (await ada.expect(ack_id))["error"]
        assert (error["code"], error["path"]) == (code, path)
        event = await ada.expect("chat:error")
        assert (event["event"], event["code"]) == ("chat:search", code)


@contextmanager
def slow_searches(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Searches for "slow" hold their thread for as long as this is open; set once there is one."""
    find, began, over = store_search.find, threading.Event(), threading.Event()

    def find_slowly(
        connection: sqlite3.Connection, request: SearchRequest, *rest: Any
    ) -> SearchPage:
        if any(term.text == "slow" for term in request.query.required):
            began.set()
            assert over.wait(HARD_LIMIT_S)
        return find(connection, request, *rest)

    monkeypatch.setattr(store_search, "find", find_slowly)
    try:
        yield began
    finally:
        over.set()


async def test_a_user_with_many_slow_searches_keeps_nobody_from_searching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_chat(tmp_path) as chat:
        bob = await chat.enter("bob")
        await bob.say(message("late"))
        sockets = [await chat.enter("ada") for _ in range(4)]
        with slow_searches(monkeypatch):
            asked = [await ada.ask("chat:search", {"query": "slow"}) for ada in sockets]
            assert contents(await search(bob, "late")) == ["late"]
        for ada, ack_id in zip(sockets, asked, strict=True):
            assert contents(await ada.until(ack_id)) == []


async def test_a_search_of_somebody_who_has_too_many_is_refused_for_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, answered = trio.open_memory_channel[Any](math.inf)

    async def search_slowly(peer: ChatPeer) -> None:
        answers.send_nowait(await search(peer, "slow"))

    async with open_chat(tmp_path) as chat:
        sockets = [await chat.enter("ada") for _ in range(1 + WAITING_MAX + 1)]
        async with trio.open_nursery() as nursery:
            with slow_searches(monkeypatch):
                for ada in sockets:
                    nursery.start_soon(search_slowly, ada)
                with trio.fail_after(WAIT_S / 2):  # at once, and not after its time in the queue
                    error = (await answered.receive())["error"]
                assert (error["code"], error["retryable"]) == ("overloaded", True)
                assert error["retryAfterMs"] == RETRY_MS
                [hit] = chat.recorder.of(LimitHit)
                assert (hit.limit, hit.user_id) == ("searches", "ada")
        for _ in sockets[1:]:
            assert contents(await answered.receive()) == []
        assert contents(await search(sockets[0], "late")) == []


async def test_who_goes_away_gives_its_turn_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_chat(tmp_path) as chat:
        first, second = await chat.enter("ada"), await chat.enter("ada")
        with slow_searches(monkeypatch) as began:
            for ada in (first, second):
                await ada.ask("chat:search", {"query": "slow"})
            assert await trio.to_thread.run_sync(began.wait, HARD_LIMIT_S)
            for stream in chat.streams:
                await trio.aclose_forcefully(stream)
        third = await chat.enter("ada")
        assert contents(await search(third, "late")) == []


async def test_a_search_without_an_ack_says_nothing(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        await ada.emit("chat:search", {"query": "late"})
        await ada.quiet()


async def test_what_is_found_is_still_there_after_a_restart(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        await (await chat.enter("ada")).say(message("late"))
    async with open_chat(tmp_path) as chat:
        assert contents(await search(await chat.enter("ada"), "late")) == ["late"]
