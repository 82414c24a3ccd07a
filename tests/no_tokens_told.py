"""The log of the tests holds no token: logs of CI are kept, and read by more people than the tests.

What a test tells (why it failed, what was printed meanwhile) is masked, and a name that holds a
token ends the run: give the parameters of that test `ids`. The hooks are those of a plugin that
`tests/conftest.py` registers.
"""

import re
from collections.abc import Generator, Sequence

import pytest

MASK = "(a token)"
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*){0,2}")


def masked(text: str) -> str:
    """The text without the tokens in it.

    >>> masked("sent eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln!")
    'sent (a token)!'
    """
    return _TOKEN.sub(MASK, text)


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    named = [item.nodeid for item in items if _TOKEN.search(item.nodeid)]
    if named:
        raise pytest.UsageError(f"A name holds a token; give its test ids: {masked(named[0])}")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.longrepr is not None and _TOKEN.search(told := report.longreprtext):
        report.longrepr = masked(told)
    report.sections = [(name, masked(text)) for name, text in report.sections]
    return report
