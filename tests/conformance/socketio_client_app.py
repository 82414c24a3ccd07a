"""The Socket.IO server of the client's own tests: `... socketio_client_app PORT`.

pingInterval 2 s. Each CONNECT is answered a little late, as a test of the client uses a time limit
of nothing. Connection state recovery is off. The namespaces and events are those that the client's
tests call for.
"""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import trio

from chatd.engine.session import Handshake
from chatd.engine.transport import Work
from chatd.engineio.heartbeat import HeartbeatSettings
from chatd.net.disconnects import DisconnectReason
from chatd.socketio.packet import Event
from chatd.sockets.connection import SocketIOConnection
from chatd.sockets.local_adapter import LocalAdapter
from chatd.sockets.socket import Socket
from tests.conformance.host import run_from_command_line

ANSWER_DELAY_S = 0.01
OPEN_NAMESPACES = ("/", "/foo", "/abc", "/timeout_socket", "/valid", "/asd")
REFUSED_NAMESPACE = "/no"
UTF8 = ("てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string")


class ClientSuiteApp:
    """The application; a socket's state is its handshake object."""

    def __init__(self, adapter: LocalAdapter) -> None:
        pass

    def on_connect(
        self, connection: SocketIOConnection, namespace: str, auth: dict[str, Any] | None
    ) -> Work | None:
        return self._answer(connection, namespace, auth)

    async def _answer(
        self, connection: SocketIOConnection, namespace: str, auth: dict[str, Any] | None
    ) -> None:
        await trio.sleep(ANSWER_DELAY_S)
        if connection.session.is_over:
            return
        handshake = connection.handshake
        assert handshake is not None
        if namespace == "/" and "fail" in handshake.query.parameters:
            connection.refuse(namespace, "Auth failed (main namespace)")
        elif namespace == REFUSED_NAMESPACE:
            connection.refuse(namespace, "Auth failed (custom namespace)")
        elif namespace.partition("?")[0] not in OPEN_NAMESPACES:
            connection.refuse(namespace, "Invalid namespace")
        else:
            socket = connection.accept(namespace)
            socket.state = handshake_object(handshake, auth)
            if namespace == "/abc":
                socket.emit("handshake", socket.state)

    def on_event(self, socket: Socket, event: Event) -> Work | None:
        match event.args:
            case ["getId", *_]:
                socket.ack(event.ack_id, socket.id)
            case [*args] if socket.namespace == "/":
                self._main(socket, args, event.ack_id)
        return None

    def _main(self, socket: Socket, args: list[Any], ack_id: int | None) -> None:
        match args:
            case ["hi", *_]:
                socket.emit("hi")
            case ["echo", value, *_]:
                socket.ack(ack_id, value)
            case ["ack", *_]:
                socket.session.upper.ask(socket, partial(got_it, socket), ["ack"])
            case ["getAckDate", *_]:
                socket.ack(ack_id, now_text())
            case ["getDate", *_]:
                socket.emit("takeDate", now_text())
            case ["getDateObj", *_]:
                socket.emit("takeDateObj", {"date": now_text()})
            case ["getUtf8", *_]:
                for line in UTF8:
                    socket.emit("takeUtf8", line)
            case ["false", *_]:
                socket.emit("false", False)
            case ["doge", *_]:
                socket.emit("doge", b"asdfasdf")
            case ["buffa", bytes(), *_]:
                socket.emit("buffack")
            case ["jsonbuff", {"hello": "lol", "message": bytes(), "goodbye": "gotcha"}, *_]:
                socket.emit("jsonbuff-ack")
            case ["abuff1", bytes(), *_]:
                socket.state["abuff1"] = True
            case ["abuff2", *_] if socket.state.get("abuff1"):
                socket.emit("abuff2-ack")
            case ["getbin", *_]:
                socket.emit("takebin", b"asdfasdf")
            case ["getHandshake", *_]:
                socket.ack(ack_id, socket.state)

    def on_disconnect(self, socket: Socket, reason: DisconnectReason) -> None:
        pass


def handshake_object(handshake: Handshake, auth: dict[str, Any] | None) -> dict[str, Any]:
    """What the request and CONNECT said, as clients ask for it."""
    return {"query": dict(handshake.query.parameters), "auth": auth or {}}


def got_it(socket: Socket, answer: list[Any]) -> None:
    """The client answered the server's own question, rightly."""
    if answer == [5, {"test": True}]:
        socket.emit("got it")


def now_text() -> str:
    """The time as JavaScript writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


if __name__ == "__main__":
    run_from_command_line(ClientSuiteApp, heartbeat=HeartbeatSettings(2.0, 20.0))
