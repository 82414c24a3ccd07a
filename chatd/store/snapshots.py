"""Snapshots of the actors: files beside the log, each whole or absent, the last two kept.

A file is lines of text, UTF-8:

    chatd snapshot 2 SHA-256      the form, and the digest of all that follows, in hex
    [epoch, position, at_ms]
    [part, value]                 a part of many entries has many lines, which belong together

What is written goes to another name, is synced, and renamed; so a file that is not whole was
damaged later. It is SHA-256, as a damaged snapshot that is taken for whole would give members a
wrong queue: no damage passes it, and it costs some milliseconds in a thread, while others run.

The log alone gives the same members, and goes on from whichever snapshot is whole. So a damaged one
is skipped and reported. Of those that are not known to be of this log (damaged, of another log,
another form, or a later position) the two newest are left for a person.
"""

import contextlib
import enum
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

import attrs
import orjson

from chatd.chat.queue import PRESENT, Queue, QueuesByRoom
from chatd.files import give_to_owner_of, open_file, sync_directory
from chatd.store.rows import queue_fields, queue_from_fields

KEPT = 2  # snapshots of this log; as many again that are not
MEMBERS = "members"  # the parts that recovery brings forward
READ_SEQS = "read"
NAMES = "names"
SLICE = 500  # entries and gaps that are encoded in one step
# Between two steps others run. Giving the interpreter's lock up for an instant (`hashlib` does it)
# is worse than never: a thread that waits for it is woken too late, again and again (60 ms).
PAUSE_S = 0.000_5

_OF_MEMBERS = frozenset({READ_SEQS, NAMES})

ByMember: TypeAlias = Mapping[str, Mapping[str, object]]
"""Values of members, by connection id, then by user id."""

_FORM = 2
_FIRST_LINE = re.compile(rb"chatd snapshot (\d+) ([0-9a-f]{64})\n")
_FORM_1_BEGINS = b"\x89chatd\r\n"
_UNFINISHED_NAME = "snapshot.new"
_NAME = re.compile(r"snapshot-(\d{20})-(\d{1,20})\.chatd")
_AHEAD_SUFFIX = ".ahead"


@attrs.frozen
class Snapshot:
    """The state of the actors at one position of the log `epoch`, taken at `at_ms`.

    `parts` go by the name of what is held. That of the members is {connection id: {user id:
    Queue}}; each other one is a plain JSON value. Those of the markers and the names of members are
    made alike, {connection id: {user id: seq}}, without empty rooms.
    """

    epoch: str
    position: int
    at_ms: int
    parts: Mapping[str, object]

    @property
    def members(self) -> QueuesByRoom:
        """The part of the members; empty if there is no such part."""
        return cast(QueuesByRoom, self.parts.get(MEMBERS, {}))

    @property
    def read_seqs(self) -> Mapping[str, Mapping[str, int]]:
        """The part of the markers; empty if there is no such part."""
        return cast(Mapping[str, Mapping[str, int]], self.parts.get(READ_SEQS, {}))

    @property
    def names(self) -> Mapping[str, Mapping[str, str]]:
        """The part of the names of members; empty if there is no such part."""
        return cast(Mapping[str, Mapping[str, str]], self.parts.get(NAMES, {}))


class PassedOverFor(enum.StrEnum):
    """Why a snapshot is of no use to a start."""

    DAMAGED = "damaged"
    UNREADABLE = "unreadable"  # the system says so
    EARLIER = "earlier_version"  # it has the form of an earlier chatd
    VERSION = "version"  # it has the form of a newer chatd
    EPOCH = "epoch"  # it belongs to another log
    AHEAD = "ahead"  # the log lost what it stands on


@attrs.frozen
class PassedOver:
    """A snapshot that is there and was not used, by the name of its file. `position`: where it
    stands, if it is whole."""

    name: str
    reason: PassedOverFor
    position: int = 0


@attrs.frozen
class FoundSnapshot:
    """The snapshot to start from, if any, and the newer ones that were skipped for it."""

    snapshot: Snapshot | None
    passed_over: tuple[PassedOver, ...] = ()


class _Unusable(Exception):
    def __init__(self, reason: PassedOverFor, position: int = 0) -> None:
        self.reason = reason
        self.position = position
        super().__init__(reason)


def write_snapshot(directory: Path, snapshot: Snapshot) -> Path:
    """Write a snapshot beside the others, then remove all but the newest two of this log.

    Blocks, and is meant for a thread; one call at a time for a directory. What it is given must not
    change meanwhile. Raises `OSError`: then the snapshots that were there are as they were, or the
    new one is there as well. Raises `ValueError` or `TypeError` if a part has no form in JSON.
    """
    unfinished = directory / _UNFINISHED_NAME
    unfinished.unlink(missing_ok=True)
    path = directory / f"snapshot-{snapshot.position:020}-{snapshot.at_ms}.chatd"
    try:
        _write(unfinished, snapshot)
        unfinished.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    sync_directory(directory)
    with contextlib.suppress(OSError):  # it is written, whatever becomes of the others
        _remove_surplus(directory, snapshot)
    return path


