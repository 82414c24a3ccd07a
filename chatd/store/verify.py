"""`chatd store verify`: the full check of a state directory, whether a daemon runs in it or not.

It reads, and changes nothing. The log is looked at in one view, so that what a daemon commits
meanwhile does not matter; the snapshots are listed and the mark is read before that view, so that
neither can be newer.

**A log that has lost its end** is damage until a start has found it: that start says so, and goes
on under a new epoch. From then on the log counts as whole, since a check that failed for ever would
hide the next fault; the loss is still reported, but not as damage. A restore ends that.
"""

import datetime
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from chatd.store import schema
from chatd.store.errors import StoreDamaged, StoreTooOld
from chatd.store.integrity import faults
from chatd.store.log_file import (
    LOG_NAME,
    explained,
    look,
    no_log,
    require_known_form,
    require_whole_or_absent,
)
from chatd.store.loss import find_loss, missing_words
from chatd.store.mark import MARK_NAME, MarkDamagedError, Noted, read_mark
from chatd.store.recovery import (
    Recovered,
    read_epoch,
    read_position,
    recover,
)
from chatd.store.replacement import require_in_place
from chatd.store.snapshots import (
    MEMBERS,
    PassedOver,
    PassedOverFor,
    Snapshot,
    furthest,
    furthest_of_any,
    read_snapshot,
    snapshots_of,
)

_WHY_NOT = {
    PassedOverFor.DAMAGED: "is damaged; a start passes it over",
    PassedOverFor.UNREADABLE: "cannot be read; a start passes it over",
    PassedOverFor.EARLIER: "has the form of an earlier chatd; a start passes it over",
    PassedOverFor.VERSION: "has the form of a newer chatd; a start passes it over",
    PassedOverFor.EPOCH: "belongs to another log, as from before a restore",
    PassedOverFor.AHEAD: "stands on records that the log has lost",
}
_BEFORE_THE_NEXT_START = (
    "The next start goes on without them, under a new epoch: before it, put back what was moved "
    "away, such as the log's -wal file, or restore a newer backup."
)
_NO_DAMAGE = frozenset({PassedOverFor.EARLIER, PassedOverFor.VERSION, PassedOverFor.EPOCH})


@attrs.frozen
class Finding:
    """A sentence for a person; `is_damage`: something is not as it was written."""

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
    """Check the log and the snapshots of a state directory. Blocks until everything is read.

    Raises `StoreUnavailable` if there is nothing to verify, `StoreTooNew`, or `StoreTooOld`.
    """
    path = directory / LOG_NAME
    try:
        with explained(path):
            require_in_place(directory)
            require_whole_or_absent(path)
            if not path.exists():
                return _without_a_log(directory)
            return look(path, lambda connection: _verify(connection, directory))
    except StoreDamaged as damaged:
        return Verified((Finding(str(damaged)),), None)


def _verify(connection: sqlite3.Connection, directory: Path) -> Verified:
    path = directory / LOG_NAME
    snapshots = snapshots_of(directory)
    noted, findings = _noted(directory)
    version = require_known_form(connection, path)
    if version < schema.CURRENT_VERSION:
        raise StoreTooOld(
            f"The log {path} has the form {version} of an older chatd. Start this one, which "
            f"brings it to form {schema.CURRENT_VERSION}, then verify it."
        )
    found = [Finding(fault) for fault in faults(connection)]
    recovered = None if found else recover(connection)
    try:
        epoch, position = read_epoch(connection), read_position(connection)
    except (sqlite3.Error, ValueError):
        text = "The snapshots were not looked at: the log does not say which are its own."
        return Verified((*found, Finding(text), *findings), None)
    read = {path: read_snapshot(path, epoch, position) for path in snapshots}
    if recovered is not None:
        passed_over = [one for one in read.values() if isinstance(one, PassedOver)]
        loss = find_loss(
            recovered.reached(epoch),
            noted.reached_by(epoch) if noted else None,
            furthest(passed_over),
        )
        if loss is not None:
            found.append(Finding(f"{loss.sentence} {_BEFORE_THE_NEXT_START}"))
    findings += _of_snapshots(connection, read, recovered)
    return Verified((*found, *findings), recovered)


def _without_a_log(directory: Path) -> Verified:
    if not directory.is_dir():
        raise no_log(directory, "to verify")
    noted, findings = _noted(directory)
    loss = find_loss(None, noted.reached if noted else None, furthest_of_any(directory))
    if loss is None:
        raise no_log(directory, "to verify")
    lost = Finding(f"{loss.sentence} {_BEFORE_THE_NEXT_START}")
    return Verified((lost, *findings), None)


def _noted(directory: Path) -> tuple[Noted | None, list[Finding]]:
    """What the mark says, and what to report of it."""
    try:
        noted = read_mark(directory)
    except MarkDamagedError:
        text = f"{MARK_NAME} is damaged: it tells of nothing, and the next start makes it anew."
        return None, [Finding(text, is_damage=False)]
    if noted is None or noted.loss is None:
        return noted, []
    loss = noted.loss
    at = datetime.datetime.fromtimestamp(loss.at_ms / 1000, datetime.UTC)
    missing = f"at least {missing_words(loss.records, loss.messages)}"
    text = (
        f"At {at:%Y-%m-%d %H:%M} UTC a start found that the log had lost its end, "
        f"{missing if loss.records else 'how much is not known'}, and took a new epoch."
    )
    return noted, [Finding(text, is_damage=False)]


def _of_snapshots(
    connection: sqlite3.Connection,
    snapshots: Mapping[Path, Snapshot | PassedOver],
    recovered: Recovered | None,
) -> Iterator[Finding]:
    """Check each snapshot by itself, and against the log if that is sound."""
    for path, read in snapshots.items():
        if isinstance(read, PassedOver):
            if path.exists():  # else a newer one took its place meanwhile
                is_damage = read.reason not in _NO_DAMAGE
                yield Finding(f"Snapshot {path.name} {_WHY_NOT[read.reason]}.", is_damage)
        elif recovered is None or _agrees(connection, read, recovered):
            yield Finding(f"Snapshot {path.name} is good.", is_damage=False)
        else:
            yield Finding(f"Snapshot {path.name} gives members that are not those of the log.")


def _agrees(connection: sqlite3.Connection, snapshot: Snapshot, recovered: Recovered) -> bool:
    """Whether a start from the snapshot comes to what the log alone gives."""
    return MEMBERS not in snapshot.parts or recover(connection, snapshot) == recovered
