"""Following the log live: nothing while nobody looks, and no more than a follower may be owed."""

import json
from pathlib import Path
from typing import Any

import trio

from chatd.observe import DaemonStopping, Level, MessageReceived
from chatd.observe.events import EventLog, LogEvent
from chatd.observe.recorder import Recorder
from chatd.observe.tap import FOLLOWERS_MAX, LINES_MAX, EventTap


class Source:
    """What hands events on."""

    def __init__(self, log: EventLog) -> None:
        self.log = log

    def pass_to(self, log: EventLog) -> None:
        self.log = log

    def record(self, event: LogEvent) -> None:
        self.log.record(event)


def parsed(lines: bytes) -> list[Any]:
    return [json.loads(line) for line in lines.splitlines()]


async def test_it_stands_in_the_way_of_events_only_while_somebody_follows() -> None:
    log = Recorder()
    source = Source(log)
    tap = EventTap(source, log)
    source.record(DaemonStopping("before"))
    assert source.log is log
    follower = tap.follow(Level.INFO)
    assert follower is not None
    source.record(DaemonStopping("now"))
    [line] = parsed(await follower.lines(5))
    assert (line["event"], line["level"], line["reason"]) == ("daemon.stopping", "info", "now")
    tap.leave(follower)
    tap.leave(follower)
    assert source.log is log
    assert len(log.events) == 2


async def test_events_that_come_together_are_shown_each() -> None:
    log = Recorder()
    tap = EventTap(Source(log), log)
    follower = tap.follow(Level.INFO)
    assert follower is not None
    tap.record_all([DaemonStopping("one"), DaemonStopping("two")])
    assert [line["reason"] for line in parsed(await follower.lines(1))] == ["one", "two"]
    assert [event.reason for event in log.of(DaemonStopping)] == ["one", "two"]


async def test_a_drain_ends_those_who_would_hold_it_up_and_nobody_else() -> None:
    log = Recorder()
    tap = EventTap(Source(log), log)
    page = tap.follow(Level.INFO, ends_with_drain=True)
    operator = tap.follow(Level.INFO)
    assert page is not None
    assert operator is not None
    tap.record(DaemonStopping("now"))
    tap.drain()
    assert [line["reason"] for line in parsed(await page.lines(5))] == ["now"]
    assert (page.is_over, operator.is_over) == (True, False)
    tap.leave(page)
    assert tap.follow(Level.INFO, ends_with_drain=True) is None  # as pages come back at once
    assert tap.follow(Level.INFO) is not None


async def test_what_is_below_its_level_is_not_shown() -> None:
    log = Recorder()
    source = Source(log)
    tap = EventTap(source, log)
    follower = tap.follow(Level.INFO)
    assert follower is not None
    source.record(MessageReceived("log-id", "ada", "demo", "id"))
    assert len(log.events) == 1
    assert await follower.lines(0.01) == b""


async def test_who_does_not_keep_up_loses_the_oldest_lines_and_is_told_how_many() -> None:
    log = Recorder()
    source = Source(log)
    tap = EventTap(source, log)
    slow = tap.follow(Level.INFO)
    assert slow is not None
    for number in range(LINES_MAX + 7):
        source.record(DaemonStopping(str(number)))
    first, second, *rest = parsed(await slow.lines(5))
    assert (first["event"], first["count"]) == ("log.left_out", 7)
    assert second["reason"] == "7"
    assert len(rest) == LINES_MAX - 1


async def test_no_more_follow_than_may() -> None:
    log = Recorder()
    tap = EventTap(Source(log), log)
    followers = [tap.follow(Level.INFO) for _ in range(FOLLOWERS_MAX)]
    assert tap.follow(Level.INFO) is None
    assert followers[0] is not None
    tap.leave(followers[0])
    assert tap.follow(Level.INFO) is not None


async def test_events_of_threads_go_to_the_log_alone(tmp_path: Path) -> None:
    log = Recorder()
    source = Source(log)
    tap = EventTap(source, log)
    follower = tap.follow(Level.INFO)
    assert follower is not None
    await trio.to_thread.run_sync(source.record, DaemonStopping("in a thread"))
    assert len(log.events) == 1
    assert await follower.lines(0.01) == b""
