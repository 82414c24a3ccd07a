"""Snapshots: whole or absent, damaged ones passed over, and the log alone gives the same."""

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.commits import StoreClosed
from chatd.chat.queue import PRESENT, Gap, Queue, QueuesByRoom
from chatd.chat.records import MemberKept, MemberRemoved, Record
from chatd.store import snapshots
from chatd.store.connections import Durability, connect_to_write
from chatd.store.log import Log
from chatd.store.opening import Store, open_store
from chatd.store.recovery import recover
from chatd.store.snapshots import (
    SLICE,
    PassedOver,
    PassedOverFor,
    Snapshot,
    newest_snapshot,
    put_aside,
    write_snapshot,
)
from tests.store.logs import NOW_MS, ROOM, kept, member_parts, stored, stored_from

EPOCH = "0123456789abcdef"
OWED = Queue(7, 70, (Gap(1, 1, 10), Gap(3, 2**40, 2**41)), (2, 2))
MEMBERS: QueuesByRoom = {
    "sales": {"ada": PRESENT, "bob": OWED, "eve": Queue(0, NOW_MS)},
    "Ünïcode 🐘": {"ada": Queue(away_seq=9, away_ms=1, fallen=(1, 4))},
}
PARTS: dict[str, object] = {
    "members": MEMBERS,
    "presence": {"sales": {"ada": ["online", NOW_MS]}, "empty": {}},
    "typing": [["sales", "bob", 1], []],
    "read": {"sales": {"ada": 7, "bob": 0}, "Ünïcode 🐘": {"ada": 2**40}},
    "names": {"sales": {"ada": "Ünïcode 🐘"}},
    "later": None,
}


def taken(position: int, *, epoch: str = EPOCH, **parts: object) -> Snapshot:
    return taken_with(position, parts or PARTS, epoch)


def taken_with(position: int, parts: dict[str, object], epoch: str = EPOCH) -> Snapshot:
    return Snapshot(epoch, position, NOW_MS + position, parts)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path


def names(place: Path) -> list[str]:
    return sorted(os.listdir(place))


def found(place: Path, position: int = 99) -> Snapshot | None:
    return newest_snapshot(place, EPOCH, position).snapshot


# What is written


def test_a_snapshot_comes_back_as_it_was_written(place: Path) -> None:
    path = write_snapshot(place, taken(5))
    assert path.name == f"snapshot-{5:020}-{NOW_MS + 5}.chatd"
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(place) == [path.name]
    assert found(place) == taken(5)
    assert newest_snapshot(place, EPOCH, 5).passed_over == ()


@pytest.mark.parametrize(
    "parts",
    [
        {"members": {}},
        {"presence": {}, "typing": []},
        {"presence": 7},
        {"read": {}, "names": {"sales": {f"user {n}": "a name" for n in range(2_000)}}},
        {"presence": {str(n): list(range(n)) for n in range(100)}, "typing": list(range(5_000))},
    ],
    ids=["nobody", "empty parts", "a number", "names", "many"],
)
def test_parts_of_any_size_come_back(place: Path, parts: dict[str, object]) -> None:
    write_snapshot(place, taken_with(5, parts))
    assert found(place) == taken_with(5, parts)


def test_a_snapshot_without_parts_is_one(place: Path) -> None:
    empty = Snapshot(EPOCH, 5, NOW_MS, {})
    write_snapshot(place, empty)
    assert found(place) == empty
    assert empty.members == {}


