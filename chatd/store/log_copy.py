"""`chatd store copy`: from one log to another, row by row, and then compared row by row.

The copy has the epoch of the first log, and all seqs, revs and positions of messages: what clients
know stays good. Both logs are locked, so that no daemon uses either. Of each table only a sum for
each room is kept in memory. The index of the search is not copied: the daemon makes it anew.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol

import attrs
import orjson

from chatd.counts import counted
from chatd.store.copied_rows import Head, Misplaced, Rooms, Row, Table, fitted
from chatd.store.errors import EXIT_DAMAGED, EXIT_FAILURE, StoreError

TOLD_MAX: Final = 20
"""Damaged rows of a table that are reported one by one."""
STEP_ROWS: Final = 5_000
"""Between two reports of how far a table is."""

Progress = Callable[[str, int, bool], None]
"""Is told what is done ("copied messages"), for how many rows, and whether these are all."""


class CopyFailed(StoreError):
    """The log was not copied. The first log is as it was."""

    def __init__(
        self, code: str, sentence: str, exit_code: int = EXIT_FAILURE, of: str = "The copy"
    ) -> None:
        self.code = code
        self.exit_code = exit_code
        super().__init__(f"{of} ({code}): {sentence}")


class LogRows(Protocol):
    """A log that is read, in one view."""

    def head(self) -> Head: ...

    def rows(self, table: Table) -> Iterator[Row]:
        """Its rows, in the order of their first columns, messages in that of their positions, in
        the columns of `copied_rows.COLUMNS`."""
        ...


class NewLog(LogRows, Protocol):
    """A log that is being written; it is not a log until it is finished."""

    def begin(self, head: Head) -> None: ...

    def write(self, table: Table, rows: Iterable[Row]) -> None: ...


@attrs.define(eq=False)
class RoomSum:
    """The messages of a room: how many, the first and the last seq, and a sum over all of them."""

    room: str
    messages: int = 0
    first_seq: int = 0
    last_seq: int = 0
    is_dense: bool = True
    _hash: "hashlib.blake2b" = attrs.field(factory=lambda: hashlib.blake2b(digest_size=16))

    def add(self, row: Row) -> None:
        seq = row[1]
        if not self.messages:
            self.first_seq = seq
        elif seq != self.last_seq + 1:
            self.is_dense = False
        self.messages += 1
        self.last_seq = seq
        self._hash.update(_written(row))

    def sum(self) -> tuple[object, ...]:
        """Equal where all messages are."""
        return (
            *(self.room, self.messages, self.first_seq, self.last_seq, self.is_dense),
            self._hash.hexdigest(),
        )


@attrs.define(eq=False)
class Sums:
    """What went through, table by table."""

    rooms: Rooms = attrs.field(factory=Rooms)
    by_room: list[RoomSum] = attrs.field(factory=list)
    counts: dict[Table, int] = attrs.field(factory=dict)
    hashes: dict[Table, str] = attrs.field(factory=dict)
    damaged: dict[Table, list[str]] = attrs.field(factory=dict)
    """A sentence for each of the first damaged rows of each table, and how many more there are."""

    def passed(
        self, table: Table, rows: Iterable[Row], done: str, progress: Progress
    ) -> Iterator[Row]:
        """The rows as they are copied, added up while they pass."""
        summed = hashlib.blake2b(digest_size=16)
        count = bad = 0
        told: list[str] = []
        for row in rows:
            try:
                copied, is_damaged = fitted(table, row, self.rooms)
            except Misplaced as misplaced:
                bad += 1
                if bad <= TOLD_MAX:
                    told.append(f"A row of the {table} ({_place(row)}) has a wrong {misplaced}: "
                                "it belongs nowhere, and is left out.")  # fmt: skip
                continue
            if is_damaged:
                bad += 1
                if bad <= TOLD_MAX:
                    told.append(f"A row of the {table} ({_place(row)}) is damaged, and stays so.")
            count += 1
            if table is Table.MESSAGES:
                self.by_room[copied[0] - 1].add(copied)
            else:
                summed.update(_written(copied))
                if table is Table.ROOMS:
                    self.by_room.append(RoomSum(copied[1]))
            if count % STEP_ROWS == 0:
                progress(f"{done} {table}", count, False)
            yield copied
        if bad > TOLD_MAX:
            told.append(f"So it is with {counted(bad - TOLD_MAX, 'more row')} of the {table}.")
        self.counts[table], self.hashes[table] = count, summed.hexdigest()
        if told:
            self.damaged[table] = told
        progress(f"{done} {table}", count, True)


def _written(row: Row) -> bytes:
    return orjson.dumps(row, default=bytes.hex)


def _place(row: Row) -> str:
    """Where a row is: numbers, no content."""
    return ", ".join(str(value) for value in row[:3] if value.__class__ is int) or "without place"


@attrs.frozen
class Copied:
    """What the new log holds."""

    epoch: str
    rooms: Sequence[RoomSum]
    counts: dict[Table, int]
    damaged: Sequence[str]


def copy_log(source: LogRows, target: NewLog, progress: Progress) -> Copied:
    """Copy all that there is, and compare. Raises `CopyFailed`, and what source and target
    raise."""
    head = source.head()
    target.begin(head)
    read = Sums()
    for table in Table:
        target.write(table, read.passed(table, source.rows(table), "copied", progress))
    _compare(head, read, target, progress)
    damaged = [sentence for told in read.damaged.values() for sentence in told]
    damaged += [
        f"The room {one.room!r} lacks messages between {one.first_seq} and {one.last_seq}."
        for one in read.by_room
        if not one.is_dense
    ]
    return Copied(head.epoch, read.by_room, read.counts, damaged)


def _compare(head: Head, read: Sums, target: LogRows, progress: Progress) -> None:
    """Raises `CopyFailed` unless the target holds what was read."""
    there = target.head()
    found = Sums()
    for table in Table:
        for _ in found.passed(table, target.rows(table), "compared", progress):
            pass
    if attrs.evolve(there, position=head.position) != head:
        raise _differs("what it says of itself")
    for one, other in zip(read.by_room, found.by_room, strict=False):
        if one.sum() != other.sum():
            raise _differs(f"the messages of the room {one.room!r}")
    for table in Table:
        if (read.counts[table], read.hashes[table]) != (found.counts[table], found.hashes[table]):
            raise _differs(
                f"its {table} ({counted(found.counts[table], 'row')} instead of "
                f"{read.counts[table]:,})"
            )


def _differs(where: str) -> CopyFailed:
    return CopyFailed(
        "copy_differs",
        f"The copy is not what was copied: {where} differs. It is not used; copy again, and verify "
        "the first log where it happens once more.",
        EXIT_DAMAGED,
    )
