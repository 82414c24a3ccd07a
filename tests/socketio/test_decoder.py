"""The decoder against what real peers send, hostile input, and the edges of its own grammar."""

from __future__ import annotations

import pytest

from chatd.socketio.decoder import Decoder
from chatd.socketio.packet import (
    MAX_NAMESPACE_CHARS,
    RESERVED_EVENT_NAMES,
    Ack,
    Connect,
    Disconnect,
    Event,
    ProtocolError,
)
from tests.rows import rows

from .test_codec import PLACE_0, PLACE_1, decode


@rows("text", ["0", "0/", "0/,"])
def test_every_spelling_of_the_main_namespace_connects_to_it(text: str) -> None:
    assert decode(text, from_server=False) == Connect("/", None)


@rows("text", ["0/custom", "0/custom,"])
def test_the_comma_after_a_namespace_may_be_absent_at_the_end(text: str) -> None:
    assert decode(text) == Connect("/custom", None)


@rows("text", ["2", "20", "2/custom", "2/custom,", "2/custom,17"])
def test_an_event_without_a_payload_is_ignored(text: str) -> None:
    assert decode(text) is None


@rows(
    ("text", "ack_id"),
    [
        ('20["e"]', 0),
        ('2007["e",1]', 7),
        ('2/,007["e",1]', 7),
        ("2" + "0" * 10_000 + '7["e"]', 7),
        ('29007199254740992["e"]', 2**53),
    ],
)
def test_an_ack_id_may_be_zero_padded_and_as_large_as_a_double_counts(
    text: str, ack_id: int
) -> None:
    packet = decode(text)
    assert isinstance(packet, Event)
    assert packet.ack_id == ack_id


@rows(
    ("text", "packet"),
    [
        ("3", Ack("/", None, [])),
        ("35", Ack("/", 5, [])),
        ("3999[1]", Ack("/", 999, [1])),
        ("15", Disconnect("/")),
        ("05{}", Connect("/", {})),
        ('2 ["e"]', Event("/", ["e"])),
        ('50-["m",1]', Event("/", ["m", 1])),
        ("60-1[]", Ack("/", 1, [])),
        (f'2["m",{PLACE_0}]', Event("/", ["m", {"_placeholder": True, "num": 0}])),
    ],
)
def test_what_the_reference_parser_takes_is_taken(text: str, packet: object) -> None:
    assert decode(text, from_server=False) == packet


@rows(
    "text",
    [
        # the type
        "", "abc", "7", '7["m"]', "9", "-1", " 2[]", "٢[]", "²",
        # CONNECT and DISCONNECT
        '0["a"]', '0"a"', "0null", "0true", "01.5", "0{bad", "0{}x", '1{"a":1}', "1[]", "1null",
        "1/custom,{}",
        # CONNECT_ERROR is the server's
        "4", "4abc", '4{"message":"x"}', '4"x"', "4/custom,",
        # EVENT
        "2[]", "2{}", "2[true]", "2[null]", "2[[]]", '2[{"a":1}]', '2["m",1]x', '2["m"', '2"m"',
        "2null", "2true", "2/,[]", "2/,{}", "2/,[true]", "217[]", "217[null]", "217{}",
        # ack ids
        '2-1["m"]', '21.5["m"]', '2abc["m"]', '29999999999999999999999["m"]',
        '29007199254740993["m"]', '2/,9007199254740993["m"]', '2٣["m"]', '2²["m"]', '2/,٣["m"]',
        "2" + "9" * 10_000 + '["m"]', '2+1["m"]', '21_0["m"]',
        # ACK
        '31{"a":1}', "31null", '31"a"', "3abc", "3-1[]",
        # attachments
        '51["m"]', '5-["m"]', '5a-["m"]', '51.5-["m"]', '5-1-["m"]', '511-["m"]', '5["m"]',
        '5٣-["m"]', "5" + "9" * 10_000 + '-["m"]', "51-", "51-[]", '51-["disconnect"]', "51-{}",
        "61-", "61-1", "61-1{}", "5", "6", '5 1-["m"]',
        # JSON
        '2["m",NaN]', '2["m",Infinity]', '2["m",-Infinity]', '2["m",1e400]', "2[1e400]",
        '2["m",undefined]', "2['m']", '2["m",]', '2["m",01]', '2["\t"]', '2["\\x41"]',
    ],
)  # fmt: skip
def test_what_is_malformed_is_a_protocol_error(text: str) -> None:
    with pytest.raises(ProtocolError):
        decode(text, from_server=False)


@rows("name", sorted(RESERVED_EVENT_NAMES))
@rows("head", ["2", "217", "2/,", "2/custom,", "50-"])
def test_a_reserved_event_name_is_refused(head: str, name: str) -> None:
    with pytest.raises(ProtocolError, match="no legal name"):
        decode(f'{head}["{name}","x"]')


@rows("text", ["4", "4[]", "41", "4null"])
def test_a_refusal_by_a_server_still_needs_a_payload(text: str) -> None:
    with pytest.raises(ProtocolError, match="refusal"):
        decode(text, from_server=True)


def test_a_namespace_with_a_name_too_long_is_refused() -> None:
    longest = "/" + "n" * (MAX_NAMESPACE_CHARS - 1)
    assert decode("0" + longest) == Connect(longest)
    with pytest.raises(ProtocolError, match="too long"):
        decode("0" + longest + "n")


def test_a_namespace_that_is_no_unicode_text_is_refused() -> None:
    with pytest.raises(ProtocolError, match="Unicode"):
        decode("0/\ud83d,")


