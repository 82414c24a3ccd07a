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
    Barrier,
    Command,
    Conflicted,
    Decision,
    Effect,
    ForgetMessages,
    Joined,
    JoinRooms,
    LeaveRooms,
    Messages,
    RemoveMember,
    Repeated,
    SendMessage,
    Settled,
    TrimQueues,
)
from chatd.chat.queue import PRESENT, Gap, Queue
from chatd.chat.records import Delivered, MemberKept, MemberRemoved, Message, MessageStored
from tests.chat.commands import acknowledge, join, leave, message_id, send, stored

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
    [accepted, *_] = carry_out(machine, send(1), join("demo", user_id="bob")).effects
    assert type(accepted) is Accepted
    batch: list[Command] = [send(2), join("demo"), acknowledge(accepted.message, up_to=True)]
    dropped = machine.decide(batch, NOW_MS)
    assert machine.last_seq("demo") == 1
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
    assert decision.records == [MemberKept(room, "ann", PRESENT, NOW_MS) for room in "abc"]
    assert machine.is_member("c", "ann")
    assert not machine.is_member("c", "bob")
    assert set(machine.rooms_of("ann")) == {"a", "b", "c"}
    assert carry_out(machine, join("a", "b", "c")).records == []
    assert len(carry_out(machine, join("a", user_id="bob")).records) == 1


def test_members_recovered_from_the_log_do_not_join_again() -> None:
    machine = Messages({}, {"demo": {"ann": PRESENT}})
    assert machine.decide([join("demo")], NOW_MS).records == []


def test_a_join_tells_the_seqs_as_they_are_at_its_place_in_the_batch() -> None:
    machine = Messages({"demo": 3, "b": 9}, {})
    effects = machine.decide([join("demo", "b", "new"), send(), join("demo")], NOW_MS).effects
    assert [e.last_seqs for e in effects if type(e) is Joined] == [(3, 9, 0), (4,)]


def test_what_comes_while_nobody_of_a_member_is_there_is_owed_to_it(machine: Messages) -> None:
    carry_out(machine, join("demo", user_id="bob"), send(1), leave(("demo", 1), user_id="bob"))
    carry_out(machine, send(2), send(3))
    assert machine.unread("demo", "bob") == 2
    assert machine.first_owed("demo", "bob") == 2
    [joined] = carry_out(machine, join("demo", user_id="bob")).effects
    assert type(joined) is Joined
    assert joined.owed == ((Gap(2, 3, NOW_MS),),)
    assert machine.owed_to("bob") == {"demo": (Gap(2, 3, NOW_MS),)}
    carry_out(machine, send(4))
    assert machine.unread("demo", "bob") == 2


def test_what_was_stored_before_a_leave_and_not_seen_is_owed(machine: Messages) -> None:
    carry_out(machine, join("demo", user_id="bob"), send(1), send(2))
    carry_out(machine, leave(("demo", 1), user_id="bob"))
    assert machine.owed_to("bob") == {"demo": (Gap(2, 2, NOW_MS),)}


def test_nobody_is_owed_the_message_that_is_its_own(machine: Messages) -> None:
    carry_out(machine, join("demo"), leave(("demo", 0)), send(1), send(2, user_id="bob"))
    assert machine.owed_to("ann") == {"demo": (Gap(2, 2, NOW_MS),)}


def accept(machine: Messages, *numbers: int) -> list[Message]:
    effects = carry_out(machine, *(send(number) for number in numbers)).effects
    return [effect.message for effect in effects if type(effect) is Accepted]


def test_an_acknowledgement_takes_messages_out_of_the_queue(machine: Messages) -> None:
    carry_out(machine, join("demo", user_id="bob"), leave(("demo", 0), user_id="bob"))
    sent = accept(machine, 1, 2, 3, 4)
    carry_out(machine, acknowledge(sent[2]))
    assert machine.unread("demo", "bob") == 3
    carry_out(machine, acknowledge(sent[1], up_to=True))
    assert machine.owed_to("bob") == {"demo": (Gap(4, 4, NOW_MS),)}


def test_the_first_acknowledgement_by_another_than_the_author_is_told_once(
    machine: Messages,
) -> None:
    sent = accept(machine, 1, 2, 3)
    [by_author] = carry_out(machine, acknowledge(sent[0], user_id="ann")).effects
    assert by_author == AcknowledgementKept(acknowledge(sent[0], user_id="ann"), ())
    one = acknowledge(sent[1])
    decision = carry_out(machine, one, acknowledge(sent[1], user_id="cyd"))
    assert decision.records == [Delivered("demo", 2, "bob", NOW_MS)]
    assert decision.effects[0] == AcknowledgementKept(one, (sent[1],))
    rest = acknowledge(sent[2], up_to=True, user_id="cyd")
    assert carry_out(machine, rest).effects == [AcknowledgementKept(rest, (sent[0], sent[2]))]
    assert carry_out(machine, rest).records == []


