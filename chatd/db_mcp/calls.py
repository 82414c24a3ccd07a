"""Calls of tools on Trio: each in a thread of its own, stopped when cancelled or out of time.

It knows no MCP. Stopping a call interrupts it, and then waits for its end, so that nothing runs on.
If a statement does not heed the interrupt within `STUCK_S`, the process ends: that stops
everything here. What a server of Postgres still does then is watched by the daemon
(`answers.mcp.running_on`).
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from chatd.answers.mcp.contract import STOPPED_MESSAGE, Field, columns_as_json
from chatd.answers.requests import (
    DatabaseFailed,
    DescribeTable,
    ListColumns,
    ListTables,
    Request,
    Terms,
)
from chatd.db_mcp.collecting import ChunkedRows, KeptRows, Rows
from chatd.db_mcp.feeding import Outcome
from chatd.db_mcp.interrupt import Interrupt, Interrupted
from chatd.wire.codes import Code
from chatd.wire.encoder import plain

STATEMENTS_MAX = 12
"""How many statements run at a time; more wait their turn, on their own time."""
LOOKS_MAX = 4
"""How many questions about tables are answered at a time, however many statements run."""
STUCK_S = 5.0
"""How long a statement may go on after it was told to stop."""
NOTICE_S = 1.0
"""How long the notice of a stop may take to be written."""
EXIT_STUCK = 70

Send = Callable[[int, str], Awaitable[None]]
"""Sends a progress notification: how far it is, and the message."""
Answer = Callable[[Request, Terms, Rows, Interrupt], Outcome]
"""Carries a request out in the thread that calls it, and feeds its rows to `Rows`.

Raises `DatabaseFailed`; `Interrupted` if it was stopped, once nothing of it runs any more. The
caller keeps the time in the terms, and stops the call through the interrupt.
"""


@attrs.define
class Calls:
    """Answers the calls of one client about one database."""

    _answer: Answer
    _statements: trio.CapacityLimiter = attrs.field(
        factory=lambda: trio.CapacityLimiter(STATEMENTS_MAX)
    )
    _looks: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(LOOKS_MAX))

    async def call(self, request: Request, terms: Terms, send: Send | None) -> dict[str, Any]:
        """The result of a call, by the fields of the contract. Raises `DatabaseFailed`.

        With `send` the rows go out in chunks while they are read. If cancelled, it waits until
        nothing runs any more, says so through `send`, and only then ends. It says nothing if what
        the call wrote stands: who is told that it was stopped would have it done again.
        """
        progress, interrupt = _Progress(send), Interrupt()
        result: dict[str, Any] | None = None
        try:
            result = await self._run(request, terms, progress, interrupt)
        except* trio.Cancelled:  # alone, or together with the one of the nursery inside
            pass
        if result is None:
            if not interrupt.has_written:
                with trio.CancelScope(deadline=trio.current_time() + NOTICE_S, shield=True):
                    await progress.send_next(STOPPED_MESSAGE)
            await trio.sleep_forever()  # which is cancelled at once
        return result

    async def _run(
        self, request: Request, terms: Terms, progress: "_Progress", interrupt: Interrupt
    ) -> dict[str, Any]:
        is_look = isinstance(request, ListTables | ListColumns | DescribeTable)
        rows = KeptRows() if progress.send is None else ChunkedRows(progress.send_from_thread)

        def read() -> Outcome | DatabaseFailed | None:
            # Failures are values here: a nursery would wrap exceptions in a group.
            try:
                outcome = self._answer(request, terms, rows, interrupt)
            except DatabaseFailed as failure:
                return failure
            except Interrupted:
                return None
            if isinstance(rows, ChunkedRows):
                rows.finish()
            return outcome

        ended: Outcome | DatabaseFailed | None = None
        # If the client does not take a chunk, the scope gives it up.
        with trio.move_on_after(terms.timeout_s):
            async with _interrupting(interrupt):
                # Not abandoned when cancelled: something runs until the interrupt ends it.
                ended = await trio.to_thread.run_sync(
                    read, limiter=self._looks if is_look else self._statements
                )
        match ended:
            case Outcome():
                return _result(ended, rows)
            case DatabaseFailed():
                raise ended
            case None:
                await trio.lowlevel.checkpoint_if_cancelled()
                raise DatabaseFailed(Code.DB_TIMEOUT)


class _Progress:
    """Sends the progress of one call."""

    def __init__(self, send: Send | None) -> None:
        self.send = send
        self._count = 0

    async def send_next(self, message: str) -> None:
        """Send the next message, if the caller wants any."""
        if self.send is not None:
            self._count += 1
            await self.send(self._count, message)

    def send_from_thread(self, message: str) -> None:
        """As `send_next`, from the thread of the call; waits until the client takes it."""
        trio.from_thread.run(self.send_next, message)


@asynccontextmanager
async def _interrupting(interrupt: Interrupt) -> AsyncIterator[None]:
    """While the block runs, a cancellation stops what `interrupt` reaches, and waits for its
    end."""
    ended = trio.CancelScope(shield=True)

    async def watch() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with ended:
                with trio.move_on_after(STUCK_S):
                    # In a thread, as the stop may need another connection to the database.
                    await trio.to_thread.run_sync(interrupt.stop, abandon_on_cancel=True)
                    await trio.sleep_forever()
                os._exit(EXIT_STUCK)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        try:
            yield
        finally:
            ended.cancel()
            nursery.cancel_scope.cancel()


def _result(outcome: Outcome, rows: Rows) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if isinstance(rows, KeptRows):
        result[Field.COLUMNS.value] = columns_as_json(rows.header)
        result[Field.ROWS.value] = rows.kept
    result[Field.ROW_COUNT.value] = outcome.row_count
    result[Field.TRUNCATED.value] = outcome.is_truncated
    if (cut := outcome.cut.payload) is not None:
        result[Field.CUT.value] = plain(cut)
    if isinstance(rows, ChunkedRows):
        result[Field.CHUNKS.value] = rows.sent
    if outcome.rows_written is not None:
        result[Field.ROWS_WRITTEN.value] = outcome.rows_written
    return result
