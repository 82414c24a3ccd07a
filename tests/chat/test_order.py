"""The order in which a node publishes what several nodes commit."""

import math
from collections.abc import Iterable
from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chatd.chat.order import (
    EARLY_BYTES_MAX,
    EARLY_MAX,
    HOLE_DUE_S,
    Numbered,
    Order,
    Place,
)
from tests.rows import rows

ROOM = "sales"


def message(seq: int, size: int = 10, item: str | None = None) -> Numbered[str]:
    return Numbered(seq, item or f"m{seq}", size)


def change(rev: int, of_seq: int, size: int = 10) -> Numbered[str]:
    return Numbered(rev, f"c{rev}", size, of_seq)


def begun(seq: int = 0, rev: int = 0) -> Order[str]:
    order: Order[str] = Order()
    assert order.begin(ROOM, Place(seq, rev), 0.0) == []
    return order


def given(order: Order[str], *items: Numbered[str], at_s: float = 0.0) -> list[str]:
    """What is published when these come one after the other."""
    out: list[str] = []
    for one in items:
        offer = order.message if one.of_seq is None else order.change
        out += offer(ROOM, one, at_s)
    return out


@rows(
    ("came", "published"),
    [
        ([6, 7, 8], ["m6", "m7", "m8"]),
        ([7, 8, 6], ["m6", "m7", "m8"]),
        ([8, 7, 6], ["m6", "m7", "m8"]),
        ([6, 6, 7, 6, 7], ["m6", "m7"]),
        ([8, 8, 6, 6, 8], ["m6"]),
        ([5, 4, 1, -1, 0], []),
        ([8, 7], []),
    ],
)
def test_messages_are_published_in_order_and_each_once(
    came: list[int], published: list[str]
) -> None:
    assert given(begun(5), *map(message, came)) == published


def test_a_room_that_nobody_holds_holds_nothing() -> None:
    order: Order[str] = Order()
    assert given(order, message(1), change(1, 1)) == []
    order.know(ROOM, Place(5, 5), 0.0)
    assert order.place(ROOM) is None
    assert order.begin(ROOM, Place(0, 0), 0.0) == []
    assert order.due(math.inf) == []


def test_what_comes_before_a_room_begins_waits_for_that() -> None:
    order: Order[str] = Order()
    order.expect(ROOM)
    assert given(order, message(7), message(6), message(4), change(3, 7), change(1, 2)) == []
    assert order.place(ROOM) is None
    assert order.begin(ROOM, Place(5, 2), 0.0) == ["m6", "m7", "c3"]
    assert order.place(ROOM) == Place(7, 3)


def test_a_second_begin_passes_over_nothing() -> None:
    order = begun(5)
    assert order.begin(ROOM, Place(8, 1), 1.0) == []
    assert order.place(ROOM) == Place(5, 0)
    assert order.due(1.0) == [ROOM]
    order.end(ROOM)
    order.end(ROOM)
    assert order.due(math.inf) == []
    assert order.begin(ROOM, Place(8, 1), 2.0) == []
    assert order.place(ROOM) == Place(8, 1)


def test_a_change_comes_behind_its_message_and_the_changes_before_it() -> None:
    order = begun(5, 2)
    assert given(order, change(4, 5), change(3, 7), message(7)) == []
    assert given(order, message(6)) == ["m6", "m7", "c3", "c4"]


def test_a_change_of_a_message_that_is_missing_is_a_hole_of_messages() -> None:
    order = begun(5, 2)
    assert given(order, change(3, 6)) == []
    assert order.known(ROOM) == Place(6, 3)
    assert order.due(HOLE_DUE_S) == [ROOM]


