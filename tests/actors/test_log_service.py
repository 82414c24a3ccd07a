"""The writer of the log as others see it: how long it has been at what it was asked."""

from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from chatd.actors.log_service import LogService
from chatd.actors.pulse import SILENT_S, Pulse
from chatd.store import open_store
from chatd.store.log import Log


@pytest.fixture
async def log(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[LogService]:
    store = open_store(tmp_path, "write")
    log = LogService(store)
    await nursery.start(log.run)
    yield log
    await log.close(60)
    nursery.cancel_scope.cancel()
    store.close()


async def test_it_is_silent_while_its_writer_hangs_and_not_when_nothing_is_asked(
    log: LogService, nursery: trio.Nursery
) -> None:
    def hang(_: object) -> None:
        goes_on.wait(60)

    pulse, goes_on = Pulse(log), Event()
    later_s = trio.current_time() + 2 * SILENT_S
    assert not pulse.is_silent(later_s)
    for _ in range(2):
        nursery.start_soon(log.maintain, hang)
    await wait_all_tasks_blocked()
    assert not pulse.is_silent(trio.current_time())
    assert pulse.is_silent(later_s)
    goes_on.set()
    await log.maintain(lambda _: None)  # in its turn, behind the others
    await wait_all_tasks_blocked()
    assert not pulse.is_silent(later_s)


async def test_a_log_that_is_written_anew_says_so_until_it_is(
    log: LogService, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, rewrite = Event(), Log.rewrite

    def slowly(self: Log) -> None:
        goes_on.wait(60)
        rewrite(self)

    monkeypatch.setattr(Log, "rewrite", slowly)
    assert not log.is_rewriting
    nursery.start_soon(log.rewrite)
    await wait_all_tasks_blocked()
    assert log.is_rewriting
    goes_on.set()
    await log.maintain(lambda _: None)
    await wait_all_tasks_blocked()
    assert not log.is_rewriting
