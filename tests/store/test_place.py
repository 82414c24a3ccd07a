"""The files of an open log are removed or replaced: nothing is acknowledged that is not found."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from chatd.store.errors import CommitFailed, StoreDisplaced, StoreReadFailed
from chatd.store.log import Committed, Log
from chatd.store.log_file import LOG_NAME
from chatd.store.opening import Store
from chatd.store.place import Place
from chatd.store.snapshots import Snapshot
from tests.store.logs import NOW_MS, ROOM, stored

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
    class RemovedMeanwhile(Place):
        def require(self) -> None:
            shutil.rmtree(directory)
            super().require()

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


async def test_a_new_reader_is_not_shown_another_log(store: Store, directory: Path) -> None:
    log = store.open_log()
    log.commit([[stored(1)]])
    replace_the_directory(directory)
    with pytest.raises(StoreReadFailed) as caught:
        await store.readers.last(ROOM, 1)
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