def test_a_hole_is_due_after_its_time_and_not_once_it_is_filled() -> None:
    order = begun(5)
    assert order.next_due_s == math.inf
    given(order, message(7), at_s=10.0)
    given(order, message(9), at_s=10.01)  # no news: the same hole
    assert order.due(10.0 + HOLE_DUE_S / 2) == []
    assert order.next_due_s == 10.0 + HOLE_DUE_S
    assert order.due(order.next_due_s) == [ROOM]
    assert given(order, message(6), at_s=11.0) == ["m6", "m7"]
    assert order.due(11.0) == []  # 8 is another hole, with a time of its own
    assert order.due(order.next_due_s) == [ROOM]
    given(order, message(8), at_s=12.0)
    assert order.due(math.inf) == []


def test_what_is_known_without_its_body_is_due_at_once() -> None:
    order = begun(5, 1)
    order.know(ROOM, Place(5, 1), 10.0)
    assert order.due(10.0) == []
    order.know(ROOM, Place(6, 1), 10.0)
    assert order.due(10.0) == [ROOM]
    given(order, message(8), at_s=10.0)
    assert order.due(10.0) == [ROOM]
    given(order, message(6), message(7), at_s=10.0)
    order.know(ROOM, Place(3, 2), 11.0)
    assert order.due(11.0) == [ROOM]


def test_what_was_read_fills_holes_and_the_rest_follows() -> None:
    order = begun(5)
    given(order, message(9), change(2, 9))
    read = [message(6), message(7), message(8)]
    assert order.healed(ROOM, read, [change(1, 6)], Place(8, 1), 1.0) == [
        *("m6", "m7", "m8", "m9", "c1", "c2"),
    ]
    assert order.healed(ROOM, read, [change(1, 6)], Place(8, 1), 1.0) == []


def test_the_log_counts_for_more_than_what_was_heard() -> None:
    order = begun(5)
    given(order, message(7, item="forged"))
    read = [message(6), message(7)]
    assert order.healed(ROOM, read, [], Place(7), 1.0) == ["m6", "m7"]


def test_what_retention_has_removed_is_passed_over() -> None:
    order = begun(5, 2)
    given(order, message(12), change(9, 3))
    assert order.healed(ROOM, [message(9)], [change(5, 9)], Place(9, 7), 1.0) == ["m9", "c5"]
    assert order.place(ROOM) == Place(9, 7)
    assert order.healed(ROOM, [], [], Place(11, 8), 1.0) == ["m12", "c9"]
    assert order.healed(ROOM, [], [], Place(20, 9), 1.0) == []
    assert order.place(ROOM) == Place(20, 9)
    assert order.due(math.inf) == []


def test_what_the_log_does_not_have_is_forgotten() -> None:
    """Whoever may publish on a bus may name any number."""
    order = begun(5, 1)
    given(order, message(6), message(2**53), change(2**53, 2**50), message(8))
    known = order.known(ROOM)
    given(order, message(2**53 + 1))  # heard while it was read
    assert order.healed(ROOM, [], [], Place(6, 1), 1.0) == []
    assert order.looked(ROOM, known, 1.0) == []
    assert order.due(1.0) == []
    assert order.due(1.0 + HOLE_DUE_S) == [ROOM]
    assert order.looked(ROOM, order.known(ROOM), 2.0) == []
    assert order.due(math.inf) == []
    assert given(order, message(7), message(8)) == ["m7", "m8"]


def test_of_what_is_early_the_nearest_is_held_and_the_rest_is_due() -> None:
    order = begun()
    given(order, *(message(seq) for seq in range(EARLY_MAX + 1, 1, -1)))
    assert order.due(0.0) == []
    given(order, message(EARLY_MAX + 2), message(EARLY_MAX + 3))
    assert order.due(0.0) == [ROOM]
    last = EARLY_MAX + 1
    assert given(order, message(1)) == [f"m{seq}" for seq in range(1, last + 1)]
    assert order.known(ROOM).seq == last + 2
    assert given(order, message(last + 1), message(last + 2)) == [f"m{last + 1}", f"m{last + 2}"]
    assert order.due(math.inf) == []


def test_a_nearer_one_takes_the_place_of_the_furthest() -> None:
    order = begun()
    given(order, *(message(seq) for seq in range(3, EARLY_MAX + 3)))
    given(order, message(2))
    assert given(order, message(1)) == [f"m{seq}" for seq in range(1, EARLY_MAX + 2)]
    assert order.due(math.inf) == [ROOM]


