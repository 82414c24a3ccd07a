"""The Messages machine: scripts, and a random walk beside a log that remembers everything."""

from collections import defaultdict
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chatd.chat.messages import (
    Accepted,
    Acknowledge,
    AcknowledgementKept,
    Command,
    Conflicted,
    Decision,
    Effect,
    Joined,
    JoinRooms,
    Messages,
    Repeated,
    SendMessage,
)
from chatd.chat.records import Acknowledged, MemberJoined, Message, MessageStored
from tests.chat.commands import acknowledge, join, message_id, send, stored

NOW_MS = 5_000


def carry_out(machine: Messages, *batch: Command) -> Decision:
    """Decide a batch and apply it, as after a commit."""
    decision = machine.decide(batch, NOW_MS)
    machine.apply(decision)
    return decision


def kinds(decision: Decision) -> list[type[Effect]]:
    return [type(effect) for effect in decision.effects]


@pytest.fixture
def machine() -> Messages:
    return Messages({}, {})


def test_a_message_takes_the_next_place_of_its_room_at_the_time_of_the_batch() -> None:
    machine = Messages({"demo": 41}, {})
    command = send(1, context=b"{}", thread_id=message_id(9), name="Ann")
    message = stored(command, seq=42, timestamp_ms=NOW_MS)
    decision = machine.decide([command], NOW_MS)
    assert decision == Decision([MessageStored(message)], [Accepted(command, message)])


def test_a_batch_numbers_each_room_by_itself(machine: Messages) -> None:
    batch = [send(n, connection_id=room) for n, room in enumerate(["a", "b", "a", "a", "b"])]
    records = machine.decide(batch, NOW_MS).records
    places = [(r.message.connection_id, r.message.seq) for r in records if type(r) is MessageStored]
    assert places == [("a", 1), ("b", 1), ("a", 2), ("a", 3), ("b", 2)]


def test_a_retry_gets_the_original_and_stores_nothing(machine: Messages) -> None:
    [accepted] = carry_out(machine, send()).effects
    retry = send()
    assert type(accepted) is Accepted
    assert machine.decide([retry], NOW_MS + 1) == Decision([], [Repeated(retry, accepted.message)])


@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize(
    "change",
    [
        {"user_id": "bob"},
        {"content": "hello "},
        {"connection_id": "other"},
        {"context": b"{}"},
        {"thread_id": message_id(9)},
    ],
    ids=str,
)
def test_any_other_use_of_a_message_id_is_a_conflict(
    machine: Messages, change: dict[str, Any], batches: int
) -> None:
    first, second = send(), send(**change)
    if batches == 2:
        carry_out(machine, first)
        assert machine.decide([second], NOW_MS) == Decision([], [Conflicted(second)])
    else:
        assert kinds(machine.decide([first, second], NOW_MS)) == [Accepted, Conflicted]


def test_a_new_display_name_does_not_make_a_retry_another_message(machine: Messages) -> None:
    carry_out(machine, send(name="Ann"))
    assert kinds(carry_out(machine, send(name="Ann Lee"))) == [Repeated]


def test_repeats_inside_one_batch_take_one_place(machine: Messages) -> None:
    decision = carry_out(machine, send(1), send(1), send(2), send(1, "else"))
    assert kinds(decision) == [Accepted, Repeated, Accepted, Conflicted]
    assert len(decision.records) == 2
    assert machine.last_seq("demo") == 2


def test_a_dropped_decision_leaves_no_trace(machine: Messages) -> None:
    batch: list[Command] = [send(1), join("demo"), acknowledge(1)]
    dropped = machine.decide(batch, NOW_MS)
    assert machine.last_seq("demo") == 0
    assert not machine.is_member("demo", "ann")
    assert machine.decide(batch, NOW_MS) == dropped


def test_what_the_log_remembers_decides_again(machine: Messages) -> None:
    batch = [send(1), send(2), send(3)]
    machine.decide(batch, NOW_MS)
    machine.remember([stored(batch[0], seq=1), stored(send(2, "else"), seq=2)])
    again = machine.decide(batch, NOW_MS)
    assert kinds(again) == [Repeated, Conflicted, Accepted]
    assert again.records == [MessageStored(stored(batch[2], seq=1, timestamp_ms=NOW_MS))]


def test_a_user_becomes_a_member_once(machine: Messages) -> None:
    decision = carry_out(machine, join("a", "b", "a"), join("b", "c"))
    assert decision.records == [MemberJoined(room, "ann", NOW_MS) for room in "abc"]
    assert machine.is_member("c", "ann")
    assert not machine.is_member("c", "bob")
    assert carry_out(machine, join("a", "b", "c")).records == []
    assert len(carry_out(machine, join("a", user_id="bob")).records) == 1


def test_members_recovered_from_the_log_do_not_join_again() -> None:
    machine = Messages({}, {"demo": ["ann"]})
    assert machine.decide([join("demo")], NOW_MS).records == []


def test_a_join_tells_the_seqs_as_they_are_at_its_place_in_the_batch() -> None:
    machine = Messages({"demo": 3, "b": 9}, {})
    effects = machine.decide([join("demo", "b", "new"), send(), join("demo")], NOW_MS).effects
    assert [e.last_seqs for e in effects if type(e) is Joined] == [(3, 9, 0), (4,)]


@pytest.mark.parametrize("up_to", [False, True])
def test_an_acknowledgement_is_written_as_it_came(machine: Messages, up_to: bool) -> None:
    command = acknowledge(3, up_to=up_to)
    assert machine.decide([command], NOW_MS) == Decision(
        [Acknowledged("demo", "ann", 3, up_to, NOW_MS)], [AcknowledgementKept(command)]
    )


