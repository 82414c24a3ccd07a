"""Where commands to the messages actor come from, and how they are told what became of them."""

import trio

from chatd.chat.messages import Joined
from chatd.server.clients import Client
from chatd.server.replies import message_refused, refused
from chatd.wire.codes import Refusal
from chatd.wire.names import ClientEvent


class Origin:
    """Who asked for a command. `__slots__`: one for each command.

    `event` is None where nobody is to be told. `written_id` is the messageId as the client wrote
    it, which is how it knows the message. `settled` is set once the outcome is known, for who waits
    for it; `joined` is then what came of a `JoinRooms`, or `refusal` says why nothing did.
    `counted`: a message was counted against the limits, and is given back where it was stored
    before.
    """

    __slots__ = (
        "ack_id",
        "client",
        "counted",
        "event",
        "joined",
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
        counted: bool = False,
    ) -> None:
        self.client = client
        self.event = event
        self.ack_id = ack_id
        self.written_id = written_id
        self.settled = settled
        self.joined: Joined | None = None
        self.refusal: Refusal | None = None
        self.counted = counted

    @property
    def is_gone(self) -> bool:
        """Whether nobody is left who asked."""
        return self.client.socket.session.is_over

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
    """A command of the daemon's own: nobody is told, one task waits for it."""

    is_gone = False

    def __init__(self) -> None:
        self.settled = trio.Event()
        self.refusal: Refusal | None = None

    def refuse(self, refusal: Refusal, connection_id: str | None = None) -> None:
        """It will not be; whoever waits goes on."""
        del connection_id
        self.refusal = refusal
        self.settled.set()

    def settle(self) -> None:
        """Whoever waits goes on."""
        self.settled.set()
