"""Limits on several nodes: a burst for each at most, and in the long run what one would admit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from chatd.chat.limits import DEBT_BURSTS_MAX, Bucket
from chatd.service.allowance import Allowance
from chatd.service.nodes_alive import BEAT_S
from chatd.service.rates import Limit
from chatd.service.shared_rate_limits import TOLD_MAX, Elsewhere, SharedRateLimits
from chatd.service.signals import PIECE_BYTES
from chatd.service.socket_counts import SocketCounts
from tests.bus.memory_bus import Wire
from tests.rows import rows
from tests.service.cluster import Node, made_node, running

RATES = {
    Limit.USER_MESSAGES: 30.0,
    Limit.SOCKET_MESSAGES: 10_000.0,
    Limit.ROOM_MESSAGES: 100.0,
    Limit.USER_TYPING: 6.0,
    Limit.USER_CHANGES: 8.0,
    Limit.SOCKET_EVENTS: 10_000.0,
    Limit.SOCKETS_PER_USER: 3.0,
    Limit.ROOMS_PER_SOCKET: 5.0,
}


A_BEAT_S = 1.01 * BEAT_S


@attrs.define(eq=False)
class Limits:
    """A node, its limits, and a session there."""

    node: Node
    counts: SocketCounts = attrs.field(init=False)
    rates: SharedRateLimits = attrs.field(init=False)
    session: Allowance = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        of = self.node
        self.counts = SocketCounts(of.signals, of.nodes, of.shared, of.clock)
        elsewhere = Elsewhere(of.signals, of.nodes, of.shared, of.clock, self.counts)
        self.rates = SharedRateLimits(RATES, {}, elsewhere)
        self.session = Allowance(RATES)

    def spend(self, user_id: str = "ann", room: str = "sales", most: int = 101) -> int:
        """How many messages are admitted now."""
        return sum(self.rates.spend_message(user_id, self.session, room) for _ in range(most))


@asynccontextmanager
async def limits(*names: str) -> AsyncIterator[tuple[Wire, list[Limits]]]:
    wire = Wire()
    made = [Limits(made_node(wire, name)) for name in names]
    async with running(*(one.node for one in made)):
        yield wire, made


async def test_each_node_admits_a_burst_at_most_and_together_they_keep_the_rate(
    autojump_clock: MockClock,
) -> None:
    async with limits("a", "b", "c") as (_, nodes):
        admitted = 0
        began_s = trio.current_time()
        while trio.current_time() < began_s + 120:
            admitted += sum(one.spend(most=31) for one in nodes)
            await trio.sleep(0.25)
        assert 2 * 30 <= admitted <= 3 * 30 + 2 * 30 + 3


async def test_a_room_typing_and_changes_are_shared_too(autojump_clock: MockClock) -> None:
    async with limits("a", "b") as (_, [a, b]):
        sent = sum(a.spend(f"user {number}", most=30) for number in range(3))
        for _ in range(6):
            assert a.rates.admit(Limit.USER_TYPING, "ann", a.session) is None
        for _ in range(8):
            assert a.rates.admit(Limit.USER_CHANGES, "ann", a.session) is None
        await trio.sleep(A_BEAT_S)
        assert b.spend("zoe") == pytest.approx(100 - sent, abs=2)
        assert b.rates.admit(Limit.USER_TYPING, "ann", b.session) is not None
        assert b.rates.admit(Limit.USER_CHANGES, "ann", b.session) is not None


async def test_nodes_tell_of_buckets_by_names_that_every_version_reads(
    autojump_clock: MockClock,
) -> None:
    async with limits("a", "b") as (wire, [a, _]):
        told: list[bytes] = []
        wire.lose = lambda _topic, payload: b"taken" in payload and bool(told.append(payload))
        a.spend(most=2)
        a.rates.admit(Limit.USER_TYPING, "ann", a.session)
        a.rates.admit(Limit.USER_CHANGES, "ann", a.session)
        await trio.sleep(A_BEAT_S)
        [taken] = told
        buckets = ["user", "ann", 2], ["room", "sales", 2], ["typing", "ann", 1]
        assert all(orjson.dumps(one) in taken for one in (*buckets, ["changes", "ann", 1]))


async def test_what_stored_nothing_is_given_back_everywhere(autojump_clock: MockClock) -> None:
    async with limits("a", "b") as (_, [a, b]):
        assert a.spend() == 30
        await trio.sleep(A_BEAT_S)
        for _ in range(10):
            a.rates.refund_message("ann", a.session, "sales")
        await trio.sleep(A_BEAT_S)
        assert 10 <= b.spend() <= 11


async def test_what_is_told_twice_counts_once(autojump_clock: MockClock) -> None:
    async with limits("a", "b") as (wire, [a, b]):
        heard: list[tuple[str, bytes]] = []
        wire.lose = lambda topic, payload: bool(heard.append((topic, payload)))
        a.spend(most=20)
        await trio.sleep(A_BEAT_S)
        for topic, payload in heard:
            b.node.bus.hear(topic, payload)
        assert 10 <= b.spend() <= 11


async def test_a_node_on_its_own_admits_by_its_own_buckets_and_owes_nothing_later(
    autojump_clock: MockClock,
) -> None:
    async with limits("a", "b") as (wire, [a, b]):
        wire.cut()
        assert a.spend() == 30
        await trio.sleep(2 * BEAT_S)
        assert b.spend() == 30
        await trio.sleep(A_BEAT_S)
        wire.mend()
        await trio.sleep(60)
        assert a.spend(most=30) == 30


async def test_what_a_node_tells_is_bounded_and_all_of_it_is_told_in_the_end(
    autojump_clock: MockClock,
) -> None:
    async with limits("a", "b") as (wire, [a, b]):
        users = TOLD_MAX + 10
        for number in range(users):
            a.rates.spend_message(f"user {number}", Allowance(RATES), f"room {number}")
        told: list[int] = []
        wire.lose = lambda _topic, payload: b"taken" in payload and bool(told.append(len(payload)))
        await trio.sleep(A_BEAT_S)
        first, told[:] = sum(told), []
        await trio.sleep(A_BEAT_S)
        assert 0 < sum(told) <= first * 1.1
        await trio.sleep(A_BEAT_S)
        assert b.spend(f"user {users - 1}", "elsewhere") == 29
        assert max(told) < PIECE_BYTES + 300


async def test_sockets_of_a_user_are_counted_over_all_nodes(autojump_clock: MockClock) -> None:
    async with limits("a", "b", "c") as (_, [a, b, c]):
        a.counts.count("ann", 2)
        b.counts.count("ann", 1)
        await trio.sleep(A_BEAT_S)
        assert c.rates.admit_socket("ann", 0) is not None
        assert c.rates.admit_socket("ben", 0) is None
        a.counts.count("ann", 1)
        await trio.sleep(A_BEAT_S)
        assert c.rates.admit_socket("ann", 0) is None
        b.node.nodes.goodbye()
        a.counts.count("ann", 0)
        await trio.sleep(A_BEAT_S)
        assert c.counts.elsewhere("ann") == 0


@rows(
    "fields",
    [
        [],
        [1, 1],
        ["1", []],
        [1, [["user", "ann"]]],
        [1, [["user", 7, 1]]],
        [1, [["user", "ann", 1.5]]],
        [1, [["user", "ann", 10**9]]],
        [1, [["of a newer version", "ann", 30]]],
    ],
)
async def test_what_is_no_count_of_tokens_is_passed_over(
    autojump_clock: MockClock, fields: list[Any]
) -> None:
    async with limits("a", "b") as (_, [a, b]):
        a.node.signals.send_all("taken", fields)
        assert b.spend() == 30


def test_a_debt_is_bounded() -> None:
    bucket = Bucket(60, 0.0, burst=10)
    bucket.debit(10_000, 0.0)
    assert bucket.wait_s(0.0) == pytest.approx(10 * DEBT_BURSTS_MAX + 1)
