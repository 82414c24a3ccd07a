"""What a person asks the sample database first, by way of the bundled db-mcp: each comes out right.

The right values are counted here from the rows of the shop, in Python and in whole quarters of a
euro, not by SQL.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chatd.answers.requests import DescribeTable, ListTables, SampleTable
from chatd.answers.sample import make_sample
from chatd.answers.shop import Order, open_shop
from chatd.answers.shop_words import SUPPLIERS
from tests.rows import rows
from tests.sqlite_mcp.databases import ask, query

NOW = datetime(2026, 3, 15, 13, 37, tzinfo=UTC)
TODAY = NOW.date()
SHOP = open_shop(NOW)
ITEMS = [(order, line) for order in SHOP.orders for line in order.lines]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sample") / "shop.db"
    make_sample(made, int(NOW.timestamp()) * 1000)
    return made


def total(orders: Iterable[Order]) -> float:
    return sum(one.quarters for one in orders) / 4


def in_month(year: int, month: int) -> list[Order]:
    return [
        one for one in SHOP.orders if (one.placed_at.year, one.placed_at.month) == (year, month)
    ]


def by(key: Callable[[Order], Any]) -> Mapping[Any, list[Order]]:
    groups: defaultdict[Any, list[Order]] = defaultdict(list)
    for one in SHOP.orders:
        groups[key(one)].append(one)
    return groups


def amounts(key: Callable[[Any], Any]) -> Counter[Any]:
    """Quarters by product, or by what a product is of."""
    found: Counter[Any] = Counter()
    for _, line in ITEMS:
        found[key(line.product)] += line.quantity * line.quarters
    return found


def best(quarters: Mapping[Any, int], most: int) -> list[list[Any]]:
    ranked = sorted(quarters.items(), key=lambda one: (-one[1], one[0]))
    return [[name, one / 4] for name, one in ranked[:most]]


PRICES = {one.name: one.quarters for one in SHOP.products}
PIECES = Counter[str]()
for _, _line in ITEMS:
    PIECES[_line.product.name] += _line.quantity
SPENT = Counter[str]()
for _order in SHOP.orders:
    SPENT[_order.customer.name] += _order.quarters
IN_YEAR = {year: total(orders) for year, orders in by(lambda one: one.placed_at.year).items()}
LAST_WEEK = TODAY - timedelta(days=7)

QUESTIONS: list[tuple[str, list[list[Any]]]] = [
    ("SELECT count(*) FROM customers", [[240]]),
    ("SELECT name, price FROM products ORDER BY price DESC LIMIT 3", best(PRICES, 3)),
    (
        "SELECT count(*) FROM products WHERE price > 100",
        [[sum(one > 400 for one in PRICES.values())]],
    ),
    (
        "SELECT name FROM products WHERE price BETWEEN 10 AND 20 ORDER BY name",
        sorted([name] for name, one in PRICES.items() if 40 <= one <= 80),
    ),
    ("SELECT sum(total) FROM orders", [[total(SHOP.orders)]]),
    (
        "SELECT round(avg(total), 2) FROM orders",
        [[round(total(SHOP.orders) / len(SHOP.orders), 2)]],
    ),
    (
        """SELECT strftime('%Y-%m', placed_at) AS month, count(*) AS orders, sum(total) AS revenue
        FROM orders GROUP BY month ORDER BY month""",
        sorted(
            [month, len(orders), total(orders)]
            for month, orders in by(lambda one: f"{one.placed_at:%Y-%m}").items()
        ),
    ),
    (
        """SELECT c.name, sum(o.total) AS spent FROM customers c
        JOIN orders o ON o.customer_id = c.id
        GROUP BY c.id ORDER BY spent DESC, c.name LIMIT 10""",
        best(SPENT, 10),
    ),
    (
        """SELECT customer, sum(amount) AS spent FROM sales GROUP BY customer
        ORDER BY spent DESC, customer LIMIT 10""",
        best(SPENT, 10),
    ),
    (
        """SELECT count(*), sum(total) FROM orders WHERE placed_at >= date('now', 'start of month',
        '-1 month') AND placed_at < date('now', 'start of month')""",
        [[len(in_month(2026, 2)), total(in_month(2026, 2))]],
    ),
    (
        "SELECT id FROM orders WHERE date(placed_at) >= date('now', '-7 days') ORDER BY id",
        [[one.number] for one in SHOP.orders if one.placed_at.date() >= LAST_WEEK],
    ),
    (
        "SELECT name FROM customers WHERE id NOT IN (SELECT customer_id FROM orders) ORDER BY id",
        [[one.name] for one in SHOP.customers if one.name not in SPENT],
    ),
    (
        """SELECT product, sum(quantity) AS pieces FROM sales GROUP BY product
        ORDER BY pieces DESC, product LIMIT 5""",
        sorted(([name, one] for name, one in PIECES.items()), key=lambda x: (-x[1], x[0]))[:5],
    ),
    (
        """SELECT category, sum(amount) AS revenue FROM sales GROUP BY category
        ORDER BY revenue DESC""",
        best(amounts(lambda one: one.category), 99),
    ),
    (
        "SELECT name, stock FROM products WHERE stock < reorder_at ORDER BY stock, name",
        sorted(
            ([one.name, one.stock] for one in SHOP.products if one.stock < one.reorder_at),
            key=lambda x: (x[1], x[0]),
        ),
    ),
    (
        """SELECT strftime('%w', placed_at) AS weekday, count(*) FROM orders GROUP BY weekday
        ORDER BY weekday""",
        sorted([day, len(one)] for day, one in by(lambda one: f"{one.placed_at:%w}").items()),
    ),
    (
        """SELECT city, count(*) AS customers FROM customers GROUP BY city
        ORDER BY customers DESC, city LIMIT 5""",
        sorted(
            ([city, n] for city, n in Counter(one.city for one in SHOP.customers).items()),
            key=lambda x: (-x[1], x[0]),
        )[:5],
    ),
    (
        "SELECT status, count(*) AS orders FROM orders GROUP BY status ORDER BY status",
        sorted([status, len(one)] for status, one in by(lambda one: one.status).items()),
    ),
    (
        "SELECT round(100.0 * sum(status = 'returned') / count(*), 1) FROM orders",
        [[round(100 * len(by(lambda one: one.status)["returned"]) / len(SHOP.orders), 1)]],
    ),
    (
        """SELECT o.id, o.total FROM orders o LEFT JOIN payments p ON p.order_id = o.id
        WHERE p.id IS NULL ORDER BY o.id""",
        [[one.number, one.quarters / 4] for one in SHOP.orders if one.paid_on is None],
    ),
    (
        "SELECT count(*) FROM (SELECT customer_id FROM orders GROUP BY 1 HAVING count(*) > 1)",
        [[sum(len(one) > 1 for one in by(lambda one: one.customer.number).values())]],
    ),
    (
        """SELECT s.name, sum(i.quantity * i.unit_price) AS revenue FROM order_items i
        JOIN products p ON p.id = i.product_id JOIN suppliers s ON s.id = p.supplier_id
        GROUP BY s.id ORDER BY revenue DESC LIMIT 1""",
        best(amounts(lambda one: SUPPLIERS[one.supplier - 1][0]), 1),
    ),
    (
        """WITH m AS (SELECT strftime('%Y', placed_at) AS y, sum(total) AS t FROM orders GROUP BY y)
        SELECT y, t, t - lag(t) OVER (ORDER BY y) FROM m ORDER BY y""",
        [
            ["2024", IN_YEAR[2024], None],
            ["2025", IN_YEAR[2025], IN_YEAR[2025] - IN_YEAR[2024]],
            ["2026", IN_YEAR[2026], IN_YEAR[2026] - IN_YEAR[2025]],
        ],
    ),
    ("SELECT max(date(placed_at)) <= date('now') FROM orders", [[1]]),
]


@rows(("sql", "right"), QUESTIONS)
def test_an_obvious_question_comes_out_right(path: Path, sql: str, right: list[list[Any]]) -> None:
    asked = sql.replace("'now'", f"'{NOW:%Y-%m-%d %H:%M:%S}'")
    answered = query(path, asked)
    assert answered.rows == right
    assert right


@rows(
    "sql",
    [
        "SELECT total FROM orders",
        "SELECT sum(total) FROM orders GROUP BY customer_id",
        "SELECT sum(total) OVER (ORDER BY placed_at) FROM orders",
        "SELECT sum(quantity * unit_price) FROM order_items GROUP BY product_id",
        "SELECT sum(amount) FROM payments GROUP BY method",
        """SELECT total - (SELECT sum(quantity * unit_price) FROM order_items WHERE order_id = id)
        FROM orders""",
    ],
)
def test_amounts_and_their_sums_print_with_two_digits_at_most(path: Path, sql: str) -> None:
    answered = query(path, sql, max_rows=5_000)
    assert len(answered.rows) > 2
    for [amount] in answered.rows:
        assert amount == round(amount, 2)
        assert len(str(amount).partition(".")[2]) <= 2


def test_the_commands_show_the_shop(path: Path) -> None:
    listed = ask(path, ListTables())
    assert [[name, columns] for name, _, columns in listed.rows] == [
        ["customers", 7],
        ["order_items", 5],
        ["orders", 6],
        ["payments", 5],
        ["products", 7],
        ["sales", 10],
        ["suppliers", 4],
        ["type_examples", 7],
    ]
    described = ask(path, DescribeTable("products"))
    assert [row[:2] for row in described.rows][4:6] == [["price", "REAL"], ["stock", "INTEGER"]]
    sampled = ask(path, SampleTable("orders"))
    assert [row[0] for row in sampled.rows][:3] == [1, 2, 3]
