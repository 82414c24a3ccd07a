"""The Engine.IO server of the client's own tests: `... engine_client_app PORT`.

Path `/engine.io/`, pingInterval 500 ms, maxPayload 100 bytes. Greets with `hi`, then echoes, save:

    give binary    the bytes 0 to 4
    give utf8      a line of Russian
    sendHeaders    JSON of the headers of the POST that brought it

A request whose URL has `deny` is refused. The response that opens a polling session sets four
cookies.
"""

from email.utils import formatdate

import orjson

from chatd.engine.engine import Engine
from chatd.engine.flusher import Flusher
from chatd.engine.polling import PollingTransport
from chatd.engine.session import Handshake, Session
from chatd.engine.transport import Work
from chatd.engineio.handshake import Query
from chatd.engineio.heartbeat import HeartbeatSettings
from chatd.net.disconnects import DisconnectReason
from chatd.net.http.reader import RequestHead
from tests.conformance.engine_echo import message_of
from tests.conformance.host import MakeUpper, arguments, run_application

COOKIES = (
    "1=1; Max-Age=86400",
    "2=2; Path=/; HttpOnly; Secure; SameSite=Strict",
    "3=3; Max-Age=0",
    "4=4; Expires={now}",
)


class ClientEngine(Engine):
    """Refuses what is marked so, and sets cookies."""

    def is_allowed(self, head: RequestHead, query: Query) -> bool:
        return "deny" not in query.parameters and b"deny" not in head.path

    def opening_headers(self, head: RequestHead) -> bytes:
        if b"sid=" in head.query:
            return b""
        lines = [f"Set-Cookie: {cookie}\r\n" for cookie in COOKIES]
        return "".join(lines).format(now=formatdate(usegmt=True)).encode()


class Partner:
    """What a session carries here."""

    is_joined = True

    def __init__(self, session: Session) -> None:
        self._session = session
        session.send(message_of("hi"))

    def receive(self, message: str | bytes) -> Work | None:
        match message:
            case "give binary":
                answer: str | bytes = bytes(range(5))
            case "give utf8":
                answer = "пойду спать всем спокойной ночи"
            case "sendHeaders":
                answer = orjson.dumps(self._headers()).decode()
            case _:
                answer = message
        self._session.send(message_of(answer))
        return None

    def _headers(self) -> dict[str, str]:
        transport = self._session.transport
        assert isinstance(transport, PollingTransport)
        exchange = transport._post
        assert exchange is not None
        headers = exchange.head.headers
        return {name.decode(): value.decode("latin-1") for name, value in headers.items()}

    def on_heartbeat(self, now_s: float) -> None:
        pass

    def on_close(self, reason: DisconnectReason) -> None:
        pass


def prepare(_: Flusher) -> MakeUpper:
    def make_upper(session: Session, handshake: Handshake) -> Partner:
        return Partner(session)

    return make_upper


if __name__ == "__main__":
    port, heartbeat = arguments(HeartbeatSettings(0.5, 20.0))
    run_application(
        prepare,
        port=port,
        heartbeat=heartbeat,
        path=b"/engine.io/",
        max_payload_bytes=100,
        engine_class=ClientEngine,
    )
