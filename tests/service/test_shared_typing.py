"""Typing on several nodes: one view, and what gets lost ends by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from chatd.chat.typing import TYPING_S
from chatd.wire.names import PresenceStatus
from tests.bus.memory_bus import Wire
from tests.service.cluster import made_node
from tests.service.shared_rooms import Chat, Person


@asynccontextmanager
async def chats() -> AsyncIterator[tuple[Wire, Chat, Chat, Person, Person]]:
    """Two nodes in one room, with ann on one and ben on the other."""
    wire = Wire()
    a, b = Chat(made_node(wire, "a")), Chat(made_node(wire, "b"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(a.run)
        nursery.start_soon(b.run)
        await settled()
        yield wire, a, b, await a.enter("ann"), await b.enter("ben")
        nursery.cancel_scope.cancel()


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


async def test_who_types_is_seen_on_the_other_node_until_the_stop(
    autojump_clock: MockClock,
) -> None:
    async with chats() as (_, a, b, ann, ben):
        a.type(ann)
        await settled()
        assert ben.typing == {"ann"}
        assert (await b.enter("zoe")).typing == {"ann"}
        a.pause(ann)
        await settled()
        assert ben.typing == set()


async def test_typing_lasts_as_long_as_starts_come(autojump_clock: MockClock) -> None:
    async with chats() as (_, a, _b, ann, ben):
        for _start in range(3):
            a.type(ann)
            await trio.sleep(TYPING_S - 1)
            assert ben.typing == {"ann"}
        await trio.sleep(2)
        assert ben.typing == set()


@pytest.mark.parametrize("end", ["leave", "unseen", "message here", "message shown there"])
async def test_what_ends_typing_ends_it_on_all_nodes(autojump_clock: MockClock, end: str) -> None:
    async with chats() as (_, a, b, ann, ben):
        a.type(ann)
        await settled()
        match end:
            case "leave":
                a.leave(ann)
            case "unseen":
                a.declare(ann, PresenceStatus.OFFLINE)
            case "message here":
                a.typing_roster.end("sales", "ann")
            case _:
                b.typing_roster.ended_elsewhere("sales", "ann")
        await settled()
        assert ben.typing == set()


async def test_a_message_that_comes_at_once_ends_what_the_actor_has_not_seen_yet(
    autojump_clock: MockClock,
) -> None:
    async with chats() as (_, a, b, ann, ben):
        a.type(ann)
        b.typing_roster.ended_elsewhere("sales", "ann")
        await settled()
        assert ben.typing == set()


async def test_a_user_who_types_on_two_nodes_types_until_both_have_ended(
    autojump_clock: MockClock,
) -> None:
    async with chats() as (_, a, b, ann, ben):
        ann_too = await b.enter("ann")
        a.type(ann)
        b.type(ann_too)
        a.pause(ann)
        await settled()
        assert ben.typing == {"ann"}
        b.pause(ann_too)
        await settled()
        assert ben.typing == set()


async def test_a_node_that_begins_to_hold_the_room_learns_who_types(
    autojump_clock: MockClock,
) -> None:
    async with chats() as (_, a, b, ann, ben):
        a.type(ann)
        await settled()
        b.leave(ben)
        await trio.sleep(TYPING_S / 2)
        zoe = await b.enter("zoe")
        await settled()
        assert zoe.typing == {"ann"}
        await trio.sleep(TYPING_S / 2 + 0.1)
        assert zoe.typing == set()  # as on the other node, which says so


async def test_an_end_that_gets_lost_comes_by_itself(autojump_clock: MockClock) -> None:
    async with chats() as (wire, a, _b, ann, ben):
        a.type(ann)
        wire.cut()
        a.pause(ann)
        await trio.sleep(TYPING_S - 1)
        assert ben.typing == {"ann"}
        await trio.sleep(2)
        assert ben.typing == set()


async def test_typing_of_a_time_without_a_bus_is_told_when_it_is_up(
    autojump_clock: MockClock,
) -> None:
    async with chats() as (wire, a, _b, ann, ben):
        wire.cut()
        a.type(ann)
        await settled()
        assert ben.typing == set()
        wire.mend()
        await settled()
        assert ben.typing == {"ann"}


async def test_what_is_no_typing_is_passed_over(autojump_clock: MockClock) -> None:
    async with chats() as (_, a, _b, _ann, ben):
        for fields in ([], [7, True, None], ["ann", True, 7], ["ann"]):
            a.node.signals.send("sales", "typing", fields)
            a.node.signals.send("sales", "typing.end", fields[:0])
        await settled()
        assert ben.typing == set()
