"""What real client libraries are pointed at: `python -m tests.conformance.peers_app PORT`.

Namespaces `/` and `/custom` let everybody in; `/auth` only whose auth holds `token: "good"`. All
have the same events:

    comes                    goes
    (on connect)             auth(what CONNECT carried, {} where it carried nothing)
    message(...a)            message-back(...a)
    message-with-ack(...a)   ack(...a)
    join(room)               ack("ok")
    say(room, text)          said(text) to the room except the sender; ack({ok: true})
    bin                      bin({a: [bytes], b: {c: no bytes}}, "x", bytes)
    ask                      question(42) with an ack; ack(its answer), or "ERR ..." after 500 ms
    bye(close)               the socket is put out; with `close` every socket, and the connection
    burst(n)                 r(0), ... r(n - 1), as does burst-reliable(n)
    big(n)                   big(a text of n characters)
"""

import math
from typing import Any

import trio

from chatd.engine.session import Session
from chatd.engine.transport import Work
from chatd.net.deadlines import Deadlines, TimerEntry
from chatd.net.disconnects import DisconnectReason
from chatd.socketio.packet import Event
from chatd.sockets.connection import SocketIOConnection
from chatd.sockets.emitter import free_event_packet
from chatd.sockets.local_adapter import LocalAdapter
from chatd.sockets.socket import Socket
from tests.conformance.host import run_from_command_line

OPEN_NAMESPACES = ("/", "/custom")
GUARDED_NAMESPACE = "/auth"
ANSWER_LIMIT_S = 0.5
GONE = "gone"  # the state of a socket that has left; an ack to it would be a breach


class PeersApp:
    """The application. Its only state: which sockets a connection has."""

    def __init__(self, adapter: LocalAdapter, deadlines: Deadlines) -> None:
        self._adapter = adapter
        self._deadlines = deadlines
        self._sockets: dict[Session, list[Socket]] = {}

    def on_connect(
        self, connection: SocketIOConnection, namespace: str, auth: dict[str, Any] | None
    ) -> Work | None:
        auth = auth or {}
        if namespace == GUARDED_NAMESPACE and auth.get("token") != "good":
            data = {"code": "E_AUTH", "retry": False} if auth.get("withData") else None
            connection.refuse(namespace, "unauthorized", data)
        elif namespace in (*OPEN_NAMESPACES, GUARDED_NAMESPACE):
            socket = connection.accept(namespace)
            self._sockets.setdefault(connection.session, []).append(socket)
            socket.emit("auth", auth)
        else:
            connection.refuse(namespace, "Invalid namespace")
        return None

    def on_event(self, socket: Socket, event: Event) -> Work | None:
        match event.args:
            case ["message", *args]:
                socket.emit("message-back", *args)
            case ["message-with-ack", *args]:
                socket.ack(event.ack_id, *args)
            case ["join", str(room)]:
                self._adapter.join(socket, room)
                socket.ack(event.ack_id, "ok")
            case ["say", str(room), text]:
                said = free_event_packet(socket.namespace, ["said", text])
                self._adapter.broadcast_volatile(socket.namespace, room, said, but=socket)
                socket.ack(event.ack_id, {"ok": True})
            case ["bin"]:
                socket.emit("bin", {"a": [b"\1\2\3"], "b": {"c": b""}}, "x", b"hi")
            case ["ask"]:
                Question(socket, event.ack_id, self._deadlines)
            case ["bye", close]:
                self._bye(socket, close=bool(close))
            case ["burst" | "burst-reliable", int(count)]:
                for number in range(count):
                    socket.emit("r", number)
            case ["big", int(count)]:
                socket.emit("big", "x" * count)
        return None

    def on_disconnect(self, socket: Socket, reason: DisconnectReason) -> None:
        socket.state = GONE
        sockets = self._sockets[socket.session]
        sockets.remove(socket)
        if not sockets:
            del self._sockets[socket.session]

    def _bye(self, socket: Socket, *, close: bool) -> None:
        if not close:
            socket.session.upper.disconnect(socket)
            return
        for each in list(self._sockets[socket.session]):
            socket.session.upper.disconnect(each)
        socket.session.end(DisconnectReason.SERVER_DISCONNECT)


class Question:
    """A question to the peer, and who waits for its answer.

    Not a `Work`: a session reads nothing while it awaits one, so no answer would ever come.
    """

    def __init__(self, socket: Socket, asked_by: int | None, deadlines: Deadlines) -> None:
        self.deadline_entry: TimerEntry | None = None
        self._socket = socket
        self._asked_by = asked_by
        self._deadlines = deadlines
        self._ack_id = socket.session.upper.ask(socket, self._on_answer, ["question", 42])
        deadlines.schedule(self, trio.current_time() + ANSWER_LIMIT_S)

    def _on_answer(self, answer: list[Any]) -> None:
        self._deadlines.schedule(self, math.inf)
        self._socket.ack(self._asked_by, answer[0] if answer else None)

    def on_deadline(self, now_s: float) -> float:
        self._socket.session.upper.forget(self._ack_id)
        if self._socket.state is not GONE:
            self._socket.ack(self._asked_by, f"ERR no answer within {ANSWER_LIMIT_S} s")
        return math.inf


if __name__ == "__main__":
    deadlines = Deadlines()
    run_from_command_line(lambda adapter: PeersApp(adapter, deadlines), deadlines=deadlines)
