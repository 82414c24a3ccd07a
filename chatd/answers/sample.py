"""The sample database: a small shop, so that a first question has data to ask about.

It is the same wherever it is made. Its rows come from plain arithmetic on their numbers, and hold
what databases hold: NULL, whole numbers beyond 2^53, exact decimals (as text: SQLite has none),
dates, bytes, names in several scripts, and text that looks like markup.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

from chatd.files import sync_directory

CUSTOMERS = 240
PRODUCTS = 60
ORDERS = 720
FIRST_DAY = date(2025, 1, 6)

_SCHEMA = """
CREATE TABLE suppliers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    country TEXT NOT NULL,
    rating REAL
);
CREATE TABLE products (
    id INTEGER PRIMARY KEY,
    supplier_id INTEGER NOT NULL REFERENCES suppliers (id),
    name TEXT NOT NULL UNIQUE,
    description TEXT,
    price TEXT NOT NULL, -- exact, as 19.90
    weight_kg DECIMAL(6, 3),
    barcode BIGINT NOT NULL,
    thumbnail BLOB
);
CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    email VARCHAR(120) NOT NULL UNIQUE,
    city TEXT,
    born DATE,
    loyalty_number BIGINT,
    is_business BOOLEAN NOT NULL,
    note TEXT
);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    placed_at TIMESTAMP NOT NULL,
    shipped_on DATE,
    status TEXT NOT NULL CHECK (status IN ('placed', 'paid', 'shipped', 'returned'))
);
CREATE TABLE order_items (
    order_id INTEGER NOT NULL REFERENCES orders (id),
    line INTEGER NOT NULL,
    product_id INTEGER NOT NULL REFERENCES products (id),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    unit_price TEXT NOT NULL,
    PRIMARY KEY (order_id, line)
) WITHOUT ROWID;
CREATE TABLE payments (
    id INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL REFERENCES orders (id),
    amount_cents INTEGER NOT NULL,
    method TEXT NOT NULL,
    paid_on DATE NOT NULL,
    reference TEXT
);
CREATE INDEX products_by_supplier ON products (supplier_id);
CREATE INDEX customers_by_city ON customers (city);
CREATE INDEX orders_by_customer ON orders (customer_id, placed_at);
CREATE INDEX order_items_by_product ON order_items (product_id);
CREATE INDEX payments_by_order ON payments (order_id);
CREATE VIEW order_totals AS
SELECT
    orders.id AS order_id,
    customers.name AS customer,
    orders.placed_at,
    orders.status,
    count(*) AS lines,
    sum(order_items.quantity * CAST(round(order_items.unit_price * 100) AS INTEGER)) AS total_cents
FROM orders
JOIN customers ON customers.id = orders.customer_id
JOIN order_items ON order_items.order_id = orders.id
GROUP BY orders.id;
"""


def _listed(text: str) -> tuple[str, ...]:
    """The names in a text, with commas between them."""
    return tuple(name.strip() for name in text.split(","))


_SUPPLIERS = (
    ("Nordlicht Keramik", "Germany", 4.7),
    ("Atelier Lumière", "France", 4.4),
    ("東風製作所", "Japan", 4.9),
    ("Καλλιτεχνία", "Greece", None),
    ("Cooper & Sons <est. 1902>", "United Kingdom", 3.8),
    ("Żółta Łódź", "Poland", 4.1),
    ("أعمال الخشب", "Morocco", 4.3),
    ("Ferreteria Sol ☀", "Mexico", 3.9),
)
_GOODS = _listed("""
    Teapot, Mug, Notebook, Desk lamp, Oak shelf, Wool blanket, Bread knife, Picture frame,
    Garden chair, Wall clock
""")
_STYLES = ("blue", "white", "striped", "small", "large", "‹edition 7›")
_GIVEN_NAMES = _listed("""
    Ada, José, Zoë, Łukasz, Αθηνά, Дмитрий, さくら, 小明, ליאור, فاطمة, Priya, Siobhán, Minh, Ngozi,
    🌻 Flora
""")
_FAMILY_NAMES = _listed("""
    Lovelace, García, Müller, Kowalski, Παπαδοπούλου, Иванов, 田中, 王, O'Brien, Nguyễn, Okafor,
    Smith-Jones, d'Arc
