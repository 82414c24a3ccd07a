"""A Socket.IO server that loses, doubles and swaps messages: `... faulty_app PORT`.

As `protocol_app`, and the name of the event says what becomes of every fifth message: `bcast`
nothing, `lose` it reaches nobody, `double` it comes twice, `swap` it comes behind the next one,
`mute` it is not acked, `hang_up` its sender is thrown out.
"""

import sys
from typing import Any

from chatd.engine.transport import Work
from chatd.net.disconnects import DisconnectReason
from chatd.socketio.packet import Event
from chatd.sockets.emitter import free_event_packet
from chatd.sockets.local_adapter import LocalAdapter
from chatd.sockets.socket import Socket
from tests.bench.protocol_app import ProtocolApp
from tests.conformance.host import run_application, sockets_of

EVERY = 5


class FaultyApp(ProtocolApp):
    """Its own state is how many messages came, and one that is held back."""

    def __init__(self, adapter: LocalAdapter) -> None:
        super().__init__(adapter)
        self._count = 0
        self._held: Any = None

    def on_event(self, socket: Socket, event: Event) -> Work | None:
        match event.args:
            case ["lose" | "double" | "swap" | "mute" | "hang_up" as fault, value]:
                self._count += 1
                self._mistreat(socket, event, fault, value, self._count % EVERY == 0)
                return None
        return super().on_event(socket, event)

    def _mistreat(
        self, socket: Socket, event: Event, fault: str, value: Any, is_its_turn: bool
    ) -> None:
        if not (is_its_turn and fault == "mute"):
            socket.ack(event.ack_id, "ok")
        if is_its_turn and fault == "hang_up":
            socket.session.end(DisconnectReason.TRANSPORT_ERROR)
        elif is_its_turn and fault == "swap":
            self._held = value
        elif not (is_its_turn and fault == "lose"):
            self._say(socket, value)
            if is_its_turn and fault == "double":
                self._say(socket, value)
            if self._held is not None:
                held, self._held = self._held, None
                self._say(socket, held)

    def _say(self, socket: Socket, value: Any) -> None:
        said = free_event_packet(socket.namespace, ["bcast", value])
        self._adapter.broadcast(socket.namespace, "r", said)


if __name__ == "__main__":
    run_application(sockets_of(FaultyApp), port=int(sys.argv[1]))
