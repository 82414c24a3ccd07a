"""Socket.IO over a session: packets to an application, and what the application sends back.

One `SocketIOConnection` is what a session carries; it holds one `Socket` for each namespace that
the peer joined. The application is given sockets and events, synchronously, and answers through the
socket. What it must wait for it returns, to be awaited by the task that owns the session's input.
"""

from collections.abc import Callable
from typing import Any, Final

import trio

from chatd.engine.session import Handshake, Session
from chatd.engine.transport import Work
from chatd.net.disconnects import DisconnectReason
from chatd.observe.ids import unguessable_id
from chatd.socketio import (
    AckReceived,
    ConnectRequested,
    Decoder,
    Event,
    NamespaceLeft,
    Namespaces,
    ProtocolError,
)
from chatd.sockets.emitter import (
    ack_packet,
    event_packet,
    free_ack_packet,
    free_event_packet,
    packet,
    repeating_packets,
)
from chatd.sockets.ports import Adapter, Application
from chatd.wire.acks import AckPayload, RefusedAck
from chatd.wire.events import EventPayload

ATTACHMENTS_DUE_S: Final = 20.0
"""Seconds for which a packet may lack attachments, from the first heartbeat that finds it so.
Beyond it, which the next heartbeat sees: `ProtocolError`, and the session ends."""


class Socket:
    """One peer in one namespace. `state` belongs to the application."""

    __slots__ = ("connection", "id", "namespace", "rooms", "session", "state")

    def __init__(self, connection: "SocketIOConnection", namespace: str, socket_id: str) -> None:
        self.connection = connection
        self.session = connection.session
        self.namespace = namespace
        self.id = socket_id
        self.rooms: tuple[str, ...] = ()
        self.state: Any = None

    def emit(self, name: str | float, *args: Any) -> None:
        """Send an event of any name, which may be a number; `bytes` in it travel as such."""
        self.session.send(free_event_packet(self.namespace, [name, *args]))

    def send(self, payload: EventPayload) -> None:
        """Send an event of the chat."""
        self.session.send(event_packet(payload))

    def ack(self, ack_id: int | None, *args: Any) -> None:
        """Answer an event with any arguments; nothing happens where it asked for no answer."""
        if ack_id is not None:
            self.session.send(free_ack_packet(ack_id, args, self.namespace))

    def answer(self, ack_id: int | None, ack: AckPayload | RefusedAck) -> None:
        """Answer an event of the chat; nothing happens where it asked for no answer."""
        if ack_id is not None:
            self.session.send(ack_packet(ack_id, ack))

    def send_and_answer(self, ack_id: int | None, payload: EventPayload) -> None:
        """Send an event, and answer another one with what it says."""
        if ack_id is None:
            self.send(payload)
        else:
            event, ack = repeating_packets(ack_id, payload)
            self.session.send(event)
            self.session.send(ack)

    def ask(self, on_answer: Callable[[list[Any]], None], name: str, *args: Any) -> int:
        """Send an event that asks for an ack; returns its id, for `connection.forget`."""
        return self.connection.ask(self, on_answer, [name, *args])

    def disconnect(self) -> None:
        """Put the peer out of the namespace. Stock clients do not come back after this."""
        self.connection.disconnect(self)


