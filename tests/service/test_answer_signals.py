"""Answers on several nodes: each shows how they grow, and their one end."""

import random
from collections.abc import Sequence
from typing import Any

import attrs
import orjson
import pytest
import trio
import trio.testing

from chatd.bus.frames import VERSION
from chatd.chat.records import Message
from chatd.observe import AnswerEnded
from chatd.service import answer_signals, heard_answers
from chatd.wire.codes import Code
from tests.answers.services import COLUMNS, failed
from tests.bus import memory_bus
from tests.chat.commands import message_id
from tests.rows import rows
from tests.service.answer_nodes import NOW_MS, ROOM, lose_once, nodes
from tests.store.logs import deleted

GROWS = ["start", "status", "status", "status", "rows", "rows", "end", "message"]


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


async def test_every_node_shows_the_same_answer_grow_and_end(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (_, [a, b]):
        await a.ask()
        [call] = a.database.calls
        call.rows(1, 2)
        call.rows(3)
        call.end()
        await settled()
        assert a.room.names() == GROWS
        assert b.room.sent == a.room.sent
        assert b.database.calls == []
        assert b.entered() == []


async def test_an_error_ends_with_the_same_words_everywhere(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (_, [a, b]):
        await a.ask()
        a.database.calls[0].end(failed(Code.DB_ERROR, "no <b>such</b> table"))
        await settled()
        [end] = b.room.of("end")
        assert end == a.room.of("end")[0]
        assert end["error"]["message"] == "no < b>such< /b> table"


async def test_who_comes_late_on_another_node_is_told_what_there_is_so_far(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes(holding=[0]) as (_, [a, b]):
        await a.ask()
        a.database.calls[0].rows(*range(450))
        mock_clock.jump(2)
        await settled()
        assert b.room.sent == []
        await b.signals.hold(ROOM)
        assert b.room.names() == ["start", "status", "rows", "rows", "rows"]
        assert b.entered() == a.entered()
        assert b.room.of("status")[0]["elapsedMs"] == 2_000
        a.database.calls[0].rows(450)
        assert b.room.of("rows")[-1] == a.room.of("rows")[-1]


async def test_an_owner_that_is_not_in_the_room_tells_all_the_same(
    mock_clock: trio.testing.MockClock,
) -> None:
    """The client that asked went to another node."""
    async with nodes(holding=[0]) as (_, [a, b]):
        await a.ask()
        a.signals.release(ROOM)
        await b.signals.hold(ROOM)
        assert b.room.names() == ["start", "status"]
        a.database.calls[0].rows(1)
        a.database.calls[0].end()
        await settled()
        assert b.room.names()[-3:] == ["rows", "end", "message"]


@rows(
    "lost", [["answer:rows"], ["answer:start"], ["answer:status"], ["answer:start", "answer:rows"]]
)
async def test_what_got_lost_is_told_again_and_nothing_twice(
    mock_clock: trio.testing.MockClock, lost: list[str]
) -> None:
    async with nodes() as (wire, [a, b]):
        mock_clock.jump(2)
        lose_once(wire, lost)
        await a.ask()
        [call] = a.database.calls
        for number in range(4):
            call.rows(number)
            mock_clock.jump(2)
            await settled()
        assert [row for event in b.room.of("rows") for row in event["rows"]] == [
            [0],
            [1],
            [2],
            [3],
        ]
        assert [event["index"] for event in b.room.of("rows")] == list(
            range(len(b.room.of("rows")))
        )
        assert len(b.room.of("start")) == 1
        call.end()
        await settled()
        assert b.room.names()[-2:] == ["end", "message"]


async def test_a_bus_that_was_away_is_made_up_for(mock_clock: trio.testing.MockClock) -> None:
    async with nodes() as (wire, [a, b]):
        wire.cut()
        await a.ask()
        a.database.calls[0].rows(1)
        assert b.room.sent == []
        wire.mend()
        assert b.entered() == a.entered()
        assert b.room.names() == ["start", "status", "rows"]


async def test_rows_that_the_bus_does_not_take_at_once_travel_in_pieces(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (_, [a, b]):
        await a.ask()
        call = a.database.calls[0]
        call.sink.columns(COLUMNS)
        call.sink.rows([["x" * 900] for _ in range(30)])
        shown = [row for event in b.room.of("rows") for row in event["rows"]]
        assert len(shown) == 30
        assert len(b.room.of("rows")) > 1
        call.sink.rows([["y" * memory_bus.PAYLOAD_BYTES_MAX], ["z"]])
        call.sink.rows([["z"]])
        assert len([row for event in b.room.of("rows") for row in event["rows"]]) == 30
        mock_clock.jump(2)
        call.end()
        await settled()
        assert b.room.names()[-2:] == ["end", "message"]
        assert b.room.of("end")[0]["rowCount"] == 33


async def test_rows_of_one_answer_are_told_in_so_many_pieces_at_most(
    mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_signals, "PIECES_MAX", 3)
    async with nodes() as (_, [a, b]):
        await a.ask()
        for number in range(5):
            a.database.calls[0].rows(number)
        assert len(b.room.of("rows")) == 3
        a.database.calls[0].end()
        await settled()
        assert b.room.of("end")[0]["rowCount"] == 5


async def test_the_end_is_shown_before_its_message_however_late_that_comes(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (_, [a, b]):
        b.is_behind = True
        await a.ask()
        a.database.calls[0].rows(1)
        a.database.calls[0].end()
        await settled()
        assert b.room.names() == ["start", "status", "status", "status", "rows"]
        assert b.entered()
        b.catch_up()
        assert b.room.names()[-2:] == ["end", "message"]
        assert b.entered() == []


async def test_an_answer_whose_node_is_dead_ends_as_interrupted_by_who_takes_it_over(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes(3, [0, 1, 2]) as (wire, [a, b, c]):
        question = await a.ask()
        a.database.calls[0].rows(1)
        assert c.room.names()[-1] == "rows"
        wire.lose = lambda _topic, payload: orjson.loads(payload)[2] == "a"
        a.log.nodes.remove(a)
        b.answers.adopt([a.log.taken(question)])
        await settled()
        for node in (b, c):
            assert node.room.names()[-2:] == ["end", "message"]
            assert node.room.of("end")[0]["state"] == "interrupted"
            assert node.entered() == []
        assert b.room.names().count("start") == 1


async def test_a_node_that_was_taken_for_dead_stops_when_it_sees_the_end(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (_, [a, b]):
        question = await a.ask()
        [call] = a.database.calls
        call.rows(1)
        b.answers.adopt([a.log.taken(question)])
        await settled()
        assert a.log.ended == {question: "interrupted"}
        assert call.stop.is_set()
        assert a.room.names()[-2:] == ["end", "message"]
        assert a.room.of("end") == b.room.of("end")
        assert a.answers.count == 0
        assert a.recorder.of(AnswerEnded) == []


async def test_an_answer_that_nobody_ends_is_forgotten_after_its_deadline(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes(3, [0, 1]) as (_, [a, b, c]):
        b.is_behind = True
        await a.ask("SELECT 1")
        assert b.entered()
        mock_clock.jump(30 + heard_answers.GRACE_S + 1)
        assert b.entered() == []
        await c.ask("SELECT 2")
        assert b.display._heard._count == 1


async def test_so_many_answers_of_others_are_shown_and_no_more(
    mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heard_answers, "HEARD_MAX", 2)
    async with nodes() as (_, [a, b]):
        for number in range(3):
            await a.ask(f"SELECT {number}")
        assert b.room.names().count("start") == 2
        a.database.calls[0].end()
        await settled()
        await a.ask("SELECT 4")
        assert b.room.names().count("start") == 3


async def test_a_room_that_is_left_is_forgotten(mock_clock: trio.testing.MockClock) -> None:
    async with nodes() as (_, [a, b]):
        await a.ask()
        b.signals.release(ROOM)
        assert b.entered() == []
        assert b.display._heard._count == 0


async def test_a_hint_reaches_its_user_on_the_other_nodes(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (_, [a, b]):
        await a.ask("selct 1 from t")
        assert a.room.sent == b.room.sent
        assert a.room.names() == ["chat:hint"]


@rows(
    "signal",
    [
        ("answer:start", []),
        ("answer:start", [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("answer:start", ["q", 1, "a", "u", 1, 1, True, 1, 1]),
        ("answer:status", ["q"]),
        ("answer:status", [message_id(1), "flying", 1]),
        ("answer:rows", []),
        ("answer:rows", [message_id(1), 0, None]),
        ("answer:rows", [message_id(1), 0, None, [1]]),
        ("answer:rows", [message_id(1), 0, [["n"]], [[1]]]),
        ("answer:rows", [message_id(1), 0, [[1, "t"]], [[1]]]),
        ("answer:rows", [message_id(1), "0", [["n", None]], [[1]]]),
        ("answer:hint", ["q", "u", "no code", None]),
        ("answer:hint", ["q", "u", "talk"]),
        ("answer:hello", [[], {}]),
        ("answer:cancel", []),
        ("answer:cancel", [1, 2]),
        ("answer:ended", ["q", "done", 1]),
        ("answer:written", [7]),
        ("answer:erase", []),
    ],
)
async def test_signals_that_are_none_are_passed_over(
    mock_clock: trio.testing.MockClock, signal: tuple[str, Sequence[Any]]
) -> None:
    async with nodes() as (_, [a, b]):
        await a.ask()
        before = list(b.room.sent)
        kind, fields = signal
        b.signals.heard(f"v:{ROOM}", orjson.dumps([VERSION, VERSION, "a", kind, fields]))
        await settled()
        assert b.room.sent == before


async def test_a_question_that_another_node_shows_as_deleted_is_answered_no_more(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with nodes() as (_, [a, b]):
        question = await a.ask()
        message = Message(question, ROOM, 1, "ann", None, "SELECT 1", None, None, NOW_MS)
        a.publisher.publish_change(deleted(message, 1))
        await settled()
        assert a.log.ended == {question: "cancelled"}
        assert b.room.of("end")[0]["state"] == "cancelled"


async def test_an_end_that_was_shown_with_its_message_is_not_shown_again(
    mock_clock: trio.testing.MockClock,
) -> None:
    """The actor of messages crashed between the commit and its effects."""
    async with nodes() as (_, [a, _b]):
        question = await a.ask()
        [call] = a.database.calls
        call.rows(1)
        stored = Message(
            message_id(500),
            ROOM,
            9,
            f"db:{ROOM}",
            None,
            "1",
            None,
            None,
            NOW_MS,
            reply_to=question,
            answer=b'{"state":"done","rowCount":1,"columns":[],"rows":[[1]]}',
        )
        a.display.published(stored)
        assert a.room.of("end") == [
            {
                "messageId": message_id(500),
                "replyTo": question,
                "connectionId": ROOM,
                "state": "done",
                "rowCount": 1,
            }
        ]
        call.end()
        await settled()
        assert len(a.room.of("end")) == 1
        assert a.display._ended == set()


async def test_what_comes_before_the_question_is_shown_waits_for_it(
    mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heard_answers, "WAITING_MAX", 5)
    async with nodes() as (_, [a, b]):
        mock_clock.jump(2)
        b.published = 0
        question = await a.ask()
        call = a.database.calls[0]
        for number in range(4):
            call.rows(number)
        assert b.room.sent == []
        assert b.entered() == []
        message = Message(question, ROOM, 1, "ann", None, "SELECT 1", None, None, NOW_MS)
        b.publisher.publish(attrs.evolve(message, message_id=message_id(9), seq=0))
        assert b.room.names() == ["message"]
        b.publisher.publish(message)
        assert b.room.names() == ["message", "message", "start", *["status"] * 3, "rows"]
        mock_clock.jump(2)
        call.rows(4)  # that some were missed is found, and they are told again
        assert [row for event in b.room.of("rows") for row in event["rows"]] == [
            [0],
            [1],
            [2],
            [3],
            [4],
        ]
        call.end()
        await settled()
        assert b.room.names()[-2:] == ["end", "message"]


@pytest.mark.parametrize("seed", range(10))
async def test_whatever_gets_lost_or_comes_twice_rows_stand_in_order_and_ends_are_one(
    mock_clock: trio.testing.MockClock, seed: int
) -> None:
    chance = random.Random(seed)
    async with nodes() as (wire, [a, b]):
        old: list[tuple[str, bytes]] = []

        def lose(topic: str, payload: bytes) -> bool:
            old.append((topic, payload))
            if chance.random() < 0.2:
                wire.carry(*chance.choice(old))
            return chance.random() < 0.3

        wire.lose = lose
        for number in range(4):
            await a.ask(f"SELECT {number}")
        for number in range(60):
            call = chance.choice(a.database.calls)
            call.rows(number)
            mock_clock.jump(chance.choice((0, 0, 1.5)))
        for call in a.database.calls:
            call.end()
        await settled()
        for end in a.room.of("end"):
            shown = [one for one in b.room.of("rows") if one["messageId"] == end["messageId"]]
            stored = [one for one in a.room.of("rows") if one["messageId"] == end["messageId"]]
            here = [row for event in shown for row in event["rows"]]
            assert here == [row for event in stored for row in event["rows"]][: len(here)]
            assert [event["index"] for event in shown] == list(range(len(shown)))
            assert [event["index"] for event in shown if "columns" in event] == [0][: len(shown)]
            ends = [one for one in b.room.of("end") if one["messageId"] == end["messageId"]]
            starts = [one for one in b.room.of("start") if one["messageId"] == end["messageId"]]
            assert len(starts) == len(ends) <= 1
            assert ends in ([], [end])


async def test_a_start_that_comes_behind_the_end_shows_nothing(
    mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heard_answers, "ENDED_MAX", 2)
    async with nodes() as (wire, [a, b]):
        told: list[tuple[str, bytes]] = []
        wire.lose = lambda *one: bool(told.append(one))
        for number in range(3):
            await a.ask(f"SELECT {number}")
            a.database.calls[number].end()
            await settled()
        before = list(b.room.sent)
        for topic, payload in told:
            b.signals.heard(topic, payload)
        again = [
            payload["replyTo"] for name, payload in b.room.sent[len(before) :] if name == "start"
        ]
        assert again == [message_id(1)]  # it was forgotten: the newest two are remembered
