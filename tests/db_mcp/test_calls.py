"""Calls that are cancelled: what their client is told."""

import pytest
import trio

from chatd.answers.mcp.contract import STOPPED_MESSAGE
from chatd.answers.requests import Request, RunStatement, Terms
from chatd.db_mcp.calls import Calls
from chatd.db_mcp.collecting import Rows
from chatd.db_mcp.feeding import Outcome
from chatd.db_mcp.interrupt import Interrupt, Interrupted


@pytest.mark.parametrize("has_written", [False, True])
async def test_a_stop_is_confirmed_unless_what_was_written_stands(has_written: bool) -> None:
    told: list[str] = []

    async def send(_: int, message: str) -> None:
        told.append(message)

    with trio.CancelScope() as scope:

        def answer(_: Request, terms: Terms, rows: Rows, interrupt: Interrupt) -> Outcome:
            """The stop comes while the server commits, which nothing interrupts."""
            trio.from_thread.run_sync(scope.cancel)
            if not has_written:
                raise Interrupted
            interrupt.has_written = True
            return Outcome(0, rows_written=1)

        await Calls(answer).call(RunStatement("INSERT INTO t VALUES (1)"), Terms(), send)
    assert scope.cancelled_caught
    assert (STOPPED_MESSAGE in told) is not has_written