class SocketIOConnection:
    """What a session carries where it speaks Socket.IO. `__slots__`: one for each session."""

    __slots__ = (
        "_adapter",
        "_answers",
        "_app",
        "_attachments_due_s",
        "_decoder",
        "_namespaces",
        "_sockets",
        "handshake",
        "refusals",
        "session",
        "state",
    )

    def __init__(
        self,
        session: Session,
        handshake: Handshake,
        app: Application,
        adapter: Adapter,
        attachments_due_s: float = ATTACHMENTS_DUE_S,
    ) -> None:
        self.session = session
        self.handshake: Handshake | None = handshake
        self.refusals = 0
        self.state: Any = None  # belongs to the application, as that of a socket
        self._app = app
        self._adapter = adapter
        self._attachments_due_s = attachments_due_s
        self._decoder = Decoder(max_attachment_bytes=session.settings.max_payload_bytes)
        self._namespaces = Namespaces()
        self._sockets: dict[str, Socket] = {}
        self._answers: dict[int, Callable[[list[Any]], None]] | None = None

    @property
    def is_joined(self) -> bool:
        return self._namespaces.has_joined_any

    def receive(self, message: str | bytes) -> Work | None:
        if type(message) is str:
            received = self._decoder.receive_text(message)
        else:
            received = self._decoder.receive_binary(message)  # type: ignore[arg-type]  # not a str
        if type(received) is Event:
            socket = self._sockets.get(received.namespace)
            if socket is None:
                raise ProtocolError("An event came for a namespace that is not joined.")
            return self._app.on_event(socket, received)
        if received is None:
            if self._decoder.is_waiting_for_attachments and not self._namespaces.joined:
                raise ProtocolError("Attachments were announced before any namespace was joined.")
            return None
        match self._namespaces.receive(received):
            case ConnectRequested(namespace, auth):
                wait_s = self.session.spend_idle()
                if wait_s > 0.0:
                    return self._connect_later(wait_s, namespace, auth)
                if self.session.is_over:
                    return None
                return self._app.on_connect(self, namespace, auth)
            case NamespaceLeft(namespace):
                self._forget(self._sockets[namespace], DisconnectReason.CLIENT_DISCONNECT)
            case AckReceived(_, ack_id, args):
                on_answer = self._answers.pop(ack_id, None) if self._answers else None
                if on_answer is not None:
                    on_answer(args)
                    return None  # it was asked for
        return self.session.idle()

    async def _connect_later(
        self, wait_s: float, namespace: str, auth: dict[str, Any] | None
    ) -> None:
        await trio.sleep(wait_s)
        if not self.session.is_over:
            work = self._app.on_connect(self, namespace, auth)
            if work is not None:
                await work

    def accept(self, namespace: str) -> Socket:
        """Let the peer in; the reply goes out before anything that is emitted next."""
        socket = Socket(self, namespace, unguessable_id())
        self.session.send(packet(self._namespaces.accept(namespace, socket.id)))
        self._sockets[namespace] = socket
        return socket

    def refuse(self, namespace: str, message: str, data: Any = None) -> None:
        """Keep the peer out; the session stays, and it may ask again."""
        self.refusals += 1
        self.session.send(packet(self._namespaces.refuse(namespace, message, data)))

    def disconnect(self, socket: Socket) -> None:
        """Put a socket out of its namespace."""
        self.session.send(packet(self._namespaces.disconnect(socket.namespace)))
        self._forget(socket, DisconnectReason.SERVER_DISCONNECT)

    def ask(self, socket: Socket, on_answer: Callable[[list[Any]], None], args: list[Any]) -> int:
        """Send an event whose ack goes to `on_answer`, once, unless it is forgotten before."""
        ack_id = self._namespaces.register_ack(socket.namespace)
        if self._answers is None:
            self._answers = {}
        self._answers[ack_id] = on_answer
        self.session.send(free_event_packet(socket.namespace, args, ack_id))
        return ack_id

    def forget(self, ack_id: int) -> None:
        """Wait no longer for an ack; an answer that still comes is ignored."""
        self._namespaces.forget_ack(ack_id)
        if self._answers is not None:
            self._answers.pop(ack_id, None)

    def on_heartbeat(self, now_s: float) -> None:
        self._decoder.give_up_late(now_s, self._attachments_due_s)

    def on_close(self, reason: DisconnectReason) -> None:
        for socket in list(self._sockets.values()):
            self._forget(socket, reason)

    def _forget(self, socket: Socket, reason: DisconnectReason) -> None:
        del self._sockets[socket.namespace]
        self._adapter.leave_all(socket)
        self._app.on_disconnect(socket, reason)
