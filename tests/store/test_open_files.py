"""The files of an open log are removed or replaced: nothing is acknowledged that is not found."""

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio

from chatd.chat.commits import CommitFailed, Committed, StoreClosed, StoreReadFailed
from chatd.store.connections import connect_to_read
from chatd.store.errors import StoreDisplaced
from chatd.store.log import Log
from chatd.store.log_file import LOG_NAME
from chatd.store.open_files import OpenFiles
from chatd.store.opening import Store
from chatd.store.snapshots import Snapshot
from chatd.store.writer import LogWriter
from tests.store.logs import NOW_MS, ROOM, last_page, stored

ASIDE = "aside"


def remove_the_directory(directory: Path) -> None:
    shutil.rmtree(directory)


def rename_the_directory(directory: Path) -> None:
    directory.rename(directory.with_name(ASIDE))


def replace_the_directory(directory: Path) -> None:
    rename_the_directory(directory)
    shutil.copytree(directory.with_name(ASIDE), directory)


def of_file(suffix: str, *, replaced: bool) -> Callable[[Path], None]:
    def harm(directory: Path) -> None:
        path = directory / f"{LOG_NAME}{suffix}"
        path.rename(path.with_name(ASIDE))
        if replaced:
            shutil.copy(path.with_name(ASIDE), path)

    return harm


HARMS: list[Callable[[Path], None]] = [
    remove_the_directory,
    rename_the_directory,
    replace_the_directory,
    *(
        of_file(suffix, replaced=replaced)
        for suffix in ("", "-wal", "-shm")
        for replaced in (False, True)
    ),
]


@pytest.mark.parametrize("harm", HARMS)
def test_nothing_is_committed_into_files_that_nobody_finds(
    store: Store, directory: Path, harm: Callable[[Path], None]
) -> None:
    log = store.open_log()
    log.commit([[stored(1)]])
    harm(directory)
    for _ in range(2):
        with pytest.raises(CommitFailed) as caught:  # as upkeep does each second
            log.maintain(lambda connection: connection.execute("SELECT 1").fetchone())
        assert caught.value.is_displaced
        if harm in HARMS[-2:]:  # without its index the log is found in whole
            continue
        with pytest.raises(CommitFailed) as caught:
            log.commit([[stored(2)]])
        assert caught.value.is_displaced
        assert caught.value.code == "storage_error"
    log.close()


def test_what_is_removed_during_a_commit_is_noticed_before_it_is_acknowledged(
    store: Store, directory: Path
) -> None:
    class RemovedMeanwhile(OpenFiles):
        def require_whole(self) -> None:
            shutil.rmtree(directory)
            super().require_whole()

    log = Log(store._connect, RemovedMeanwhile(store.path), store._mark)
    with pytest.raises(CommitFailed) as caught:
        log.commit([[stored(1)]])
    assert caught.value.is_displaced
    log.close()


def test_the_same_files_back_where_they_were_go_on(store: Store, directory: Path) -> None:
    log = store.open_log()
    log.commit([[stored(1)]])
    rename_the_directory(directory)
    with pytest.raises(CommitFailed):
        log.commit([[stored(2)]])
    directory.with_name(ASIDE).rename(directory)
    assert log.commit([[stored(2)]]) == [Committed(2)]
    assert store.reread().rooms == {ROOM: 2}
    log.close()


def wal_of_the_log(directory: Path) -> Path:
    return directory / f"{LOG_NAME}-wal"


def test_nothing_goes_into_a_wal_that_is_away_and_the_same_one_back_goes_on(
    store: Store, directory: Path
) -> None:
    log = store.open_log()
    log.commit([[stored(1)]])
    wal, aside = wal_of_the_log(directory), directory / ASIDE
    wal.rename(aside)
    before = aside.read_bytes()
    for _ in range(2):
        with pytest.raises(CommitFailed):
            log.commit([[stored(2)]])
    assert aside.read_bytes() == before
    aside.rename(wal)
    assert log.commit([[stored(2)]]) == [Committed(2)]
    log.close()


class MovedMeanwhile(OpenFiles):
    """Whose WAL is moved away during a commit, once, between its two looks."""

    armed = False
    looks = 0

    def require_whole(self) -> None:
        if self.armed:
            self.looks += 1
            if self.looks == 2:
                wal_of_the_log(Path(self._path).parent).rename(Path(self._path).with_name(ASIDE))
        super().require_whole()