def test_receipts_of_older_messages_are_told_once_too() -> None:
    machine = Messages({"demo": 2}, {})
    old = [stored(send(number), number) for number in (1, 2)]
    assert machine.recent_from("demo") == 3
    ack = acknowledge(old[1], up_to=True, older=old)
    assert carry_out(machine, ack).effects == [AcknowledgementKept(ack, tuple(old))]
    assert carry_out(machine, ack).effects == [AcknowledgementKept(ack, ())]


def test_receipts_are_known_from_the_first_recent_message_on() -> None:
    machine = Messages({"demo": 7}, {}, recent_max=2)
    accept(machine, 1, 2, 3)
    assert machine.recent_from("demo") == 9


def test_a_queue_is_cut_where_it_is_told_to_be(machine: Messages) -> None:
    carry_out(machine, join("demo", user_id="bob"), leave(("demo", 0), user_id="bob"))
    accept(machine, 1, 2, 3)
    carry_out(machine, TrimQueues(None, "bob", {"demo": (3, 9), "other": (1, 1)}))
    [joined] = carry_out(machine, join("demo", user_id="bob")).effects
    assert type(joined) is Joined
    assert joined.fallen == ((1, 2),)
    assert [(gap.first, gap.last) for gap in joined.owed[0]] == [(3, 3)]
    [again] = carry_out(machine, join("demo", user_id="bob")).effects
    assert type(again) is Joined
    assert again.fallen == (None,)


def test_what_retention_removed_is_owed_to_nobody(machine: Messages) -> None:
    joins = [join("demo", user_id=user) for user in ("bob", "cyd")]
    carry_out(machine, *joins, leave(("demo", 0), user_id="bob"))
    accept(machine, 1, 2, 3)
    carry_out(machine, ForgetMessages("demo", 3), ForgetMessages("never heard of", 3))
    assert machine.unread("demo", "bob") == 1
    assert machine.unread("demo", "cyd") == 0


def test_who_is_removed_is_no_member_until_it_joins_again(machine: Messages) -> None:
    carry_out(machine, join("a", "b"), leave(("a", 0), ("b", 0)))
    removed = carry_out(machine, RemoveMember("ann", ("a", "c")))
    assert removed.records == [MemberRemoved("a", "ann")]
    assert set(machine.rooms_of("ann")) == {"b"}
    carry_out(machine, RemoveMember("ann", ("b",)), send(1, connection_id="b", user_id="bob"))
    assert set(machine.rooms_of("ann")) == set()
    [joined] = carry_out(machine, join("b")).effects
    assert type(joined) is Joined
    assert joined.owed == ((),)


def test_a_barrier_and_a_leave_settle_and_keep_nothing(machine: Messages) -> None:
    batch: list[Command] = [Barrier(None), leave(("demo", 3))]
    assert machine.decide(batch, NOW_MS) == Decision([], [Settled(one) for one in batch])


def test_after_a_start_members_whom_the_log_has_in_a_room_are_away() -> None:
    members = {"demo": {"ann": PRESENT, "bob": PRESENT, "cyd": Queue(1, 5)}}
    machine = Messages({"demo": 4}, members)
    decision = machine.reconcile({("demo", "bob")}, NOW_MS)
    assert decision.records == [MemberKept("demo", "ann", Queue(4, NOW_MS), NOW_MS)]
    machine.apply(decision)
    accept(machine, 1)
    assert [machine.unread("demo", user) for user in ("ann", "bob", "cyd")] == [0, 0, 4]
    assert machine.reconcile({("demo", "bob")}, NOW_MS).records == []


def test_too_much_or_too_old_needs_a_look(machine: Messages) -> None:
    carry_out(machine, join("a", "b"), leave(("a", 0), ("b", 0)))
    for number in range(1_000):
        room = "ab"[number % 2]
        carry_out(machine, send(number, connection_id=room, user_id="bob"))
    assert not machine.needs_trim("ann", NOW_MS)
    assert machine.needs_trim("ann", NOW_MS + 8 * 24 * 3_600_000)
    carry_out(machine, send(1_000, connection_id="a", user_id="bob"))
    assert machine.needs_trim("ann", NOW_MS)
    assert not machine.needs_trim("bob", NOW_MS)


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
SEEN = st.integers(0, 3)  # how many of the newest messages a leaving socket has not seen


