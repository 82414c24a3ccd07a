"""The presence machine: scripts, and a walk beside a model that recounts everything each time."""

import math
from itertools import permutations
from typing import Any

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chatd.chat.presence import (
    GRACE_S,
    Arrive,
    Claim,
    Command,
    Declare,
    Declared,
    Depart,
    Effect,
    Presence,
    PresenceChanged,
    PresenceEntry,
    Restate,
)
from chatd.wire.names import PresenceStatus

ONLINE, AWAY, OFFLINE = PresenceStatus


def told(effects: list[Effect]) -> list[tuple[str, PresenceStatus]]:
    return [(it.entry.user_id, it.entry.status) for it in effects if type(it) is PresenceChanged]


def arrive(socket: str, name: str | None = None, **fields: Any) -> Arrive:
    """A socket of the user that its first letter names."""
    return Arrive(socket, "demo", socket[0], name, **fields)


def declare(socket: str, status: PresenceStatus) -> Declare:
    return Declare(None, socket, "demo", status)


def depart(socket: str) -> Depart:
    return Depart(socket, "demo")


@pytest.fixture
def presence() -> Presence:
    return Presence()


def test_who_arrives_is_told_once_and_seen(presence: Presence) -> None:
    effects = presence.decide([arrive("a1", "Ann"), arrive("a2", "Ann")], 0, 7)
    entry = PresenceEntry("a", "Ann", ONLINE, 7)
    assert effects == [PresenceChanged("demo", entry, "a1")]
    assert presence.room("demo") == [entry]
    assert presence.room("elsewhere") == []


@pytest.mark.parametrize(
    "script",
    [
        [("a1", AWAY)],
        [("a1", AWAY), ("a2", AWAY)],
        [("a1", OFFLINE), ("a2", AWAY)],
        [("a1", ONLINE), ("a2", OFFLINE), ("a2", OFFLINE)],
        [("a1", AWAY), ("a2", OFFLINE), ("a1", ONLINE)],
    ],
    ids=str,
)
def test_what_a_socket_declares_is_the_users_until_the_next(
    presence: Presence, script: list[tuple[str, PresenceStatus]]
) -> None:
    presence.decide([arrive("a1"), arrive("a2")], 0, 0)
    effects = presence.decide([declare(*step) for step in script], 0, 0)
    declared = [status for _, status in script]
    assert [it.status for it in effects if type(it) is Declared] == declared
    changes = [
        now for now, before in zip(declared, [ONLINE, *declared], strict=False) if now != before
    ]
    assert [status for _, status in told(effects)] == changes
    assert presence.status("demo", "a") is declared[-1]


def test_the_socket_that_declared_may_go_and_others_come(presence: Presence) -> None:
    presence.decide([arrive("a1"), arrive("a2"), declare("a2", OFFLINE)], 0, 0)
    assert presence.decide([depart("a2"), arrive("a3"), depart("a1")], 1, 0) == []
    assert presence.status("demo", "a") is OFFLINE


@pytest.mark.parametrize("status", [AWAY, OFFLINE])
def test_what_was_declared_is_kept_over_the_grace_and_not_beyond(
    presence: Presence, status: PresenceStatus
) -> None:
    """Who was unseen was shown as online after a reload."""
    presence.decide([arrive("a1"), declare("a1", status), depart("a1")], 0, 0)
    assert presence.decide([arrive("a2"), depart("a2")], 9, 0) == []
    assert presence.status("demo", "a") is status
    presence.tick(9 + GRACE_S, 0)
    assert presence.status("demo", "a") is None
    assert told(presence.decide([arrive("a3")], 30, 0)) == [("a", ONLINE)]


def test_who_arrives_may_declare_and_a_newcomer_has_what_its_socket_has(
    presence: Presence,
) -> None:
    assert presence.decide([arrive("a1", declared=OFFLINE)], 0, 0) == []
    assert presence.decide([arrive("b1", initial=OFFLINE)], 0, 0) == []
    assert presence.decide([arrive("a2", initial=ONLINE), arrive("b2", initial=AWAY)], 0, 0) == []
    assert told(presence.decide([arrive("a3", declared=AWAY)], 0, 0)) == [("a", AWAY)]


def test_who_declares_without_being_there_changes_nothing(presence: Presence) -> None:
    one = declare("a1", AWAY)
    assert presence.decide([one, depart("a1")], 0, 0) == [Declared(one, OFFLINE)]
    assert presence.next_deadline_s() == math.inf


