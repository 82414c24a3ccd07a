"""The client's half, for the tests: frames as a client writes them, and a decoder's outcome."""

from collections.abc import Iterable, Iterator

from chatd.websocket.decoder import Decoder
from chatd.websocket.frames import Close, Event, Fragments, Opcode, ProtocolError

KEY = b"\x37\xfa\x21\x3d"  # the key of the examples in RFC 6455, section 5.7


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    key: bytes | None = KEY,
    length_bytes: int | None = None,
) -> bytes:
    """One frame, written as naively as the RFC tells it; `length_bytes` forces a longer form."""
    length = len(payload)
    if length_bytes is None:
        length_bytes = 0 if length < 126 else 2 if length < 1 << 16 else 8
    marker = {0: length, 2: 126, 8: 127}[length_bytes]
    head = bytes([fin << 7 | rsv << 4 | opcode, (key is not None) << 7 | marker])
    if length_bytes:
        head += length.to_bytes(length_bytes, "big")
    if key is None:
        return head + payload
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


def text(payload: bytes | str, *, fin: bool = True) -> bytes:
    return frame(Opcode.TEXT, payload.encode() if isinstance(payload, str) else payload, fin=fin)


def more(payload: bytes | str, *, fin: bool = True) -> bytes:
    encoded = payload.encode() if isinstance(payload, str) else payload
    return frame(Opcode.CONTINUATION, encoded, fin=fin)


def drain(decoder: Decoder) -> Iterator[Event]:
    """All events but those that tell of fragments: how often that is said is not the protocol's."""
    while (event := decoder.next_event()) is not None:
        if not isinstance(event, Fragments):
            yield event


def outcome(decoder: Decoder, reads: Iterable[bytes]) -> tuple[list[Event], int | None]:
    """All events of these reads, and the close code of the breach that ended them, or None."""
    events: list[Event] = []
    try:
        for read in reads:
            decoder.receive(read)
            events += drain(decoder)
    except ProtocolError as error:
        return events, error.code
    return events, None


def is_over(events: list[Event], code: int | None) -> bool:
    return code is not None or any(isinstance(event, Close) for event in events)


def held_bytes(decoder: Decoder) -> int:
    """All input that a decoder keeps, wherever it keeps it."""
    return len(decoder._chunk) + len(decoder._partial or b"") + len(decoder._message or b"")
