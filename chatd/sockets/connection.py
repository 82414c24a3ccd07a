"""Socket.IO over a session: packets to an application, and what the application sends back.

One `SocketIOConnection` is what a session carries; it holds one `Socket` for each namespace that
the peer joined. The application is given sockets and events, synchronously, and answers through the
socket. If it must wait for something, it returns that, and the task that owns the session's input
awaits it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

import attrs
import trio

from chatd.engine.session import Handshake, Session
from chatd.engine.transport import Work
from chatd.net.disconnects import DisconnectReason
from chatd.observe.ids import unguessable_id
from chatd.socketio.decoder import Decoder
from chatd.socketio.namespaces import (
    AckReceived,
    ConnectRequested,
    NamespaceLeft,
    Namespaces,
    OnAnswer,
)
from chatd.socketio.packet import MAIN_NAMESPACE, Event, ProtocolError
from chatd.sockets.adapter import Adapter
from chatd.sockets.emitter import free_event_packet, packet
from chatd.sockets.socket import Socket

_NONE: Final[Mapping[str, Socket]] = MappingProxyType({})

ATTACHMENTS_DUE_S: Final = 20.0
"""Seconds for which a packet may lack attachments, from the first heartbeat that finds it so.
Beyond that, at the next heartbeat: `ProtocolError`, and the session ends."""


class Application(Protocol):
    """What speaks through the sockets of connections."""

    def on_connect(
        self, connection: "SocketIOConnection", namespace: str, auth: dict[str, Any] | None
    ) -> Work | None:
        """The peer wants to join a namespace: call `accept` or `refuse`, now or in the Work."""
        ...

    def on_event(self, socket: Socket, event: Event) -> Work | None:
        """An event of a joined namespace."""
        ...

    def on_disconnect(self, socket: Socket, reason: DisconnectReason) -> None:
        """The socket is gone; it has been taken out of its rooms."""
        ...


@attrs.define(eq=False, repr=False, weakref_slot=False)
class SocketIOConnection:
    """What a session carries if it speaks Socket.IO. Slots: one for each session."""

    session: Session
    handshake: Handshake | None
    _app: Application
    _adapter: Adapter
    _attachments_due_s: float = ATTACHMENTS_DUE_S
    refusals: int = attrs.field(default=0, init=False)
    state: Any = attrs.field(default=None, init=False)
    """Belongs to the application, as the state of a socket does."""
    _decoder: Decoder = attrs.field(init=False)
    _namespaces: Namespaces = attrs.field(factory=Namespaces, init=False)
    _main: Socket | None = attrs.field(default=None, init=False)
    """The socket of the main namespace, which is the only one of nearly every peer: so it needs no
    dict."""
    _others: Mapping[str, Socket] = attrs.field(default=_NONE, init=False)

    def __attrs_post_init__(self) -> None:
        self._decoder = Decoder(max_attachment_bytes=self.session.settings.max_payload_bytes)

    @property
    def is_joined(self) -> bool:
        return self._namespaces.has_joined_any

    def receive(self, message: str | bytes) -> Work | None:
        if type(message) is str:
            received = self._decoder.receive_text(message)
        else:
            received = self._decoder.receive_binary(message)  # type: ignore[arg-type]  # not a str
        if type(received) is Event:
            if received.namespace == MAIN_NAMESPACE:
                socket = self._main
            else:
                socket = self._others.get(received.namespace)
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
                self._forget(self._socket(namespace), DisconnectReason.CLIENT_DISCONNECT)
            case AckReceived(_, _, args, on_answer):
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
        socket = Socket(self.session, namespace, unguessable_id())
        self.session.send(packet(self._namespaces.accept(namespace, socket.id)))
        if namespace == MAIN_NAMESPACE:
            self._main = socket
        else:
            self._others = {**self._others, namespace: socket}
        return socket

    def refuse(self, namespace: str, message: str, data: Any = None) -> None:
        """Keep the peer out; the session stays, and it may ask again."""
        self.refusals += 1
        self.session.send(packet(self._namespaces.refuse(namespace, message, data)))

    def disconnect(self, socket: Socket) -> None:
        """Put a socket out of its namespace. Stock clients do not come back after this.

        The chat does without this, and asks its peers nothing: the suites of tests that Socket.IO
        and its clients bring need it, and `ask` and `forget`.
        """
        self.session.send(packet(self._namespaces.disconnect(socket.namespace)))
        self._forget(socket, DisconnectReason.SERVER_DISCONNECT)

    def ask(self, socket: Socket, on_answer: OnAnswer, args: list[Any]) -> int:
        """Send an event whose ack goes to `on_answer`, once; returns its id, for `forget`."""
        ack_id = self._namespaces.register_ack(socket.namespace, on_answer)
        self.session.send(free_event_packet(socket.namespace, args, ack_id))
        return ack_id

    def forget(self, ack_id: int) -> None:
        """Wait no longer for an ack; an answer that still comes is ignored."""
        self._namespaces.forget_ack(ack_id)

    def on_heartbeat(self, now_s: float) -> None:
        self._decoder.give_up_late(now_s, self._attachments_due_s)

    def on_close(self, reason: DisconnectReason) -> None:
        if self._main is not None:
            self._forget(self._main, reason)
        for socket in list(self._others.values()):
            self._forget(socket, reason)

    def _socket(self, namespace: str) -> Socket:
        """The socket of a namespace that is joined."""
        if namespace == MAIN_NAMESPACE:
            assert self._main is not None
            return self._main
        return self._others[namespace]

    def _forget(self, socket: Socket, reason: DisconnectReason) -> None:
        if socket is self._main:
            self._main = None
        else:
            self._others = {
                name: other for name, other in self._others.items() if other is not socket
            }
        self._adapter.leave_all(socket)
        self._app.on_disconnect(socket, reason)
        socket.state = None  # which knows the socket
