"""Rows as mcp-alchemy writes them: read as they are, or not at all."""

from typing import Any

import pytest

from chatd.answers.mcp.records import MIXED_UP, TOO_LONG, Records, read_json_rows, read_records
from chatd.answers.requests import DatabaseFailed
from tests.rows import rows


def json_rows(*documents: str, end: str | None = None) -> str:
    parts = [f"{number}. row\nrow: {one}\n" for number, one in enumerate(documents, 1)]
    return "\n".join([*parts, end or f"Result: {len(documents)} rows"])


def test_records_that_were_cut_say_so() -> None:
    text = "1. row\na: x\n\nResult: showing first 1 rows (output truncated)"
    assert read_records(text, 9) == Records(["a"], [["x"]], is_truncated=True)


def test_a_first_row_that_was_cut_is_no_row() -> None:
    with pytest.raises(DatabaseFailed) as caught:
        read_records("Result: showing first 0 rows (output truncated)", 9)
    assert caught.value.sentence == TOO_LONG


@rows(
    "text",
    [
        "1. row\na: line 1\n\n2. row\na: x\n\nResult: 1 rows",
        "1. row\na: line 1\n2. row\nb: x\n\nResult: 1 rows",
        "1. row\na: x\n\nResult: 2 rows",
        "1. row\na: x\n\nResult: showing first 2 rows (output truncated)",
    ],
)
def test_rows_that_are_not_as_many_as_were_told_are_none(text: str) -> None:
    with pytest.raises(DatabaseFailed) as caught:
        read_records(text, 9)
    assert caught.value.sentence == MIXED_UP


@rows(
    ("document", "value"),
    [
        ("9007199254740991", 9007199254740991),
        ("9007199254740993", "9007199254740993"),
        ("-1", -1),
        ("0.1", 0.1),
        ("1.50", "1.50"),
        ("123456789012345678901234567890.5", "123456789012345678901234567890.5"),
        ("9" * 5_000, "9" * 5_000),
        ("1e+300", 1e300),
        ("1e400", "1e400"),
        ('"NaN"', "NaN"),
        ("true", True),
        ("null", None),
        ('"NULL"', "NULL"),
        ('"line 1\\nb: 2\\n\\n2. row\\nrow: {}"', "line 1\nb: 2\n\n2. row\nrow: {}"),
        ('"\\ud83d\\ude00 😀"', "😀 😀"),
        ('{"a": 1, "big": 12345678901234567890.123}', '{"a": 1, "big": 12345678901234567890.123}'),
        ("[1,null,[2]]", "[1,null,[2]]"),
        ('{\n  "row": 1\n}', '{\n  "row": 1\n}'),
    ],
)
def test_a_value_of_json_is_exact(document: str, value: Any) -> None:
    found = read_json_rows(json_rows(f'{{"a":{document},"b":0}}', '{"a":null , "b":1}'), 9)
    assert found == Records(["a", "b"], [[value, 0], [None, 1]])
    assert type(found.rows[0][0]) is type(value)


def test_columns_of_one_name_are_both_there() -> None:
    assert read_json_rows(json_rows('{"a":1,"a":2}'), 9) == Records(["a", "a"], [[1, 2]])


def test_the_numbers_of_a_column_are_all_written_in_one_way() -> None:
    found = read_json_rows(json_rows('{"a":9.5,"b":1}', '{"a":1.50,"b":2.5}'), 9)
    assert found.rows == [["9.5", 1], ["1.50", 2.5]]


def test_rows_without_columns_are_rows() -> None:
    assert read_json_rows(json_rows("{}", "{}"), 9).rows == [[], []]


@rows(
    "text",
    [
        "1. row\na: 1\n\nResult: 1 rows",
        "1. row\nrow: {\n\nResult: 1 rows",
        json_rows("[1]"),
        json_rows('{"a":1}', '{"b":1}'),
        json_rows('{"a":1} 2'),
        json_rows('{"a" 1}'),
        json_rows("{1:1}"),
        "1. row\nrow: {}",
    ],
)
def test_what_is_no_row_of_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # any; the reader of results tells no more
        read_json_rows(text, 9)
