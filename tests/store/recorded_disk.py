"""A disk that notes all that is done to it, and can tell what a crash at any instant leaves.

`recording` runs the store's own code over real files, and notes in order every creation, write,
truncation, sync, rename and removal: those of SQLite by a VFS (`apsw` lets one be written in
Python), those of our own by way of `os`. `after_crash` builds the files as they may be found when
the machine dies after some of them.

What is assumed of a disk, and no more: what was synced is there; of what was written and not synced
any part may be there, in any order, torn at any byte; names (creations, renames, removals) are
found in their order up to some point, which is not before the last sync of a directory, as a
journalling file system has them. As SQLite's own VFS does, the first sync of a new journal or WAL
syncs its directory.

What this does not show: a disk that lies about its syncs, or damages what it does not write to; the
index of the WAL in shared memory, which is rebuilt after every crash. The writes are those of the
SQLite that `apsw` brings; what reads the files afterwards is that of the interpreter.
"""

import contextlib
import os
import random
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import apsw
import attrs
import pytest

VFS_NAME = "recorded"
_SYNCS_ITS_DIRECTORY = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL
_UNRECORDED = frozenset({"lock"})  # it means nothing by itself


@attrs.frozen
class Create:
    """A new file has a name; each has a number for life."""

    path: str
    file: int


@attrs.frozen
class MakeDirectory:
    path: str


@attrs.frozen
class Rename:
    source: str
    target: str


@attrs.frozen
class Unlink:
    path: str


@attrs.frozen
class SyncNames:
    """A directory was synced."""


@attrs.frozen
class Write:
    file: int
    offset: int
    content: bytes


@attrs.frozen
class Truncate:
    file: int
    size: int


@attrs.frozen
class Sync:
    file: int


OfNames: TypeAlias = Create | MakeDirectory | Rename | Unlink
OfContent: TypeAlias = Write | Truncate
Operation: TypeAlias = OfNames | OfContent | Sync | SyncNames

# Which of the operations that were not synced are found, in their order; some may be torn.
Survival: TypeAlias = Callable[[Sequence[OfContent]], Sequence[OfContent]]


def all_of(operations: Sequence[OfContent]) -> Sequence[OfContent]:
    """As when the process dies, and the machine lives."""
    return operations


def none_of(_: Sequence[OfContent]) -> Sequence[OfContent]:
    """As when the power is cut, and the disk had not begun."""
    return ()


def some_of(seed: int) -> Survival:
    """As when the power is cut while the disk writes in an order of its own."""
    chance = random.Random(seed)

    def choose(operations: Sequence[OfContent]) -> Sequence[OfContent]:
        found: list[OfContent] = []
        for operation in operations:
            part = chance.choice((0.0, chance.random(), 1.0))
            if isinstance(operation, Write):
                found.append(torn(operation, part))
            elif part == 1.0:
                found.append(operation)
        return found

    return choose


def torn(write: Write, part: float) -> Write:
    """The beginning of a write."""
    return attrs.evolve(write, content=write.content[: round(len(write.content) * part)])