def test_a_reload_shows_nothing(presence: Presence) -> None:
    presence.decide([arrive("a1", "Ann")], 0, 0)
    assert presence.decide([depart("a1")], 5, 5) == []
    assert presence.next_deadline_s() == 5 + GRACE_S
    assert presence.tick(5 + GRACE_S - 0.1, 0) == []
    assert presence.decide([arrive("a2", "Ann")], 14, 14) == []
    assert presence.next_deadline_s() == math.inf


def test_after_the_grace_the_user_is_offline_since_the_last_sign(presence: Presence) -> None:
    presence.decide([arrive("a1"), declare("a1", AWAY), depart("a1")], 1, 1_000)
    assert presence.room("demo") == [PresenceEntry("a", None, AWAY, 1_000)]
    gone = PresenceChanged("demo", PresenceEntry("a", None, OFFLINE, 1_000), None)
    assert presence.tick(1 + GRACE_S, 99_000) == [gone]
    assert presence.room("demo") == []
    assert list(presence.rooms()) == []


def test_a_sign_is_the_last_one_until_the_next(presence: Presence) -> None:
    presence.decide([arrive("a1"), arrive("b1")], 1, 1_000)
    presence.sign("demo", "a", 2_000)
    assert presence.last_seen_ms("demo", "a") == 2_000
    assert presence.last_seen_ms("demo", "b") == 1_000
    assert presence.room("demo") == [
        PresenceEntry("a", None, ONLINE, 2_000),
        PresenceEntry("b", None, ONLINE, 1_000),
    ]
    presence.decide([depart("a1")], 3, 3_000)
    assert presence.last_seen_ms("demo", "a") == 3_000


def test_a_sign_of_somebody_who_is_not_there_is_of_no_use(presence: Presence) -> None:
    presence.decide([arrive("a1")], 0, 0)
    presence.sign("demo", "b", 2_000)
    presence.sign("elsewhere", "a", 2_000)
    assert presence.last_seen_ms("demo", "b") is None
    assert presence.last_seen_ms("elsewhere", "a") is None
    assert list(presence.rooms()) == ["demo"]


def test_the_grace_of_somebody_unseen_ends_unseen(presence: Presence) -> None:
    presence.decide([arrive("a1", declared=OFFLINE), depart("a1")], 0, 0)
    assert presence.room("demo") == []
    assert presence.tick(GRACE_S, 0) == []
    assert list(presence.rooms()) == []


def test_a_new_name_is_told(presence: Presence) -> None:
    presence.decide([arrive("a1", "Ann")], 0, 0)
    [change] = presence.decide([arrive("a2", "Ann Lee")], 0, 0)
    assert type(change) is PresenceChanged
    assert change.entry.name == "Ann Lee"


def test_those_of_a_snapshot_have_their_grace_and_are_then_offline(presence: Presence) -> None:
    presence.decide([arrive("a1", "Ann"), arrive("b1"), declare("b1", AWAY)], 0, 3)
    frozen = orjson.loads(orjson.dumps(presence.freeze()))
    again = Presence.restore(frozen, 100)
    assert again.room("demo") == presence.room("demo")
    assert again.decide([arrive("a2", "Ann")], 101, 9) == []
    assert told(again.tick(100 + GRACE_S, 0)) == [("b", OFFLINE)]


def test_who_was_unseen_is_so_after_a_restart(presence: Presence) -> None:
    presence.decide([arrive("a1", "Ann"), declare("a1", OFFLINE)], 0, 3)
    again = Presence.restore(orjson.loads(orjson.dumps(presence.freeze())), 100)
    assert again.decide([arrive("a2", "Ann")], 101, 9) == []
    assert again.room("demo") == []
    assert again.status("demo", "a") is OFFLINE


@pytest.mark.parametrize(
    "frozen", [[1], {"demo": [1]}, {"demo": [["a", None, "busy", 0]]}, {"demo": 7}, "x"], ids=str
)
def test_what_was_not_frozen_is_not_restored(frozen: object) -> None:
    with pytest.raises(ValueError, match="no presence that was frozen"):
        Presence.restore(frozen, 0)


sockets = st.sampled_from(["a1", "a2", "b1", "b2"])
statuses = st.sampled_from(PresenceStatus)
commands = st.one_of(
    st.builds(
        arrive,
        sockets,
        st.sampled_from([None, "Ann", "Bob"]),
        declared=st.none() | statuses,
        initial=statuses,
    ),
    st.builds(depart, sockets),
    st.builds(declare, sockets, statuses),
)


