"""The life of one answer: what it has come to, and its one end (docs/protocol, "Answers").

It is asked, starting (while its database starts), queued, running and fetching, in this order, and
then ends; each phase may be left out. Ends are done, error, cancelled, timeout and interrupted.
Rows are taken within the bounds, and what came before an end stays: a cancelled answer shows what
it had.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import attrs
import orjson

from chatd.answers.cut import WHOLE, Cut
from chatd.answers.table import Column, Row
from chatd.wire.codes import EXPLANATIONS, Code, Refusal
from chatd.wire.encoder import encode
from chatd.wire.events import AnswerColumn, AnswerResult, AnswerTable, ErrorDetails
from chatd.wire.names import AnswerOutcome, RowsCut

STATEMENT_CHARS_MAX = 10_000  # code points of a statement that its answer repeats


class AnswerState(StrEnum):
    """How far an answer has come; the words are the wire's, except `asked`."""

    ASKED = "asked"
    STARTING = "starting"
    QUEUED = "queued"
    RUNNING = "running"
    FETCHING = "fetching"
    DONE = "done"
    ERROR = "error"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"


_PHASES = (
    AnswerState.ASKED,
    AnswerState.STARTING,
    AnswerState.QUEUED,
    AnswerState.RUNNING,
    AnswerState.FETCHING,
)
ENDS = frozenset(AnswerState) - frozenset(_PHASES)


@attrs.frozen
class Ending:
    """How an answer ends. `text` is what it says if it is not a table, `retry_after_ms` how long
    until asking again may help. `rows_written` counts the rows that its statement changed, None if
    that is not known."""

    state: AnswerState = AnswerState.DONE
    code: Code | None = None
    sentence: str | None = None
    text: str | None = None
    cut: Cut = WHOLE
    is_cached: bool = False
    retry_after_ms: int | None = None
    rows_written: int | None = None

    @classmethod
    def failed(
        cls, code: Code, sentence: str | None = None, *, retry_after_ms: int | None = None
    ) -> "Ending":
        """It went wrong, or ran out of time; without a sentence, it says the code's own."""
        state = AnswerState.TIMEOUT if code is Code.DB_TIMEOUT else AnswerState.ERROR
        sentence = sentence or EXPLANATIONS[code].sentence
        return cls(state, code, sentence, retry_after_ms=retry_after_ms)

    @classmethod
    def cancelled(cls, *, is_confirmed: bool | None) -> "Ending":
        """Somebody cancelled it. `is_confirmed` is None if nothing had to be stopped for that."""
        sentence = EXPLANATIONS[Code.DB_CANCELLED].sentence
        if is_confirmed is False:
            sentence = "The answer was cancelled; the database did not say that it has stopped."
        return cls(AnswerState.CANCELLED, Code.DB_CANCELLED, sentence)

    @classmethod
    def interrupted(cls) -> "Ending":
        """The daemon stopped, or crashed, before the answer ended."""
        code = Code.DB_INTERRUPTED
        return cls(AnswerState.INTERRUPTED, code, EXPLANATIONS[code].sentence)


class AnswerContent:
    """What an answer holds. `max_bytes` counts rows as JSON; beyond a bound, rows are left out."""

    def __init__(self, max_rows: int, max_bytes: int) -> None:
        self._max_rows = max_rows
        self._bytes_left = max_bytes
        self.state = AnswerState.ASKED
        self.statement: str | None = None
        self.remark: str | None = None  # on the statement (`sql.remarks`)
        self.columns: tuple[Column, ...] | None = None
        self.rows: list[Row] = []
        self.cut = WHOLE
        self.ending: Ending | None = None

    def go_to(self, phase: AnswerState) -> bool:
        """Note that it has reached this phase; False if it was there already, or further, or has
        ended."""
        if phase in ENDS or self.state in ENDS:
            return False
        if _PHASES.index(phase) <= _PHASES.index(self.state):
            return False
        self.state = phase
        return True

    def asks(self, statement: str) -> None:
        """Note the statement that it answers; one that is too long is in the question alone."""
        if 0 < len(statement) <= STATEMENT_CHARS_MAX:
            self.statement = statement

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Set its columns; only the first ones count."""
        if self.columns is None and self.ending is None:
            self.columns = tuple(columns)

    def add_rows(self, rows: Sequence[Row]) -> list[Row]:
        """Take the next rows, and return those that it took: none after its end or before its
        columns."""
        taken: list[Row] = []
        if self.ending is not None or self.columns is None:
            return taken
        for row in rows:
            size = len(orjson.dumps(row))
            if self.cut.rows is not None:
                break
            if len(self.rows) >= self._max_rows or size > self._bytes_left:
                is_long = len(self.rows) >= self._max_rows
                self.cut = Cut(RowsCut.MAX_ROWS if is_long else RowsCut.MAX_BYTES)
                break
            self._bytes_left -= size
            self.rows.append(row)
            taken.append(row)
        return taken

    def end(self, ending: Ending) -> bool:
        """End it like this; False if it has ended already: the first end stands."""
        if self.ending is not None:
            return False
        self.ending = ending
        self.state = ending.state
        self.cut = self.cut.joined(ending.cut)
        return True

    def result(self, elapsed_ms: int) -> AnswerResult:
        """How it has ended."""
        return AnswerResult(**self._result_fields(elapsed_ms))

    def as_json(self, elapsed_ms: int) -> bytes:
        """The `answer` of the message that ends it: how it has ended, and its table."""
        columns = [AnswerColumn(one.name, one.type) for one in self.columns or ()]
        fields = self._result_fields(elapsed_ms)
        return encode(
            AnswerTable(**fields, statement=self.statement, columns=columns, rows=self.rows)
        )

    def _result_fields(self, elapsed_ms: int) -> dict[str, Any]:
        ending, error = self.ending, None
        assert ending is not None
        if ending.code is not None:
            refusal = Refusal(ending.code, ending.sentence, retry_after_ms=ending.retry_after_ms)
            error = ErrorDetails.of(refusal)
        return {
            "state": AnswerOutcome(self.state),
            "row_count": len(self.rows),
            "truncated": bool(self.cut),
            "elapsed_ms": elapsed_ms,
            "cached": ending.is_cached,
            "rows_written": ending.rows_written,
            "cut": self.cut.payload,
            "remark": self.remark,
            "error": error,
        }
