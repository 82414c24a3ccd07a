"""What the daemon and the process that reads for it say to each other.

The daemon sends pieces; the process says once that it is ready, and then of each piece, in order,
that it has begun and what it came to: if the process ends in between, that piece may be why.
"""

from typing import get_args

from chatd.answers.frames import Shapes, strict_converter
from chatd.answers.sql.reading import Piece, Reading
from chatd.wire.codes import HintCode

BEGUN = b'"begun"'


def piece_to_json(piece: Piece) -> bytes:
    """A piece of work as the content of a frame."""
    return _pieces.written(piece)


def piece_from_json(content: bytes) -> Piece:
    """The piece of work in a frame. Raises `FrameBreach`."""
    piece: Piece = _pieces.read(content)
    return piece


def reading_to_json(reading: Reading) -> bytes:
    """What a piece came to as the content of a frame."""
    return _readings.written(reading)


def reading_from_json(content: bytes) -> Reading:
    """What a piece came to, out of a frame. Raises `FrameBreach`."""
    reading: Reading = _readings.read(content)
    return reading


_converter = strict_converter()
_converter.register_structure_hook(HintCode, lambda value, kind: kind(value))
_pieces = Shapes(_converter, Piece)
_readings = Shapes(_converter, *get_args(Reading))
