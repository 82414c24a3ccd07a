"""The decoder beside wsproto's: the same messages, the same control frames, the same failure.

Where they differ on purpose, or in what the RFC leaves open:

- limits: wsproto has none here, so a 1008 or 1009 of ours ends the comparison;
- haste: wsproto judges text while its frame is still arriving, we once the frame is whole; and we
  judge the kind of a frame from its first two bytes, wsproto once the header or the first byte of
  the payload is there. Both must agree once the frame is completed, and that is tested;
- the first two bytes of a surrogate at the end of a fragment: we fail there, wsproto (by CPython's
  incremental decoder) at the byte after it; `Oracle` makes up for it;
- the close code 1014, registered with IANA after the RFC, is unknown to wsproto;
  `WithBadGateway` makes up for it.
"""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st
from wsproto.frame_protocol import CloseReason, Frame, FrameProtocol, ParseFailed
from wsproto.frame_protocol import Opcode as TheirOpcode

from chatd.websocket.decoder import Decoder
from chatd.websocket.frames import Close, CloseCode, Event, Ping, Pong
from tests.websocket.peers import frame, is_over, more, outcome, text

LIMIT = 1 << 17


class WithBadGateway(FrameProtocol):
    """wsproto that treats 1014 as it treats 1013."""

    def _process_close(self, frame: Frame) -> Frame:
        if frame.payload[:2] != b"\x03\xf6":
            return super()._process_close(frame)
        close = super()._process_close(frame._replace(payload=b"\x03\xf5" + frame.payload[2:]))
        return close._replace(payload=(1014, close.payload[1]))


class Oracle:
    """wsproto's server side, its pieces of messages put together, in our vocabulary."""

    def __init__(self) -> None:
        self.protocol = WithBadGateway(client=False, extensions=[])
        self.events: list[Event] = []
        self.code: int | None = None
        self.pieces: list[str | bytes] = []

    def receive(self, wire: bytes) -> None:
        self.protocol.receive_bytes(wire)
        try:
            for received in self.protocol.received_frames():
                self.take(received.opcode, received.payload, received.message_finished)
                if received.frame_finished and self.has_begun_a_surrogate():
                    self.code = CloseCode.INVALID_PAYLOAD
                    return
        except ParseFailed as error:
            self.code = int(error.code)

    def has_begun_a_surrogate(self) -> bool:
        decoder = self.protocol._message_decoder.decoder
        rest, _ = decoder.getstate() if decoder is not None else (b"", 0)
        return len(rest) == 2 and rest[0] == 0xED and rest[1] >= 0xA0

    def take(self, opcode: TheirOpcode, payload, is_finished: bool) -> None:
        match opcode:
            case TheirOpcode.PING:
                self.events.append(Ping(payload))
            case TheirOpcode.PONG:
                self.events.append(Pong(payload))
            case TheirOpcode.CLOSE:
                code, reason = payload
                self.events.append(
                    Close(None if code == CloseReason.NO_STATUS_RCVD else int(code), reason)
                )
            case _:
                self.pieces.append(payload)
                if is_finished:
                    self.events.append(self.pieces[0][:0].join(self.pieces))
                    self.pieces = []


def compare(wire: bytes) -> None:
    ours = Decoder(LIMIT, max_fragments=50)
    events, code = outcome(ours, [wire])
    oracle = Oracle()
    oracle.receive(wire)
    if code in (CloseCode.MESSAGE_TOO_BIG, CloseCode.POLICY_VIOLATION):
        assert oracle.events[: len(events)] == events
        return
    assert events == oracle.events
    if code == CloseCode.PROTOCOL_ERROR and oracle.code is None:
        oracle.receive(bytes(16))  # the rest of the longest header, and some payload
    if oracle.code == CloseCode.INVALID_PAYLOAD and not is_over(events, code):
        events, code = outcome(ours, [bytes(ours._need)])  # the rest of the frame
        assert events == []
    assert code == oracle.code


payloads = (
    st.binary(max_size=20)
    | st.text(max_size=60).map(str.encode)
    | st.integers(120, 130).map(b"x".__mul__)
    | st.sampled_from([65534, 65535, 65536, 65537]).map(b"x".__mul__)
)
keys = st.binary(min_size=4, max_size=4)
controls = st.builds(frame, st.sampled_from([9, 10]), st.binary(max_size=125), key=keys)
closes = st.builds(
    lambda code, reason, key: frame(8, code.to_bytes(2, "big") + reason, key=key),
    st.integers(990, 1020) | st.integers(0, 65535),
    st.text(max_size=20).map(str.encode) | st.binary(max_size=20),
    keys,
) | st.builds(frame, st.just(8), st.binary(max_size=2))


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A whole message in one frame or more, control frames between them."""
    opcode, content = draw(
        st.tuples(st.just(1), st.text(max_size=80).map(str.encode))
        | st.tuples(st.just(2), payloads)
        | st.tuples(st.just(1), st.binary(max_size=8))
    )
    cuts = draw(st.lists(st.integers(0, len(content)), max_size=4).map(sorted))
    edges = [0, *cuts, len(content)]
    wire = b""
    for index, (begin, end) in enumerate(pairwise(edges)):
        is_last = index == len(edges) - 2
        wire += frame(0 if index else opcode, content[begin:end], fin=is_last, key=draw(keys))
        if not is_last and draw(st.booleans()):
            wire += draw(controls)
    return wire


odd_frames = st.builds(
    frame,
    st.integers(0, 15),
    payloads,
    fin=st.booleans(),
    rsv=st.sampled_from([0, 0, 0, 0, 1, 2, 4]),
    key=st.none() | keys,
    length_bytes=st.sampled_from([None, None, None, 8]),
)
sequences = st.lists(messages() | controls | closes | odd_frames, max_size=6).map(b"".join)
mutations = st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=3)


@given(st.lists(messages() | controls, max_size=6).map(b"".join))
def test_messages_are_those_of_wsproto(wire: bytes) -> None:
    compare(wire)


@given(sequences)
@example(text(b"\xf0\x9f", fin=False) + more(b"\x98", fin=False) + more(b"\x80"))
@example(text(b"\xed", fin=False) + more(b"\xa0", fin=False))
@example(frame(8, b"\x03\xf6"))
@example(frame(8, b"\x03\xf6\x80"))
def test_sequences_with_odd_frames_end_as_in_wsproto(wire: bytes) -> None:
    compare(wire)


@given(sequences, mutations)
def test_sequences_with_changed_bytes_end_as_in_wsproto(
    wire: bytes, changes: list[tuple[int, int]]
) -> None:
    changed = bytearray(wire)
    for place, value in changes:
        if changed:
            # Half of the changes in the first bytes, where the headers are.
            index = place // 2 % (len(changed) if place % 2 else min(len(changed), 16))
            changed[index] = value
    compare(bytes(changed))


@given(sequences, st.integers(0))
def test_sequences_that_break_off_end_as_in_wsproto(wire: bytes, place: int) -> None:
    compare(wire[: place % (len(wire) + 1)])


@given(st.binary(max_size=40))
def test_any_bytes_end_as_in_wsproto(wire: bytes) -> None:
    compare(wire)
