"""The machine of messages by scripts; its random walk is in `test_whole_log`."""

from typing import Any

import attrs
import pytest

from chatd.chat import members
from chatd.chat.decision import Decision
from chatd.chat.mentions import mentioned
from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import (
    Accepted,
    AcknowledgementKept,
    Barrier,
    ClearOverflow,
    Command,
    Conflicted,
    DeleteMessage,
    EditMessage,
    Effect,
    ForgetMessages,
    Joined,
    Marked,
    MarkRead,
    RemoveMember,
    Repeated,
    Settled,
    TrimQueues,
)
from chatd.chat.queue import PRESENT, Gap, Queue, QueueCut
from chatd.chat.reading import Reading
from chatd.chat.records import (
    Delivered,
    MemberKept,
    MemberRemoved,
    Message,
    MessageStored,
    ReadMarked,
)
from tests.chat.commands import acknowledge, join, leave, message_id, place, send, stored

NOW_MS = 5_000


def carry_out(machine: MessageMachine, *batch: Command) -> Decision:
    """Decide a batch and apply it, as after a commit."""
    decision = machine.decide(batch, NOW_MS)
    machine.apply(decision)
    return decision


def kinds(decision: Decision) -> list[type[Effect]]:
    return [type(effect) for effect in decision.effects]


@pytest.fixture
def machine() -> MessageMachine:
    return MessageMachine({}, {})


def test_a_message_takes_the_next_place_of_its_room_at_the_time_of_the_batch() -> None:
    machine = MessageMachine({"demo": 41}, {})
    command = send(1, context=b"{}", thread_id=message_id(9), name="Ann")
    message = stored(command, seq=42, timestamp_ms=NOW_MS)
    decision = machine.decide([command], NOW_MS)
    assert decision == Decision([MessageStored(message)], [Accepted(command, message)])


def test_a_batch_numbers_each_room_by_itself(machine: MessageMachine) -> None:
    batch = [send(n, connection_id=room) for n, room in enumerate(["a", "b", "a", "a", "b"])]
    records = machine.decide(batch, NOW_MS).records
    places = [(r.message.connection_id, r.message.seq) for r in records if type(r) is MessageStored]
    assert places == [("a", 1), ("b", 1), ("a", 2), ("a", 3), ("b", 2)]


def test_a_retry_gets_the_original_and_stores_nothing(machine: MessageMachine) -> None:
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
    machine: MessageMachine, change: dict[str, Any], batches: int
) -> None:
    first, second = send(), send(**change)
    if batches == 2:
        carry_out(machine, first)
        assert machine.decide([second], NOW_MS) == Decision([], [Conflicted(second)])
    else:
        assert kinds(machine.decide([first, second], NOW_MS)) == [Accepted, Conflicted]


def test_a_new_display_name_does_not_make_a_retry_another_message(machine: MessageMachine) -> None:
    carry_out(machine, send(name="Ann"))
    assert kinds(carry_out(machine, send(name="Ann Lee"))) == [Repeated]


def test_repeats_inside_one_batch_take_one_place(machine: MessageMachine) -> None:
    decision = carry_out(machine, send(1), send(1), send(2), send(1, "else"))
    assert kinds(decision) == [Accepted, Repeated, Accepted, Conflicted]
    assert len(decision.records) == 2
    assert machine.last_seq("demo") == 2


def test_a_dropped_decision_leaves_no_trace(machine: MessageMachine) -> None:
    [accepted, *_] = carry_out(machine, send(1), join("demo", user_id="bob")).effects
    assert type(accepted) is Accepted
    batch: list[Command] = [send(2), join("demo"), acknowledge(accepted.message, up_to=True)]
    dropped = machine.decide(batch, NOW_MS)
    assert machine.last_seq("demo") == 1
    assert not machine.members.has("demo", "ann")
    assert machine.decide(batch, NOW_MS) == dropped


def test_what_the_log_remembers_decides_again(machine: MessageMachine) -> None:
    batch = [send(1), send(2), send(3)]
    machine.decide(batch, NOW_MS)
    machine.remember([stored(batch[0], seq=1), stored(send(2, "else"), seq=2)])
    again = machine.decide(batch, NOW_MS)
    assert kinds(again) == [Repeated, Conflicted, Accepted]
    assert again.records == [MessageStored(stored(batch[2], seq=1, timestamp_ms=NOW_MS))]


