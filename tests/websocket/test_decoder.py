"""The decoder: each rule of RFC 6455 with its bytes, and what must hold for any input."""

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatd.websocket.decoder import FRAGMENTS_PER_EVENT, Decoder, unmask
from chatd.websocket.frames import (
    Close,
    CloseCode,
    Event,
    Fragments,
    Opcode,
    Ping,
    Pong,
    ProtocolError,
    encode_binary,
    encode_text,
)
from tests.rows import rows
from tests.websocket.peers import KEY, drain, frame, held_bytes, is_over, more, outcome, text

LIMIT = 1 << 20
LONGEST_HEADER_BYTES = 14


def decode(*reads: bytes, limit: int = LIMIT, fragments: int = 1024) -> list[Event]:
    events, code = outcome(Decoder(limit, fragments), reads)
    assert code is None
    return events


VALID: dict[str, tuple[bytes, list[Event]]] = {
    "hello, RFC 6455 5.7": (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", ["Hello"]),
    "pong, RFC 6455 5.7": (b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", [Pong(b"Hello")]),
    "empty text": (b"\x81\x80\x37\xfa\x21\x3d", [""]),
    "empty binary": (b"\x82\x80\x37\xfa\x21\x3d", [b""]),
    "a key of zeros": (b"\x81\x82\x00\x00\x00\x00hi", ["hi"]),
    "binary that is no text": (frame(2, b"\xff\xfe"), [b"\xff\xfe"]),
    "text of all widths": (text("aé€😀"), ["aé€😀"]),
    "125 bytes": (text("x" * 125), ["x" * 125]),
    "126 bytes": (text("x" * 126), ["x" * 126]),
    "127 bytes": (text("x" * 127), ["x" * 127]),
    "65535 bytes": (text("x" * 65535), ["x" * 65535]),
    "65536 bytes": (text("x" * 65536), ["x" * 65536]),
    "ping": (frame(9, b"abc"), [Ping(b"abc")]),
    "ping of 125 bytes": (frame(9, bytes(125)), [Ping(bytes(125))]),
    "two frames": (text("a") + text("b"), ["a", "b"]),
    "fragments": (text("Hel", fin=False) + more("lo"), ["Hello"]),
    "binary fragments": (frame(2, b"\xff", fin=False) + more(b"\x00"), [b"\xff\x00"]),
    "empty fragments": (text("", fin=False) + more("", fin=False) + more(""), [""]),
    "a character across fragments": (
        text(b"\xf0\x9f", fin=False) + more(b"\x98", fin=False) + more(b"\x80!"),
        ["😀!"],
    ),
    "control frames between fragments": (
        text("a", fin=False) + frame(9, b"p") + more("b", fin=False) + frame(10) + more("c"),
        [Ping(b"p"), Pong(b""), "abc"],
    ),
    "a message after fragments": (text("a", fin=False) + more("b") + text("c"), ["ab", "c"]),
    "close without a code": (frame(8), [Close(None, "")]),
    "close with a code": (b"\x88\x82\x37\xfa\x21\x3d\x34\x12", [Close(1000, "")]),
    "close with a reason": (frame(8, b"\x0f\xa0by\xc3\xa9"), [Close(4000, "byé")]),
    "close within a message": (text("a", fin=False) + frame(8), [Close(None, "")]),
    "what follows a close": (frame(8) + text("a") + b"\xff\xff\xff", [Close(None, "")]),
}


@rows(("wire", "events"), VALID.values(), ids=VALID)
def test_valid_input_gives_its_events(wire: bytes, events: list[Event]) -> None:
    assert decode(wire) == events


@rows("code", [*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999])
def test_a_close_code_of_the_registry_or_of_applications_is_delivered(code: int) -> None:
    assert decode(frame(8, code.to_bytes(2, "big"))) == [Close(code, "")]


INVALID: dict[str, tuple[bytes, CloseCode]] = {
    "not masked": (b"\x81\x05Hello", CloseCode.PROTOCOL_ERROR),
    "a ping that is not masked": (b"\x89\x00", CloseCode.PROTOCOL_ERROR),
    **{
        f"RSV bits {rsv:03b}": (frame(1, b"a", rsv=rsv), CloseCode.PROTOCOL_ERROR)
        for rsv in range(1, 8)
    },
    **{
        f"opcode {opcode:#x}": (frame(opcode, b"a"), CloseCode.PROTOCOL_ERROR)
        for opcode in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF)
    },
    "a ping of 126 bytes": (frame(9, bytes(126)), CloseCode.PROTOCOL_ERROR),
    "a ping in fragments": (frame(9, b"a", fin=False), CloseCode.PROTOCOL_ERROR),
    "a close in fragments": (frame(8, fin=False), CloseCode.PROTOCOL_ERROR),
    "a continuation of nothing": (more("a"), CloseCode.PROTOCOL_ERROR),
    "a continuation after the end": (
        text("a", fin=False) + more("b") + more("c"),
        CloseCode.PROTOCOL_ERROR,
    ),
    "text within a message": (text("a", fin=False) + text("b"), CloseCode.PROTOCOL_ERROR),
    "binary within a message": (text("a", fin=False) + frame(2, b"b"), CloseCode.PROTOCOL_ERROR),
    "two bytes of length for 125": (
        frame(1, bytes(125), length_bytes=2),
        CloseCode.PROTOCOL_ERROR,
    ),
    "eight bytes of length for 65535": (
        frame(1, bytes(65535), length_bytes=8),
        CloseCode.PROTOCOL_ERROR,
    ),
    "the highest bit of a length": (b"\x82\xff\x80" + bytes(7), CloseCode.PROTOCOL_ERROR),
    "half a close code": (frame(8, b"\x03"), CloseCode.PROTOCOL_ERROR),
    **{
        f"close code {code}": (frame(8, code.to_bytes(2, "big")), CloseCode.PROTOCOL_ERROR)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
    "text that is not UTF-8": (text(b"a\xff"), CloseCode.INVALID_PAYLOAD),
    "200 bytes that are not UTF-8": (text(b"a" * 200 + b"\xff"), CloseCode.INVALID_PAYLOAD),
    "70000 bytes that are not UTF-8": (text(b"a" * 70000 + b"\xff"), CloseCode.INVALID_PAYLOAD),
    "a surrogate": (text(b"\xed\xa0\x80"), CloseCode.INVALID_PAYLOAD),
    "an overlong form": (text(b"\xc0\xaf"), CloseCode.INVALID_PAYLOAD),
    "beyond Unicode": (text(b"\xf4\x90\x80\x80"), CloseCode.INVALID_PAYLOAD),
    "half a character": (text(b"\xe2\x82"), CloseCode.INVALID_PAYLOAD),
    "half a character at the end of fragments": (
        text(b"\xe2", fin=False) + more(b"\x82"),
        CloseCode.INVALID_PAYLOAD,
    ),
    "a reason that is not UTF-8": (frame(8, b"\x03\xe8\xff"), CloseCode.INVALID_PAYLOAD),
}


@rows(("wire", "code"), INVALID.values(), ids=INVALID)
def test_a_breach_fails_with_its_close_code(wire: bytes, code: CloseCode) -> None:
    assert outcome(Decoder(LIMIT), [wire])[1] == code


@rows(("wire", "code"), INVALID.values(), ids=INVALID)
def test_messages_before_a_breach_are_delivered(wire: bytes, code: CloseCode) -> None:
    alone, _ = outcome(Decoder(LIMIT), [wire])
    assert outcome(Decoder(LIMIT), [text("before") + wire]) == (["before", *alone], code)


@rows(("wire", "code"), INVALID.values(), ids=INVALID)
def test_after_a_breach_there_is_silence_and_nothing_is_held(wire: bytes, code: CloseCode) -> None:
    decoder = Decoder(LIMIT)
    assert outcome(decoder, [wire + text("after")])[1] == code
    assert decoder.next_event() is None
    decoder.receive(text("later"))
    assert decoder.next_event() is None
    assert held_bytes(decoder) == 0


def test_after_a_close_there_is_silence_and_nothing_is_held() -> None:
    decoder = Decoder(LIMIT)
    decoder.receive(frame(8) + text("after"))
    assert decoder.next_event() == Close(None, "")
    decoder.receive(b"\x00\x00")
    assert decoder.next_event() is None
    assert held_bytes(decoder) == 0


SMALL = {
    name: (wire, outcome(Decoder(LIMIT), [wire]))
    for name, wire in {
        **{name: wire for name, (wire, _) in VALID.items()},
        **{name: wire for name, (wire, _) in INVALID.items()},
    }.items()
    if len(wire) < 300
}


@rows(("wire", "expected"), SMALL.values(), ids=SMALL)
def test_a_split_at_any_byte_changes_nothing(
    wire: bytes, expected: tuple[list[Event], int | None]
) -> None:
    for at in range(len(wire) + 1):
        assert outcome(Decoder(LIMIT), [wire[:at], wire[at:]]) == expected
    crumbs = [bytes([byte]) for byte in wire]
    assert outcome(Decoder(LIMIT), crumbs) == expected


@rows("size", [125, 126, 65535, 65536])
@rows("around", [-3, -2, -1, 0, 1, 2, 3])
def test_a_large_frame_is_taken_from_two_reads(size: int, around: int) -> None:
    wire = text("x" * size) + text("next")
    at = len(text("x" * size)) + around
    assert decode(wire[:at], wire[at:]) == ["x" * size, "next"]


# Limits


@rows("limit", [1, 5, 125, 126, 65535, 65536])
def test_a_message_of_exactly_the_limit_is_accepted_and_one_byte_more_is_1009(limit: int) -> None:
    assert decode(text("x" * limit), limit=limit) == ["x" * limit]
    assert outcome(Decoder(limit), [text("x" * (limit + 1))]) == ([], CloseCode.MESSAGE_TOO_BIG)


@rows(
    "header",
    [b"\x81\x8b", b"\x82\xfe\x01\x00", b"\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00"],
)
def test_a_message_over_the_limit_is_refused_from_its_header_alone(header: bytes) -> None:
    assert outcome(Decoder(10), [header]) == ([], CloseCode.MESSAGE_TOO_BIG)


def test_the_limit_is_for_the_fragments_in_total() -> None:
    begin = text("x" * 6, fin=False)
    assert decode(begin, more("y" * 4), limit=10) == ["xxxxxxyyyy"]
    assert outcome(Decoder(10), [begin, more("y" * 5)[:2]]) == ([], CloseCode.MESSAGE_TOO_BIG)


def test_each_message_has_the_whole_limit() -> None:
    wire = text("x" * 6, fin=False) + more("y" * 4)
    assert decode(wire * 3, limit=10) == ["xxxxxxyyyy"] * 3


def test_control_frames_do_not_count_for_the_limit() -> None:
    wire = text("xx", fin=False) + frame(9, bytes(125)) + more("")
    assert decode(wire, limit=2) == [Ping(bytes(125)), "xx"]


def test_one_fragment_more_than_allowed_is_1008() -> None:
    begin = text("", fin=False) + more("", fin=False)
    assert decode(begin + more("a"), fragments=3) == ["a"]
    too_many = begin + more("", fin=False) + more("a")
    assert outcome(Decoder(LIMIT, 3), [too_many]) == ([], CloseCode.POLICY_VIOLATION)
    assert decode((begin + more("a")) * 5, fragments=3) == ["a"] * 5


@rows(
    ("whole_so_far", "breaks"),
    [
        (b"ok ", b"\xff"),
        (b"ok \xc3", b"("),
        (b"ok \xe0", b"\x80"),  # an overlong form
        (b"ok \xed", b"\xa0"),  # on the way to a surrogate
        (b"ok \xf4", b"\x90"),  # on the way beyond Unicode
    ],
)
def test_text_fails_at_the_fragment_that_breaks_it(whole_so_far: bytes, breaks: bytes) -> None:
    decoder = Decoder(LIMIT)
    decoder.receive(text(whole_so_far, fin=False))
    assert decoder.next_event() is None
    decoder.receive(more(breaks, fin=False))
    with pytest.raises(ProtocolError, match="UTF-8") as caught:
        decoder.next_event()
    assert caught.value.code == CloseCode.INVALID_PAYLOAD


# Back-pressure, work and memory


def test_a_consumer_that_stops_asking_finds_the_rest_later() -> None:
    decoder = Decoder(LIMIT)
    decoder.receive(text("a") + text("b") + text("c")[:4])
    assert decoder.next_event() == "a"
    decoder.receive(text("c")[4:] + text("d"))
    decoder.receive(text("e")[:1])
    decoder.receive(text("e")[1:])
    assert list(drain(decoder)) == ["b", "c", "d", "e"]


def test_fragments_that_complete_nothing_are_told_of_a_few_at_a_time() -> None:
    decoder, told = Decoder(LIMIT), []
    crumbs = text("a", fin=False) + more("b", fin=False) * (FRAGMENTS_PER_EVENT * 3) + more("c")
    decoder.receive(crumbs * 2)
    while (event := decoder.next_event()) is not None:
        told.append(event)
    whole = "a" + "b" * (FRAGMENTS_PER_EVENT * 3) + "c"
    some = Fragments(FRAGMENTS_PER_EVENT)
    assert told == [some, some, some, whole] * 2


def test_fragments_count_across_the_messages_that_they_are_of() -> None:
    decoder = Decoder(LIMIT)
    decoder.receive((text("a", fin=False) + more("b")) * FRAGMENTS_PER_EVENT)
    told = [decoder.next_event() for _ in range(FRAGMENTS_PER_EVENT + 2)]
    assert told.count(Fragments(FRAGMENTS_PER_EVENT)) == 1
    assert told.count("ab") == FRAGMENTS_PER_EVENT
    assert told[-1] is None


def test_whole_messages_and_control_frames_are_no_fragments() -> None:
    decoder = Decoder(LIMIT)
    decoder.receive((text("a") + frame(Opcode.PING)) * 2 * FRAGMENTS_PER_EVENT)
    told = [decoder.next_event() for _ in range(4 * FRAGMENTS_PER_EVENT)]
    assert told == ["a", Ping(b"")] * 2 * FRAGMENTS_PER_EVENT


def test_an_empty_read_changes_nothing() -> None:
    assert decode(b"", text("a")[:3], b"", text("a")[3:], b"") == ["a"]


def test_a_large_frame_in_crumbs_is_collected_in_place() -> None:
    """Were it joined or looked at for each crumb, this would take hours, not a second."""
    wire = text("x" * LIMIT)
    decoder = Decoder(LIMIT)
    for at in range(len(wire) - 1):
        decoder.receive(wire[at : at + 1])
        assert decoder.next_event() is None
    decoder.receive(wire[-1:])
    assert decoder.next_event() == "x" * LIMIT
    assert held_bytes(decoder) == 0


def test_the_beginning_of_a_frame_does_not_keep_the_read_before_it_alive() -> None:
    for cut in (1, 3, 8):
        decoder = Decoder(LIMIT)
        decoder.receive(text("x" * 60) * 900 + text("y" * 60)[:cut])
        assert len(list(drain(decoder))) == 900
        assert held_bytes(decoder) == cut


def test_an_idle_decoder_is_small_even_after_a_large_message() -> None:
    decoders = [Decoder(LIMIT) for _ in range(100)]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        decoders += [Decoder(LIMIT) for _ in range(100)]
        for decoder in decoders[100:]:
            decoder.receive(text("x" * 3000, fin=False) + more("y" * 3000))
            assert decoder.next_event() is not None
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / 100 < 300


# What must hold for any input


def cut(wire: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(wire) + 1) for place in places), len(wire)]
    return [wire[begin:end] for begin, end in pairwise(edges)]


