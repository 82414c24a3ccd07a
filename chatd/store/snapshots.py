"""Snapshots of the actors: files beside the log, each whole or absent, the last two kept (SPEC 7).

A file is a header of fixed length, then JSON. The header, big-endian:

    magic 8 | format version 2 | position 8 | at_ms 8 | length of the body 8 | epoch 16 | SHA-256 32

The checksum goes over the body, then the header before it. It is SHA-256, as a snapshot that is
taken for whole and is not would give members a wrong queue: no damage passes it, and it costs some
milliseconds in a thread, beside which others run. What is written goes to another name, is synced,
and renamed; so a file that is not whole was damaged later.

The log alone gives the same members, and goes on from whichever snapshot is whole. So a damaged one
is passed over and told of. Of those that are not known to be of this log (the header is damaged, or
tells of another log, another form, or a later position) the two newest are left for a person.
"""

import contextlib
import enum
import hashlib
import os
import re
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import attrs
import orjson

from chatd.chat.queue import PRESENT, Queue
from chatd.files import open_file, sync_directory
from chatd.store.loss import Ahead
from chatd.store.rows import queue_fields, queue_from_fields

FORMAT_VERSION = 1
KEPT = 2  # snapshots of this log; as many again that are not
MEMBERS = "members"  # the part that recovery brings forward
SLICE = 500  # entries and gaps that are encoded in one step
# Between two steps others run. Giving the interpreter's lock up for an instant (`hashlib` does it)
# is worse than never: who waits for it is woken too late, again and again (60 ms, measured).
PAUSE_S = 0.000_5

_MAGIC = b"\x89chatd\r\n"  # a transfer as text would change it
_FIELDS = struct.Struct(">8sHQQQ16s")
_DIGEST_BYTES = 32
HEADER_BYTES = _FIELDS.size + _DIGEST_BYTES
_UNFINISHED_NAME = "snapshot.new"
_NAME = re.compile(r"snapshot-(\d{20})-(\d{1,20})\.chatd")
_AHEAD_SUFFIX = ".ahead"

Members = Mapping[str, Mapping[str, Queue]]


@attrs.frozen
class Snapshot:
    """The state of the actors at one position of the log `epoch`, taken at `at_ms`.

    `parts` go by the actor's name. That of the members is {connection id: {user id: Queue}}; each
    other one is a plain JSON value.
    """

    epoch: str
    position: int
    at_ms: int
    parts: Mapping[str, object]

    @property
    def members(self) -> Members:
        """The part of the members; empty where there is none."""
        return cast(Members, self.parts.get(MEMBERS, {}))


class PassedOverFor(enum.StrEnum):
    """Why a snapshot is of no use to a start."""

    DAMAGED = "damaged"
    UNREADABLE = "unreadable"  # the system says so
    VERSION = "version"  # another chatd wrote it
    EPOCH = "epoch"  # it belongs to another log
    AHEAD = "ahead"  # the log lost what it stands on


@attrs.frozen
class PassedOver:
    """A snapshot that is there and was not taken, by the name of its file. `position`: where it
    stands, of one that is whole."""

    name: str
    reason: PassedOverFor
    position: int = 0


@attrs.frozen
class Found:
    """The snapshot to start from, if any, and the newer ones that were passed over for it."""

    snapshot: Snapshot | None
    passed_over: tuple[PassedOver, ...] = ()

    @property
    def ahead(self) -> Ahead | None:
        """The furthest of those that the log has lost the end of."""
        return furthest(self.passed_over)


class _Unusable(Exception):
    def __init__(self, reason: PassedOverFor, position: int = 0) -> None:
        self.reason = reason
        self.position = position
        super().__init__(reason)


@attrs.frozen
class _Header:
    fields: bytes
    digest: bytes
    epoch: str
    position: int
    at_ms: int
    body_bytes: int


def write_snapshot(directory: Path, snapshot: Snapshot) -> Path:
    """Write a snapshot beside the others, then remove all but the newest two of this log.

    Blocks, and is meant for a thread; one call at a time for a directory. What it is given must not
    change meanwhile. Raises `OSError`: then the snapshots that were there are as they were, or the
    new one is there as well. `ValueError` or `TypeError` where a part has no form in JSON.
    """
    unfinished = directory / _UNFINISHED_NAME
    unfinished.unlink(missing_ok=True)
    path = directory / f"snapshot-{snapshot.position:020}-{snapshot.at_ms}.chatd"
    try:
        _write_whole(unfinished, snapshot)
        unfinished.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    sync_directory(directory)
    with contextlib.suppress(OSError):  # it is written, whatever becomes of the others
        _remove_surplus(directory, snapshot)
    return path


def newest_snapshot(directory: Path, epoch: str, position: int) -> Found:
    """The newest whole snapshot of the log `epoch` that is not ahead of the log's `position`.

    Changes no file. Raises `OSError` where the directory cannot be listed.
    """
    passed_over: list[PassedOver] = []
    for path in snapshots_of(directory):
        read = read_snapshot(path, epoch, position)
        if isinstance(read, Snapshot):
            return Found(read, tuple(passed_over))
        passed_over.append(read)
    return Found(None, tuple(passed_over))


def furthest(passed_over: Sequence[PassedOver]) -> Ahead | None:
    """The furthest whole snapshot that is ahead of the log."""
    ahead = [
        Ahead(one.name, one.position) for one in passed_over if one.reason is PassedOverFor.AHEAD
    ]
    return max(ahead, key=lambda one: one.position, default=None)


def furthest_of_any(directory: Path) -> Ahead | None:
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
    """The snapshot in a file, or why it is none for the log `epoch` up to `position`; None: any."""
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


