"""What the applications promise to the outside judges that are pointed at them.

Spoken by hand, so that nothing stands between the bytes and their judge. What peers_app does is
judged by the libraries of tests/peers; here it only starts and ends like the others.
"""

import http.client
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

import attrs
import pytest
import websocket

from tests.peers.servers import Server, application

LIMIT_S = 30.0
OPEN_NUMBERS = {
    "engine_echo": (300, 200, 1_000_000),
    "engine_client_app": (500, 20_000, 100),
    "socketio_app": (300, 200, 1_000_000),
    "socketio_client_app": (2000, 20_000, 1_000_000),
    "peers_app": (25_000, 20_000, 1_000_000),
}
"""pingInterval, pingTimeout, maxPayload of each with an Engine.IO."""

NAMES = (*OPEN_NUMBERS, "websocket_echo")

UPGRADE_HEADERS = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}

Answer = tuple[int, http.client.HTTPMessage, bytes]


class Applications:
    """Each of the applications, started by the first test that needs it."""

    def __init__(self) -> None:
        self._started: dict[str, Server] = {}

    def __getitem__(self, name: str) -> Server:
        if name not in self._started:
            self._started[name] = application(name)
        return self._started[name]

    def stop(self) -> None:
        assert {name: server.stop() for name, server in self._started.items()} == dict.fromkeys(
            self._started, 0
        )


@pytest.fixture(scope="module")
def applications() -> Iterator[Applications]:
    started = Applications()
    yield started
    started.stop()


def without_pings(payload: bytes) -> bytes:
    """The packets of a poll, less the pings of a server that is asked late."""
    return b"\x1e".join(one for one in payload.split(b"\x1e") if one != b"2")


def path_of(name: str) -> str:
    return "/engine.io/" if name.startswith("engine") else "/socket.io/"


