"""The server's heartbeat: when to ping, and when silence has lasted too long.

| state          | input                        | then                                        |
|----------------|------------------------------|---------------------------------------------|
| idle           | deadline                     | SEND_PING; await the pong for the timeout   |
| idle           | pong (unasked)               | the interval begins again                   |
| awaiting pong  | pong                         | idle; the interval begins at the pong       |
| awaiting pong  | deadline                     | TIMED_OUT; over                             |
| over           | anything                     | NOTHING                                     |

Deadlines are absolute, computed from the one before: a GET that comes interval + timeout after the
handshake finds its session dead, even if the timers were a little late: `on_deadline` is called
before a polling session sees the request. Source: Engine.IO 4, "Heartbeat".
"""

import enum
import math
from typing import Final

import attrs

# A ping that went out late because this process was busy must not cost the client its time to
# answer: at least this share of the timeout is left, counted from the moment it was queued.
_SHARE_LEFT_TO_THE_CLIENT: Final = 0.9


@attrs.frozen
class HeartbeatSettings:
    """`pingInterval` and `pingTimeout` in seconds, shared by all connections of a server."""

    interval_s: float = attrs.field(validator=attrs.validators.gt(0))
    timeout_s: float = attrs.field(validator=attrs.validators.gt(0))


class HeartbeatAction(enum.Enum):
    """What a deadline asks of the session."""

    NOTHING = enum.auto()
    SEND_PING = enum.auto()  # queue `2`, even if no poll waits for it
    TIMED_OUT = enum.auto()  # close, reason "ping timeout"


class Heartbeat:
    """The heartbeat of one connection; it begins with the opening, at `now`, in seconds.

    One exists for each connection, so it has slots and shares its settings. `next_deadline_s` and
    `awaiting_pong` are for reading.
    """

    __slots__ = ("_settings", "awaiting_pong", "next_deadline_s")

    def __init__(self, settings: HeartbeatSettings, now: float) -> None:
        self._settings = settings
        self.awaiting_pong = False
        self.next_deadline_s = now + settings.interval_s

    def on_pong(self, now: float) -> None:
        """Any pong begins the interval again; after the timeout it is too late."""
        if self.next_deadline_s != math.inf:
            self.awaiting_pong = False
            self.next_deadline_s = now + self._settings.interval_s

    def on_deadline(self, now: float) -> HeartbeatAction:
        """What is due at `now`. Asking too early, or again, is harmless.

        After TIMED_OUT, `next_deadline_s` is infinite: nothing is due any more.
        """
        due = self.next_deadline_s
        if now < due:
            return HeartbeatAction.NOTHING
        if self.awaiting_pong:
            self.next_deadline_s = math.inf
            return HeartbeatAction.TIMED_OUT
        timeout_s = self._settings.timeout_s
        self.awaiting_pong = True
        self.next_deadline_s = max(due + timeout_s, now + timeout_s * _SHARE_LEFT_TO_THE_CLIENT)
        return HeartbeatAction.SEND_PING
