"""The durable log: what was acknowledged is on disk, and is there again after `kill -9`.

`opening` opens a state directory, `log` is the synchronous write side, `writer` gives it to Trio by
way of one thread, `readers` answer history from connections of their own. Owned here: the files
and their form. Not known here: who decides records, who is told of them, any log line.
"""

from chatd.store.connections import Durability
from chatd.store.errors import (
    CommitFailed,
    FailureCode,
    RecordRefused,
    StoreClosed,
    StoreDamaged,
    StoreError,
    StoreLocked,
    StoreReadFailed,
    StoreTooNew,
    StoreUnavailable,
)
from chatd.store.log import CommitOutcome, Committed, Conflict
from chatd.store.opening import Store, open_store
from chatd.store.readers import LogReaders, Page
from chatd.store.recovery import AcknowledgedSeqs, Recovered
from chatd.store.writer import LogWriter

__all__ = [
    "AcknowledgedSeqs",
    "CommitFailed",
    "CommitOutcome",
    "Committed",
    "Conflict",
    "Durability",
    "FailureCode",
    "LogReaders",
    "LogWriter",
    "Page",
    "RecordRefused",
    "Recovered",
    "Store",
    "StoreClosed",
    "StoreDamaged",
    "StoreError",
    "StoreLocked",
    "StoreReadFailed",
    "StoreTooNew",
    "StoreUnavailable",
    "open_store",
]
