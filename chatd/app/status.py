"""The health of the daemon: its conditions, and how the public endpoint and readiness sum them
up."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import attrs
import trio

from chatd import __version__
from chatd.actors.log_keeper import LogKeeper
from chatd.actors.pulse import SILENT_S, Pulse
from chatd.answers.mcp.pool import McpDatabase
from chatd.answers.sql.reader import StatementReader
from chatd.app.damage import DamageFound
from chatd.app.disk_space import DiskSpace
from chatd.net.http.public import Health
from chatd.observe import conditions
from chatd.observe.conditions import (
    Condition,
    ConditionKind,
    Conditions,
    Gravity,
    OneCondition,
    Reason,
)
from chatd.service.clients import Clients

if TYPE_CHECKING:
    from chatd.postgres_store.life import Life

STARTING = "The port is not open yet."
DRAINING = "The daemon is about to end and lets nobody in."
NOT_STORED = "The log took nothing of the last commit: no message is accepted."
DAMAGED = "Some of the log cannot be read, and is skipped; run chatd store verify to see what."
NOT_READ = "The disk did not give what was last read from the log."
CLOCK_OFF_S = 5.0
"""Seconds between two clocks that people notice when they compare times."""
CLOCK_OFF = (
    "The clock of this machine is {:.0f} s {} that of the database; have both set by NTP. Messages "
    "keep their order, but their times are those of the node that took them."
)
DATABASE_STARTING = "The server of this database is being started; questions wait for it."


@attrs.define(eq=False)
class DaemonStatus:
    """What the endpoints show. `serve` sets `is_open` and `is_draining`."""

    _clients: Clients
    conditions: Conditions = attrs.field(init=False, factory=Conditions)
    _started_s: float = attrs.field(init=False, factory=trio.current_time)
    is_open: bool = attrs.field(init=False, default=False)
    is_draining: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self.conditions.add(OneCondition(conditions.DRAINING, self._why_draining))
        self.conditions.add(OneCondition(conditions.STARTING, self._why_starting))

    def _why_draining(self) -> str | None:
        return DRAINING if self.is_draining else None

    def _why_starting(self) -> str | None:
        return None if self.is_open or self.is_draining else STARTING

    def reasons(self) -> Sequence[Reason]:
        """All that is amiss now, the gravest first."""
        return self.conditions.reasons()

    def health(self) -> Health:
        """The public status, the number of clients, and the uptime."""
        status: Literal["ok", "draining", "degraded"] = "ok"
        if self.is_draining:
            status = "draining"
        elif any(reason.kind.is_public for reason in self.reasons()):
            status = "degraded"
        return Health(status, self._clients.count, round(trio.current_time() - self._started_s, 3))

    def described(self, answers_under_way: int) -> dict[str, Any]:
        """What an administrator is told about the daemon: `degraded` for whatever is amiss, even if
        the public status is `ok`."""
        health, reasons = self.health(), self.reasons()
        is_degraded = any(reason.kind.gravity is Gravity.DEGRADED for reason in reasons)
        return {
            "status": "degraded" if is_degraded and health.status == "ok" else health.status,
            "version": __version__,
            "uptimeS": health.uptime_s,
            "answersUnderWay": answers_under_way,
            "reasons": [{"code": reason.code, "message": reason.message} for reason in reasons],
        }


def storage_conditions(log: LogKeeper, damage: DamageFound, disk: DiskSpace) -> Iterable[Condition]:
    """What may be amiss with the log and its disk."""

    def why_not_stored() -> str | None:
        if log.displaced is None:
            return NOT_STORED if log.is_failing else None
        return (
            f"No message is accepted: {log.displaced}. Put it back; what the daemon has open of it "
            "ends with the process."
        )

    yield OneCondition(conditions.STORAGE_ERROR, why_not_stored)
    yield OneCondition(conditions.STORAGE_DAMAGED, lambda: DAMAGED if damage.is_damaged else None)
    yield OneCondition(
        conditions.STORAGE_READ_ERROR, lambda: NOT_READ if damage.is_failing else None
    )
    yield OneCondition(conditions.DISK_LOW, disk.why_low)


def life_conditions(life: "Life | None") -> Iterable[Condition]:
    """What may be amiss with a node whose log is in PostgreSQL; never with another node."""

    def why_clock_off() -> str | None:
        off_s = 0.0 if life is None else life.clock_off_s
        if abs(off_s) < CLOCK_OFF_S:
            return None
        return CLOCK_OFF.format(abs(off_s), "ahead of" if off_s > 0 else "behind")

    yield OneCondition(conditions.LOG_UNREACHABLE, lambda: None if life is None else life.why_lost)
    yield OneCondition(conditions.CLOCK_OFF, why_clock_off)


@attrs.frozen
class SilentActors:
    """The condition that an actor does not answer; `pulses` by the actor's name."""

    _pulses: Mapping[str, Pulse]

    @property
    def kind(self) -> ConditionKind:
        return conditions.ACTOR_SILENT

    def names(self) -> list[str]:
        """The actors that do not answer now."""
        now_s = trio.current_time()
        return [name for name, pulse in self._pulses.items() if pulse.is_silent(now_s)]

    def reasons(self) -> Iterable[Reason]:
        for name in self.names():
            yield Reason(
                self.kind,
                f"The actor of {name} has not answered for {SILENT_S:g} s or more; a disk may "
                "hang.",
            )


@attrs.frozen
class DatabasesAway:
    """The condition that databases, or what reads messages for questions, cannot be asked."""

    _databases: Mapping[str, McpDatabase]
    _reader: StatementReader

    @property
    def kind(self) -> ConditionKind:
        return conditions.DB_UNAVAILABLE

    def reasons(self) -> Iterable[Reason]:
        unread = self._reader.why_unavailable
        if unread is not None:
            yield Reason(self.kind, unread)
        for room, database in self._databases.items():
            sentence = database.why_unavailable
            if sentence is not None:
                yield Reason(self.kind, sentence, room)


@attrs.frozen
class DatabasesStarting:
    """The condition that the db-mcps of databases are being started."""

    _databases: Mapping[str, McpDatabase]

    @property
    def kind(self) -> ConditionKind:
        return conditions.DB_STARTING

    def reasons(self) -> Iterable[Reason]:
        for room, database in self._databases.items():
            if database.is_starting:
                yield Reason(self.kind, DATABASE_STARTING, room)
