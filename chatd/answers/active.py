"""An open answer, between what it comes to and the room that sees it.

Its task waits for `news`: that it has to end, for whatever reason, or that nothing more comes.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import trio

from chatd.answers.answer import AnswerContent, AnswerState, Ending
from chatd.answers.sql.talk import Talk
from chatd.answers.table import Column, Row
from chatd.answers.terms import NO_KIND, Bounds
from chatd.chat.records import Message, OpenAnswer
from chatd.wire.codes import Code, HintCode
from chatd.wire.events import AnswerResult

CHUNK_ROWS = 200  # rows of one `chat:answer:rows`


class Display(Protocol):
    """Shows a room how its answers grow."""

    def start(
        self, answer: OpenAnswer, *, read_only: bool, dry_run: bool, deadline_ms: int
    ) -> None: ...

    def status(self, answer: OpenAnswer, phase: str, elapsed_ms: int) -> None: ...

    def rows(
        self, answer: OpenAnswer, index: int, columns: Sequence[Column] | None, rows: Sequence[Row]
    ) -> None: ...

    def end(self, answer: OpenAnswer, result: AnswerResult) -> None: ...

    def drop(self, answer: OpenAnswer) -> None:
        """The answer goes no further here; another node ends it, or nobody does."""

    def hint(self, answer: OpenAnswer, code: HintCode, sentence: str | None) -> None:
        """The message of the answer is talk; only its sender is told so."""


class ActiveAnswer:
    """An open answer, and how its room sees it. It attaches to an execution.

    `message` is the question; None if the answer is left over from before a crash. `is_to_read`:
    nobody knows yet whether the message is a question at all, and the room has been shown nothing.
    """

    def __init__(
        self, of: OpenAnswer, display: Display, bounds: Bounds, message: Message | None
    ) -> None:
        self.of = of
        self.message = message
        self.asked = None if message is None else message.content  # None: it is to be looked up
        self.is_to_read = of.is_to_read
        self.kind = NO_KIND  # what was asked, in a word
        self.ended = trio.Event()
        self.wanted_end: AnswerState | None = None  # cancelled, out of time, or the daemon stops
        self.news = trio.Event()  # it is to end, or nothing more comes
        self.waiting: trio.CancelScope | None = None  # what a cancel or the deadline ends at once
        self.is_confirmed: bool | None = None
        self.is_stored = False  # the message that ends it is in the log
        self.is_overtaken = False  # another node has ended it
        self.cancelled_as: str | None = None  # the question's id as another node's client has it
        self.talk: Talk | None = None  # what the message turned out to be, if not a question
        self.began_s = trio.current_time()
        self.deadline_s = self.began_s + bounds.timeout_s
        self.due_s = math.inf  # until then it waits for slots
        self.content = AnswerContent(bounds.max_rows, bounds.max_bytes)
        self._display = display
        self._index = 0

    @property
    def elapsed_ms(self) -> int:
        return round((trio.current_time() - self.began_s) * 1000)

    def want_end(self, state: AnswerState) -> None:
        """Have it end in this state, unless it ends by itself first."""
        if self.wanted_end is None:
            self.wanted_end = state
            self.news.set()
            if self.waiting is not None:
                self.waiting.cancel()

    def status(self, phase: AnswerState) -> None:
        """It has reached this phase: show the room, if that is news."""
        if self.content.go_to(phase):
            self._display.status(self.of, phase, self.elapsed_ms)

    def columns(self, columns: Sequence[Column]) -> None:
        self.content.set_columns(columns)
        self.status(AnswerState.FETCHING)

    def rows(self, rows: Sequence[Row]) -> None:
        taken = self.content.add_rows(rows)
        for start in range(0, len(taken), CHUNK_ROWS):
            self._show(taken[start : start + CHUNK_ROWS])

    def over(self) -> None:
        self.news.set()

    def start_over(self) -> bool:
        """Wait for news again, from another execution; False if the answer is to end, or has rows
        from the last one: another may give different rows."""
        if self.wanted_end is not None or self.content.rows:
            return False
        self.news = trio.Event()
        return True

    def finish_rows(self) -> None:
        """Show the columns of a result even if it has no rows."""
        if not self._index and self.content.columns is not None:
            self._show(())

    def _show(self, rows: Sequence[Row]) -> None:
        columns = None if self._index else self.content.columns
        self._display.rows(self.of, self._index, columns, rows)
        self._index += 1

    def end_as_wanted(self) -> Ending:
        """The end that was asked for."""
        match self.wanted_end:
            case AnswerState.CANCELLED:
                return Ending.cancelled(is_confirmed=self.is_confirmed)
            case AnswerState.INTERRUPTED:
                return Ending.interrupted()
            case _:
                return Ending.failed(Code.DB_TIMEOUT)