def test_many_members_are_encoded_in_slices(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slices: list[int] = []
    real = orjson.dumps

    def dumps(value: list[Any]) -> bytes:
        if value[0] == "members":
            slices.append(sum(1 + (len(entry[4]) if len(entry) > 2 else 0) for entry in value[1]))
        return real(value)

    gaps = tuple(Gap(seq, seq, 0) for seq in range(1, 2_000, 2))
    members: QueuesByRoom = {
        **{f"room {n}": {"ada": PRESENT} for n in range(3_000)},
        "large": {f"user {n}": Queue(0, 0, gaps) if n % 100 == 0 else PRESENT for n in range(900)},
    }
    with monkeypatch.context() as patch:
        patch.setattr("chatd.store.snapshots.orjson.dumps", dumps)
        write_snapshot(place, taken(5, members=members))
    assert sum(slices) == 3_900 + 9 * 1_000
    assert max(slices) <= SLICE + 1_000
    assert found(place) == taken(5, members=members)


def test_the_newest_two_are_kept(place: Path) -> None:
    written = [write_snapshot(place, taken(position)).name for position in (5, 40, 300, 2_000)]
    assert names(place) == written[2:]
    assert found(place, 2_000) == taken(2_000)
    assert found(place, 1_999) == taken(300)
    again = Snapshot(EPOCH, 2_000, NOW_MS + 9_999, PARTS)  # nothing was stored since
    later = write_snapshot(place, again).name
    assert names(place) == [written[3], later]
    assert found(place, 2_000) == again


def test_what_is_no_json_is_refused_and_leaves_nothing(place: Path) -> None:
    write_snapshot(place, taken(5))
    with pytest.raises(TypeError):
        write_snapshot(place, taken(6, presence={1: object()}))
    assert len(names(place)) == 1
    assert found(place) == taken(5)


# Damage


def flipped(content: bytes, at: int, mask: int) -> bytes:
    return content[:at] + bytes([content[at] ^ mask]) + content[at + 1 :]


@pytest.mark.parametrize("mask", [0xFF, 0x01])
def test_a_snapshot_with_any_byte_changed_is_passed_over(place: Path, mask: int) -> None:
    write_snapshot(place, taken(4))
    path = write_snapshot(place, taken(5))
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(flipped(whole, at, mask))
        result = newest_snapshot(place, EPOCH, 2**64)
        assert result.snapshot == taken(4)
        assert [one.name for one in result.passed_over] == [path.name]
    path.write_bytes(whole)
    assert found(place) == taken(5)


def test_a_snapshot_that_is_cut_anywhere_or_goes_on_is_passed_over(place: Path) -> None:
    write_snapshot(place, taken(4))
    path = write_snapshot(place, taken(5))
    whole = path.read_bytes()
    for content in (*(whole[:length] for length in range(len(whole))), whole + b"\0"):
        path.write_bytes(content)
        result = newest_snapshot(place, EPOCH, 99)
        assert result.snapshot == taken(4)
        assert result.passed_over == (PassedOver(path.name, PassedOverFor.DAMAGED),)


def test_with_every_snapshot_damaged_there_is_none(place: Path) -> None:
    for position in (4, 5):
        path = write_snapshot(place, taken(position))
        path.write_bytes(b"")
    result = newest_snapshot(place, EPOCH, 99)
    assert result.snapshot is None
    assert len(result.passed_over) == 2


def test_a_checksum_over_nonsense_makes_it_no_snapshot(place: Path) -> None:
    """As of a chatd whose format is the same in name only."""
    for part in ({"r": {"u": 1}}, 7, [["r"]], [["r", "u", 1]], [["r", "u", 1, 1, [[1]], None]]):
        members: QueuesByRoom = {}
        with pytest.MonkeyPatch.context() as patch:
            lines = [[EPOCH, 5, NOW_MS], ["members", part]]
            patch.setattr(snapshots, "_values", lambda _snapshot, lines=lines: iter(lines))
            path = write_snapshot(place, taken(5, members=members))
        result = newest_snapshot(place, EPOCH, 99)
        assert result.snapshot is None
        assert result.passed_over == (PassedOver(path.name, PassedOverFor.DAMAGED),)


def test_of_what_is_not_of_this_log_and_form_nothing_is_taken(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    write_snapshot(place, taken(1))
    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "_FORM", 3)
        write_snapshot(elsewhere, taken(7)).rename(place / f"snapshot-{7:020}-1.chatd")
        patch.setattr(snapshots, "_FORM", 1)
        write_snapshot(elsewhere, taken(5)).rename(place / f"snapshot-{5:020}-1.chatd")
    write_snapshot(elsewhere, taken(8, epoch="f" * 16)).rename(place / f"snapshot-{8:020}-1.chatd")
    (place / f"snapshot-{6:020}-1.chatd").write_bytes(b"\x89chatd\r\n\0\1" + bytes(73))
    (place / f"snapshot-{9:020}-1.chatd").mkdir()
    write_snapshot(elsewhere, taken(100)).rename(place / f"snapshot-{100:020}-1.chatd")
    (place / "snapshot-12-notes.txt").write_text("of a person")
    result = newest_snapshot(place, EPOCH, 99)
    assert result.snapshot == taken(1)
    assert [(one.name, one.reason) for one in result.passed_over] == [
        (f"snapshot-{100:020}-1.chatd", "ahead"),
        (f"snapshot-{9:020}-1.chatd", "unreadable"),
        (f"snapshot-{8:020}-1.chatd", "epoch"),
        (f"snapshot-{7:020}-1.chatd", "version"),
        (f"snapshot-{6:020}-1.chatd", "earlier_version"),
        (f"snapshot-{5:020}-1.chatd", "earlier_version"),
    ]


def test_what_is_not_of_this_log_is_neither_counted_nor_heaped(place: Path) -> None:
    for position in (1_000, 2_000, 3_000, 4_000):  # of the log before a backup was restored
        write_snapshot(place, taken(position, epoch="f" * 16))
    others = names(place)
    assert len(others) == 2
    for position in (1, 2, 3):
        path = write_snapshot(place, taken(position))
        assert found(place) == taken(position)
        assert set(others) < set(names(place))
    path.write_bytes(b"cut")
    for position in (4, 5, 6):
        write_snapshot(place, taken(position))
        assert found(place) == taken(position)
    assert len(names(place)) == 4


def test_those_ahead_of_the_log_are_put_aside_and_never_taken_again(place: Path) -> None:
    write_snapshot(place, taken(3))
    for position in (50, 51, 52, 53):
        write_snapshot(place, taken(position))
        passed_over = newest_snapshot(place, EPOCH, 10).passed_over
        put_aside(place, passed_over)
    assert found(place, 10) is None or found(place, 10) == taken(3)
    write_snapshot(place, taken(11))
    assert newest_snapshot(place, EPOCH, 99) == snapshots.FoundSnapshot(taken(11))
    assert sum(name.endswith(".ahead") for name in names(place)) == 2


# Crash points


class CutError(OSError):
    pass


@contextlib.contextmanager
def cut_at(call: str, nth: int) -> Iterator[list[int]]:
    """The nth call of a function of `os` fails, and all of that function after it."""
    calls = [0]
    real = getattr(os, call)

    def fail(*arguments: object, **named: object) -> object:
        calls[0] += 1
        if calls[0] >= nth:
            raise CutError(5, f"{call} {nth}")
        return real(*arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, call, fail)
        yield calls


@pytest.mark.parametrize("call", ["open", "write", "fsync", "rename", "replace", "unlink", "close"])
def test_a_write_that_is_cut_leaves_what_was_there_or_both(place: Path, call: str) -> None:
    """As by an I/O error: the process goes on. (`unlink` fails only for what is too much.)"""
    write_snapshot(place, taken(4))
    most = 0
    for nth in range(1, 30):
        before = found(place)
        assert before is not None
        attempt = taken(before.position + 1)
        with cut_at(call, nth) as calls, contextlib.suppress(CutError):
            write_snapshot(place, attempt)
        assert found(place) in (before, attempt)
        most = max(most, len(names(place)))
        if calls[0] < nth:
            break
    assert calls[0] < nth
    assert most <= 4  # two, one more that was not removed yet, one unfinished
    write_snapshot(place, taken(90))
    assert found(place) == taken(90)
    assert len(names(place)) == 2


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_crash_leaves_a_snapshot_and_a_leftover_that_the_next_write_removes(
    place: Path, call: str
) -> None:
    """As by `kill -9`: nothing after the cut is done either, not even the removing."""
    write_snapshot(place, taken(4))
    for nth in (1, 2):
        with cut_at(call, nth), cut_at("unlink", 2), contextlib.suppress(CutError):
            write_snapshot(place, taken(5))
        assert found(place) in (taken(4), taken(5))
        assert set(names(place)) <= {
            f"snapshot-{4:020}-{NOW_MS + 4}.chatd",
            f"snapshot-{5:020}-{NOW_MS + 5}.chatd",
            "snapshot.new",
        }
    write_snapshot(place, taken(6))
    assert "snapshot.new" not in names(place)
    assert found(place) == taken(6)


def test_a_disk_that_takes_little_at_once_gets_all(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, content: real(descriptor, content[:3]))
        write_snapshot(place, taken(5))
    assert found(place) == taken(5)


# With the log

USERS = st.sampled_from(["ada", "bob", "eve"])
ROOMS = st.sampled_from(["sales", "other"])
SEQS = st.integers(0, 50)
QUEUES = st.builds(
    Queue,
    away_seq=st.none() | SEQS,
    away_ms=st.integers(0, 9),
    gaps=st.lists(st.builds(Gap, SEQS, SEQS, SEQS), max_size=3).map(tuple),
    fallen=st.none() | st.tuples(SEQS, SEQS),
)
RECORDS = st.builds(MemberKept, ROOMS, USERS, QUEUES, SEQS) | st.builds(MemberRemoved, ROOMS, USERS)


@given(
    commits=st.lists(st.lists(RECORDS, min_size=1, max_size=4), max_size=6),
    after=st.integers(0, 6),
    newer_by=st.integers(0, 2),
)
def test_a_base_and_the_log_since_give_what_the_log_gives(
    commits: list[list[Record]], after: int, newer_by: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        store = open_store(Path(name), "write")
        connection = connect_to_write(store.path, Durability.WRITE)
        log = Log(lambda: connection)
        position, base = 0, {}
        for done, commit in enumerate(commits):
            if done == after:
                position = recover(connection).position
            if done == after + newer_by:  # its members may be newer than its position
                base = recover(connection).members
            log.commit([commit])
        if after + newer_by >= len(commits):
            base = recover(connection).members
        expected = recover(connection)
        write_snapshot(Path(name), taken(position, members=base))
        read = newest_snapshot(Path(name), EPOCH, expected.position).snapshot
        assert read is not None
        assert read.members == base
        assert recover(connection, read) == expected
        log.close()
        store.close()


def committed(store: Store, *records: Record) -> int:
    log = Log(lambda: connect_to_write(store.path, Durability.FSYNC))
    log.commit([records])
    log.close()
    return store.reread().position


def of_store(store: Store, **parts: object) -> Snapshot:
    state = store.reread()
    return Snapshot(
        store.epoch, state.position, NOW_MS + state.position, {**member_parts(state), **parts}
    )


def test_a_store_opens_from_its_snapshot_and_the_log_since(directory: Path) -> None:
    store = open_store(directory, "fsync")
    assert store.snapshot is None
    committed(store, *stored_from(1, 3), kept("ada"), kept("bob", OWED), kept("eve", OWED))
    taken_then = of_store(store, presence={"sales": 1})
    store.write_snapshot(taken_then)
    committed(store, stored(4), kept("bob"), MemberRemoved(ROOM, "eve"), kept("joe", OWED))
    assert store.close()

    again = open_store(directory, "fsync")
    assert again.snapshot == Snapshot(
        again.epoch, taken_then.position, taken_then.at_ms, {"presence": {"sales": 1}}
    )
    assert again.passed_over == ()
    assert again.recovered.members == {ROOM: {"ada": PRESENT, "bob": PRESENT, "joe": OWED}}
    assert again.recovered == again.reread()
    assert again.close()


@pytest.mark.parametrize("damaged", [1, 2])
def test_a_store_with_damaged_snapshots_opens_to_the_same(directory: Path, damaged: int) -> None:
    store = open_store(directory, "fsync")
    paths = []
    for queue in (OWED, PRESENT):
        committed(store, kept("ada", queue), kept("bob", OWED))
        paths.append(store.write_snapshot(of_store(store)))
    committed(store, kept("ada", Queue(1, 1)))
    expected = store.reread()
    assert store.close()
    for path in paths[-damaged:]:
        content = path.read_bytes()
        path.write_bytes(flipped(content, len(content) - 5, 0x10))

    again = open_store(directory, "fsync")
    assert again.recovered == expected
    assert [one.reason for one in again.passed_over] == ["damaged"] * damaged
    assert (again.snapshot is None) == (damaged == 2)
    assert all(path.exists() for path in paths)
    assert again.close()


@pytest.mark.parametrize("mask", [0xFF, 0x01])
def test_whichever_byte_is_changed_the_state_after_a_start_is_right(
    directory: Path, mask: int
) -> None:
    """The log has gone on since, so that a start has to bring whichever snapshot it takes forward.

    A position that is another one now is the worst: what is newer would be looked for from there.
    """
    store = open_store(directory, "write")
    committed(store, *stored_from(1, 4), kept("ada", OWED), kept("eve"), kept("joe"))
    older = of_store(store, typing=["older"])
    store.write_snapshot(older)
    committed(store, kept("ada"), kept("bob", OWED), MemberRemoved(ROOM, "joe"))
    path = store.write_snapshot(of_store(store, typing=["newer"]))
    committed(store, stored(5), kept("bob", Queue(5, 9)), kept("eve", OWED), kept("new"))
    expected = store.reread()
    assert store.close()
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(flipped(whole, at, mask))
        again = open_store(directory, "write")
        assert again.recovered == expected, at
        assert again.snapshot == Snapshot(
            again.epoch, older.position, older.at_ms, {"typing": ["older"]}
        )
        assert [one.name for one in again.passed_over] == [path.name]
        assert again.close()
        for ahead in directory.glob("*.ahead"):  # its position said so, and it was put aside
            ahead.rename(path)
    path.write_bytes(whole)
    again = open_store(directory, "write")
    assert again.snapshot is not None
    assert again.snapshot.parts == {"typing": ["newer"]}
    assert again.recovered == expected
    assert again.close()


def test_a_snapshot_without_members_takes_them_from_the_log(directory: Path) -> None:
    store = open_store(directory, "fsync")
    position = committed(store, kept("ada", OWED))
    store.write_snapshot(Snapshot(store.epoch, position, NOW_MS, {"typing": []}))
    assert store.close()
    again = open_store(directory, "fsync")
    assert again.snapshot is not None
    assert again.recovered.members == {ROOM: {"ada": OWED}}
    assert again.close()


def test_a_snapshot_of_records_that_the_log_lost_is_not_taken_when_it_grew_again(
    directory: Path,
) -> None:
    """As after a cut of power with `durability = "write"`."""
    store = open_store(directory, "fsync")
    committed(store, kept("ada"))
    lost = Snapshot(store.epoch, 3, NOW_MS, {"members": {ROOM: {"ada": OWED, "bob": OWED}}})
    store.write_snapshot(lost)
    assert store.close()
    store = open_store(directory, "fsync")
    assert [one.reason for one in store.passed_over] == ["ahead"]
    committed(store, *stored_from(1, 9))
    assert store.close()
    again = open_store(directory, "fsync")
    assert again.recovered.members == {ROOM: {"ada": PRESENT}}
    assert again.snapshot is None
    assert again.close()


def test_a_store_tells_of_a_disk_that_takes_no_snapshot(store: Store) -> None:
    with cut_at("fsync", 1), pytest.raises(CutError):
        store.write_snapshot(of_store(store))
    with pytest.raises(ValueError, match="of the log"):
        store.write_snapshot(taken(0))
    store.write_snapshot(of_store(store))
    store.close()
    with pytest.raises(StoreClosed):
        store.write_snapshot(of_store(store))


def test_two_snapshots_at_once_follow_each_other(store: Store) -> None:
    failures: list[Exception] = []
    snapshot = of_store(store, presence=list(range(50_000)))

    def write() -> None:
        try:
            for _ in range(10):
                store.write_snapshot(snapshot)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert newest_snapshot(store.path.parent, store.epoch, 0).snapshot == snapshot
