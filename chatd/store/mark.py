"""The high-water mark: how far the log has come, in a file beside it.

A log that lost its end looks like a whole one: without its WAL, or as an older copy, it is sound,
and shorter. So what was committed is noted in a separate file, which the same accident hardly
reaches: after each commit one `pwrite` of some bytes, which survives a killed process. It is synced
with the snapshots only, and never in a commit: after a cut of power it may note less than there is.

**It may lag, and never leads**: it is written once the commit is durable. So a mark that is further
than the log proves a loss, and one that is not proves nothing.

Two slots of 512 bytes are written in turn, so that a write which is cut off leaves the other. The
newest whole one counts. A slot, big-endian, zeros behind it:

    magic 8 | number of the write 8 | epoch 16 | position 8 | messages 8 | rooms 8
    | at the last loss that a start found: records 8 | messages 8 | time in ms 8 | BLAKE2b 16
"""

import contextlib
import errno
import os
import struct
import threading
from hashlib import blake2b
from pathlib import Path
from typing import Final

import attrs

from chatd.files import leads_to, open_file
from chatd.store.log_file import LOG_NAME

MARK_NAME: Final = f"{LOG_NAME}.mark"
SLOT_BYTES: Final = 512
SIZE: Final = 2 * SLOT_BYTES

_MAGIC: Final = b"\x89chmk1\r\n"
_FIELDS: Final = struct.Struct(">8sQ16sQQQQQQ")
_DIGEST_BYTES: Final = 16
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@attrs.frozen
class Reached:
    """How far a log has come. `messages` were ever stored, in so many `rooms`."""

    epoch: str
    position: int
    messages: int
    rooms: int


@attrs.frozen
class FoundLoss:
    """What a start found to be missing, at least; it went on under a new epoch."""

    records: int
    messages: int
    at_ms: int


@attrs.frozen
class Noted:
    """What a mark says. `write` numbers what was ever written to it; `before` is the word before
    the last, if that is still there."""

    reached: Reached
    loss: FoundLoss | None = None
    write: int = 0
    before: Reached | None = attrs.field(default=None, eq=False)

    def reached_by(self, epoch: str) -> Reached:
        """How far the log `epoch` has come. The last word; or the one before it, if that is of this
        log and the last is not: the log was about to get another epoch, and never did."""
        if self.before is not None and self.before.epoch == epoch != self.reached.epoch:
            return self.before
        return self.reached


class MarkDamagedError(Exception):
    """Something was written, but neither slot is whole: the mark no longer says anything."""


def read_mark(directory: Path) -> Noted | None:
    """What the mark of a state directory says; None if there is no mark, or nothing was ever
    written in it: it has no bytes, or only zeros. Raises `MarkDamagedError`, and `OSError`."""
    try:
        descriptor = open_file(directory / MARK_NAME, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        content = os.pread(descriptor, SIZE, 0)
    finally:
        os.close(descriptor)
    noted = [_unpacked(content[:SLOT_BYTES]), _unpacked(content[SLOT_BYTES:])]
    whole = [one for one in noted if one is not None]
    if whole:
        last, *before = sorted(whole, key=lambda one: one.write, reverse=True)
        return attrs.evolve(last, before=before[0].reached if before else None)
    if any(content):
        raise MarkDamagedError
    return None


class Mark:
    """The mark of a store that is open. `note` is called by one thread, the one that commits, for
    each of its commits: plain numbers, as values would cost more than the write."""

    def __init__(self, directory: Path, noted: Noted) -> None:
        """Goes on from what the mark said; `noted.write` is the number of that write.

        Raises `OSError` if it cannot be made. On a full disk it does without until `renew` finds
        room.
        """
        reached, loss = noted.reached, noted.loss
        self.epoch = reached.epoch
        self._epoch = reached.epoch.encode("ascii")
        self._loss = (0, 0, 0) if loss is None else (loss.records, loss.messages, loss.at_ms)
        self._written = noted.write
        self._last = (reached.position, reached.messages, reached.rooms)
        self._closing = threading.Lock()
        self._is_closed = False
        self._path = directory / MARK_NAME
        self._descriptor = _opened(self._path)
        self._write(*self._last)

    def note(self, position: int, messages: int, rooms: int) -> None:
        """The log has come so far, durably. If the disk does not take it, only the proof is
        lost."""
        if (position, messages, rooms) != self._last:
            self._write(position, messages, rooms)

    def renew(self) -> bool:
        """Make the file again if it was removed or replaced; returns whether it was. From any
        thread.

        A note meanwhile may go into the old one: a mark may lag. Raises `OSError` where there can
        be none.
        """
        with self._closing:
            if self._is_closed:
                return False
            if self._descriptor is None:  # the disk was full; the next commit is noted
                self._descriptor = _opened(self._path)
                return self._descriptor is not None
            if leads_to(self._path, self._descriptor):
                return False
            fresh = _opened(self._path)
            if fresh is None:
                return False
            try:
                os.pwrite(fresh, os.pread(self._descriptor, SIZE, 0), 0)
                os.dup2(fresh, self._descriptor, inheritable=False)
            finally:
                os.close(fresh)
        return True

    def sync(self) -> None:
        """Make what was noted survive a cut of power; from any thread. Raises `OSError`."""
        with self._closing:
            if self._descriptor is None:
                return
            descriptor = os.dup(self._descriptor)  # `close` may give that number to another file
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Note nothing after this. A second call does nothing; nor does it wait for a `sync`, which
        may hang in the disk."""
        with self._closing:
            self._is_closed = True
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _write(self, position: int, messages: int, rooms: int) -> None:
        self._last = (position, messages, rooms)
        self._written += 1
        if self._descriptor is None:
            return
        fields = _FIELDS.pack(
            _MAGIC, self._written, self._epoch, position, messages, rooms, *self._loss
        )
        slot = fields + blake2b(fields, digest_size=_DIGEST_BYTES).digest()
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, slot, self._written % 2 * SLOT_BYTES)


def _opened(path: Path) -> int | None:
    """The file, at its full length; None if the disk is full."""
    descriptor = -1
    try:
        descriptor = open_file(path, os.O_RDWR | os.O_CREAT)
        if os.fstat(descriptor).st_size < SIZE:
            os.pwrite(descriptor, bytes(SIZE), 0)
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        if error.errno in _NO_SPACE:
            return None
        raise
    return descriptor


def _unpacked(slot: bytes) -> Noted | None:
    fields = slot[: _FIELDS.size]
    if len(fields) < _FIELDS.size:
        return None
    digest = slot[_FIELDS.size : _FIELDS.size + _DIGEST_BYTES]
    if blake2b(fields, digest_size=_DIGEST_BYTES).digest() != digest:
        return None
    magic, write, epoch, position, messages, rooms, lost, lost_messages, at_ms = _FIELDS.unpack(
        fields
    )
    if magic != _MAGIC:
        return None
    loss = FoundLoss(lost, lost_messages, at_ms) if at_ms else None
    return Noted(Reached(epoch.decode("ascii", "replace"), position, messages, rooms), loss, write)
