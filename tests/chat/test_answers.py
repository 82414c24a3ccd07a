"""Questions and the messages that answer them, in the machine of messages."""

from typing import Any

import orjson
import pytest

from chatd.chat.markup import keep
from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import (
    Accepted,
    AnswerRequest,
    Conflicted,
    EndedAlready,
    NoteRead,
    Repeated,
    Reply,
    SendMessage,
    Settled,
)
from chatd.chat.records import (
    AnswerClosed,
    AnswerOpened,
    MemberKept,
    MessageRead,
    MessageStored,
    OpenAnswer,
)
from chatd.chat.rendering import message_json
from tests.chat.commands import message_id, send

ANSWER = b'{"state":"done","rowCount":1,"columns":[{"name":"error"}],"rows":[["\\"error\\":{"]]}'
FAILED = b'{"state":"error","error":{"code":"db_error","message":"No such table."},"rows":[]}'
ASKED = AnswerRequest(message_id(9))


@pytest.fixture
def machine() -> MessageMachine:
    return MessageMachine({}, {})


def question(number: int = 1, **changes: Any) -> SendMessage:
    return send(number, "SELECT 1", asks=ASKED, **changes)


def reply(answer: bytes = ANSWER, number: int = 9) -> SendMessage:
    return send(number, "| 1 |", user_id="db:demo", reply=Reply(message_id(1), "done", answer))


def test_a_question_is_recorded_as_open_together_with_its_message(machine: MessageMachine) -> None:
    decision = machine.decide([question(thread_id=message_id(3))], 7)
    stored, opened = decision.records
    assert isinstance(stored, MessageStored)
    assert opened == AnswerOpened(
        OpenAnswer(message_id(1), message_id(9), "demo", "ann", message_id(3), 7, is_to_read=True)
    )
    [effect] = decision.effects
    assert isinstance(effect, Accepted)
    assert effect.command.asks is ASKED


def test_a_question_that_is_asked_again_opens_nothing(machine: MessageMachine) -> None:
    machine.apply(machine.decide([question()], 7))
    decision = machine.decide([question()], 8)
    assert decision.records == []
    assert isinstance(decision.effects[0], Repeated)


def test_the_message_that_answers_closes_the_answer_and_carries_it(machine: MessageMachine) -> None:
    machine.apply(machine.decide([question()], 7))
    decision = machine.decide([reply()], 8)
    stored, closed = decision.records
    assert isinstance(stored, MessageStored)
    assert (stored.message.reply_to, stored.message.answer) == (message_id(1), ANSWER)
    assert stored.message.seq == 2
    assert closed == AnswerClosed("demo", message_id(1), message_id(9), "done")
    machine.apply(decision)
    again = machine.decide([reply()], 9)
    assert isinstance(again.effects[0], Repeated)
    assert again.records == []


@pytest.mark.parametrize("is_question", [True, False])
def test_that_a_message_was_read_is_recorded_and_told_nobody(
    machine: MessageMachine, is_question: bool
) -> None:
    opened = machine.decide([question()], 7)
    machine.apply(opened)
    [answer] = [record.answer for record in opened.records if isinstance(record, AnswerOpened)]
    command = NoteRead(answer, is_question)
    decision = machine.decide([command], 8)
    assert decision.records == [MessageRead("demo", message_id(1), message_id(9), is_question)]
    assert decision.effects == [Settled(command)]
    machine.apply(decision)
    thief = machine.decide([send(9, "its id is free where it was talk", user_id="eve")], 9)
    assert isinstance(thief.effects[0], Conflicted if is_question else Accepted)
    again = machine.decide([command], 10)  # a restart reads it once more
    machine.apply(again)
    assert machine.last_seq("demo") == 1


def test_nobody_takes_the_id_that_an_answer_was_promised(machine: MessageMachine) -> None:
    thief = send(9, "stolen", user_id="eve")
    together = machine.decide([question(), thief], 7)
    assert [type(effect) for effect in together.effects] == [Accepted, Conflicted]
    machine.apply(machine.decide([question()], 7))
    assert isinstance(machine.decide([thief], 8).effects[0], Conflicted)
    machine.apply(machine.decide([reply()], 9))
    assert isinstance(machine.decide([thief], 10).effects[0], Conflicted)
    assert machine.promised == {}


def test_a_promise_is_kept_after_a_restart() -> None:
    open_answer = OpenAnswer(message_id(1), message_id(9), "demo", "ann", None, 7)
    machine = MessageMachine({"demo": 1}, {}, 2, [open_answer])
    assert isinstance(machine.decide([send(9, "stolen")], 8).effects[0], Conflicted)
    assert isinstance(machine.decide([reply()], 8).effects[0], Accepted)


def test_a_database_is_no_member_of_its_room(machine: MessageMachine) -> None:
    decision = machine.decide([question(), reply()], 7)
    assert not any(isinstance(record, MemberKept) for record in decision.records)


def test_an_answer_counts_against_what_is_kept_of_recent_messages() -> None:
    machine = MessageMachine({}, {}, recent_chars_max=1_000)
    large = b'{"rows":[["' + b"x" * 2_000 + b'"]]}'
    machine.apply(machine.decide([question(), reply(large)], 7))
    machine.apply(machine.decide([send(2, "next")], 8))
    assert not machine.knows(message_id(9))
    assert machine.knows(message_id(2))


def shown(machine: MessageMachine, command: SendMessage) -> dict[str, object]:
    [effect] = machine.decide([command], 7).effects
    assert isinstance(effect, Accepted)
    return orjson.loads(message_json(effect.message, keep))  # type: ignore[no-any-return]


def test_an_answer_is_on_the_wire_as_it_is_stored(machine: MessageMachine) -> None:
    payload = shown(machine, reply())
    assert payload["replyTo"] == message_id(1)
    assert payload["answer"] == orjson.loads(ANSWER)
    assert "error" not in payload


def test_an_answer_that_failed_says_so_beside_it(machine: MessageMachine) -> None:
    assert shown(machine, reply(FAILED))["error"] == "No such table."


def test_an_answer_that_another_node_has_ended_gets_no_second_end(machine: MessageMachine) -> None:
    mine, other = reply(), send(2)
    machine.remember_ends([message_id(1)])
    decision = machine.decide([mine, other], 8)
    assert decision.effects[0] == EndedAlready(mine)
    [stored] = decision.records
    assert isinstance(stored, MessageStored)
    assert stored.message.seq == 1
    machine.apply(decision)
    assert isinstance(machine.decide([mine], 9).effects[0], Accepted)  # the log has the last word


def test_of_two_ends_in_one_batch_the_first_is_kept(machine: MessageMachine) -> None:
    first, second = reply(), reply(FAILED, 10)
    decision = machine.decide([first, second], 8)
    assert isinstance(decision.effects[0], Accepted)
    assert decision.effects[1] == EndedAlready(second)
