"""Lines that a thread writes: soon, in order, and never at the expense of who emits them."""

import io
import os
import threading

import orjson

from chatd.observe import DaemonStopping, open_log
from chatd.observe.line_writer import WAITING_BYTES_MAX, LineWriter

HARD_LIMIT_S = 40.0


def test_lines_come_in_order_and_all_of_them_by_the_end() -> None:
    stream = io.StringIO()
    log = open_log("json", "info", stream, is_terminal=False)
    with log.in_background():
        for number in range(1000):
            log.record(DaemonStopping(str(number)))
    reasons = [orjson.loads(line)["reason"] for line in stream.getvalue().splitlines()]
    assert reasons == [str(number) for number in range(1000)]
    assert log.lost == 0


def test_settling_waits_for_what_was_emitted() -> None:
    stream = io.StringIO()
    log = open_log("json", "info", stream, is_terminal=False)
    with log.in_background():
        log.record(DaemonStopping("now"))
        log.settle(HARD_LIMIT_S)
        assert '"now"' in stream.getvalue()


def test_a_pipe_that_nobody_reads_stops_nobody_and_loses_what_is_over_the_bound() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        log = open_log("json", "info", stream, is_terminal=False)
        line = DaemonStopping("x" * 10_000)
        with log.in_background():
            while log.lost == 0:  # the pipe is full, then the bound is reached; this never blocks
                log.record(line)
            os.close(reader)  # lets the thread go, with an error


def test_a_broken_stream_costs_its_lines_and_is_tried_again() -> None:
    lost: list[int] = []
    written: list[bytes] = []
    told = threading.Event()

    def write(text: bytes) -> None:
        if text == b"one":
            raise OSError("broken")
        written.append(text)

    def count(lines: int) -> None:
        lost.append(lines)
        told.set()

    writer = LineWriter(write, count)
    writer.put(b"one")
    assert told.wait(HARD_LIMIT_S)
    writer.put(b"two")
    writer.close(HARD_LIMIT_S)
    assert (lost, written) == ([1], [b"two"])


def test_the_bound_counts_what_waits_and_not_what_was_written() -> None:
    written: list[bytes] = []
    writer = LineWriter(written.append, lambda lines: None)
    line = b"x" * (WAITING_BYTES_MAX // 2)
    for _ in range(5):
        writer.put(line)
        assert writer.settle(HARD_LIMIT_S)
    writer.close(HARD_LIMIT_S)
    assert len(written) == 5
