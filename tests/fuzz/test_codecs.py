"""Each codec under bytes that are nearly right: its own error is all that it may raise.

`pytest tests/fuzz --fuzz-seconds 600` looks longer.
"""

import contextlib
import json
import random
from collections.abc import Sequence

import attrs
import pytest

from chatd.engineio.handshake import parse_query
from chatd.engineio.packet import ProtocolError as EngineIOError
from chatd.engineio.packet import decode_text
from chatd.engineio.payload import decode_payload
from chatd.net.addresses import LOCAL, as_network, counted_as, spelled
from chatd.net.http.arrival import FORWARDING, ProxyHeaders, arrival_of
from chatd.net.http.reader import BadRequestError, RequestReader
from chatd.net.proxy_protocol import BLOCK_BYTES_MAX, ProxyHeaderError, ProxyHeaderReader
from chatd.socketio.decoder import Decoder as PacketDecoder
from chatd.socketio.encoder import encode as encode_packet
from chatd.socketio.jsontext import loads
from chatd.socketio.namespaces import ConnectRequested, Namespaces
from chatd.socketio.packet import Event
from chatd.socketio.packet import ProtocolError as SocketIOError
from chatd.websocket.decoder import Decoder as FrameDecoder
from chatd.websocket.decoder import unmask
from chatd.websocket.frames import ProtocolError as WebSocketError
from chatd.wire.acks import RefusedAck
from chatd.wire.codes import Code, Refusal
from chatd.wire.converter import context_json, structure
from chatd.wire.encoder import encode
from chatd.wire.payloads import (
    AuthRefresh,
    ChatAck,
    ChatMessage,
    ConnectionJoin,
    ConnectionLeave,
    HistoryGet,
)
from tests.engineio.writing import encode_text
from tests.fuzz.mutation import Target, pieces, run
from tests.net.test_proxy_protocol import HEADERS

MAX_MESSAGE_BYTES = 4096
MAX_HEAD_BYTES = 2048
MAX_BODY_BYTES = 4096
ENOUGH_TURNS = 500
"""In a second; fewer would mean that a target has become too slow to be worth running."""


def masked(first: int, payload: bytes, key: bytes = b"\x37\xfa\x21\x3d") -> bytes:
    """A client's frame."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65_536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes([first]) + length + key + unmask(payload, key)


FRAMES = [
    masked(0x81, '42["message","Grüße 😀"]'.encode()),
    masked(0x82, bytes(range(256))),
    masked(0x01, "é".encode()[:1]) + masked(0x89, b"ping") + masked(0x80, "é".encode()[1:]),
    masked(0x02, b"a") + masked(0x00, b"b") + masked(0x80, b""),
    masked(0x8A, b"") + masked(0x81, b"3"),
    masked(0x88, b"\x03\xe8bye"),
    masked(0x88, b""),
    masked(0x81, b"x" * 126) * 3,
    masked(0x81, b"x" * MAX_MESSAGE_BYTES),
    masked(0x82, b"x" * (MAX_MESSAGE_BYTES + 1)),
    masked(0x81, b"x" * 70_000),
]

PAYLOADS = [
    b"40",
    b'42["message",1]\x1e3\x1e42["x"]',
    b'451-["m",{"_placeholder":true,"num":0}]\x1ebAQID\x1eb',
    "4Grüße 😀\x1e2probe\x1e5\x1e6\x1e1".encode(),
    b'0{"sid":"x","upgrades":[],"pingInterval":25000}',
]

PACKETS = [
    "0",
    '0{"token":"é"}',
    '0/custom,{"a":[1,{"b":null}]}',
    "1",
    "1/custom,",
    '2["message",1,-2.5,null,true,"é😀\\u0000",{"a":[{}]}]',
    '217["message-with-ack","x"]',
    '2/custom,3["e"]',
    "30[]",
    '3/custom,1[{"x":1}]',
    '51-["b",{"_placeholder":true,"num":0}]',
    '52-/custom,4["b",{"_placeholder":true,"num":1},[{"_placeholder":true,"num":0}]]',
    '61-0[{"_placeholder":true,"num":0}]',
    '510-["b",' + ",".join(f'{{"_placeholder":true,"num":{n}}}' for n in range(10)) + "]",
    '4{"message":"no"}',
]

CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
    b"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\nOrigin: http://localhost\r\n\r\n"
)
REQUESTS = [
    b"GET /socket.io/?EIO=4&transport=polling&t=abc HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
    b"POST /socket.io/?EIO=4&sid=x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n42[1]",
    CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
    CHUNKED + b"1\r\na\r\n0\r\nX: y\r\n\r\n" + GET,
    GET * 3,
    UPGRADE + masked(0x81, b"2probe"),
    b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
    b"GET http://h/a?b#c HTTP/1.1\r\nHost: h\r\nAccept: a\r\nAccept: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n",
]

QUERIES = [
    b"EIO=4&transport=polling&t=abc&sid=xyz",
    b"transport=websocket&EIO=4&key=%26%3D%C3%A9&key=again&empty=&alone",
]

EVENTS = [
    json.dumps(event).encode()
    for event in (
        {
            "messageId": "9f1c2a52-6a3e-4d5c-8f5e-0d5d3f1a2b3c",
            "content": "Grüße <b>&",
            "connectionId": "db-1",
            "threadId": None,
            "context": {
                "schema": "public",
                "tables": ["a", "b"],
                "config": {"readOnly": True, "dryRun": False},
            },
        },
        {"messageId": "m", "upTo": True},
        {"connectionId": "db-1", "after": 3, "before": 9, "limit": 50, "sinceMs": 0},
        {"token": "a.b.c"},
    )
]
KINDS = (ChatMessage, ChatAck, ConnectionJoin, ConnectionLeave, HistoryGet, AuthRefresh)


def websocket_target(data: bytes, chance: random.Random) -> None:
    decoder = FrameDecoder(MAX_MESSAGE_BYTES)
    with contextlib.suppress(WebSocketError):
        for piece in pieces(data, chance):
            decoder.receive(piece)
            while (event := decoder.next_event()) is not None:
                if isinstance(event, str):
                    assert len(event.encode()) <= MAX_MESSAGE_BYTES
                elif isinstance(event, bytes):
                    assert len(event) <= MAX_MESSAGE_BYTES


def engineio_target(data: bytes, chance: random.Random) -> None:
    with contextlib.suppress(EngineIOError):
        for packet in decode_payload(data):
            assert decode_text(encode_text(packet)) == packet
    text = data.decode(errors="surrogateescape")
    with contextlib.suppress(EngineIOError):
        decode_text(text)
    parse_query(data)


def socketio_target(data: bytes, chance: random.Random) -> None:
    """A line is a text message or, where it begins with a zero byte, a binary one."""
    decoder = PacketDecoder(max_attachment_bytes=MAX_MESSAGE_BYTES)
    namespaces = Namespaces()
    with contextlib.suppress(SocketIOError):
        for line in data.split(b"\n"):
            if line.startswith(b"\0"):
                packet = decoder.receive_binary(line)
            else:
                packet = decoder.receive_text(line.decode(errors="replace"))
            if packet is None:
                continue
            match namespaces.receive(packet):
                case ConnectRequested(namespace):
                    if chance.randrange(4):
                        namespaces.accept(namespace, "sid")
                        namespaces.register_ack(namespace, lambda args: None)
                    else:
                        namespaces.refuse(namespace, "no", {"a": 1})
                case Event() as event:
                    encode_packet(event)  # what was taken can be sent on
                case _:
                    pass


def request_target(data: bytes, chance: random.Random) -> None:
    reader = RequestReader(MAX_HEAD_BYTES)
    head = None
    with contextlib.suppress(BadRequestError):
        for piece in pieces(data, chance):
            reader.feed(piece)
            while True:
                if head is None:
                    head = reader.head()
                if head is None:
                    break
                assert head.declared_length >= 0
                assert isinstance(head.expects_continue, bool)
                body = reader.body(MAX_BODY_BYTES)
                if body is None:
                    break
                assert len(body) <= MAX_BODY_BYTES
                head = None


def wire_target(data: bytes, chance: random.Random) -> None:
    """What Socket.IO's own JSON lets through, and beside it values of other shapes."""
    try:
        value = loads(data.decode(errors="replace"))
    except SocketIOError:
        value = json.loads(chance.choice(EVENTS))
        spoilt = chance.choice([*value])
        odd = [None, -1, 2**60, 1.5, "\ud800", [], {}, [[]], b"\0", True, [1] * 200, {"config": 1}]
        value[spoilt] = chance.choice(odd)
    for kind in KINDS:
        result = structure(value, kind)
        if isinstance(result, Refusal):
            assert result.code is Code.INVALID_PAYLOAD
            encode(RefusedAck.of(result))
        else:
            json.dumps(attrs.asdict(result)).encode()
            if isinstance(result, ChatMessage) and result.context is not None:
                context_json(result.context)


