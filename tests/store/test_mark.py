"""The mark: what it says survives whatever cuts a write, and it never says too much."""

import os
import shutil
from pathlib import Path

import pytest

from chatd.store.mark import (
    MARK_NAME,
    SIZE,
    SLOT_BYTES,
    FoundLoss,
    Mark,
    MarkDamagedError,
    Noted,
    Reached,
    read_mark,
)
from chatd.store.opening import open_store
from tests.store.full_store import write_snapshot_of
from tests.store.logs import stored_from
from tests.store.recorded_disk import Sync, Write, recording

EPOCH = "0123456789abcdef"
NOTED = Noted(Reached(EPOCH, 7, 5, 2), FoundLoss(3, 2, 1_000))


def reached(directory: Path) -> Reached | None:
    noted = read_mark(directory)
    return None if noted is None else noted.reached


def test_what_was_noted_is_read_again_the_newest_first(tmp_path: Path) -> None:
    assert read_mark(tmp_path) is None
    mark = Mark(tmp_path, NOTED)
    for position in range(8, 13):
        mark.note(position, position, 2)
        assert reached(tmp_path) == Reached(EPOCH, position, position, 2)
    mark.close()
    mark.close()
    noted = read_mark(tmp_path)
    assert noted is not None
    assert noted.loss == NOTED.loss
    assert (tmp_path / MARK_NAME).stat().st_size == SIZE
    assert (tmp_path / MARK_NAME).stat().st_mode & 0o777 == 0o600
    Mark(tmp_path, Noted(Reached(EPOCH, 2, 2, 1), None, noted.write)).close()
    assert reached(tmp_path) == Reached(EPOCH, 2, 2, 1)  # a later word counts, be it a lower one


def test_a_write_that_is_cut_off_leaves_the_word_before(tmp_path: Path) -> None:
    mark = Mark(tmp_path, NOTED)
    mark.note(8, 6, 2)
    before = (tmp_path / MARK_NAME).read_bytes()
    mark.note(9, 7, 2)
    mark.close()
    after = (tmp_path / MARK_NAME).read_bytes()
    for cut in range(SIZE):
        (tmp_path / MARK_NAME).write_bytes(after[:cut] + before[cut:])
        assert reached(tmp_path) in (Reached(EPOCH, 8, 6, 2), Reached(EPOCH, 9, 7, 2))


def test_a_mark_in_which_nothing_was_written_is_none_and_a_damaged_one_is_told(
    tmp_path: Path,
) -> None:
    Mark(tmp_path, NOTED).close()
    whole = (tmp_path / MARK_NAME).read_bytes()
    for content in (b"", bytes(40), bytes(SLOT_BYTES), bytes(SIZE)):
        (tmp_path / MARK_NAME).write_bytes(content)
        assert read_mark(tmp_path) is None
    (tmp_path / MARK_NAME).write_bytes(whole[:-1])  # of which nothing is missing that counts
    assert reached(tmp_path) == NOTED.reached
    cut = whole[: SLOT_BYTES + 40]
    for content in (cut, cut + bytes(SIZE - len(cut)), b"\x5a", b"\x5a" * SIZE):
        (tmp_path / MARK_NAME).write_bytes(content)
        with pytest.raises(MarkDamagedError):
            read_mark(tmp_path)
    for at in range(SLOT_BYTES, SLOT_BYTES + 90):  # any flipped bit of the one word is seen
        (tmp_path / MARK_NAME).write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with pytest.raises(MarkDamagedError):
            read_mark(tmp_path)


def test_a_disk_that_is_full_costs_the_proof_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    mark = Mark(tmp_path, NOTED)
    mark.note(8, 6, 2)
    mark.sync()
    mark.close()
    monkeypatch.undo()
    assert read_mark(tmp_path) is None


def test_a_mark_that_had_no_room_is_made_once_there_is_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        mark = Mark(tmp_path, NOTED)
        assert not mark.renew()
    assert mark.renew()
    mark.note(8, 6, 2)
    mark.close()
    assert not mark.renew()
    noted = read_mark(tmp_path)
    assert noted is not None
    assert noted.reached.position == 8


def test_a_mark_that_is_closed_while_it_is_synced_is_what_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread of a snapshot may outlive the store; its descriptor may be another file's then."""
    mark = Mark(tmp_path, NOTED)
    synced = []

    def fsync(descriptor: int) -> None:
        mark.close()
        synced.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", fsync)
    mark.sync()
    mark.sync()
    assert synced == [(tmp_path / MARK_NAME).stat().st_ino]


def test_a_commit_is_noted_once_it_is_durable_and_syncs_the_mark_never(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    with recording(tmp_path / "live") as noted:
        store = open_store(tmp_path / "live" / "state", "fsync")
        log = store.open_log()
        first = len(noted.operations)
        log.commit([stored_from(1, 3)])
        commit = noted.operations[first:]
        mark = noted.file_of(f"state/{MARK_NAME}")
        writes = [
            at for at, one in enumerate(commit) if isinstance(one, Write) and one.file == mark
        ]
        syncs = [at for at, one in enumerate(commit) if isinstance(one, Sync)]
        assert len(writes) == 1
        assert syncs
        assert max(syncs) < writes[0]
        write_snapshot_of(store)
        assert Sync(mark) in noted.operations[first:]
        log.close()
        store.close()


def test_the_mark_is_in_step_after_commits_of_every_kind(directory: Path) -> None:
    store = open_store(directory, "write")
    log = store.open_log()
    log.commit(
        [stored_from(1, 3)],
    )
    log.commit([stored_from(4, 5), stored_from(1, 2, room="other")])
    log.commit([stored_from(9, 9), stored_from(6, 6)])  # the first is refused, the second is not
    log.commit([()])
    now = store.reread()
    assert reached(directory) == now.reached(store.epoch) == Reached(store.epoch, 8, 8, 2)
    killed = shutil.copytree(directory, directory.with_name("killed"))
    log.close()
    store.close()
    again = open_store(killed, "write")
    assert again.loss is None
    assert again.epoch == store.epoch
    again.close()


@pytest.mark.parametrize("replaced", [True, False])
def test_a_mark_that_was_removed_is_made_again_as_it_was(tmp_path: Path, replaced: bool) -> None:
    mark = Mark(tmp_path, NOTED)
    mark.note(8, 6, 2)
    assert not mark.renew()
    (tmp_path / MARK_NAME).unlink()
    if replaced:
        (tmp_path / MARK_NAME).write_bytes(bytes(SIZE))
    assert mark.renew()
    assert reached(tmp_path) == Reached(EPOCH, 8, 6, 2)
    mark.note(9, 7, 2)
    assert reached(tmp_path) == Reached(EPOCH, 9, 7, 2)
    mark.close()
    assert not mark.renew()
