"""From what a tool answers to columns and rows."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.mcp.calls import ToolCall
from chatd.answers.mcp.documents import ResultTable
from chatd.answers.mcp.exact_json import from_json
from chatd.answers.mcp.failures import SENTENCE_CHARS
from chatd.answers.mcp.mapping import Binary, Form, PeerMapping
from chatd.answers.mcp.meter import Meter
from chatd.answers.mcp.results import UNEXPECTED, ToolResult, read
from chatd.answers.requests import DatabaseFailed
from chatd.answers.sql.scopes import TableName
from chatd.answers.table import Column
from chatd.wire.codes import Code
from tests.answers.mcp.test_meter import Plate
from tests.rows import rows

MAPPING = PeerMapping(error_prefixes=("Error:",))


def table(
    text: str, form: Form, rows: str = "", *, binary: Binary = Binary.NONE, name: str | None = None
) -> ResultTable:
    call = ToolCall("t", {}, form, rows, None if name is None else TableName(name))
    return read(ToolResult(text), call, PeerMapping(binary=binary), 1000)


def names(found: ResultTable) -> list[str]:
    return [column.name for column in found.columns]


def failure(result: ToolResult, form: Form = Form.JSON) -> DatabaseFailed:
    with pytest.raises(DatabaseFailed) as caught:
        read(result, ToolCall("t", {}, form), MAPPING, 1000)
    return caught.value


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ('[{"a": 1, "b": null}, {"a": 2, "c": true}]', ["a", "b", "c"],
         [[1, None, None], [2, None, True]]),
        ('{"columns": ["a", {"name": "b", "type": "INT"}], "rows": [[1, 2], {"b": 3}]}',
         ["a", "b"], [[1, 2], [None, 3]]),
        ('{"rows": [{"a": 1}]}', ["a"], [[1]]),
        ('{"success": true, "data": [{"a": 1}]}', ["a"], [[1]]),
        ("[[1, 2], [3, 4]]", ["column 1", "column 2"], [[1, 2], [3, 4]]),
        ('["a", 5]', ["value"], [["a"], [5]]),
        ('{"a": 1}', ["a"], [[1]]),
        ("[]", [], []),
    ],
)  # fmt: skip
def test_json_has_many_shapes_for_a_table(text: str, columns: list[str], rows: Any) -> None:
    found = table(text, Form.JSON)
    assert names(found) == columns
    assert found.rows == rows


def test_structured_content_has_the_shapes_of_json() -> None:
    document = {"columns": [{"name": "a", "type": "INT"}], "rows": [[1]], "truncated": True}
    found = read(ToolResult("", document), ToolCall("t", {}, Form.STRUCTURED), MAPPING, 1000)
    assert found == ResultTable((Column("a", "INT"),), [[1]], is_truncated=True)


def test_structured_content_that_is_missing_is_an_unexpected_form() -> None:
    assert failure(ToolResult("x"), Form.STRUCTURED).sentence == UNEXPECTED


def test_the_rows_are_found_by_their_path() -> None:
    text = '{"data": {"results": [{"name": "x", "r": 0}, {"name": "t", "r": [{"a": 1}]}]}}'
    assert table(text, Form.JSON, "data.results.*.r", name="t").rows == [[1]]
    assert table(text, Form.JSON, "data.results.1.r").rows == [[1]]
    with pytest.raises(DatabaseFailed, match='There is no table "y"'):
        table(text, Form.JSON, "data.results.*.r", name="y")


def test_numbers_of_json_keep_every_digit() -> None:
    text = "[[9007199254740993, 12345678901234567890.1234, 0.1, 1.50, 1e400, 1e2, -0.0]]"
    assert table(text, Form.JSON).rows == [
        ["9007199254740993", "12345678901234567890.1234", 0.1, 1.5, "1e400", 100.0, -0.0]
    ]


@given(number=st.decimals(allow_nan=False, allow_infinity=False))
def test_a_number_of_json_is_worth_what_was_written(number: Decimal) -> None:
    value = from_json(f"{number:E}" if number else "0.0")
    assert isinstance(value, int | float | str)
    assert Decimal(str(value)) == number


def test_bytes_in_json_are_those_of_the_peer() -> None:
    buffer = '[{"b": {"type": "Buffer", "data": [0, 255]}}]'
    indexed = '[{"b": {"0": 0, "1": 255}}]'
    assert table(buffer, Form.JSON, binary=Binary.BUFFER).rows == [[{"$bytes": "AP8="}]]
    assert table(indexed, Form.JSON, binary=Binary.INDEXED).rows == [[{"$bytes": "AP8="}]]
    assert table(indexed, Form.JSON).rows == [['{"0": 0, "1": 255}']]
    strange = '[{"b": {"type": "Buffer", "data": [256]}}]'
    assert table(strange, Form.JSON, binary=Binary.BUFFER).rows == [
        ['{"type": "Buffer", "data": [256]}']
    ]


def test_a_markdown_table_is_found_in_its_text() -> None:
    text = "Here:\n\n| a | b\\|c |\n|---|:-:|\n| 1 | x\\|y |\n| 2 |  |\n\n2 rows"
    found = table(text, Form.MARKDOWN)
    assert names(found) == ["a", "b|c"]
    assert found.rows == [["1", "x|y"], ["2", ""]]


def test_tab_separated_text_begins_with_the_names() -> None:
    found = table("a\tb\n1\t2\n3\t\n", Form.TABS)
    assert names(found) == ["a", "b"]
    assert found.rows == [["1", "2"], ["3", ""]]


def test_the_notation_of_python_is_read() -> None:
    found = table("[{'a': 1, 'b': b'\\x00', 'c': Decimal('1.50')}]", Form.PYTHON)
    assert found.rows == [[1, {"$bytes": "AA=="}, "1.50"]]
    assert table("[(1, 'x')]", Form.PYTHON).rows == [[1, "x"]]


def test_records_are_read_by_the_names_that_all_of_them_have() -> None:
    text = (
        "1. row\nid: 1\nname: Ann\nnote: not a column\n7. row\nmore: NULL\n\n"
        "2. row\nid: 2\nname: NULL\nmore: 1. row\n\nResult: 2 rows"
    )
    found = table(text, Form.RECORDS)
    assert names(found) == ["id", "name", "more"]
    assert found.rows == [["1", "Ann\nnote: not a column\n7. row", None], ["2", None, "1. row"]]
    assert not found.is_truncated


def test_records_that_were_cut_say_so() -> None:
    text = "1. row\nid: 1\n\nResult: showing first 1 rows (output truncated)"
    assert table(text, Form.RECORDS).is_truncated
    assert table("No rows returned", Form.RECORDS) == ResultTable((), ())
    assert table("Success: 1 rows affected", Form.RECORDS).rows == [["Success: 1 rows affected"]]


def test_names_and_texts_are_what_they_are() -> None:
    assert table("a, b", Form.NAMES).rows == [["a"], ["b"]]
    assert table("", Form.NAMES).rows == []
    assert table("t:\n  a", Form.TEXT).rows == [["t:"], ["  a"]]


def test_one_row_more_than_the_terms_tells_that_there_are_more() -> None:
    call = ToolCall("t", {}, Form.JSON)
    assert len(read(ToolResult("[1, 2, 3, 4]"), call, MAPPING, 2).rows) == 3


@rows(
    ("result", "code", "sentence"),
    [
        (ToolResult("no such table: x", is_error=True), Code.DB_ERROR, "no such table: x"),
        (ToolResult('near "selec": syntax error', is_error=True), Code.DB_SYNTAX,
         'near "selec": syntax error'),
        (ToolResult("Error: bad"), Code.DB_ERROR, "Error: bad"),
        (ToolResult('{"success": false, "error": "bad"}'), Code.DB_ERROR, "bad"),
        (ToolResult('{"success": false, "error": {"message": "bad"}}', is_error=True),
         Code.DB_ERROR, "bad"),
        (ToolResult("", {"code": "db_read_only", "message": "No."}, is_error=True),
         Code.DB_READ_ONLY, "No."),
        (ToolResult("x", {"code": "not_found", "message": "No."}, is_error=True),
         Code.DB_ERROR, "x"),
        (ToolResult("", is_error=True), Code.DB_ERROR, "The database gave an error without words."),
        (ToolResult("a\n\x1b[31mb", is_error=True), Code.DB_ERROR, "a [31mb"),
        (ToolResult("at postgres://me:hush@h/d", is_error=True), Code.DB_ERROR,
         "at postgres://me:***@h/d"),
    ],
)  # fmt: skip
def test_an_error_is_told_in_the_words_of_the_database(
    result: ToolResult, code: Code, sentence: str
) -> None:
    failed = failure(result)
    assert (failed.code, failed.sentence) == (code, sentence)


def test_a_long_error_is_cut() -> None:
    assert len(failure(ToolResult("x" * 100_000, is_error=True)).sentence) == SENTENCE_CHARS + 3


@rows(
    ("text", "form"),
    [
        ("", Form.JSON),
        ("5", Form.JSON),
        ("[" * 100_000, Form.JSON),
        ('{"columns": ["a"], "rows": [[1, 2]]}', Form.JSON),
        ('{"columns": [5], "rows": []}', Form.JSON),
        ("no table", Form.MARKDOWN),
        ("|a|\n|-|\n|1|2|", Form.MARKDOWN),
        ("a\tb\n1", Form.TABS),
        ("5", Form.PYTHON),
        ("[open('x')", Form.PYTHON),
        ("1. row\na: 1", Form.RECORDS),
    ],
)
def test_what_is_no_table_is_an_unexpected_form(text: str, form: Form) -> None:
    failed = failure(ToolResult(text), form)
    assert (failed.code, failed.sentence) == (Code.DB_ERROR, UNEXPECTED)


KEYS = st.sampled_from(["columns", "rows", "data", "name", "type", "success", "error", "0", "a"])
DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(alphabet=st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
)
TEXTS = (
    st.text()
    | DOCUMENTS.map(json.dumps)
    | DOCUMENTS.map(repr)
    | st.text(alphabet="|-: \t\nab1.row\\,")
    | st.builds("1. row\n{}\n\nResult: 1 rows".format, st.text(alphabet="a: \n2.row"))
)


@given(
    text=TEXTS,
    structured=DOCUMENTS,
    form=st.sampled_from(Form),
    binary=st.sampled_from(Binary),
    path=st.sampled_from(["", "data", "rows.0", "*.a"]),
    is_error=st.booleans(),
)
def test_garbage_is_a_failure_of_the_database_and_nothing_else(
    text: str, structured: object, form: Form, binary: Binary, path: str, is_error: bool
) -> None:
    call = ToolCall("t", {}, form, path, TableName("a"))
    failed: DatabaseFailed | None = None
    try:
        found = read(ToolResult(text, structured, is_error), call, PeerMapping(binary=binary), 3)
    except DatabaseFailed as error:
        failed = error
        found = ResultTable((), ())
    assert failed is None or failed.sentence.isprintable()
    assert len(found.rows) <= 4
    assert all(len(row) == len(found.columns) for row in found.rows)
    meter = Meter(Plate(), 10, 1_000_000)
    meter.columns(found.columns)
    meter.rows(found.rows)
