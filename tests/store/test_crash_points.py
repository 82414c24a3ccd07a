"""Every operation on the disk cut in turn: `recorded_disk` says what is shown.

A script of the store's own code is recorded once. Then, before every operation and in the middle of
every write, the files are made as a crash may leave them, in several ways, and a start is made from
them with the daemon's own code: what was acknowledged before is there, in full, once and in its
place; what was under way is there in full or not at all; the store is sound to the last row, and
goes on.
"""

import contextlib
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest

from chatd.chat.commits import Committed
from chatd.chat.queue import PRESENT, Gap, Queue
from chatd.chat.records import Delivered, MemberRemoved, Message, MessageStored, ReadMarked
from chatd.store.backup import back_up_store
from chatd.store.connections import Durability, connect_to_write
from chatd.store.errors import StoreTooOld
from chatd.store.integrity import faults
from chatd.store.log import Log
from chatd.store.log_file import LOG_NAME, look
from chatd.store.mark import MARK_NAME
from chatd.store.opening import Store, open_store
from chatd.store.recovery import Recovered
from chatd.store.restore import restore_store
from chatd.store.retention import Surplus, remove
from chatd.store.rows import CHANGED, MESSAGE_COLUMNS, message_from_row
from chatd.store.search_index import index_older, index_some
from chatd.store.snapshots import PassedOverFor, Snapshot
from chatd.store.verify import Finding, verify_store
from tests.store.logs import (
    NOW_MS,
    ROOM,
    connect_spilling,
    deleted,
    edited,
    kept,
    member_parts,
    message,
    reacted,
    stored,
    stored_from,
)
from tests.store.recorded_disk import (
    Operation,
    Recording,
    Write,
    after_crash,
    all_of,
    none_of,
    recording,
    some_of,
    torn,
)
from tests.store.test_migration import write_version_1

DURABILITY = Durability.FSYNC
COUNT = "SELECT count(*) FROM messages"
STATE = "state"  # the state directory, below the root that is recorded
OWED = Queue(3, 70, (Gap(1, 1, 10), Gap(3, 3, 20)), (2, 2))
KILLED = "the process was killed"
PARTS = 3  # ways in which a part of what was not synced is found, at each point


@attrs.frozen
class Held:
    """All that a log holds."""

    epoch: str
    recovered: Recovered
    messages: tuple[Message, ...]


def held_by(store: Store) -> Held:
    connection = connect_to_write(store.path, DURABILITY)
    rows = connection.execute(
        f"SELECT {MESSAGE_COLUMNS} FROM messages m JOIN rooms r USING (room_id) {CHANGED}"
        " ORDER BY m.position"
    ).fetchall()
    connection.close()
    return Held(store.epoch, store.reread(), tuple(map(message_from_row, rows)))


class Witness:
    """Notes what was acknowledged, and after how many operations."""

    def __init__(self, noted: Recording) -> None:
        self._noted = noted
        self.states: list[tuple[int, Held]] = []
        self.snapshots: list[tuple[int, Snapshot]] = []

    def acknowledged(self, at: int, store: Store) -> None:
        self.states.append((at, held_by(store)))

    @property
    def now(self) -> int:
        return len(self._noted.operations)

    @property
    def acknowledgements(self) -> list[int]:
        return [at for at, _ in (*self.states, *self.snapshots)]

    def possible_states(self, cut: int) -> list[Held]:
        """The last one that was acknowledged before `cut`, and the one that was under way."""
        return _last_and_next(self.states, cut)

    def possible_snapshots(self, cut: int) -> list[Snapshot | None]:
        found: list[Snapshot | None] = list(_last_and_next(self.snapshots, cut))
        if not any(at <= cut for at, _ in self.snapshots):
            found.append(None)
        return found


def _last_and_next(noted: list[tuple[int, Any]], cut: int) -> list[Any]:
    before = [one for at, one in noted if at <= cut]
    return before[-1:] + [one for at, one in noted if at > cut][:1]


