"""Ids of messages of which the sender must not know, as the machine gives messages their place."""

import pytest

from chatd.chat.ids import scoped_id, written_id
from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import Accepted, AnswerRequest, Conflicted, Repeated, SendMessage
from tests.chat.commands import message_id, send, stored

NOW_MS = 5


@pytest.fixture
def machine() -> MessageMachine:
    """There is a message 1 in `secret`, and an answer 2 is promised there."""
    machine = MessageMachine({}, {})
    first = send(1, connection_id="secret", asks=AnswerRequest(message_id(2)))
    machine.apply(machine.decide([first], NOW_MS))
    return machine


def eve(number: int = 1, content: str = "mine", **changes: object) -> SendMessage:
    fields: dict[str, object] = {"user_id": "eve", "rooms": ("demo", "stock")}
    return send(number, content, **(fields | changes))


def carry_out(machine: MessageMachine, *batch: SendMessage) -> list[type]:
    decision = machine.decide(batch, NOW_MS)
    machine.apply(decision)
    return [type(effect) for effect in decision.effects]


def test_an_id_has_its_written_form_in_it() -> None:
    scoped = scoped_id(message_id(1), "demo")
    assert written_id(scoped) == written_id(message_id(1)) == message_id(1)
    assert len({message_id(1), scoped, scoped_id(message_id(1), "stock")}) == 3


@pytest.mark.parametrize("number", [1, 2])
def test_what_has_the_id_in_a_room_of_others_is_no_conflict(
    machine: MessageMachine, number: int
) -> None:
    [effect] = machine.decide([eve(number)], NOW_MS).effects
    assert isinstance(effect, Accepted)
    assert effect.message.message_id == scoped_id(message_id(number), "demo")
    assert effect.message.seq == 1


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("is_apart", [True, False])
def test_the_id_is_as_good_as_a_fresh_one(
    machine: MessageMachine, number: int, is_apart: bool
) -> None:
    """3 is a fresh one: the same comes of all that is done with it."""
    batch = [
        eve(number),
        eve(number),
        eve(number, "else"),
        eve(number, connection_id="stock"),
        eve(number, user_id="mallory"),
    ]
    expected = [Accepted, Repeated, Conflicted, Conflicted, Conflicted]
    if is_apart:
        assert [carry_out(machine, one) for one in batch] == [[kind] for kind in expected]
    else:
        assert carry_out(machine, *batch) == expected


def test_whoever_may_read_the_other_message_is_told(machine: MessageMachine) -> None:
    for number in (1, 2):
        assert carry_out(machine, eve(number, rooms=("demo", "secret"))) == [Conflicted]
        assert carry_out(machine, eve(number, rooms=None)) == [Conflicted]


def test_a_question_of_such_an_id_is_answered_under_the_id_that_is_known(
    machine: MessageMachine,
) -> None:
    [effect] = machine.decide([eve(asks=AnswerRequest(message_id(8)))], NOW_MS).effects
    assert isinstance(effect, Accepted)
    assert effect.command.asks is not None
    opened = effect.command.asks.opened_by(effect.message)
    assert opened.question_id == effect.message.message_id


def test_whether_a_message_is_known_depends_on_who_asks(machine: MessageMachine) -> None:
    assert machine.knows(message_id(1))
    assert machine.knows(message_id(1), ("secret",))
    assert not machine.knows(message_id(1), ("demo",))
    assert not machine.knows(message_id(3), ("demo",))
    carry_out(machine, eve())
    assert machine.knows(message_id(1), ("demo",))


def test_what_the_log_remembers_of_all_rooms_is_told_apart_too() -> None:
    machine = MessageMachine({}, {})
    theirs = stored(send(1, connection_id="secret"), 1)
    machine.remember([theirs])
    command = eve()
    [effect] = machine.decide([command], NOW_MS).effects
    assert isinstance(effect, Accepted)
    machine.remember([theirs, effect.message])
    assert machine.decide([command], NOW_MS).effects == [Repeated(command, effect.message)]


def test_a_retry_is_known_when_the_message_of_the_others_is_gone() -> None:
    """Retention has removed it, and the id alone is free again."""
    first = MessageMachine({}, {})
    first.remember([stored(send(1, connection_id="secret"), 1)])
    [effect] = first.decide([eve()], NOW_MS).effects
    assert isinstance(effect, Accepted)
    machine = MessageMachine({"demo": 1}, {})
    machine.remember([effect.message])
    assert machine.knows(message_id(1), ("demo",))
    assert machine.decide([eve()], NOW_MS).effects == [Repeated(eve(), effect.message)]
    assert machine.decide([eve(content="else")], NOW_MS).effects == [
        Conflicted(eve(content="else"))
    ]


def test_a_retry_is_known_when_its_sender_may_read_the_other_message_by_now(
    machine: MessageMachine,
) -> None:
    carry_out(machine, eve())
    rooms = ("demo", "stock", "secret")
    assert carry_out(machine, eve(rooms=rooms)) == [Repeated]
    assert carry_out(machine, eve(content="else", rooms=rooms)) == [Conflicted]