def _write_whole(path: Path, snapshot: Snapshot) -> None:
    slices: list[bytes] = []
    digest = hashlib.sha256()
    for one in _body(snapshot.parts):
        slices.append(one)
        digest.update(one)
        time.sleep(PAUSE_S)
    epoch = snapshot.epoch.encode("ascii")
    if len(epoch) != 16:
        raise ValueError(f"an epoch has 16 characters: {snapshot.epoch!r}")
    fields = _FIELDS.pack(
        _MAGIC,
        FORMAT_VERSION,
        snapshot.position,
        snapshot.at_ms,
        sum(map(len, slices)),
        epoch,
    )
    digest.update(fields)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        _write_all(descriptor, fields + digest.digest())
        for one in slices:
            _write_all(descriptor, one)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _body(parts: Mapping[str, object]) -> Iterator[bytes]:
    """The JSON of all parts, in slices: nobody else runs while `orjson` is at one."""
    separator = b"{"
    for name, part in parts.items():
        yield separator + orjson.dumps(name) + b":"
        separator = b","
        if name == MEMBERS:
            yield from _sliced(_member_entries(cast(Members, part)), list, b"[]")
        elif isinstance(part, dict):
            yield from _sliced(((item, _weight(item[1])) for item in part.items()), dict, b"{}")
        elif isinstance(part, list):
            yield from _sliced(((item, _weight(item)) for item in part), list, b"[]")
        else:
            yield orjson.dumps(part)
    yield b"}" if parts else b"{}"


def _sliced(
    weighed: Iterator[tuple[Any, int]],
    kind: Callable[[list[Any]], dict[str, object] | list[object]],
    brackets: bytes,
) -> Iterator[bytes]:
    separator, entries, heaped = brackets[:1], list[Any](), 0
    for entry, weight in weighed:
        entries.append(entry)
        heaped += weight
        if heaped >= SLICE:
            yield separator + orjson.dumps(kind(entries))[1:-1]
            separator, entries, heaped = b",", [], 0
    if entries:
        yield separator + orjson.dumps(kind(entries))[1:-1]
        separator = b","
    yield brackets if separator == brackets[:1] else brackets[1:]


def _weight(value: object) -> int:
    return 1 + len(value) if isinstance(value, dict | list) else 1


def _member_entries(members: Members) -> Iterator[tuple[list[object], int]]:
    """[connection id, user id, fields of the queue], and what it weighs.

    The connection id is null where it is that of the entry before; an empty queue has no fields.
    """
    for room, queues in members.items():
        named: str | None = room
        for user, queue in queues.items():
            fields = () if queue == PRESENT else queue_fields(queue)
            yield [named, user, *fields], 1 + len(queue.gaps)
            named = None


# Reading


def _read(path: Path, epoch: str | None, position: int) -> Snapshot:
    """The snapshot in a file. Raises `_Unusable` where it is none for this log, and `OSError`."""
    with open(open_file(path, os.O_RDONLY), "rb") as file:
        header = _read_header(file)
        if epoch is not None and header.epoch != epoch:
            raise _Unusable(PassedOverFor.EPOCH)
        body = file.read(header.body_bytes)
    digest = hashlib.sha256(body)
    digest.update(header.fields)
    if digest.digest() != header.digest:
        raise _Unusable(PassedOverFor.DAMAGED)
    if header.position > position:  # a whole one: it proves that the log was further
        raise _Unusable(PassedOverFor.AHEAD, header.position)
    try:
        parts: dict[str, object] = orjson.loads(body)
        if MEMBERS in parts:
            parts[MEMBERS] = _members(cast(list[list[Any]], parts[MEMBERS]))
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise _Unusable(PassedOverFor.DAMAGED) from error
    return Snapshot(header.epoch, header.position, header.at_ms, parts)


def _read_header(file: BinaryIO) -> _Header:
    content = file.read(HEADER_BYTES)
    if len(content) < HEADER_BYTES or not content.startswith(_MAGIC):
        raise _Unusable(PassedOverFor.DAMAGED)
    fields, digest = content[: _FIELDS.size], content[_FIELDS.size :]
    _, version, position, at_ms, body_bytes, epoch = _FIELDS.unpack(fields)
    if version != FORMAT_VERSION:
        raise _Unusable(PassedOverFor.VERSION)
    size = os.fstat(file.fileno()).st_size
    if size != HEADER_BYTES + body_bytes:  # before so much is read
        raise _Unusable(PassedOverFor.DAMAGED)
    return _Header(fields, digest, epoch.decode("ascii", "replace"), position, at_ms, body_bytes)


def _members(entries: list[list[Any]]) -> dict[str, dict[str, Queue]]:
    members: dict[str, dict[str, Queue]] = {}
    queues: dict[str, Queue] = {}
    for room, user, *fields in entries:
        if room is not None:
            queues = members.setdefault(room, {})
        queues[user] = queue_from_fields(*fields) if fields else PRESENT
    return members


# Removing


def _remove_surplus(directory: Path, written: Snapshot) -> None:
    """Keep the newest of this log, and as many of those that are not its."""
    ours: list[Path] = []
    others: list[Path] = []
    for path in snapshots_of(directory):
        (ours if _is_of(path, written) else others).append(path)
    aside = sorted(directory.glob(f"snapshot-*{_AHEAD_SUFFIX}"), reverse=True)
    for path in (*ours[KEPT:], *others[KEPT:], *aside[KEPT:]):
        with contextlib.suppress(OSError):  # what is too much goes another time
            path.unlink()


def _is_of(path: Path, written: Snapshot) -> bool:
    """Whether the header says that a snapshot belongs before the one that was written."""
    try:
        with open(open_file(path, os.O_RDONLY), "rb") as file:
            header = _read_header(file)
    except (_Unusable, OSError):
        return False
    return header.epoch == written.epoch and header.position <= written.position