@pytest.mark.parametrize("bounds", [{"recent_max": 2}, {"recent_chars_max": 10}], ids=str)
def test_beyond_the_bound_the_oldest_messages_are_forgotten(bounds: dict[str, int]) -> None:
    machine = Messages({}, {}, **bounds)
    carry_out(machine, send(1), send(2), send(3))
    assert kinds(machine.decide([send(2), send(3)], NOW_MS)) == [Repeated, Repeated]
    assert kinds(machine.decide([send(1)], NOW_MS)) == [Accepted]


def test_one_message_larger_than_the_bound_is_still_remembered() -> None:
    machine = Messages({}, {}, recent_chars_max=3)
    carry_out(machine, send(1))
    assert kinds(machine.decide([send(1)], NOW_MS)) == [Repeated]


def test_remembering_a_message_twice_takes_its_room_once() -> None:
    machine = Messages({}, {}, recent_chars_max=10)
    for _ in range(5):
        machine.remember([stored(send(1), seq=1)])
    carry_out(machine, send(2))
    assert kinds(machine.decide([send(1), send(2)], NOW_MS)) == [Repeated, Repeated]


@pytest.mark.parametrize("bounds", [{"recent_max": 1}, {"recent_chars_max": 5}], ids=str)
def test_all_that_the_log_knows_of_a_batch_is_remembered_until_it_is_decided(
    bounds: dict[str, int],
) -> None:
    machine = Messages({"demo": 3}, {}, **bounds)
    batch = [send(1), send(2), send(3)]
    machine.remember(stored(command, seq) for seq, command in enumerate(batch, start=1))
    again = machine.decide(batch, NOW_MS)
    assert kinds(again) == [Repeated] * 3
    machine.apply(again)
    assert kinds(machine.decide(batch, NOW_MS)) == [Accepted, Accepted, Repeated]


numbers, users, rooms = st.integers(1, 6), st.sampled_from(["ann", "bob"]), st.sampled_from("abc")
commands = st.one_of(
    st.builds(
        send,
        numbers,
        st.sampled_from(["hello", "hi"]),
        user_id=users,
        connection_id=rooms,
        context=st.sampled_from([None, b"{}"]),
        thread_id=st.sampled_from([None, message_id(9)]),
    ),
    st.builds(JoinRooms, st.none(), users, st.lists(rooms, max_size=3).map(tuple)),
    st.builds(Acknowledge, st.none(), users, rooms, st.integers(1, 9), st.booleans()),
)


class WholeLog(RuleBasedStateMachine):
    """A machine that forgets quickly, beside a model that keeps all that was ever committed."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Messages({}, {}, recent_max=2, recent_chars_max=12)
        self.by_id: dict[str, Message] = {}
        self.by_room: dict[str, list[Message]] = defaultdict(list)
        self.members: set[tuple[str, str]] = set()
        self.now_ms = 0
        self.tried: list[Command] = []

    @rule(batch=st.lists(commands, max_size=8))
    def commit(self, batch: list[Command]) -> None:
        self.now_ms += 1
        self.tried = batch
        decision = self.decided_in_knowledge_of_the_log(batch)
        assert decision.effects == [self.expected(command) for command in batch]
        self.machine.apply(decision)

    @rule(batch=st.lists(commands, max_size=8))
    def fail_to_commit(self, batch: list[Command]) -> None:
        first = self.machine.decide(batch, self.now_ms)
        assert self.machine.decide(batch, self.now_ms) == first

    @precondition(lambda self: self.tried)
    @rule()
    def send_all_again(self) -> None:
        retries = [attrs.evolve(command) for command in self.tried if type(command) is SendMessage]
        places = {room: len(messages) for room, messages in self.by_room.items()}
        self.commit(retries)
        assert places == {room: len(messages) for room, messages in self.by_room.items()}

    def decided_in_knowledge_of_the_log(self, batch: list[Command]) -> Decision:
        """A decision that the log takes; the machine learns of known ids once, never twice."""
        for _ in range(2):
            decision = self.machine.decide(batch, self.now_ms)
            ids = [r.message.message_id for r in decision.records if type(r) is MessageStored]
            known = [self.by_id[one] for one in ids if one in self.by_id]
            if not known:
                return decision
            self.machine.remember(known)
        raise AssertionError("the machine forgot what it was just told")

    def expected(self, command: Command) -> Effect:
        """What a command comes to after all before it; the model moves on."""
        match command:
            case SendMessage():
                room = self.by_room[command.connection_id]
                message = stored(command, len(room) + 1, self.now_ms)
                known = self.by_id.setdefault(command.message_id, message)
                if known is message:
                    room.append(message)
                    return Accepted(command, message)
                same = attrs.evolve(message, seq=known.seq, timestamp_ms=known.timestamp_ms)
                return Repeated(command, known) if same == known else Conflicted(command)
            case JoinRooms():
                self.members.update((room, command.user_id) for room in command.connection_ids)
                seqs = tuple(len(self.by_room[room]) for room in command.connection_ids)
                return Joined(command, seqs)
            case Acknowledge():
                return AcknowledgementKept(command)

    @invariant()
    def the_machine_stands_where_the_log_stands(self) -> None:
        for room in "abc":
            assert self.machine.last_seq(room) == len(self.by_room[room])
            for user in ("ann", "bob"):
                assert self.machine.is_member(room, user) is ((room, user) in self.members)


TestWholeLog = WholeLog.TestCase
TestWholeLog.settings = settings(max_examples=60, stateful_step_count=20)
