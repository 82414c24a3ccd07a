"""What clients say to a server: templates of events, and how to recognise a delivery. Pure.

Owns the difference between chatd and any other Socket.IO server. It must not know transports.

A template is the JSON of an event, `["name", argument, ...]`, with placeholders: `%m` for the mark
of the message (`deliveries`), `%r` for the room, `%i` for a new UUID, `%p` for padding. A message
has to carry its mark to those who receive it.
"""

import re
from typing import Final

import attrs
import orjson

from chatd.wire.names import ClientEvent, ServerEvent

_PLACE: Final = re.compile(rb"%[mrip]")
_SAMPLE_ID: Final = b"00000000-0000-4000-8000-000000000000"


class TemplateError(Exception):
    """A template is not an event; the message is one sentence for a person."""


@attrs.frozen
class Dialect:
    """What clients say to a server, and what it answers.

    join: what a client sends once it is connected, None for nothing; it is ready when that is
    acked. message: what a sender sends, acked by the server. delivery: the beginning of a packet
    that brings a message to a receiver. acks_say_ok: an ack without `"ok":true` is a refusal.
    sends_receipts: clients acknowledge what has come, as clients of chatd do.
    """

    join: str | None
    message: str
    delivery: str = "42["
    acks_say_ok: bool = False
    sends_receipts: bool = False


def chat(*, sends_receipts: bool = True) -> Dialect:
    """A client of chatd. Its CONNECT joins the rooms of the token, and what it sends waits for
    that, so the ack of any event says that the client is in."""
    message: list[object] = [
        ClientEvent.CHAT_MESSAGE,
        {"messageId": "%i", "content": "%m%p", "connectionId": "%r"},
    ]
    return Dialect(
        join=_text([ClientEvent.CONNECTION_LEAVE, {"connectionId": "bench-nowhere"}]),
        message=_text(message),
        delivery=f'42["{ServerEvent.CHAT_MESSAGE}",',
        acks_say_ok=True,
        sends_receipts=sends_receipts,
    )


def chat_echo() -> Dialect:
    """A client of chatd that sends something to which the server only answers: that the user has
    stopped typing."""
    nothing = _text([ClientEvent.TYPING_STOP, {"connectionId": "%r"}])
    return attrs.evolve(chat(sends_receipts=False), message=nothing)


def _text(event: list[object]) -> str:
    return orjson.dumps(event).decode()


def check_template(text: str, *, carries_a_mark: bool) -> None:
    """Refuse a template that is not an event. Raises TemplateError."""
    try:
        event = orjson.loads(Template(text, "room", b"").render(b"~0.0.0.0~", _SAMPLE_ID))
    except orjson.JSONDecodeError:
        raise TemplateError(f'{text} is no JSON; write an event like ["name",{{}}].') from None
    if not isinstance(event, list) or not event or not isinstance(event[0], str):
        raise TemplateError(f'{text} is no event; write one like ["name",{{}}].')
    if carries_a_mark and "%m" not in text:
        raise TemplateError(f"{text} has no %m, by which a receiver knows the message.")


class Template:
    """A template for one room: the parts that all of its messages share are filled in once."""

    __slots__ = ("_format", "_order")

    def __init__(self, text: str, room: str, padding: bytes) -> None:
        order: list[bytes] = []

        def place(found: re.Match[bytes]) -> bytes:
            match found[0]:
                case b"%r":
                    return orjson.dumps(room)[1:-1].replace(b"%", b"%%")
                case b"%p":
                    return padding
                case kind:
                    order.append(kind)
                    return b"%b"

        pieces = _PLACE.split(text.encode())
        places = [place(found) for found in _PLACE.finditer(text.encode())]
        self._format = pieces[0].replace(b"%", b"%%")
        for value, piece in zip(places, pieces[1:], strict=True):
            self._format += value + piece.replace(b"%", b"%%")
        self._order = tuple(order)

    def render(self, mark: bytes, message_id: bytes) -> bytes:
        """The event with this mark and this UUID."""
        match self._order:
            case (b"%i", b"%m"):
                return self._format % (message_id, mark)
            case order:
                return self._format % tuple(mark if one == b"%m" else message_id for one in order)
