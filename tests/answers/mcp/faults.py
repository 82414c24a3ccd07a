"""What `fake_peer` does to a question, and the one end that the question has to reach."""

from collections.abc import Mapping
from typing import Final

import attrs


@attrs.frozen
class End:
    """A state, the code of its error, and the rows that came."""

    state: str
    code: str | None = None
    rows: int = 0
    is_truncated: bool = False


DONE: Final = End("done", rows=3)
BROKEN: Final = End("error", "db_error")
GONE: Final = End("error", "db_unavailable")

FAULTS: Final[Mapping[str, End]] = {
    "rows": DONE,
    "out_of_order": DONE,
    "progress_without_a_message": DONE,
    "a_chunk_is_missing": End("error", "db_error", rows=1),
    "a_chunk_is_garbage": End("error", "db_error", rows=1),
    "a_chunk_is_wide": BROKEN,
    "endless_progress": End("error", "db_error", rows=1),
    "endless_rows": End("done", rows=1000, is_truncated=True),
    "endless_logs": BROKEN,
    "endless_requests": BROKEN,
    "error": End("error", "db_syntax"),
    "coded_error": End("error", "db_read_only"),
    "lost_database": GONE,
    "protocol_error": BROKEN,
    "wrong_schema": BROKEN,
    "wrong_document": BROKEN,
    "garbage": BROKEN,
    "garbage_and_no_end": BROKEN,
    "half_json": GONE,
    "deep_json": BROKEN,
    "huge": BROKEN,
    "gigabyte": BROKEN,
    "gigabyte_of_rows": End("done", rows=26, is_truncated=True),  # of 10,004 bytes, in 262,144
    "endless_line": BROKEN,
    "large_chunks": End("done", rows=5),
    "large": End("done", rows=260, is_truncated=True),
    "die": GONE,
    "die_in_the_middle": End("error", "db_unavailable", rows=1),
}


def statement(fault: str) -> str:
    """A statement that passes the guard, and has the peer do this."""
    return f"SELECT '{fault}'"
