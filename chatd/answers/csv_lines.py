"""Rows as CSV (RFC 4180) in UTF-8, of which a spreadsheet runs nothing.

Spreadsheets run a cell that begins like a formula (OWASP, "CSV injection"), so such a cell gets an
apostrophe in front; a plain number keeps its minus. Many split at `;` or tab, depending on the
locale. To them the quotes of a field are not at the beginning of a cell, and quote nothing, so that
each `;`, tab and line end within a text begins a new cell. So:

- after each of them, what begins like a formula gets an apostrophe too;
- if a text ends with one, a space follows it, or the quote that ends the field would begin the next
  cell;
- if a row begins with a negative number, its texts are in quotes, except for plain words: the whole
  row is one cell then, and the worst that it can be is a formula of numbers, texts and words.

NULL is empty, an empty text is a pair of quotes, bytes are base64. The file does not say that
something is cut: a program that reads it takes each line for a row.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from chatd.answers.cut import Cut
from chatd.answers.table import BYTES, Cell, Column, Row

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""Without it, Excel reads UTF-8 in the code page of the machine. Other readers may take the mark
for a part of the first name."""

# What begins a formula, in all the widths of Unicode, after what is trimmed or taken for quotes.
_FORMULA = r"[\s\"\x00-\x1f\x7f\u200b-\u200f\u2060\ufeff]*[=+\-@＝＋－＠﹢﹣﹦﹫]"
_BEGINS_FORMULA = re.compile(rf"[\t\r\n]|{_FORMULA}")
_FORMULA_WITHIN = re.compile(rf"(?<=[;\t\r\n])(?={_FORMULA})")
_ENDS_OPEN = re.compile(r"(?<=[;\t\r\n])(?=\"*\Z)")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z0-9+/]+=*")  # base64 too
_QUOTED = re.compile(r"[\",;\t\r\n]")


@attrs.frozen
class CsvLines:
    """Writes rows as lines of CSV; the first line has the names of the columns."""

    has_byte_order_mark: bool = False

    def begin(self, columns: Sequence[Column]) -> bytes:
        """What comes before the rows."""
        mark = BYTE_ORDER_MARK if self.has_byte_order_mark else b""
        return mark + _csv_line([column.name for column in columns])

    def rows(self, rows: Iterable[Row]) -> bytes:
        """The next rows."""
        return b"".join(map(_csv_line, rows))

    def end(self, row_count: int, cut: Cut) -> bytes:
        """What follows the rows."""
        return b""


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
    """Whether a field may stay as it is: in quotes, empty, a number, or a word that calls
    nothing."""
    if field[:1] in ("", '"'):
        return True
    return (_NUMBER.fullmatch(field) or _WORD.fullmatch(field)) is not None
