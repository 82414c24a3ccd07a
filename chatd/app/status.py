"""How the daemon is: for the health endpoint in a word, for readiness with reasons (SPEC 8)."""

from collections.abc import Sequence
from typing import Literal

import trio

from chatd.actors.log_service import LogService
from chatd.app.answering import Answering
from chatd.server.clients import Clients
from chatd.server.http_app import Health
from chatd.server.internal import Reason

STARTING = Reason("starting", "The door is not open yet.")
DRAINING = Reason("draining", "The daemon is about to end and takes nobody in.")
NOT_STORED = Reason(
    "storage_error", "The disk took nothing of the last commit: no message is accepted."
)


class DaemonStatus:
    """What the endpoints tell.

    Who opens the door sets `is_open`, who begins to end the daemon `is_draining`.
    """

    def __init__(self, clients: Clients, log: LogService, answering: Answering) -> None:
        self._clients = clients
        self._log = log
        self._answering = answering
        self._started_s = trio.current_time()
        self.is_open = False
        self.is_draining = False

    def health(self) -> Health:
        """The public word, clients and uptime."""
        status: Literal["ok", "draining", "degraded"] = "ok"
        if self.is_draining:
            status = "draining"
        elif self._log.is_failing:
            status = "degraded"
        return Health(status, self._clients.count, round(trio.current_time() - self._started_s, 3))

    def reasons(self) -> Sequence[Reason]:
        """All that is amiss, the gravest first."""
        reasons = []
        if self.is_draining:
            reasons.append(DRAINING)
        elif not self.is_open:
            reasons.append(STARTING)
        if self._log.is_failing:
            reasons.append(NOT_STORED)
        unread = self._answering.reader.why_unavailable
        if unread is not None:
            reasons.append(Reason("db_unavailable", unread))
        for room, database in self._answering.databases.items():
            sentence = database.why_unavailable
            if sentence is not None:
                reasons.append(Reason("db_unavailable", sentence, room))
        return reasons
