import time
import tracemalloc
from collections import deque

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatd.engineio import (
    MAX_PACKETS_PER_RESPONSE,
    Packet,
    PacketType,
    ProtocolError,
    decode_payload,
    encode_payload,
    encode_text,
    take_batch,
)

PONG = Packet(PacketType.PONG)

EVENT = (
    '453-["bin",{"a":[{"_placeholder":true,"num":0}],"b":{"c":{"_placeholder":true,"num":1}}},'
    '"x",{"_placeholder":true,"num":2}]'
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


def as_queued(packet: Packet) -> str | bytes:
    return packet.data if isinstance(packet.data, bytes) else encode_text(packet)


@pytest.mark.parametrize(
    ("queued", "body"),
    [
        (["3"], b"3"),
        (["4hello", "4"], b"4hello\x1e4"),
        (["4€", "4ä"], "4€\x1e4ä".encode()),
        ([b"\x01\x02\x03"], b"bAQID"),
        ([EVENT, b"\x01\x02\x03", b"", b"hi"], EVENT.encode() + b"\x1ebAQID\x1eb\x1ebaGk="),
        (["6", "1"], b"6\x1e1"),
    ],
)
def test_packets_and_their_payload_are_the_same_thing(
    queued: list[str | bytes], body: bytes
) -> None:
    assert encode_payload(queued) == body
    seen, breach = read(body)
    assert breach is None
    assert [as_queued(packet) for packet in seen] == queued


@pytest.mark.parametrize(
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


def test_a_response_has_at_most_sixteen_packets() -> None:
    assert MAX_PACKETS_PER_RESPONSE == 16
    queue: deque[str | bytes] = deque(["4x", b"x"] * 10)
    assert take_batch(queue, max_bytes=1_000_000) == 16


@pytest.mark.parametrize(
    ("queue", "max_bytes", "count"),
    [
        ([], 100, 0),
        (["4abc"], 4, 1),
        (["4abc", "4"], 5, 1),
        (["4abc", "4"], 6, 2),
        (["4" + "x" * 1000, "4"], 100, 1),
        (["4ä"], 1, 1),
        (["4", "4ä"], 4, 1),
        (["4", "4ä"], 5, 2),
        (["4", b"hi"], 6, 1),
        (["4", b"hi"], 7, 2),
        (["4", b""], 3, 2),
    ],
)
def test_a_response_stays_within_max_payload_but_is_never_empty(
    queue: list[str | bytes], max_bytes: int, count: int
) -> None:
    assert take_batch(queue, max_bytes=max_bytes) == count


@given(st.lists(packets.map(as_queued)), st.integers(0, 200), st.integers(1, 20))
def test_a_batch_is_the_longest_that_fits(
    queue: list[str | bytes], max_bytes: int, max_packets: int
) -> None:
    count = take_batch(queue, max_bytes=max_bytes, max_packets=max_packets)
    assert (count > 0) == bool(queue)
    assert count <= max_packets
    assert count <= 1 or len(encode_payload(queue[:count])) <= max_bytes
    if count < min(len(queue), max_packets):
        assert len(encode_payload(queue[: count + 1])) > max_bytes
