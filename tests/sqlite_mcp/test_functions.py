"""The functions in SQLite's place give what SQLite's own give."""

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from chatd.sqlite_mcp.functions import (
    TRIMMED_CHARS_MAX,
    VALUE_BYTES_MAX,
    bound_functions,
    unhexed,
)
from tests.rows import rows

VALUES: tuple[object, ...] = (
    None,
    "",
    "a",
    "aab",
    "äaä",
    "a\0b",
    "🐘x",
    "  x ",
    b"",
    b"a",
    b"aab",
    b"a\0b",
    1,
    0,
    -5,
    2**60,
    1.0,
    -0.0,
    0.1,
    1e20,
    1e-7,
    100_000.0,
    123_456_789_012_345_678.0,
    float("inf"),
    float("-inf"),
    "0",
    "5",
    ".",
    "e",
)


@pytest.fixture
def own() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


@pytest.fixture
def bounded() -> Iterator[sqlite3.Connection]:
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        closing(sqlite3.connect(":memory:")) as aside,
    ):
        bound_functions(connection, aside)
        yield connection


@pytest.mark.parametrize(
    ("function", "arguments"),
    [("instr", 2), ("trim", 2), ("ltrim", 2), ("rtrim", 2), ("replace", 3), ("trim", 1)],
)
def test_a_function_gives_what_that_of_sqlite_gives(
    own: sqlite3.Connection, bounded: sqlite3.Connection, function: str, arguments: int
) -> None:
    call = f"{function}({', '.join('?' * arguments)})"
    sql = f"SELECT {call}, typeof({call})"
    for values in itertools.product(VALUES, repeat=arguments):
        expected = own.execute(sql, values * 2).fetchone()
        assert bounded.execute(sql, values * 2).fetchone() == expected, values


@rows("function", ["printf", "format"])
@rows(
    "form",
    [
        *("", "x", "%", "%%", "100%", "%5", "%.", "%*", "%z", "%d %d %d"),
        *("%d", "%5d|%-5d", "%,d", "%*d", "%-*.*f", "%05.1f", "%!.3g", "%x"),
        *("%s", "%.2s", "%c", "%.3c", "%.*c", "%q", "%Q", "%w"),
    ],
)
def test_a_format_gives_what_sqlite_gives(
    own: sqlite3.Connection, bounded: sqlite3.Connection, function: str, form: str
) -> None:
    for values in itertools.product((None, 3, -7, 1.5, "it's", "12"), repeat=3):
        sql = f"SELECT {function}(?, ?, ?, ?)"
        expected = own.execute(sql, (form, *values)).fetchone()
        assert bounded.execute(sql, (form, *values)).fetchone() == expected, values


@pytest.mark.parametrize("call", ["printf()", "printf(NULL)", "printf(NULL, 1)", "printf(7)"])
def test_a_format_that_is_none_gives_what_sqlite_gives(
    own: sqlite3.Connection, bounded: sqlite3.Connection, call: str
) -> None:
    assert bounded.execute(f"SELECT {call}").fetchone() == own.execute(f"SELECT {call}").fetchone()


@rows(
    "call",
    [
        "printf('%.*c', 2000000000, 'x')",
        "printf('%.*c', '2000000000', 'x')",
        "printf('%.*c', 2e9, 'x')",
        "printf('%.*c', -2000000000, 'x')",
        "printf('%.2000000000c', 'x')",
        "printf('%-5000000s', 'x')",
        "printf('%.99999999999999999999f', 1)",
        "printf('%4000000c%4000000c', 'x', 'x')",
        "format('%*d%*d', 4000000, 1, 4000000, 1)",
        f"replace(printf('%.*c', {VALUE_BYTES_MAX}, 'a'), 'a', 'bb')",
        "replace('a', 'a', printf('%.*c', 5000000, 'b'))",
        "trim('a', printf('%.*c', 101, 'b'))",
        "rtrim('a', printf('%.*c', 101, 'b'))",
        "instr(CAST(x'ff' AS TEXT), 'a')",
    ],
)
def test_what_would_be_too_much_fails(bounded: sqlite3.Connection, call: str) -> None:
    with pytest.raises(sqlite3.OperationalError, match="user-defined function"):
        bounded.execute(f"SELECT {call}").fetchone()


@pytest.mark.parametrize(
    ("text", "left_out", "expected"),
    [
        ("414243", "", b"ABC"),
        ("41-42 43", "- ", b"ABC"),
        ("--41", "-", b"A"),
        ("4-1", "-", None),  # not within a pair
        ("41-42", " ", None),
        ("414", "4", None),  # digits are never left out
        ("41\0zz", "", b"A"),
        ("", "", b""),
        (None, "", None),
        ("41", None, None),
    ],
)
def test_unhex_leaves_out_what_stands_between_two_pairs_of_digits(
    text: str | None, left_out: str | None, expected: bytes | None
) -> None:
    assert unhexed(text, left_out) == expected
    if sqlite3.sqlite_version_info >= (3, 41):
        with closing(sqlite3.connect(":memory:")) as connection:
            assert rows(connection, "SELECT unhex(?, ?)", (text, left_out)) == [(expected,)]


def test_unhex_takes_few_characters_to_leave_out() -> None:
    with pytest.raises(ValueError, match="too many characters"):
        unhexed("41", "-" * (TRIMMED_CHARS_MAX + 1))
