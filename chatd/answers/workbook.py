"""Rows as a workbook of spreadsheets (.xlsx), by XlsxWriter, a row at a time.

A text stays a text, whatever it looks like: nothing in the file is a formula or a link. A number
stays a number if a spreadsheet holds all of it: spreadsheets show 15 digits, so integers and
decimals with more digits become texts. Floats are numbers, and written with every digit, so that
the file holds the same float. A date stays a date if its column is declared to hold dates, and a
spreadsheet holds all of it; others are the text that they travel as. NULL is no cell, bytes are
base64.

A cell holds 32,767 characters (in UTF-16), a sheet 1,048,576 rows and 16,384 columns. What does not
fit is cut, and a second sheet says so. XlsxWriter keeps one row in memory and the others in a file
of its own, from which it makes the workbook in the end.
"""

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from shutil import rmtree
from typing import Any, BinaryIO, Final

import attrs
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from chatd.answers.cut import Cut
from chatd.answers.exports import XLSX_ROWS_MAX
from chatd.answers.table import BYTES, Cell, Column, Row
from chatd.wire.names import RowsCut

CELL_UNITS_MAX: Final = 32_767
"""UTF-16 units of a cell; a longer text is shortened, and counted."""
DIGITS_MAX: Final = 15
"""Digits of a number that a spreadsheet shows; a longer integer or decimal is a text."""
TEMPORARY: Final = "chatd-export-"
"""How the name of the directory of a workbook in the making begins."""

_DATES: Final = frozenset(
    {"date", "datetime", "timestamp", "timestamp without time zone", "smalldatetime", "datetime2"}
)
_NUMBERS: Final = frozenset(
    {
        *("numeric", "decimal", "dec", "number", "real", "float", "double", "double precision"),
        *("int", "integer", "tinyint", "smallint", "mediumint", "bigint", "int2", "int4", "int8"),
        *("float4", "float8", "bigint unsigned"),
    }
)
"""The words of databases for columns whose values travel as texts and are numbers."""

_TYPE_WORDS: Final = re.compile(r"\s*([a-z0-9 ]+?)\s*(?:\([^)]*\)\s*([a-z ]*))?\s*")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(?:\.([0-9]+))?")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATE_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.(\d{1,3})0{0,3})?)?", re.ASCII
)
_FIRST_YEAR: Final = 1901
"""Spreadsheets take 1900 for a leap year, and know no year before it."""
_NOT_XML: Final = re.compile("[\ufffe\uffff]")


class _Sheet(Worksheet):  # type: ignore[misc]  # XlsxWriter has no types
    """A sheet that writes what it is given: XlsxWriter rounds floats to 16 digits, and takes a text
    in `<r>` and `</r>` for XML of its own (3.3; tests/answers/test_workbook.py sees both)."""

    def _xml_number_element(self, number: float, attributes: Sequence[Any] = ()) -> None:
        named = "".join(f' {name}="{value}"' for name, value in attributes)
        self.fh.write(f"<c{named}><v>{number!r}</v></c>")

    def _xml_rich_inline_string(self, string: str, attributes: Sequence[Any] = ()) -> None:
        self._xml_inline_string(string, True, attributes)


