"""A call of a tool that waits for a session, or runs in one."""

from collections.abc import Sequence

import attrs
import trio

from chatd.answers.mcp.calls import ToolCall
from chatd.answers.requests import (
    Answered,
    DatabaseFailed,
    PacedSink,
    Sink,
    Stopped,
    Terms,
    WatchingSink,
)
from chatd.answers.table import Column, Row


@attrs.define(eq=False)
class PooledCall:
    """A call that waits or runs. It is the sink of its rows until the caller has gone; `watcher` is
    told later too whether it runs on."""

    call: ToolCall
    terms: Terms
    sink: Sink | None
    watcher: WatchingSink | None = attrs.field(init=False)
    stop: trio.Event = attrs.field(factory=trio.Event)
    done: trio.Event = attrs.field(factory=trio.Event)
    outcome: Answered | Stopped | DatabaseFailed | None = None
    is_repeated: bool = False

    def __attrs_post_init__(self) -> None:
        self.watcher = self.sink if isinstance(self.sink, WatchingSink) else None

    def columns(self, columns: Sequence[Column]) -> None:
        if self.sink is not None:
            self.sink.columns(columns)

    def rows(self, rows: Sequence[Row]) -> None:
        if self.sink is not None:
            self.sink.rows(rows)

    async def caught_up(self) -> None:
        if isinstance(self.sink, PacedSink):
            await self.sink.caught_up()

    def end(self, outcome: Answered | Stopped | DatabaseFailed) -> None:
        """The first end counts."""
        if self.outcome is None:
            self.outcome = outcome
            self.done.set()