def test_all_rooms_together_hold_a_bounded_number_of_bytes() -> None:
    order: Order[str] = Order()
    half = EARLY_BYTES_MAX // 2
    for room in ("a", "b", "c"):
        order.begin(room, Place(), 0.0)
        order.message(room, message(2, half), 0.0)
    assert order.due(0.0) == ["c"]
    assert order.message("c", message(1, EARLY_BYTES_MAX), 0.0) == ["m1"]  # nothing waits there
    assert order.message("a", message(1), 0.0) == ["m1", "m2"]
    assert order.message("c", message(2, half), 0.0) == ["m2"]
    order.end("b")
    order.begin("b", Place(), 0.0)
    order.message("b", message(2, EARLY_BYTES_MAX), 0.0)
    assert order.message("b", message(1), 0.0) == ["m1", "m2"]


def test_a_change_that_waits_for_its_message_counts_as_early() -> None:
    order = begun()
    given(order, change(1, 5, EARLY_BYTES_MAX + 1))
    assert order.due(0.0) == [ROOM]
    read = [message(seq) for seq in range(1, 6)]
    assert order.healed(ROOM, read, [change(1, 5)], Place(5, 1), 1.0)[-1] == "c1"


@attrs.frozen
class Read:
    """What a read of the log gave, before it is handed over."""

    messages: tuple[int, ...]
    changes: tuple[int, ...]
    up_to: Place
    known: Place
    is_to_the_end: bool