class Recording:
    """What was done to the files below `root`, from the first operation on."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.operations: list[Operation] = []
        self._names: dict[str, int] = {}
        self._count = 0
        for path in sorted(root.rglob("*")):  # what was there at the beginning is durable
            name = self.name_of(path)
            if path.is_dir() or name is None:
                continue
            self.create(name)
            self.write(self._names[name], 0, path.read_bytes())
            self.operations.append(Sync(self._names[name]))
        self.operations.append(SyncNames())
        self.first = len(self.operations)  # the operation that the recording begins with

    def name_of(self, path: str | os.PathLike[str] | None) -> str | None:
        """The name below the root, None for what is not recorded."""
        if path is None:
            return None
        place = Path(path)
        if not place.is_relative_to(self.root) or place.name in _UNRECORDED:
            return None
        return str(place.relative_to(self.root))

    def file_of(self, name: str) -> int | None:
        return self._names.get(name)

    def create(self, name: str) -> int:
        self._count += 1
        self._names[name] = self._count
        self.operations.append(Create(name, self._count))
        return self._count

    def write(self, file: int, offset: int, content: bytes) -> None:
        self.operations.append(Write(file, offset, bytes(content)))

    def truncate(self, file: int, size: int) -> None:
        self.operations.append(Truncate(file, size))

    def sync(self, file: int) -> None:
        self.operations.append(Sync(file))

    def rename(self, source: str, target: str) -> None:
        self._names[target] = self._names.pop(source)
        self.operations.append(Rename(source, target))

    def unlink(self, name: str) -> None:
        self._names.pop(name, None)
        self.operations.append(Unlink(name))


def after_crash(
    done: Sequence[Operation], survival: Survival, names_kept: float
) -> dict[str, bytes]:
    """The files, by name, where the machine dies after these operations.

    `names_kept` is the part of the changes of names since the last sync of a directory that is
    found. Directories are not told of by themselves.
    """
    names = _names_after(done, names_kept)
    return {name: _content_after(done, file, survival) for name, file in names.items()}


def _names_after(done: Sequence[Operation], kept: float) -> dict[str, int]:
    synced = max((at for at, one in enumerate(done) if isinstance(one, SyncNames)), default=0)
    names: dict[str, int] = {}
    changes = [(at, one) for at, one in enumerate(done) if isinstance(one, OfNames)]
    pending = sum(at > synced for at, _ in changes)
    found = len(changes) - pending + round(pending * kept)
    for _, change in changes[:found]:
        match change:
            case Create(path, file):
                names[path] = file
            case Rename(source, target):
                names[target] = names.pop(source)
            case Unlink(path):
                names.pop(path, None)
            case MakeDirectory():
                pass
    return names


def _content_after(done: Sequence[Operation], file: int, survival: Survival) -> bytes:
    durable: list[OfContent] = []
    pending: list[OfContent] = []
    for operation in done:
        match operation:
            case Sync(of) if of == file:
                durable += pending
                pending = []
            case Write(of) | Truncate(of) if of == file:
                pending.append(operation)
            case _:
                pass
    content = bytearray()
    for change in (*durable, *survival(pending)):
        match change:
            case Write(_, offset, written):
                content.extend(bytes(max(0, offset + len(written) - len(content))))
                content[offset : offset + len(written)] = written
            case Truncate(_, size):
                del content[size:]
                content.extend(bytes(size - len(content)))
    return bytes(content)


# SQLite


class _RecordedVFS(apsw.VFS):
    def __init__(self, recording: Recording) -> None:
        super().__init__(VFS_NAME, "unix")
        self._recording = recording

    def xOpen(self, name: Any, flags: list[int]) -> "_RecordedFile":
        return _RecordedFile(self._recording, name, flags)

    def xDelete(self, path: str, sync_directory: bool) -> None:
        super().xDelete(path, sync_directory)
        name = self._recording.name_of(path)
        if name is not None:
            self._recording.unlink(name)
            if sync_directory:
                self._recording.operations.append(SyncNames())


class _RecordedFile(apsw.VFSFile):
    def __init__(self, recording: Recording, name: Any, flags: list[int]) -> None:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        is_new = path is not None and not os.path.exists(path)
        super().__init__("unix", name, flags)
        self._recording = recording
        recorded = recording.name_of(path)
        self._file = None if recorded is None else recording.file_of(recorded)
        if recorded is not None and is_new:
            self._file = recording.create(recorded)
        self._syncs_its_directory = is_new and bool(flags[0] & _SYNCS_ITS_DIRECTORY)

    def xWrite(self, content: bytes, offset: int) -> None:
        if self._file is not None:
            self._recording.write(self._file, offset, content)
        super().xWrite(content, offset)

    def xTruncate(self, size: int) -> None:
        if self._file is not None:
            self._recording.truncate(self._file, size)
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        if self._file is not None:
            self._recording.sync(self._file)
            if self._syncs_its_directory:
                self._recording.operations.append(SyncNames())
                self._syncs_its_directory = False


class ApswConnection:
    """As much of `sqlite3.Connection` as the store uses, over one of `apsw`.

    `apsw` tells of every error that its VFS met, also of those that SQLite overlooks, because they
    cost nothing that was promised: in a checkpoint after a commit, and while tidying up at the end.
    They are overlooked here too, and the checkpoint is made where SQLite makes it.
    """

    text_factory: object = str

    def __init__(self, place: str, vfs: str) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
        with _as_sqlite3():
            self.inner = apsw.Connection(place, flags, vfs)
            self.inner.set_busy_timeout(5_000)

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> "_Rows":
        with _as_sqlite3():
            rows = _Rows(self.inner.execute(statement, tuple(parameters)))
            rows.rowcount = self.inner.changes()
        if statement.startswith("PRAGMA wal_autocheckpoint"):
            self._checkpoint_from(int(rows[0][0]))
        return rows

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        with _as_sqlite3():
            self.inner.executemany(statement, map(tuple, rows))

    def create_function(
        self, name: str, arguments: int, function: Callable[..., Any], *, deterministic: bool
    ) -> None:
        with _as_sqlite3():
            self.inner.create_scalar_function(
                name, function, arguments, deterministic=deterministic
            )

    @property
    def in_transaction(self) -> bool:
        return bool(self.inner.in_transaction)

    def backup(self, copy: "ApswConnection", *, pages: int) -> None:
        with _as_sqlite3(), copy.inner.backup("main", self.inner, "main") as backup:
            while not backup.done:
                backup.step(pages)

    def close(self) -> None:
        with contextlib.suppress(apsw.Error):
            self.inner.close()

    def _checkpoint_from(self, pages_wanted: int) -> None:
        def after_commit(connection: apsw.Connection, name: str, pages: int) -> int:
            if pages >= pages_wanted:
                with contextlib.suppress(apsw.Error):
                    connection.wal_checkpoint(name)
            return apsw.SQLITE_OK

        self.inner.set_wal_hook(after_commit)


class _Rows(list[Any]):
    rowcount: int

    def fetchall(self) -> list[Any]:
        return list(self)

    def fetchone(self) -> Any:
        return self[0] if self else None


@contextlib.contextmanager
def _as_sqlite3() -> Iterator[None]:
    try:
        yield
    except apsw.ConstraintError as error:
        raise sqlite3.IntegrityError(str(error)) from error
    except apsw.Error as error:
        failure = sqlite3.OperationalError(str(error))
        failure.sqlite_errorcode = error.extendedresult  # type: ignore[misc]
        raise failure from error


@contextlib.contextmanager
def connected_by_apsw(vfs: str) -> Iterator[None]:
    """Every connection that is made meanwhile is one of `apsw`, over a VFS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", lambda place, **_: ApswConnection(place, vfs))
        yield


