"""The states of a namespace; conversations through decoder and state machine."""

from __future__ import annotations

from typing import Any

import pytest

from chatd.socketio.decoder import Decoder
from chatd.socketio.namespaces import (
    MAX_NAMESPACES,
    MAX_OUTSTANDING_ACKS,
    AckReceived,
    ConnectRequested,
    LocalProtocolError,
    NamespaceLeft,
    Namespaces,
    Received,
    TooManyAcks,
)
from chatd.socketio.packet import ConnectError, Event, ProtocolError
from tests.rows import rows


class Conversation:
    """A server that lets everybody into every namespace but `/auth`, or never answers."""

    def __init__(self, *, answers: bool = True) -> None:
        self.decoder = Decoder()
        self.namespaces = Namespaces()
        self.answers = answers
        self.sent: list[bytes] = []

    def hear(self, *texts: str) -> list[Received | None]:
        """Take messages without Engine.IO's `4`, and return what each one meant."""
        return [self._hear_one(text) for text in texts]

    def _hear_one(self, text: str) -> Received | None:
        packet = self.decoder.receive_text(text)
        received = None if packet is None else self.namespaces.receive(packet)
        if isinstance(received, ConnectRequested) and self.answers:
            if received.namespace == "/auth":
                encoded = self.namespaces.refuse("/auth", "unauthorized")
            else:
                encoded = self.namespaces.accept(received.namespace, "X")
            self.sent.append(encoded.text)
        return received


@rows("text", ["0", "0/", "0/,", "0{}"])
def test_every_spelling_of_connect_joins_the_main_namespace(text: str) -> None:
    conversation = Conversation()
    conversation.hear(text)
    assert conversation.sent == [b'0{"sid":"X"}']
    assert conversation.namespaces.joined == ("/",)


@rows("text", ["0/custom", "0/custom,"])
def test_another_namespace_can_be_joined_without_the_main_one(text: str) -> None:
    conversation = Conversation()
    conversation.hear(text)
    assert conversation.sent == [b'0/custom,{"sid":"X"}']


def on_answer(args: list[Any]) -> None:
    """Gets the arguments of an ack."""


def test_what_the_client_says_of_itself_comes_with_the_request() -> None:
    (received,) = Conversation().hear('0{"token":"t"}')
    assert received == ConnectRequested("/", {"token": "t"})
    (received,) = Conversation().hear("0")
    assert received == ConnectRequested("/", None)


def test_an_unknown_namespace_is_refused_with_its_query() -> None:
    conversation = Conversation(answers=False)
    conversation.hear("0/custom?token=abc,")
    refusal = conversation.namespaces.refuse("/custom?token=abc", "Invalid namespace")
    assert refusal.text == b'4/custom?token=abc,{"message":"Invalid namespace"}'


def test_a_refusal_may_carry_data() -> None:
    conversation = Conversation(answers=False)
    conversation.hear("0/auth,")
    data = {"code": "E_AUTH", "retry": False}
    refusal = conversation.namespaces.refuse("/auth", "unauthorized", data)
    expected = b'4/auth,{"message":"unauthorized","data":{"code":"E_AUTH","retry":false}}'
    assert refusal.text == expected


def test_a_refused_client_may_try_again_and_stays_elsewhere() -> None:
    conversation = Conversation()
    conversation.hear("0", "0/auth,", "0/auth,", '2["m"]')
    assert conversation.sent[1:] == [b'4/auth,{"message":"unauthorized"}'] * 2
    assert conversation.namespaces.joined == ("/",)


def test_an_event_in_a_joined_namespace_is_returned_as_it_is() -> None:
    conversation = Conversation()
    assert conversation.hear("0", "0/custom,", '2["m",1]', '2/custom,7["n"]')[2:] == [
        Event("/", ["m", 1]),
        Event("/custom", ["n"], 7),
    ]


@rows("text", ['2["m"]', "30[]", "1", '2/custom,["m"]', "3/custom,[]"])
@rows(
    "before",
    [
        [],  # never joined
        ["0/other,"],  # joined elsewhere only
        ["0", "1", "0/custom,", "1/custom,"],  # left
        ["0/auth,"],  # refused
    ],
)
def test_a_packet_for_a_namespace_that_is_not_joined_is_a_breach(
    before: list[str], text: str
) -> None:
    conversation = Conversation()
    conversation.hear(*before)
    with pytest.raises(ProtocolError, match="not joined"):
        conversation.hear(text)


@rows("text", ['2["m"]', "30[]", "1"])
def test_a_packet_before_the_connect_reply_is_a_breach(text: str) -> None:
    conversation = Conversation(answers=False)
    conversation.hear("0")
    assert conversation.namespaces.joining == ("/",)
    with pytest.raises(ProtocolError, match="not joined"):
        conversation.hear(text)


@rows("answers", [True, False])
def test_a_second_connect_is_a_breach(*, answers: bool) -> None:
    conversation = Conversation(answers=answers)
    conversation.hear("0")
    with pytest.raises(ProtocolError, match="second connect"):
        conversation.hear("0")


def test_a_refusal_from_a_client_is_a_breach() -> None:
    with pytest.raises(ProtocolError, match="client refused"):
        Namespaces().receive(ConnectError("/", {"message": "no"}))


def test_a_client_that_left_can_join_again_with_a_new_sid() -> None:
    conversation = Conversation()
    received = conversation.hear("0", "0/custom,", "1")
    assert received[2] == NamespaceLeft("/")
    assert conversation.namespaces.joined == ("/custom",)
    conversation.hear("1/custom,")
    assert conversation.namespaces.joined == ()
    assert conversation.hear("0", '2["m"]')[1] == Event("/", ["m"])


