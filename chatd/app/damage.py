"""What could not be read from the log: reported once in the event log, kept for the endpoints."""

from collections.abc import Iterable

import trio

from chatd.observe import EventLog, ReadFailed, RowDamaged
from chatd.store import Damaged, StoreReadFailed

ROWS_REPORTED = 1_000  # rows that are reported one by one; beyond, the disk is known to be bad
FAILED_FOR_S = 60.0  # how long a read that failed shows in the endpoints


class DamageFound:
    """Notified of damage by the readers of the log; `found` is what the start met."""

    def __init__(self, event_log: EventLog, found: Iterable[Damaged]) -> None:
        self._event_log = event_log
        self._rows: set[Damaged] = set()
        self._failed_s = float("-inf")
        self.is_damaged = False  # it stays so: only a person can mend a log
        for row in found:
            self.damaged(row)

    @property
    def is_failing(self) -> bool:
        """Whether a read failed just now."""
        return trio.current_time() - self._failed_s < FAILED_FOR_S

    def damaged(self, row: Damaged) -> None:
        """A damaged row was skipped."""
        self.is_damaged = True
        if row not in self._rows and len(self._rows) < ROWS_REPORTED:
            self._rows.add(row)
            self._event_log.record(RowDamaged(row.table, row.connection_id, row.seq))

    def read_failed(self, failure: StoreReadFailed) -> None:
        """A read failed."""
        if failure.is_damage:
            self.is_damaged = True
        self._failed_s = trio.current_time()
        self._event_log.record(ReadFailed(failure.is_damage, str(failure)))
