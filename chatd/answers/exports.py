"""A stored answer as a file: CSV, JSON or NDJSON, in pieces of bounded size.

CSV is RFC 4180 in UTF-8. Spreadsheets run a cell that begins like a formula (OWASP, "CSV
injection"), so that such a cell gets an apostrophe before it; a plain number keeps its minus. Many
split at `;` or tab, as the locale says. To them the quotes of a field do not stand at the beginning
of one, and end nothing, so that each `;`, tab and line end within a text begins a cell. So:

- behind each of them, what begins like a formula gets an apostrophe too;
- where a text ends with one, a space goes behind it, or the quote that ends the field would begin
  the next;
- where a row begins with a negative number, its texts are in quotes, but for plain words: the whole
  row is one cell then, and the worst that it can be is a formula of numbers, texts and words.

NULL is empty, an empty text is a pair of quotes, bytes are base64. In JSON a row is an object,
cells are as they travel; where columns share a name, the later ones get a number.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import attrs
import orjson

from chatd.answers.table import BYTES, Cell, Column, Row

PIECE_BYTES = 65_536  # of a piece, at most; a longer row is cut into several

# What begins a formula, in all the widths of Unicode, behind what is trimmed or taken for quotes.
_FORMULA = r"[\s\"\x00-\x1f\x7f\u200b-\u200f\u2060\ufeff]*[=+\-@＝＋－＠﹢﹣﹦﹫]"
_BEGINS_FORMULA = re.compile(rf"[\t\r\n]|{_FORMULA}")
_FORMULA_WITHIN = re.compile(rf"(?<=[;\t\r\n])(?={_FORMULA})")
_ENDS_OPEN = re.compile(r"(?<=[;\t\r\n])(?=\"*\Z)")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z0-9+/]+=*")  # base64 too
_QUOTED = re.compile(r"[\",;\t\r\n]")
_NOT_IN_FILE_NAME = re.compile(r"[^A-Za-z0-9_-]")


@attrs.frozen
class Export:
    """A file: what HTTP says of it, and its bytes, made while they are read."""

    media_type: str
    file_name: str
    pieces: Iterator[bytes]


def export(
    format_name: str, answer_id: str, columns: Sequence[Column], rows: Iterable[Row]
) -> Export | None:
    """The answer in a format of `FORMATS`; None where there is no such format."""
    known = FORMATS.get(format_name)
    if known is None:
        return None
    media_type, lines = known
    file_name = f"answer-{_NOT_IN_FILE_NAME.sub('', answer_id)}.{format_name}"
    return Export(media_type, file_name, _pieces(lines(columns, rows)))


def distinct_names(columns: Sequence[Column]) -> list[str]:
    """The names of the columns, the later ones of the same name with a number: id, id_2, id_3."""
    taken = {column.name for column in columns}
    seen: dict[str, int] = {}
    names: list[str] = []
    for column in columns:
        name = column.name
        if name in seen:
            number = seen[name]
            while (name := f"{column.name}_{number + 1}") in taken:
                number += 1
            seen[column.name] = number + 1
            taken.add(name)
        else:
            seen[name] = 1
        names.append(name)
    return names


def csv_field(cell: Cell) -> str:
    """A cell as a field of CSV, with the quotes and the apostrophe that it needs."""
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case int() | float():
            return repr(cell)
        case Mapping():
            text = cell.get(BYTES, "")
        case str():
            text = cell
    if _BEGINS_FORMULA.match(text) is not None and _NUMBER.fullmatch(text) is None:
        text = f"'{text}"
    if text and _QUOTED.search(text) is None:
        return text
    text = _FORMULA_WITHIN.sub("'", text)
    return _in_quotes(_ENDS_OPEN.sub(" ", text))


def _in_quotes(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _csv_line(row: Row) -> bytes:
    fields = [csv_field(cell) for cell in row]
    if fields and fields[0].startswith("-"):
        fields = [one if _stands_alone(one) else _in_quotes(one) for one in fields]
    return (",".join(fields) + "\r\n").encode()


def _stands_alone(field: str) -> bool:
    """Whether a field is in quotes, or nothing, a number or a word that calls nothing."""
    if field[:1] in ("", '"'):
        return True
    return (_NUMBER.fullmatch(field) or _WORD.fullmatch(field)) is not None


def _csv(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[bytes]:
    yield _csv_line([column.name for column in columns])
    for row in rows:
        yield _csv_line(row)


def _ndjson(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[bytes]:
    names = distinct_names(columns)
    for row in rows:
        yield orjson.dumps(dict(zip(names, row, strict=True))) + b"\n"


def _json(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[bytes]:
    before = b"[\n"
    for line in _ndjson(columns, rows):
        yield before + line.rstrip(b"\n")
        before = b",\n"
    yield b"\n]\n" if before == b",\n" else b"[]\n"


FORMATS: Mapping[str, tuple[str, Callable[[Sequence[Column], Iterable[Row]], Iterator[bytes]]]] = {
    "csv": ("text/csv; charset=utf-8; header=present", _csv),
    "json": ("application/json", _json),
    "ndjson": ("application/x-ndjson", _ndjson),
}


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The lines together, in pieces of at most `PIECE_BYTES`."""
    waiting = bytearray()
    for line in lines:
        waiting += line
        while len(waiting) >= PIECE_BYTES:
            yield bytes(waiting[:PIECE_BYTES])
            del waiting[:PIECE_BYTES]
    if waiting:
        yield bytes(waiting)
