"""What a member is owed: the methods by example, and a walk beside a plain set of seqs."""

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chatd.chat.queue import GAPS_MAX, PRESENT, QUEUE_MAX, QUEUE_MAX_MS, Gap, Queue, needs_trim

AWAY = Queue(4, 100, (Gap(1, 2, 50),))


@pytest.mark.parametrize(
    ("queue", "last_seq", "owed"),
    [
        (PRESENT, 9, []),
        (Queue(4, 100), 4, []),
        (Queue(4, 100), 6, [Gap(5, 6, 100)]),
        (AWAY, 6, [Gap(1, 2, 50), Gap(5, 6, 100)]),
        (AWAY, 4, [Gap(1, 2, 50)]),
    ],
    ids=str,
)
def test_owed_are_the_gaps_and_all_since_the_member_left(
    queue: Queue, last_seq: int, owed: list[Gap]
) -> None:
    assert list(queue.owed(last_seq)) == owed
    assert queue.owed_count(last_seq) == sum(gap.last - gap.first + 1 for gap in owed)
    assert queue.oldest_ms(last_seq) == (owed[0].since_ms if owed else None)


@pytest.mark.parametrize(
    ("seq", "rest"),
    [
        (3, Queue(9, 7, (Gap(4, 6, 5), Gap(8, 8, 6)))),
        (5, Queue(9, 7, (Gap(3, 4, 5), Gap(6, 6, 5), Gap(8, 8, 6)))),
        (6, Queue(9, 7, (Gap(3, 5, 5), Gap(8, 8, 6)))),
        (8, Queue(9, 7, (Gap(3, 6, 5),))),
        (10, Queue(10, 7, (Gap(3, 6, 5), Gap(8, 8, 6)))),
        (12, Queue(12, 7, (Gap(3, 6, 5), Gap(8, 8, 6), Gap(10, 11, 7)))),
    ],
    ids=str,
)
def test_one_message_leaves_the_queue(seq: int, rest: Queue) -> None:
    assert Queue(9, 7, (Gap(3, 6, 5), Gap(8, 8, 6))).without(seq) == rest


@pytest.mark.parametrize("queue", [PRESENT, AWAY], ids=str)
def test_what_changes_nothing_gives_the_same_object(queue: Queue) -> None:
    assert queue.without(3) is queue
    assert queue.without_up_to(0) is queue
    assert queue.notified((1, 1)) is queue
    assert queue.cut(1, 0, 9) is queue
    assert (queue.left(9, 9) if queue.is_away else queue.returned(9)) is queue


def test_a_cut_tells_what_fell_out_and_how_old_the_rest_may_be() -> None:
    queue = Queue(4, 100, (Gap(1, 3, 50),), (1, 1))
    assert queue.cut(3, 60, 8) == Queue(4, 100, (Gap(3, 3, 60),), (1, 2))
    assert queue.cut(7, 200, 8) == Queue(6, 200, (), (1, 6))
    assert queue.cut(9, 200, 8) == Queue(8, 200, (), (1, 8))
    assert queue.notified((1, 1)) == attrs.evolve(queue, fallen=None)
    assert queue.cut(3, 60, 8).notified((1, 1)).fallen == (1, 2)  # more fell out since


def test_a_queue_has_only_so_many_gaps_and_the_oldest_falls_out() -> None:
    queue = Queue(0, 0).returned(3 * GAPS_MAX)
    for seq in range(2, 2 * GAPS_MAX + 4, 2):
        queue = queue.without(seq)
    assert len(queue.gaps) == GAPS_MAX
    assert queue.fallen == (1, 3)


def test_too_many_or_too_old_messages_need_a_look() -> None:
    assert not needs_trim(QUEUE_MAX, QUEUE_MAX_MS, 2 * QUEUE_MAX_MS)
    assert needs_trim(QUEUE_MAX + 1, None, 0)
    assert needs_trim(1, QUEUE_MAX_MS - 1, 2 * QUEUE_MAX_MS)


class Owed(RuleBasedStateMachine):
    """A queue beside the set of what is owed."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = PRESENT
        self.owed: set[int] = set()
        self.fallen: set[int] = set()
        self.is_away = False
        self.last_seq = 0
        self.now_ms = 0

    @rule(count=st.integers(1, 4), own=st.booleans())
    def store(self, count: int, own: bool) -> None:
        for _ in range(count):
            self.last_seq += 1
            self.now_ms += 1
            if self.is_away and not own:
                self.owed.add(self.last_seq)
            elif self.is_away:
                self.queue = self.queue.without(self.last_seq)

    @precondition(lambda self: not self.is_away)
    @rule(unseen=st.integers(0, 3))
    def leave(self, unseen: int) -> None:
        seen = max([self.last_seq - unseen, 0, *self.owed])
        self.queue = self.queue.left(seen, self.now_ms)
        self.owed |= set(range(seen + 1, self.last_seq + 1))
        self.is_away = True

    @rule()
    def come(self) -> None:
        self.queue = self.queue.returned(self.last_seq)
        self.is_away = False

    @rule(data=st.data(), up_to=st.booleans())
    def acknowledge(self, data: st.DataObject, up_to: bool) -> None:
        seq = data.draw(st.integers(0, self.last_seq))
        self.queue = self.queue.without_up_to(seq) if up_to else self.queue.without(seq)
        self.owed -= set(range(seq + 1)) if up_to else {seq}

    @rule(data=st.data())
    def cut(self, data: st.DataObject) -> None:
        keep_from = data.draw(st.integers(0, self.last_seq + 1))
        self.queue = self.queue.cut(keep_from, self.now_ms, self.last_seq)
        self.fallen |= {seq for seq in self.owed if seq < keep_from}
        self.owed = {seq for seq in self.owed if seq >= keep_from}

    @rule()
    def tell(self) -> None:
        if self.queue.fallen is not None:
            self.queue = self.queue.notified(self.queue.fallen)
        self.fallen.clear()

    @invariant()
    def the_queue_is_the_set(self) -> None:
        gaps = self.queue.owed(self.last_seq)
        assert [seq for gap in gaps for seq in range(gap.first, gap.last + 1)] == sorted(self.owed)
        assert self.queue.owed_count(self.last_seq) == len(self.owed)
        assert self.queue.is_away is self.is_away
        span = (min(self.fallen), max(self.fallen)) if self.fallen else None
        assert self.queue.fallen == span


TestOwed = Owed.TestCase
TestOwed.settings = settings(stateful_step_count=30)
