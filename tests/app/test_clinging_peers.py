"""A db-mcp that heeds nothing, and has a daemon of its own: it does not outlive chatd."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.app.daemon import Daemon, House
from tests.app.questions import ended, has_ended

pytestmark = pytest.mark.answers

CLINGING: Final = str(Path(__file__).parents[1] / "answers" / "mcp" / "clinging_peer.py")


@asynccontextmanager
async def clung_to(house: House) -> AsyncIterator[tuple[Daemon, list[int]]]:
    """A daemon whose db-mcp clings to life, and the processes of that, as descriptors."""
    noted = house.path / "pids"
    house.config(
        f"""
        [databases.demo]
        command = ["{sys.executable}", "{CLINGING}", "{noted}"]
        dialect = "sqlite"
        mapping = "chatd"
        credentials = "read-only"
        connections = 1
        """
    )
    daemon = await house.start()
    await daemon.event("database.connected")
    processes = [os.pidfd_open(int(pid)) for pid in noted.read_text().split()]
    assert len(processes) == 2
    try:
        yield daemon, processes
    finally:
        for process in processes:
            os.close(process)


async def test_it_has_ended_when_the_daemon_has_drained(house: House) -> None:
    async with clung_to(house) as (daemon, processes):
        await daemon.stop()
        assert all(map(has_ended, processes))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_it_ends_where_the_daemon_is_killed(house: House, number: signal.Signals) -> None:
    async with clung_to(house) as (daemon, processes):
        daemon.send_signal(number)
        assert await daemon.ended() == -number
        for process in processes:
            await ended(process)


async def test_it_ends_where_a_second_signal_cuts_the_drain_short(house: House) -> None:
    async with clung_to(house) as (daemon, processes):
        daemon.send_signal(signal.SIGTERM)
        await daemon.event("daemon.stopping")
        daemon.send_signal(signal.SIGTERM)
        await daemon.ended()
        for process in processes:
            await ended(process)