@given(st.binary(max_size=20_000), st.binary(min_size=4, max_size=4))
@example(bytes(range(256)) * 40, KEY)
@example(bytes(range(256)) * 40 + b"abc", KEY)
def test_unmasking_is_the_xor_of_the_rfc_and_its_own_inverse(payload: bytes, key: bytes) -> None:
    masked = unmask(payload, key)
    assert masked == bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
    assert unmask(masked, key) == payload


def masked_copy(server_frame: bytes, payload: bytes, key: bytes) -> bytes:
    """The frame a server wrote, as the client that has this key would have written it."""
    header = server_frame[: len(server_frame) - len(payload)]
    return bytes([header[0], header[1] | 0x80]) + header[2:] + key + unmask(payload, key)


@given(
    st.lists(st.text() | st.binary() | st.integers(100, 300).map("é".__mul__)),
    st.binary(min_size=4, max_size=4),
    st.lists(st.integers(0)),
)
def test_what_the_encoders_write_comes_back(
    messages: list[str | bytes], key: bytes, places: list[int]
) -> None:
    wire = b""
    for message in messages:
        if isinstance(message, str):
            encoded = message.encode()
            wire += masked_copy(encode_text(encoded), encoded, key)
        else:
            wire += masked_copy(encode_binary(message), message, key)
    assert decode(*cut(wire, places)) == messages