@attrs.define(eq=False)
class WorkbookFile:
    """A workbook that is made row by row, and written to a file in the end."""

    _file: BinaryIO
    _directory: Path = attrs.field(init=False)
    _book: Any = attrs.field(init=False)
    _sheet: Any = attrs.field(init=False)
    _bold: Format = attrs.field(init=False)
    _date: Format = attrs.field(init=False)
    _second: Format = attrs.field(init=False)
    _millisecond: Format = attrs.field(init=False)
    _kinds: list[str] = attrs.field(init=False, factory=list)
    _row_count: int = attrs.field(init=False, default=0)
    _has_more: bool = attrs.field(init=False, default=False)
    _values_cut: int = attrs.field(init=False, default=0)
    _names_cut: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix=TEMPORARY))
        options = {"constant_memory": True, "tmpdir": str(self._directory)}
        self._book = Workbook(self._file, options)
        try:
            self._begin_book()
        except BaseException:
            self.discard()
            raise

    def _begin_book(self) -> None:
        """Make its sheet and formats. Raises `OSError`: a sheet is a file."""
        self._book.use_zip64()
        self._sheet = self._book.add_worksheet("Answer", worksheet_class=_Sheet)
        self._bold = self._book.add_format({"bold": True})
        self._date = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._second = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._millisecond = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})

    def begin(self, columns: Sequence[Column]) -> None:
        """The names of the columns, in the first row."""
        self._kinds = [_kind(column.type) for column in columns]
        self._sheet.freeze_panes(1, 0)
        self._sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
        for at, column in enumerate(columns):
            self._names_cut += self._text(self._sheet, 0, at, column.name, self._bold)

    def rows(self, rows: Iterable[Row]) -> None:
        """The next rows; those beyond `XLSX_ROWS_MAX` are left out."""
        for row in rows:
            if self._row_count == XLSX_ROWS_MAX:
                self._has_more = True
                return
            self._row_count += 1
            for at, (cell, kind) in enumerate(zip(row, self._kinds, strict=True)):
                if cell is not None:
                    self._cell(self._row_count, at, cell, kind)

    def end(self, row_count: int, cut: Cut) -> Cut:
        """Write the file; returns all that is missing from so many rows. Raises `OSError`."""
        rows = RowsCut.MAX_ROWS if self._has_more else None
        cut = Cut(rows, self._values_cut, self._names_cut).joined(cut)
        row_count = min(row_count, self._row_count)
        if cut:
            notes = self._book.add_worksheet("Notes", worksheet_class=_Sheet)
            for at, sentence in enumerate(cut.sentences(row_count)):
                self._text(notes, at, 0, sentence)
        failed: tuple[object, ...] = ()
        try:
            self._book.close()
        except FileCreateError as error:
            failed = error.args[0].args
        if failed:  # without the frames of XlsxWriter, whose ZipFile still writes when it is freed
            raise OSError(*failed)
        return cut

    def discard(self) -> None:
        """Drop what was written beside the file; it may be called at any time."""
        with suppress(OSError, ValueError):
            for sheet in self._book.worksheets():
                sheet.row_data_fh.close()
        self._book.fileclosed = True  # or the end of the object would write the workbook
        rmtree(self._directory, ignore_errors=True)

    def _cell(self, row: int, at: int, cell: Cell, kind: str) -> None:
        match cell:
            case bool():
                self._sheet.write_boolean(row, at, cell)
            case float():
                self._sheet.write_number(row, at, cell)
            case int():
                if len(str(abs(cell))) <= DIGITS_MAX:
                    self._sheet.write_number(row, at, cell)
                else:
                    self._sheet.write_string(row, at, str(cell))
            case Mapping():
                self._values_cut += self._text(self._sheet, row, at, cell.get(BYTES, ""))
            case str():
                if kind == "number" and (number := _number(cell)) is not None:
                    self._sheet.write_number(row, at, number)
                elif kind == "date" and (moment := _moment(cell)) is not None:
                    self._moment(row, at, moment)
                else:
                    self._values_cut += self._text(self._sheet, row, at, cell)

    def _moment(self, row: int, at: int, moment: date) -> None:
        style = self._date
        if isinstance(moment, datetime):
            style = self._millisecond if moment.microsecond else self._second
        self._sheet.write_datetime(row, at, moment, style)

    def _text(self, sheet: Any, row: int, at: int, text: str, style: Format | None = None) -> int:
        """Write a text as it is; returns 1 if it had to be shortened, else 0."""
        text = _NOT_XML.sub("\ufffd", text)
        units = text.encode("utf-16-le") if len(text) > CELL_UNITS_MAX // 2 else b""
        is_cut = len(units) > 2 * CELL_UNITS_MAX
        if is_cut:
            text = units[: 2 * CELL_UNITS_MAX].decode("utf-16-le", "ignore")
        sheet.write_string(row, at, text, style)
        return int(is_cut)


def _kind(type_: str | None) -> str:
    """What the texts of a column are, as far as its type says for certain."""
    found = None if type_ is None else _TYPE_WORDS.fullmatch(type_.lower())
    if found is None:
        return "text"
    words = " ".join(f"{found[1]} {found[2] or ''}".split())
    return "date" if words in _DATES else "number" if words in _NUMBERS else "text"


def _number(text: str) -> float | int | None:
    """The number that a text is, if a spreadsheet shows all of its digits."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    whole, part = found[1], found[2] or ""
    if len((whole + part).lstrip("0")) > DIGITS_MAX:
        return None
    return float(text) if part else int(text)


def _moment(text: str) -> date | None:
    """The date, or date and time, that a text is, if a spreadsheet holds all of it."""
    try:
        if _DATE.fullmatch(text):
            moment = date.fromisoformat(text)
        elif _DATE_TIME.fullmatch(text):
            moment = datetime.fromisoformat(text)
        else:
            return None
    except ValueError:
        return None
    return moment if moment.year >= _FIRST_YEAR else None
