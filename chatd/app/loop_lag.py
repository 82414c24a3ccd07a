"""How late the event loop is: how long everybody waits while one task keeps the processor.

A timer is set, and the loop is as late as the timer wakes too late. No message is measured on its
way. A loop that is stuck for longer than `PROBE_S` is always seen; shorter delays are sampled.
"""

from collections.abc import Callable
from typing import Final

import trio

PROBE_S: Final = 0.25
"""Seconds between two looks: four wake-ups a second cost nothing, and a delay that people feel is
seen."""


async def watch_loop(lagged: Callable[[float], None]) -> None:
    """Tell `lagged` by how many seconds a timer was late, again and again, until cancelled."""
    while True:
        due_s = trio.current_time() + PROBE_S
        await trio.sleep_until(due_s)
        lagged(max(0.0, trio.current_time() - due_s))
