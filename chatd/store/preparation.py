"""Preparing the log of a locked state directory: looked at, migrated, and marked from here on.

A new log is made under another name and renamed, so that a log is whole or absent: an empty file
under its name is damage, not a beginning. A start after `kill -9` is an ordinary start: SQLite
takes up the WAL by itself, and the newest whole snapshot is brought forward by the log.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import attrs

from chatd.files import sync_directory
from chatd.store import schema
from chatd.store.connections import connect_to_create
from chatd.store.damage import Damaged
from chatd.store.errors import StoreUnavailable
from chatd.store.log_file import LOG_NAME, require_known_form, require_whole_or_absent
from chatd.store.loss import Loss, LossKind, find_loss
from chatd.store.mark import MARK_NAME, Mark, MarkDamagedError, Noted, Reached, read_mark
from chatd.store.recovery import (
    Recovered,
    probe,
    read_epoch,
    read_position,
    recover,
)
from chatd.store.replacement import put_in_place
from chatd.store.search_index import has_form, renew_form
from chatd.store.snapshots import (
    MEMBERS,
    NAMES,
    READ_SEQS,
    FoundSnapshot,
    PassedOver,
    PassedOverFor,
    furthest,
    furthest_of_any,
    newest_snapshot,
    put_aside,
)

COPYING_NAME = f"{LOG_NAME}.copying"  # what `store copy` has not finished
_UNFINISHED_NAME = f"{LOG_NAME}.new"


@attrs.frozen
class PreparedLog:
    """What the log was found to be."""

    epoch: str
    recovered: Recovered
    found: FoundSnapshot
    damaged: tuple[Damaged, ...]
    loss: Loss | None
    mark: Mark


def prepare_log(
    directory: Path, connect: Callable[[], sqlite3.Connection], now_ms: int
) -> PreparedLog:
    """Look at the log, and make it ready. The directory is locked."""
    path = directory / LOG_NAME
    put_in_place(directory)
    _require_no_copying(directory)
    require_whole_or_absent(path)
    noted, passed_over = _noted(directory)
    marked = None if noted is None else noted.reached
    loss = None
    if not path.exists():
        loss = find_loss(None, marked, furthest_of_any(directory))
        _create(directory, now_ms)
        marked = None
    with contextlib.closing(connect()) as connection:
        schema.migrate(connection, require_known_form(connection, path))
        _renew_index(connection)
        damaged = probe(connection)
        epoch = read_epoch(connection)
        found = newest_snapshot(directory, epoch, read_position(connection))
        recovered = recover(connection, found.snapshot)
        reached = recovered.reached(epoch)
        if marked is not None and noted is not None:
            marked = noted.reached_by(epoch)
        loss = loss or find_loss(reached, marked, furthest(found.passed_over))
        mark = _go_on(directory, connection, noted, reached, loss, now_ms)
    put_aside(directory, found.passed_over)
    return PreparedLog(
        mark.epoch,
        recovered,
        _for_actors(found, passed_over),
        (*damaged, *recovered.damaged),
        loss,
        mark,
    )


def _require_no_copying(directory: Path) -> None:
    if (directory / COPYING_NAME).exists():
        raise StoreUnavailable(
            f"A copy of a log into {directory} was not finished. Run chatd store copy again; or "
            f"remove {COPYING_NAME} there, to start without what was to be copied."
        )


def _renew_index(connection: sqlite3.Connection) -> None:
    if has_form(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        renew_form(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _noted(directory: Path) -> tuple[Noted | None, tuple[PassedOver, ...]]:
    try:
        return read_mark(directory), ()
    except MarkDamagedError:
        return None, (PassedOver(MARK_NAME, PassedOverFor.DAMAGED),)


def _go_on(
    directory: Path,
    connection: sqlite3.Connection,
    noted: Noted | None,
    reached: Reached,
    loss: Loss | None,
    now_ms: int,
) -> Mark:
    """The mark from here on. A log that has lost its end goes on under a new epoch, as its next
    records take the places of those that clients may know.

    The mark is brought in step last. If this is cut off earlier, at whatever moment, the next start
    finds the same loss: the mark holds the proof under the epoch that the log has, and also under
    the one that it is about to get. What is missing of another log is not known anyway.
    """
    write = 0 if noted is None else noted.write
    found = None if noted is None else noted.loss
    if loss is None:
        if noted is not None and noted.reached.epoch != reached.epoch:
            found = None  # of the log that was here before
        return Mark(directory, Noted(reached, found, write))
    found = loss.found_at(now_ms)
    if loss.kind is not LossKind.GONE:
        epoch = schema.another_epoch(connection)
        if loss.kind is LossKind.END:
            messages = reached.messages + (loss.messages or 0)
            proven = attrs.evolve(reached, position=loss.reached, messages=messages)
            for named in (proven, attrs.evolve(proven, epoch=epoch)):
                mark = Mark(directory, Noted(named, None, write))
                with contextlib.closing(mark):
                    mark.sync()
                write += 1
        schema.name_anew(connection, epoch)
        reached = attrs.evolve(reached, epoch=epoch)
    return Mark(directory, Noted(reached, found, write))


def _for_actors(found: FoundSnapshot, passed_over: tuple[PassedOver, ...]) -> FoundSnapshot:
    """What is left for the actors: the members are in `Recovered`, and newer there."""
    found = attrs.evolve(found, passed_over=(*passed_over, *found.passed_over))
    if found.snapshot is None:
        return found
    of_members = {MEMBERS, READ_SEQS, NAMES}
    parts = {name: part for name, part in found.snapshot.parts.items() if name not in of_members}
    return attrs.evolve(found, snapshot=attrs.evolve(found.snapshot, parts=parts))


def _create(directory: Path, now_ms: int) -> None:
    unfinished = directory / _UNFINISHED_NAME
    for leftover in (unfinished, directory / f"{_UNFINISHED_NAME}-journal"):
        leftover.unlink(missing_ok=True)
    # Made by us, for its mode: SQLite gives the WAL that of the file.
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    with contextlib.closing(connect_to_create(unfinished)) as connection:
        schema.create(connection, now_ms)
    unfinished.rename(directory / LOG_NAME)
    sync_directory(directory)
