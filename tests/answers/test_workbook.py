"""Workbooks, read back by a reader that did not write them."""

import errno
import gc
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape

from chatd.answers import workbook
from chatd.answers.cut import WHOLE, Cut
from chatd.answers.exports import XLSX_ROWS_MAX
from chatd.answers.mcp.documents import COLUMNS_MAX
from chatd.answers.table import BYTES, Cell, Column, Row
from chatd.answers.workbook import CELL_UNITS_MAX, WorkbookFile
from chatd.wire.names import RowsCut
from tests.rows import rows


@contextmanager
def made(
    columns: Sequence[Column], table: Sequence[Row], cut: Cut = WHOLE
) -> Iterator[tuple[io.BytesIO, Cut]]:
    """The workbook, and what it says is missing."""
    file = io.BytesIO()
    book = WorkbookFile(file)
    try:
        book.begin(columns)
        book.rows(table)
        yield file, book.end(len(table), cut)
    finally:
        book.discard()


def sheets(file: io.BytesIO) -> dict[str, list[list[Any]]]:
    """The values of each sheet, texts without the escapes of the format."""
    book = load_workbook(file)
    assert not [cell for sheet in book for row in sheet for cell in row if cell.data_type == "f"], (
        "there is a formula"
    )
    return {
        sheet.title: [
            [unescape(value) if isinstance(value, str) else value for value in row]
            for row in sheet.iter_rows(values_only=True)
        ]
        for sheet in book
    }


def read_back(cell: Cell, type_: str | None = None) -> Any:
    with made([Column("a", type_)], [[cell]]) as (file, cut):
        assert cut == WHOLE
        table = sheets(file)
        assert list(table) == ["Answer"]
        return table["Answer"][1][0] if len(table["Answer"]) > 1 else None


@rows(
    ("cell", "type_", "found"),
    [
        (None, None, None),
        (True, None, True),
        (7, None, 7),
        (-999_999_999_999_999, None, -999_999_999_999_999),
        (1_000_000_000_000_000, None, "1000000000000000"),  # of 16 digits 15 would be shown
        ("9007199254740993", "BIGINT", "9007199254740993"),
        ("12345", "BIGINT", 12345),
        (0.1 + 0.2, None, 0.1 + 0.2),  # all 17 digits
        (1e300, None, 1e300),
        ("98.70", "numeric(10,2)", 98.7),
        ("98.70", "text", "98.70"),
        ("98.70", None, "98.70"),
        ("-0.5", "DECIMAL", -0.5),
        ("1234567890.123456", "numeric", "1234567890.123456"),
        ("00098.70", "numeric", "00098.70"),
        ("NaN", "numeric", "NaN"),
        ("1e5", "numeric", "1e5"),
        ("2024-02-29", "date", datetime.fromisoformat("2024-02-29T00:00:00")),
        ("2024-02-29", "text", "2024-02-29"),
        ("2024-02-29", None, "2024-02-29"),
        ("2023-02-29", "date", "2023-02-29"),
        ("1899-12-31", "date", "1899-12-31"),
        ("2024-02-29 10:11:12", "DATETIME", datetime.fromisoformat("2024-02-29T10:11:12")),
        (
            "2024-02-29T10:11:12.120000",
            "timestamp(6) without time zone",
            datetime.fromisoformat("2024-02-29T10:11:12.120"),
        ),
        ("2024-02-29T10:11:12.120001", "timestamp", "2024-02-29T10:11:12.120001"),
        ("2024-02-29T10:11:12+00:00", "timestamp with time zone", "2024-02-29T10:11:12+00:00"),
        ("2024-02-29T10:11:12+00:00", "timestamp", "2024-02-29T10:11:12+00:00"),
        ("20240229", "date", "20240229"),
        ({BYTES: "AP8="}, "BLOB", "AP8="),
    ],
)
def test_a_number_or_a_date_is_one_where_a_spreadsheet_holds_all_of_it(
    cell: Cell, type_: str | None, found: Any
) -> None:
    value = read_back(cell, type_)
    assert value == found
    assert type(value) is type(found)


