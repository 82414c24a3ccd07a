"""Stored answers as files, read back by other readers."""

import csv
import io
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from chatd.answers.csv_lines import BYTE_ORDER_MARK, CsvLines, csv_field
from chatd.answers.cut import WHOLE, Cut
from chatd.answers.exports import (
    FORMATS,
    PIECE_BYTES,
    WITH_BYTE_ORDER_MARK,
    LineWriter,
    distinct_names,
    file_name,
    pieces,
)
from chatd.answers.table import BYTES, Cell, Column, Row
from chatd.wire.names import RowsCut
from tests.rows import rows

OPENS_A_FORMULA = "=+-@＝＋－＠﹢﹣﹦﹫"
AB = [Column("a"), Column("b")]

texts = st.one_of(st.text(max_size=20), st.text("=+-@\t\r\n\"',; 1.e＝a", max_size=12))
cells = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.floats(-1e9, 1e9), texts
)


LINES = {name: one.lines for name, one in FORMATS.items() if one.lines is not None}


def writer(format_name: str) -> LineWriter:
    return LINES[format_name]()


def exported(format_name: str, columns: list[Column], rows: list[Row], cut: Cut = WHOLE) -> bytes:
    """The file; rows that are written together make the same as rows that come one by one."""
    whole = b"".join(pieces(writer(format_name), columns, rows, cut))
    at_once = writer(format_name)
    written = (at_once.begin(columns), at_once.rows(rows), at_once.end(len(rows), cut))
    assert b"".join(written) == whole
    return whole


