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
    FailureCode,
    RecordRefused,
    StoreClosed,
    StoreReadFailed,
)
from chatd.store.backup import back_up_store
from chatd.store.damage import Damaged
from chatd.store.errors import (
    StoreDisplaced,
    StoreError,
    StoreLocked,
)
from chatd.store.message_reader import (
    MessageReader,
    Page,
    SearchCursor,
    SearchHit,
    SearchPage,
    SearchRequest,
    SearchTooBroad,
    StoredAnswer,
)
from chatd.store.opening import Store, open_store
from chatd.store.readers import LogReaders
from chatd.store.restore import restore_store
from chatd.store.snapshots import PassedOverFor, Snapshot
from chatd.store.verify import Verified, verify_store
from chatd.store.writer import LogWriter

__all__ = [
    "CommitFailed",
    "CommitOutcome",
    "Committed",
    "Damaged",
    "FailureCode",
    "LogReaders",
    "LogWriter",
    "MessageReader",
    "Page",
    "PassedOverFor",
    "RecordRefused",
    "SearchCursor",
    "SearchHit",
    "SearchPage",
    "SearchRequest",
    "SearchTooBroad",
    "Snapshot",
    "Store",
    "StoreClosed",
    "StoreDisplaced",
    "StoreError",
    "StoreLocked",
    "StoreReadFailed",
    "StoredAnswer",
    "Verified",
    "back_up_store",
    "open_store",
    "restore_store",
    "verify_store",
]
