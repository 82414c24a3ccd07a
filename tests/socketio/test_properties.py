"""What holds for any input at all."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from chatd.socketio.decoder import Decoder
from chatd.socketio.encoder import encode
from chatd.socketio.jsontext import dumps, loads
from chatd.socketio.namespaces import ConnectRequested, Namespaces
from chatd.socketio.packet import (
    MAX_ACK_ID,
    MAX_ATTACHMENTS,
    RESERVED_EVENT_NAMES,
    Ack,
    Event,
    Packet,
    ProtocolError,
)

any_text = st.text(st.characters(exclude_categories=()))  # surrogates included
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | any_text
)


def values(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
        max_leaves=12,
    )


namespaces = st.just("/") | st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters=","), max_size=10
).map(lambda name: "/" + name)
ack_ids = st.none() | st.integers(0, MAX_ACK_ID)
names = any_text.filter(lambda name: name not in RESERVED_EVENT_NAMES) | st.integers(0, 2**53)
arguments = st.lists(values(scalars | st.binary()), max_size=4)
packets: st.SearchStrategy[Packet] = st.builds(
    lambda namespace, name, args, ack_id: Event(namespace, [name, *args], ack_id),
    namespaces, names, arguments, ack_ids,
) | st.builds(Ack, namespaces, ack_ids, arguments)  # fmt: skip


def merged(value: Any) -> Any:
    """Join surrogate pairs, as writing and reading does: two halves are one character."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        case list():
            return [merged(item) for item in value]
        case dict():
            return {merged(key): merged(item) for key, item in value.items()}
        case _:
            return value


@given(packets)
def test_a_packet_survives_the_way_through_encoder_and_decoder(packet: Event | Ack) -> None:
    try:
        encoded = encode(packet)
    except ValueError as error:
        assert f"at most {MAX_ATTACHMENTS}" in str(error)  # noqa: PT017 - the other branch goes on
        return
    decoder = Decoder()
    decoded = decoder.receive_text(encoded.text.decode())
    for attachment in encoded.attachments:
        assert decoded is None
        decoded = decoder.receive_binary(attachment)
    assert type(decoded) is type(packet)
    assert isinstance(decoded, Event | Ack)
    assert (decoded.namespace, decoded.ack_id) == (packet.namespace, packet.ack_id)
    assert decoded.args == merged(packet.args)


fragments = st.sampled_from(
    [
        *"0123456789[]{}\",-/:", "/custom", '["m"]', '["m",', "[1]", '"_placeholder"', "true",
        '{"_placeholder":true,"num":0}', "null", "NaN", "1e400", "\\ud83d", "\\u0000",
        " ", "٣", "²",
    ]
)  # fmt: skip
nearly_packets = st.lists(fragments, max_size=12).map("".join) | st.tuples(
    st.sampled_from(["0", "1", "2", "217", "3", "30", "51-", "52-7", "61-", "2/custom,"]),
    values(scalars).map(json.dumps),
).map("".join)


@given(st.lists(any_text | nearly_packets | st.binary(max_size=20), max_size=12), st.booleans())
@example(["0", '52-["m"]', b"", b"", '2["m"]', "1"], True)
def test_any_sequence_of_messages_gives_packets_or_a_protocol_error(
    messages: list[str | bytes],
    from_server: bool,
) -> None:
    decoder = Decoder(from_server=from_server, max_attachment_bytes=30)
    states = Namespaces()
    for message in messages:
        try:
            if isinstance(message, str):
                packet = decoder.receive_text(message)
            else:
                packet = decoder.receive_binary(message)
            if packet is None:
                continue
            received = states.receive(packet)
        except ProtocolError:
            assert not decoder.is_waiting_for_attachments
            continue
        if isinstance(received, ConnectRequested):
            states.accept(received.namespace, "X")
        elif isinstance(received, Event):
            encode(Event(received.namespace, received.args, received.ack_id))


@given(any_text | nearly_packets | values(scalars).map(json.dumps))
@example("[" * 512 + "]" * 512)
@example("[" * 511 + '"\\ud83d"' + "]" * 511)
@example("123456789012345678901234567890")
@example('{"\\ud83d":1e308}')
def test_what_loads_accepts_dumps_can_write_and_loads_reads_the_same(text: str) -> None:
    try:
        value = loads(text)
    except ProtocolError:
        return
    assert loads(dumps(value).decode()) == value


@given(values(scalars))
def test_the_stdlib_reads_what_dumps_writes(value: Any) -> None:
    assert json.loads(dumps(value)) == merged(value)


def test_a_peer_that_never_finishes_a_packet_is_remembered_within_bounds() -> None:
    decoder = Decoder(max_attachment_bytes=100_000)
    states = Namespaces()
    tracemalloc.start()
    try:
        for number in range(5_000):
            for message in (f"0/{number:09},", '510-["m"]', f"3{number}[]"):
                try:
                    packet = decoder.receive_text(message)
                    if packet is not None:
                        states.receive(packet)
                except ProtocolError:
                    pass
            try:
                while True:
                    decoder.receive_binary(b"x" * 50_000)
            except ProtocolError:
                pass
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 200_000
