"""A daemon whose log nobody reads, and then nobody can."""

import fcntl
import os
import re
import signal
from contextlib import suppress

import trio

from tests.app.client import Client, token_for
from tests.app.daemon import PAUSE_S, START_S, House, fetch_inside
from tests.app.test_internal import QUIET, SECRET, samples

PIPE_BYTES = 4_096  # the smallest pipe that Linux makes


async def test_a_log_that_nobody_reads_or_that_is_gone_holds_up_nobody(
    house: House, nursery: trio.Nursery
) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    daemon = await house.begin(env={**QUIET, "CHATD_LOG__LEVEL": "debug"}, stderr=writing)
    try:
        log = b""
        with trio.fail_after(START_S):
            while b"daemon.started" not in log:
                await trio.lowlevel.wait_readable(reading)
                log += os.read(reading, 65_536)
        [port] = re.findall(rb'"port":(\d+)', log)
        alice = await Client.connect(nursery, int(port), token_for(SECRET, "alice"))
        for number in range(20):  # each of which is two lines, of more than 100 bytes
            assert (await alice.say(f"number {number}"))["ok"]
        filling = os.open(f"/proc/self/fd/{writing}", os.O_WRONLY | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while os.write(filling, b"x"):
                pass
        os.close(filling)
        assert (await alice.say("into a full pipe"))["ok"]
    finally:
        os.close(reading)
        os.close(writing)
    assert (await alice.say("into no pipe at all"))["ok"]
    place = house.state_dir / "internal.sock"
    lost = 0.0
    with trio.fail_after(START_S):
        while lost < 1:
            await trio.sleep(PAUSE_S)
            assert (await alice.say(f"after {lost} lines"))["ok"]
            found = samples((await fetch_inside(place, "/metrics"))[2])
            lost = found[("chatd_log_lines_lost_total",)]
    daemon.send_signal(signal.SIGTERM)
    assert await daemon.ended() == 0
