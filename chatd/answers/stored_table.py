"""The table that the message of an answer holds, read back for an export."""

from collections.abc import Sequence

import attrs
import orjson

from chatd.answers.cut import Cut, cut_of_json
from chatd.answers.packed_rows import PackedRows
from chatd.answers.table import Column
from chatd.wire.codes import Code, Refusal
from chatd.wire.names import AnswerOutcome


@attrs.frozen
class StoredTable:
    """The table that a message holds, as far as an export needs it, which may keep it for long."""

    state: str
    columns: Sequence[Column]
    rows: PackedRows
    cut: Cut

    @classmethod
    def of(cls, answer: bytes) -> "StoredTable":
        """Raises `LookupError` or `TypeError` if it is JSON but not a table."""
        told = orjson.loads(answer)
        columns = [Column(one["name"], one["type"]) for one in told["columns"]]
        rows = told["rows"]
        if any(len(row) != len(columns) for row in rows):
            raise LookupError("a row of another width")
        return cls(told["state"], columns, PackedRows.of(rows), cut_of_json(told))

    @property
    def refusal(self) -> Refusal | None:
        """Why there is no file of it: an answer that failed has at most some rows, and nobody knows
        which are missing."""
        return None if self.state == AnswerOutcome.DONE else Refusal(Code.ANSWER_FAILED)
