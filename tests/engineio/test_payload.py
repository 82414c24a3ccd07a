import time
import tracemalloc

from hypothesis import example, given
from hypothesis import strategies as st

from chatd.engineio.packet import Packet, PacketType, ProtocolError, encode_binary
from chatd.engineio.payload import decode_payload, encode_payload
from tests.engineio.writing import encode_text
from tests.rows import rows

PONG = Packet(PacketType.PONG)

EVENT = (
    b'453-["bin",{"a":[{"_placeholder":true,"num":0}],"b":{"c":{"_placeholder":true,"num":1}}},'
    b'"x",{"_placeholder":true,"num":2}]'
)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x1e"))
packets = st.builds(Packet, st.sampled_from(PacketType), texts) | st.builds(
    Packet, st.just(PacketType.MESSAGE), st.binary()
)


def read(body: bytes) -> tuple[list[Packet], str | None]:
    """All that a session would see of a body: its packets, and the breach that ended it."""
    seen: list[Packet] = []
    try:
        for packet in decode_payload(body):
            seen.append(packet)
    except ProtocolError as breach:
        return seen, str(breach)
    return seen, None


def as_queued(packet: Packet) -> bytes:
    return encode_text(packet).encode()


@rows(
    ("queued", "body"),
    [
        ([b"3"], b"3"),
        ([b"4hello", b"4"], b"4hello\x1e4"),
        (["4€".encode(), "4ä".encode()], "4€\x1e4ä".encode()),
        ([encode_binary(b"\x01\x02\x03")], b"bAQID"),
        ([EVENT, *map(encode_binary, (b"\1\2\3", b"", b"hi"))], EVENT + b"\x1ebAQID\x1eb\x1ebaGk="),
        ([b"6", b"1"], b"6\x1e1"),
    ],
)
def test_packets_and_their_payload_are_the_same_thing(queued: list[bytes], body: bytes) -> None:
    assert encode_payload(queued) == body
    seen, breach = read(body)
    assert breach is None
    assert [as_queued(packet) for packet in seen] == queued


@rows(
    ("body", "before"),
    [
        (b"", []),
        (b"\x1e", []),
        (b"\x1e3", []),
        (b"abc", []),
        (b"3\x1e", [PONG]),
        (b"3\x1e9", [PONG]),
        (b"3\x1e\x1e3", [PONG]),
        (b"3\x1e4\xff\x1e3", [PONG]),
        (b"3\x1e4\xe2\x82", [PONG]),
        (b"3\x1e4\xed\xa0\x80", [PONG]),
        (b"3\x1e4\xc0\x80", [PONG]),
        (b"3\x1ebAQ\x1e3", [PONG]),
        (b"3\x1e\xef\xbb\xbf3", [PONG]),
    ],
)
def test_a_broken_packet_is_a_breach_and_those_before_it_are_seen(
    body: bytes, before: list[Packet]
) -> None:
    seen, breach = read(body)
    assert seen == before
    assert breach is not None


def test_what_follows_a_close_need_not_be_read() -> None:
    payload = decode_payload(b"1\x1egarbage")
    assert next(payload) == Packet(PacketType.CLOSE)
    payload.close()  # type: ignore[attr-defined]


@given(st.lists(packets, min_size=1))
def test_a_payload_arrives_as_it_was_sent(sent: list[Packet]) -> None:
    seen, breach = read(encode_payload([as_queued(packet) for packet in sent]))
    assert breach is None
    assert seen == sent


@given(st.binary() | st.text(alphabet="0123456789b\x1eAQ=é").map(str.encode))
@example(b"b\x1e\xff")
def test_any_body_is_packets_or_a_breach(body: bytes) -> None:
    seen, breach = read(body)
    assert breach is not None or len(seen) == body.count(b"\x1e") + 1


def test_a_body_of_a_million_packets_costs_little_time_and_no_memory() -> None:
    body = b"\x1e".join([b"3"] * 500_000)
    started = time.process_time()
    assert sum(1 for _ in decode_payload(body)) == 500_000
    assert time.process_time() - started < 10  # a quadratic reader takes minutes
    payload = decode_payload(body)
    tracemalloc.start()
    try:
        for _ in range(10_000):
            next(payload)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 10_000
