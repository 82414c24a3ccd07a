"""The durable log: what was acknowledged is on disk, and is there again after `kill -9`.

`opening` opens a state directory, `log` is the synchronous write side, `writer` gives it to Trio by
way of one thread, `readers` answer history from connections of their own, `snapshots` keep what the
actors were beside the log. `verify`, `backup` and `restore` are for operators. Owned here: the
files and their form. Not known here: what decides records, what becomes visible, any log line.
"""

from chatd.chat.commits import (
    CommitFailed as CommitFailed,
    CommitOutcome as CommitOutcome,
    Committed as Committed,
    RecordRefused as RecordRefused,
    StoreClosed as StoreClosed,
    StoreReadFailed as StoreReadFailed,
)
from chatd.store.audit import AuditQuery as AuditQuery, look_at_audit as look_at_audit
from chatd.store.backup import back_up_store as back_up_store
from chatd.store.damage import Damaged as Damaged
from chatd.store.errors import (
    NothingKnown as NothingKnown,
    StoreDisplaced as StoreDisplaced,
    StoreError as StoreError,
    StoreLocked as StoreLocked,
)
from chatd.store.message_reader import (
    REPLIES_MAX as REPLIES_MAX,
    REPLY_USERS_AMONG as REPLY_USERS_AMONG,
    REPLY_USERS_MAX as REPLY_USERS_MAX,
    KnownMessage as KnownMessage,
    MessageReader as MessageReader,
    Page as Page,
    Replies as Replies,
    SearchCursor as SearchCursor,
    SearchHit as SearchHit,
    SearchPage as SearchPage,
    SearchRequest as SearchRequest,
    SearchTooBroad as SearchTooBroad,
    StoredAnswer as StoredAnswer,
)
from chatd.store.opening import Store as Store, open_store as open_store
from chatd.store.readers import LogReaders as LogReaders
from chatd.store.restore import restore_store as restore_store
from chatd.store.snapshots import PassedOverFor as PassedOverFor, Snapshot as Snapshot
from chatd.store.verify import Verified as Verified, verify_store as verify_store
from chatd.store.writer import LogWriter as LogWriter
