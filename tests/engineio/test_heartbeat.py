import math

import pytest

from chatd.engineio.heartbeat import Heartbeat, HeartbeatAction, HeartbeatSettings
from tests.rows import rows

SETTINGS = HeartbeatSettings(interval_s=0.3, timeout_s=0.2)

NOTHING = HeartbeatAction.NOTHING
PING = HeartbeatAction.SEND_PING
TIMED_OUT = HeartbeatAction.TIMED_OUT
PONG = "pong"
Script = list[tuple[float, HeartbeatAction | str]]


def play(script: Script, settings: HeartbeatSettings = SETTINGS) -> Heartbeat:
    """Each line is a moment and either a pong or what the deadline must answer then."""
    heartbeat = Heartbeat(settings, 0.0)
    for now, line in script:
        if line == PONG:
            heartbeat.on_pong(now)
        else:
            assert heartbeat.on_deadline(now) is line, f"at {now}"
    return heartbeat


@rows(
    "script",
    [
        pytest.param([(0.0, NOTHING), (0.29, NOTHING), (0.3, PING)], id="first ping"),
        pytest.param(
            [
                (0.30, PING),
                (0.35, PONG),
                (0.64, NOTHING),
                (0.65, PING),
                (0.71, PONG),
                (1.00, NOTHING),
                (1.01, PING),
            ],
            id="the interval counts from the pong",
        ),
        pytest.param(
            [(0.2, PONG), (0.3, NOTHING), (0.49, NOTHING), (0.5, PING)],
            id="an unsolicited pong re-arms the interval",
        ),
        pytest.param([(0.3, PING), (0.3, NOTHING), (0.49, NOTHING)], id="asking again is harmless"),
        pytest.param(
            [(0.3, PING), (0.31, PONG), (0.32, PONG), (0.61, NOTHING), (0.62, PING)],
            id="two pongs",
        ),
    ],
)
def test_pings_come_an_interval_after_opening_or_pong(script: Script) -> None:
    play(script)


def test_silence_after_a_ping_ends_in_a_ping_timeout() -> None:
    heartbeat = play([(0.3, PING), (0.49, NOTHING), (0.5, TIMED_OUT)])
    assert heartbeat.next_deadline_s == math.inf


def test_a_late_pong_does_not_revive() -> None:
    heartbeat = play([(0.3, PING), (0.5, TIMED_OUT), (0.51, PONG), (0.9, NOTHING)])
    assert heartbeat.next_deadline_s == math.inf


def test_a_session_is_dead_interval_and_timeout_after_opening_though_its_timer_was_late() -> None:
    play([(0.31, PING), (0.5, TIMED_OUT)])


def test_a_ping_that_was_sent_much_too_late_leaves_the_client_its_time() -> None:
    play([(5.0, PING), (5.17, NOTHING), (5.18, TIMED_OUT)])
    play([(5.0, PING), (5.17, PONG), (5.46, NOTHING), (5.47, PING)])


def test_the_next_deadline_tells_when_to_ask() -> None:
    heartbeat = Heartbeat(HeartbeatSettings(interval_s=25, timeout_s=20), 100.0)
    assert (heartbeat.next_deadline_s, heartbeat.awaiting_pong) == (125.0, False)
    assert heartbeat.on_deadline(125.0) is PING
    assert (heartbeat.next_deadline_s, heartbeat.awaiting_pong) == (145.0, True)
    heartbeat.on_pong(126.0)
    assert (heartbeat.next_deadline_s, heartbeat.awaiting_pong) == (151.0, False)


def test_a_heartbeat_has_no_dictionary() -> None:
    assert not hasattr(Heartbeat(SETTINGS, 0.0), "__dict__")


@rows(("interval_s", "timeout_s"), [(0, 1), (1, 0), (-1, 1)])
def test_interval_and_timeout_are_positive(interval_s: float, timeout_s: float) -> None:
    with pytest.raises(ValueError, match="must be > 0"):
        HeartbeatSettings(interval_s=interval_s, timeout_s=timeout_s)
