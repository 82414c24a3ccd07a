"""Answers of HTTP/1.1 from a stream of bytes, as far as Engine.IO needs them. Pure.

Owns where an answer ends: by its length, by chunks, or with its head (101). It must not know what
was asked. Source: RFC 9112, sections 6 and 7.
"""

from typing import Final

import attrs

HEAD_BYTES_MAX: Final = 65_536
"""Bytes of a head, and of the line of a chunk; anything longer is not an answer of Engine.IO."""

_HEAD_END: Final = b"\r\n\r\n"
_LINE_END: Final = b"\r\n"


class NoHttpError(Exception):
    """What came is not an answer of HTTP/1.1; the message is one sentence."""


@attrs.frozen
class Answer:
    """One answer. `head` is its lines in lower case, without the empty one at the end."""

    status: int
    head: bytes
    body: bytes

    @property
    def keeps_the_connection(self) -> bool:
        """Whether another request may follow on the same connection."""
        return self.field(b"connection") != b"close"

    def field(self, name: bytes) -> bytes | None:
        """The value of a header, in lower case; None if there is none."""
        return _field(self.head, name)


@attrs.define(eq=False, repr=False)
class Answers:
    """The answers of one connection: feed it the bytes that were read."""

    rest: bytearray = attrs.field(factory=bytearray, init=False)
    """What came after the last whole answer; after a 101 it is another protocol."""

    def receive(self, data: bytes) -> list[Answer]:
        """The answers that `data` completes; a 101 is the last one. Raises NoHttpError."""
        self.rest += data
        answers: list[Answer] = []
        while (answer := self._next()) is not None:
            answers.append(answer)
            if answer.status == 101:
                break
        return answers

    def _next(self) -> Answer | None:
        end = self.rest.find(_HEAD_END, 0, HEAD_BYTES_MAX)
        if end < 0:
            if len(self.rest) >= HEAD_BYTES_MAX:
                raise NoHttpError("The head of an answer has no end.")
            return None
        head = bytes(self.rest[:end]).lower()
        status = _status(head)
        start = end + len(_HEAD_END)
        if status in (101, 204, 304):
            body, stop = b"", start
        elif _field(head, b"transfer-encoding") == b"chunked":
            found = self._chunks(start)
            if found is None:
                return None
            body, stop = found
        else:
            stop = start + _number(_field(head, b"content-length") or b"0", 10)
            if len(self.rest) < stop:
                return None
            body = bytes(self.rest[start:stop])
        del self.rest[:stop]
        return Answer(status, head, body)

    def _chunks(self, at: int) -> tuple[bytes, int] | None:
        """The body in the chunks from `at` on, and where it ends; None if the end has not come."""
        body = bytearray()
        while (end := self.rest.find(_LINE_END, at)) >= 0:
            size = _number(bytes(self.rest[at:end]).partition(b";")[0], 16)
            start = end + len(_LINE_END)
            at = start + size + len(_LINE_END)
            if len(self.rest) < at:
                return None
            if size == 0:
                return bytes(body), at
            body += self.rest[start : start + size]
        return None


def _status(head: bytes) -> int:
    parts = head.split(b" ", 2)
    if not parts[0].startswith(b"http/1.") or len(parts) < 2:
        raise NoHttpError("What came is no HTTP.")
    return _number(parts[1][:3], 10)


def _field(head: bytes, name: bytes) -> bytes | None:
    start = head.find(_LINE_END + name + b":")
    if start < 0:
        return None
    start += len(_LINE_END) + len(name) + 1
    end = head.find(_LINE_END, start)
    return head[start : end if end >= 0 else None].strip()


def _number(digits: bytes, base: int) -> int:
    try:
        return int(digits, base)
    except ValueError:
        raise NoHttpError("A length in an answer is no number.") from None
