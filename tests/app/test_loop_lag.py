"""How late the event loop is."""

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.app.loop_lag import PROBE_S, watch_loop


async def test_a_loop_is_as_late_as_its_timer(mock_clock: MockClock, nursery: trio.Nursery) -> None:
    lags: list[float] = []
    nursery.start_soon(watch_loop, lags.append)
    for late_s in (0.0, 1.5, 0.0):
        await wait_all_tasks_blocked()
        mock_clock.jump(PROBE_S + late_s)
    await wait_all_tasks_blocked()
    assert lags == [0.0, 1.5, 0.0]