class Script:
    """A store that is used, and a witness of what it acknowledged."""

    def __init__(self, directory: Path, witness: Witness, durability: Durability) -> None:
        self._directory = directory
        self._witness = witness
        self._durability = durability

    def open(self) -> None:
        self.store = open_store(
            self._directory, self._durability, connect_to_write=connect_spilling
        )
        self._witness.acknowledged(self._witness.now, self.store)
        self.log = self.store.open_log()

    def commit(self, *requests: list[Any]) -> list[Any]:
        results = self.log.commit(requests)
        self._witness.acknowledged(self._witness.now, self.store)
        return results

    def maintain(self, job: Callable[[sqlite3.Connection], object]) -> None:
        self.log.maintain(job)
        self._witness.acknowledged(self._witness.now, self.store)

    def snapshot(self, number: int) -> None:
        now = self.store.reread()
        parts = {**member_parts(now), "typing": [number]}
        snapshot = Snapshot(self.store.epoch, now.position, NOW_MS + number, parts)
        self.store.write_snapshot(snapshot)
        without = attrs.evolve(snapshot, parts={"typing": [number]})
        self._witness.snapshots.append((self._witness.now, without))

    def close(self) -> None:
        self.log.close()
        assert self.store.close()


def life(script: Script) -> None:
    """From nothing: commits of every kind, checkpoints, snapshots, retention, an end, a start."""
    script.open()
    script.commit([stored(1, context=b'{"schema":"public"}'), kept("ada")])
    first = message(2, name=None, content="Ünïcode 🐘")
    script.commit([kept("bob", Queue(1, NOW_MS))], [MessageStored(first)], [kept("eve")])
    script.snapshot(1)
    script.commit([stored(3, content="long " * 3_000)])  # beyond what the cache may hold
    script.commit([kept("bob", OWED), kept("dan", Queue(0, 70), room="other")])
    refused = script.commit([stored(9)], [stored(4, message_id=first.message_id)], [stored(4)])
    assert isinstance(refused[2], Committed)
    script.commit([Delivered(ROOM, 2, "bob", NOW_MS), MemberRemoved(ROOM, "eve")])
    script.snapshot(2)
    edit = edited(first, "other", 1)
    script.commit([edit], [reacted(edit.message, 2)])
    script.maintain(index_some)
    script.maintain(partial(remove, surplus=[Surplus(ROOM, 3)]))
    fifth = message(5)
    mentioning = stored(1, room="other", mentions=("bob", "eve"))
    script.commit([MessageStored(fifth)], [mentioning, kept("bob", PRESENT, name="Bob")])
    script.commit([ReadMarked(ROOM, "bob", 4)])
    script.snapshot(3)
    script.close()
    script.open()
    script.commit(stored_from(6, 9))  # type: ignore[arg-type]
    again = edited(fifth, "again", 3)
    script.commit([again, deleted(again.message, 4)])
    script.close()


def coming_of_age(script: Script) -> None:
    """An older log is brought forward, and goes on."""
    script.open()
    script.commit([stored(31, room="sales"), kept("bob", room="quiet")])
    script.maintain(index_older)
    script.close()


def record(
    root: Path, run: Callable[[Script], None], durability: Durability = DURABILITY
) -> tuple[Recording, Witness]:
    with recording(root) as noted:
        witness = Witness(noted)
        run(Script(root / STATE, witness, durability))
    return noted, witness


def crashes(
    noted: Recording, acknowledged: Sequence[int]
) -> Iterator[tuple[int, str, dict[str, bytes]]]:
    """What may be left, before each operation and in the middle of each write.

    The same files are given once only, as long as nothing more was acknowledged.
    """
    seen: set[tuple[int, int]] = set()
    for cut in range(noted.first, len(noted.operations) + 1):
        done = noted.operations[:cut]
        left = {
            KILLED: after_crash(done, all_of, 1.0),
            "nothing but what was synced": after_crash(done, none_of, 0.0),
            "names, and no contents": after_crash(done, none_of, 1.0),
            "contents, and no names": after_crash(done, all_of, 0.0),
        }
        for seed in range(PARTS):
            some = some_of(cut * PARTS + seed)
            left[f"a part, by seed {seed}"] = after_crash(done, some, seed / PARTS)
        under_way = noted.operations[cut] if cut < len(noted.operations) else None
        if isinstance(under_way, Write):
            for part in (0.5, 0.99):
                cut_off = [*done, torn(under_way, part)]
                left[f"torn at {part}"] = after_crash(cut_off, all_of, 1.0)
        promised = sum(at <= cut for at in acknowledged)
        for how, files in left.items():
            image = (promised, hash(tuple(sorted(files.items()))))
            if image not in seen:
                yield cut, how, files
            seen.add(image)


def put(files: dict[str, bytes], root: Path) -> Path:
    """Make the files anew below `root`; the state directory."""
    shutil.rmtree(root, ignore_errors=True)
    (root / STATE).mkdir(parents=True)
    for name, content in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content)
    return root / STATE


