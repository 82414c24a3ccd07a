"""The durable log: what was acknowledged is on disk, and is there again after `kill -9`.

`opening` opens a state directory, `log` is the synchronous write side, `writer` gives it to Trio by
way of one thread, `readers` answer history from connections of their own, `snapshots` keep what the
actors were beside the log. `verify`, `backup` and `restore` are for who runs it. Owned here: the
files and their form. Not known here: who decides records, who is told of them, any log line.
"""

from chatd.store.backup import BackedUp, back_up_store
from chatd.store.connections import Durability
from chatd.store.damage import Damaged
from chatd.store.errors import (
    BackupDamaged,
    BackupFailed,
    CommitFailed,
    FailureCode,
    RecordRefused,
    StoreClosed,
    StoreDamaged,
    StoreDisplaced,
    StoreError,
    StoreLocked,
    StoreReadFailed,
    StoreTooNew,
    StoreTooOld,
    StoreUnavailable,
)
from chatd.store.log import CommitOutcome, Committed, Conflict
from chatd.store.opening import Store, open_store
from chatd.store.readers import Cut, LogReaders, Page
from chatd.store.recovery import Recovered
from chatd.store.restore import Restored, restore_store
from chatd.store.snapshots import PassedOver, PassedOverFor, Snapshot
from chatd.store.verify import Finding, Verified, verify_store
from chatd.store.writer import LogWriter

__all__ = [
    "BackedUp",
    "BackupDamaged",
    "BackupFailed",
    "CommitFailed",
    "CommitOutcome",
    "Committed",
    "Conflict",
    "Cut",
    "Damaged",
    "Durability",
    "FailureCode",
    "Finding",
    "LogReaders",
    "LogWriter",
    "Page",
    "PassedOver",
    "PassedOverFor",
    "RecordRefused",
    "Recovered",
    "Restored",
    "Snapshot",
    "Store",
    "StoreClosed",
    "StoreDamaged",
    "StoreDisplaced",
    "StoreError",
    "StoreLocked",
    "StoreReadFailed",
    "StoreTooNew",
    "StoreTooOld",
    "StoreUnavailable",
    "Verified",
    "back_up_store",
    "open_store",
    "restore_store",
    "verify_store",
]
