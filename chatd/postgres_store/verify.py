"""`chatd store verify` over PostgreSQL: the full check of a log, whether daemons use it or not.

It reads in one view, and changes nothing.
"""

from typing import Final

from chatd.postgres_store.integrity import faults
from chatd.postgres_store.long_session import long_session, require_log
from chatd.postgres_store.recovery import recover
from chatd.postgres_store.sessions import LogAddress
from chatd.store.verify import Finding, Verified

_NO_NODE: Final = 0  # the node whose members and answers would be its own


def verify_postgres_log(address: LogAddress) -> Verified:
    """Check the log. Blocks for as long as reading all of it takes. Raises `DatabaseUnfit`,
    `StoreTooOld`, or `StoreUnavailable` if there is no log."""
    with long_session(address) as connection:
        require_log(connection, address.schema)
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            findings = tuple(Finding(fault) for fault in faults(connection))
        recovered = None if findings else recover(connection, _NO_NODE).recovered
    return Verified(findings, recovered)
