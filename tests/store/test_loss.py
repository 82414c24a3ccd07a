"""A log that lost its end: the start says how much, and goes on under a new epoch."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from chatd.store import preparation, schema
from chatd.store.backup import back_up_store
from chatd.store.log_file import LOG_NAME, wal_of
from chatd.store.loss import Loss, LossKind, find_loss
from chatd.store.mark import MARK_NAME, Mark, Noted, Reached
from chatd.store.opening import Store, open_store
from chatd.store.restore import restore_store
from chatd.store.snapshots import PassedOver, PassedOverFor
from chatd.store.verify import verify_store
from tests.store.full_store import write_snapshot_of
from tests.store.logs import NOW_MS, kept, stored, stored_from

EPOCH = "0123456789abcdef"
NOW = Reached(EPOCH, 100, 80, 3)


def loss(
    kind: LossKind, proof: str, reached: int, records: int | None, messages: int | None
) -> Loss:
    position = 0 if kind is LossKind.GONE else 100
    return Loss(kind, proof, reached, position, records, messages)


def ahead_at(position: int) -> PassedOver:
    return PassedOver("s", PassedOverFor.AHEAD, position)


@pytest.mark.parametrize(
    ("marked", "ahead", "expected"),
    [
        (None, None, None),
        (NOW, None, None),
        (Reached(EPOCH, 90, 70, 3), None, None),  # a mark may lag
        (Reached(EPOCH, 90, 70, 3), ahead_at(100), None),
        (Reached(EPOCH, 103, 82, 3), None, loss(LossKind.END, MARK_NAME, 103, 3, 2)),
        (Reached(EPOCH, 103, 80, 3), None, loss(LossKind.END, MARK_NAME, 103, 3, 0)),
        # The head is there, the rows are not: as where a WAL went in the middle of a checkpoint.
        (Reached(EPOCH, 100, 85, 3), None, loss(LossKind.END, MARK_NAME, 100, 5, 5)),
        (None, ahead_at(110), loss(LossKind.END, "s", 110, 10, 0)),
        (Reached(EPOCH, 103, 82, 3), ahead_at(110), loss(LossKind.END, "s", 110, 10, 2)),
        (Reached("f" * 16, 7, 7, 1), None, loss(LossKind.OTHER, MARK_NAME, 7, None, None)),
    ],
)
def test_what_proves_a_loss(
    marked: Reached | None, ahead: PassedOver | None, expected: Loss | None
) -> None:
    assert find_loss(NOW, marked, ahead) == expected


def test_a_log_that_is_gone_was_there_if_anything_says_so() -> None:
    assert find_loss(None, None, None) is None
    assert find_loss(None, Reached(EPOCH, 0, 0, 0), None) is None
    of_mark = find_loss(None, NOW, ahead_at(90))
    assert of_mark == loss(LossKind.GONE, MARK_NAME, 100, 100, 80)
    of_snapshot = find_loss(None, None, ahead_at(90))
    assert of_snapshot == loss(LossKind.GONE, "s", 90, 90, None)
    assert "at least 100 records (80 messages among them)" in of_mark.sentence
    assert "missing of what was acknowledged: at least 90 records." in of_snapshot.sentence


def killed_daemon(directory: Path, *, with_snapshot: bool = False) -> tuple[Path, str]:
    """A state directory as a killed daemon leaves it, with 21 records of which the last 11 are in
    its WAL only; beside it a copy of the log as it was after the first 10."""
    place = directory.with_name("of the daemon")
    store = open_store(place, "write")
    log = store.open_log()
    log.commit([stored_from(1, 10)])
    log.close()
    shutil.copy(store.path, directory.with_name("older"))
    log = store.open_log()
    log.commit([stored_from(11, 20)])
    log.commit([[kept("ada")]])
    if with_snapshot:
        write_snapshot_of(store)
    shutil.copytree(place, directory)
    log.close()
    store.close()
    return directory, store.epoch


def lose_the_wal(directory: Path) -> None:
    wal_of(directory / LOG_NAME).unlink()


def lose_the_end_of_the_wal(directory: Path) -> None:
    wal = wal_of(directory / LOG_NAME)
    os.truncate(wal, wal.stat().st_size - 4_096)


def flip_a_bit_of_the_wal(directory: Path) -> None:
    with wal_of(directory / LOG_NAME).open("r+b") as file:
        file.seek(32 + 24 + 100)  # in its first page
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


def put_an_older_copy_back(directory: Path) -> None:
    lose_the_wal(directory)
    shutil.copy(directory.with_name("older"), directory / LOG_NAME)


def have_it_gone(directory: Path) -> None:
    lose_the_wal(directory)
    (directory / LOG_NAME).unlink()


ACCIDENTS: list[tuple[Callable[[Path], None], int]] = [
    (lose_the_wal, 11),
    (lose_the_end_of_the_wal, 1),
    (flip_a_bit_of_the_wal, 11),
    (put_an_older_copy_back, 11),
    (have_it_gone, 21),
]


@pytest.mark.parametrize(("accident", "missing"), ACCIDENTS)
def test_a_lost_end_is_told_once_and_goes_on_under_a_new_epoch(
    directory: Path, accident: Callable[[Path], None], missing: int
) -> None:
    killed, epoch = killed_daemon(directory)
    assert verify_store(killed).is_sound
    accident(killed)
    words = f"at least {missing} record"
    found = [one.text for one in verify_store(killed).findings if one.is_damage]
    assert len(found) == 1
    assert words in found[0]

    store = open_store(killed, "write")
    assert store.loss is not None
    assert store.loss.records == missing
    assert words in store.loss.sentence
    assert store.loss.sentence in found[0]
    assert store.epoch != epoch
    # What follows takes the places of what was lost, under another name.
    log = store.open_log()
    last_seq = store.recovered.rooms.get("sales", 0)
    log.commit([[stored(last_seq + 1)]])
    log.close()
    assert store.close()

    verified = verify_store(killed)
    assert verified.is_sound
    [note] = [one.text for one in verified.findings if not one.is_damage]
    assert words in note
    again = open_store(killed, "write")
    assert again.loss is None
    assert again.epoch == store.epoch
    assert again.passed_over == ()
    assert again.close()


def test_what_is_whole_is_no_loss_and_keeps_its_epoch(directory: Path) -> None:
    killed, epoch = killed_daemon(directory, with_snapshot=True)
    store = open_store(killed, "write")
    assert (store.loss, store.epoch, store.passed_over) == (None, epoch, ())
    store.close()


@pytest.mark.parametrize("length", [700, 100])
def test_a_mark_that_was_cut_off_is_told_and_proves_nothing(directory: Path, length: int) -> None:
    killed, epoch = killed_daemon(directory)
    mark = killed / MARK_NAME
    mark.write_bytes(bytes(length - 50) + mark.read_bytes()[:50])
    lose_the_wal(killed)
    store = open_store(killed, "write")
    assert (store.loss, store.epoch) == (None, epoch)
    assert [(one.name, one.reason) for one in store.passed_over] == [
        (MARK_NAME, PassedOverFor.DAMAGED)
    ]
    store.close()
    assert open_and_close(killed).passed_over == ()


@pytest.mark.parametrize("mark", ["gone", "damaged", "behind"])
def test_a_snapshot_proves_it_where_the_mark_does_not(directory: Path, mark: str) -> None:
    killed, epoch = killed_daemon(directory, with_snapshot=True)
    path = killed / MARK_NAME
    if mark == "gone":  # as before the first start of a chatd that keeps one
        path.unlink()
    elif mark == "damaged":
        path.write_bytes(b"\x5a" * path.stat().st_size)
    else:
        behind = Reached(epoch, 3, 3, 1)
        path.unlink()
        write_mark(killed, behind)
    lose_the_wal(killed)
    assert not verify_store(killed).is_sound
    store = open_store(killed, "write")
    assert store.loss is not None
    assert (store.loss.proof[:9], store.loss.records) == ("snapshot-", 11)
    assert store.epoch != epoch
    reasons = [one.reason for one in store.passed_over]
    assert reasons[-1] is PassedOverFor.AHEAD
    assert (PassedOverFor.DAMAGED in reasons) == (mark == "damaged")
    store.close()
    again = open_store(killed, "write")
    assert (again.loss, again.passed_over) == (None, ())
    again.close()
    assert verify_store(killed).is_sound


def write_mark(directory: Path, reached: Reached) -> None:
    Mark(directory, Noted(reached)).close()


def test_a_snapshot_that_is_damaged_proves_nothing(directory: Path) -> None:
    killed, epoch = killed_daemon(directory, with_snapshot=True)
    (killed / MARK_NAME).unlink()
    [snapshot] = killed.glob("snapshot-*")
    snapshot.write_bytes(snapshot.read_bytes()[:-1] + b"!")
    lose_the_wal(killed)
    store = open_store(killed, "write")
    assert (store.loss, store.epoch) == (None, epoch)
    assert [one.reason for one in store.passed_over] == [PassedOverFor.DAMAGED]
    store.close()


def test_a_directory_without_a_mark_is_taken_as_it_is_and_gets_one(directory: Path) -> None:
    killed, epoch = killed_daemon(directory)
    (killed / MARK_NAME).unlink()
    assert verify_store(killed).is_sound
    store = open_store(killed, "write")
    assert (store.loss, store.epoch) == (None, epoch)
    store.close()
    assert (killed / MARK_NAME).exists()


def test_a_restore_and_a_backup_are_no_loss(directory: Path) -> None:
    killed, _ = killed_daemon(directory)
    back_up_store(killed, killed.with_name("backup"))
    store = open_store(killed, "write")
    log = store.open_log()
    log.commit([stored_from(21, 30)])
    log.close()
    store.close()
    restore_store(killed, killed.with_name("backup"), NOW_MS)
    assert verify_store(killed).is_sound
    store = open_store(killed, "write")
    assert store.loss is None
    assert store.recovered.position == 21
    store.close()
    assert [one.text for one in verify_store(killed).findings] == []


def test_another_log_put_in_its_place_by_hand_is_told(directory: Path, tmp_path: Path) -> None:
    killed, epoch = killed_daemon(directory)
    other = open_store(tmp_path / "other", "write")
    log = other.open_log()
    log.commit([stored_from(1, 50)])
    log.close()
    other.close()
    lose_the_wal(killed)
    shutil.copy(other.path, killed / LOG_NAME)
    assert not verify_store(killed).is_sound
    store = open_store(killed, "write")
    assert store.loss is not None
    assert store.loss.kind is LossKind.OTHER
    assert store.epoch not in (epoch, other.epoch)
    store.close()
    assert open_and_close(killed).loss is None
    assert verify_store(killed).is_sound


class CutOff(BaseException):
    """The process ends here."""


def mark_is_written(number: int) -> Callable[[pytest.MonkeyPatch], None]:
    """Cut off at the writing of the mark that has this number, from 1 on."""

    def arm(monkeypatch: pytest.MonkeyPatch) -> None:
        left = [number]

        def make(directory: Path, noted: Noted) -> Mark:
            left[0] -= 1
            if left[0] == 0:
                raise CutOff
            return Mark(directory, noted)

        monkeypatch.setattr(preparation, "Mark", make)

    return arm


def epoch_is_taken(*, after: bool) -> Callable[[pytest.MonkeyPatch], None]:
    def arm(monkeypatch: pytest.MonkeyPatch) -> None:
        name_anew = schema.name_anew

        def name_and_stop(connection: sqlite3.Connection, epoch: str) -> None:
            if after:
                name_anew(connection, epoch)
            raise CutOff

        monkeypatch.setattr(schema, "name_anew", name_and_stop)

    return arm


@pytest.mark.parametrize("proof", ["mark", "snapshot", "lagging mark"])
@pytest.mark.parametrize(
    "cut_off",
    [
        mark_is_written(1),
        mark_is_written(2),
        epoch_is_taken(after=False),
        epoch_is_taken(after=True),
        mark_is_written(3),
    ],
)
def test_a_start_that_is_cut_off_while_it_takes_the_new_epoch_tells_the_same_loss_again(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    proof: str,
    cut_off: Callable[[pytest.MonkeyPatch], None],
) -> None:
    killed, epoch = killed_daemon(directory, with_snapshot=proof != "mark")
    if proof != "mark":
        (killed / MARK_NAME).unlink()
    if proof == "lagging mark":
        write_mark(killed, Reached(epoch, 3, 3, 1))
    lose_the_wal(killed)
    for _ in range(2):
        with monkeypatch.context() as patch:
            cut_off(patch)
            with pytest.raises(CutOff):
                open_store(killed, "write")
        assert not verify_store(killed).is_sound
    store = open_store(killed, "write")
    assert store.loss is not None
    assert (store.loss.kind, store.loss.records) == (LossKind.END, 11)
    assert store.loss.messages == (10 if proof == "mark" else 0)
    assert store.epoch != epoch
    store.close()
    assert open_and_close(killed).loss is None
    assert verify_store(killed).is_sound


def test_a_start_that_is_cut_off_before_another_log_has_its_new_epoch_tells_the_same_again(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed, _ = killed_daemon(directory)
    (killed / LOG_NAME).unlink()
    lose_the_wal(killed)
    other = open_and_close(directory.with_name("other"))
    shutil.copy(other.path, killed / LOG_NAME)
    epochs = {other.epoch}
    for cut_off in (epoch_is_taken(after=True), mark_is_written(1)):
        with monkeypatch.context() as patch:
            cut_off(patch)
            with pytest.raises(CutOff):
                open_store(killed, "write")
    store = open_store(killed, "write")
    assert store.loss is not None
    assert (store.loss.kind, store.loss.reached) == (LossKind.OTHER, 21)
    assert store.epoch not in epochs
    store.close()
    assert open_and_close(killed).loss is None


def open_and_close(directory: Path) -> Store:
    store = open_store(directory, "write")
    assert store.close()
    return store