class Views(RuleBasedStateMachine):
    """What a reader knows who began with a snapshot, beside who has which socket there."""

    def __init__(self) -> None:
        super().__init__()
        self.presence = Presence()
        self.view: dict[str, PresenceStatus] = {}
        self.sockets: set[str] = set()
        self.statuses: dict[str, PresenceStatus] = {}
        self.graces: dict[str, float] = {}
        self.now_s = 0.0

    @rule(batch=st.lists(commands, max_size=5))
    def decide(self, batch: list[Command]) -> None:
        for command in batch:
            socket = str(command.socket)
            user = socket[0]
            match command:
                case Arrive(declared=declared, initial=initial):
                    self.statuses[user] = declared or self.statuses.get(user, initial)
                    self.sockets.add(socket)
                    self.graces.pop(user, None)
                case Declare(status=status):
                    if socket in self.sockets:
                        self.statuses[user] = status
                case Depart():
                    if socket in self.sockets:
                        self.sockets.remove(socket)
                        if not any(one[0] == user for one in self.sockets):
                            self.graces[user] = self.now_s + GRACE_S
        self.take(self.presence.decide(batch, self.now_s, 0))

    @rule(later_s=st.sampled_from([0.0, 1.0, 5.0, GRACE_S, 30.0]))
    def tick(self, later_s: float) -> None:
        self.now_s += later_s
        for user in [user for user, due_s in self.graces.items() if due_s <= self.now_s]:
            del self.graces[user], self.statuses[user]
        self.take(self.presence.tick(self.now_s, 0))

    @rule()
    def start_again(self) -> None:
        self.presence = Presence.restore(self.presence.freeze(), self.now_s)
        self.graces = dict.fromkeys(self.statuses, self.now_s + GRACE_S)
        self.sockets = set()

    def shown(self) -> dict[str, PresenceStatus]:
        return {user: status for user, status in self.statuses.items() if status is not OFFLINE}

    def take(self, effects: list[Effect]) -> None:
        for user, status in told(effects):
            assert self.view.get(user, OFFLINE) is not status or status is not OFFLINE
            self.view[user] = status
        self.view = {user: status for user, status in self.view.items() if status is not OFFLINE}

    @invariant()
    def the_view_is_what_is_and_nothing_is_overdue(self) -> None:
        seen = {entry.user_id: entry.status for entry in self.presence.room("demo")}
        assert self.view == seen == self.shown()
        assert self.presence.next_deadline_s() > self.now_s or self.graces == {}


TestViews = Views.TestCase
TestViews.settings = settings(stateful_step_count=30)


def claim(at: int, status: PresenceStatus, name: str | None = None, by: str = "a") -> Claim:
    return Claim(name, (at, by), status, (at, by), 7 * at)


def test_of_claims_the_later_one_counts_in_whatever_order_they_come() -> None:
    claims = [claim(1, AWAY, "A"), claim(3, OFFLINE, by="a"), claim(3, ONLINE, "B", by="b")]
    for order in permutations(claims):
        presence = Presence()
        for one in order:
            presence.decide([arrive(f"a{one.declared_at}", claim=one)], 0, 1)
        presence.decide([Restate("demo", "a", one) for one in order], 0, 1)
        assert presence.room("demo") == [PresenceEntry("a", "B", ONLINE, 21)]


def test_a_claim_is_a_change_for_everybody_and_of_nobody_who_is_not_there(
    presence: Presence,
) -> None:
    presence.decide([arrive("a1", claim=claim(1, ONLINE))], 0, 1)
    (effect,) = presence.decide([Restate("demo", "a", claim(2, AWAY))], 0, 1)
    assert effect == PresenceChanged("demo", PresenceEntry("a", None, AWAY, 14), None)
    assert presence.decide([Restate("demo", "b", claim(2, AWAY))], 0, 1) == []
    assert presence.decide([Restate("demo", "a", claim(1, OFFLINE))], 0, 1) == []


def test_who_is_forgotten_is_told_of_seen_or_not(presence: Presence) -> None:
    forgotten: list[tuple[str, str]] = []
    presence.forgotten = lambda *place: forgotten.append(place)
    presence.decide([arrive("a1", declared=OFFLINE), arrive("b1"), depart("a1")], 0, 1)
    presence.decide([depart("b1"), arrive("b2")], 1, 1)
    presence.tick(GRACE_S + 2, 1)
    assert forgotten == [("demo", "a")]