class WholeLog(RuleBasedStateMachine):
    """A machine that forgets quickly, beside a model that keeps all that was ever committed."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Messages({}, {}, recent_max=2, recent_chars_max=12)
        self.by_id: dict[str, Message] = {}
        self.by_room: dict[str, list[Message]] = defaultdict(list)
        self.owed: dict[tuple[str, str], set[int]] = {}
        self.away: dict[tuple[str, str], bool] = {}
        self.delivered: set[tuple[str, int]] = set()
        self.now_ms = 0
        self.tried: list[Command] = []

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
        st.tuples(users, rooms, SEEN),
        st.tuples(users, rooms, st.integers(1, 9), st.booleans()),
    )

    @rule(batch=st.lists(commands, max_size=8))
    def commit(self, batch: list[Any]) -> None:
        self.now_ms += 1
        # What names messages is about those that were there before the batch, as with clients.
        commands = [one for given in batch if (one := self.command(given)) is not None]
        self.tried = commands
        decision = self.decided_in_knowledge_of_the_log(commands)
        for command, effect in zip(commands, decision.effects, strict=True):
            self.follow(command, effect)
        self.machine.apply(decision)

    def command(self, given: Any) -> Command | None:
        match given:
            case (str(user), str(room), int(unseen)):
                own = [one.seq for one in self.by_room[room] if one.user_id == user]
                seen = max([len(self.by_room[room]) - unseen, 0, *own[-1:]])
                return LeaveRooms(user, ((room, seen),))
            case (str(user), str(room), int(seq), bool(up_to)):
                messages = self.by_room[room]
                if seq > len(messages):
                    return None
                return acknowledge(
                    messages[seq - 1],
                    up_to=up_to,
                    user_id=user,
                    older=[
                        one
                        for one in messages[:seq]
                        if (up_to or one.seq == seq)
                        and one.seq < self.machine.recent_from(room)
                        and (room, one.seq) not in self.delivered
                    ],
                )
            case command:
                return command  # type: ignore[no-any-return]

    @rule(batch=st.lists(commands, max_size=8))
    def fail_to_commit(self, batch: list[Any]) -> None:
        commands = [one for given in batch if (one := self.command(given)) is not None]
        first = self.machine.decide(commands, self.now_ms)
        assert self.machine.decide(commands, self.now_ms) == first

    @precondition(lambda self: self.tried)
    @rule()
    def send_all_again(self) -> None:
        retries = [attrs.evolve(command) for command in self.tried if type(command) is SendMessage]
        places = {room: len(messages) for room, messages in self.by_room.items()}
        self.commit(retries)
        assert places == {room: len(messages) for room, messages in self.by_room.items()}

    @rule()
    def start_again(self) -> None:
        """The actor crashed, and comes back with what the log has; nobody left meanwhile."""
        last_seqs = {room: len(messages) for room, messages in self.by_room.items()}
        self.machine.restore(last_seqs, self.machine.freeze(), 0)

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

    def follow(self, command: Command, effect: Effect) -> None:
        """The model takes the same step, and expects the same effect."""
        match command:
            case SendMessage():
                assert effect == self.expected(command)
            case JoinRooms():
                seqs = tuple(len(self.by_room[room]) for room in command.connection_ids)
                assert type(effect) is Joined
                assert effect.last_seqs == seqs
                for room, gaps in zip(command.connection_ids, effect.owed, strict=True):
                    member = (room, command.user_id)
                    self.away[member] = False
                    owed = self.owed.setdefault(member, set())
                    told = {seq for gap in gaps for seq in range(gap.first, gap.last + 1)}
                    assert told == owed
            case LeaveRooms():
                [(room, seen)] = command.rooms
                member = (room, command.user_id)
                if self.away.get(member) is False:
                    # What it was owed from before, it has been told of: nothing older is new.
                    floor = max([seen, *self.owed[member]])
                    unseen = self.by_room[room][floor:]
                    self.owed[member] |= {x.seq for x in unseen if x.user_id != command.user_id}
                    self.away[member] = True
            case Acknowledge(_, user, message, up_to):
                room = message.connection_id
                first = 1 if up_to else message.seq
                seqs = range(first, message.seq + 1)
                self.owed.get((room, user), set()).difference_update(seqs)
                by_others = {
                    seq
                    for seq in seqs
                    if self.by_room[room][seq - 1].user_id != user
                    and (room, seq) not in self.delivered
                }
                assert type(effect) is AcknowledgementKept
                assert {one.seq for one in effect.delivered} == by_others
                self.delivered |= {(room, seq) for seq in by_others}

    def expected(self, command: SendMessage) -> Effect:
        room = self.by_room[command.connection_id]
        message = stored(command, len(room) + 1, self.now_ms)
        known = self.by_id.setdefault(command.message_id, message)
        if known is message:
            room.append(message)
            for (where, user), away in self.away.items():
                if where == command.connection_id and away and user != command.user_id:
                    self.owed[where, user].add(message.seq)
            return Accepted(command, message)
        same = attrs.evolve(message, seq=known.seq, timestamp_ms=known.timestamp_ms)
        return Repeated(command, known) if same == known else Conflicted(command)

    @invariant()
    def the_machine_stands_where_the_log_stands(self) -> None:
        for room in "abc":
            assert self.machine.last_seq(room) == len(self.by_room[room])
            for user in ("ann", "bob"):
                owed = self.owed.get((room, user))
                assert self.machine.is_member(room, user) is (owed is not None)
                assert self.machine.unread(room, user) == len(owed or ())
                assert self.machine.first_owed(room, user) == min(owed or (), default=None)


TestWholeLog = WholeLog.TestCase
TestWholeLog.settings = settings(max_examples=60, stateful_step_count=20)
