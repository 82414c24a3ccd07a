"""Download tickets of several nodes: each is its node's, and void for what any of them learns."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import orjson
import pytest
import trio
import trio.testing

from chatd.auth import Grant
from chatd.bus.frames import VERSION
from chatd.bus.topics import Topics
from chatd.observe.recorder import Recorder
from chatd.service import ticket_signals
from chatd.service.download_tickets import TICKET_S, DownloadTickets
from chatd.service.signals import Signals
from chatd.service.ticket_signals import TicketSignals
from chatd.wire.names import Role
from tests.bus.memory_bus import PAYLOAD_BYTES_MAX, MemoryBus, Wire
from tests.rows import rows
from tests.service.test_download_tickets import identity


def rooms(*given: str) -> dict[str, Grant]:
    return {room: Grant(room, None) for room in given}


@attrs.frozen
class Node:
    tickets: DownloadTickets
    others: TicketSignals
    signals: Signals

    def give(self, user_id: str = "ada", room: str = "sales") -> str:
        return self.tickets.give("m", room, identity(user_id), trio.current_time())

    def is_good(self, ticket: str) -> bool:
        return self.tickets.look(ticket, "m", trio.current_time()) is not None


@asynccontextmanager
async def nodes() -> AsyncIterator[tuple[Wire, Node, Node]]:
    wire, made = Wire(), []
    async with trio.open_nursery() as nursery:
        for name in "ab":
            bus, topics = MemoryBus(wire), Topics()
            signals = Signals(bus, name, Recorder())
            topics.add("v", signals)
            nursery.start_soon(bus.run, topics)
            others = TicketSignals(signals)
            tickets = DownloadTickets(node=name, others=others)
            others.serve(tickets)
            made.append(Node(tickets, others, signals))
        await trio.testing.wait_all_tasks_blocked()
        for node in made:
            await node.signals.start()
        yield wire, *made
        nursery.cancel_scope.cancel()


async def test_a_ticket_names_its_node_and_is_good_there_alone() -> None:
    async with nodes() as (_, a, b):
        ticket = a.give()
        assert ticket.startswith("a.")
        assert not b.is_good(ticket)
        assert a.is_good(ticket)
        assert DownloadTickets().give("m", "sales", identity(), 0.0).count(".") == 0


async def test_a_newer_token_on_another_node_withdraws_what_it_does_not_give() -> None:
    async with nodes() as (_, a, b):
        kept, gone, other = a.give(room="stock"), a.give(), a.give("bob")
        b.tickets.withdraw(identity(issued_at_s=0.5), rooms("stock"))
        assert a.is_good(gone)  # that token is older
        b.tickets.withdraw(identity(issued_at_s=2.0), rooms("stock"))
        assert [a.is_good(one) for one in (kept, gone, other)] == [True, False, True]


async def test_a_token_that_only_reads_withdraws_the_tickets_of_one_that_wrote() -> None:
    async with nodes() as (_, a, b):
        ticket = a.give()
        b.tickets.withdraw(identity(), {"sales": Grant("sales", None, Role.VIEWER)})
        assert not a.is_good(ticket)


async def test_a_node_of_an_earlier_version_tells_of_rooms_alone() -> None:
    async with nodes() as (_, a, _b):
        kept, gone = a.give(room="stock"), a.give()
        told = [VERSION, VERSION, "b", "ticket:rooms", ["ada", 2.0, ["stock"]]]
        a.signals.heard("v:", orjson.dumps(told))
        assert [a.is_good(one) for one in (kept, gone)] == [True, False]


async def test_a_user_is_told_of_only_while_another_node_has_given_a_ticket(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (wire, a, b):
        told = []

        def note(_topic: str, payload: bytes) -> bool:
            told.append(orjson.loads(payload)[3])
            return False

        wire.lose = note
        b.tickets.withdraw(identity(), {})
        assert told == []
        a.give()
        b.tickets.withdraw(identity("bob"), {})
        b.tickets.withdraw(identity(), {})
        mock_clock.jump(TICKET_S)
        b.tickets.withdraw(identity(), {})
        assert told == ["ticket:given", "ticket:rooms"]
        a.give("bob")
        assert list(b.others._until_s) == ["bob"]


async def test_a_token_of_more_rooms_than_can_be_told_voids_all() -> None:
    async with nodes() as (_, a, b):
        ticket = a.give()
        many = rooms("sales", *(f"room {n}" for n in range(PAYLOAD_BYTES_MAX // 5)))
        b.tickets.withdraw(identity(), many)
        assert not a.is_good(ticket)


async def test_users_who_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_signals, "TICKETS_MAX", 2)
    async with nodes() as (_, a, b):
        for user in ("ada", "bob", "eve"):
            a.give(user)
        assert list(b.others._until_s) == ["bob", "eve"]


async def test_a_user_who_is_erased_has_no_ticket_on_any_node() -> None:
    async with nodes() as (_, a, b):
        ticket, other = a.give(), a.give("bob")
        b.tickets.void("ada")
        assert (a.is_good(ticket), a.is_good(other)) == (False, True)


@rows(
    "signal",
    [
        ("ticket:given", []),
        ("ticket:given", [7]),
        ("ticket:rooms", ["ada", 2.0]),
        ("ticket:rooms", ["ada", "2", []]),
        ("ticket:rooms", ["ada", 2.0, "stock"]),
        ("ticket:rooms", [["ada"], 2.0, []]),
        ("ticket:rooms", ["ada", 2.0, [], "stock"]),
        ("ticket:void", []),
        ("ticket:void", [["ada"]]),
    ],
)
async def test_signals_that_are_none_are_passed_over(signal: tuple[str, list[object]]) -> None:
    async with nodes() as (_, a, _b):
        ticket = a.give()
        kind, fields = signal
        a.signals.heard("v:", orjson.dumps([VERSION, VERSION, "b", kind, fields]))
        assert a.is_good(ticket)
        assert not a.others._until_s