def newest_snapshot(directory: Path, epoch: str, position: int) -> FoundSnapshot:
    """The newest whole snapshot of the log `epoch` that is not ahead of the log's `position`.

    Changes no file. Raises `OSError` if the directory cannot be listed.
    """
    passed_over: list[PassedOver] = []
    for path in snapshots_of(directory):
        read = read_snapshot(path, epoch, position)
        if isinstance(read, Snapshot):
            return FoundSnapshot(read, tuple(passed_over))
        passed_over.append(read)
    return FoundSnapshot(None, tuple(passed_over))


def furthest(passed_over: Sequence[PassedOver]) -> PassedOver | None:
    """The furthest whole snapshot that is ahead of the log."""
    ahead = [one for one in passed_over if one.reason is PassedOverFor.AHEAD]
    return max(ahead, key=lambda one: one.position, default=None)


def furthest_of_any(directory: Path) -> PassedOver | None:
    """The furthest whole snapshot in a directory that has no log. Raises `OSError` where it cannot
    be listed."""
    read = [read_snapshot(path, None, 0) for path in snapshots_of(directory)]
    return furthest([one for one in read if isinstance(one, PassedOver)])


def snapshots_of(directory: Path) -> list[Path]:
    """The snapshots of a directory, the newest first, by position and time, which their names tell.

    Raises `OSError` where it cannot be listed.
    """
    found = [
        (int(match[1]), int(match[2]), name)
        for name in os.listdir(directory)
        if (match := _NAME.fullmatch(name))
    ]
    return [directory / name for _, _, name in sorted(found, reverse=True)]


def read_snapshot(path: Path, epoch: str | None, position: int) -> Snapshot | PassedOver:
    """The snapshot in a file, or why it is of no use for the log `epoch` up to `position`; None:
    any."""
    try:
        return _read(path, epoch, position)
    except _Unusable as unusable:
        return PassedOver(path.name, unusable.reason, unusable.position)
    except OSError:
        return PassedOver(path.name, PassedOverFor.UNREADABLE)


def put_aside(directory: Path, passed_over: Sequence[PassedOver]) -> None:
    """Rename those that are ahead of the log, for good: nothing reads them any more.

    The log goes on from where it is, and so would reach their position with other records than
    those that they stand on. To be done before the log is written to. Raises `OSError`.
    """
    ahead = [one.name for one in passed_over if one.reason is PassedOverFor.AHEAD]
    for name in ahead:
        (directory / name).rename(directory / f"{name}{_AHEAD_SUFFIX}")
    if ahead:
        sync_directory(directory)


# Writing


def _write(path: Path, snapshot: Snapshot) -> None:
    lines: list[bytes] = []
    digest = hashlib.sha256()
    for value in _values(snapshot):
        line = orjson.dumps(value) + b"\n"
        lines.append(line)
        digest.update(line)
        time.sleep(PAUSE_S)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        give_to_owner_of(path.parent, descriptor)
        for line in (b"chatd snapshot %d %s\n" % (_FORM, digest.hexdigest().encode()), *lines):
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _values(snapshot: Snapshot) -> Iterator[list[object]]:
    """What stands on each line, in pieces: nothing else runs while `orjson` is at one."""
    yield [snapshot.epoch, snapshot.position, snapshot.at_ms]
    for name, part in snapshot.parts.items():
        if name == MEMBERS:
            entries = _member_entries(cast(QueuesByRoom, part))
            for chunk in _chunks(entries, lambda entry: len(entry[4]) if len(entry) > 2 else 0):
                yield [name, chunk]
        elif name in _OF_MEMBERS:
            for chunk in _chunks(_entries(cast(ByMember, part)), lambda _: 0):
                yield [name, chunk]
        elif isinstance(part, dict):
            for chunk in _chunks(part.items(), lambda item: _size(item[1])):
                yield [name, dict(chunk)]
        elif isinstance(part, list):
            for chunk in _chunks(part, _size):
                yield [name, chunk]
        else:
            yield [name, part]


def _chunks(entries: Iterable[Any], size: Callable[[Any], int]) -> Iterator[list[Any]]:
    """Entries in lists of about `SLICE`, each weighed by its size; one empty list for none."""
    chunk: list[Any] = []
    heaped = 0
    for entry in entries:
        if heaped >= SLICE:
            yield chunk
            chunk, heaped = [], 0
        chunk.append(entry)
        heaped += 1 + size(entry)
    yield chunk


