"""The client of one request over HTTP: it has no socket, and a response answers its one event.

Its event goes the same way as the events of sockets (`dispatch`), so that the same limits, checks
and codes hold. It is in no room: nobody sees it come, and nothing is owed to it when it goes.
"""

from typing import Any

import attrs
import trio

from chatd.engine.flusher import OWED_NOTHING
from chatd.engine.outgoing import Outgoing
from chatd.engine.transport import Work
from chatd.net.disconnects import DisconnectReason
from chatd.service.client import Client
from chatd.service.request_places import RequestPlace
from chatd.socketio.packet import MAIN_NAMESPACE, Event
from chatd.sockets.connection import Application
from chatd.sockets.socket import Socket
from chatd.wire.acks import AckPayload, MessageAck
from chatd.wire.codes import Refusal
from chatd.wire.names import ClientEvent

HTTP_LOG_ID = "http"  # as logs name what came without a session
_ACK_ID = 0  # of the one event


@attrs.define(eq=False)
class NoSession:
    """What the socket of a request has in place of a session: it takes all, and sends nothing."""

    address: str
    log_id: str = HTTP_LOG_ID
    is_over: bool = False
    owed: int = OWED_NOTHING
    is_lagging: bool = False
    pending: list[Outgoing] = attrs.field(factory=list)

    def send(self, outgoing: Outgoing) -> None:
        """Events are for sockets: the answer is the response."""

    def send_catch_up(self, outgoing: Outgoing) -> None:
        """As `send`."""

    async def drained(self) -> None:
        """Nothing is owed."""
        await trio.lowlevel.checkpoint()

    def flush(self) -> None:
        """Nothing is pending."""

    def idle(self) -> Work | None:
        """A request is counted by its user's allowance."""

    def end(self, reason: DisconnectReason) -> None:
        """Nothing waits for what the client asked for."""
        self.is_over = True

    def fail(self, error: Exception) -> None:
        """As `end`."""
        self.is_over = True


@attrs.define(eq=False)
class RequestClient(Client):
    """A client whose one event is answered here. It counts as being in the room that it asks for,
    so that no join goes before the event."""

    place: RequestPlace = attrs.field(init=False)
    _answer: AckPayload | Refusal | None = attrs.field(init=False, default=None)
    _answered: trio.Event = attrs.field(init=False, factory=trio.Event)

    async def ask(
        self, app: Application, event: ClientEvent, written: dict[str, Any]
    ) -> AckPayload | Refusal:
        """Carry out an event with this payload, and return how it is answered."""
        work = app.on_event(
            self.socket, Event(MAIN_NAMESPACE, [event.value, written], ack_id=_ACK_ID)
        )
        if work is not None:
            await work
        await self._answered.wait()
        answer, self._answer = self._answer, None  # a page may be large, and its reader slow
        assert answer is not None
        return answer

    def acknowledge(self, ack_id: int | None, ack: AckPayload, *, is_page: bool = False) -> None:
        self._settle(self._complete(ack_id, ack))

    def confirm(self, ack_id: int | None, ack: MessageAck) -> None:
        self._settle(self._complete(ack_id, ack))

    def refuse(self, event: ClientEvent, ack_id: int | None, refusal: Refusal) -> None:
        self._settle(refusal)

    def refuse_message(self, message_id: str | None, ack_id: int | None, refusal: Refusal) -> None:
        self._settle(refusal)

    def _settle(self, answer: AckPayload | Refusal) -> None:
        self._answer = answer
        self._answered.set()


def carried_by_nothing(address: str) -> Socket:
    """The socket of a request from this address."""
    return Socket(NoSession(address), MAIN_NAMESPACE, HTTP_LOG_ID)
