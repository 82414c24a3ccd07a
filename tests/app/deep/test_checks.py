"""The list of checks is the one that the documents have."""

from chatd.app.deep.checks import CHECKS
from tests.cli.test_tables import rows_of, section_of


def test_every_check_is_documented() -> None:
    rows = rows_of(section_of("operations", "Install"), "check")
    assert [name.strip("`") for name, _ in rows] == [check.name for check in CHECKS]