def test_placeholders_may_be_out_of_order_and_repeated() -> None:
    text = f'52-["m",{PLACE_1},[{PLACE_0},{{"again":{PLACE_1}}}]]'
    assert decode(text, b"a", b"b") == Event("/", ["m", b"b", [b"a", {"again": b"b"}]])


def test_an_attachment_that_no_placeholder_names_is_dropped() -> None:
    assert decode('51-["m",1]', b"a") == Event("/", ["m", 1])


@rows("mark", ["false", "1", '"true"', "null"])
def test_a_placeholder_that_is_not_marked_true_is_plain(mark: str) -> None:
    plain = f'{{"_placeholder":{mark},"num":0}}'
    packet = decode(f'51-["m",{plain},{PLACE_0}]', b"a")
    assert isinstance(packet, Event)
    assert packet.args[1]["num"] == 0
    assert packet.args[2] == b"a"


@rows(
    "number", ['"num":1', '"num":-1', '"num":"0"', '"num":"splice"', '"num":true', '"num":null',
               '"num":0.5', '"num":1e300', '"num":[]', '"other":0'],
)  # fmt: skip
def test_a_placeholder_that_names_no_attachment_is_refused_at_once(number: str) -> None:
    with pytest.raises(ProtocolError, match="names no attachment"):
        decode(f'51-["m",[{{"a":{{"_placeholder":true,{number}}}}}]]')


def test_a_placeholder_in_a_packet_without_attachments_is_refused() -> None:
    with pytest.raises(ProtocolError, match="names no attachment"):
        decode(f'50-["m",{PLACE_0}]')


def test_ten_attachments_are_taken_and_eleven_are_refused() -> None:
    assert decode('510-["m"]', *[b""] * 10) == Event("/", ["m"])
    assert decode('5010-["m"]', *[b""] * 10) == Event("/", ["m"])
    with pytest.raises(ProtocolError, match="too many attachments"):
        decode('511-["m"]')


@rows("text", ["0", '2["m"]', '2/other,["m"]', "1", '51-["m"]', "", "abc"])
def test_text_while_attachments_are_due_is_refused(text: str) -> None:
    decoder = Decoder()
    assert decoder.receive_text(f'52-["m",{PLACE_0}]') is None
    assert decoder.receive_binary(b"a") is None
    with pytest.raises(ProtocolError, match="attachments were due"):
        decoder.receive_text(text)


def test_a_binary_message_out_of_the_blue_is_refused() -> None:
    with pytest.raises(ProtocolError, match="no attachment was due"):
        Decoder().receive_binary(b"")


def test_one_binary_message_too_many_is_refused() -> None:
    decoder = Decoder()
    decoder.receive_text(f'51-["m",{PLACE_0}]')
    assert decoder.receive_binary(b"a") is not None
    with pytest.raises(ProtocolError, match="no attachment was due"):
        decoder.receive_binary(b"b")


def test_the_attachments_of_one_packet_are_bounded_together() -> None:
    decoder = Decoder(max_attachment_bytes=4)
    for _ in range(2):  # the bound is anew for each packet
        decoder.receive_text('52-["m"]')
        decoder.receive_binary(b"ab")
        assert decoder.receive_binary(b"cd") is not None
    decoder.receive_text('52-["m"]')
    decoder.receive_binary(b"ab")
    with pytest.raises(ProtocolError, match="too large"):
        decoder.receive_binary(b"cde")
    assert not decoder.is_waiting_for_attachments


def test_a_decoder_tells_while_it_waits_for_attachments() -> None:
    decoder = Decoder()
    assert not decoder.is_waiting_for_attachments
    decoder.receive_text('51-["m"]')
    assert decoder.is_waiting_for_attachments
    decoder.receive_binary(b"")
    assert not decoder.is_waiting_for_attachments


def test_attachments_that_do_not_come_are_given_up() -> None:
    decoder = Decoder()
    decoder.give_up_late(0, 20)
    decoder.receive_text('52-["m"]')
    decoder.give_up_late(1000, 20)  # from here on it counts
    decoder.receive_binary(b"a")
    decoder.give_up_late(1019, 20)
    with pytest.raises(ProtocolError, match="in time"):
        decoder.give_up_late(1020, 20)
    assert not decoder.is_waiting_for_attachments


def test_each_packet_has_the_whole_time_for_its_attachments() -> None:
    decoder = Decoder()
    for now_s in range(0, 1000, 10):
        decoder.receive_text('51-["m"]')
        decoder.give_up_late(now_s, 10)
        assert decoder.receive_binary(b"a") is not None


@rows("depth", [513, 1000, 5000, 400_000])
@rows("head", ["2", "217", "2/,", "51-"])
def test_deep_nesting_is_a_protocol_error(head: str, depth: int) -> None:
    with pytest.raises(ProtocolError):
        decode(f'{head}["m",{"[" * depth}{"]" * depth}]')


def test_five_hundred_levels_are_taken() -> None:
    assert decode(f'2["m",{"[" * 500}{"]" * 500}]') is not None
    deep = f'{{"a":{"[" * 400}{PLACE_0}{"]" * 400}}}'
    assert decode(f'51-["m",{deep}]', b"a") is not None


def test_a_protocol_error_is_one_sentence_and_quotes_no_input() -> None:
    with pytest.raises(ProtocolError) as caught:
        decode('2["secret')
    message = str(caught.value)
    assert message.endswith(".")
    assert message.count(".") == 1
    assert "secret" not in message
