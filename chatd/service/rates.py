"""How much is admitted, and what a refusal comes to (docs/protocol, "Limits")."""

import attrs

from chatd.observe import EventLog, LimitHit
from chatd.wire.codes import Code, Refusal


@attrs.frozen
class Rates:
    """How much is admitted a minute; and how many sockets and rooms there may be."""

    user_messages: float
    socket_messages: float
    room_messages: float
    user_typing: float
    user_changes: float
    socket_events: float
    sockets_per_user: float
    rooms_per_socket: float


@attrs.frozen
class Limited:
    """What refuses something: the limit, by its key in the configuration, and for how long."""

    limit: str
    wait_ms: int

    def refusal(self, user_id: str, event_log: EventLog, sentence: str | None = None) -> Refusal:
        """What the user gets; recorded."""
        event_log.record(LimitHit(self.limit, user_id, None))
        return Refusal(Code.RATE_LIMITED, sentence, retry_after_ms=self.wait_ms)
