"""Stored answers as files, read back by other readers."""

import csv
import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.exports import FORMATS, PIECE_BYTES, csv_field, distinct_names, export
from chatd.answers.table import BYTES, Cell, Column, Row

OPENS_A_FORMULA = "=+-@\t\r\n＝＋－＠"
AB = [Column("a"), Column("b")]

texts = st.one_of(st.text(max_size=20), st.text("=+-@\t\r\n\"',; 1.e＝a", max_size=12))
cells = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.floats(-1e9, 1e9), texts
)


def exported(format_name: str, columns: list[Column], rows: list[Row]) -> bytes:
    file = export(format_name, "id", columns, rows)
    assert file is not None
    return b"".join(file.pieces)


@pytest.mark.parametrize(
    ("cell", "field"),
    [
        (None, ""),
        ("", '""'),
        ("plain", "plain"),
        ("a,b", '"a,b"'),
        ('say "x"', '"say ""x"""'),
        ("two\nlines", '"two\nlines"'),
        (True, "true"),
        (False, "false"),
        (-7, "-7"),
        (-1.5, "-1.5"),
        ("-12", "-12"),
        ("-12.50", "-12.50"),
        ("9007199254740993", "9007199254740993"),
        ("-1e-5", "-1e-5"),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1+1", "'-1+1"),
        ("-", "'-"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", '"\'\t=1"'),
        ("\r=1", '"\'\r=1"'),
        ("  =1", "'  =1"),
        ("＝1", "'＝1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠a", "'＠a"),
        ('=HYPERLINK("x","y")', '"\'=HYPERLINK(""x"",""y"")"'),
        ("a=1", "a=1"),
        ({BYTES: "AP8="}, "AP8="),
        ({BYTES: "+P8="}, "'+P8="),
        ({BYTES: ""}, '""'),
    ],
)
def test_a_cell_is_a_field_that_no_spreadsheet_runs(cell: Cell, field: str) -> None:
    assert csv_field(cell) == field


def test_csv_ends_its_lines_as_the_rfc_says() -> None:
    assert exported("csv", [Column("=a"), Column("b")], [[1, None], ["é", "x"]]) == (
        "'=a,b\r\n1,\r\né,x\r\n".encode()
    )


def test_json_is_a_list_of_objects_and_ndjson_one_a_line() -> None:
    rows: list[Row] = [[1, None], ["é", {BYTES: "AA=="}]]
    objects = [{"a": 1, "b": None}, {"a": "é", "b": {BYTES: "AA=="}}]
    assert json.loads(exported("json", AB, rows)) == objects
    assert [json.loads(line) for line in exported("ndjson", AB, rows).splitlines()] == objects


def test_an_answer_without_rows_is_a_file_too() -> None:
    assert exported("csv", AB, []) == b"a,b\r\n"
    assert exported("json", AB, []) == b"[]\n"
    assert exported("ndjson", AB, []) == b""


@pytest.mark.parametrize(
    ("names", "distinct"),
    [
        ([], []),
        (["a", "b"], ["a", "b"]),
        (["id", "id", "id"], ["id", "id_2", "id_3"]),
        (["id", "id", "id_2"], ["id", "id_3", "id_2"]),
        (["id_2", "id", "id"], ["id_2", "id", "id_3"]),
        (["", ""], ["", "_2"]),
    ],
)
def test_columns_of_one_name_are_told_apart(names: list[str], distinct: list[str]) -> None:
    assert distinct_names([Column(name) for name in names]) == distinct


@given(st.lists(st.sampled_from(["a", "a_2", "a_3", "b", "", "_2"]), max_size=8))
def test_no_two_columns_have_one_name_in_a_file(names: list[str]) -> None:
    distinct = distinct_names([Column(name) for name in names])
    assert len(set(distinct)) == len(names)
    for name, first in zip(names, distinct, strict=True):
        assert first == name or first.startswith(f"{name}_")


def test_the_file_says_what_it_is() -> None:
    file = export("csv", '../..\r\n"x"/6f1e-2', AB, [])
    assert file is not None
    assert file.file_name == "answer-x6f1e-2.csv"
    assert file.media_type == "text/csv; charset=utf-8; header=present"
    assert export("xlsx", "x", AB, []) is None
    assert set(FORMATS) == {"csv", "json", "ndjson"}


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_large_answer_comes_in_pieces_while_rows_are_taken(format_name: str) -> None:
    taken = 0

    def rows() -> Iterator[Row]:
        nonlocal taken
        for number in range(200):
            taken = number
            yield [number, "x" * 5_000]

    file = export(format_name, "id", AB, rows())
    assert file is not None
    first = next(file.pieces)
    assert len(first) == PIECE_BYTES
    assert taken < 20
    pieces = [first, *file.pieces]
    assert {len(piece) for piece in pieces[:-1]} == {PIECE_BYTES}
    assert 0 < len(pieces[-1]) <= PIECE_BYTES
    assert b"".join(pieces) == exported(
        format_name, AB, [[number, "x" * 5_000] for number in range(200)]
    )


@given(st.lists(st.tuples(cells, cells).map(list), max_size=8))
def test_csv_reads_back_and_no_field_begins_a_formula(rows: list[Row]) -> None:
    text = exported("csv", AB, rows).decode()
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert len(read) == len(rows) + 1
    for row, fields in zip(rows, read[1:], strict=True):
        for cell, field in zip(row, fields, strict=True):
            if isinstance(cell, str):
                assert field in (cell, f"'{cell}")
            if field.lstrip(" ")[:1] in OPENS_A_FORMULA and field.strip(" "):
                float(field)


@given(st.lists(st.tuples(cells, cells).map(list), max_size=8))
def test_json_reads_back_the_same(rows: list[Row]) -> None:
    objects = [dict(zip("ab", row, strict=True)) for row in rows]
    assert json.loads(exported("json", AB, rows)) == objects
    lines = exported("ndjson", AB, rows).split(b"\n")
    assert [json.loads(line) for line in lines if line] == objects
