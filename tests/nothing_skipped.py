"""A test that is skipped fails: what could not run has shown nothing.

The hooks are those of `tests/conftest.py`, and so of each worker of pytest-xdist too.
"""

from collections.abc import Generator
from typing import TypeVar

import pytest

__all__ = ["pytest_make_collect_report", "pytest_runtest_makereport"]

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _failed_if_skipped((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _failed_if_skipped((yield))


def _failed_if_skipped(report: Report) -> Report:
    """The report, as a failure if it told of a skip; an expected failure is not a skip."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _, _, reason = report.longrepr  # type: ignore[misc]
        report.outcome = "failed"
        report.longrepr = f"A skipped test counts as failed. {reason}"
    return report
