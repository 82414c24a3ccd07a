"""Few tests with many rows: one test runs its check over every row, and fails once with all.

A corpus of hundreds of rows costs hundreds of tests where each is a parameter of its own: each
is collected by every worker and set up alone. `rows` reads as `pytest.mark.parametrize` does, so
that a test changes between both by one word:

    @rows(("text", "size"), [("", 0), pytest.param("a" * 9, 9, id="nine")])
    def test_a_text_has_its_size(text: str, size: int) -> None:
        assert len(text) == size

Every row runs, whatever happens to the rows before it; the failure names each row that failed,
with its reason. Fixtures are set up once and shared by all rows: a check that changes one
(a directory, a daemon) stays parametrised.
"""

import functools
import inspect
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import attrs
import pytest

__all__ = ["Row", "rows"]

Check: TypeAlias = Callable[..., Any]
Ids: TypeAlias = Iterable[str] | Callable[[Any], object | None]

FAILURES = (Exception, pytest.fail.Exception)
"""What a check raises when its row fails."""


@attrs.frozen
class Row:
    """The arguments of one run of a check, and the name that a failure tells."""

    id: str
    arguments: dict[str, Any]


def rows(
    names: str | Sequence[str], values: Iterable[Any], ids: Ids | None = None
) -> Callable[[Check], Check]:
    """Run a check, which may be async, once for each row of `values`, as one test.

    `names`, `values` and `ids` are those of `pytest.mark.parametrize`. A row takes no marks: one
    that needs them is a test of its own. Raises ValueError where there is no row.
    """
    table = _table(names, values, ids)

    def decorate(check: Check) -> Check:
        if inspect.iscoroutinefunction(check):

            @functools.wraps(check)
            async def run_all(*args: Any, **fixtures: Any) -> None:
                failures = []
                for row in table:
                    try:
                        await check(*args, **fixtures, **row.arguments)
                    except FAILURES as failure:
                        failures.append(_told(row, failure))
                _fail_with(failures, len(table))

        else:

            @functools.wraps(check)
            def run_all(*args: Any, **fixtures: Any) -> None:
                failures = []
                for row in table:
                    try:
                        check(*args, **fixtures, **row.arguments)
                    except FAILURES as failure:
                        failures.append(_told(row, failure))
                _fail_with(failures, len(table))

        # What is left are the fixtures that pytest is to pass.
        signature = inspect.signature(check)
        run_all.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[
                parameter
                for name, parameter in signature.parameters.items()
                if name not in table[0].arguments
            ]
        )
        return run_all

    return decorate


def _table(names: str | Sequence[str], values: Iterable[Any], ids: Ids | None) -> list[Row]:
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",")]
    told = None if ids is None or callable(ids) else list(ids)
    table: list[Row] = []
    for index, value in enumerate(values):
        id_: Any = None
        if isinstance(value, type(pytest.param())):
            if value.marks:
                raise ValueError(f"row {index} has marks: make it a test of its own")
            id_, value = value.id, value.values
        elif len(names) == 1:
            value = (value,)
        if len(value) != len(names):
            raise ValueError(f"row {index} has {len(value)} values for {', '.join(names)}")
        if id_ is None:
            id_ = told[index] if told else _id(index, value, ids)
        table.append(Row(str(id_), dict(zip(names, value, strict=True))))
    if not table:
        raise ValueError("there is no row")
    return table


def _id(index: int, values: Sequence[Any], ids: object) -> str:
    """The name of a row: made by `ids`, or else its number and what its values look like."""
    if callable(ids):
        return "-".join(str(ids(value) or value) for value in values)
    shown = ", ".join(repr(value) for value in values)
    return f"{index}: {shown if len(shown) <= 120 else shown[:120] + '...'}"


def _told(row: Row, failure: BaseException) -> str:
    """A row that failed: its name, and where and why it did, from the check on."""
    assert failure.__traceback__ is not None
    check_on = failure.with_traceback(failure.__traceback__.tb_next)
    return f"[{row.id}]\n{''.join(traceback.format_exception(check_on))}"


def _fail_with(failures: Sequence[str], total: int) -> None:
    if failures:
        text = "\n".join(failures)
        pytest.fail(f"{len(failures)} of {total} rows failed\n\n{text}", pytrace=False)