def test_a_user_becomes_a_member_once(machine: MessageMachine) -> None:
    decision = carry_out(machine, join("a", "b", "a"), join("b", "c"))
    assert decision.records == [MemberKept(room, "ann", PRESENT, NOW_MS) for room in "abc"]
    assert machine.members.has("c", "ann")
    assert not machine.members.has("c", "bob")
    assert set(machine.members.rooms_of("ann")) == {"a", "b", "c"}
    assert carry_out(machine, join("a", "b", "c")).records == []
    assert len(carry_out(machine, join("a", user_id="bob")).records) == 1


def test_members_recovered_from_the_log_do_not_join_again() -> None:
    machine = MessageMachine({}, {"demo": {"ann": PRESENT}})
    assert machine.decide([join("demo")], NOW_MS).records == []


def test_a_join_tells_the_seqs_as_they_are_at_its_place_in_the_batch() -> None:
    machine = MessageMachine({"demo": 3, "b": 9}, {})
    effects = machine.decide([join("demo", "b", "new"), send(), join("demo")], NOW_MS).effects
    assert [e.last_seqs for e in effects if type(e) is Joined] == [(3, 9, 0), (4,)]


def test_what_comes_while_nobody_of_a_member_is_there_is_owed_to_it(
    machine: MessageMachine,
) -> None:
    carry_out(machine, join("demo", user_id="bob"), send(1), leave(("demo", 1), user_id="bob"))
    carry_out(machine, send(2), send(3))
    assert machine.owed_count("demo", "bob") == 2
    [joined] = carry_out(machine, join("demo", user_id="bob")).effects
    assert type(joined) is Joined
    assert joined.owed == ((Gap(2, 3, NOW_MS),),)
    assert machine.owed_to("bob") == {"demo": (Gap(2, 3, NOW_MS),)}
    carry_out(machine, send(4))
    assert machine.owed_count("demo", "bob") == 2


def test_what_was_stored_before_a_leave_and_not_seen_is_owed(machine: MessageMachine) -> None:
    carry_out(machine, join("demo", user_id="bob"), send(1), send(2))
    carry_out(machine, leave(("demo", 1), user_id="bob"))
    assert machine.owed_to("bob") == {"demo": (Gap(2, 2, NOW_MS),)}


def test_nobody_is_owed_the_message_that_is_its_own(machine: MessageMachine) -> None:
    carry_out(machine, join("demo"), leave(("demo", 0)), send(1), send(2, user_id="bob"))
    assert machine.owed_to("ann") == {"demo": (Gap(2, 2, NOW_MS),)}


def accept(machine: MessageMachine, *numbers: int) -> list[Message]:
    effects = carry_out(machine, *(send(number) for number in numbers)).effects
    return [effect.message for effect in effects if type(effect) is Accepted]


def test_an_acknowledgement_takes_messages_out_of_the_queue(machine: MessageMachine) -> None:
    carry_out(machine, join("demo", user_id="bob"), leave(("demo", 0), user_id="bob"))
    sent = accept(machine, 1, 2, 3, 4)
    carry_out(machine, acknowledge(sent[2]))
    assert machine.owed_count("demo", "bob") == 3
    carry_out(machine, acknowledge(sent[1], up_to=True))
    assert machine.owed_to("bob") == {"demo": (Gap(4, 4, NOW_MS),)}


def test_the_first_acknowledgement_by_another_than_the_author_is_told_once(
    machine: MessageMachine,
) -> None:
    sent = accept(machine, 1, 2, 3)
    first, second, third = map(place, sent)
    assert machine.undelivered("demo", "ann", 1, 3, 9) == ()
    assert machine.undelivered("demo", "bob", 1, 3, 9) == (first, second, third)
    one = acknowledge(sent[1], sent[1])
    decision = carry_out(machine, one, acknowledge(sent[1], sent[1], user_id="cyd"))
    assert decision.records == [Delivered("demo", 2, "bob", NOW_MS)]
    assert decision.effects[0] == AcknowledgementKept(one, (second,))
    assert machine.undelivered("demo", "cyd", 1, 3, 9) == (first, third)
    assert machine.undelivered("demo", "cyd", 1, 3, 1) == (third,)
    assert machine.undelivered("demo", "cyd", 2, 2, 9) == ()
    rest = acknowledge(sent[2], *sent, up_to=True, user_id="cyd")
    assert carry_out(machine, rest).effects == [AcknowledgementKept(rest, (first, third))]
    assert carry_out(machine, rest).records == []
    assert machine.undelivered("demo", "cyd", 1, 3, 9) == ()