def _size(value: object) -> int:
    return len(value) if isinstance(value, dict | list) else 0


def _member_entries(members: QueuesByRoom) -> Iterator[list[Any]]:
    """[connection id, user id, fields of the queue]; an empty queue has no fields."""
    for room, queues in members.items():
        for user, queue in queues.items():
            yield [room, user, *(() if queue == PRESENT else queue_fields(queue))]


def _entries(part: ByMember) -> Iterator[list[object]]:
    """[connection id, user id, value]."""
    for room, values in part.items():
        for user, value in values.items():
            yield [room, user, value]


# Reading


def _read(path: Path, epoch: str | None, position: int) -> Snapshot:
    """The snapshot in a file. Raises `_Unusable` if it is of no use for this log, and `OSError`."""
    with open(open_file(path, os.O_RDONLY), "rb") as file:
        digest = _read_first_line(file)
        content = file.read()
    if hashlib.sha256(content).hexdigest().encode() != digest:
        raise _Unusable(PassedOverFor.DAMAGED)
    try:
        (own_epoch, own_position, at_ms), *values = map(orjson.loads, content.splitlines())
        snapshot = Snapshot(own_epoch, own_position, at_ms, _joined(values))
    except (ValueError, TypeError, LookupError) as error:
        raise _Unusable(PassedOverFor.DAMAGED) from error
    if epoch is not None and snapshot.epoch != epoch:
        raise _Unusable(PassedOverFor.EPOCH)
    if snapshot.position > position:  # a whole one: it proves that the log was further
        raise _Unusable(PassedOverFor.AHEAD, snapshot.position)
    return snapshot


def _read_first_line(file: BinaryIO) -> bytes:
    """The digest of what follows."""
    line = file.readline(1_000)
    match = _FIRST_LINE.fullmatch(line)
    if match is None:
        is_form_1 = line.startswith(_FORM_1_BEGINS)
        raise _Unusable(PassedOverFor.EARLIER if is_form_1 else PassedOverFor.DAMAGED)
    if (form := int(match[1])) != _FORM:
        raise _Unusable(PassedOverFor.EARLIER if form < _FORM else PassedOverFor.VERSION)
    return match[2]


def _joined(values: Iterable[Any]) -> dict[str, object]:
    """The parts whose lines these are."""
    parts: dict[str, Any] = {}
    for name, value in values:
        if name not in parts:
            parts[name] = value
        elif isinstance(value, dict):
            parts[name].update(value)
        else:
            parts[name].extend(value)
    if MEMBERS in parts:
        parts[MEMBERS] = _members(parts[MEMBERS])
    for name in _OF_MEMBERS & parts.keys():
        parts[name] = _by_member(parts[name])
    return parts


def _by_member(entries: list[list[Any]]) -> ByMember:
    values: dict[str, dict[str, object]] = {}
    for room, user, value in entries:
        values.setdefault(room, {})[user] = value
    return values


def _members(entries: list[list[Any]]) -> dict[str, dict[str, Queue]]:
    members: dict[str, dict[str, Queue]] = {}
    for room, user, *fields in entries:
        members.setdefault(room, {})[user] = queue_from_fields(*fields) if fields else PRESENT
    return members


# Removing


def _remove_surplus(directory: Path, written: Snapshot) -> None:
    """Keep the newest of this log, and as many of those that are not of it."""
    ours: list[Path] = []
    others: list[Path] = []
    for path in snapshots_of(directory):
        (ours if _is_of(path, written) else others).append(path)
    aside = sorted(directory.glob(f"snapshot-*{_AHEAD_SUFFIX}"), reverse=True)
    for path in (*ours[KEPT:], *others[KEPT:], *aside[KEPT:]):
        with contextlib.suppress(OSError):  # the rest goes another time
            path.unlink()


def remove_all(directory: Path) -> None:
    """Remove every snapshot, whichever log it is of. Raises `OSError`."""
    aside = directory.glob(f"snapshot-*{_AHEAD_SUFFIX}")
    for path in (*snapshots_of(directory), *aside, directory / _UNFINISHED_NAME):
        path.unlink(missing_ok=True)
    sync_directory(directory)


def _is_of(path: Path, written: Snapshot) -> bool:
    """Whether a snapshot says that it belongs before the one that was written."""
    try:
        with open(open_file(path, os.O_RDONLY), "rb") as file:
            _read_first_line(file)
            epoch, position, _ = orjson.loads(file.readline())
    except (_Unusable, OSError, ValueError, TypeError):
        return False
    return bool(epoch == written.epoch and position <= written.position)
