"""The health of the daemon: in a word for the public endpoint, with reasons for readiness."""

from collections.abc import Sequence
from typing import Any, Literal

import attrs
import trio

from chatd import __version__
from chatd.actors.log_service import LogService
from chatd.app.answering import Answering
from chatd.app.damage import DamageFound
from chatd.net.http.internal import Reason
from chatd.net.http.public import Health
from chatd.service.clients import Clients

STARTING = Reason("starting", "The port is not open yet.")
DRAINING = Reason("draining", "The daemon is about to end and takes nobody in.")
NOT_STORED = Reason(
    "storage_error", "The disk took nothing of the last commit: no message is accepted."
)
DAMAGED = Reason(
    "storage_damaged",
    "Some of the log cannot be read, and is passed over; run chatd store verify to see what.",
)
DATABASE_STARTING = "The server of this database is being started; questions wait for it."
NOT_READ = Reason("storage_read_error", "The disk did not give what was last read from the log.")


@attrs.define(eq=False)
class DaemonStatus:
    """What the endpoints show. `serve` sets `is_open` and `is_draining`."""

    _clients: Clients
    _log: LogService
    _damage: DamageFound
    _answering: Answering
    _started_s: float = attrs.field(init=False, factory=trio.current_time)
    is_open: bool = attrs.field(init=False, default=False)
    is_draining: bool = attrs.field(init=False, default=False)

    def health(self) -> Health:
        """The public word, clients and uptime."""
        status: Literal["ok", "draining", "degraded"] = "ok"
        if self.is_draining:
            status = "draining"
        elif self._log.is_failing or self._damage.is_damaged or self._damage.is_failing:
            status = "degraded"
        return Health(status, self._clients.count, round(trio.current_time() - self._started_s, 3))

    def described(self) -> dict[str, Any]:
        """What an administrator is told of the daemon."""
        health = self.health()
        return {
            "status": health.status,
            "version": __version__,
            "uptimeS": health.uptime_s,
            "answersUnderWay": self._answering.service.count,
            "reasons": [
                {"code": reason.code, "message": reason.message} for reason in self.reasons()
            ],
        }

    def reasons(self) -> Sequence[Reason]:
        """All that is wrong, the gravest first."""
        reasons = []
        if self.is_draining:
            reasons.append(DRAINING)
        elif not self.is_open:
            reasons.append(STARTING)
        displaced = self._log.displaced
        if displaced is not None:
            reasons.append(
                Reason(
                    "storage_error",
                    f"No message is accepted: {displaced}. Put it back; what the daemon has open "
                    "of it ends with the process.",
                )
            )
        elif self._log.is_failing:
            reasons.append(NOT_STORED)
        if self._damage.is_damaged:
            reasons.append(DAMAGED)
        if self._damage.is_failing:
            reasons.append(NOT_READ)
        unread = self._answering.reader.why_unavailable
        if unread is not None:
            reasons.append(Reason("db_unavailable", unread))
        for room, database in self._answering.databases.items():
            sentence = database.why_unavailable
            if sentence is not None:
                reasons.append(Reason("db_unavailable", sentence, room))
            elif database.is_starting:
                reasons.append(Reason("db_starting", DATABASE_STARTING, room))
        return reasons
