"""Where commands to the messages actor come from, and how they are told what became of them."""

from collections.abc import Callable

import orjson
import trio

from chatd.chat.messages import Joined
from chatd.chat.records import Message
from chatd.service.acks import accepted, message_refused, refused
from chatd.service.client import Client
from chatd.service.rate_limits import RateLimits
from chatd.wire.codes import Refusal
from chatd.wire.names import ClientEvent, ServerEvent


class Origin:
    """Who asked for a command. `__slots__`: one for each command.

    `event` is None where nobody is to be told. `written_id` is the messageId as the client wrote
    it, which is how it knows the message. `settled` is set once the outcome is known, for who waits
    for it; `joined` is then what came of a `JoinRooms`, or `refusal` says why nothing did.
    `refund_to`: the limits that a message was counted against, which refund it where it stores
    nothing.
    """

    __slots__ = (
        "ack_id",
        "client",
        "event",
        "joined",
        "refund_to",
        "refusal",
        "settled",
        "written_id",
    )

    def __init__(
        self,
        client: Client,
        event: ClientEvent | None,
        ack_id: int | None,
        *,
        written_id: str | None = None,
        settled: trio.Event | None = None,
        refund_to: RateLimits | None = None,
    ) -> None:
        self.client = client
        self.event = event
        self.ack_id = ack_id
        self.written_id = written_id
        self.settled = settled
        self.joined: Joined | None = None
        self.refusal: Refusal | None = None
        self.refund_to = refund_to

    @property
    def is_gone(self) -> bool:
        """Whether nobody is left who asked."""
        return self.client.socket.session.is_over

    @property
    def log_id(self) -> str:
        """The session as logs name it."""
        return self.client.socket.session.log_id

    def stored(self, message: Message, *, is_duplicate: bool) -> None:
        """Tell that a message is in the log, be it that it was before."""
        fields = {
            "messageId": self.written_id,
            "timestamp": message.timestamp_ms,
            "connectionId": message.connection_id,
            "seq": message.seq,
        }
        if is_duplicate:
            fields["duplicate"] = True
        sent = orjson.dumps(fields)
        socket = self.client.socket
        socket.emit_json(ServerEvent.CHAT_MESSAGE_SENT, sent)
        socket.ack_json(self.ack_id, b'{"ok":true,' + sent[1:])

    def give_back(self, connection_id: str) -> None:
        """The message was counted, and is none that counts."""
        if self.refund_to is not None:
            client = self.client
            self.refund_to.refund_message(client.user_id, client.allowance.messages, connection_id)

    def acknowledged(self) -> None:
        """Tell that an acknowledgement is in the log, where this was the last of it."""
        accepted(self.client.socket, self.ack_id)
        self.settle()

    def refuse(self, refusal: Refusal, connection_id: str | None = None) -> None:
        """Tell why it will not be; whoever waits goes on."""
        self.refusal = refusal
        socket = self.client.socket
        if self.event is ClientEvent.CHAT_MESSAGE:
            message_refused(socket, self.ack_id, self.written_id, refusal)
        elif self.event is not None:
            refused(socket, self.event, self.ack_id, refusal, connection_id=connection_id)
        self.settle()

    def settle(self) -> None:
        """Whoever waits goes on."""
        if self.settled is not None:
            self.settled.set()


class Waiter:
    """A command of the daemon's own: nobody is told, one task waits for it.

    `told`, where a message is stored, is called before its room gets it.
    """

    is_gone = False
    log_id = "daemon"

    def __init__(self, told: Callable[[], None] = lambda: None) -> None:
        self._told = told
        self.settled = trio.Event()
        self.refusal: Refusal | None = None

    def stored(self, message: Message, *, is_duplicate: bool) -> None:
        """A message is in the log, be it that it was before."""
        del message, is_duplicate
        self._told()
        self.settled.set()

    def give_back(self, connection_id: str) -> None:
        """It was not counted."""

    def refuse(self, refusal: Refusal, connection_id: str | None = None) -> None:
        """It will not be; whoever waits goes on."""
        del connection_id
        self.refusal = refusal
        self.settled.set()

    def settle(self) -> None:
        """Whoever waits goes on."""
        self.settled.set()
