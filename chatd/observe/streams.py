"""Writes whole lines to the stream of a log: none is left in a buffer, and none continues a torn
one."""

import os
from collections.abc import Callable
from typing import TextIO

import attrs


def write_to(stream: TextIO) -> Callable[[bytes], None]:
    """A function that writes whole lines to a stream. It raises `OSError` or `ValueError` if that
    fails."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):  # StringIO, a captured or closed stream
        return _TextWriter(stream).write
    return _DescriptorWriter(stream, descriptor).write


@attrs.define(eq=False)
class _DescriptorWriter:
    """Whole lines to a file descriptor, past the buffers of its stream."""

    _stream: TextIO
    _descriptor: int
    _torn: bool = attrs.field(init=False, default=False)

    def write(self, line: bytes) -> None:
        if self._stream.closed:  # the number may be a socket's by now
            raise ValueError("the stream of the log is closed")
        if self._torn:  # the last line was cut short: do not continue it
            line = b"\n" + line
        written = os.write(self._descriptor, line)
        while written < len(line):
            self._torn = True
            written += os.write(self._descriptor, line[written:])
        self._torn = False


class _TextWriter:
    """Whole lines to a stream without a descriptor."""

    __slots__ = ("_stream",)

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: bytes) -> None:
        self._stream.write(line.decode("utf-8"))
        self._stream.flush()
