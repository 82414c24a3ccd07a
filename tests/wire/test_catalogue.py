"""What is on the wire is what the golden catalogue says."""

from typing import Any, get_args

import attrs
import orjson
import pytest

from chatd.sockets.emitter import ack_packet, event_packet, rendered_packet, sent_packets
from chatd.wire import catalogue
from chatd.wire.acks import (
    AckPayload,
    HistoryAck,
    JoinAck,
    LeaveAck,
    MessageAck,
    RefusedAck,
)
from chatd.wire.codes import Code, Refusal
from chatd.wire.connect import ConnectErrorData
from chatd.wire.encoder import PAYLOADS, encode, encode_with_sent, plain, replayed
from chatd.wire.events import (
    AnswerRows,
    ErrorNotice,
    MessageError,
    MessageReceipt,
    PresenceNotice,
    PublishedMessage,
    RoomHistory,
    SentMessage,
    StatusClosing,
    StatusDraining,
    StatusLagging,
    UserPresence,
)
from chatd.wire.fields import Note, note_of
from chatd.wire.names import ClientEvent, MessageStatus, PresenceStatus, ServerEvent
from tests.wire.golden import CATALOGUE, fault_of_ack, fault_of_connect_error, fault_of_event

SENT = SentMessage("m", 1, "r", 2)
ONCE_MORE = attrs.evolve(SENT, duplicate=True)
SLOWER = Refusal(Code.RATE_LIMITED, "Slowly.", path="content", retry_after_ms=0)
DRAINING = "The server is restarting; reconnect shortly."
BODY = b'{"messageId":"m"}'


def test_the_catalogue_is_the_golden_one() -> None:
    assert catalogue.catalogue() == CATALOGUE, (
        "The protocol has changed: python -m chatd.wire.catalogue > tests/wire/catalogue.json"
    )


def test_every_event_has_a_payload_and_every_clients_event_an_ack() -> None:
    assert all(CATALOGUE["serverEvents"][event] for event in ServerEvent)
    assert set(catalogue.CLIENT_EVENTS) == set(ClientEvent)


@pytest.mark.parametrize("kind", PAYLOADS, ids=lambda kind: kind.__name__)
def test_every_field_has_a_sentence(kind: type[Any]) -> None:
    assert kind.__doc__
    for field in attrs.fields(kind):
        assert isinstance(get_args(field.type)[-1], Note)
        assert note_of(field).sentence[0].isupper() or note_of(field).sentence[0] == "`"
        assert note_of(field).sentence.endswith(".")


