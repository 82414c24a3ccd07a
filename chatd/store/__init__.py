"""The durable log: what was acknowledged is on disk, and is there again after `kill -9`.

`opening` opens a state directory, `log` is the synchronous write side, `writer` gives it to Trio by
way of one thread, `readers` answer history from connections of their own, `snapshots` keep what the
actors were beside the log. `verify`, `backup` and `restore` are for operators. Owned here: the
files and their form. Not known here: what decides records, what becomes visible, any log line.
"""

from chatd.chat.commits import (
    CommitFailed,
    CommitOutcome,
    Committed,
    Conflict,
    FailureCode,
    RecordRefused,
    StoreClosed,
    StoreReadFailed,
)
from chatd.store.backup import BackedUp, back_up_store
from chatd.store.connections import Durability
from chatd.store.damage import Damaged
from chatd.store.errors import (
    BackupDamaged,
    BackupFailed,
    StoreDamaged,
    StoreDisplaced,
    StoreError,
    StoreLocked,
    StoreTooNew,
    StoreTooOld,
    StoreUnavailable,
)
from chatd.store.message_reader import (
    MessageReader,
    Page,
    QueueCut,
    SearchCursor,
    SearchHit,
    SearchPage,
    SearchRequest,
    SearchTooBroad,
    StoredAnswer,
)
from chatd.store.opening import Store, open_store
from chatd.store.readers import LogReaders
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
    "Damaged",
    "Durability",
    "FailureCode",
    "Finding",
    "LogReaders",
    "LogWriter",
    "MessageReader",
    "Page",
    "PassedOver",
    "PassedOverFor",
    "QueueCut",
    "RecordRefused",
    "Recovered",
    "Restored",
    "SearchCursor",
    "SearchHit",
    "SearchPage",
    "SearchRequest",
    "SearchTooBroad",
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
    "StoredAnswer",
    "Verified",
    "back_up_store",
    "open_store",
    "restore_store",
    "verify_store",
]
