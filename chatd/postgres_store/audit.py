"""The audit of a log in PostgreSQL, as `chatd audit` reads it, by the rules of
`chatd.store.audit`."""

from collections.abc import Iterator
from typing import Any, Final

import psycopg

from chatd.chat.audit import AuditEntry
from chatd.postgres_store.long_session import long_session, require_log
from chatd.postgres_store.sessions import LogAddress
from chatd.store.audit import ENTRIES_WITH_ENDS, AuditQuery, entry_of

_ENTRIES: Final = f"""
    SELECT * FROM ({ENTRIES_WITH_ENDS}
        UNION ALL
        SELECT NULL, n.opened_ms, 'ask', n.user_id, 'open', n.address, r.connection_id,
               encode(n.question_id, 'hex'), m.content, NULL, NULL, NULL, NULL, NULL, NULL
        FROM answers n JOIN rooms r USING (room_id)
        LEFT JOIN messages m ON m.message_id = n.question_id
        WHERE n.state IS NULL AND NOT n.is_to_read) entries
    WHERE (%(room)s::text IS NULL OR room = %(room)s)
      AND (%(user)s::text IS NULL OR user_id = %(user)s OR target = %(user)s)
      AND (%(since)s::bigint IS NULL OR at_ms >= %(since)s)
      AND (%(until)s::bigint IS NULL OR at_ms < %(until)s)
    ORDER BY at_ms, position IS NULL, position
"""


def look_at_postgres_audit(address: LogAddress, query: AuditQuery) -> list[AuditEntry]:
    """The entries in the log at `address`, whether a daemon runs or not. Raises `DatabaseUnfit`,
    `StoreTooOld`, `StoreUnavailable`."""
    with long_session(address) as connection:
        require_log(connection, address.schema)
        return list(read_audit(connection, query))


def read_audit(connection: "psycopg.Connection[Any]", query: AuditQuery) -> Iterator[AuditEntry]:
    """As `chatd.store.audit.read_audit`. Raises `psycopg.Error`."""
    narrowed = {
        "room": query.connection_id,
        "user": query.user_id,
        "since": query.since_ms,
        "until": query.until_ms,
    }
    for row in connection.execute(_ENTRIES, narrowed):
        entry = entry_of(*row[1:])
        if entry is not None:
            yield entry