def test_receipts_of_older_messages_are_told_once_too() -> None:
    machine = MessageMachine({"demo": 2}, {})
    old = [stored(send(number), number) for number in (1, 2)]
    assert machine.recent_from("demo") == 3
    assert machine.undelivered("demo", "bob", 1, 2, 9) == (), "the log is to be asked"
    ack = acknowledge(old[1], *old, up_to=True)
    assert carry_out(machine, ack).effects == [AcknowledgementKept(ack, tuple(map(place, old)))]
    assert carry_out(machine, ack).effects == [AcknowledgementKept(ack, ())]


def test_how_far_a_room_is_acknowledged_is_known_once_it_is_in_the_log(
    machine: MessageMachine,
) -> None:
    sent = accept(machine, 1, 2, 3)
    batch = [
        acknowledge(sent[2], *sent, up_to=True, settles_to=3),
        acknowledge(sent[1], up_to=True, user_id="cyd", settles_to=2),
    ]
    machine.decide(batch, NOW_MS)
    assert machine.settled_to("demo", "bob") == 0
    carry_out(machine, *batch)
    settled = [machine.settled_to("demo", user) for user in ("bob", "cyd", "dan")]
    assert settled == [3, 2, 2]
    assert machine.settled_to("other", "bob") == 0
    machine.restore({"demo": 3}, {}, 9)
    assert machine.settled_to("demo", "bob") == 0


def test_receipts_are_known_from_the_first_recent_message_on() -> None:
    machine = MessageMachine({"demo": 7}, {}, recent_max=2)
    accept(machine, 1, 2, 3)
    assert machine.recent_from("demo") == 9


def test_a_queue_is_cut_where_it_is_told_to_be(machine: MessageMachine) -> None:
    carry_out(machine, join("demo", user_id="bob"), leave(("demo", 0), user_id="bob"))
    accept(machine, 1, 2, 3)
    carry_out(machine, TrimQueues(None, "bob", {"demo": QueueCut(3, 9), "other": QueueCut(1, 1)}))
    [joined] = carry_out(machine, join("demo", user_id="bob")).effects
    assert type(joined) is Joined
    assert joined.fallen == ((1, 2),)
    assert [(gap.first, gap.last) for gap in joined.owed[0]] == [(3, 3)]
    told = ClearOverflow("bob", "demo", (1, 2))
    for command, fallen in ((join("demo", user_id="bob"), (1, 2)), (told, None)):
        carry_out(machine, command)
        [again] = carry_out(machine, join("demo", user_id="bob")).effects
        assert type(again) is Joined
        assert again.fallen == (fallen,)


def test_what_retention_removed_is_owed_to_nobody(machine: MessageMachine) -> None:
    joins = [join("demo", user_id=user) for user in ("bob", "cyd")]
    carry_out(machine, *joins, leave(("demo", 0), user_id="bob"))
    accept(machine, 1, 2, 3)
    carry_out(machine, ForgetMessages("demo", 3), ForgetMessages("never heard of", 3))
    assert machine.owed_count("demo", "bob") == 1
    assert machine.owed_count("demo", "cyd") == 0


def test_who_is_removed_is_no_member_until_it_joins_again(machine: MessageMachine) -> None:
    carry_out(machine, join("a", "b"), leave(("a", 0), ("b", 0)))
    removed = carry_out(machine, RemoveMember("ann", ("a", "c")))
    assert removed.records == [MemberRemoved("a", "ann")]
    assert set(machine.members.rooms_of("ann")) == {"b"}
    carry_out(machine, RemoveMember("ann", ("b",)), send(1, connection_id="b", user_id="bob"))
    assert set(machine.members.rooms_of("ann")) == set()
    [joined] = carry_out(machine, join("b")).effects
    assert type(joined) is Joined
    assert joined.owed == ((),)


def test_a_barrier_and_a_leave_settle_and_keep_nothing(machine: MessageMachine) -> None:
    batch: list[Command] = [Barrier(None), leave(("demo", 3))]
    assert machine.decide(batch, NOW_MS) == Decision([], [Settled(one) for one in batch])


def test_after_a_start_members_whom_the_log_has_in_a_room_are_away() -> None:
    members = {"demo": {"ann": PRESENT, "bob": PRESENT, "cyd": Queue(1, 5)}}
    machine = MessageMachine({"demo": 4}, members)
    decision = machine.reconcile({("demo", "bob")}, NOW_MS)
    assert decision.records == [MemberKept("demo", "ann", Queue(4, NOW_MS), NOW_MS, read_seq=4)]
    machine.apply(decision)
    accept(machine, 1)
    assert [machine.owed_count("demo", user) for user in ("ann", "bob", "cyd")] == [0, 0, 4]
    assert machine.reconcile({("demo", "bob")}, NOW_MS).records == []