def request(
    server: Server,
    path: str,
    query: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """A polling request on a connection of its own: POST with a body, GET without."""
    host = urlsplit(server.url).netloc
    connection = http.client.HTTPConnection(host, timeout=LIMIT_S)
    target = f"{path}?EIO=4&transport=polling{query}"
    connection.request("GET" if body is None else "POST", target, body, headers or {})
    response = connection.getresponse()
    answer = response.status, response.headers, response.read()
    connection.close()
    return answer


def opening(body: str | bytes) -> dict[str, Any]:
    """What an open packet says."""
    text = body if isinstance(body, str) else body.split(b"\x1e")[0].decode()
    assert text[0] == "0"
    said: dict[str, Any] = json.loads(text[1:])
    return said


@attrs.frozen
class Closed:
    """The server's close frame."""

    code: int | None


class Peer:
    """A WebSocket of Engine.IO. Reading answers pings by itself."""

    def __init__(self, server: Server, path: str, query: str = "") -> None:
        address = server.url.replace("http:", "ws:")
        self._socket = websocket.create_connection(
            f"{address}{path}?EIO=4&transport=websocket{query}", timeout=LIMIT_S
        )
        self.opening = opening(self._socket.recv())

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown()  # its `close` forgets the socket where the server closed first

    def send(self, *texts: str | bytes) -> None:
        for text in texts:
            if isinstance(text, bytes):
                self._socket.send_binary(text)
            else:
                self._socket.send(text)

    def read(self) -> str | bytes:
        """The next packet that is no ping."""
        packet = self._read()
        assert not isinstance(packet, Closed), f"the connection was closed: {packet}"
        return packet

    def close_code(self) -> int | None:
        """Read nothing but pings until the server's close frame; its code, None without one."""
        packet = self._read()
        assert isinstance(packet, Closed), f"{packet!r} came before the end"
        return packet.code

    def _read(self) -> "str | bytes | Closed":
        while True:
            opcode, content = self._socket.recv_data(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return Closed(int.from_bytes(content[:2], "big") if content else None)
            if opcode == websocket.ABNF.OPCODE_BINARY:
                return bytes(content)
            if content != b"2":
                return str(content, "utf-8")
            self._socket.send("3")

    def join(self, namespace: str = "/", auth: Any = None) -> str:
        """Join a namespace; the id there."""
        prefix = "" if namespace == "/" else f"{namespace},"
        self.send(f"40{prefix}{'' if auth is None else json.dumps(auth)}")
        reply = self.read()
        assert isinstance(reply, str)
        assert reply.startswith(f"40{prefix}")
        said = json.loads(reply.removeprefix(f"40{prefix}"))
        assert list(said) == ["sid"]
        return str(said["sid"])

    def exchange(self, *texts: str | bytes) -> str | bytes:
        self.send(*texts)
        return self.read()


@pytest.mark.parametrize("name", NAMES)
def test_an_application_takes_its_options_and_ends_on_sigterm(name: str) -> None:
    server = application(name, "--ping-interval", "1234", "--ping-timeout", "567")
    try:
        if name in OPEN_NUMBERS:
            status, _, body = request(server, path_of(name), "")
            assert status == 200
            said = opening(body)
            assert (said["pingInterval"], said["pingTimeout"]) == (1234, 567)
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("name", OPEN_NUMBERS)
def test_an_application_opens_with_its_own_numbers_on_both_transports(
    applications: Applications, name: str
) -> None:
    server, path = applications[name], path_of(name)
    status, headers, body = request(server, path, "", headers={"Origin": "http://of.anybody"})
    assert status == 200
    assert headers["Access-Control-Allow-Origin"] == "*"
    said = opening(body)
    keys = ("pingInterval", "pingTimeout", "maxPayload")
    assert tuple(said[key] for key in keys) == OPEN_NUMBERS[name]
    assert said["upgrades"] == ["websocket"]
    with Peer(server, path) as peer:
        assert tuple(peer.opening[key] for key in keys) == OPEN_NUMBERS[name]
        assert peer.opening["upgrades"] == []


@pytest.mark.parametrize("name", OPEN_NUMBERS)
def test_an_application_listens_on_ipv6_too(applications: Applications, name: str) -> None:
    port = urlsplit(applications[name].url).port
    connection = http.client.HTTPConnection("::1", port, timeout=LIMIT_S)
    connection.request("GET", f"{path_of(name)}?EIO=4&transport=polling")
    assert connection.getresponse().status == 200
    connection.close()


class TestEngineEcho:
    """engine_echo."""

    PATH: ClassVar = "/engine.io/"

    def test_polling_echoes_text_and_bytes_and_sets_no_cookie(
        self, applications: Applications
    ) -> None:
        server = applications["engine_echo"]
        _, headers, body = request(server, self.PATH, "")
        assert "Set-Cookie" not in headers
        assert b"\x1e" not in body  # no first message of its own
        sid = f"&sid={opening(body)['sid']}"
        assert request(server, self.PATH, sid, b"4hello\x1ebAQID\x1e4")[2] == b"ok"
        assert without_pings(request(server, self.PATH, sid)[2]) == b"4hello\x1ebAQID\x1e4"

    def test_a_websocket_echoes_text_and_bytes(self, applications: Applications) -> None:
        with Peer(applications["engine_echo"], self.PATH) as peer:
            assert peer.exchange("4hello") == "4hello"
            assert peer.exchange(b"\1\2\3") == b"\1\2\3"
            assert peer.exchange("4") == "4"

    def test_version_3_is_not_spoken(self, applications: Applications) -> None:
        server = applications["engine_echo"]
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=LIMIT_S)
        connection.request("GET", "/engine.io/?EIO=3&transport=polling")
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())["code"]) == (400, 5)
        connection.close()


