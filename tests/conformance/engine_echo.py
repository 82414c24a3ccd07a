"""A bare Engine.IO server that echoes: `python -m tests.conformance.engine_echo PORT`.

Path `/engine.io/`, pingInterval 300 ms, pingTimeout 200 ms; every message goes back unchanged, text
as text and binary as binary. There is no Socket.IO above it.
"""

from chatd.engine.flusher import Flusher
from chatd.engine.outgoing import Outgoing
from chatd.engine.session import Handshake, Session
from chatd.engine.transport import Work
from chatd.engineio.heartbeat import HeartbeatSettings
from chatd.net.disconnects import DisconnectReason
from tests.conformance.host import MakeUpper, arguments, run_application


class Echo:
    """What a session carries here."""

    is_joined = True  # nobody has to become anybody

    def __init__(self, session: Session) -> None:
        self._session = session

    def receive(self, message: str | bytes) -> Work | None:
        self._session.send(message_of(message))
        return None

    def on_heartbeat(self, now_s: float) -> None:
        pass

    def on_close(self, reason: DisconnectReason) -> None:
        pass


def message_of(content: str | bytes) -> Outgoing:
    """A message of Engine.IO."""
    if isinstance(content, bytes):
        return Outgoing(b"", (content,))
    return Outgoing(b"4" + content.encode())


def prepare(_: Flusher) -> MakeUpper:
    def make_upper(session: Session, handshake: Handshake) -> Echo:
        return Echo(session)

    return make_upper


if __name__ == "__main__":
    port, heartbeat = arguments(HeartbeatSettings(0.3, 0.2))
    run_application(prepare, port=port, heartbeat=heartbeat, path=b"/engine.io/")