def test_too_much_or_too_old_needs_a_look(machine: MessageMachine) -> None:
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
    machine = MessageMachine({}, {}, **bounds)
    carry_out(machine, send(1), send(2), send(3))
    assert kinds(machine.decide([send(2), send(3)], NOW_MS)) == [Repeated, Repeated]
    assert kinds(machine.decide([send(1)], NOW_MS)) == [Accepted]


def test_one_message_larger_than_the_bound_is_still_remembered() -> None:
    machine = MessageMachine({}, {}, recent_chars_max=3)
    carry_out(machine, send(1))
    assert kinds(machine.decide([send(1)], NOW_MS)) == [Repeated]


def test_remembering_a_message_twice_takes_its_room_once() -> None:
    machine = MessageMachine({}, {}, recent_chars_max=10)
    for _ in range(5):
        machine.remember([stored(send(1), seq=1)])
    carry_out(machine, send(2))
    assert kinds(machine.decide([send(1), send(2)], NOW_MS)) == [Repeated, Repeated]


@pytest.mark.parametrize("bounds", [{"recent_max": 1}, {"recent_chars_max": 5}], ids=str)
def test_all_that_the_log_knows_of_a_batch_is_remembered_until_it_is_decided(
    bounds: dict[str, int],
) -> None:
    machine = MessageMachine({"demo": 3}, {}, **bounds)
    batch = [send(1), send(2), send(3)]
    machine.remember(stored(command, seq) for seq, command in enumerate(batch, start=1))
    again = machine.decide(batch, NOW_MS)
    assert kinds(again) == [Repeated] * 3
    machine.apply(again)
    assert kinds(machine.decide(batch, NOW_MS)) == [Accepted, Accepted, Repeated]


def mark(seq: int, *, user_id: str = "bob", room: str = "demo") -> MarkRead:
    return MarkRead(None, user_id, room, seq)


def test_who_becomes_a_member_has_read_what_is_there(machine: MessageMachine) -> None:
    carry_out(machine, send(1), send(2), join("demo", user_id="bob"), send(3))
    assert machine.reading("demo", "bob") == Reading(2, 1, 0)


def test_a_marker_moves_to_the_newest_message_at_most_and_never_back(
    machine: MessageMachine,
) -> None:
    carry_out(machine, join("demo", user_id="bob"), send(1), send(2), send(3))
    assert carry_out(machine, mark(2)).records == [ReadMarked("demo", "bob", 2)]
    assert machine.reading("demo", "bob") == Reading(2, 1, 0)
    for seq in (0, 1, 2):
        assert carry_out(machine, mark(seq)) == Decision([], [Marked(mark(seq), has_moved=False)])
    assert carry_out(machine, mark(99)).records == [ReadMarked("demo", "bob", 3)]
    assert carry_out(machine, mark(99)).records == []
    assert machine.reading("demo", "bob") == Reading(3, 0, 0)


def test_markers_of_one_batch_move_one_after_the_other(machine: MessageMachine) -> None:
    carry_out(machine, join("demo", user_id="bob"))
    decision = carry_out(machine, send(1), mark(1), send(2), mark(1), mark(2), mark(9))
    moved = [one.has_moved for one in decision.effects if type(one) is Marked]
    assert moved == [True, False, True, False]
    assert machine.reading("demo", "bob") == Reading(2, 0, 0)


def test_a_marker_of_no_member_is_none(machine: MessageMachine) -> None:
    carry_out(machine, send(1))
    assert carry_out(machine, mark(1)).records == []
    assert machine.reading("demo", "bob") == Reading(1, 0, 0)


def test_a_marker_goes_with_the_membership(machine: MessageMachine) -> None:
    carry_out(machine, join("demo", user_id="bob"), send(1), send(2))
    carry_out(machine, RemoveMember("bob", ("demo",)))
    assert machine.reading("demo", "bob") == Reading(2, 0, 0)
    carry_out(machine, send(3), join("demo", user_id="bob"), send(4))
    assert machine.reading("demo", "bob") == Reading(3, 1, 0)


