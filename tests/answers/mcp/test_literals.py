"""Python's notation, read without running anything."""

import ast
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.mcp.literals import DEPTH_MAX, BadLiteral, parse
from tests.rows import rows

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary()
)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def depth_of(value: object) -> int:
    match value:
        case dict():
            return 1 + max(map(depth_of, value.values()), default=0)
        case list():
            return 1 + max(map(depth_of, value), default=0)
    return 1


@given(value=VALUES)
def test_a_literal_is_read_as_python_reads_it(value: Any) -> None:
    if depth_of(value) < DEPTH_MAX:
        assert parse(repr(value)) == value == ast.literal_eval(repr(value))


@given(text=st.text() | st.text(alphabet="[](){},:='\"\\bDecimal datetime.0123456789eE+-\n"))
def test_garbage_is_a_bad_literal_and_nothing_else(text: str) -> None:
    with contextlib.suppress(BadLiteral):
        parse(text)


@rows(
    ("text", "value"),
    [
        ("Decimal('1.50')", "1.50"),
        ("decimal.Decimal('1E+3')", "1E+3"),
        ("UUID('12345678-1234-5678-1234-567812345678')", "12345678-1234-5678-1234-567812345678"),
        ("datetime.date(2020, 1, 2)", "2020-01-02"),
        ("datetime.datetime(2020, 1, 2, 3, 4)", "2020-01-02T03:04:00"),
        ("datetime.datetime(2020, 1, 2, 3, 4, 5, 60)", "2020-01-02T03:04:05.000060"),
        (
            "datetime.datetime(2020, 1, 2, 3, 4, tzinfo=datetime.timezone.utc)",
            "2020-01-02T03:04:00+00:00",
        ),
        ("datetime.time(3, 4, 5)", "03:04:05"),
        ("bytearray(b'\\x00a')", b"\x00a"),
        ("(1, 'a')", [1, "a"]),
        ("(1,)", [1]),
        ("{1, 2}", [1, 2]),
        ("-inf", "-inf"),
        ("9" * 5000, "9" * 5000),
        ("9007199254740993", 9007199254740993),
    ],
)
def test_what_drivers_print_has_a_value(text: str, value: object) -> None:
    read = parse(text)
    assert (float(read) if text == "-inf" else read) == (float("-inf") if text == "-inf" else value)


@pytest.mark.parametrize(
    "text",
    [
        "datetime.timedelta(days=1)",
        "datetime.datetime(2020, 1, 2, 3, 4, tzinfo=datetime.timezone(datetime.timedelta(0)))",
        "os.system('true')",
        "Range(1, 2)",
    ],
)
def test_a_call_that_is_not_known_is_its_own_text(text: str) -> None:
    assert parse(f"[{text}, 1]") == [text, 1]


@rows("text", ["", "[1", "[1]]", "{'a': 1, 2}", "'a", "a", "1 2", "[" * 100_000, "f(" * 100_000])
def test_what_is_no_value_is_refused(text: str) -> None:
    with pytest.raises(BadLiteral):
        parse(text)