@rows(
    "text",
    [
        "=1+1",
        "=HYPERLINK(1)",
        "+1",
        "-1+1",
        "@SUM(A1)",
        "{=A1}",
        "http://example.com",
        "mailto:a@example.com",
        "internal:Sheet2!A1",
        " padded ",
        "\n",
        "<r><t>rich</t></r>",
        '<r></r></is></c><c r="B1"><f>1+1</f></c><c><is><r></r>',
        "<b>&amp;</b>",
        "\x00\x01\x0b\x1f",
        "a\r\nb\rc",
        "_x0041_ _x005F_",
        "\ud7ff\ue000\U0010ffff",
        "é 東京 \N{ROCKET}",
    ],
)
def test_a_text_stays_a_text_whatever_it_looks_like(text: str) -> None:
    for column in (Column("a"), Column("a", "numeric"), Column(text, "date")):
        with made([column], [[text]]) as (file, cut):
            assert cut == WHOLE
            table = sheets(file)["Answer"]
            assert table[1] == [text]
            assert table[0] == [column.name]
            assert not any("hyperlink" in name for name in zipfile.ZipFile(file).namelist())


texts = st.text(max_size=30) | st.text("=<r></>_x0041;&\"'\n\r\t\x00\ufffe", max_size=20)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
def test_every_text_is_read_back(table: list[tuple[str, str]]) -> None:
    with made([Column("a"), Column("b")], table) as (file, _):
        found = sheets(file)["Answer"]
    written = [[re.sub("[\ufffe\uffff]", "\ufffd", text) for text in row] for row in table]
    assert [[text or "" for text in row] for row in found[1:]] == written


def test_null_is_no_cell_and_an_empty_text_is_one() -> None:
    with made([Column("a"), Column("b")], [[None, ""], [None, None], [1, 2]]) as (file, _):
        with zipfile.ZipFile(file) as parts:
            sheet = parts.read("xl/worksheets/sheet1.xml").decode()
        assert 'r="A2"' not in sheet
        assert 'r="B2"' in sheet
        assert sheets(file)["Answer"][3] == [1, 2]


@rows("char", ["x", "\N{ROCKET}"])
def test_a_text_that_is_too_long_is_shortened_and_counted_on_another_sheet(char: str) -> None:
    most = CELL_UNITS_MAX // (len(char.encode("utf-16-le")) // 2)
    columns = [Column("a"), Column("b")]
    with made(columns, [[char * most, char * (most + 1)]]) as (file, cut):
        assert cut == Cut(values=1)
        found = sheets(file)
    assert found["Answer"][1] == [char * most, char * most]
    assert found["Notes"] == [["1 value is shortened to fit."]]


def test_rows_beyond_a_sheet_are_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert XLSX_ROWS_MAX == 2**20 - 1
    assert COLUMNS_MAX <= 16_384  # so that columns always fit
    monkeypatch.setattr(workbook, "XLSX_ROWS_MAX", 2)
    with made([Column("a")], [[1], [2], [3]], Cut(RowsCut.MAX_BYTES, values=2)) as (file, cut):
        assert cut == Cut(RowsCut.MAX_ROWS, values=2)
        found = sheets(file)
    assert [row for [row] in found["Answer"]] == ["a", 1, 2]
    assert [line for [line] in found["Notes"]] == cut.sentences(2)


def test_a_disk_without_room_is_an_error_of_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file = io.BytesIO()
    book = WorkbookFile(file)
    book.begin([Column("a")])
    book.rows([[1]])
    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    with pytest.raises(OSError, match="No space left") as caught:
        book.end(1, WHOLE)
    assert caught.value.errno == errno.ENOSPC
    book.discard()
    del book, caught
    gc.collect()
    assert not file.closed


def test_nothing_is_left_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook.tempfile, "tempdir", str(tmp_path))
    with made([Column("a")], [[1]]):
        pass
    book = WorkbookFile(io.BytesIO())
    book.begin([Column("a")])
    book.rows([[1], [2]])
    assert list(tmp_path.iterdir())
    book.discard()
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_of_a_workbook_that_could_not_be_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scarce(**_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(workbook.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(workbook.tempfile, "mkstemp", scarce)
    file = io.BytesIO()
    with pytest.raises(OSError, match="Too many open files"):
        WorkbookFile(file)
    gc.collect()
    assert not list(tmp_path.iterdir())
    assert not file.closed
    assert file.getvalue() == b""
