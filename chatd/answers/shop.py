"""The rows of the sample shop: two years of a small shop's business, up to the moment it is made.

They come from plain arithmetic on their numbers and days: the same moment gives the same shop.
Amounts are whole quarters of a euro. As REAL they are exact, and so is each sum of them, in
whatever order they are added: SQLite has no decimals, and 0.1 + 0.2 would not print as 0.3.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate
from typing import Final

import attrs

from chatd.answers.shop_words import (
    FAMILY_NAMES,
    FURNITURE,
    GARDEN,
    GIVEN_NAMES,
    LIGHTING,
    METHODS,
    PLACES,
    PRODUCTS,
    STATIONERY,
    TEXTILES,
)
from chatd.chat.words import folded

CUSTOMERS: Final = 240
MONTHS: Final = 24  # before the one it is made in

_MONTHS_PERCENT = (75, 70, 85, 90, 95, 90, 95, 80, 90, 105, 160, 200)  # of an ordinary month
_WEEKDAYS_PERCENT = (120, 105, 100, 95, 90, 80, 110)  # of an ordinary day, from Monday on
_SALES = (  # from and to, as month and day, and how much less it costs
    ((1, 2), (1, 20), 25),
    ((7, 1), (7, 21), 20),
    ((11, 20), (11, 30), 30),
)
_SEASONS = {  # months in which three times as much of a category is bought
    GARDEN: (4, 5, 6, 7),
    LIGHTING: (10, 11, 12, 1),
    TEXTILES: (9, 10, 11),
    STATIONERY: (12,),
}


@attrs.frozen
class Customer:
    """`joined_on` ascends with the number."""

    number: int
    name: str
    email: str
    city: str
    country: str
    joined_on: date
    newsletter: bool


@attrs.frozen
class Product:
    """`quarters`: the price of today. It is to be ordered when `stock` is below `reorder_at`."""

    number: int
    supplier: int
    name: str
    category: str
    quarters: int
    stock: int
    reorder_at: int


@attrs.frozen
class Line:
    """A product in an order, at the price of that day."""

    product: Product
    quantity: int
    quarters: int


@attrs.frozen
class Order:
    """`paid_on` is None until it is paid, `shipped_on` until it is shipped."""

    number: int
    customer: Customer
    placed_at: datetime
    status: str
    paid_on: date | None
    shipped_on: date | None
    method: str
    lines: tuple[Line, ...]

    @property
    def quarters(self) -> int:
        return sum(line.quantity * line.quarters for line in self.lines)


@attrs.frozen
class Shop:
    """All rows, by number."""

    customers: tuple[Customer, ...]
    products: tuple[Product, ...]
    orders: tuple[Order, ...]


def open_shop(now: datetime) -> Shop:
    """The shop as of `now` in UTC, as SQLite's `date('now')` is.

    The first order is of the first day of the month `MONTHS` before, the last of the day of `now`.
    """
    year, month = divmod(now.year * 12 + now.month - 1 - MONTHS, 12)
    first_day, today = date(year, month + 1, 1), now.date()
    customers = _customers(first_day, today)
    products = _products()
    return Shop(customers, products, _orders(customers, products, first_day, now))


def _some(number: int, salt: int, below: int) -> int:
    """A whole number from 0 to `below` - 1 that looks random, always the same."""
    mixed = (number * 2_654_435_761 + salt * 40_503) & 0xFFFF_FFFF
    mixed ^= mixed >> 15
    mixed = mixed * 2_246_822_519 & 0xFFFF_FFFF
    return (mixed ^ mixed >> 13) % below


def _customers(first_day: date, today: date) -> tuple[Customer, ...]:
    found = []
    opened = first_day - timedelta(days=500)
    days = (today - opened).days
    known = dict.fromkeys(GIVEN_NAMES, 0)
    for number in range(1, CUSTOMERS + 1):
        at_home = _some(number, 1, 100) < 55
        country, cities = PLACES[0 if at_home else 1 + _some(number, 2, len(PLACES) - 1)]
        # Their numbers have no common factor: every pair comes once before any comes again.
        given = GIVEN_NAMES[country][known[country] % len(GIVEN_NAMES[country])]
        family = FAMILY_NAMES[country][known[country] % len(FAMILY_NAMES[country])]
        known[country] += 1
        address = folded(f"{given}.{family}").replace("'", "")
        found.append(
            Customer(
                number,
                f"{given} {family}",
                f"{address}{number}@example.com",
                cities[_some(number, 5, len(cities))],
                country,
                opened + timedelta(days=(number - 1) * days // CUSTOMERS),
                _some(number, 6, 5) < 2,
            )
        )
    return tuple(found)


def _products() -> tuple[Product, ...]:
    return tuple(
        Product(
            number,
            supplier,
            name,
            category,
            quarters,
            _some(number, 7, 9) if number % 8 == 0 else 15 + _some(number, 7, 90),
            5 if category == FURNITURE else 12,
        )
        for number, (name, category, supplier, quarters) in enumerate(PRODUCTS, start=1)
    )


def _orders(
    customers: Sequence[Customer], products: Sequence[Product], first_day: date, now: datetime
) -> tuple[Order, ...]:
    found: list[Order] = []
    days = (now.date() - first_day).days + 1
    demand = [list(accumulate(_demand(one, month) for one in products)) for month in range(1, 13)]
    joining = deque(customers)
    buyers: list[Customer] = []  # as often as they are loyal
    for offset in range(days):
        day = first_day + timedelta(days=offset)
        while joining and joining[0].joined_on <= day:
            buyer = joining.popleft()
            buyers += [buyer] * _loyalty(buyer)
        for minute in sorted(_minutes(day, 75 + 60 * offset // days)):
            placed_at = datetime.combine(day, time(), UTC) + timedelta(minutes=minute)
            if placed_at <= now:
                number = len(found) + 1
                buyer = buyers[_some(number, 8, len(buyers))]
                lines = _lines(number, products, demand[day.month - 1], day)
                found.append(_order(number, buyer, lines, placed_at, now.date()))
    return tuple(found)


def _loyalty(customer: Customer) -> int:
    """How much more often than others a customer buys; some have only looked around."""
    return 0 if customer.number % 11 == 0 else (1, 1, 1, 2, 3, 7)[_some(customer.number, 9, 6)]


def _minutes(day: date, percent: int) -> list[int]:
    """When orders come in on a day: minutes since midnight."""
    weight = _MONTHS_PERCENT[day.month - 1] * _WEEKDAYS_PERCENT[day.weekday()] * percent
    number = day.toordinal()
    count = (weight + _some(number, 10, 1_000_000)) // 1_000_000
    return [420 + _some(number * 8 + at, 11, 930) for at in range(count)]


def _order(
    number: int, buyer: Customer, lines: tuple[Line, ...], placed_at: datetime, today: date
) -> Order:
    day = placed_at.date()
    age = (today - day).days
    method = METHODS[_some(number, 12, len(METHODS))]
    paid_on = day + timedelta(days=1 + _some(number, 13, 12) if method == "invoice" else 0)
    shipped_on = day + timedelta(days=1 + _some(number, 14, 3))
    is_paid, is_shipped = paid_on <= today and age > 0, shipped_on <= today
    if not is_shipped:
        status = "paid" if is_paid else "placed"
    elif age < 8:
        status = "shipped"
    else:
        status = "returned" if _some(number, 15, 22) == 0 else "delivered"
    return Order(
        number,
        buyer,
        placed_at,
        status,
        paid_on if is_paid else None,
        shipped_on if is_shipped else None,
        method,
        lines,
    )


def _lines(
    number: int, products: Sequence[Product], demand: Sequence[int], day: date
) -> tuple[Line, ...]:
    """`demand`: for each product, how much of it and of those before it is bought."""
    bought: dict[int, Line] = {}
    for at in range(1 + (0, 0, 1, 1, 2, 3)[_some(number, 16, 6)]):
        product = products[bisect_right(demand, _some(number * 8 + at, 17, demand[-1]))]
        most = 1 if product.quarters > 400 else 2 if product.quarters > 120 else 4
        quantity = 1 + _some(number * 8 + at, 18, most)
        bought[product.number] = Line(product, quantity, price_on(product, day))
    return tuple(bought.values())


def _demand(product: Product, month: int) -> int:
    """How much a product is bought in a month, compared with others: cheap things more often."""
    popularity = 2 + _some(product.number, 19, 9) + (6 if product.quarters < 120 else 0)
    return popularity * (3 if month in _SEASONS.get(product.category, ()) else 1)


def price_on(product: Product, day: date) -> int:
    """The price on a day, in quarters of a euro: less while there is a sale."""
    for begin, end, percent in _SALES:
        if begin <= (day.month, day.day) <= end:
            return product.quarters - product.quarters * percent // 100
    return product.quarters