frames = st.builds(
    frame,
    st.sampled_from([0, 0, 0, 1, 1, 2, 8, 9, 10, 3]),
    st.binary(max_size=130) | st.text(max_size=60).map(str.encode),
    fin=st.booleans(),
)
any_input = st.binary(max_size=300) | st.lists(frames, max_size=12).map(b"".join)


@given(any_input, st.lists(st.integers(0), max_size=20), st.integers(0, 200), st.integers(1, 5))
def test_any_bytes_in_any_splits_have_one_outcome_and_bounded_memory(
    wire: bytes, places: list[int], limit: int, fragments: int
) -> None:
    expected = outcome(Decoder(limit, fragments), [wire])
    decoder = Decoder(limit, fragments)
    events: list[Event] = []
    code: int | None = None
    for read in cut(wire, places):
        try:
            decoder.receive(read)
            held = held_bytes(decoder)
            assert held <= len(read) + max(limit, 125) + LONGEST_HEADER_BYTES + 125
            events += drain(decoder)
        except ProtocolError as error:
            assert code is None, "a decoder fails once"
            code = error.code
        # All whole frames are out: what is left is a message and a frame that are not complete.
        assert held_bytes(decoder) <= max(limit, 125) + LONGEST_HEADER_BYTES + 125
    assert (events, code) == expected
    if is_over(events, code):
        assert held_bytes(decoder) == 0


@rows("opcode", [Opcode.TEXT, Opcode.BINARY])
def test_a_limit_of_nothing_still_lets_an_empty_message_through(opcode: Opcode) -> None:
    assert decode(frame(opcode), limit=0) == ["" if opcode is Opcode.TEXT else b""]
