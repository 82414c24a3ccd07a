"""What a client sends, from bytes to whole messages (RFC 6455, sections 5 and 8.1).

Owns frame parsing, unmasking, reassembly of fragments, UTF-8, and the limits of one connection's
input. It must not know where bytes come from or what is answered: a breach is a `ProtocolError`
with the close code to answer with (section 7.1.7).

The theory. Input lies in one of two places, never in both for long:

- `_chunk`, from `_at` on: bytes that are parsed where they came from. Nearly every read holds
  whole frames, so nearly every frame is cut out of the very object that `recv` returned.
- `_partial`: a frame that is not complete yet grows there in place, until `_need` bytes are
  there. Joining `bytes` for each read instead is quadratic in the size of the frame, and a peer
  could use that for an attack, by sending a large frame in crumbs.

`_need` is known from the header: first two bytes, then the header's full length, then the frame's.
A header is judged as soon as it is known, so that a frame that breaks a limit is refused before its
payload is kept. Text is judged frame by frame: the bytes of an incomplete frame are not looked at
(section 8.1 lets an endpoint choose), those of a finished fragment are.

A connection that waits between two messages holds two integers and an empty `bytes`.
"""

from codecs import utf_8_decode
from typing import Final, NoReturn

import attrs

from chatd.websocket.frames import (
    MAX_CONTROL_PAYLOAD_BYTES,
    Close,
    CloseCode,
    Event,
    Fragments,
    Opcode,
    Ping,
    Pong,
    ProtocolError,
    is_sendable_close_code,
)

# Section 5.2, the bits of a frame's first two bytes
_FIN: Final = 0x80
_RSV: Final = 0x70
_OPCODE: Final = 0x0F
_MASK: Final = 0x80
_LENGTH: Final = 0x7F

_CONTROL: Final = 0x08  # section 5.5: control frames have the highest bit of the opcode set
_OPCODES: Final = frozenset(Opcode)

_FIN_TEXT: Final = _FIN | int(Opcode.TEXT)
FRAGMENTS_PER_EVENT: Final = 64
"""So many frames that complete no message make an event: a tenth of a millisecond. A read of 64 KiB
may hold 9,362 of them, which would take 20 ms in one go."""

_FIRST_BYTES: Final = 2  # enough to judge the kind of a frame and to know its header's length
_KEY_BYTES: Final = 4

# From here on four strided translations beat one XOR of large integers (measured: equal at about
# 10 KiB; 3 ms instead of 5 ms for 1 MiB). Below, the four tables cost more than they save.
_TRANSLATE_FROM_BYTES: Final = 10 * 1024
_EVERY_BYTE: Final = bytes(range(256))

# A separate name saves looking up a class method for each message.
_to_int: Final = int.from_bytes


