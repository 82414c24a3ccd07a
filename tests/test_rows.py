"""A test with many rows runs all of them and fails once, with each row that failed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rows import rows


def test_every_row_runs_and_each_failure_is_named_with_its_reason() -> None:
    seen = []

    @rows(("text", "size"), [("", 0), pytest.param("ab", 3, id="three"), ("abc", 3), ("d", 4)])
    def check(text: str, size: int) -> None:
        seen.append(text)
        assert len(text) == size

    with pytest.raises(pytest.fail.Exception) as failed:
        check()
    assert seen == ["", "ab", "abc", "d"]
    said = str(failed.value)
    assert said.startswith("2 of 4 rows failed")
    assert "[three]" in said
    assert "[3: 'd', 4]" in said
    assert said.count("AssertionError") == 2
    assert "assert 2 == 3" in said


def test_a_row_that_calls_fail_or_misses_an_error_fails() -> None:
    @rows("value", [1, 2])
    def check(value: int) -> None:
        with pytest.raises(ValueError, match="invalid literal"):
            int("one" if value == 1 else "2")

    with pytest.raises(pytest.fail.Exception, match=r"1 of 2 rows(?s:.*)DID NOT RAISE"):
        check()


async def test_an_async_check_runs_for_every_row_too() -> None:
    seen = []

    @rows("value", [1, 2, 3], ids=["one", "two", "three"])
    async def check(value: int) -> None:
        seen.append(value)
        assert value != 2

    with pytest.raises(pytest.fail.Exception, match=r"1 of 3 rows failed\n\n\[two\]"):
        await check()
    assert seen == [1, 2, 3]


@pytest.mark.parametrize(
    ("names", "values"),
    [
        pytest.param("value", [], id="no row"),
        pytest.param(("a", "b"), [(1,)], id="too few values"),
        pytest.param("value", [pytest.param(1, marks=pytest.mark.timeout(9))], id="marks"),
    ],
)
def test_a_table_that_would_hide_something_is_refused(names: str, values: list[object]) -> None:
    with pytest.raises(ValueError, match="row"):
        rows(names, values)


@rows("a", [1, 2])
@rows("b", [3, 4])
def test_tables_multiply_and_fixtures_are_passed(a: int, b: int, tmp_path: Path) -> None:
    assert (a, b) in {(1, 3), (1, 4), (2, 3), (2, 4)}
    assert tmp_path.is_dir()


@rows("base", [2, 10])
@given(number=st.integers(min_value=0))
def test_a_property_may_hold_for_every_row(base: int, number: int) -> None:
    assert number // base <= number
