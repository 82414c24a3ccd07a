"""An answer under way, between what it comes to and the room that watches it.

Its task waits for `news`: that it is to end, for whatever reason, or that nothing more comes.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import trio

from chatd.answers.answer import Answer, Ending, State
from chatd.answers.asking import Bounds
from chatd.answers.table import Column, Row
from chatd.chat.records import Message, OpenAnswer

CHUNK_ROWS = 200  # rows of one `chat:answer:rows`


class Stage(Protocol):
    """Where a room sees its answers grow."""

    def start(
        self, answer: OpenAnswer, *, read_only: bool, dry_run: bool, deadline_ms: int
    ) -> None: ...

    def status(self, answer: OpenAnswer, phase: str, elapsed_ms: int) -> None: ...

    def rows(
        self, answer: OpenAnswer, index: int, columns: Sequence[Column] | None, rows: Sequence[Row]
    ) -> None: ...

    def end(self, answer: OpenAnswer, fields: Mapping[str, object]) -> None: ...


class UnderWay:
    """What is known of an answer, and how it is told. A `Listener` of a run.

    `message` is the question; None where it is left over from before a crash. `is_to_read`: nobody
    has read yet whether it is a question at all, and the room was told nothing.
    """

    def __init__(
        self, of: OpenAnswer, stage: Stage, bounds: Bounds, message: Message | None
    ) -> None:
        self.of = of
        self.message = message
        self.is_to_read = of.is_to_read
        self.ended = trio.Event()
        self.wanted_end: State | None = None  # cancelled, out of time, or the daemon stops
        self.news = trio.Event()  # it is to end, or nothing more comes
        self.waiting: trio.CancelScope | None = None  # it waits for a place
        self.is_confirmed: bool | None = None
        self.began_s = trio.current_time()
        self.deadline_s = self.began_s + bounds.timeout_s
        self.answer = Answer(bounds.max_rows, bounds.max_bytes)
        self._stage = stage
        self._index = 0

    @property
    def elapsed_ms(self) -> int:
        return round((trio.current_time() - self.began_s) * 1000)

    def want_end(self, state: State) -> None:
        """It is to end like this, unless it ends by itself before."""
        if self.wanted_end is None:
            self.wanted_end = state
            self.news.set()
            if self.waiting is not None:
                self.waiting.cancel()

    def status(self, phase: State) -> None:
        """It has come so far."""
        if self.answer.go_to(phase):
            self._stage.status(self.of, phase, self.elapsed_ms)

    def running(self) -> None:
        self.status(State.RUNNING)

    def columns(self, columns: Sequence[Column]) -> None:
        self.answer.set_columns(columns)
        self.status(State.FETCHING)

    def rows(self, rows: Sequence[Row]) -> None:
        taken = self.answer.add_rows(rows)
        for start in range(0, len(taken), CHUNK_ROWS):
            self._show(taken[start : start + CHUNK_ROWS])

    def over(self) -> None:
        self.news.set()

    def start_over(self) -> bool:
        """Wait for news again, of another run; False where it is to end, or has rows of the last:
        another one may give others."""
        if self.wanted_end is not None or self.answer.rows:
            return False
        self.news = trio.Event()
        return True

    def finish_rows(self) -> None:
        """A result without rows has its columns shown all the same."""
        if not self._index and self.answer.columns is not None:
            self._show(())

    def _show(self, rows: Sequence[Row]) -> None:
        columns = None if self._index else self.answer.columns
        self._stage.rows(self.of, self._index, columns, rows)
        self._index += 1

    def end_as_wanted(self) -> Ending:
        """The end that was wished for."""
        match self.wanted_end:
            case State.CANCELLED:
                return Ending.cancelled(is_confirmed=self.is_confirmed)
            case State.INTERRUPTED:
                return Ending.interrupted()
            case _:
                return Ending.timeout()
