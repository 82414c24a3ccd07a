"""The durable log: what was acknowledged is on disk, and is there again after `kill -9`.

`opening` opens a state directory, `log` is the synchronous write side, `writer` gives it to Trio by
way of one thread, `readers` answer history from connections of their own, `snapshots` keep what the
actors were beside the log. Owned here: the files and their form. Not known here: who decides
records, who is told of them, any log line.
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
from chatd.store.readers import Cut, LogReaders, Page
from chatd.store.recovery import Recovered
from chatd.store.snapshots import PassedOver, PassedOverFor, Snapshot
from chatd.store.writer import LogWriter

__all__ = [
    "CommitFailed",
    "CommitOutcome",
    "Committed",
    "Conflict",
    "Cut",
    "Durability",
    "FailureCode",
    "LogReaders",
    "LogWriter",
    "Page",
    "PassedOver",
    "PassedOverFor",
    "RecordRefused",
    "Recovered",
    "Snapshot",
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
