"""The listener, sessions and adapter without the chat, for measuring: `... protocol_app PORT`.

`msg(x)` acks x; `join(room)` joins and acks "ok"; `bcast(x)` emits `bcast(x)` to room `r`, the
sender included, and acks "ok". Everything else is as `chatd serve` has it.
"""

import sys
from typing import Any

from chatd.engine.transport import Work
from chatd.net.disconnects import DisconnectReason
from chatd.socketio.packet import Event
from chatd.sockets.connection import SocketIOConnection
from chatd.sockets.emitter import free_event_packet
from chatd.sockets.local_adapter import LocalAdapter
from chatd.sockets.socket import Socket
from tests.conformance.host import run_application, sockets_of


class ProtocolApp:
    """The application: no state of its own."""

    def __init__(self, adapter: LocalAdapter) -> None:
        self._adapter = adapter

    def on_connect(
        self, connection: SocketIOConnection, namespace: str, auth: dict[str, Any] | None
    ) -> Work | None:
        # As the chat does: a session that stays nobody's is held to other bounds.
        connection.session.identify("somebody")
        connection.accept(namespace)
        connection.handshake = None
        return None

    def on_event(self, socket: Socket, event: Event) -> Work | None:
        match event.args:
            case ["msg", value]:
                socket.ack(event.ack_id, value)
            case ["join", str(room)]:
                self._adapter.join(socket, room)
                socket.ack(event.ack_id, "ok")
            case ["bcast", value]:
                said = free_event_packet(socket.namespace, ["bcast", value])
                self._adapter.broadcast(socket.namespace, "r", said)
                socket.ack(event.ack_id, "ok")
        return None

    def on_disconnect(self, socket: Socket, reason: DisconnectReason) -> None:
        pass


if __name__ == "__main__":
    run_application(sockets_of(ProtocolApp), port=int(sys.argv[1]))
