"""The audit in a log in PostgreSQL, read by `chatd audit`; by the rules of `chatd.store.audit`."""

from typing import Final

import psycopg

from chatd.chat.audit import AuditEntry
from chatd.postgres_client import why_misread, why_unreached
from chatd.postgres_store.errors import DatabaseUnfit, Unfit
from chatd.postgres_store.migrations import all_steps, version_of
from chatd.postgres_store.sessions import LogAddress, connect
from chatd.store.audit import ENTRIES_WITH_ENDS, AuditQuery, entry_of
from chatd.store.errors import StoreTooOld

READ_S: Final = 600
"""Seconds that an audit of years may take to be read."""

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
    `StoreTooOld`."""
    misread = why_misread(address.url)
    if misread is not None:
        raise DatabaseUnfit(Unfit.URL_INVALID, misread)
    narrowed = {
        "room": query.connection_id,
        "user": query.user_id,
        "since": query.since_ms,
        "until": query.until_ms,
    }
    try:
        with connect(address, READ_S) as connection:
            version = version_of(connection, address.schema)
            if version != all_steps()[-1].version:
                raise StoreTooOld(
                    f"The schema {address.schema} has version {version}, and this chatd reads "
                    f"{all_steps()[-1].version}; start the newest one once."
                )
            rows = connection.execute(_ENTRIES, narrowed).fetchall()
    except psycopg.Error as error:
        raise DatabaseUnfit(Unfit.UNREACHABLE, why_unreached(address.url, error)) from None
    entries = (entry_of(*row[1:]) for row in rows)
    return [entry for entry in entries if entry is not None]
