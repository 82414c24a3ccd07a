"""Messages as statements select them, in the columns that `chatd.store.rows` makes messages of.

A statement names messages `m`, their rooms `r`, their changed states `c`, their mentions `n`.
"""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from chatd.chat.records import Message
from chatd.postgres_store.written import WRITTEN_COLUMNS, WRITTEN_WIDTH
from chatd.store.message_reader import REPLIES_MAX, REPLY_USERS_AMONG, KnownMessage, Replies
from chatd.store.rows import MESSAGE_WIDTH, message_from_row

MESSAGE_COLUMNS: Final = f"""
    {WRITTEN_COLUMNS}, c.seq, c.rev, c.at_ms, c.edited_rev, c.edited_ms, c.content, c.deleted_ms,
    c.reactions::text, n.users::text
"""
"""A message as it is today, by `CHANGED` and `MENTIONED`."""
FIRST_COLUMNS: Final = WRITTEN_COLUMNS + ", NULL" * (MESSAGE_WIDTH - WRITTEN_WIDTH)
"""A message as it was first written, whatever became of it."""
CHANGED: Final = "LEFT JOIN changed c ON c.room_id = m.room_id AND c.seq = m.seq"
MENTIONED: Final = "LEFT JOIN mentions n ON n.room_id = m.room_id AND n.seq = m.seq"

_IN_THREAD: Final = """
    FROM messages t WHERE t.room_id = m.room_id AND t.thread_id = substr(m.message_id, 1, 16)
"""
# For a message that opened a thread: how many replies it has, and the newest ones as [seq, userId].
_REPLIES: Final = f"""
    CASE WHEN m.thread_id IS NULL THEN
        (SELECT count(*) FROM (SELECT {_IN_THREAD} LIMIT {REPLIES_MAX}) t) END,
    CASE WHEN m.thread_id IS NULL THEN
        (SELECT json_agg(json_build_array(t.seq, t.user_id) ORDER BY t.seq DESC)::text
         FROM (SELECT t.seq, t.user_id {_IN_THREAD}
               ORDER BY t.seq DESC LIMIT {REPLY_USERS_AMONG}) t) END
"""
SHOWN_COLUMNS: Final = f"{MESSAGE_COLUMNS}, m.delivered_by IS NOT NULL, {_REPLIES}"
"""A message as pages show it: its own columns, whether it was delivered, and its replies."""
SHOWN_WIDTH: Final = MESSAGE_WIDTH + 3
ANSWER_AT: Final = WRITTEN_WIDTH - 1
"""The index of the answer's column among them."""

SIZE: Final = """
    CASE WHEN c.deleted_ms IS NOT NULL THEN 0
         ELSE octet_length(coalesce(c.content, m.content)) END
    + coalesce(octet_length(m.answer), 0)
"""
"""How much a message counts towards the bytes of a page, as long as its answer has all its rows.

No content is read for it: a value that is stored separately has its length in the reference to
it."""


def as_text(value: str) -> str | None:
    """A parameter that is compared with a text: null, which equals nothing, if it contains a NUL,
    since no text in PostgreSQL does."""
    return None if "\0" in value else value


def known_message(row: Sequence[Any], answer_rows: int | None) -> KnownMessage:
    """The message in a row of `SHOWN_COLUMNS`; columns after these are not looked at."""
    is_delivered, count, newest = row[MESSAGE_WIDTH:SHOWN_WIDTH]
    replies = None if newest is None else Replies.of(count, orjson.loads(newest))
    return KnownMessage(message_from_row(row, answer_rows), is_delivered, replies)


def message(row: Sequence[Any]) -> Message:
    """The message in a row of `MESSAGE_COLUMNS` or `FIRST_COLUMNS`."""
    return message_from_row(row)
