"""Supervisors: who is started again, with whom, how often, and in which order all end."""

from collections.abc import Callable
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from chatd.actors.supervisor import Child, GaveUp, Intensity, Restart, Strategy, Supervisor


class Stage:
    """Children that do as they are told, and a book of what happened."""

    def __init__(self) -> None:
        self.book: list[str] = []
        self.lives: dict[str, int] = {}
        self.ends: dict[str, Callable[[int], Exception | None]] = {}
        self.starts: dict[str, Callable[[int], Exception | None]] = {}
        self.slow_end_s: dict[str, float] = {}

    def child(self, name: str, restart: Restart = Restart.PERMANENT, **how: Any) -> Child:
        """A child that lives until it is stopped, or a second where `ends` has a word for it."""

        async def run(*, task_status: trio.TaskStatus[None]) -> None:
            life = self.lives[name] = self.lives.get(name, 0) + 1
            failure = self.starts.get(name, lambda _: None)(life)
            if failure is not None:
                raise failure
            self.book.append(f"+{name}{life}")
            task_status.started()
            try:
                if name not in self.ends:
                    await trio.sleep_forever()
                await trio.sleep(1)
                error = self.ends[name](life)
                if error is not None:
                    raise error
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(self.slow_end_s.get(name, 0))
                self.book.append(f"-{name}{life}")

        return Child(name, run, restart, **how)

    def crashed(self, name: str, error: Exception) -> None:
        self.book.append(f"!{name} {type(error).__name__}")

    def supervisor(self, *children: Child, **how: Any) -> Supervisor:
        return Supervisor("root", children, on_crash=self.crashed, **how)

    async def run_for(self, supervisor: Supervisor, time_s: float) -> list[str]:
        """Let it run so long, then stop it; the book."""
        with trio.move_on_after(time_s):
            await supervisor.run()
        return self.book


@pytest.fixture
def stage() -> Stage:
    return Stage()


def crash_until(last_life: int) -> Callable[[int], Exception | None]:
    return lambda life: ValueError() if life <= last_life else None


def crash_always(_: int) -> Exception:
    return ValueError()


def end(_: int) -> None:
    return None


async def test_children_start_in_order_and_stop_in_reverse(
    stage: Stage, autojump_clock: MockClock
) -> None:
    supervisor = stage.supervisor(*(stage.child(name) for name in "abc"))
    assert await stage.run_for(supervisor, 5) == ["+a1", "+b1", "+c1", "-c1", "-b1", "-a1"]


