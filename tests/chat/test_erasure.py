"""What an erasure leaves of messages, and what the machine forgets of them."""

from chatd.chat.erasure import erased, erased_name, without_mention
from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import Conflicted, Erased, EraseMessages, ForgetMessages, Repeated
from chatd.chat.records import Changes, Message, MessageErased, Reaction
from chatd.wire.identifiers import is_user_id
from tests.chat.commands import join, message_id, send, stored

NOBODY = erased_name("0a1b2c3d")
FULL = Message(
    message_id(1),
    "demo",
    1,
    "eve",
    "Eve",
    "quincejam",
    b'{"schema":"x"}',
    message_id(7),
    5,
    mentions=("bob",),
    changes=Changes(3, 9, 3, 9, reactions=(Reaction("+", ("bob",)),)),
)


def test_nothing_is_left_of_a_message_but_its_place() -> None:
    left = erased(FULL, NOBODY, 4, 10)
    assert left == Message(
        message_id(1), "demo", 1, NOBODY, None, "", None, message_id(7), 5,
        changes=Changes(4, 10, deleted_ms=10),
    )  # fmt: skip
    assert left.is_deleted
    assert not is_user_id(NOBODY)


def test_an_answer_stays_that_of_its_database() -> None:
    answer = Message(
        message_id(2), "demo", 2, "db:demo", None, "| 1 |", None, None, 5,
        reply_to=message_id(1), answer=b"{}",
    )  # fmt: skip
    left = erased(answer, NOBODY, 1, 10)
    assert (left.user_id, left.content, left.answer) == ("db:demo", "", None)
    assert left.reply_to == message_id(1)


def test_a_mention_is_taken_out_and_others_stay() -> None:
    both = without_mention(Message(message_id(1), "demo", 1, "ada", None, "", None, None, 5), "eve")
    assert both.mentions == ()
    assert without_mention(FULL, "bob").mentions == ()
    assert without_mention(FULL, "eve").mentions == ("bob",)


def machine_with(*commands: object) -> MessageMachine:
    machine = MessageMachine({}, {})
    machine.apply(machine.decide([join("demo"), *commands], 0))  # type: ignore[list-item]
    return machine


def test_each_message_takes_the_next_rev_and_is_a_change_of_its_own() -> None:
    first, second = send(1), send(2)
    machine = machine_with(first, second)
    erase = EraseMessages(None, [stored(first, 1), stored(second, 2)], NOBODY)
    decision = machine.decide([erase], 10)
    [effect] = decision.effects
    assert isinstance(effect, Erased)
    assert [change.rev for change in effect.changes] == [1, 2]
    assert decision.records == list(effect.changes)
    assert all(isinstance(one, MessageErased) and one.by == NOBODY for one in decision.records)
    machine.apply(decision)
    assert machine.last_rev("demo") == 2


def test_the_words_of_erased_messages_are_in_memory_no_more() -> None:
    command = send(1, "quincejam")
    machine = machine_with(command)
    assert isinstance(machine.decide([command], 1).effects[0], Repeated)
    machine.apply(machine.decide([EraseMessages(None, [stored(command, 1)], NOBODY)], 2))
    assert not machine.knows(message_id(1))
    # The log knows the id, as that of another author's message: it is not taken twice.
    machine.remember([erased(stored(command, 1), NOBODY, 1, 2)])
    assert isinstance(machine.decide([command], 3).effects[0], Conflicted)


def test_what_retention_has_removed_is_not_erased_again() -> None:
    command = send(1)
    machine = machine_with(command)
    machine.apply(machine.decide([ForgetMessages("demo", 2)], 1))
    assert machine.decide([EraseMessages(None, [stored(command, 1)], NOBODY)], 2).records == []


def test_a_room_that_was_deleted_is_forgotten_and_its_seqs_go_on() -> None:
    command, other = send(1), send(2, connection_id="other")
    machine = machine_with(command, other)
    machine.forget_room("demo")
    assert not machine.knows(message_id(1))
    assert machine.knows(message_id(2))
    assert machine.last_seq("demo") == 1


def test_a_user_that_was_erased_is_mentioned_in_memory_no_more() -> None:
    command = send(1, mentions=("eve", "bob"))
    machine = machine_with(command)
    machine.forget_user("eve")
    [effect] = machine.decide([command], 1).effects
    assert isinstance(effect, Repeated)
    assert effect.message.mentions == ("bob",)
