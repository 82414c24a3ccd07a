"""What a client wants of an answer that another node owns; and what one node knows to be old, all
do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from chatd.answers.cancels import CANCEL_AGAIN_S, CANCEL_TIMES, CancelOutcome
from chatd.auth import Grant
from chatd.chat.messages import AnswerRequest
from chatd.chat.records import Message
from chatd.wire.codes import Code, Refusal
from tests.chat.commands import message_id
from tests.rows import rows
from tests.service.answer_nodes import ROOM, Node, lose_once, nodes

MINE = {ROOM: Grant(ROOM, None)}


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


async def cancel(node: Node, question: str, user_id: str = "ann", **more: Any) -> Any:
    return await node.answers.cancel(question, user_id, more.get("rooms", MINE))


@asynccontextmanager
async def cancelling(node: Node, question: str) -> AsyncIterator[list[Any]]:
    """A cancel that waits during the block; after it, what the cancel came to."""
    outcomes: list[Any] = []

    async def wait() -> None:
        outcomes.append(await cancel(node, question))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await settled()
        yield outcomes


@pytest.mark.parametrize("confirms", [True, False])
async def test_a_cancel_on_another_node_is_told_as_it_went(
    mock_clock: trio.testing.MockClock, confirms: bool
) -> None:
    async with nodes() as (_, [a, b]):
        question = await a.ask()
        a.database.confirms = confirms
        assert await cancel(b, question) == CancelOutcome("cancelled", confirms)
        assert a.database.calls[0].stop.is_set()
        await settled()
        for node in (a, b):
            assert node.room.of("end")[0]["state"] == "cancelled"


async def test_only_who_asked_cancels_whichever_node_it_is_on(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (_, [a, b]):
        question = await a.ask()
        refusal = await cancel(b, question, "bob")
        assert isinstance(refusal, Refusal)
        assert refusal.code is Code.FORBIDDEN
        refusal = await cancel(b, question, rooms={"sales": Grant("sales", None)})
        assert refusal == Refusal(Code.NOT_FOUND, path="messageId")
        await settled()
        assert not a.database.calls[0].stop.is_set()


async def test_a_cancel_that_comes_after_the_end_is_told_how_it_ended(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (_, [a, b]):
        question = await a.ask()
        a.database.calls[0].end()
        await settled()
        assert await cancel(b, question) == CancelOutcome("done")


@rows("lost", [["answer:cancel"], ["answer:ended"], ["answer:cancel", "answer:ended"]])
async def test_a_cancel_is_repeated_until_the_end_is_seen(
    autojump_clock: trio.testing.MockClock, lost: list[str]
) -> None:
    async with nodes() as (wire, [a, b]):
        question = await a.ask()
        lose_once(wire, lost)
        outcome = await cancel(b, question)
        assert outcome.state == "cancelled"
        assert outcome.is_confirmed is (None if "answer:ended" in lost else True)


async def test_who_cancels_what_no_node_ends_is_refused_in_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (wire, [a, b]):
        question = await a.ask()
        wire.lose = lambda _topic, _payload: True
        began_s = trio.current_time()
        refusal = await cancel(b, question)
        assert isinstance(refusal, Refusal)
        assert refusal.code is Code.OVERLOADED
        assert refusal.sentence
        assert trio.current_time() - began_s >= CANCEL_TIMES * CANCEL_AGAIN_S - 0.1
        assert b.answers._elsewhere is not None
        assert b.answers._elsewhere._waits == {}


async def test_a_cancel_meets_an_answer_that_was_taken_over_meanwhile(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (wire, [a, b]):
        question = await a.ask()
        wire.lose = lambda _topic, _payload: True
        async with cancelling(b, question) as outcomes:
            b.answers.adopt([a.log.taken(question)])
        assert [one.state for one in outcomes] == ["interrupted"]


async def test_other_nodes_hear_of_no_end_that_was_not_stored(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (_, [a, b]):
        question = await a.ask()
        a.refusals = [Refusal(Code.DRAINING)]
        async with cancelling(b, question) as outcomes:
            assert outcomes == []
            b.answers.adopt([a.log.taken(question)])  # the node that drains is gone
        assert [one.state for one in outcomes] == ["interrupted"]


async def test_several_cancels_of_one_answer_are_told_the_same(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (_, [a, b]):
        question = await a.ask()
        outcomes = []

        async def wait() -> None:
            outcomes.append(await cancel(b, question))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            nursery.start_soon(wait)
        assert outcomes == [CancelOutcome("cancelled", True)] * 2
        assert b.answers._elsewhere is not None
        assert b.answers._elsewhere._waits == {}


async def test_a_message_that_turns_out_to_be_talk_has_nothing_to_cancel(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (_, [a, b]):
        question = await a.ask()
        a.log.open.pop(question)
        assert await cancel(b, question) == Refusal(Code.NOT_FOUND, path="messageId")


async def test_a_question_that_is_deleted_through_another_node_is_answered_no_more(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes(3, [1]) as (_, [a, b, c]):
        question = await a.ask()
        other = await a.ask("SELECT 2")
        b.answers.withdraw(question, ROOM)
        b.answers.withdraw(message_id(999), ROOM)
        await settled()
        assert a.log.ended == {question: "cancelled"}
        assert not a.database.calls[1].stop.is_set()
        assert other not in a.log.ended
        assert c.answers.count == 0


async def test_a_question_that_is_sent_again_to_another_node_is_answered_once(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (_, [a, b]):
        question = await a.ask()
        found = a.log.open[question]
        again = Message(question, ROOM, 1, "ann", None, "SELECT 1", None, None, found.opened_ms)
        b.answers.repeat(again, AnswerRequest(message_id(77)))
        await settled()
        assert b.database.calls == []
        assert b.room.of("chat:hint") == []
        assert b.answers.count == 0


WRITES = {"config": {"readOnly": False}}


async def test_a_write_through_one_node_makes_the_others_forget_what_they_read(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (_, [a, b]):
        for _ in range(2):
            await b.ask()
            b.database.calls[0].rows(1)
            b.database.calls[0].end()
            await settled()
        assert len(b.database.calls) == 1  # the second is cached
        await a.ask("DELETE FROM numbers", **WRITES)
        assert len(a.database.calls) == 1
        await b.ask("SELECT 1")
        assert len(b.database.calls) == 1  # it is not known yet whether anything was written
        writes = b.answers._life.executions.writes(ROOM)
        a.database.calls[0].end()
        await settled()
        await b.ask("SELECT 1")
        assert len(b.database.calls) == 2
        assert b.answers._life.executions.writes(ROOM) == writes + 1  # so schemas go too


async def test_an_erasure_through_one_node_ends_what_others_answer(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (_, [a, b]):
        mine, other = await a.ask(user_id="ann"), await a.ask("SELECT 2", user_id="bob")
        await b.answers.end_those(user_id="ann")
        await settled()
        assert a.log.ended == {mine: "cancelled"}
        await b.answers.end_those(connection_id=ROOM)
        await settled()
        assert a.log.ended[other] == "cancelled"
