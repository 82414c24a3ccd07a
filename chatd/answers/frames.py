"""What the daemon and a process of its own say to each other, as bytes; pure.

A frame is its length in 4 bytes, the largest first, and a value as JSON. Each side takes only
values of the known shapes, and no frame longer than `FRAME_BYTES_MAX`: the texts come from any
client, or from a database, and so may what a parser makes of them. Each process says what its
values are: `sql.frames`, `mcp.host_frames`.
"""

import struct
from collections.abc import Iterator
from typing import Any

import orjson
from cattrs import Converter
from cattrs.preconf.orjson import make_converter

from chatd.wire.codes import Code

FRAME_BYTES_MAX = 64 * 1024 * 1024  # of a frame; all that is sent is far smaller. Beyond: a breach
READY = b'"ready"'
"""What a process says first, once it can be given work."""
_LENGTH = struct.Struct(">I")


class FrameBreach(Exception):
    """What came is not a frame, or does not hold a value of a known shape."""


class Frames:
    """Takes frames out of bytes, in whatever pieces these come."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, received: bytes | bytearray) -> Iterator[bytes]:
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


class Shapes:
    """Turns values of some kinds into the contents of frames and back; `is` in a content is the
    kind.

    A converter makes what it needs for a kind when it first meets that kind: a daemon, which meets
    few kinds, starts sooner.
    """

    def __init__(self, converter: Converter, *kinds: type) -> None:
        self._converter = converter
        self._kinds = {kind.__name__: kind for kind in kinds}

    def written(self, value: object) -> bytes:
        """A value as the content of a frame."""
        return orjson.dumps(self.plain(value))

    def read(self, content: bytes) -> Any:
        """The value in a frame. Raises `FrameBreach`."""
        try:
            return self.structured(orjson.loads(content))
        except Exception as error:  # cattrs raises whatever the shape leads to
            raise FrameBreach(type(error).__name__) from None

    def plain(self, value: object) -> dict[str, Any]:
        """A value as JSON."""
        return {**self._converter.unstructure(value), "is": type(value).__name__}

    def structured(self, plain: dict[str, Any]) -> Any:
        """The value that parsed JSON stands for; may raise any exception."""
        return self._converter.structure(plain, self._kinds[plain.pop("is")])


def strict_converter() -> Converter:
    """A converter that takes only texts for texts, numbers for numbers and truth values for truth
    values; cattrs would convert whatever it is given."""
    converter = make_converter(forbid_extra_keys=True)
    for kind in (str, bool, int):
        converter.register_structure_hook(kind, _only(kind))
    converter.register_structure_hook(Code, lambda value, kind: kind(value))
    return converter


def _only(kind: type) -> Any:
    """A hook that takes only values of exactly this type."""

    def take(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(kind.__name__)
        return value

    return take
