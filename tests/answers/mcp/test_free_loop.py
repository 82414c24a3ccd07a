"""The event loop is free, whatever a db-mcp sends: measured where it cannot be fooled.

An instrument of Trio counts the processor time that the loop's thread spends in each step of a task
(`time.thread_time`): the longest is how long everybody else in the daemon would wait for it. Other
processes on the machine, and threads beside, do not count, so that the figure is the code's own.
The longest that was seen is 2.8 ms, in the parsing of a message of 900 KB; the bound is generous.
"""

import gc
import time
from collections.abc import Iterator
from typing import Final

import attrs
import pytest
import trio

from chatd.answers.terms import Bounds
from tests.answers.mcp.faults import FAULTS, End, statement
from tests.answers.mcp.pools import LIMIT_S, fake, running
from tests.answers.services import open_service

STEP_MAX_S: Final = 0.1
BOUNDS: Final = Bounds(max_rows=1_000, max_bytes=262_144, timeout_s=30.0)


@pytest.fixture(autouse=True)
def _only_what_is_new_is_collected() -> Iterator[None]:
    """As in the daemon, which freezes what its start left behind: here that is what other tests
    left, and to look through it takes the collector longer than all that is measured."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@attrs.define(eq=False)
class Longest(trio.abc.Instrument):  # type: ignore[misc]  # untyped there
    """The longest step of any task so far, and whose it was."""

    step_s: float = 0.0
    name: str = ""
    _began_s: float = attrs.field(factory=time.thread_time)  # it is made within a step

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began_s = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        took_s = time.thread_time() - self._began_s
        if took_s > self.step_s:
            self.step_s, self.name = took_s, task.name


async def test_the_instrument_sees_a_step_that_is_too_long() -> None:
    longest = Longest()
    trio.lowlevel.add_instrument(longest)
    await trio.lowlevel.checkpoint()
    until_s = time.thread_time() + 2 * STEP_MAX_S
    while time.thread_time() < until_s:
        pass
    await trio.lowlevel.checkpoint()
    trio.lowlevel.remove_instrument(longest)
    assert longest.step_s > STEP_MAX_S
    assert "too_long" in longest.name


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_answer_of_a_peer_holds_the_loop(fault: str) -> None:
    async with running(fake()) as peer, open_service(peer.database, bounds=BOUNDS) as service:
        with trio.fail_after(LIMIT_S):
            await service.ended(service.store(statement("rows")))  # all is imported
            longest = Longest()
            trio.lowlevel.add_instrument(longest)
            came = await service.ended(service.store(statement(fault)))
            trio.lowlevel.remove_instrument(longest)
    # The figure itself, for who asks for it by pytest -s.
    print(f"{fault}: {longest.step_s * 1000:.1f} ms in {longest.name}")  # noqa: T201 - that is its purpose
    code = came["error"]["code"] if "error" in came else None
    assert End(came["state"], code, len(came["rows"]), came["truncated"]) == FAULTS[fault]
    assert longest.step_s < STEP_MAX_S