class TestSocketioApp:
    """socketio_app."""

    PATH: ClassVar = "/socket.io/"

    def peer(self, applications: Applications) -> Peer:
        return Peer(applications["socketio_app"], self.PATH)

    def test_a_namespace_is_joined_and_told_what_connect_carried(
        self, applications: Applications
    ) -> None:
        with self.peer(applications) as peer:
            assert peer.join() != peer.opening["sid"]
            assert peer.read() == '42["auth",{}]'
            peer.join("/custom", {"token": "é"})
            assert peer.read() == '42/custom,["auth",{"token":"é"}]'

    def test_only_two_namespaces_exist(self, applications: Applications) -> None:
        with self.peer(applications) as peer:
            assert peer.exchange("40/random") == '44/random,{"message":"Invalid namespace"}'

    def test_messages_come_back_and_are_acknowledged(self, applications: Applications) -> None:
        with self.peer(applications) as peer:
            peer.join()
            peer.read()
            assert peer.exchange('42["message",1,"2",{"3":[true]}]') == (
                '42["message-back",1,"2",{"3":[true]}]'
            )
            assert peer.exchange('42456["message-with-ack",1,"2"]') == '43456[1,"2"]'
            header = '452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
            assert peer.exchange(header, b"\1", b"") == header.replace("message", "message-back")
            assert (peer.read(), peer.read()) == (b"\1", b"")
            header = '461-7[{"_placeholder":true,"num":0}]'
            asked = '451-7["message-with-ack",{"_placeholder":true,"num":0}]'
            assert peer.exchange(asked, b"\2") == header
            assert peer.read() == b"\2"

    def test_in_custom_nothing_is_answered(self, applications: Applications) -> None:
        with self.peer(applications) as peer:
            peer.join("/custom")
            assert peer.read() == '42/custom,["auth",{}]'
            peer.send('42/custom,["message",1]', '42/custom,1["message-with-ack",1]')
            assert peer.exchange("40").startswith("40{")  # the next to come

    def test_who_joins_nothing_is_closed_after_a_second(self, applications: Applications) -> None:
        with self.peer(applications) as silent, self.peer(applications) as refused:
            assert refused.exchange("40/random").startswith("44/random,")
            # Together, as both must answer pings until their end.
            with ThreadPoolExecutor() as threads:
                assert list(threads.map(Peer.close_code, (silent, refused))) == [None, None]