@rows(
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
        ("\t=1", "\"'\t'=1\""),
        ("\r=1", "\"'\r'=1\""),
        ("a;=1", '"a;\'=1"'),
        ("a; \t-1", "\"a;' \t'-1\""),
        ('a;"=1"', '"a;\'""=1"""'),
        ("a\n\xa0＝1", '"a\n\'\xa0＝1"'),
        ("a;b,=c", '"a;b,=c"'),
        ("SELECT 1;", '"SELECT 1; "'),
        ('"=1', '"\'""=1"'),
        ("\ufeff=1", "'\ufeff=1"),
        ("﹦1", "'﹦1"),
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
    assert exported("md", AB, []) == b"| a | b |\n| --- | --- |\n"


def test_that_something_is_cut_stands_only_where_no_program_takes_it_for_a_row() -> None:
    cut = Cut(RowsCut.MAX_ROWS, values=2)
    for name in ("csv", "json", "ndjson"):
        assert exported(name, AB, [[1, 2]], cut) == exported(name, AB, [[1, 2]])
    assert exported("md", AB, [[1, 2]], cut).decode() == (
        "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
        "\nCut after 1 row, as many as fit; there are more in the database.\n"
        "\n2 values are shortened to fit.\n"
    )


def test_markdown_holds_whole_values_and_is_one_table() -> None:
    long = "word " * 100 + "|\n*end*"
    text = exported("md", [Column("=a|b")], [[long], [None], [{BYTES: "AP8="}], [True]]).decode()
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    assert [token.type for token in tokens].count("table_open") == 1
    assert [token.content for token in tokens if token.type == "inline"] == [
        *("=a|b", "word " * 100 + "|⏎\\*end\\*", "NULL", "AP8=", "true")
    ]


def test_a_byte_order_mark_stands_before_csv_where_it_is_asked_for() -> None:
    assert WITH_BYTE_ORDER_MARK.lines is not None
    marked = b"".join(pieces(WITH_BYTE_ORDER_MARK.lines(), AB, [["é", 1]]))
    assert marked == BYTE_ORDER_MARK + exported("csv", AB, [["é", 1]])
    assert marked.decode("utf-8-sig") == "a,b\r\né,1\r\n"
    assert CsvLines() == writer("csv")


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


@pytest.mark.parametrize(
    ("room", "cut", "name"),
    [
        ("demo", WHOLE, "demo-2026-11-30-1542.csv"),
        ("demo", Cut(values=1), "demo-2026-11-30-1542-truncated.csv"),
        ("sales_eu-2", WHOLE, "sales_eu-2-2026-11-30-1542.csv"),
        ('../..\r\n"x"/é.exe', WHOLE, "x-exe-2026-11-30-1542.csv"),
        ("日本", WHOLE, "answer-2026-11-30-1542.csv"),
        ("r" * 200, WHOLE, f"{'r' * 100}-2026-11-30-1542.csv"),
    ],
)
def test_the_name_of_a_file_says_the_room_the_minute_and_whether_it_is_cut(
    room: str, cut: Cut, name: str
) -> None:
    at = datetime(2026, 11, 30, 15, 42, 59, 999_000, tzinfo=UTC)
    assert file_name(room, int(at.timestamp() * 1000), "csv", cut) == name


@pytest.mark.parametrize("format_name", LINES)
def test_a_large_answer_comes_in_pieces_while_rows_are_taken(format_name: str) -> None:
    taken = 0

    def rows() -> Iterator[Row]:
        nonlocal taken
        for number in range(200):
            taken = number
            yield [number, "x" * 5_000]

    coming = pieces(writer(format_name), AB, rows())
    first = next(coming)
    assert len(first) == PIECE_BYTES
    assert taken < 20
    all_pieces = [first, *coming]
    assert {len(piece) for piece in all_pieces[:-1]} == {PIECE_BYTES}
    assert 0 < len(all_pieces[-1]) <= PIECE_BYTES
    assert b"".join(all_pieces) == exported(
        format_name, AB, [[number, "x" * 5_000] for number in range(200)]
    )


hostile_texts = st.lists(
    st.sampled_from(
        [
            *(
                "=1",
                "-2",
                "+3",
                "@SUM(A1)",
                "＝4",
                "-",
                "=",
                "2+cmd|'/C calc'!A0",
                '=HYPERLINK("x")',
            ),
            *(
                ";",
                ";",
                "\t",
                "\n",
                "\r\n",
                "\r",
                ",",
                '"',
                '""',
                "'",
                " ",
                "\xa0",
                "\ufeff",
                "a",
                "\x01",
            ),
        ]
    ),
    max_size=7,
).map("".join)
hostile_cells = cells | hostile_texts | st.binary(max_size=6).map(lambda raw: {BYTES: b64(raw)})


def b64(raw: bytes) -> str:
    return b64encode(raw).decode()


def cells_as_split(text: str, delimiter: str) -> list[str]:
    """The cells of a file as a spreadsheet finds them that splits at `delimiter`.

    A quote opens a quoted field where the field begins, and nowhere else; in such a field two
    quotes are one, and one closes it; what is behind that up to the delimiter belongs to it.
    """
    cells, cell, at = [], "", 0
    is_new, is_quoted = True, False
    while at < len(text):
        char, at = text[at], at + 1
        if is_quoted:
            if char != '"':
                cell += char
            elif text[at : at + 1] == '"':
                cell, at = cell + '"', at + 1
            else:
                is_quoted = False
        elif char == '"' and is_new:
            is_quoted, is_new = True, False
        elif char in (delimiter, "\r", "\n"):
            cells.append(cell)
            cell, is_new = "", True
        else:
            cell, is_new = cell + char, False
    return [*cells, cell]


NUMBER = r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?"
# A row that begins with a negative number, up to where it is cut: numbers, texts, and words.
OPERAND = rf'({NUMBER}|"([^"]|"")*"|[A-Za-z0-9+/]*=*)'
HARMLESS = re.compile(rf'{NUMBER}(,{OPERAND})*(,"([^"]|"")*)?')


def as_read(text: str) -> str:
    return text.replace("'", "").replace(" ", "")


def runs(cell: str) -> bool:
    """Whether a spreadsheet might take a cell for a formula that does something."""
    begins = cell.lstrip(' \t\r\n\xa0\ufeff\x01"')
    return begins[:1] in tuple(OPENS_A_FORMULA) and HARMLESS.fullmatch(cell) is None


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@given(
    names=st.tuples(hostile_texts, hostile_texts),
    rows=st.lists(st.tuples(hostile_cells, hostile_cells).map(list), max_size=5),
)
@example(names=("a", "b"), rows=[["x", ";=1"], [-5, "2+cmd|'/C calc'!A0"], [1, "a;"], [-1, "=2"]])
@example(names=("a", "b"), rows=[["x", 'a;"=1'], [1, '";=2'], [1, "\n-3"], [1, ';""'], [-4, '"']])
def test_wherever_a_spreadsheet_splits_it_finds_no_formula(
    delimiter: str, names: tuple[str, str], rows: list[Row]
) -> None:
    text = exported("csv", [Column(name) for name in names], rows).decode()
    assert [cell for cell in cells_as_split(text, delimiter) if runs(cell)] == []


@pytest.mark.parametrize(
    ("text", "delimiter", "found"),
    [
        ('1,"a;=1"\r\n', ";", ['1,"a', '=1"', "", ""]),
        ('1,"a;=1"\r\n', ",", ["1", "a;=1", "", ""]),
        ('"a""b";c', ";", ['a"b', "c"]),
        ('1;";\n"x', ";", ["1", ";\nx"]),
    ],
)
def test_the_judge_splits_as_spreadsheets_do(text: str, delimiter: str, found: list[str]) -> None:
    assert cells_as_split(text, delimiter) == found


def test_the_judge_knows_a_formula() -> None:
    for cell in ("=1", " =1", '"=1', "-1+2", "-5,2+cmd|'/C calc'!A0", '-5,"a"&B1', "\t=1"):
        assert runs(cell)
    for cell in ("-5", "-5.5e-3", '-5,"2+""cmd"",3",-4,true', "a=1", "'=1", ""):
        assert not runs(cell)


@given(st.lists(st.tuples(cells, hostile_cells).map(list), max_size=8))
def test_csv_reads_back_the_same_but_for_apostrophes_and_spaces(rows: list[Row]) -> None:
    text = exported("csv", AB, rows).decode()
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert len(read) == len(rows) + 1
    for row, fields in zip(rows, read[1:], strict=True):
        for cell, field in zip(row, fields, strict=True):
            if isinstance(cell, str):
                assert as_read(field) == as_read(cell)
                if re.fullmatch(NUMBER, cell):
                    assert field == cell
            elif isinstance(cell, int | float) and not isinstance(cell, bool):
                assert field == repr(cell)


@given(st.lists(st.tuples(cells, cells).map(list), max_size=8))
def test_json_reads_back_the_same(rows: list[Row]) -> None:
    objects = [dict(zip("ab", row, strict=True)) for row in rows]
    assert json.loads(exported("json", AB, rows)) == objects
    lines = exported("ndjson", AB, rows).split(b"\n")
    assert [json.loads(line) for line in lines if line] == objects
