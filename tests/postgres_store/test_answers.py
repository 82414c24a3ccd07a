"""Open answers of several nodes over one log: whose they are, and that each has one end."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from chatd.actors.shared_ledger import SharedLedger
from chatd.chat.commits import EndedBefore
from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import Accepted, AnswerRequest, EndedAlready, Reply, SendMessage
from chatd.chat.records import OpenAnswer, Record
from chatd.postgres_store.log import PostgresLog
from chatd.postgres_store.opening import OpenedLog, open_log
from chatd.postgres_store.recovery import recover
from chatd.postgres_store.retention import REMOVE
from chatd.postgres_store.sessions import LogAddress, connect
from tests.chat.commands import message_id, send
from tests.postgres import Postgres
from tests.postgres_store.logs import NOW_MS, another_node, new_address, rows_of, run_in

pytestmark = pytest.mark.timeout(120)

ROOM = "demo"
QUESTION = message_id(1)


@pytest.fixture
def address(postgres: Postgres) -> LogAddress:
    return attrs.evolve(new_address(postgres), node="a")


@attrs.define(eq=False)
class Node:
    """A node over the log, with a ledger that knows what it began with."""

    opened: OpenedLog
    log: PostgresLog
    ledger: SharedLedger

    async def carry_out(self, *commands: SendMessage) -> list[Any]:
        return list(await self.ledger.carry_out(commands, NOW_MS))

    def owes(self) -> Sequence[OpenAnswer]:
        with connect(self.opened.address) as connection:
            return recover(connection, self.opened.node_id).recovered.open_answers


@asynccontextmanager
async def node_over(opened: OpenedLog) -> AsyncIterator[Node]:
    found = opened.log.recovered
    machine = MessageMachine(
        found.rooms,
        found.members,
        found.position,
        found.open_answers,
        shares=found.shares,
        node=found.node,
    )
    log = PostgresLog(opened)
    try:
        yield Node(opened, log, SharedLedger(machine, log))
    finally:
        await log.close(5)
        opened.close()


@asynccontextmanager
async def two_nodes(address: LogAddress) -> AsyncIterator[tuple[Node, Node]]:
    opened = open_log(address, NOW_MS)
    async with node_over(opened) as a, node_over(another_node(opened)) as b:
        yield a, b


def question(number: int = 1) -> SendMessage:
    return send(number, "SELECT 1", asks=AnswerRequest(message_id(100 + number)))


def end(number: int = 1, answer: int = 101, state: str = "done") -> SendMessage:
    reply = Reply(message_id(number), state, b'{"state":"%b"}' % state.encode())
    return send(answer, "| 1 |", user_id="db:demo", reply=reply)


def ends(address: LogAddress) -> list[tuple[Any, ...]]:
    """What is stored as ends of questions, and what the answers say."""
    messages = "SELECT seq FROM messages WHERE reply_to IS NOT NULL ORDER BY seq"
    states = "SELECT state FROM answers ORDER BY question_id"
    return [*rows_of(address, messages), *rows_of(address, states)]


def records_of(*commands: SendMessage) -> list[Record]:
    """What a node that knows of three messages would commit."""
    return MessageMachine({ROOM: 3}, {}).decide(commands, NOW_MS).records


async def test_an_answer_is_owed_by_the_node_that_stored_its_question(address: LogAddress) -> None:
    async with two_nodes(address) as (a, b):
        [accepted] = await a.carry_out(question())
        assert isinstance(accepted, Accepted)
        assert [one.question_id for one in a.owes()] == [QUESTION]
        assert b.owes() == ()


async def test_of_two_ends_of_two_nodes_the_first_is_stored(address: LogAddress) -> None:
    async with two_nodes(address) as (a, b):
        await a.carry_out(question())
        [first] = await b.carry_out(end(answer=102, state="interrupted"))
        assert isinstance(first, Accepted)
        late, other = end(), send(3, "meanwhile")
        effects = await a.carry_out(late, other)
        assert effects[0] == EndedAlready(late)
        assert isinstance(effects[1], Accepted)
        assert effects[1].message.seq == 3
        assert ends(address) == [(2,), ("interrupted",)]
        assert a.owes() == ()


async def test_what_goes_with_a_second_end_is_not_written_either(address: LogAddress) -> None:
    async with two_nodes(address) as (a, b):
        await a.carry_out(question(1), question(2))
        await b.carry_out(end(1, 111))
        outcome = await a.log.commit(records_of(end(1, 112), end(2, 113)))
        assert outcome == EndedBefore(frozenset({QUESTION}))
        assert ends(address) == [(3,), ("done",), (None,)]
        one, two = await a.carry_out(end(1, 112), end(2, 113))
        assert isinstance(one, EndedAlready)
        assert isinstance(two, Accepted)
        assert ends(address) == [(3,), (4,), ("done",), ("done",)]


async def test_an_answer_that_was_erased_has_no_end(address: LogAddress) -> None:
    async with two_nodes(address) as (a, _):
        await a.carry_out(question())
        run_in(address, "DELETE FROM chatd.answers")
        [effect] = await a.carry_out(end())
        assert isinstance(effect, EndedAlready)
        assert ends(address) == []


async def test_a_question_that_retention_has_removed_is_answered_all_the_same(
    address: LogAddress,
) -> None:
    async with two_nodes(address) as (a, b):
        await a.carry_out(question(), question(2))
        await a.log.ask(REMOVE, ([ROOM], [2]))
        await b.carry_out(end(2, 201))
        effects = await a.carry_out(end(2, 202), end())
        assert [type(effect) for effect in effects] == [EndedAlready, Accepted]
        assert ends(address) == [(3,), (4,), ("done",)]


async def test_a_question_that_is_sent_again_to_another_node_opens_no_second_answer(
    address: LogAddress,
) -> None:
    async with two_nodes(address) as (a, b):
        await a.carry_out(question())
        again = question()
        [effect] = await b.carry_out(attrs.evolve(again, asks=AnswerRequest(message_id(777))))
        assert not isinstance(effect, Accepted)
        assert rows_of(address, "SELECT encode(answer_id, 'hex') FROM answers") == [
            (message_id(101).replace("-", ""),)
        ]
        assert b.owes() == ()


async def test_who_starts_takes_over_what_nobody_owes_any_more_and_nothing_else(
    address: LogAddress,
) -> None:
    async with two_nodes(address) as (a, b):
        await a.carry_out(question(1))
        await b.carry_out(question(2), question(3))
        await b.carry_out(end(3, 103))
        run_in(address, f"DELETE FROM chatd.nodes WHERE node_id = {b.opened.node_id}")
        third = open_log(attrs.evolve(address, node="c"), NOW_MS)
        taken = third.log.recovered.open_answers
        third.close()
        assert [one.question_id for one in taken] == [message_id(2)]
        assert [one.question_id for one in a.owes()] == [QUESTION]


async def test_one_node_alone_takes_up_all_that_is_open(postgres: Postgres) -> None:
    address = new_address(postgres)
    async with node_over(open_log(address, NOW_MS)) as before:
        await before.carry_out(question(9), question(2), question(5))
    again = open_log(address, NOW_MS)
    again.close()
    taken = [one.question_id for one in again.log.recovered.open_answers]
    assert taken == [message_id(9), message_id(2), message_id(5)]  # as they were asked
