"""Presence on several nodes: one view, whatever the bus does, and whichever node a client is at."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from chatd.chat.presence import GRACE_S
from chatd.service.nodes_alive import BEAT_S, SILENCE_S
from chatd.wire.names import PresenceStatus
from tests.bus.memory_bus import Wire
from tests.service.cluster import made_node, troubled
from tests.service.shared_rooms import Chat, Person

ONLINE, AWAY, OFFLINE = PresenceStatus
AT_REST_S = 15.0
"""After the last fault all nodes show the same."""


@asynccontextmanager
async def chats(*names: str) -> AsyncIterator[tuple[Wire, list[Chat]]]:
    """Nodes whose clocks are 30 s apart."""
    wire = Wire()
    made = [Chat(made_node(wire, name, 30_000 * at)) for at, name in enumerate(names)]
    async with trio.open_nursery() as nursery:
        for chat in made:
            nursery.start_soon(chat.run)
        await settled()
        yield wire, made
        nursery.cancel_scope.cancel()


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


async def test_users_of_all_nodes_are_seen_and_their_changes_told_once(
    autojump_clock: MockClock,
) -> None:
    async with chats("a", "b") as (_, [a, b]):
        ann = await a.enter("ann", name="Ann")
        ben = await b.enter("ben", name="Ben")
        await settled()
        both = {"ann": ("online", "Ann"), "ben": ("online", "Ben")}
        assert ann.shown == ben.shown == both
        assert ann.told == [("ben", "online")]
        a.declare(ann, AWAY)
        await settled()
        assert ann.shown["ben"] == ben.shown["ben"]
        assert ben.shown["ann"] == ("away", "Ann")
        zoe = await b.enter("zoe")
        assert zoe.shown == {"zoe": ("online", None), **ben.shown}
        a.leave(ann)
        await trio.sleep(GRACE_S - 1)
        assert "ann" in ben.shown
        await trio.sleep(2)
        assert "ann" not in ben.shown
        of_ann = [status for user_id, status in ben.told if user_id == "ann"]
        assert of_ann == ["online", "away", "offline"]


async def test_a_reload_that_comes_to_another_node_shows_nothing_and_keeps_the_status(
    autojump_clock: MockClock,
) -> None:
    async with chats("a", "b", "c") as (_, [a, b, c]):
        there = [await node.enter("ben") for node in (a, b, c)]
        ann = await a.enter("ann", name="Ann")
        a.declare(ann, AWAY)
        await settled()
        for one in there:
            one.told.clear()
        a.leave(ann)
        await trio.sleep(GRACE_S / 2)
        ann = await b.enter("ann", name="Ann")
        await trio.sleep(2 * GRACE_S)
        assert [one.told for one in there] == [[], [], []]
        assert [one.shown["ann"] for one in (*there, ann)] == [("away", "Ann")] * 4


async def test_who_comes_back_to_a_node_that_knew_nothing_keeps_the_status(
    autojump_clock: MockClock,
) -> None:
    async with chats("a", "b") as (wire, [a, b]):
        ben, ann = await a.enter("ben"), await a.enter("ann")
        a.declare(ann, AWAY)
        await settled()
        ben.told.clear()
        a.leave(ann)
        wire.lose = lambda _topic, payload: b"presence.claim" in payload
        ann = await b.enter("ann")  # nobody was in the room there
        await settled()
        wire.lose = lambda _topic, _payload: False
        await trio.sleep(2 * BEAT_S)
        assert ben.told == []
        assert ann.shown["ann"] == ben.shown["ann"] == ("away", None)
        zoe = await b.enter("zoe")
        assert zoe.shown["ann"] == ("away", None)


async def test_what_was_declared_last_counts_on_whichever_node(
    autojump_clock: MockClock,
) -> None:
    async with chats("a", "b", "c") as (_, [a, b, c]):
        of_a, of_b, of_c = await a.enter("ann"), await b.enter("ann"), await c.enter("ben")
        b.declare(of_b, AWAY)  # by a clock that is ahead
        await settled()
        a.declare(of_a, OFFLINE)
        await settled()
        assert "ann" not in of_c.shown
        assert (await b.enter("zoe")).shown.keys() == {"ben", "zoe"}
        of_a2 = await a.enter("ann", declared=ONLINE)
        await settled()
        assert of_c.shown["ann"] == of_b.shown["ann"] == of_a2.shown["ann"] == ("online", None)
        b.leave(of_b)
        a.leave(of_a)
        await trio.sleep(2 * GRACE_S)
        assert of_c.shown["ann"] == ("online", None)


async def test_who_was_gone_for_the_grace_is_online_again_as_anywhere(
    autojump_clock: MockClock,
) -> None:
    async with chats("a", "b") as (_, [a, b]):
        ben = await a.enter("ben")
        ann = await b.enter("ann")
        b.declare(ann, AWAY)
        b.leave(ann)
        await trio.sleep(GRACE_S + 1)
        ann = await a.enter("ann")
        await settled()
        assert ben.shown["ann"] == ann.shown["ann"] == ("online", None)


async def test_the_last_sign_and_the_name_of_the_last_arrival_are_known_everywhere(
    autojump_clock: MockClock,
) -> None:
    async with chats("a", "b") as (_, [a, b]):
        ben, ann = await a.enter("ben"), await b.enter("ann", name="Ann")
        await b.enter("ann", name="Anna")
        await settled()
        assert ben.shown["ann"] == ("online", "Anna")
        at_ms = b.node.clock.wall_ms()
        assert ben.seen_ms["ann"] == at_ms
        await trio.sleep(5)
        for one in list(b.people):
            b.leave(one)
        await trio.sleep(GRACE_S + 1)
        assert ben.told[-1] == ("ann", "offline")
        assert ben.seen_ms["ann"] == at_ms + 5_000
        del ann


async def test_users_of_a_node_that_dies_go_with_silence_and_grace(
    autojump_clock: MockClock,
) -> None:
    async with chats("a", "b") as (_, [a, b]):
        ben, _ann = await a.enter("ben"), await b.enter("ann")
        await settled()
        b.node.running.cancel()
        await trio.sleep(SILENCE_S)
        assert "ann" in ben.shown
        await trio.sleep(AT_REST_S - SILENCE_S)
        assert ben.shown.keys() == {"ben"}


async def test_a_bus_that_is_away_freezes_the_others_and_a_short_while_shows_nothing(
    autojump_clock: MockClock,
) -> None:
    async with chats("a", "b") as (wire, [a, b]):
        ben, ann = await a.enter("ben"), await b.enter("ann")
        await settled()
        ben.told.clear()
        wire.cut()
        b.declare(ann, AWAY)
        await trio.sleep(SILENCE_S + GRACE_S - 2)
        assert ben.told == []
        wire.mend()
        await settled()
        assert ben.told == [("ann", "away")]
        wire.cut()
        await trio.sleep(SILENCE_S + GRACE_S + 2)
        assert ben.shown.keys() == {"ben"}
        wire.mend()
        await settled()
        assert ben.shown["ann"] == ("away", None)
        assert ann.shown["ben"] == ("online", None)


async def test_an_actor_that_is_started_again_knows_the_users_of_other_nodes(
    autojump_clock: MockClock,
) -> None:
    async with chats("a", "b") as (_, [a, b]):
        ben, ann = await a.enter("ben"), await b.enter("ann")
        b.declare(ann, AWAY)
        await settled()
        ben.told.clear()
        roster = a.presence_roster
        machine = roster.revive(trio.current_time())
        assert ben.told == []
        assert machine.tick(trio.current_time() + 2 * GRACE_S, 0) == []
        assert {one.user_id: one.status for one in machine.room("sales")} == {
            "ben": ONLINE,
            "ann": AWAY,
        }


@pytest.mark.parametrize("seed", range(25))
async def test_all_see_the_same_at_rest_whatever_happened(
    autojump_clock: MockClock, seed: int
) -> None:
    chance = Random(seed)
    async with chats("a", "b", "c") as (wire, nodes):
        people: list[tuple[Chat, Person]] = []
        with troubled(wire, chance, 0.2):
            for _ in range(120):
                node = chance.choice(nodes)
                match chance.randrange(7):
                    case 0 | 1 if people:
                        at, person = people.pop(chance.randrange(len(people)))
                        at.leave(person)
                    case 2 if people:
                        at, person = chance.choice(people)
                        at.declare(person, chance.choice((ONLINE, AWAY, OFFLINE)))
                    case 3:
                        await trio.sleep(chance.random() * 4)
                    case 4 if chance.random() < 0.2:
                        wire.cut()
                        await trio.sleep(chance.random() * 20)
                        wire.mend()
                    case _:
                        user_id = chance.choice(("ann", "ben", "cyd", "dan"))
                        declared = chance.choice((None, None, AWAY, OFFLINE))
                        name = chance.choice((None, "A", "B"))
                        room = chance.choice(("sales", "stock"))
                        people.append((node, await node.enter(user_id, room, name, declared)))
        await trio.sleep(AT_REST_S)
        for room in ("sales", "stock"):
            in_room = [node for node in nodes if any(it.room == room for it in node.people)]
            seen = [
                {it.user_id: (it.status, it.name) for it in node.presence_roster.machine.room(room)}
                for node in in_room
            ]
            assert all(one == seen[0] for one in seen)
            there = {it.user_id for _, it in people if it.room == room}
            assert not seen or seen[0].keys() <= there
            for _, person in people:
                if person.room == room:
                    others = {it: seen[0][it] for it in seen[0] if it != person.user_id}
                    own = person.user_id
                    assert {it: person.shown[it] for it in person.shown if it != own} == others