@attrs.define(eq=False, repr=False, weakref_slot=False)
class Decoder:
    """The input of one connection: `receive` bytes, then ask `next_event` until it has none.

    max_message_bytes: payload of one message, its fragments in total; exactly this many are
        accepted, one more is 1009, judged from the header. Control frames do not count. It may be
        set anew between two calls, and holds for the frames that are still to come.
    max_fragments: frames of one message; one more is 1008 (a policy, as the message may be small).

    Every `FRAGMENTS_PER_EVENT` frames that complete no message are an event too, `Fragments`.

    A consumer under back-pressure calls neither method; the rest stays where it is. What is held
    between two calls is less than one read and `max_message_bytes` together, plus a header.

    After a `Close` or a `ProtocolError` the input is over: further bytes are dropped and
    `next_event` returns None for ever.
    """

    max_message_bytes: int
    _max_fragments: int = 1024
    _is_over: bool = attrs.field(default=False, init=False)
    _chunk: bytes = attrs.field(default=b"", init=False)
    _at: int = attrs.field(default=0, init=False)
    _partial: bytearray | None = attrs.field(default=None, init=False)
    _need: int = attrs.field(default=_FIRST_BYTES, init=False)
    # The message whose fragments are arriving; None between messages.
    _message: bytearray | None = attrs.field(default=None, init=False)
    _message_is_text: bool = attrs.field(default=False, init=False)
    _fragments: int = attrs.field(default=0, init=False)
    _validated: int = attrs.field(default=0, init=False)
    """Bytes of `_message` that are known to be whole characters."""
    _crumbs: int = attrs.field(default=0, init=False)
    """Fragments that completed no message, since the last `Fragments` event."""

    def receive(self, data: bytes) -> None:
        """Take what one read brought. Linear in `data` if `next_event` was asked until None before;
        else what is left over is copied as well."""
        if self._is_over:
            return
        partial = self._partial
        if partial is None:
            rest = len(self._chunk) - self._at
            if not rest:
                self._chunk = data
                self._at = 0
                return
            if rest + len(data) >= self._need:
                self._chunk = self._chunk[self._at :] + data
                self._at = 0
                return
            partial = self._partial = bytearray(memoryview(self._chunk)[self._at :])
            self._chunk = b""
            self._at = 0
        partial += data
        if len(partial) >= self._need:
            self._chunk = bytes(partial)
            self._partial = None

    def next_event(self) -> Event | None:
        """The next message or control frame, or None when it needs more bytes.

        Raises ProtocolError, once, when the peer broke the protocol (1002), sent text that is not
        UTF-8 (1007), too many fragments (1008), or too large a message (1009).
        """
        chunk = self._chunk
        at = self._at
        if len(chunk) - at < self._need:
            if at:
                self._wait_for(self._need)
            return None
        # The fast path: a whole text message in one masked frame of less than 64 KiB that is all
        # here. Whatever is not exactly that, breaches included, is left untouched to the slow path.
        if chunk[at] == _FIN_TEXT and self._message is None:
            length = chunk[at + 1] - _MASK
            start = at + 6
            if length >= 126:
                start = at + 8
                is_medium = length == 126 and len(chunk) >= start
                length = chunk[at + 2] << 8 | chunk[at + 3] if is_medium else -1
                if length < 126:
                    length = -1
            end = start + length
            # Below 0: not masked, or a length of eight bytes, or not in its shortest form.
            if 0 <= length <= self.max_message_bytes and end <= len(chunk):
                if end == len(chunk):
                    self._chunk = b""
                    self._at = 0
                else:
                    self._at = end
                self._need = _FIRST_BYTES
                key = chunk[start - _KEY_BYTES : start]
                if length >= _TRANSLATE_FROM_BYTES:
                    return self._text(unmask(chunk[start:end], key))
                # `unmask` and `_text` in line: two calls are a tenth of what a message costs here.
                mask = (key * (length // _KEY_BYTES + 1))[:length]
                plain = _to_int(chunk[start:end], "little") ^ _to_int(mask, "little")
                try:
                    return plain.to_bytes(length, "little").decode()
                except UnicodeDecodeError:
                    self._fail(CloseCode.INVALID_PAYLOAD, "text is not valid UTF-8")
        return self._next_event_of_any_frame()

    def _next_event_of_any_frame(self) -> Event | None:
        """`next_event` in full; loops over a few of the fragments that finish no message."""
        while (frame := self._take_frame()) is not None:
            first, payload = frame
            if first & _CONTROL:
                return self._control(first, payload)
            event = self._data(first, payload)
            if event is not None:
                return event
            self._crumbs += 1
            if self._crumbs == FRAGMENTS_PER_EVENT:
                self._crumbs = 0
                return Fragments(FRAGMENTS_PER_EVENT)
        return None

    def _take_frame(self) -> tuple[int, bytes] | None:
        """First byte and unmasked payload of the next frame if it is complete, and step over it."""
        chunk = self._chunk
        at = self._at
        if len(chunk) - at < _FIRST_BYTES:
            self._wait_for(_FIRST_BYTES)
            return None
        first = chunk[at]
        second = chunk[at + 1]
        self._judge_first_bytes(first, second)

        length = second & _LENGTH
        start = at + _FIRST_BYTES + _KEY_BYTES
        if length >= 126:
            extended_bytes, minimum = (2, 126) if length == 126 else (8, 1 << 16)
            start += extended_bytes
            # Without the key, which is not needed to refuse a length.
            if len(chunk) < start - _KEY_BYTES:
                self._wait_for(start - _KEY_BYTES - at)
                return None
            length = _to_int(chunk[at + _FIRST_BYTES : start - _KEY_BYTES], "big")
            if length >> 63:
                self._fail(CloseCode.PROTOCOL_ERROR, "the highest bit of a length is set")
            if length < minimum:
                self._fail(CloseCode.PROTOCOL_ERROR, "a length is not in its shortest form")
        if not first & _CONTROL:
            self._judge_size(length)

        end = start + length
        if len(chunk) < end:
            self._wait_for(end - at)
            return None
        payload = unmask(chunk[start:end], chunk[start - _KEY_BYTES : start])
        if end == len(chunk):
            self._chunk = b""
            self._at = 0
        else:
            self._at = end
        self._need = _FIRST_BYTES
        return first, payload

    def _wait_for(self, need: int) -> None:
        """Note the bytes that the frame at `_at` needs, and let go of those before it."""
        self._need = need
        if self._at:
            # Otherwise three bytes of the next frame would keep a read of 64 KiB alive.
            self._chunk = self._chunk[self._at :]
            self._at = 0

    def _judge_first_bytes(self, first: int, second: int) -> None:
        """Sections 5.1 to 5.5: everything that can be judged about a frame without its length."""
        if first & _RSV:
            self._fail(CloseCode.PROTOCOL_ERROR, "a reserved bit is set, no extension was agreed")
        opcode = first & _OPCODE
        if opcode not in _OPCODES:
            self._fail(CloseCode.PROTOCOL_ERROR, f"opcode {opcode:#x} is reserved")
        if not second & _MASK:
            self._fail(CloseCode.PROTOCOL_ERROR, "a client's frame is not masked")
        if opcode & _CONTROL:
            if not first & _FIN:
                self._fail(CloseCode.PROTOCOL_ERROR, "a control frame is fragmented")
            if second & _LENGTH > MAX_CONTROL_PAYLOAD_BYTES:
                self._fail(CloseCode.PROTOCOL_ERROR, "a control frame is longer than 125 bytes")
        elif opcode == Opcode.CONTINUATION:
            if self._message is None:
                self._fail(CloseCode.PROTOCOL_ERROR, "there is no message to continue")
        elif self._message is not None:
            self._fail(CloseCode.PROTOCOL_ERROR, "a message began before the last one ended")

    def _judge_size(self, length: int) -> None:
        """The limits of this connection, for a data frame with a payload of `length` bytes."""
        if self._message is not None:
            length += len(self._message)
            if self._fragments >= self._max_fragments:
                self._fail(
                    CloseCode.POLICY_VIOLATION,
                    f"a message has more than {self._max_fragments} fragments",
                )
        if length > self.max_message_bytes:
            self._fail(
                CloseCode.MESSAGE_TOO_BIG, f"a message is over {self.max_message_bytes} bytes"
            )

    def _data(self, first: int, payload: bytes) -> str | bytes | None:
        """The message that this frame completes, or None (section 5.4)."""
        is_final = bool(first & _FIN)
        message = self._message
        if message is None:
            is_text = first & _OPCODE == Opcode.TEXT
            if is_final:
                return self._text(payload) if is_text else payload
            message = self._message = bytearray()
            self._message_is_text = is_text
        message += payload
        self._fragments += 1
        if self._message_is_text:
            self._validate(message, is_final)
        if not is_final:
            return None
        whole = message.decode() if self._message_is_text else bytes(message)
        self._release_message()
        return whole

    def _validate(self, message: bytearray, is_final: bool) -> None:
        """Fail at the fragment that breaks the text, not at the message's end (section 8.1). The
        characters are decoded again at the end: kept pieces could take four bytes for each byte of
        the limit."""
        tail = message[self._validated :]
        try:
            _, consumed = utf_8_decode(tail, "strict", is_final)
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_PAYLOAD, "text is not valid UTF-8")
        # CPython waits for the third byte of a surrogate, which some error handlers let pass.
        if len(tail) - consumed == 2 and tail[-2] == 0xED and tail[-1] >= 0xA0:
            self._fail(CloseCode.INVALID_PAYLOAD, "text is not valid UTF-8")
        self._validated += consumed

    def _text(self, payload: bytes) -> str:
        try:
            return payload.decode()
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_PAYLOAD, "text is not valid UTF-8")

    def _control(self, first: int, payload: bytes) -> Ping | Pong | Close:
        opcode = first & _OPCODE
        if opcode == Opcode.PING:
            return Ping(payload)
        if opcode == Opcode.PONG:
            return Pong(payload)
        return self._close(payload)

    def _close(self, payload: bytes) -> Close:
        """Section 5.5.1: nothing, or a code of two bytes and a reason in UTF-8."""
        if not payload:
            self._end()
            return Close(None, "")
        if len(payload) == 1:
            self._fail(CloseCode.PROTOCOL_ERROR, "a close code has two bytes")
        code = _to_int(payload[:2], "big")
        if not is_sendable_close_code(code):
            self._fail(CloseCode.PROTOCOL_ERROR, f"{code} must not stand in a close frame")
        try:
            reason = payload[2:].decode()
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_PAYLOAD, "a close reason is not valid UTF-8")
        self._end()
        return Close(code, reason)

    def _release_message(self) -> None:
        self._message = None
        self._fragments = 0
        self._validated = 0

    def _end(self) -> None:
        """Let go of all input; no more is taken."""
        self._is_over = True
        self._chunk = b""
        self._at = 0
        self._need = _FIRST_BYTES
        self._partial = None
        self._release_message()

    def _fail(self, code: CloseCode, message: str) -> NoReturn:
        self._end()
        raise ProtocolError(code, message) from None  # the sentence says all that the cause would


def unmask(payload: bytes, key: bytes) -> bytes:
    """XOR with the key of four bytes, repeated (section 5.3); masks as well.

    One XOR of two integers as long as the payload, or for a large payload one translation of every
    fourth byte for each byte of the key.
    """
    length = len(payload)
    if length < _TRANSLATE_FROM_BYTES:
        mask = (key * (length // _KEY_BYTES + 1))[:length]
        plain = _to_int(payload, "little") ^ _to_int(mask, "little")
        return plain.to_bytes(length, "little")
    masked = bytearray(payload)
    for lane in range(_KEY_BYTES):
        # What each byte becomes: all 256 of them, XORed with this byte of the key.
        table = unmask(_EVERY_BYTE, key[lane : lane + 1] * _KEY_BYTES)
        masked[lane::_KEY_BYTES] = masked[lane::_KEY_BYTES].translate(table)
    return bytes(masked)