""")
_CITIES = ("Berlin", "Kraków", "Αθήνα", "京都", "São Paulo", "Lagos", "Москва", "Dublin", None)
_METHODS = ("card", "transfer", "invoice")
_NOTES = (
    None,
    None,
    None,
    "Prefers <b>e-mail</b>; never call.",
    "Asked: is 3 < 4? Yes, and 5 > 4.",
    "VIP 🎉",
    "Ring twice.\nLeave it with the neighbour.",
)

SampleRow = tuple[object, ...]


def make_sample(path: Path) -> None:
    """Make the sample database at `path`, where nothing is there yet; for its owner alone.

    It is whole or absent. Raises `OSError`, `sqlite3.Error`.
    """
    if path.exists():
        return
    # mkstemp: O_EXCL and mode 0600 from the first instant, whatever the umask
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    unfinished = Path(name)
    try:
        with open(descriptor, "rb") as file:
            _fill(unfinished)
            os.fsync(file.fileno())
        unfinished.rename(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def _fill(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # No journal beside it: no one opens the file before it has its name.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(_SCHEMA)
        connection.execute("BEGIN")
        for table, rows in (
            ("suppliers", ((number, *one) for number, one in enumerate(_SUPPLIERS, start=1))),
            ("products", _products()),
            ("customers", _customers()),
            ("orders", _orders()),
            ("order_items", _order_items()),
            ("payments", _payments()),
        ):
            values = list(rows)
            places = ", ".join("?" * len(values[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({places})", values)
        connection.execute("COMMIT")


def _some(number: int, salt: int, below: int) -> int:
    """A whole number from 0 to `below` - 1 that looks as if by chance, always the same."""
    mixed = (number * 2_654_435_761 + salt * 40_503) & 0xFFFF_FFFF
    mixed ^= mixed >> 15
    mixed = mixed * 2_246_822_519 & 0xFFFF_FFFF
    return (mixed ^ mixed >> 13) % below


def _one(choices: Sequence[object], number: int, salt: int) -> object:
    return choices[_some(number, salt, len(choices))]


def _price_cents(product: int) -> int:
    return 490 + 10 * _some(product, 1, 1_900)


def _decimal(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def _products() -> Iterator[SampleRow]:
    for number in range(1, PRODUCTS + 1):
        goods = _GOODS[(number - 1) % len(_GOODS)]
        style = _STYLES[(number - 1) // len(_GOODS) % len(_STYLES)]
        yield (
            number,
            1 + _some(number, 2, len(_SUPPLIERS)),
            f"{goods}, {style}",
            None if number % 7 == 0 else f"{goods} for every day; holds < {number} of anything.",
            _decimal(_price_cents(number)),
            None if number % 5 == 0 else (100 + _some(number, 3, 9_000)) / 1000,
            # Longer than what a number of JavaScript keeps exact.
            40_000_000_000_000_001 + number * 7_919,
            None if number % 4 == 0 else _thumbnail(number),
        )


def _thumbnail(number: int) -> bytes:
    """A picture of 4 by 4 pixels in the format PPM."""
    pixels = bytes(_some(number * 48 + at, 4, 256) for at in range(48))
    return b"P6 4 4 255\n" + pixels


def _customers() -> Iterator[SampleRow]:
    for number in range(1, CUSTOMERS + 1):
        # Numbers without a common factor: every pair of names comes once before any comes again.
        given = _GIVEN_NAMES[number % len(_GIVEN_NAMES)]
        family = _FAMILY_NAMES[number // len(_GIVEN_NAMES) % len(_FAMILY_NAMES)]
        born = date(1950, 1, 1) + timedelta(days=_some(number, 5, 18_000))
        yield (
            number,
            f"{given} {family}",
            f"customer{number}@shop.example",
            _one(_CITIES, number, 6),
            None if number % 6 == 0 else born.isoformat(),
            None if number % 3 == 0 else 9_007_199_254_740_993 + number * 1_000_003,
            int(number % 9 == 0),
            _one(_NOTES, number, 7),
        )


def _day_of(order: int) -> date:
    return FIRST_DAY + timedelta(days=order * 600 // ORDERS)


def _status_of(order: int) -> str:
    if order > ORDERS - 25:
        return "placed"
    if order > ORDERS - 60:
        return "paid"
    return "returned" if _some(order, 8, 19) == 0 else "shipped"


def _orders() -> Iterator[SampleRow]:
    for number in range(1, ORDERS + 1):
        day, status = _day_of(number), _status_of(number)
        minute = _some(number, 9, 1_440)
        is_sent = status in ("shipped", "returned")
        yield (
            number,
            1 + _some(number, 10, CUSTOMERS),
            f"{day.isoformat()} {minute // 60:02}:{minute % 60:02}:00",
            (day + timedelta(days=1 + _some(number, 11, 5))).isoformat() if is_sent else None,
            status,
        )


def _items_of(order: int) -> Iterator[tuple[int, int, int]]:
    """The items of an order: line, product, quantity."""
    for line in range(1, 2 + _some(order, 12, 5)):
        at = order * 8 + line
        yield line, 1 + _some(at, 13, PRODUCTS), 1 + _some(at, 14, 4)


def _order_items() -> Iterator[SampleRow]:
    for order in range(1, ORDERS + 1):
        for line, product, quantity in _items_of(order):
            yield order, line, product, quantity, _decimal(_price_cents(product))


def _payments() -> Iterator[SampleRow]:
    number = 0
    for order in range(1, ORDERS + 1):
        if _status_of(order) == "placed":
            continue
        number += 1
        cents = sum(quantity * _price_cents(product) for _, product, quantity in _items_of(order))
        paid_on = _day_of(order) + timedelta(days=_some(order, 15, 3))
        method = _one(_METHODS, order, 16)
        reference = f"R-{order:06}" if method == "transfer" else None
        yield number, order, cents, method, paid_on.isoformat(), reference
