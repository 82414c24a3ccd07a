"""What the daemon and the process that reads for it say to each other, as bytes.

A frame is its length in 4 bytes, the largest first, and a value as JSON. The daemon sends pieces;
the process says once that it is ready, and then of each piece, in their order, that it has begun
and what it came to: where the process ends in between, that piece may be why. Each side takes
values of the known shapes only, and neither a longer frame than `FRAME_BYTES_MAX`: the texts are
any client's, and so could be what a parser makes of them.
"""

import struct
from collections.abc import Iterator
from typing import Any

import cattrs
import orjson
from cattrs.strategies import configure_tagged_union

from chatd.answers.sql.reading import Piece, Reading
from chatd.wire.codes import Code, HintCode

FRAME_BYTES_MAX = 64 * 1024 * 1024  # of a frame; a message is far smaller. Beyond: a breach
READY = b'"ready"'
BEGUN = b'"begun"'
_LENGTH = struct.Struct(">I")


class FrameBreach(Exception):
    """What came is no frame, or holds no value of the known shapes."""


class Frames:
    """Frames out of bytes, however these come."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, received: bytes) -> Iterator[bytes]:
        """The contents of the frames that are whole now. Raises `FrameBreach`."""
        self._bytes += received
        while len(self._bytes) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._bytes)
            if length > FRAME_BYTES_MAX:
                raise FrameBreach(f"a frame of {length} bytes")
            end = _LENGTH.size + length
            if len(self._bytes) < end:
                return
            content = bytes(self._bytes[_LENGTH.size : end])
            del self._bytes[:end]
            yield content


def framed(content: bytes) -> bytes:
    """A frame with this content."""
    return _LENGTH.pack(len(content)) + content


def piece_to_json(piece: Piece) -> bytes:
    """A piece of work as the content of a frame."""
    return orjson.dumps(_converter.unstructure(piece))


def piece_from_json(content: bytes) -> Piece:
    """The piece of work in a frame. Raises `FrameBreach`."""
    piece: Piece = _structured(content, Piece)
    return piece


def reading_to_json(reading: Reading) -> bytes:
    """What a piece came to as the content of a frame."""
    return orjson.dumps(_converter.unstructure(reading, unstructure_as=Reading))


def reading_from_json(content: bytes) -> Reading:
    """What a piece came to, out of a frame. Raises `FrameBreach`."""
    reading: Reading = _structured(content, Reading)
    return reading


def _structured(content: bytes, kind: Any) -> Any:
    try:
        return _converter.structure(orjson.loads(content), kind)
    except Exception as error:  # cattrs raises what the shape makes it meet
        raise FrameBreach(type(error).__name__) from None


def _only(kind: type) -> Any:
    """A hook that takes values of this very type; cattrs would make one of whatever it is given."""

    def take(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(kind.__name__)
        return value

    return take


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind in (str, bool):
        converter.register_structure_hook(kind, _only(kind))
    for words in (Code, HintCode):
        converter.register_structure_hook(words, lambda value, kind: kind(value))
    configure_tagged_union(Reading, converter, tag_name="is")
    return converter


_converter = _make_converter()
