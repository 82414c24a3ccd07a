"""The sample database: whole or absent, the same everywhere, and with something of everything."""

import hashlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chatd.answers import sample
from chatd.answers.sample import make_sample
from tests.rows import rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


@pytest.fixture
def shop(path: Path) -> Iterator[sqlite3.Connection]:
    make_sample(path)
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def one(shop: sqlite3.Connection, sql: str) -> object:
    (value,) = shop.execute(sql).fetchone()
    return value


def test_it_is_whole_for_its_owner_alone_and_nothing_else_is_left(path: Path) -> None:
    before = os.umask(0)
    try:
        make_sample(path)
    finally:
        os.umask(before)
    assert os.listdir(path.parent) == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size < 1_000_000


def test_it_is_the_same_wherever_it_is_made(path: Path) -> None:
    make_sample(path)
    again = path.with_name("again.db")
    make_sample(again)
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest()


def test_what_is_there_already_is_left_alone(path: Path) -> None:
    path.write_bytes(b"somebody's own")
    make_sample(path)
    assert path.read_bytes() == b"somebody's own"


def test_one_that_could_not_be_finished_is_absent(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Iterator[tuple[object, ...]]:
        raise OSError("the disk is full")

    monkeypatch.setattr(sample, "_payments", fail)
    with pytest.raises(OSError, match="the disk is full"):
        make_sample(path)
    assert os.listdir(path.parent) == []


def test_it_is_sound_and_its_rows_belong_together(shop: sqlite3.Connection) -> None:
    assert one(shop, "PRAGMA integrity_check") == "ok"
    assert shop.execute("PRAGMA foreign_key_check").fetchall() == []
    paid = "SELECT sum(total_cents) FROM order_totals WHERE status <> 'placed'"
    assert one(shop, paid) == one(shop, "SELECT sum(amount_cents) FROM payments")


@pytest.mark.parametrize(
    ("table", "least"),
    [
        ("suppliers", 5),
        ("products", 50),
        ("customers", 200),
        ("orders", 500),
        ("order_items", 1_000),
        ("payments", 500),
        ("order_totals", 500),
    ],
)
def test_every_table_has_rows(shop: sqlite3.Connection, table: str, least: int) -> None:
    count = one(shop, f"SELECT count(*) FROM {table}")
    assert isinstance(count, int)
    assert least <= count <= 5_000


@rows(
    "sql",
    [
        "SELECT count(*) FROM customers WHERE born IS NULL",
        "SELECT count(*) FROM customers WHERE loyalty_number > 9007199254740992",
        "SELECT count(*) FROM products WHERE typeof(price) = 'text' AND price LIKE '%_.__'",
        "SELECT count(*) FROM products WHERE typeof(thumbnail) = 'blob'",
        "SELECT count(*) FROM customers WHERE note LIKE '%<b>%'",
        "SELECT count(*) FROM customers WHERE name GLOB '*田中*'",
        "SELECT count(*) FROM customers WHERE name GLOB '*🌻*'",
        "SELECT count(*) FROM orders WHERE date(shipped_on) > date(placed_at)",
        "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL",
        "SELECT count(*) FROM pragma_foreign_key_list('order_items')",
    ],
)
def test_it_holds_what_databases_hold(shop: sqlite3.Connection, sql: str) -> None:
    assert one(shop, sql)