def proxy_target(data: bytes, chance: random.Random) -> None:
    reader, fed = ProxyHeaderReader(), 0
    with contextlib.suppress(ProxyHeaderError):
        for piece in pieces(data, chance):
            fed += len(piece)
            header = reader.feed(piece)
            if header is not None:
                assert data[:fed].endswith(header.rest)
                assert header.address is None or counted_as(header.address)
                return
            assert len(reader._seen) < 16 + BLOCK_BYTES_MAX


OURS = tuple(map(as_network, ("10.0.0.0/8", "unix:")))
FORWARDED = [
    b'for="[2001:db8::1]:443";proto=https;by=10.0.0.1, for=10.2.3.4:_hidden;host="a.example:1"',
    b"203.0.113.9:50123, [::ffff:10.1.2.3]:80, unix:, 10.0.0.2",
    b'for=unknown, for=_x;host=a, for="a\\"b, c"',
]


def arrival_target(data: bytes, chance: random.Random) -> None:
    names = chance.sample(sorted(FORWARDING), chance.randint(1, 3))
    peer = chance.choice(("10.0.0.1", LOCAL))
    headers = {b"host": b"inside", **dict.fromkeys(names, data)}
    arrival = arrival_of(headers, peer, OURS, chance.choice(list(ProxyHeaders)))
    assert counted_as(arrival.address)
    assert arrival.address == LOCAL or spelled(arrival.address) == arrival.address


SESSIONS = [
    *(packet.encode() for packet in PACKETS),
    *(f"0\n0/custom,\n{packet}\n\0one\n\0two".encode() for packet in PACKETS),
]


@pytest.mark.parametrize(
    ("target", "corpus"),
    [
        pytest.param(websocket_target, FRAMES, id="websocket"),
        pytest.param(engineio_target, [*PAYLOADS, *QUERIES], id="engineio"),
        pytest.param(socketio_target, SESSIONS, id="socketio"),
        pytest.param(request_target, REQUESTS, id="requests"),
        pytest.param(proxy_target, [header for header, _ in HEADERS], id="proxy headers"),
        pytest.param(arrival_target, FORWARDED, id="headers of proxies"),
        pytest.param(wire_target, EVENTS, id="wire"),
    ],
)
def test_a_codec_raises_nothing_but_its_own_error_and_holds_its_bounds(
    target: Target, corpus: Sequence[bytes], fuzz_seconds: float
) -> None:
    assert run(target, corpus, fuzz_seconds) >= ENOUGH_TURNS * min(1.0, fuzz_seconds)