# Our own


@contextlib.contextmanager
def recording(root: Path) -> Iterator[Recording]:
    """Note what is done to files below `root`, by whatever code of the store."""
    noted = Recording(root)
    vfs = _RecordedVFS(noted)
    try:
        with connected_by_apsw(VFS_NAME), _os_is_recorded(noted):
            yield noted
    finally:
        vfs.unregister()


@contextlib.contextmanager
def _os_is_recorded(noted: Recording) -> Iterator[None]:
    real = {
        name: getattr(os, name) for name in ("open", "write", "pwrite", "fsync", "close", "dup")
    }
    real |= {name: getattr(os, name) for name in ("rename", "unlink", "mkdir", "ftruncate")}
    files: dict[int, tuple[int, int]] = {}  # of a descriptor: the file, and where it is written
    directories: set[int] = set()

    def open_(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        is_new = flags & os.O_CREAT and not os.path.lexists(path)
        descriptor: int = real["open"](path, flags, *rest, **named)
        name = noted.name_of(path)
        if name is not None and os.path.isdir(path):
            directories.add(descriptor)
        elif name is not None:
            file = noted.create(name) if is_new else noted.file_of(name)
            assert file is not None
            files[descriptor] = (file, 0)
        return descriptor

    def write(descriptor: int, content: bytes) -> int:
        written: int = real["write"](descriptor, content)
        if descriptor in files:
            file, offset = files[descriptor]
            noted.write(file, offset, bytes(content)[:written])
            files[descriptor] = (file, offset + written)
        return written

    def pwrite(descriptor: int, content: bytes, offset: int) -> int:
        written: int = real["pwrite"](descriptor, content, offset)
        if descriptor in files:
            noted.write(files[descriptor][0], offset, bytes(content)[:written])
        return written

    def fsync(descriptor: int) -> None:
        real["fsync"](descriptor)
        if descriptor in files:
            noted.sync(files[descriptor][0])
        elif descriptor in directories:
            noted.operations.append(SyncNames())

    def dup(descriptor: int) -> int:
        copy: int = real["dup"](descriptor)
        if descriptor in files:
            files[copy] = files[descriptor]
        return copy

    def close(descriptor: int) -> None:
        files.pop(descriptor, None)
        directories.discard(descriptor)
        real["close"](descriptor)

    def ftruncate(descriptor: int, size: int) -> None:
        real["ftruncate"](descriptor, size)
        if descriptor in files:
            noted.truncate(files[descriptor][0], size)

    def rename(source: Any, target: Any) -> None:
        real["rename"](source, target)
        names = noted.name_of(source), noted.name_of(target)
        if names[0] is not None and names[1] is not None:
            if noted.file_of(names[0]) is None:  # of SQLite's index in shared memory
                return
            noted.rename(names[0], names[1])

    def unlink(path: Any) -> None:
        real["unlink"](path)
        name = noted.name_of(path)
        if name is not None:
            noted.unlink(name)

    def mkdir(path: Any, mode: int = 0o777) -> None:
        real["mkdir"](path, mode)
        name = noted.name_of(path)
        if name is not None:
            noted.operations.append(MakeDirectory(name))

    ours = {"open": open_, "write": write, "pwrite": pwrite, "fsync": fsync, "close": close}
    ours |= {"dup": dup, "rename": rename, "unlink": unlink, "mkdir": mkdir, "ftruncate": ftruncate}
    with pytest.MonkeyPatch.context() as patch:
        for name, function in ours.items():
            patch.setattr(os, name, function)
        yield
