import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.engineio.packet import ProtocolError, decode_text
from chatd.engineio.upgrade import Upgrade, UpgradeAction, UpgradeInput, UpgradeState, classify
from tests.rows import rows

S = UpgradeState
I = UpgradeInput  # noqa: E741 - the tables below are read by column
A = UpgradeAction

BREACH = "breach"

# One line for each pair.
PAIRS = [
    # a session that polls
    (S.POLLING, I.WEBSOCKET_ATTACHED, S.ATTACHED, []),  # GET W&sid -> 101
    (S.POLLING, I.PROBE_RECEIVED, BREACH, []),
    (S.POLLING, I.UPGRADE_RECEIVED, BREACH, []),
    (S.POLLING, I.OTHER_RECEIVED, BREACH, []),
    (S.POLLING, I.POLL_ARRIVED, S.POLLING, []),
    (S.POLLING, I.WEBSOCKET_LOST, S.POLLING, []),
    (S.POLLING, I.TIME_LIMIT_REACHED, S.POLLING, []),
    (S.POLLING, I.CLIENT_CLOSED, S.OVER, []),
    (S.POLLING, I.SERVER_CLOSED, S.OVER, [A.CLOSE_POLLING]),
    # a WebSocket that has not probed
    (S.ATTACHED, I.WEBSOCKET_ATTACHED, S.ATTACHED, [A.REFUSE_SECOND]),  # 2nd WS while upgrading
    # 2probe -> 3probe, and a pending poll gets 6
    (S.ATTACHED, I.PROBE_RECEIVED, S.PROBED, [A.SEND_PONG_PROBE, A.RELEASE_POLL_WITH_NOOP]),
    (S.ATTACHED, I.UPGRADE_RECEIVED, S.POLLING, [A.CLOSE_PROBE]),  # 5 without probe
    (S.ATTACHED, I.OTHER_RECEIVED, S.POLLING, [A.CLOSE_PROBE]),  # anything else before 5
    (S.ATTACHED, I.POLL_ARRIVED, S.ATTACHED, []),
    (S.ATTACHED, I.WEBSOCKET_LOST, S.POLLING, []),  # ws dies before 5
    (S.ATTACHED, I.TIME_LIMIT_REACHED, S.POLLING, [A.CLOSE_PROBE]),  # no probe within the limit
    (S.ATTACHED, I.CLIENT_CLOSED, S.OVER, [A.CLOSE_PROBE]),  # client 1 by POST
    (S.ATTACHED, I.SERVER_CLOSED, S.OVER, [A.CLOSE_PROBE, A.CLOSE_POLLING]),
    # a WebSocket that has probed
    (S.PROBED, I.WEBSOCKET_ATTACHED, S.PROBED, [A.REFUSE_SECOND]),
    (S.PROBED, I.PROBE_RECEIVED, S.PROBED, [A.SEND_PONG_PROBE]),
    # 5 -> switch; a GET still pending then gets 6
    (S.PROBED, I.UPGRADE_RECEIVED, S.OVER, [A.RELEASE_POLL_WITH_NOOP, A.SWITCH]),
    (S.PROBED, I.OTHER_RECEIVED, S.POLLING, [A.CLOSE_PROBE]),
    (S.PROBED, I.POLL_ARRIVED, S.PROBED, [A.RELEASE_POLL_WITH_NOOP]),  # the noop race
    (S.PROBED, I.WEBSOCKET_LOST, S.POLLING, []),
    (S.PROBED, I.TIME_LIMIT_REACHED, S.POLLING, [A.CLOSE_PROBE]),  # no 5 within the limit
    (S.PROBED, I.CLIENT_CLOSED, S.OVER, [A.CLOSE_PROBE]),
    (S.PROBED, I.SERVER_CLOSED, S.PROBED_CLOSING, []),  # server close during the probe
    # the server waits for 5 to close
    (S.PROBED_CLOSING, I.WEBSOCKET_ATTACHED, S.PROBED_CLOSING, [A.REFUSE_SECOND]),
    (S.PROBED_CLOSING, I.PROBE_RECEIVED, S.PROBED_CLOSING, [A.SEND_PONG_PROBE]),
    (
        S.PROBED_CLOSING,
        I.UPGRADE_RECEIVED,
        S.OVER,
        [A.RELEASE_POLL_WITH_NOOP, A.SWITCH_THEN_CLOSE],
    ),
    (S.PROBED_CLOSING, I.OTHER_RECEIVED, S.OVER, [A.CLOSE_PROBE, A.CLOSE_POLLING]),
    (S.PROBED_CLOSING, I.POLL_ARRIVED, S.PROBED_CLOSING, [A.RELEASE_POLL_WITH_NOOP]),
    (S.PROBED_CLOSING, I.WEBSOCKET_LOST, S.OVER, [A.CLOSE_POLLING]),
    (S.PROBED_CLOSING, I.TIME_LIMIT_REACHED, S.OVER, [A.CLOSE_PROBE, A.CLOSE_POLLING]),
    (S.PROBED_CLOSING, I.CLIENT_CLOSED, S.OVER, [A.CLOSE_PROBE]),
    (S.PROBED_CLOSING, I.SERVER_CLOSED, S.PROBED_CLOSING, []),
    # the end
    (S.OVER, I.WEBSOCKET_ATTACHED, S.OVER, [A.REFUSE_SECOND]),
    (S.OVER, I.PROBE_RECEIVED, S.OVER, []),
    (S.OVER, I.UPGRADE_RECEIVED, S.OVER, []),
    (S.OVER, I.OTHER_RECEIVED, S.OVER, []),
    (S.OVER, I.POLL_ARRIVED, S.OVER, []),
    (S.OVER, I.WEBSOCKET_LOST, S.OVER, []),
    (S.OVER, I.TIME_LIMIT_REACHED, S.OVER, []),
    (S.OVER, I.CLIENT_CLOSED, S.OVER, []),
    (S.OVER, I.SERVER_CLOSED, S.OVER, []),
]


