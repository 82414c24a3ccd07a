"""Where commands to actors come from, and how they learn the outcome."""

from collections.abc import Callable

import attrs
import trio

from chatd.chat.messages import Joined
from chatd.chat.records import Message
from chatd.service.client import Client
from chatd.service.rate_limits import RateLimits
from chatd.wire.acks import AckPayload, MessageAck
from chatd.wire.codes import Refusal
from chatd.wire.events import SentMessage
from chatd.wire.names import ClientEvent


@attrs.define(eq=False)
class Origin:
    """An event of a client that is answered once its command is carried out. `__slots__`: one for
    each command.

    `message_id` is that of a message, in lower case, which is how everybody gets it.
    `received_s`: when a message was read from its socket, by `message_times.now_s`.
    `is_read`: its message is read for a question once it is stored.
    `refund_to`: the limits that a message was counted against; they refund it if it stores nothing.
    """

    client: Client
    event: ClientEvent
    ack_id: int | None
    message_id: str = ""
    received_s: float | None = None
    refund_to: RateLimits | None = attrs.field(init=False, default=None)
    is_read: bool = attrs.field(init=False, default=False)

    @property
    def is_gone(self) -> bool:
        return self.client.is_gone

    @property
    def log_id(self) -> str:
        return self.client.log_id

    def stored(self, message: Message, *, is_duplicate: bool) -> None:
        """The message is in the log, now or from before."""
        sent = SentMessage(
            self.message_id,
            message.timestamp_ms,
            message.connection_id,
            message.seq,
            True if is_duplicate else None,
        )
        self.client.confirm(self.ack_id, MessageAck(question=self.is_read, sent=sent))

    def refund(self, connection_id: str) -> None:
        """The message stores nothing, and does not count."""
        if self.refund_to is not None:
            client = self.client
            self.refund_to.refund_message(client.user_id, client.allowance, connection_id)

    def acknowledge(self, ack: AckPayload) -> None:
        """The command was carried out."""
        self.client.acknowledge(self.ack_id, ack)

    def refuse(self, refusal: Refusal) -> None:
        if self.event is ClientEvent.CHAT_MESSAGE:
            self.client.refuse_message(self.message_id, self.ack_id, refusal)
        else:
            self.client.refuse(self.event, self.ack_id, refusal)

    def settle(self) -> None:
        """Nothing waits for it."""


@attrs.define(eq=False)
class TaskOrigin:
    """A task of the daemon as the origin of a command; it waits for `settled`, and answers no
    client.

    `client` is the one that the task serves, if any. `on_stored` is called when a message is
    stored, before its room gets it. `joined` is the outcome of a `JoinRooms`.
    """

    _client: Client | None = None
    _on_stored: Callable[[], None] = lambda: None
    settled: trio.Event = attrs.field(init=False, factory=trio.Event)
    refusal: Refusal | None = attrs.field(init=False, default=None)
    joined: Joined | None = attrs.field(init=False, default=None)
    received_s: None = attrs.field(init=False, default=None)

    @property
    def is_gone(self) -> bool:
        return self._client is not None and self._client.is_gone

    @property
    def log_id(self) -> str:
        return "daemon" if self._client is None else self._client.log_id

    def stored(self, message: Message, *, is_duplicate: bool) -> None:
        """The message is in the log, now or from before."""
        del message, is_duplicate
        self._on_stored()
        self.settled.set()

    def refund(self, connection_id: str) -> None:
        """It was not counted."""

    def acknowledge(self, ack: AckPayload) -> None:
        """The command was carried out."""
        del ack
        self.settled.set()

    def refuse(self, refusal: Refusal) -> None:
        self.refusal = refusal
        self.settled.set()

    def settle(self) -> None:
        self.settled.set()
