"""What is known of a server from outside, and what is not."""

import os
import sys
from pathlib import Path

import trio

from chatd.bench.results import Server
from chatd.bench.server_watch import Look, ServerWatch, of_metrics, spent

METRICS = """\
# TYPE chatd_loop_lag_seconds histogram
chatd_loop_lag_seconds_bucket{le="0.001"} 90.0
chatd_loop_lag_seconds_bucket{le="0.01"} 100.0
chatd_loop_lag_seconds_bucket{le="+Inf"} 100.0
chatd_loop_lag_seconds_sum 1.0
chatd_loop_lag_seconds_count 100.0
# TYPE chatd_tasks gauge
chatd_tasks 31.0
# TYPE process_cpu_seconds counter
process_cpu_seconds_total 2.5
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 1e+08
# TYPE process_open_fds gauge
process_open_fds 20.0
# TYPE other gauge
other{label="x"} 5.0
"""


def test_metrics_are_read() -> None:
    look = of_metrics(1.0, METRICS)
    assert (look.cpu_s, look.memory_bytes, look.descriptors, look.tasks) == (2.5, 1e8, 20, 31)
    assert look.lags == {0.001: 90, 0.01: 100, float("inf"): 100}


def test_what_are_no_metrics_says_nothing() -> None:
    assert of_metrics(1.0, "<html>{ nonsense") == Look(1.0)
    assert of_metrics(1.0, 'chatd_loop_lag_seconds_bucket{x="y"} 1\n') == Look(1.0)


def test_two_looks_have_a_difference() -> None:
    before = Look(10.0, 1.0, 1e8, 5, 3, {0.001: 10, 0.01: 10, float("inf"): 10})
    after = Look(12.0, 2.0, 2e8, 6, 4, {0.001: 10, 0.01: 110, float("inf"): 110})
    assert spent(before, after, 1000) == Server(0.5, 2e8, 1e5, 6, 4, 10.0)
    assert spent(before, after) == Server(0.5, 2e8, None, 6, 4, 10.0)


def test_what_is_not_known_is_not_guessed() -> None:
    nothing, some = Look(0.0), Look(1.0, memory_bytes=5.0)
    assert spent(nothing, nothing) is None
    assert spent(nothing, some, 10) == Server(memory_bytes=5.0)
    endless = Look(1.0, tasks=1, lags={0.01: 0, float("inf"): 5})
    assert spent(nothing, endless) == Server(tasks=1)


async def test_the_system_tells_of_a_process_and_metrics_that_are_not_there_are_not() -> None:
    look = await ServerWatch(os.getpid(), "http://127.0.0.1:1/metrics").look()
    assert look.cpu_s is not None
    assert look.memory_bytes is not None
    assert look.descriptors is not None
    assert look.tasks is None


async def test_of_a_process_that_has_ended_nothing_is_known(tmp_path: Path) -> None:
    ended = await trio.lowlevel.open_process([sys.executable, "-c", ""])
    await ended.wait()
    look = await ServerWatch(ended.pid, f"unix:{tmp_path}/no.sock").look()
    assert (look.cpu_s, look.memory_bytes, look.descriptors) == (None, None, None)
