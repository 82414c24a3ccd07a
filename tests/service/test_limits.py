"""Each limit from end to end: a refused sender is told by ack and event, and for how long.

Time is the clock's of the test. The log is asked without a thread, as it stands still meanwhile.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.observe import LimitHit
from chatd.service.allowance import Allowance
from chatd.service.local_rate_limits import LocalRateLimits
from chatd.service.rates import Limit
from tests.service.chats import (
    ROOM,
    Chat,
    MemoryPeer,
    connected,
    message,
    open_chat,
    refused,
    token,
)

PER_MINUTE = 60  # of the limit that a test is about: a token comes back in a second
DOUBLING = [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]
OF_A_CEILING = [5000, 10000, 20000, 40000, 60000, 60000]
RATES = (
    "user_messages_per_minute",
    "socket_messages_per_minute",
    "room_messages_per_minute",
    "user_typing_per_minute",
    "socket_events_per_minute",
)
TYPING = ("chat:typing:start", {"connectionId": ROOM})
STOP = ("chat:typing:stop", {"connectionId": ROOM})


class NothingStored:
    """A log that is asked without a thread."""

    async def message(self, message_id: str, rooms: object) -> None:
        return None


@asynccontextmanager
async def limited(directory: Path, **limits: object) -> AsyncIterator[Chat]:
    """A chat in which nothing is limited but this."""
    rates = (*RATES, "user_changes_per_minute")
    everything: dict[str, object] = {**dict.fromkeys(rates, 1e9), **limits}
    server: dict[str, object] = {"ping_timeout_s": 1e6}
    async with open_chat(directory, in_memory=True, limits=everything, server=server) as chat:
        route = chat.parts.chat.dispatcher._routes["chat:message"]
        route.handler.__self__._messages = NothingStored()
        yield chat


async def ask(peer: MemoryPeer, name: str, payload: object) -> tuple[Any, list[tuple[str, Any]]]:
    """Send an event with an ack; what the ack says, and the events that came beside it."""
    peer.take()
    await peer.say("427" + orjson.dumps([name, payload]).decode())
    texts = peer.take()
    [ack] = [orjson.loads(text[3:])[0] for text in texts if text.startswith("437")]
    return ack, [tuple(orjson.loads(text[2:])) for text in texts if text.startswith("42")]


async def wait_s(peer: MemoryPeer, name: str, payload: object) -> float:
    """Send an event that is refused; the seconds that it is told to wait, by ack and event."""
    ack, events = await ask(peer, name, payload)
    assert (ack["error"]["code"], ack["error"]["retryable"]) == ("rate_limited", True), ack
    errors = [it for told, it in events if told.endswith("error")]
    assert [it["code"] for it in errors] == ["rate_limited"]
    assert errors[0]["retryAfterMs"] == ack["error"]["retryAfterMs"]
    return float(ack["error"]["retryAfterMs"] / 1000)


EVENTS: dict[str, Callable[[], tuple[str, object]]] = {
    "user_messages_per_minute": lambda: ("chat:message", message()),
    "socket_messages_per_minute": lambda: ("chat:message", message()),
    "room_messages_per_minute": lambda: ("chat:message", message()),
    "user_typing_per_minute": lambda: TYPING,
    "socket_events_per_minute": lambda: STOP,
}


@pytest.mark.parametrize("limit", RATES)
async def test_a_rate_refuses_and_doubles_up_to_a_minute_and_a_clean_one_resets_it(
    tmp_path: Path, mock_clock: MockClock, limit: str
) -> None:
    async with limited(tmp_path, **{limit: PER_MINUTE}) as chat:
        ada = await chat.attach_and_enter(token("ada", ttl_s=100_000))
        for _ in range(2):
            for _ in range(PER_MINUTE):
                ack, _ = await ask(ada, *EVENTS[limit]())
                assert ack["ok"] is True
            waits = [await wait_s(ada, *EVENTS[limit]()) for _ in DOUBLING]
            assert [wait * 1000 for wait in waits] == DOUBLING
            hits = chat.recorder.of(LimitHit)
            assert {(hit.limit, hit.user_id) for hit in hits} == {(limit, "ada")}
            assert len(hits) == len(DOUBLING)
            chat.recorder.events.clear()
            mock_clock.jump(61)


@pytest.mark.parametrize("limit", RATES)
async def test_who_waits_as_told_is_let_through(
    tmp_path: Path, mock_clock: MockClock, limit: str
) -> None:
    async with limited(tmp_path, **{limit: PER_MINUTE}) as chat:
        ada = await chat.attach_and_enter(token("ada", ttl_s=100_000))
        for _ in range(PER_MINUTE):
            await ask(ada, *EVENTS[limit]())
        for _ in range(3):
            wait = await wait_s(ada, *EVENTS[limit]())
            mock_clock.jump(wait)
            await wait_all_tasks_blocked()
            ack, _ = await ask(ada, *EVENTS[limit]())
            assert ack["ok"] is True
            for _ in range(int(wait) - 1):  # what came back beside it
                await ask(ada, *EVENTS[limit]())


async def test_who_waited_as_told_and_finds_the_room_full_again_has_violated_nothing(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    async with limited(tmp_path, room_messages_per_minute=PER_MINUTE) as chat:
        ada = await chat.attach_and_enter(token("ada"))
        bob = await chat.attach_and_enter(token("bob"))
        for _ in range(PER_MINUTE):
            await ask(bob, "chat:message", message())
        waits = []
        for _ in range(4):
            waits.append(await wait_s(ada, "chat:message", message()))
            mock_clock.jump(waits[-1])
            assert (await ask(bob, "chat:message", message()))[0]["ok"] is True
        assert waits == [1.0, 1.0, 1.0, 1.0]


async def test_a_room_that_others_emptied_is_not_held_against_anybody(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    """Who asked again before its time was told twice as much, and refused when there was room."""
    async with limited(tmp_path, room_messages_per_minute=PER_MINUTE) as chat:
        rooms = [ROOM, "other"]
        ada = await chat.attach_and_enter(token("ada", rooms, ttl_s=100_000))
        bob = await chat.attach_and_enter(token("bob", rooms, ttl_s=100_000))
        for _ in range(PER_MINUTE):
            await ask(bob, "chat:message", message())
        waits = [await wait_s(ada, "chat:message", message()) for _ in range(5)]
        assert waits == [1.0] * 5
        assert {hit.limit for hit in chat.recorder.of(LimitHit)} == {"room_messages_per_minute"}
        ack, _ = await ask(ada, "chat:message", message(room="other"))
        assert ack["ok"] is True
        mock_clock.jump(1.0)
        assert (await ask(ada, "chat:message", message()))[0]["ok"] is True


async def test_a_message_that_an_empty_room_refuses_spends_no_other_token(
    mock_clock: MockClock,
) -> None:
    rates = dict.fromkeys(Limit, PER_MINUTE)
    limits, bob, ada = LocalRateLimits(rates), Allowance(rates), Allowance(rates)
    assert all(limits.spend_message("bob", bob, ROOM) for _ in range(PER_MINUTE))
    assert not any(limits.spend_message("ada", ada, ROOM) for _ in range(PER_MINUTE))
    assert all(limits.spend_message("ada", ada, "other") for _ in range(PER_MINUTE))


async def test_who_emptied_a_room_is_told_to_wait_there_and_nowhere_else(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    async with limited(tmp_path, room_messages_per_minute=PER_MINUTE) as chat:
        rooms = [ROOM, "other"]
        bob = await chat.attach_and_enter(token("bob", rooms, ttl_s=100_000))
        for _ in range(PER_MINUTE):
            await ask(bob, "chat:message", message())
        waits = [await wait_s(bob, "chat:message", message()) for _ in range(3)]
        assert waits == [1.0, 2.0, 4.0]
        mock_clock.jump(2.0)
        assert await wait_s(bob, "chat:message", message()) == 8.0  # though there is a token
        assert (await ask(bob, "chat:message", message(room="other")))[0]["ok"] is True
        mock_clock.jump(8.0)
        for _ in range(10):
            assert (await ask(bob, "chat:message", message()))[0]["ok"] is True
        # Let through, and refused again without a pause: another violation.
        assert await wait_s(bob, "chat:message", message()) == 16.0


async def test_who_sends_too_much_is_refused_everywhere_whatever_the_rooms_hold(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    async with limited(
        tmp_path, user_messages_per_minute=PER_MINUTE, room_messages_per_minute=2 * PER_MINUTE
    ) as chat:
        rooms = [ROOM, "other"]
        ada = await chat.attach_and_enter(token("ada", rooms, ttl_s=100_000))
        bob = await chat.attach_and_enter(token("bob", rooms, ttl_s=100_000))
        for peer in (ada, bob):
            for _ in range(PER_MINUTE):
                assert (await ask(peer, "chat:message", message()))[0]["ok"] is True
        assert await wait_s(ada, "chat:message", message()) == 1.0
        assert await wait_s(ada, "chat:message", message(room="other")) == 2.0
        assert {hit.limit for hit in chat.recorder.of(LimitHit)} == {"user_messages_per_minute"}


async def test_the_sockets_of_a_user_share_its_tokens_and_each_has_its_own_waits(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    async with limited(tmp_path, user_messages_per_minute=PER_MINUTE) as chat:
        one = await chat.attach_and_enter(token("ada"))
        other = await chat.attach_and_enter(token("ada"))
        bob = await chat.attach_and_enter(token("bob"))
        for number in range(PER_MINUTE):
            peer = one if number % 2 else other
            assert (await ask(peer, "chat:message", message()))[0]["ok"] is True
        waits = [await wait_s(peer, "chat:message", message()) for peer in (one, other, one)]
        assert waits == [1.0, 1.0, 2.0]
        assert (await ask(bob, "chat:message", message()))[0]["ok"] is True


@pytest.mark.parametrize(
    "limit",
    [
        "user_messages_per_minute",
        "socket_messages_per_minute",
        "socket_events_per_minute",
        "user_typing_per_minute",
    ],
)
async def test_a_flood_of_one_socket_does_not_keep_another_of_the_user_waiting(
    tmp_path: Path, mock_clock: MockClock, limit: str
) -> None:
    """All sockets of the user were refused for a minute, as long as that one went on."""
    async with limited(tmp_path, **{limit: PER_MINUTE}) as chat:
        flooding = await chat.attach_and_enter(token("ada", ttl_s=100_000))
        other = await chat.attach_and_enter(token("ada", ttl_s=100_000))
        for _ in range(PER_MINUTE + 20):
            await ask(flooding, *EVENTS[limit]())
        mock_clock.jump(1.0)  # a token comes back
        assert await wait_s(flooding, *EVENTS[limit]()) == 60.0
        assert (await ask(other, *EVENTS[limit]()))[0]["ok"] is True


async def test_joins_that_are_refused_at_one_socket_are_held_against_that_socket(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    async with limited(tmp_path, rooms_per_socket=1) as chat:
        rooms, join = [ROOM, "stock"], ("connection:join", {"connectionId": "stock"})
        peers = []
        for _ in range(2):
            peer = chat.attach()
            auth = {"token": token("ada", rooms), "connectionId": ROOM}
            await peer.say("40" + orjson.dumps(auth).decode())
            peers.append(peer)
        one, other = peers
        assert [await wait_s(one, *join) for _ in range(3)] == [5.0, 10.0, 20.0]
        assert await wait_s(other, *join) == 5.0


async def test_each_socket_has_tokens_of_its_own_beside_those_of_the_user(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    async with limited(tmp_path, socket_messages_per_minute=PER_MINUTE) as chat:
        one = await chat.attach_and_enter(token("ada"))
        for _ in range(PER_MINUTE):
            await ask(one, "chat:message", message())
        wait = await wait_s(one, "chat:message", message())
        mock_clock.jump(wait)
        other = await chat.attach_and_enter(token("ada"))
        assert (await ask(other, "chat:message", message()))[0]["ok"] is True


async def test_too_much_typing_keeps_nobody_from_sending(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    async with limited(tmp_path, user_typing_per_minute=1) as chat:
        ada = await chat.attach_and_enter(token("ada"))
        await ask(ada, *TYPING)
        await wait_s(ada, *TYPING)
        for _ in range(20):
            assert (await ask(ada, *STOP))[0]["ok"] is True
        assert (await ask(ada, "chat:message", message()))[0]["ok"] is True


async def test_a_session_keeps_waits_only_once_something_is_refused(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    """The first start of typing made them, and each message looked at them from then on."""
    async with limited(tmp_path, user_typing_per_minute=1) as chat:
        ada = await chat.attach_and_enter(token("ada"))
        [client] = chat.parts.publishing.clients.everybody()
        await ask(ada, *TYPING)
        await ask(ada, "chat:message", message())
        assert client.allowance.penalties is None
        await wait_s(ada, *TYPING)
        assert client.allowance.penalties is not None


async def test_a_retry_counts_for_nothing_while_nothing_is_left(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    async with limited(tmp_path, user_messages_per_minute=1) as chat:
        ada, sent = await chat.attach_and_enter(token("ada")), message()
        assert "duplicate" not in (await ask(ada, "chat:message", sent))[0]
        for _ in range(100):
            assert (await ask(ada, "chat:message", sent))[0]["duplicate"] is True
        assert chat.recorder.of(LimitHit) == []
        assert await wait_s(ada, "chat:message", message()) == 60.0


async def test_a_retry_of_what_is_on_its_way_into_the_log_is_one_too(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    """It was refused as one too many, and its original was stored."""
    async with limited(tmp_path, user_messages_per_minute=1) as chat:
        ada, sent = await chat.attach_and_enter(token("ada")), message()
        chat.log.held = trio.Event()
        async with trio.open_nursery() as nursery:
            await ada.say("421" + orjson.dumps(["chat:message", sent]).decode())
            nursery.start_soon(ada.say, "422" + orjson.dumps(["chat:message", sent]).decode())
            await wait_all_tasks_blocked()
            chat.log.held.set()
        acks = [orjson.loads(text[3:])[0] for text in ada.take() if text.startswith("43")]
        assert [(ack["seq"], ack.get("duplicate")) for ack in acks] == [(1, None), (1, True)]
        assert chat.recorder.of(LimitHit) == []


async def test_a_retry_that_only_the_log_knows_is_not_held_against_anybody(tmp_path: Path) -> None:
    """The next refusal was told twice what it had to wait."""
    known, few = message(), 4
    async with open_chat(tmp_path) as chat:
        await (await chat.enter()).say(known)
    async with open_chat(tmp_path, limits={"user_messages_per_minute": few}) as chat:
        ada = await chat.enter()
        for _ in range(few):
            assert (await ada.say(message()))["ok"]
        chat.parts.messages.machine.restore(
            {ROOM: few + 1}, chat.parts.messages.machine.members.freeze(), 0
        )
        assert (await ada.call("chat:message", known))["duplicate"] is True
        assert chat.recorder.of(LimitHit) == []
        refusals = [await ada.call("chat:message", message()) for _ in range(2)]
        assert refusals[0]["error"]["retryAfterMs"] <= 60_000 / few


async def test_a_ceiling_on_rooms_doubles_too_and_a_clean_minute_resets_it(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    async with limited(tmp_path, rooms_per_socket=1) as chat:
        ada = chat.attach()
        auth = {"token": token("ada", [ROOM, "stock"], ttl_s=100_000), "connectionId": ROOM}
        await ada.say("40" + orjson.dumps(auth).decode())
        stock = {"connectionId": "stock"}
        for _ in range(2):
            waits = [await wait_s(ada, "connection:join", stock) for _ in OF_A_CEILING]
            assert [wait * 1000 for wait in waits] == OF_A_CEILING
            mock_clock.jump(61)
            await wait_all_tasks_blocked()
        assert {hit.limit for hit in chat.recorder.of(LimitHit)} == {"rooms_per_socket"}
        await ask(ada, "connection:leave", {"connectionId": ROOM})
        assert (await ask(ada, "connection:join", stock))[0]["ok"] is True


async def test_a_ceiling_on_sockets_refuses_the_connect_of_that_user_alone(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path, limits={"sockets_per_user": 1}) as chat:
        ada = await chat.enter("ada")
        waits = []
        for _ in range(3):
            error = await refused(await chat.connect({"token": token("ada")}))
            assert error["data"]["code"] == "rate_limited"
            waits.append(error["data"]["retryAfterMs"])
        assert waits == OF_A_CEILING[:3]
        assert {hit.limit for hit in chat.recorder.of(LimitHit)} == {"sockets_per_user"}
        await chat.enter("bob")
        await ada.peer.send("1")
        await ada.ended()
        await connected(await chat.connect({"token": token("ada")}))


async def test_a_conflict_spends_no_token(tmp_path: Path, mock_clock: MockClock) -> None:
    async with limited(tmp_path, user_messages_per_minute=2) as chat:
        ada, message_id = await chat.attach_and_enter(token("ada")), str(uuid4())
        await ask(ada, "chat:message", message("one", message_id=message_id))
        for _ in range(5):
            ack, _ = await ask(ada, "chat:message", message("two", message_id=message_id))
            assert ack["error"]["code"] == "message_id_conflict"
        assert (await ask(ada, "chat:message", message()))[0]["ok"] is True
