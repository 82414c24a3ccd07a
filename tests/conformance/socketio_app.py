"""The Socket.IO server of the protocol's test suite: `... socketio_app PORT`.

pingInterval 300 ms, pingTimeout 200 ms, connectTimeout 1 s; the namespaces `/` and `/custom` only.
On connect each emits `auth` with what CONNECT carried. In `/`, `message(...a)` is answered by
`message-back(...a)`, and `message-with-ack(...a)` by its ack with exactly these arguments.
"""

from typing import Any

from chatd.engine.transport import Work
from chatd.engineio.heartbeat import HeartbeatSettings
from chatd.net.disconnects import DisconnectReason
from chatd.socketio.packet import Event
from chatd.sockets.connection import SocketIOConnection
from chatd.sockets.local_adapter import LocalAdapter
from chatd.sockets.socket import Socket
from tests.conformance.host import run_from_command_line


class ProtocolSuiteApp:
    """The application: no state."""

    def __init__(self, adapter: LocalAdapter) -> None:
        pass

    def on_connect(
        self, connection: SocketIOConnection, namespace: str, auth: dict[str, Any] | None
    ) -> Work | None:
        if namespace in ("/", "/custom"):
            connection.accept(namespace).emit("auth", auth or {})
        else:
            connection.refuse(namespace, "Invalid namespace")
        return None

    def on_event(self, socket: Socket, event: Event) -> Work | None:
        if socket.namespace == "/":
            match event.args:
                case ["message", *args]:
                    socket.emit("message-back", *args)
                case ["message-with-ack", *args]:
                    socket.ack(event.ack_id, *args)
        return None

    def on_disconnect(self, socket: Socket, reason: DisconnectReason) -> None:
        pass


if __name__ == "__main__":
    run_from_command_line(
        ProtocolSuiteApp, heartbeat=HeartbeatSettings(0.3, 0.2), connect_timeout_s=1.0
    )
