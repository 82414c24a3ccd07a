"""One table of (packet, wire), run through the encoder and the decoder."""

from __future__ import annotations

import pytest

from chatd.socketio.decoder import Decoder
from chatd.socketio.encoder import Encoded, encode
from chatd.socketio.packet import (
    MAX_ATTACHMENTS,
    Ack,
    Connect,
    ConnectError,
    Disconnect,
    Event,
    Packet,
)
from tests.rows import rows

PLACE_0 = '{"_placeholder":true,"num":0}'
PLACE_1 = '{"_placeholder":true,"num":1}'
PLACE_2 = '{"_placeholder":true,"num":2}'

VECTORS: list[tuple[Packet, str, tuple[bytes, ...]]] = [
    (Connect("/"), "0", ()),
    (Connect("/", {}), "0{}", ()),
    (Connect("/", {"sid": "X"}), '0{"sid":"X"}', ()),
    (Connect("/custom"), "0/custom,", ()),
    (Connect("/custom", {"token": "a,b"}), '0/custom,{"token":"a,b"}', ()),
    (Connect("/custom?token=abc"), "0/custom?token=abc,", ()),
    (Connect("/Ünïcode"), "0/Ünïcode,", ()),
    (Disconnect("/"), "1", ()),
    (Disconnect("/custom"), "1/custom,", ()),
    (Event("/", ["m"]), '2["m"]', ()),
    (Event("/", ["m", 1, {"a": [None, True]}]), '2["m",1,{"a":[null,true]}]', ()),
    (Event("/", [""]), '2[""]', ()),
    (Event("/", [1, "x"]), '2[1,"x"]', ()),
    (Event("/", [1.5]), "2[1.5]", ()),
    (Event("/", ["e"], 0), '20["e"]', ()),
    (Event("/", ["e"], 17), '217["e"]', ()),
    (Event("/", ["e"], 2**53), '29007199254740992["e"]', ()),
    (Event("/custom", ["e"]), '2/custom,["e"]', ()),
    (Event("/custom", ["e"], 7), '2/custom,7["e"]', ()),
    (Event("/", ["пойду", "てすと 🙂"]), '2["пойду","てすと 🙂"]', ()),
    (Event("/", ["nul", "\0"]), '2["nul","\\u0000"]', ()),
    (Event("/", ["lone", "\ud83d"]), '2["lone","\\ud83d"]', ()),
    (
        Event("/", ["lone", "é\udc00", 2**64 - 1], 3),
        '23["lone","é\\udc00",18446744073709551615]',
        (),
    ),
    (Event("/", ["error"]), '2["error"]', ()),
    (Event("/", ["connection"]), '2["connection"]', ()),
    (Event("/", ["ping"]), '2["ping"]', ()),
    (Event("/", ["__proto__", {"constructor": 1}]), '2["__proto__",{"constructor":1}]', ()),
    (Ack("/", 5, []), "35[]", ()),
    (Ack("/", None, [1]), "3[1]", ()),
    (Ack("/custom", 12, ["a"]), '3/custom,12["a"]', ()),
    (ConnectError("/auth", {"message": "no"}), '4/auth,{"message":"no"}', ()),
    (ConnectError("/", "no"), '4"no"', ()),
    (Event("/", ["bin", b"\1\2"]), f'51-["bin",{PLACE_0}]', (b"\1\2",)),
    (
        Event("/", ["bin", {"a": [b"\1\2\3"], "b": {"c": b""}}, "x", b"hi"], 3),
        f'53-3["bin",{{"a":[{PLACE_0}],"b":{{"c":{PLACE_1}}}}},"x",{PLACE_2}]',
        (b"\1\2\3", b"", b"hi"),
    ),
    (Event("/custom", ["bin", b"a"], 1), f'51-/custom,1["bin",{PLACE_0}]', (b"a",)),
    (Event("/", ["bin", "\ud83d", b"a"]), f'51-["bin","\\ud83d",{PLACE_0}]', (b"a",)),
    (Event("/", ["bin", b"a", "\ud83d"]), f'51-["bin",{PLACE_0},"\\ud83d"]', (b"a",)),
    (Event("/", ["bin", b"a", b"a"]), f'52-["bin",{PLACE_0},{PLACE_1}]', (b"a", b"a")),
    (Ack("/", 9, [b"a"]), f"61-9[{PLACE_0}]", (b"a",)),
    (Ack("/custom", 0, [{"k": b"a"}]), f'61-/custom,0[{{"k":{PLACE_0}}}]', (b"a",)),
]


def decode(text: str, *attachments: bytes, from_server: bool = True) -> Packet | None:
    """Timeline one packet to a fresh decoder; whatever comes before the last attachment is None."""
    decoder = Decoder(from_server=from_server)
    packet = decoder.receive_text(text)
    for attachment in attachments:
        assert packet is None
        packet = decoder.receive_binary(attachment)
    return packet


@rows(("packet", "text", "attachments"), VECTORS)
def test_the_encoder_writes_the_vector(
    packet: Packet, text: str, attachments: tuple[bytes, ...]
) -> None:
    assert encode(packet) == Encoded(text.encode(), attachments)


@rows(("packet", "text", "attachments"), VECTORS)
def test_the_decoder_reads_the_vector(
    packet: Packet, text: str, attachments: tuple[bytes, ...]
) -> None:
    assert decode(text, *attachments) == packet


@rows(
    ("packet", "text"),
    [
        (packet, text)
        for packet, text, attachments in VECTORS
        if isinstance(packet, Event) and packet.namespace == "/" and not attachments
    ],
)
def test_the_fast_way_and_the_grammar_agree(packet: Event, text: str) -> None:
    # With its namespace written out, an event takes the way through the grammar.
    assert decode("2/," + text[1:]) == decode(text) == packet


def test_buffers_of_all_kinds_become_attachments() -> None:
    args = ["bin", bytearray(b"a"), memoryview(b"b"), (b"c",)]
    assert encode(Event("/", args)).attachments == (b"a", b"b", b"c")


def test_an_encoded_event_leaves_its_arguments_as_they_were() -> None:
    args = ["bin", {"a": [b"x"]}]
    encode(Event("/", args))
    assert args == ["bin", {"a": [b"x"]}]


def test_ten_attachments_are_encoded_and_eleven_are_not() -> None:
    assert len(encode(Event("/", ["m", *[b""] * MAX_ATTACHMENTS])).attachments) == MAX_ATTACHMENTS
    with pytest.raises(ValueError, match="at most 10 attachments"):
        encode(Event("/", ["m", *[b""] * (MAX_ATTACHMENTS + 1)]))


@rows("args", [[], ["disconnect"], [True], [None], [["m"]]])
def test_an_event_without_a_legal_name_is_not_encoded(args: list[object]) -> None:
    with pytest.raises(ValueError, match="needs a name"):
        encode(Event("/", args))


@rows("namespace", ["", "custom", "/a,b", "/\ud83d"])
def test_a_namespace_that_cannot_be_read_back_is_not_encoded(namespace: str) -> None:
    with pytest.raises(ValueError, match=r"namespace|surrogates"):
        encode(Disconnect(namespace))


@rows(
    "packet",
    [
        Connect("/", {"a": b""}),
        ConnectError("/", {"data": b""}),
        Event("/", ["m", object()]),
        Event("/", ["m", b"", {1, 2}]),
    ],
)
def test_what_json_has_no_form_for_is_a_type_error(packet: Packet) -> None:
    with pytest.raises(TypeError):
        encode(packet)