@rows(("state", "happened", "then", "actions"), PAIRS)
def test_a_step_leads_where_the_table_says(
    state: UpgradeState,
    happened: UpgradeInput,
    then: UpgradeState | str,
    actions: list[UpgradeAction],
) -> None:
    upgrade = Upgrade(state)
    if then == BREACH:
        with pytest.raises(ProtocolError, match=happened.name):
            upgrade.receive(happened)
        assert upgrade.state is state
    else:
        assert list(upgrade.receive(happened)) == actions
        assert upgrade.state is then


def test_every_pair_is_asserted_once() -> None:
    assert [(state, happened) for state, happened, _, _ in PAIRS] == list(itertools.product(S, I))


@rows("state", S)
def test_the_queue_waits_between_probe_and_switch(state: UpgradeState) -> None:
    assert Upgrade(state).holds_queue == (state in (S.PROBED, S.PROBED_CLOSING))


@rows(
    ("text", "happened"),
    [
        ("2probe", I.PROBE_RECEIVED),
        ("5", I.UPGRADE_RECEIVED),
        ("2", I.OTHER_RECEIVED),
        ("2other", I.OTHER_RECEIVED),
        ("3probe", I.OTHER_RECEIVED),
        ("4hello", I.OTHER_RECEIVED),
        ("4probe", I.OTHER_RECEIVED),
        ("bAQID", I.OTHER_RECEIVED),
        ("1", I.OTHER_RECEIVED),
    ],
)
def test_packets_on_the_probing_websocket_are_inputs(text: str, happened: UpgradeInput) -> None:
    assert classify(decode_text(text)) is happened


def test_a_client_that_polls_again_after_the_first_noop_is_answered_each_time() -> None:
    upgrade = Upgrade()
    upgrade.receive(I.WEBSOCKET_ATTACHED)
    assert upgrade.receive(I.POLL_ARRIVED) == ()
    assert A.RELEASE_POLL_WITH_NOOP in upgrade.receive(I.PROBE_RECEIVED)
    for _ in range(3):
        assert upgrade.receive(I.POLL_ARRIVED) == (A.RELEASE_POLL_WITH_NOOP,)
    assert upgrade.receive(I.UPGRADE_RECEIVED)[-1] is A.SWITCH


def test_a_new_websocket_may_probe_after_the_first_one_died() -> None:
    upgrade = Upgrade()
    states = []
    for last in (I.WEBSOCKET_LOST, I.UPGRADE_RECEIVED):
        for happened in (I.WEBSOCKET_ATTACHED, I.PROBE_RECEIVED, last):
            upgrade.receive(happened)
        states.append(upgrade.state)
    assert states == [S.POLLING, S.OVER]


@given(st.lists(st.sampled_from(I)))
def test_a_session_switches_at_most_once_and_never_comes_back(happenings: list[I]) -> None:
    upgrade = Upgrade()
    switches = 0
    seen = [upgrade.state]
    for happened in happenings:
        try:
            actions = upgrade.receive(happened)
        except ProtocolError:
            actions = ()
        switches += sum(action in (A.SWITCH, A.SWITCH_THEN_CLOSE) for action in actions)
        seen.append(upgrade.state)
    assert switches <= 1
    if S.OVER in seen:
        assert set(seen[seen.index(S.OVER) :]) == {S.OVER}


def test_the_machine_has_no_dictionary() -> None:
    assert not hasattr(Upgrade(), "__dict__")