def each_crash(
    noted: Recording,
    acknowledged: Sequence[int],
    root: Path,
    require: Callable[[Path, int, str], None],
    every_crash: bool,
) -> None:
    """Make the files of each crash, and look at the state directory.

    Of the several that a cut may leave, one is tried, by a fixed seed, unless `every_crash`.
    """
    found = list(crashes(noted, acknowledged))
    assert len(found) > len(noted.operations) - noted.first
    if not every_crash:
        chance = random.Random(0)
        cuts = groupby(found, key=lambda crash: crash[0])
        found = [chance.choice(list(left)) for _, left in cuts]
    for cut, how, files in found:
        directory = put(files, root)
        try:
            require(directory, cut, how)
        except Exception as error:
            error.add_note(f"{how}, before operation {cut}: {noted.operations[cut - 3 : cut + 1]}")
            raise


def require_recovery(witness: Witness, directory: Path, cut: int, _: str) -> None:
    """A start finds what it must, and goes on."""
    states = witness.possible_states(cut)
    is_made = any(at <= cut for at, _ in witness.states)
    if is_made:
        with contextlib.suppress(StoreTooOld):
            assert verify_store(directory).is_sound
    for _ in range(2):  # the second start finds what the first one did
        store = open_store(directory, Durability.WRITE)
        held = held_by(store)
        if is_made:
            assert held in states
        else:
            assert held.messages == ()
        assert store.recovered == held.recovered
        assert store.loss is None
        # Both slots may be torn where the disk had neither; then it proves nothing.
        assert {one.name for one in store.passed_over} <= {MARK_NAME}
        assert store.snapshot in witness.possible_snapshots(cut)
        assert store.close()
    require_going_on(directory)


def require_going_on(directory: Path) -> None:
    """The next messages take the next places."""
    store = open_store(directory, Durability.WRITE)
    assert store.loss is None
    log = Log(lambda: connect_to_write(store.path, Durability.WRITE))
    rooms = store.recovered.rooms
    more = [stored(seq + 1, room=room) for room, seq in rooms.items()] or [stored(1)]
    assert log.commit([more]) == [Committed(store.recovered.position + len(more))]
    log.close()
    assert store.close()


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """What is recorded lies here."""
    (tmp_path / "live").mkdir()
    return tmp_path / "live"


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """What a crash leaves is made here."""
    return tmp_path / "crashed"


def test_a_crash_at_any_point_of_a_life_loses_nothing(
    live: Path, crashed: Path, every_crash: bool
) -> None:
    noted, witness = record(live, life)
    require = partial(require_recovery, witness)
    each_crash(noted, witness.acknowledgements, crashed, require, every_crash)
    # That it was a whole life: the log was written to by checkpoints, and every kind was met.
    assert len(witness.states) == 15
    assert {type(operation) for operation in noted.operations} == set(get_args(Operation))
    checkpoints = [at for at, one in enumerate(noted.operations) if is_of_the_log(noted, one)]
    assert len({at for at, _ in witness.states if at < checkpoints[-1]}) > 5


def test_what_is_written_and_not_synced_survives_a_kill_and_a_cut_of_power_costs_the_end_only(
    live: Path, crashed: Path, every_crash: bool
) -> None:
    """`durability = "write"`."""
    noted, witness = record(live, life, Durability.WRITE)
    lost: list[bool] = []
    told: list[bool] = []

    def require(directory: Path, cut: int, how: str) -> None:
        if how == KILLED:
            require_recovery(witness, directory, cut, how)
            return
        if not any(at <= cut for at, _ in witness.states):
            return
        verified = verify_store(directory)
        assert verified.is_sound == (not any(map(is_of_a_loss, verified.findings)))
        store = open_store(directory, Durability.WRITE)
        states = [held for _, held in witness.states]
        held = held_by(store)
        if store.loss is not None:  # what is lost is told, and its seqs are of another epoch
            assert held.epoch not in {state.epoch for state in states}
            held = attrs.evolve(held, epoch=states[0].epoch)
        at = states.index(held)
        reasons = {one.reason for one in store.passed_over if one.name != MARK_NAME}
        assert reasons <= {PassedOverFor.AHEAD}
        assert (store.loss is not None) >= bool(reasons)
        told.append(store.loss is not None)
        assert store.close()
        assert verify_store(directory).is_sound
        require_going_on(directory)
        lost.append(states[at] not in witness.possible_states(cut))
        assert lost[-1] or not told[-1]

    each_crash(noted, witness.acknowledgements, crashed, require, every_crash)
    assert any(lost)  # else there were no price, and no reason to sync
    assert any(told)


