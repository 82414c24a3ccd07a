"""The sample database: whole or absent, the same for the same moment, and believable."""

import hashlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatd.answers import sample
from chatd.answers.sample import make_sample
from chatd.answers.shop import open_shop
from tests.rows import rows

NOW = datetime(2026, 3, 15, 13, 37, tzinfo=UTC)
NOW_MS = int(NOW.timestamp()) * 1000
DAY_MS = 86_400_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


@pytest.fixture
def shop(path: Path) -> Iterator[sqlite3.Connection]:
    make_sample(path, NOW_MS)
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def one(shop: sqlite3.Connection, sql: str) -> object:
    (value,) = shop.execute(sql).fetchone()
    return value


def test_it_is_whole_for_its_owner_alone_and_nothing_else_is_left(path: Path) -> None:
    before = os.umask(0)
    try:
        make_sample(path, NOW_MS)
    finally:
        os.umask(before)
    assert os.listdir(path.parent) == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size < 400_000


def test_it_is_the_same_for_the_same_moment(path: Path) -> None:
    make_sample(path, NOW_MS)
    again = path.with_name("again.db")
    make_sample(again, NOW_MS)
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest()


def test_what_is_there_already_is_left_alone(path: Path) -> None:
    make_sample(path, NOW_MS)
    before = path.read_bytes()
    make_sample(path, NOW_MS + 400 * DAY_MS)
    assert path.read_bytes() == before
    path.write_bytes(b"somebody's own")
    make_sample(path, NOW_MS)
    assert path.read_bytes() == b"somebody's own"


def test_a_database_of_somebody_else_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE products (id INTEGER, price TEXT)")
    before = path.read_bytes()
    make_sample(path, NOW_MS)
    assert path.read_bytes() == before


def test_a_sample_whose_prices_are_text_is_replaced(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE products (id INTEGER,\n    price TEXT NOT NULL, -- exact, as 19.90\n x)"
        )
    make_sample(path, NOW_MS)
    with closing(sqlite3.connect(path)) as connection:
        assert one(connection, "SELECT DISTINCT typeof(price) FROM products") == "real"
    assert os.listdir(path.parent) == [path.name]


def test_one_that_could_not_be_finished_is_absent(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> Iterator[tuple[object, ...]]:
        raise OSError("the disk is full")

    monkeypatch.setattr(sample, "_payments", fail)
    with pytest.raises(OSError, match="the disk is full"):
        make_sample(path, NOW_MS)
    assert os.listdir(path.parent) == []


def test_it_is_sound_and_its_rows_belong_together(shop: sqlite3.Connection) -> None:
    assert one(shop, "PRAGMA integrity_check") == "ok"
    assert shop.execute("PRAGMA foreign_key_check").fetchall() == []
    paid = "SELECT sum(total) FROM orders WHERE id IN (SELECT order_id FROM payments)"
    assert one(shop, paid) == one(shop, "SELECT sum(amount) FROM payments")
    assert one(shop, "SELECT sum(total) FROM orders") == one(shop, "SELECT sum(amount) FROM sales")


@rows(
    ("table", "least", "most"),
    [
        ("suppliers", 5, 10),
        ("products", 50, 100),
        ("customers", 200, 300),
        ("orders", 500, 1_000),  # what one answer holds: SELECT * FROM orders is whole
        ("order_items", 1_000, 3_000),
        ("payments", 500, 1_000),
        ("sales", 1_000, 3_000),
        ("type_examples", 8, 20),
    ],
)
def test_every_table_has_rows(shop: sqlite3.Connection, table: str, least: int, most: int) -> None:
    count = one(shop, f"SELECT count(*) FROM {table}")
    assert isinstance(count, int)
    assert least <= count <= most


@rows(
    "sql",
    [
        "SELECT count(*) FROM type_examples WHERE whole > 9007199254740992",
        "SELECT count(*) FROM type_examples WHERE whole < -9007199254740992",
        "SELECT count(*) FROM type_examples WHERE typeof(exact) = 'text' AND exact LIKE '0.1%'",
        "SELECT count(*) FROM type_examples WHERE typeof(bytes) = 'blob'",
        "SELECT count(*) FROM type_examples WHERE text LIKE '%<b>%'",
        "SELECT count(*) FROM type_examples WHERE text GLOB '*田中*'",
        "SELECT count(*) FROM type_examples WHERE text GLOB '*🌻*'",
        "SELECT count(*) FROM type_examples WHERE text = '' AND bytes = x''",
        "SELECT count(*) FROM orders WHERE shipped_on > date(placed_at)",
        "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL",
        "SELECT count(*) FROM pragma_foreign_key_list('order_items')",
    ],
)
def test_it_holds_what_databases_hold(shop: sqlite3.Connection, sql: str) -> None:
    assert one(shop, sql)


@rows(
    "sql",
    [
        "SELECT 1 FROM orders WHERE placed_at > '2026-03-15 13:37:00'",
        "SELECT 1 FROM orders WHERE shipped_on > '2026-03-15'",
        "SELECT 1 FROM payments WHERE paid_on > '2026-03-15'",
        "SELECT 1 FROM customers WHERE joined_on > '2026-03-15'",
        "SELECT 1 FROM orders JOIN customers c ON c.id = customer_id WHERE joined_on > placed_at",
        "SELECT 1 FROM orders WHERE status IN ('delivered', 'returned') AND shipped_on IS NULL",
        "SELECT 1 FROM orders WHERE status = 'paid' AND id NOT IN (SELECT order_id FROM payments)",
        "SELECT 1 FROM orders WHERE status = 'placed' AND id IN (SELECT order_id FROM payments)",
        "SELECT 1 FROM customers GROUP BY name HAVING count(*) > 1",
        "SELECT 1 FROM order_items JOIN products p ON p.id = product_id WHERE unit_price > price",
        "SELECT 1 FROM order_items GROUP BY order_id, product_id HAVING count(*) > 1",
    ],
)
def test_nothing_in_it_makes_a_person_wonder(shop: sqlite3.Connection, sql: str) -> None:
    assert shop.execute(sql).fetchall() == []


@rows(
    "day",
    [
        "2026-01-01T00:00Z",
        "2026-12-31T23:59Z",
        "2024-02-29T12:00Z",
        "2027-03-01T09:00Z",
        "1970-01-01T00:00Z",
    ],
)
def test_on_whatever_day_it_is_made_it_reaches_from_two_years_before_to_that_day(
    day: str,
) -> None:
    moment = datetime.fromisoformat(day)
    shop = open_shop(moment)
    first, last = shop.orders[0].placed_at, shop.orders[-1].placed_at
    assert 0 <= (moment - last).days <= 4
    assert (first.year, first.month) == (moment.year - 2, moment.month)
    months = {(one.placed_at.year, one.placed_at.month) for one in shop.orders if one.lines}
    assert len(months) >= 24
    assert 500 <= len(shop.orders) <= 1_000


def test_it_sells_more_before_christmas_and_for_less_in_a_sale(shop: sqlite3.Connection) -> None:
    by_month = dict(
        shop.execute("SELECT strftime('%Y-%m', placed_at), sum(total) FROM orders GROUP BY 1")
    )
    assert by_month["2025-12"] > 1.5 * by_month["2025-08"]
    reduced = shop.execute(
        "SELECT DISTINCT strftime('%m', placed_at) FROM sales JOIN products p ON p.name = product"
        " WHERE unit_price < price ORDER BY 1"
    )
    assert [month for (month,) in reduced] == ["01", "07", "11"]
