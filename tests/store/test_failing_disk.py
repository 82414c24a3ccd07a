"""Every operation on the disk fails in turn, and the process goes on .

What was refused is not there, what was acknowledged is, and the same request is taken once the disk
is well: on the same store, after a crash, and after an end.
"""

import errno
import shutil
import sqlite3
from pathlib import Path

import attrs
import pytest

from chatd.chat.commits import CommitFailed
from chatd.chat.queue import Queue
from chatd.chat.records import Delivered, MemberRemoved, ReadMarked
from chatd.store.connections import Durability
from chatd.store.errors import StoreUnavailable
from chatd.store.log import Log, Request
from chatd.store.opening import Store, open_store
from chatd.store.recovery import Recovered
from chatd.store.snapshots import Snapshot
from chatd.store.verify import verify_store
from tests.store.failing_disk import failing_disk
from tests.store.logs import NOW_MS, ROOM, connect_spilling, kept, member_parts, stored

LASTING = (1, 4)  # operations that fail one after the other
REQUESTS: tuple[Request, ...] = (
    (stored(1), kept("ada")),
    (stored(2, content="long " * 3_000), kept("bob", Queue(1, 9))),
    (stored(1, room="other"), Delivered(ROOM, 1, "bob", NOW_MS)),
    (MemberRemoved(ROOM, "ada"), kept("bob")),
    (stored(3, mentions=("bob",)), stored(4), ReadMarked(ROOM, "bob", 4)),
)


@attrs.define
class Failing:
    """A disk that fails from its nth operation on, so many times."""

    first: int
    lasting: int
    code: int
    count: int = 0
    met: set[str] = attrs.field(factory=set)

    def __call__(self, operation: str) -> None:
        self.count += 1
        if self.first <= self.count < self.first + self.lasting:
            self.met.add(operation)
            raise OSError(self.code, "of the test")


def persistently_open(directory: Path) -> Store:
    while True:
        try:
            return open_store(directory, Durability.FSYNC, connect_to_write=connect_spilling)
        except StoreUnavailable:
            continue


def persistently_begun(store: Store) -> Log:
    while True:
        try:
            return Log(lambda: connect_spilling(store.path, Durability.FSYNC))
        except sqlite3.Error:
            continue


def commit_until_taken(store: Store, log: Log, request: Request) -> tuple[Recovered, int]:
    """What the log holds then, and how often it was refused."""
    before = store.reread()
    refused = 0
    while True:
        try:
            [outcome] = log.commit([request])
        except CommitFailed:
            refused += 1
            assert store.reread() == before
        else:
            after = store.reread()
            assert after.position == before.position + len(request) == outcome.position  # type: ignore[union-attr]
            return after, refused


def live_with(directory: Path, failing: Failing) -> tuple[Recovered, int]:
    """Commits, each tried until it is taken, and snapshots; what is held then, and the refusals."""
    times = 0
    with failing_disk(failing):
        store = persistently_open(directory)
        log = persistently_begun(store)
        for request in REQUESTS:
            held, refused = commit_until_taken(store, log, request)
            times += refused
            snapshot = Snapshot(store.epoch, held.position, NOW_MS, member_parts(held))
            try:
                store.write_snapshot(snapshot)
            except OSError:
                assert failing.met
        shutil.copytree(directory, directory.with_name("killed"))
        log.close()
        assert store.close()
    return held, times


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
@pytest.mark.parametrize("lasting", LASTING)
def test_whichever_operation_fails_nothing_is_lost_and_nothing_is_doubled(
    tmp_path: Path, code: int, lasting: int, every_crash: bool
) -> None:
    """Every operation fails in its turn; where one fails alone, every third, unless all shall."""
    met: set[str] = set()
    step = lasting if every_crash else max(lasting, 3)
    first, total, refused = 1, 0, 0
    while first == 1 or first <= total:
        failing = Failing(first, lasting, code)
        held, times = live_with(tmp_path / str(first) / "state", failing)
        met |= failing.met
        refused += times
        total = failing.count
        for name in ("killed", "state"):
            directory = tmp_path / str(first) / name
            assert verify_store(directory).is_sound
            store = open_store(directory, Durability.WRITE)
            assert store.recovered == held
            assert store.passed_over == ()
            assert store.close()
        shutil.rmtree(tmp_path / str(first))
        first += step
    assert met >= {"xWrite", "xSync", "write", "fsync"}
    if lasting == 1:  # of several that fail, the sync before a rename may be the first
        assert "rename" in met
    assert total > 100
    assert refused > 10
