"""`chatd store verify`: the full check of a state directory, whether a daemon runs in it or not.

It reads, and changes nothing. The log is looked at in one view, so that what a daemon commits
meanwhile does not matter; the snapshots are listed before that view, so that none can be newer.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import attrs

from chatd.store import schema
from chatd.store.errors import StoreDamaged, StoreTooOld, StoreUnavailable
from chatd.store.log_file import (
    LOG_NAME,
    explained,
    look,
    require_known_form,
    require_whole_or_absent,
)
from chatd.store.recovery import (
    Recovered,
    SnapshotOfMembers,
    read_epoch,
    read_position,
    recover,
)
from chatd.store.replacement import require_in_place
from chatd.store.snapshots import (
    MEMBERS,
    PassedOverFor,
    Snapshot,
    read_snapshot,
    snapshots_of,
)
from chatd.store.soundness import faults

_WHY_NOT = {
    PassedOverFor.DAMAGED: "is damaged; a start passes it over",
    PassedOverFor.UNREADABLE: "cannot be read; a start passes it over",
    PassedOverFor.VERSION: "has the form of another chatd; a start passes it over",
    PassedOverFor.EPOCH: "belongs to another log, as from before a restore",
    PassedOverFor.AHEAD: "stands on records that the log has lost",
}
_NO_DAMAGE = frozenset({PassedOverFor.VERSION, PassedOverFor.EPOCH})


@attrs.frozen
class Finding:
    """A sentence for a person; `is_damage` where something is not as it was written."""

    text: str
    is_damage: bool = True


@attrs.frozen
class Verified:
    """What was found, and what the log holds; None where it could not be counted."""

    findings: tuple[Finding, ...]
    recovered: Recovered | None

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged."""
        return not any(finding.is_damage for finding in self.findings)


def verify_store(directory: Path) -> Verified:
    """Check the log and the snapshots of a state directory. Blocks as long as reading all takes.

    Raises `StoreUnavailable` where there is nothing to verify, `StoreTooNew`, or `StoreTooOld`.
    """
    path = directory / LOG_NAME
    try:
        with explained(path):
            require_in_place(directory)
            require_whole_or_absent(path)
            if not path.exists():
                raise StoreUnavailable(f"There is no log in {directory}: nothing to verify.")
            return look(path, lambda connection: _verify(connection, directory))
    except StoreDamaged as damaged:
        return Verified((Finding(str(damaged)),), None)


def _verify(connection: sqlite3.Connection, directory: Path) -> Verified:
    path = directory / LOG_NAME
    snapshots = snapshots_of(directory)
    version = require_known_form(connection, path)
    if version < schema.CURRENT_VERSION:
        raise StoreTooOld(
            f"The log {path} has the form {version} of an older chatd. Start this one, which "
            f"brings it to form {schema.CURRENT_VERSION}, then verify it."
        )
    findings = [Finding(fault) for fault in faults(connection)]
    recovered = None if findings else recover(connection)
    findings += _of_snapshots(connection, snapshots, recovered)
    return Verified(tuple(findings), recovered)


def _of_snapshots(
    connection: sqlite3.Connection, paths: list[Path], recovered: Recovered | None
) -> Iterator[Finding]:
    """Each snapshot by itself, and beside the log where that is sound."""
    try:
        epoch, position = read_epoch(connection), read_position(connection)
    except (sqlite3.Error, ValueError):
        yield Finding("The snapshots were not looked at: the log does not say which are its own.")
        return
    for path in paths:
        read = read_snapshot(path, epoch, position)
        if not isinstance(read, Snapshot):
            if path.exists():  # else a newer one took its place meanwhile
                yield Finding(f"Snapshot {path.name} {_WHY_NOT[read]}.", read not in _NO_DAMAGE)
        elif recovered is None or _agrees(connection, read, recovered):
            yield Finding(f"Snapshot {path.name} is good.", is_damage=False)
        else:
            yield Finding(f"Snapshot {path.name} gives members that are not those of the log.")


def _agrees(connection: sqlite3.Connection, snapshot: Snapshot, recovered: Recovered) -> bool:
    """Whether a start from the snapshot comes to what the log alone gives."""
    if MEMBERS not in snapshot.parts:
        return True
    base = SnapshotOfMembers(snapshot.position, snapshot.members)
    return recover(connection, base) == recovered