async def test_a_commit_that_was_refused_and_is_found_again_ends_the_writer(
    store: Store, directory: Path
) -> None:
    place = MovedMeanwhile(store.path)
    writer = LogWriter(Log(store._connect, place, store._mark), trio.lowlevel.current_trio_token())
    await writer.commit([stored(1)])
    place.armed = True
    for _ in range(2):
        with pytest.raises(CommitFailed) as caught:
            await writer.commit([stored(2)])
        assert caught.value.is_displaced
    (directory / ASIDE).rename(wal_of_the_log(directory))
    with pytest.raises(CommitFailed):
        await writer.commit([stored(2)])
    with pytest.raises(StoreClosed):
        await writer.ended()
    assert store.reread().rooms == {ROOM: 2}
    log = store.open_log()
    assert log.commit([[stored(3)]]) == [Committed(3)]
    log.close()


async def test_a_new_reader_is_not_shown_another_log(store: Store, directory: Path) -> None:
    log = store.open_log()
    log.commit([[stored(1)]])
    replace_the_directory(directory)
    with pytest.raises(StoreReadFailed) as caught:
        await last_page(store.readers, ROOM, 1)
    assert not caught.value.is_damage
    log.close()


def test_no_snapshot_goes_into_another_directory(store: Store, directory: Path) -> None:
    replace_the_directory(directory)
    with pytest.raises(StoreDisplaced, match="another file"):
        store.write_snapshot(Snapshot(store.epoch, 0, NOW_MS, {}))
    assert not list(directory.glob("snapshot*"))


def test_a_writer_that_has_ended_may_take_its_wal_along(store: Store, directory: Path) -> None:
    for seq in (1, 2):
        log = store.open_log()
        log.commit([[stored(seq)]])
        log.close()
        assert not (directory / f"{LOG_NAME}-wal").exists()
        assert store.reread().rooms == {ROOM: seq}


@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("part", [0.0, 0.5])
def test_nothing_is_committed_into_what_is_left_of_a_file(
    store: Store, directory: Path, suffix: str, part: float
) -> None:
    log = store.open_log()
    log.commit([[stored(1)]])
    file = directory / f"{LOG_NAME}{suffix}"
    os.truncate(file, int(file.stat().st_size * part))
    left = file.read_bytes()
    for _ in range(2):
        with pytest.raises(CommitFailed, match=r"was cut|has lost a part"):
            log.commit([[stored(2)]])
    log.close()
    assert store.is_cut
    assert file.read_bytes() == left  # nothing was brought into it


def test_what_was_overwritten_is_seen_at_the_next_look(store: Store, directory: Path) -> None:
    log = store.open_log()
    log.commit([[stored(1)]])
    wal = wal_of_the_log(directory)
    with wal.open("r+b") as file:
        file.write(bytes(wal.stat().st_size))
    with pytest.raises(CommitFailed, match="was overwritten"):
        log.maintain(lambda _connection: None)
    log.close()
    assert store.is_cut


def test_a_wal_that_sqlite_begins_anew_is_whole(store: Store) -> None:
    """The checkpoints of a thousand pages: the WAL stays as long as it is, or is cut to what is
    kept of it, and nothing is refused."""
    log = store.open_log()
    for seq in range(1, 200):
        log.commit([[stored(seq, content="x" * 40_000)]])
    log.maintain(lambda _connection: None)
    log.close()
    assert not store.is_cut


def test_a_log_that_somebody_read_while_it_was_written_anew_may_shrink_later(
    store: Store,
) -> None:
    log = store.open_log()
    many = [()] * 500
    log.maintain(lambda one: one.execute("CREATE TABLE kept (x)"))
    log.maintain(lambda one: one.executemany("INSERT INTO kept VALUES (zeroblob(4000))", many))
    log.maintain(lambda one: one.execute("CREATE TABLE gone (x)"))
    log.maintain(lambda one: one.executemany("INSERT INTO gone VALUES (zeroblob(4000))", many * 3))
    log.maintain(lambda one: one.execute("DROP TABLE gone"))
    with closing(connect_to_read(store.path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM meta").fetchall()
        with pytest.raises(CommitFailed, match="reads the log"):
            log.rewrite()
        size = store.path.stat().st_size
        reader.execute("COMMIT")
    assert isinstance(log.commit([()])[0], Committed)
    log._connection.execute("PRAGMA wal_checkpoint")  # as SQLite does with a later commit
    assert store.path.stat().st_size < size
    assert isinstance(log.commit([()])[0], Committed)
    log.rewrite()
    assert isinstance(log.commit([()])[0], Committed)
    assert not store.is_cut
    log.close()