def test_after_the_server_disconnects_the_client_has_nothing_more_to_say_there() -> None:
    conversation = Conversation()
    conversation.hear("0", "0/custom,")
    assert conversation.namespaces.disconnect("/").text == b"1"
    assert conversation.namespaces.disconnect("/custom").text == b"1/custom,"
    with pytest.raises(ProtocolError, match="not joined"):
        conversation.hear('2["m"]')


def test_the_wait_for_a_first_join_ends_with_a_join_and_does_not_come_back() -> None:
    conversation = Conversation()
    assert not conversation.namespaces.has_joined_any
    conversation.hear("0/auth,")
    assert not conversation.namespaces.has_joined_any
    conversation.hear("0", "1")
    assert conversation.namespaces.has_joined_any


def test_the_namespaces_of_a_connection_are_bounded_and_refused_ones_do_not_count() -> None:
    conversation = Conversation()
    conversation.hear(*["0/auth,"] * 3 * MAX_NAMESPACES)
    conversation.hear(*[f"0/n{number}," for number in range(MAX_NAMESPACES)])
    with pytest.raises(ProtocolError, match="too many namespaces"):
        conversation.hear("0/one-more,")


def test_the_namespaces_that_wait_for_an_answer_count_too() -> None:
    conversation = Conversation(answers=False)
    conversation.hear(*[f"0/n{number}," for number in range(MAX_NAMESPACES)])
    with pytest.raises(ProtocolError, match="too many namespaces"):
        conversation.hear("0/one-more,")


def test_an_ack_settles_the_event_that_asked_for_it_once() -> None:
    conversation = Conversation()
    conversation.hear("0")
    first, second = (conversation.namespaces.register_ack("/", on_answer) for _ in range(2))
    assert conversation.hear(f'3{second}["a"]', f"3{first}", f'3{second}["b"]') == [
        AckReceived("/", second, ["a"], on_answer),
        AckReceived("/", first, [], on_answer),
        None,
    ]
    assert not conversation.namespaces._acks_due


def test_a_binary_ack_settles_too() -> None:
    conversation = Conversation()
    conversation.hear("0")
    ack_id = conversation.namespaces.register_ack("/", on_answer)
    assert conversation.hear(f'61-{ack_id}[{{"_placeholder":true,"num":0}}]') == [None]
    packet = conversation.decoder.receive_binary(b"a")
    assert packet is not None
    assert conversation.namespaces.receive(packet) == AckReceived("/", ack_id, [b"a"], on_answer)


@rows("text", ["3999[1]", "3[1]", "30[]", "3"])
def test_an_ack_that_nobody_waits_for_is_ignored(text: str) -> None:
    conversation = Conversation()
    assert conversation.hear("0", text)[1] is None


def test_an_ack_in_another_namespace_does_not_settle() -> None:
    conversation = Conversation()
    conversation.hear("0", "0/custom,")
    ack_id = conversation.namespaces.register_ack("/", on_answer)
    assert conversation.hear(f"3/custom,{ack_id}[]", f"3{ack_id}[]") == [
        None,
        AckReceived("/", ack_id, [], on_answer),
    ]


def test_a_late_ack_is_ignored() -> None:
    conversation = Conversation()
    conversation.hear("0")
    conversation.namespaces.forget_ack(0)
    ack_id = conversation.namespaces.register_ack("/", on_answer)
    conversation.namespaces.forget_ack(ack_id)
    conversation.namespaces.forget_ack(ack_id)
    assert conversation.hear(f"3{ack_id}[]") == [None]


def test_leaving_drops_the_acks_due_there_and_their_ids_never_come_back() -> None:
    conversation = Conversation()
    conversation.hear("0", "0/custom,")
    here = conversation.namespaces.register_ack("/", on_answer)
    there = conversation.namespaces.register_ack("/custom", on_answer)
    conversation.hear("1", "0")
    assert conversation.namespaces.register_ack("/", on_answer) not in (here, there)
    assert conversation.hear(f"3{here}[]", f"3/custom,{there}[]") == [
        None,
        AckReceived("/custom", there, [], on_answer),
    ]


def test_the_acks_that_a_peer_may_owe_are_bounded() -> None:
    conversation = Conversation()
    conversation.hear("0")
    ack_ids = [
        conversation.namespaces.register_ack("/", on_answer) for _ in range(MAX_OUTSTANDING_ACKS)
    ]
    assert ack_ids == list(range(MAX_OUTSTANDING_ACKS))
    with pytest.raises(TooManyAcks):
        conversation.namespaces.register_ack("/", on_answer)
    conversation.hear("3500[]")
    assert conversation.namespaces.register_ack("/", on_answer) == MAX_OUTSTANDING_ACKS


def test_answering_or_asking_where_the_state_forbids_it_is_a_local_mistake() -> None:
    namespaces = Namespaces()
    for mistake in (
        lambda: namespaces.accept("/", "X"),
        lambda: namespaces.refuse("/", "no"),
        lambda: namespaces.disconnect("/"),
        lambda: namespaces.register_ack("/", on_answer),
    ):
        with pytest.raises(LocalProtocolError):
            mistake()
    namespaces.receive(Decoder().receive_text("0"))  # type: ignore[arg-type]  # it is a packet
    namespaces.accept("/", "X")
    with pytest.raises(LocalProtocolError):
        namespaces.accept("/", "Y")