def is_of_a_loss(finding: Finding) -> bool:
    """Whether the check says that the log has lost its end."""
    return finding.is_damage and "has lost its end" in finding.text


def test_a_crash_at_any_point_of_a_migration_loses_nothing(
    live: Path, crashed: Path, every_crash: bool
) -> None:
    write_version_1(live / STATE, 30)
    noted, witness = record(live, coming_of_age)
    made_at, before = witness.states[0]
    assert len(before.messages) == 30
    # Whatever step of the migration is cut, a start finds what the older log held.
    witness.states.insert(0, (noted.first, before))
    require = partial(require_recovery, witness)
    each_crash(noted, witness.acknowledgements, crashed, require, every_crash)
    assert made_at - noted.first > 20


def small_store(directory: Path, room: str) -> Held:
    """A log with some commits, and a snapshot, as a killed daemon leaves it: with its WAL."""
    place = directory.with_name(f"{directory.name} of a daemon")
    store = open_store(place, DURABILITY)
    log = Log(lambda: connect_to_write(store.path, DURABILITY))
    log.commit([stored_from(1, 3, room=room), [kept("ada", room=room)]])
    store.write_snapshot(
        Snapshot(store.epoch, 4, NOW_MS, {**member_parts(store.reread()), "typing": []})
    )
    log.commit([[stored(4, room=room), kept("bob", Queue(4, 7), room=room)]])
    held = held_by(store)
    shutil.copytree(place, directory)
    log.close()
    store.close()
    return held


def test_a_crash_at_any_point_of_a_restore_leaves_the_old_log_or_the_new_one(
    live: Path, crashed: Path, tmp_path: Path, every_crash: bool
) -> None:
    old = small_store(live / STATE, "old")
    new = small_store(tmp_path / "elsewhere", "new")
    back_up_store(tmp_path / "elsewhere", tmp_path / "backup")
    before = {path.name: path.read_bytes() for path in (live / STATE).glob("log.sqlite3*")}
    with recording(live) as noted:
        done = restore_store(live / STATE, tmp_path / "backup", NOW_MS)
    assert done.recovered == new.recovered
    found = []

    def require(directory: Path, cut: int, _: str) -> None:
        store = open_store(directory, Durability.WRITE)
        held = held_by(store)
        is_old = held.epoch == old.epoch
        found.append(is_old)
        if is_old:
            assert cut < len(noted.operations)
            assert held == old
            assert store.snapshot is not None
        else:
            assert attrs.evolve(held, epoch=new.epoch) == new
            assert held.epoch != new.epoch
            assert store.snapshot is None
            [replaced] = directory.glob("replaced-*")
            assert {
                path.name: path.read_bytes() for path in replaced.glob("log.sqlite3*")
            } == before
            assert list(replaced.glob("snapshot-*"))
        assert store.loss is None
        assert store.passed_over == ()
        assert store.close()
        assert not list(directory.glob("log.sqlite3.restored*"))
        require_going_on(directory)

    each_crash(noted, [len(noted.operations)], crashed, require, every_crash)
    assert found.count(True) > 20
    assert found.count(False) > 5


def test_a_crash_at_any_point_of_a_backup_leaves_a_whole_one_or_none(
    live: Path, crashed: Path, tmp_path: Path, every_crash: bool
) -> None:
    held = small_store(tmp_path / "elsewhere", "new")
    (live / STATE).mkdir()
    with recording(live) as noted:
        back_up_store(tmp_path / "elsewhere", live / STATE / "monday")
    found = []

    def require(directory: Path, cut: int, _: str) -> None:
        backup = directory / "monday"
        found.append(backup.exists())
        if backup.exists():
            [message_count] = look(backup, lambda log: log.execute(COUNT).fetchone())
            assert message_count == len(held.messages)
            assert look(backup, lambda log: list(faults(log))) == []
        else:
            assert cut < len(noted.operations)
        assert set(os.listdir(directory)) <= {
            "monday",
            "monday.unfinished",
            "monday.unfinished-journal",
            "monday.unfinished-wal",
        }

    each_crash(noted, [len(noted.operations)], crashed, require, every_crash)
    assert found.count(False) > 20
    assert found[-1]


def is_of_the_log(noted: Recording, operation: object) -> bool:
    """Whether it writes to the log's own file, as a checkpoint does."""
    return isinstance(operation, Write) and operation.file == noted.file_of(f"{STATE}/{LOG_NAME}")
