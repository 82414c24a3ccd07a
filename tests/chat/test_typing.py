"""The typing machine: scripts, and a walk beside a model of each socket's last start."""

import math

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chatd.chat.typing import (
    TYPING_S,
    Command,
    Effect,
    EndTyping,
    LeaveTyping,
    StartTyping,
    StopTyping,
    Typing,
    TypingChanged,
    TypingTaken,
)


def start(socket: str) -> StartTyping:
    """A start by a socket of the user that its first letter names."""
    return StartTyping(None, socket, "demo", socket[0], "Ann")


def stop(socket: str) -> StopTyping:
    return StopTyping(None, socket, "demo")


def leave(socket: str) -> LeaveTyping:
    return LeaveTyping(socket, "demo")


def told(effects: list[Effect]) -> list[tuple[str, bool]]:
    return [(it.user_id, it.is_typing) for it in effects if type(it) is TypingChanged]


@pytest.fixture
def typing() -> Typing:
    return Typing()


def test_a_start_is_told_once_and_answered_each_time(typing: Typing) -> None:
    one = start("a1")
    assert typing.decide([one, one], 0, 5) == [
        TypingChanged("demo", "a", "Ann", True, 5),
        TypingTaken(one),
        TypingTaken(one),
    ]
    assert typing.room("demo") == [("a", "Ann")]


@pytest.mark.parametrize("end", [stop("a1"), leave("a1"), EndTyping("demo", "a")], ids=str)
def test_a_stop_a_leave_and_a_message_end_it(typing: Typing, end: Command) -> None:
    typing.decide([start("a1")], 0, 0)
    assert told(typing.decide([end, end], 1, 0)) == [("a", False)]
    assert list(typing.rooms()) == []
    assert typing.next_deadline_s() == math.inf


def test_it_ends_by_itself_after_the_last_start(typing: Typing) -> None:
    typing.decide([start("a1")], 0, 0)
    typing.decide([start("a1")], 4, 0)
    assert typing.next_deadline_s() == 4 + TYPING_S
    assert typing.tick(4 + TYPING_S - 0.1, 0) == []
    assert told(typing.tick(4 + TYPING_S, 0)) == [("a", False)]


def test_another_device_goes_on_typing_and_a_message_ends_both(typing: Typing) -> None:
    typing.decide([start("a1"), start("a2")], 0, 0)
    assert told(typing.decide([stop("a1")], 0, 0)) == []
    assert told(typing.decide([EndTyping("demo", "a")], 0, 0)) == [("a", False)]


def test_a_stop_of_who_does_not_type_is_answered_and_told_to_nobody(typing: Typing) -> None:
    one = stop("a1")
    assert typing.decide([one], 0, 0) == [TypingTaken(one)]


def test_those_of_a_snapshot_end_with_their_time_or_a_message(typing: Typing) -> None:
    typing.decide([start("a1"), start("b1")], 0, 0)
    again = Typing.restore(orjson.loads(orjson.dumps(typing.freeze())), 50)
    assert again.room("demo") == typing.room("demo")
    assert told(again.decide([stop("a1"), EndTyping("demo", "a")], 51, 0)) == [("a", False)]
    assert told(again.tick(50 + TYPING_S, 0)) == [("b", False)]


@pytest.mark.parametrize("frozen", [[1], {"demo": [1]}, {"demo": 7}, "x"], ids=str)
def test_what_was_not_frozen_is_not_restored(frozen: object) -> None:
    with pytest.raises(ValueError, match="no typing that was frozen"):
        Typing.restore(frozen, 0)


sockets = st.sampled_from(["a1", "a2", "b1"])
commands = st.one_of(
    st.builds(start, sockets),
    st.builds(stop, sockets),
    st.builds(leave, sockets),
    st.builds(EndTyping, st.just("demo"), st.sampled_from("ab")),
)


class Views(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.typing = Typing()
        self.view: set[str] = set()
        self.due_s: dict[str, float] = {}
        self.now_s = 0.0

    @rule(batch=st.lists(commands, max_size=5))
    def decide(self, batch: list[Command]) -> None:
        for command in batch:
            match command:
                case StartTyping(socket=socket):
                    self.due_s[str(socket)] = self.now_s + TYPING_S
                case StopTyping(socket=socket) | LeaveTyping(socket=socket):
                    self.due_s.pop(str(socket), None)
                case EndTyping(user_id=user):
                    self.due_s = {s: due for s, due in self.due_s.items() if s[0] != user}
        self.take(self.typing.decide(batch, self.now_s, 0))

    @rule(later_s=st.sampled_from([0.0, 1.0, 5.0, TYPING_S]))
    def tick(self, later_s: float) -> None:
        self.now_s += later_s
        self.due_s = {socket: due for socket, due in self.due_s.items() if due > self.now_s}
        self.take(self.typing.tick(self.now_s, 0))

    @rule()
    def start_again(self) -> None:
        self.typing = Typing.restore(self.typing.freeze(), self.now_s)
        # Whose they are is not known any more: only time and a message end them.
        self.due_s = {f"{user}?": self.now_s + TYPING_S for user in self.view}

    def take(self, effects: list[Effect]) -> None:
        for user, is_typing in told(effects):
            assert (user in self.view) is not is_typing
            self.view = self.view | {user} if is_typing else self.view - {user}

    @invariant()
    def the_view_is_what_is(self) -> None:
        assert self.view == {socket[0] for socket in self.due_s}
        assert self.view == {user for user, _ in self.typing.room("demo")}
        assert self.typing.next_deadline_s() == min(self.due_s.values(), default=math.inf)


TestViews = Views.TestCase
TestViews.settings = settings(stateful_step_count=30)
