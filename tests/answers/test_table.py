from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from chatd.answers.table import Cell, cell
from tests.rows import rows


@rows(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        ("text", "text"),
        (7, 7),
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (-(2**63), "-9223372036854775808"),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (Decimal("10.20"), "10.20"),
        (b"\x00\xff", {"$bytes": "AP8="}),
        (date(2026, 11, 24), "2026-11-24"),
        (datetime(2026, 11, 24, 9, 30, tzinfo=UTC), "2026-11-24T09:30:00+00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_a_value_travels_exactly(value: object, expected: Cell) -> None:
    told = cell(value)
    assert told == expected
    assert type(told) is type(expected)