def test_a_marker_stays_while_its_user_comes_and_goes(machine: MessageMachine) -> None:
    carry_out(machine, join("demo", user_id="bob"), send(1), send(2), mark(1))
    [gone] = carry_out(machine, leave(("demo", 2), user_id="bob")).records
    assert gone == MemberKept("demo", "bob", Queue(2, NOW_MS), NOW_MS, read_seq=1)
    [back] = carry_out(machine, join("demo", user_id="bob")).records
    assert back == MemberKept("demo", "bob", PRESENT, NOW_MS, read_seq=1)


def test_an_acknowledgement_moves_no_marker_and_ones_own_message_neither(
    machine: MessageMachine,
) -> None:
    carry_out(machine, join("demo", user_id="bob"))
    [accepted] = carry_out(machine, send(1)).effects
    assert type(accepted) is Accepted
    carry_out(machine, acknowledge(accepted.message, accepted.message, up_to=True))
    carry_out(machine, send(2, user_id="bob"))
    assert machine.reading("demo", "bob") == Reading(0, 1, 0)


def test_what_mentions_a_user_is_counted(machine: MessageMachine) -> None:
    carry_out(machine, join("demo", user_id="bob"))
    decision = carry_out(
        machine, send(1, mentions=("bob",)), send(2), send(3, user_id="bob", mentions=("bob",))
    )
    [stored_message, *_] = decision.effects
    assert type(stored_message) is Accepted
    assert stored_message.message.mentions == ("bob",)
    assert machine.reading("demo", "bob") == Reading(0, 2, 1)
    carry_out(machine, mark(1))
    assert machine.reading("demo", "bob") == Reading(1, 1, 0)


def test_what_was_deleted_is_not_unread_and_an_edit_mentions_anew(
    machine: MessageMachine,
) -> None:
    carry_out(machine, join("demo", user_id="bob"))
    first, second = (
        effect.message
        for effect in carry_out(machine, send(1, mentions=("bob",)), send(2)).effects
        if type(effect) is Accepted
    )
    carry_out(machine, EditMessage(None, "ann", second, 0, "@bob", mentions=("bob", "cyd")))
    assert machine.reading("demo", "bob") == Reading(0, 2, 2)
    carry_out(machine, DeleteMessage(None, "ann", first, 1))
    assert machine.reading("demo", "bob") == Reading(0, 1, 1)
    carry_out(machine, EditMessage(None, "ann", second, 1, "hello"))
    assert machine.reading("demo", "bob") == Reading(0, 1, 0)


def test_what_retention_removed_is_not_unread(machine: MessageMachine) -> None:
    carry_out(machine, join("demo", user_id="bob"), send(1), send(2), send(3))
    carry_out(machine, ForgetMessages("demo", 3))
    assert machine.reading("demo", "bob") == Reading(0, 1, 0)
    carry_out(machine, ForgetMessages("demo", 4))
    assert machine.reading("demo", "bob") == Reading(0, 0, 0)


def test_members_are_known_by_their_newest_name(machine: MessageMachine) -> None:
    def mentioned_in_demo(content: str) -> tuple[str, ...]:
        return mentioned(content, machine.members.names_in("demo"))

    named = attrs.evolve(join("demo", user_id="bob"), name="Bob Smith")
    [kept] = carry_out(machine, named).records
    assert kept == MemberKept("demo", "bob", PRESENT, NOW_MS, name="Bob Smith")
    assert mentioned_in_demo("@bob smith") == ("bob",)
    assert carry_out(machine, named, join("demo", user_id="bob")).records == []
    [_, renamed] = carry_out(machine, send(1, user_id="bob", name="Bobby")).records
    assert renamed == MemberKept("demo", "bob", PRESENT, NOW_MS, name="Bobby")
    assert mentioned_in_demo("@bob smith @bobby") == ("bob",)
    assert len([*carry_out(machine, send(2, user_id="bob", name="Bobby")).records]) == 1
    carry_out(machine, join("demo"), RemoveMember("bob", ("demo",)))
    assert mentioned_in_demo("@bob @bobby @ann") == ("ann",)
    carry_out(machine, join("demo", user_id="bob"))
    assert mentioned_in_demo("@bob @bobby") == ("bob",)


def test_names_of_many_rooms_are_not_held_together(
    machine: MessageMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "NAMES_MAX", 2)
    for room in ("a", "b", "c"):
        carry_out(machine, join(room), join(room, user_id="bob"))
        assert mentioned("@bob", machine.members.names_in(room)) == ("bob",)
    assert list(machine.members._directories) == ["c"]
    assert mentioned("@ann", machine.members.names_in("a")) == ("ann",)
