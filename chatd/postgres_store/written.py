"""Rows of messages as they were first written; a message that is sent again is compared with them.
Their columns are in the same order as in SQLite, and read by the same rules."""

from collections.abc import Sequence
from typing import Any, Final

from chatd.chat.records import Message
from chatd.store.rows import MESSAGE_WIDTH, message_from_row

WRITTEN_COLUMNS: Final = """
    m.message_id, r.connection_id, m.seq, m.user_id, m.name, m.content,
    convert_to(m.context, 'UTF8'), m.thread_id, m.timestamp_ms, m.reply_to,
    convert_to(m.answer, 'UTF8')
"""
WRITTEN_WIDTH: Final = 11
SELECT_WRITTEN: Final = f"""
    SELECT {WRITTEN_COLUMNS} FROM unnest(%s::bytea[], %s::bytea[]) b(first, last)
    JOIN messages m ON m.message_id BETWEEN b.first AND b.last JOIN rooms r USING (room_id)
    ORDER BY m.message_id
"""
"""The messages of ids, each between the two bounds of `chatd.store.rows.ids_from`."""


def written_from_row(row: Sequence[Any]) -> Message:
    """The message in such a row."""
    return message_from_row((*row, *[None] * (MESSAGE_WIDTH - WRITTEN_WIDTH)))
