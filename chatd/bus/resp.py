"""RESP, the protocol of Redis, by hiredis: from bytes to replies, and from words to bytes.

What comes is bounded, whoever sends it. Source: redis.io, "Redis serialization protocol
specification", version 2.
"""

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

import hiredis

REPLY_BYTES_MAX: Final = 2_097_152
"""Bytes of a reply that is not complete yet; beyond: the connection is given up. Nothing that chatd
asks for, or publishes, is even half as long."""

_TOO_MANY_PARTS: Final = re.compile(rb"\n(?:\*\d\d|[%~>|])")
"""The head of a reply with ten parts or more, or of a kind that only version 3 has. hiredis makes
room for as many parts as a head announces, which may be billions. Nothing that chatd asks for has
more than three; no payload of chatd begins so, or has a line break."""
_HEAD_BYTES: Final = 3  # of what is searched for, those that may be in the piece before

Reply: TypeAlias = "bytes | int | float | bool | list[Reply] | hiredis.ReplyError | None"


class BadReply(Exception):
    """These bytes are not a reply of a Redis."""


class RespReader:
    """Takes replies out of the bytes of one connection. After BadReply it cannot be used any
    more."""

    def __init__(self) -> None:
        self._not_enough = object()
        self._reader = hiredis.Reader(notEnoughData=self._not_enough)
        self._incomplete_bytes = 0
        self._tail = b"\n"

    def replies(self, data: bytes | bytearray) -> Iterator[Reply]:
        """Take bytes, and give each reply that they complete. Raises BadReply."""
        seen = self._tail + data
        if _TOO_MANY_PARTS.search(seen):
            raise BadReply("a reply has too many parts")
        self._tail = seen[-_HEAD_BYTES:]
        self._reader.feed(bytes(data))
        self._incomplete_bytes += len(data)
        while (reply := self._next()) is not self._not_enough:
            self._incomplete_bytes = min(self._incomplete_bytes, len(data))
            yield reply
        if self._incomplete_bytes > REPLY_BYTES_MAX:
            raise BadReply("a reply is too long")

    def _next(self) -> Reply:
        try:
            reply: Reply = self._reader.gets()
        except hiredis.HiredisError as error:
            raise BadReply(str(error)) from None
        return reply


def command(*words: bytes) -> bytes:
    """A command as Redis reads it."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # any number of words
    return packed