class Nodes(RuleBasedStateMachine):
    """A log that others write, hints of it in any order, and reads that take their time."""

    def __init__(self) -> None:
        super().__init__()
        self.order: Order[tuple[str, int]] = Order()
        self.messages: dict[int, bool] = {}  # by seq: whether it is still there
        self.changes: dict[int, int] = {}  # by rev: the seq of its message
        self.out: list[tuple[str, int]] = []
        self.begun_at: Place | None = None
        self.reads: list[Read] = []
        self.gone: set[int] = set()
        self.now_s = 0.0

    @property
    def head(self) -> Place:
        return Place(len(self.messages), len(self.changes))

    def publish(self, items: Iterable[tuple[str, int]]) -> None:
        self.out += items

    def numbered(self, kind: str, number: int) -> Numbered[Any]:
        of_seq = self.changes[number] if kind == "change" else None
        return Numbered(number, (kind, number), 1, of_seq)

    def give(self, kind: str, number: int) -> None:
        offer = self.order.message if kind == "message" else self.order.change
        self.publish(offer(ROOM, self.numbered(kind, number), self.now_s))

    @rule()
    def commit_message(self) -> None:
        self.messages[len(self.messages) + 1] = True

    @precondition(lambda self: any(self.messages.values()))
    @rule(data=st.data())
    def commit_change(self, data: st.DataObject) -> None:
        there = [seq for seq, is_there in self.messages.items() if is_there]
        self.changes[len(self.changes) + 1] = data.draw(st.sampled_from(there))

    @precondition(lambda self: self.messages)
    @rule(data=st.data())
    def hear_message(self, data: st.DataObject) -> None:
        """Late, early, again: whatever a bus does; what is never drawn is lost."""
        self.give("message", data.draw(st.sampled_from(sorted(self.messages))))

    @precondition(lambda self: self.changes)
    @rule(data=st.data())
    def hear_change(self, data: st.DataObject) -> None:
        self.give("change", data.draw(st.sampled_from(sorted(self.changes))))

    @rule(ahead=st.integers(0, 3))
    def hear_a_head(self, ahead: int) -> None:
        self.order.know(ROOM, Place(self.head.seq + ahead, self.head.rev), self.now_s)

    @rule()
    def expect(self) -> None:
        self.order.expect(ROOM)

    @rule()
    def begin(self) -> None:
        if self.begun_at is None:
            self.begun_at = self.head
        self.publish(self.order.begin(ROOM, self.head, self.now_s))

    @precondition(lambda self: self.begun_at is not None)
    @rule(limit=st.integers(1, 4))
    def begin_a_read(self, limit: int) -> None:
        place = self.order.place(ROOM)
        assert place is not None
        known = self.order.known(ROOM)
        seqs = [seq for seq, there in self.messages.items() if seq > place.seq and there]
        is_to_the_end = len(seqs) <= limit
        revs = tuple(
            rev for rev, seq in self.changes.items() if rev > place.rev and self.messages[seq]
        )
        up_to = self.head if is_to_the_end else Place(seqs[limit - 1], self.head.rev)
        self.reads.append(Read(tuple(seqs[:limit]), revs, up_to, known, is_to_the_end))

    @precondition(lambda self: self.reads)
    @rule(data=st.data())
    def end_a_read(self, data: st.DataObject) -> None:
        self.hand_over(self.reads.pop(data.draw(st.integers(0, len(self.reads) - 1))))

    def hand_over(self, read: Read) -> None:
        self.publish(
            self.order.healed(
                ROOM,
                [self.numbered("message", seq) for seq in read.messages],
                [self.numbered("change", rev) for rev in read.changes],
                read.up_to,
                self.now_s,
            )
        )
        if read.is_to_the_end:
            self.publish(self.order.looked(ROOM, read.known, self.now_s))

    @precondition(lambda self: self.messages)
    @rule()
    def retention_removes_the_oldest(self) -> None:
        for seq, is_there in self.messages.items():
            if is_there:
                self.messages[seq] = False
                self.gone.add(seq)
                return

    @rule(passed_s=st.sampled_from([0.001, HOLE_DUE_S]))
    def time_passes(self, passed_s: float) -> None:
        self.now_s += passed_s

    @invariant()
    def numbers_follow_each_other(self) -> None:
        if self.begun_at is None:
            assert self.out == []
            return
        for kind, begun_at in (("message", self.begun_at.seq), ("change", self.begun_at.rev)):
            numbers = [number for what, number in self.out if what == kind]
            for before, after in zip([begun_at, *numbers], numbers, strict=False):
                assert after > before
                for missing in range(before + 1, after):
                    seq = missing if kind == "message" else self.changes[missing]
                    assert seq in self.gone

    @invariant()
    def a_change_is_behind_its_message(self) -> None:
        published = 0 if self.begun_at is None else self.begun_at.seq
        for kind, number in self.out:
            if kind == "message":
                published = max(published, number)
            elif self.changes[number] not in self.gone:
                assert self.changes[number] <= published

    def teardown(self) -> None:
        """Whatever happened: reads to the end bring everything, and no hole is left."""
        if self.begun_at is None:
            return
        self.reads.clear()
        for _ in range(2):  # a read may have begun before something was heard
            self.begin_a_read(len(self.messages) + 1)
            self.hand_over(self.reads.pop())
        assert self.order.place(ROOM) == self.head
        assert self.order.due(math.inf) == []
        self.numbers_follow_each_other()
        self.a_change_is_behind_its_message()


TestNodes = Nodes.TestCase
TestNodes.settings = settings(stateful_step_count=40, deadline=None)


def test_what_was_taken_back_is_missing_again() -> None:
    order: Order[str] = Order()
    order.take_back("nowhere", Place(), 0.0)
    order.begin("sales", Place(1, 0), 0.0)
    assert order.message("sales", Numbered(2, "m2", 1), 0.0) == ["m2"]
    assert order.message("sales", Numbered(3, "m3", 1), 0.0) == ["m3"]
    order.take_back("sales", Place(3, 5), 1.0)
    assert order.due(1.0) == []
    order.take_back("sales", Place(2, 0), 1.0)
    assert (order.due(1.0), order.holes, order.behind_seq) == (["sales"], 1, 1)
    read = [Numbered(3, "m3", 1)]
    assert order.healed("sales", read, [], Place(3, 0), 1.0) == ["m3"]
    assert (order.holes, order.behind_seq) == (0, 0)