@pytest.mark.parametrize(
    ("payload", "written"),
    [
        (SENT, b'{"messageId":"m","timestamp":1,"connectionId":"r","seq":2}'),
        (
            ONCE_MORE,
            b'{"messageId":"m","timestamp":1,"connectionId":"r","seq":2,"duplicate":true}',
        ),
        (StatusClosing(), b'{"status":"closing","code":"token_expired"}'),
        (
            StatusLagging(retry_after_ms=5),
            b'{"status":"lagging","code":"overloaded","retryAfterMs":5}',
        ),
        (
            StatusDraining(retry_after_ms=5),
            b'{"status":"draining","code":"draining","retryAfterMs":5}',
        ),
        (
            MessageReceipt(message_id="m", connection_id="r", by="u"),
            b'{"messageId":"m","connectionId":"r","status":"delivered","by":"u"}',
        ),
        (
            PresenceNotice(
                user=UserPresence("u", PresenceStatus.AWAY, 3, "Ada"), connection_id="r"
            ),
            b'{"userId":"u","status":"away","lastSeen":3,"name":"Ada","connectionId":"r"}',
        ),
        (
            MessageError.of(None, Refusal(Code.DRAINING)),
            b'{"messageId":null,"error":"%b","code":"draining","retryable":true}'
            % DRAINING.encode(),
        ),
        (
            ErrorNotice.of(ClientEvent.SEARCH, SLOWER, "r"),
            (
                b'{"event":"chat:search","code":"rate_limited","message":"Slowly.",'
                b'"connectionId":"r","path":"content","retryAfterMs":0}'
            ),
        ),
        (
            AnswerRows(message_id="m", reply_to="q", connection_id="r", index=1, rows=[[1, None]]),
            b'{"messageId":"m","replyTo":"q","connectionId":"r","index":1,"rows":[[1,null]]}',
        ),
        (
            RoomHistory(
                "r",
                [
                    orjson.Fragment(
                        encode(PublishedMessage("m", "r", "u", "c", 1, MessageStatus.SENT, 1))
                    )
                ],
                False,
                1,
                1,
                0,
                True,
            ),
            (
                b'{"connectionId":"r","messages":[{"messageId":"m","connectionId":"r","userId":"u",'
                b'"content":"c","timestamp":1,"status":"sent","seq":1}],"hasMore":false,'
                b'"firstSeq":1,"lastSeq":1,"lastRev":0,"reset":true}'
            ),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_payload_is_written_in_declared_order_without_absent_fields(
    payload: Any, written: bytes
) -> None:
    assert encode(payload) == written
    assert fault_of_event(payload.event, orjson.loads(written)) is None
    assert event_packet(payload).text == b'42["%b",%b]' % (payload.event.encode(), written)


@pytest.mark.parametrize(
    ("event", "ack", "written"),
    [
        ("chat:ack", AckPayload(), b'{"ok":true}'),
        (
            "chat:message",
            MessageAck(question=False, sent=SENT),
            (
                b'{"ok":true,"question":false,"messageId":"m","timestamp":1,"connectionId":"r",'
                b'"seq":2}'
            ),
        ),
        (
            "chat:history:get",
            HistoryAck(history=RoomHistory("r", [], False, 0, 0, 0)),
            (
                b'{"ok":true,"connectionId":"r","messages":[],"hasMore":false,"firstSeq":0,'
                b'"lastSeq":0,"lastRev":0}'
            ),
        ),
        ("connection:leave", LeaveAck(), b'{"ok":true}'),
        (
            "connection:join",
            JoinAck(connection_id="r", last_seq=0, epoch="e"),
            b'{"ok":true,"connectionId":"r","lastSeq":0,"epoch":"e"}',
        ),
        (
            "chat:search",
            RefusedAck.of(SLOWER),
            (
                b'{"ok":false,"error":{"code":"rate_limited","message":"Slowly.","retryable":true,'
                b'"retryAfterMs":0,"path":"content"}}'
            ),
        ),
        (
            "chat:search",
            RefusedAck.of(Refusal(Code.DRAINING)),
            b'{"ok":false,"error":{"code":"draining","message":"%b","retryable":true}}'
            % DRAINING.encode(),
        ),
    ],
    ids=str,
)
def test_an_ack_says_ok_first(event: str, ack: AckPayload | RefusedAck, written: bytes) -> None:
    assert encode(ack) == written
    assert fault_of_ack(event, orjson.loads(written)) is None
    assert ack_packet(17, ack).text == b"4317[%b]" % written


def test_an_event_and_the_ack_that_repeats_it_are_encoded_once() -> None:
    for sent, question in ((SENT, True), (ONCE_MORE, False)):
        both = MessageAck(question=question, sent=sent)
        event, ack = sent_packets(17, both)
        assert event.text == event_packet(sent).text
        assert ack.text == ack_packet(17, both).text
        assert encode_with_sent(both) == (encode(both), encode(sent))


def test_a_message_that_comes_late_is_written_as_one_with_replay() -> None:
    message = PublishedMessage("m", "r", "u", "c", 1, MessageStatus.SENT, 1)
    assert replayed(encode(message)) == encode(attrs.evolve(message, replay=True))


def test_a_rendered_payload_goes_out_as_it_is() -> None:
    assert rendered_packet(ServerEvent.CHAT_MESSAGE, BODY).text == b'42["chat:message",%b]' % BODY


def test_what_a_refused_connect_says_beside_its_sentence() -> None:
    error = plain(ConnectErrorData.of(SLOWER))
    assert error == {
        "code": "rate_limited",
        "retryable": True,
        "retryAfterMs": 0,
        "path": "content",
    }
    assert fault_of_connect_error(orjson.loads(orjson.dumps(error))) is None


def test_nothing_else_is_a_payload() -> None:
    with pytest.raises(TypeError):
        orjson.dumps({"a": object()}, plain)


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        ({"expiresAt": "1"}, "auth:expiring.expiresAt is '1'"),
        ({"expiresAt": True}, "auth:expiring.expiresAt is True"),
        ({}, "auth:expiring lacks ['expiresAt']"),
        ({"expiresAt": 1, "more": 1}, "auth:expiring has ['expiresAt', 'more']"),
        ([], "auth:expiring is []"),
    ],
)
def test_the_judge_of_packets_sees_what_is_wrong(payload: object, fault: str) -> None:
    assert fault_of_event("auth:expiring", payload) == fault
    assert fault_of_event("chat:gone", {}) == "chat:gone: no such event"
    assert fault_of_ack("chat:ack", {"ok": 1}) == "ack of chat:ack.ok is 1"
