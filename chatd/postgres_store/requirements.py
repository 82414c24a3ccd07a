"""What a database must be like for chatd to keep its log there; pure.

A server of an older version lacks what the schema and its sessions use. A pooler in transaction
mode gives each statement whichever session is free: a session's lock, its settings, and LISTEN
would be somebody else's.
"""

from typing import Final

import attrs

from chatd.postgres_store.errors import DatabaseUnfit, Unfit

OLDEST_VERSION: Final = 140_000
"""PostgreSQL 14: the first with `idle_session_timeout`; 13 has had its last release (2025-11)."""
_POOLER_PORT: Final = (
    "use the port of its session mode (Supabase: 5432 instead of 6543), or the address of the "
    "database itself"
)


@attrs.frozen
class ServerFacts:
    """What was found. `backends` are the server processes that answered two connections, open at
    the same time, in turn."""

    backends: tuple[tuple[int, int], ...]
    version: int
    version_text: str
    encoding: str
    is_read_only: bool
    has_fsync: bool
    user: str
    database: str
    has_schema: bool
    may_create_schema: bool
    may_use_schema: bool


def why_unfit(facts: ServerFacts, schema: str, *, needs_fsync: bool) -> DatabaseUnfit | None:
    """Why a database cannot have the log in this schema; None if it can."""
    if facts.version < OLDEST_VERSION:
        return DatabaseUnfit(
            Unfit.SERVER_TOO_OLD,
            f"The server is PostgreSQL {facts.version_text}, and chatd needs version 14 or newer; "
            "upgrade it.",
        )
    if is_shared(facts.backends):
        return DatabaseUnfit(
            Unfit.TRANSACTION_POOLER,
            "The address leads to a connection pooler in transaction mode, which chatd cannot "
            f"use; {_POOLER_PORT}.",
        )
    if facts.encoding != "UTF8":
        return DatabaseUnfit(
            Unfit.NOT_UTF8,
            f"The database {facts.database} has the encoding {facts.encoding}, which cannot hold "
            "all messages; create one with ENCODING 'UTF8'.",
        )
    if facts.is_read_only:
        return DatabaseUnfit(
            Unfit.READ_ONLY,
            "The server only reads (a standby, or default_transaction_read_only); give the "
            "address of the primary.",
        )
    if needs_fsync and not facts.has_fsync:
        return DatabaseUnfit(
            Unfit.NOT_DURABLE,
            "The server has fsync off, so that a power cut loses what was acknowledged; switch it "
            'on, or set [state] durability = "write".',
        )
    return _why_no_right(facts, schema)


def is_shared(backends: tuple[tuple[int, int], ...]) -> bool:
    """Whether two connections shared one server process, or one connection had several: then a
    pooler hands out its sessions statement by statement."""
    first, second = ({pair[at] for pair in backends} for at in (0, 1))
    return len(first) > 1 or len(second) > 1 or first == second


def _why_no_right(facts: ServerFacts, schema: str) -> DatabaseUnfit | None:
    user, database = facts.user, facts.database
    if not facts.has_schema and not facts.may_create_schema:
        return DatabaseUnfit(
            Unfit.RIGHT_MISSING,
            f"The user {user} may not create the schema {schema} in the database {database}; let "
            f'its owner run CREATE SCHEMA "{schema}" AUTHORIZATION "{user}".',
        )
    if facts.has_schema and not facts.may_use_schema:
        return DatabaseUnfit(
            Unfit.RIGHT_MISSING,
            f"The user {user} may not use the schema {schema} of the database {database}; let its "
            f'owner run GRANT USAGE, CREATE ON SCHEMA "{schema}" TO "{user}".',
        )
    return None