async def test_a_supervisor_is_ready_when_all_its_children_are(
    stage: Stage, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    await nursery.start(stage.supervisor(stage.child("a"), stage.child("b")).run)
    assert stage.book == ["+a1", "+b1"]
    nursery.cancel_scope.cancel()


async def test_one_for_one_starts_the_crashed_child_alone(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.ends["b"] = lambda life: ValueError() if life == 1 else None
    supervisor = stage.supervisor(
        stage.child("a"), stage.child("b", Restart.TRANSIENT), stage.child("c")
    )
    book = await stage.run_for(supervisor, 5)
    assert book == [
        *("+a1", "+b1", "+c1"),
        *("-b1", "!b ValueError", "+b2", "-b2"),
        *("-c1", "-a1"),
    ]


async def test_one_for_all_stops_the_others_in_reverse_and_starts_all_in_order(
    stage: Stage,
    autojump_clock: MockClock,
) -> None:
    stage.ends["b"] = lambda life: ValueError() if life == 1 else None
    children = [stage.child("a"), stage.child("b", Restart.TRANSIENT), stage.child("c")]
    book = await stage.run_for(stage.supervisor(*children, strategy=Strategy.ONE_FOR_ALL), 5)
    assert book == [
        *("+a1", "+b1", "+c1"),
        *("-b1", "!b ValueError", "-c1", "-a1", "+a2", "+b2", "+c2", "-b2"),
        *("-c2", "-a2"),
    ]


@pytest.mark.parametrize(
    ("restart", "how", "lives"),
    [
        (Restart.PERMANENT, end, 4),
        (Restart.TRANSIENT, end, 1),
        (Restart.PERMANENT, crash_always, 4),
        (Restart.TRANSIENT, crash_always, 4),
    ],
)
async def test_who_is_started_again_is_as_the_table_says(
    stage: Stage,
    autojump_clock: MockClock,
    restart: Restart,
    how: Callable[[int], Exception | None],
    lives: int,
) -> None:
    stage.ends["a"] = how
    supervisor = stage.supervisor(stage.child("a", restart))
    if lives == 1:
        await supervisor.run()
    else:
        with pytest.raises(GaveUp):
            await supervisor.run()
    assert stage.lives["a"] == lives


async def test_too_many_starts_give_up_and_stop_the_others_in_reverse(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.ends["b"] = crash_always
    supervisor = stage.supervisor(*(stage.child(name) for name in "abc"), intensity=1)
    with pytest.raises(GaveUp) as raised:
        await supervisor.run()
    assert raised.value.child == "b"
    assert isinstance(raised.value.__cause__, ValueError)
    assert stage.book[-3:] == ["!b ValueError", "-c1", "-a1"]
    assert stage.lives == {"a": 1, "b": 2, "c": 1}


async def test_crashes_that_are_far_apart_are_never_too_many(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.ends["a"] = crash_until(20)
    supervisor = stage.supervisor(stage.child("a", Restart.TRANSIENT), intensity=1, period_s=0.5)
    await supervisor.run()
    assert stage.lives["a"] == 21


async def test_a_child_that_cannot_start_at_first_fails_the_supervisor(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.starts["b"] = lambda _: KeyError()
    with pytest.raises(KeyError):
        await stage.supervisor(stage.child("a"), stage.child("b"), stage.child("c")).run()
    assert stage.book == ["+a1", "!b KeyError", "-a1"]


async def test_a_start_again_that_fails_is_one_more_crash(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.ends["b"] = lambda life: ValueError() if life == 1 else None
    stage.starts["b"] = lambda life: KeyError() if life == 2 else None
    for strategy in Strategy:
        stage.lives.clear()
        stage.book.clear()
        children = [stage.child("a"), stage.child("b", Restart.TRANSIENT)]
        await stage.run_for(stage.supervisor(*children, strategy=strategy), 5)
        assert [line for line in stage.book if line.startswith("!")] == [
            "!b ValueError",
            "!b KeyError",
        ]
        assert stage.lives["b"] == 3


async def test_two_that_crash_in_the_same_moment_are_both_told_and_both_started(
    stage: Stage,
    autojump_clock: MockClock,
) -> None:
    for strategy in Strategy:
        stage.lives.clear()
        stage.book.clear()
        stage.ends["a"] = stage.ends["b"] = crash_until(1)
        children = [stage.child(name, Restart.TRANSIENT) for name in "ab"]
        await stage.run_for(stage.supervisor(*children, strategy=strategy), 5)
        assert sorted(line for line in stage.book if line.startswith("!")) == [
            "!a ValueError",
            "!b ValueError",
        ]
        assert stage.lives == {"a": 2, "b": 2}


async def test_a_child_that_is_slow_to_stop_holds_the_next_for_its_grace_only(
    stage: Stage,
    autojump_clock: MockClock,
) -> None:
    stage.slow_end_s["b"] = 30
    supervisor = stage.supervisor(stage.child("a"), stage.child("b", grace_s=2))
    began_s = trio.current_time()
    assert await stage.run_for(supervisor, 1) == ["+a1", "+b1", "-a1", "-b1"]
    assert trio.current_time() - began_s == 31


@pytest.mark.parametrize(("together", "took_s"), [(False, 4.0), (True, 3.0)])
async def test_children_that_stop_together_take_as_long_as_the_slowest(
    autojump_clock: MockClock, stage: Stage, together: bool, took_s: float
) -> None:
    stage.slow_end_s = {"a": 1.0, "b": 3.0}
    supervisor = stage.supervisor(*map(stage.child, "ab"), stops_together=together)
    await stage.run_for(supervisor, 10)
    assert trio.current_time() == pytest.approx(10 + took_s)
    assert set(stage.book[2:]) == {"-a1", "-b1"}


async def test_a_supervisor_that_is_cancelled_while_it_starts_leaves_nobody(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async def never_ready(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()

    supervisor = stage.supervisor(stage.child("a"), Child("b", never_ready))
    assert await stage.run_for(supervisor, 1) == ["+a1", "-a1"]


async def test_a_supervisor_that_is_cancelled_while_it_starts_again_leaves_nobody(
    stage: Stage,
    autojump_clock: MockClock,
) -> None:
    lives = 0

    async def once(*, task_status: trio.TaskStatus[None]) -> None:
        nonlocal lives
        lives += 1
        if lives > 1:
            await trio.sleep_forever()
        task_status.started()
        raise ValueError

    supervisor = stage.supervisor(stage.child("a"), Child("b", once))
    assert await stage.run_for(supervisor, 1) == ["+a1", "!b ValueError", "-a1"]


async def test_a_child_that_is_ready_after_its_start_was_given_up_ends(
    autojump_clock: MockClock,
) -> None:
    ended: list[float] = []

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        with trio.CancelScope(shield=True):  # as what opens a file, which cannot be cut short
            await trio.sleep(2)
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            ended.append(trio.current_time())

    supervisor = Supervisor("root", [Child("slow", run)], on_crash=lambda *_: None)
    began_s = trio.current_time()
    with trio.move_on_after(1):
        await supervisor.run()
    assert ended == [began_s + 2]


async def test_a_supervisor_that_gave_up_is_a_crash_for_the_one_above(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.ends["a"] = crash_always
    inner = stage.supervisor(stage.child("a"), intensity=0)
    outer = stage.supervisor(stage.child("x"), Child("inner", inner.run), intensity=2)
    with pytest.raises(GaveUp) as raised:
        await outer.run()
    assert isinstance(raised.value.__cause__, GaveUp)
    assert stage.lives == {"x": 1, "a": 3}
    assert stage.book.count("!inner GaveUp") == 3


async def test_a_group_of_errors_is_a_crash_of_the_child(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async def in_a_nursery(*, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            task_status.started()
            nursery.start_soon(trio.sleep, "no number")  # type: ignore[arg-type]  # it crashes

    with pytest.raises(GaveUp):
        await stage.supervisor(Child("a", in_a_nursery), intensity=0).run()
    assert stage.book == ["!a ExceptionGroup"]


async def test_who_cannot_even_report_ends_the_supervisor(
    stage: Stage, autojump_clock: MockClock
) -> None:
    def broken(_name: str, _error: Exception) -> None:
        raise KeyError

    stage.ends["b"] = crash_always
    supervisor = Supervisor("root", [stage.child("a"), stage.child("b")], on_crash=broken)
    with pytest.raises(ExceptionGroup):
        await supervisor.run()
    assert stage.book[-1] == "-a1"


@given(st.lists(st.integers(0, 30)), st.integers(0, 4), st.integers(1, 20))
def test_intensity_counts_what_lies_within_the_period(
    gaps: list[int], most: int, period_s: int
) -> None:
    intensity, now_s, times = Intensity(most, period_s), 0, []
    for gap in gaps:
        now_s += gap
        times.append(now_s)
        recent = [time for time in times if time > now_s - period_s]
        assert intensity.allows(now_s) is (len(recent) <= most)