class TestSocketioClientApp:
    """socketio_client_app."""

    PATH: ClassVar = "/socket.io/"
    INSTANT: ClassVar = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

    @pytest.fixture
    def peer(self, applications: Applications) -> Iterator[Peer]:
        with Peer(applications["socketio_client_app"], self.PATH) as peer:
            peer.join()
            yield peer

    def test_the_main_namespace_is_refused_where_the_url_says_fail(
        self, applications: Applications
    ) -> None:
        with Peer(applications["socketio_client_app"], self.PATH, "&fail=true") as peer:
            assert peer.exchange("40") == '44{"message":"Auth failed (main namespace)"}'
            peer.join("/foo")

    def test_namespaces_are_open_refused_or_unknown(self, peer: Peer) -> None:
        for namespace in ("/foo", "/timeout_socket", "/valid", "/asd"):
            peer.join(namespace)
        assert peer.exchange("40/no") == '44/no,{"message":"Auth failed (custom namespace)"}'
        assert peer.exchange("40/other") == '44/other,{"message":"Invalid namespace"}'

    @pytest.mark.parametrize(
        ("sent", "answer"),
        [
            ('42["hi"]', '42["hi"]'),
            ('421["echo",{"a":"é"}]', '431[{"a":"é"}]'),
            ('42["false"]', '42["false",false]'),
        ],
    )
    def test_an_event_is_answered_by_another(self, peer: Peer, sent: str, answer: str) -> None:
        assert peer.exchange(sent) == answer

    def test_the_server_asks_and_is_answered(self, peer: Peer) -> None:
        question = peer.exchange('42["ack"]')
        assert isinstance(question, str)
        asked = re.fullmatch(r'42(\d+)\["ack"\]', question)
        assert asked is not None
        assert peer.exchange(f'43{asked[1]}[5,{{"test":true}}]') == '42["got it"]'

    def test_dates_travel_as_iso_text(self, peer: Peer) -> None:
        for sent, pattern in (
            ('428["getAckDate",{"test":true}]', rf'438\["({self.INSTANT})"\]'),
            ('42["getDate"]', rf'42\["takeDate","({self.INSTANT})"\]'),
            ('42["getDateObj"]', rf'42\["takeDateObj",{{"date":"({self.INSTANT})"}}\]'),
        ):
            answer = peer.exchange(sent)
            assert isinstance(answer, str)
            said = re.fullmatch(pattern, answer)
            assert said is not None, answer
            datetime.fromisoformat(said[1])

    def test_five_lines_of_utf8_come_in_order(self, peer: Peer) -> None:
        peer.send('42["getUtf8"]')
        lines = ("てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string")
        for line in lines:
            assert peer.read() == f'42["takeUtf8","{line}"]'

    @pytest.mark.parametrize(("asks", "event"), [("doge", "doge"), ("getbin", "takebin")])
    def test_bytes_are_given(self, peer: Peer, asks: str, event: str) -> None:
        answer = peer.exchange(f'42["{asks}"]')
        assert answer == f'451-["{event}",{{"_placeholder":true,"num":0}}]'
        assert peer.read() == b"asdfasdf"

    def test_bytes_are_taken_in_their_order(self, peer: Peer) -> None:
        place = '{"_placeholder":true,"num":0}'
        assert peer.exchange(f'451-["buffa",{place}]', b"\0") == '42["buffack"]'
        whole = f'{{"hello":"lol","message":{place},"goodbye":"gotcha"}}'
        assert peer.exchange(f'451-["jsonbuff",{whole}]', b"\0") == '42["jsonbuff-ack"]'
        peer.send('42["abuff2","too early"]')
        assert peer.exchange('42["hi"]') == '42["hi"]'
        assert peer.exchange(f'451-["abuff1",{place}]', b"\0", '42["abuff2","next"]') == (
            '42["abuff2-ack"]'
        )

    def test_the_handshake_is_told_with_its_query_and_auth(
        self, applications: Applications
    ) -> None:
        server = applications["socketio_client_app"]
        with Peer(server, self.PATH, "&key=%26%3D%C3%A9&b=c") as peer:
            peer.join("/", {"token": 1})
            answer = peer.exchange('420["getHandshake"]')
            assert isinstance(answer, str)
            (handshake,) = json.loads(answer.removeprefix("430"))
            assert handshake["query"] == {
                "EIO": "4",
                "transport": "websocket",
                "key": "&=é",
                "b": "c",
            }
            assert handshake["auth"] == {"token": 1}
            peer.join("/abc", {"token": 2})
            told = peer.read()
            assert isinstance(told, str)
            name, handshake = json.loads(told.removeprefix("42/abc,"))
            assert (name, handshake["auth"]) == ("handshake", {"token": 2})

    def test_ids_are_told_in_both_namespaces(self, peer: Peer) -> None:
        other = peer.join("/foo")
        assert peer.exchange('42/foo,0["getId"]') == f'43/foo,0["{other}"]'
        answer = peer.exchange('421["getId"]')
        assert isinstance(answer, str)
        (sid,) = json.loads(answer.removeprefix("431"))
        assert sid not in (other, peer.opening["sid"])


