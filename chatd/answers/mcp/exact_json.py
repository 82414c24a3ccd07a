"""JSON read without losing a digit, and its values as cells; pure."""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from chatd.answers.mcp.mapping import Binary
from chatd.answers.table import BYTES, Cell, cell


def from_json(text: str) -> object:
    """JSON with every digit: a number that no float can hold stays text.

    Raises `ValueError` or `RecursionError`.
    """
    return json.loads(text, parse_float=_float, parse_int=_int, parse_constant=str)


def _float(text: str) -> float | str:
    number = float(text)
    try:
        return number if Decimal(repr(number)) == Decimal(text) else text
    except InvalidOperation:  # an infinite float, or an exponent beyond all reach
        return text


def _int(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:  # more digits than Python converts
        return text


def json_cell(value: object, binary: Binary) -> Cell:
    """A JSON value as a cell; lists, and objects that are not bytes, become their JSON text."""
    if not isinstance(value, Mapping | list):
        return cell(value)
    match value, binary:
        case {"$bytes": str() as text}, _ if len(value) == 1:
            return {BYTES: text}
        case {"type": "Buffer", "data": list() as numbers}, Binary.BUFFER:
            raw = _bytes(numbers)
        case Mapping(), Binary.INDEXED if value:
            keys = [str(index) for index in range(len(value))]
            raw = _bytes(list(value.values())) if list(value) == keys else None
        case _:
            raw = None
    return json.dumps(value, ensure_ascii=False) if raw is None else cell(raw)


def _bytes(numbers: list[object]) -> bytes | None:
    small = [number for number in numbers if type(number) is int and 0 <= number <= 255]
    return bytes(small) if len(small) == len(numbers) else None