class TestEngineClientApp:
    """engine_client_app."""

    PATH: ClassVar = "/engine.io/"

    def test_who_is_marked_is_refused_on_both_transports(self, applications: Applications) -> None:
        server = applications["engine_client_app"]
        status, _, body = request(server, self.PATH, "&deny=1")
        assert (status, json.loads(body)) == (403, {"code": 4, "message": "Forbidden"})
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=LIMIT_S)
        target = f"{self.PATH}?EIO=4&transport=websocket&deny=1"
        connection.request("GET", target, headers=UPGRADE_HEADERS)
        assert connection.getresponse().status in (400, 403)
        connection.close()

    def test_cookies_come_with_the_first_polling_response_only(
        self, applications: Applications
    ) -> None:
        server = applications["engine_client_app"]
        _, headers, body = request(server, self.PATH, "")
        *three, fourth = headers.get_all("Set-Cookie", [])
        assert three == [
            "1=1; Max-Age=86400",
            "2=2; Path=/; HttpOnly; Secure; SameSite=Strict",
            "3=3; Max-Age=0",
        ]
        assert parsedate_to_datetime(fourth.removeprefix("4=4; Expires=")).year >= 2024
        sid = f"&sid={opening(body)['sid']}"
        for answer in (request(server, self.PATH, sid), request(server, self.PATH, sid, b"4x")):
            assert answer[0] == 200
            assert "Set-Cookie" not in answer[1]

    def test_a_socket_is_greeted_echoed_and_given_what_it_asks_for(
        self, applications: Applications
    ) -> None:
        with Peer(applications["engine_client_app"], self.PATH) as peer:
            assert peer.read() == "4hi"
            assert peer.exchange("4some text") == "4some text"
            assert peer.exchange(b"\7") == b"\7"
            assert peer.exchange("4give binary") == bytes(range(5))
            assert peer.exchange("4give utf8") == "4пойду спать всем спокойной ночи"

    def test_the_headers_of_the_current_post_are_told(self, applications: Applications) -> None:
        server = applications["engine_client_app"]
        sid = f"&sid={opening(request(server, self.PATH, '')[2])['sid']}"
        greeting = without_pings(request(server, self.PATH, sid)[2])
        assert greeting == b"4hi"
        request(server, self.PATH, sid, b"4sendHeaders", {"X-Mark": "of this post"})
        told = without_pings(request(server, self.PATH, sid)[2])
        assert len(told) > 100  # the limit is one of what comes in
        assert json.loads(told[1:])["x-mark"] == "of this post"

    def test_more_than_100_bytes_are_too_many_on_both_transports(
        self, applications: Applications
    ) -> None:
        server = applications["engine_client_app"]
        sid = f"&sid={opening(request(server, self.PATH, '')[2])['sid']}"
        assert request(server, self.PATH, sid, b"4" + b"x" * 99)[2] == b"ok"
        status, _, body = request(server, self.PATH, sid, b"4" + b"x" * 100)
        assert (status, body) == (413, b"")
        with Peer(server, self.PATH) as peer:
            assert peer.read() == "4hi"
            assert peer.exchange("4" + "x" * 99) == "4" + "x" * 99
            peer.send("4" + "x" * 100)
            assert peer.close_code() == 1009

    def test_an_unknown_session_is_refused(self, applications: Applications) -> None:
        status, _, body = request(applications["engine_client_app"], self.PATH, "&sid=nobody")
        assert (status, json.loads(body)["code"]) == (400, 1)


def test_the_websocket_echo_echoes_on_any_path_even_what_is_large(
    applications: Applications,
) -> None:
    address = applications["websocket_echo"].url.replace("http:", "ws:")
    echo = websocket.create_connection(f"{address}/any/path?at=all", timeout=LIMIT_S)
    for message in ("text é", "", "x" * 65_536, "y" * 2_000_000):
        echo.send(message)
        assert echo.recv() == message
    for message in (b"\0\xff", b"", b"z" * 2_000_000):
        echo.send_binary(message)
        assert echo.recv() == message
    echo.send_close()
    opcode, content = echo.recv_data(control_frame=True)
    assert (opcode, content) == (websocket.ABNF.OPCODE_CLOSE, b"\x03\xe8")
    echo.shutdown()
