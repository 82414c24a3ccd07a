"""The sample database: a small shop, so that a first question has data to ask about.

Its rows are those of `chatd.answers.shop`, up to the moment when it is made. Numbers compare and
add up: prices and totals are REAL, and exact. What else databases hold (whole numbers beyond 2^53,
bytes, text that looks like markup) is in a table of its own, `type_examples`.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from chatd.answers.shop import Order, Shop, open_shop
from chatd.answers.shop_words import SUPPLIERS
from chatd.files import give_to_owner_of, sync_directory

_SCHEMA: Final = """
CREATE TABLE suppliers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    country TEXT NOT NULL,
    rating REAL -- 1 to 5
);
CREATE TABLE products (
    id INTEGER PRIMARY KEY,
    supplier_id INTEGER NOT NULL REFERENCES suppliers (id),
    name TEXT NOT NULL UNIQUE,
    category TEXT NOT NULL,
    price REAL NOT NULL, -- euros
    stock INTEGER NOT NULL,
    reorder_at INTEGER NOT NULL -- ordered anew when the stock is below
);
CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE,
    city TEXT NOT NULL,
    country TEXT NOT NULL,
    joined_on DATE NOT NULL,
    newsletter BOOLEAN NOT NULL
);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    placed_at TIMESTAMP NOT NULL, -- UTC
    status TEXT NOT NULL
        CHECK (status IN ('placed', 'paid', 'shipped', 'delivered', 'returned')),
    shipped_on DATE,
    total REAL NOT NULL -- euros
);
CREATE TABLE order_items (
    order_id INTEGER NOT NULL REFERENCES orders (id),
    line INTEGER NOT NULL,
    product_id INTEGER NOT NULL REFERENCES products (id),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    unit_price REAL NOT NULL, -- on the day of the order
    PRIMARY KEY (order_id, line)
) WITHOUT ROWID;
CREATE TABLE payments (
    id INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL UNIQUE REFERENCES orders (id),
    amount REAL NOT NULL,
    method TEXT NOT NULL,
    paid_on DATE NOT NULL
);
CREATE TABLE type_examples (
    id INTEGER PRIMARY KEY,
    what TEXT NOT NULL,
    whole BIGINT,
    approximate REAL,
    exact TEXT,
    text TEXT,
    bytes BLOB
);
CREATE INDEX products_by_supplier ON products (supplier_id);
CREATE INDEX orders_by_customer ON orders (customer_id);
CREATE INDEX orders_by_time ON orders (placed_at);
CREATE INDEX order_items_by_product ON order_items (product_id);
CREATE VIEW sales AS
SELECT
    orders.id AS order_id,
    orders.placed_at,
    customers.name AS customer,
    customers.city,
    customers.country,
    products.name AS product,
    products.category,
    order_items.quantity,
    order_items.unit_price,
    order_items.quantity * order_items.unit_price AS amount
FROM order_items
JOIN orders ON orders.id = order_items.order_id
JOIN customers ON customers.id = orders.customer_id
JOIN products ON products.id = order_items.product_id;
"""
_PICTURE: Final = b"P6 2 2 255\n" + bytes((255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 0))
_TYPE_EXAMPLES: Final = (
    ("nothing at all", None, None, None, None, None),
    ("the least and the largest of 64 bits", -(2**63), -1.5e308, None, None, None),
    ("beyond what JavaScript counts exactly", 2**53 + 1, 2.0**53, None, None, None),
    ("a decimal, exact as text alone", None, 0.1, "0.10000000000000000001", None, None),
    ("empty, which is not NULL", 0, 0.0, "", "", b""),
    ("bytes: a picture of 2 by 2 pixels, PPM", None, None, None, None, _PICTURE),
    ("looks like markup", None, None, None, "Prefers <b>e-mail</b>; asked: is 3 < 4?", None),
    ("more than one line", None, None, None, "Ring twice.\nLeave it with the neighbour.", None),
    ("writing from right to left", None, None, None, "فاطمة و ליאור", None),
    ("scripts without spaces", None, None, None, "東京の田中さくら、上海的王小明", None),
    ("emoji, one of them of several signs", None, None, None, "🌻 👩‍🚀", None),
    ("looks like a formula", None, None, None, "=1+1", None),
)
# From the shop before this one, which kept prices as text; nobody could write to it.
_EARLIER_FORM: Final = "price TEXT NOT NULL, -- exact, as 19.90"

SampleRow = tuple[object, ...]


def make_sample(path: Path, now_ms: int) -> None:
    """Make the sample database at `path`, as of `now_ms`, for its owner alone.

    A file that is there stays as it is, unless it is a sample of an earlier form. The sample is
    whole or absent. Raises `OSError`, `sqlite3.Error`.
    """
    if path.exists() and not _is_of_earlier_form(path):
        return
    # mkstemp: O_EXCL and mode 0600 from the first instant, whatever the umask
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    unfinished = Path(name)
    moment = datetime.fromtimestamp(now_ms // 1000, UTC)
    try:
        with open(descriptor, "rb") as file:
            give_to_owner_of(path.parent, descriptor)
            _fill(unfinished, open_shop(moment))
            os.fsync(file.fileno())
        unfinished.rename(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def _is_of_earlier_form(path: Path) -> bool:
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            found = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'products'")
            return any(_EARLIER_FORM in sql for (sql,) in found if isinstance(sql, str))
    except sqlite3.Error:
        return False  # somebody else's


def _fill(path: Path, shop: Shop) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # No journal beside it: no one opens the file before it has its name.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(_SCHEMA)
        connection.execute("BEGIN")
        for table, rows in (
            ("suppliers", ((number, *one) for number, one in enumerate(SUPPLIERS, start=1))),
            ("products", _products(shop)),
            ("customers", _customers(shop)),
            ("orders", map(_order, shop.orders)),
            ("order_items", _order_items(shop)),
            ("payments", _payments(shop)),
            ("type_examples", ((n, *one) for n, one in enumerate(_TYPE_EXAMPLES, start=1))),
        ):
            values = list(rows)
            places = ", ".join("?" * len(values[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({places})", values)
        connection.execute("COMMIT")


def _euros(quarters: int) -> float:
    """Exact: a quarter is a power of two."""
    return quarters / 4


def _products(shop: Shop) -> Iterator[SampleRow]:
    for one in shop.products:
        yield (
            *(one.number, one.supplier, one.name, one.category, _euros(one.quarters)),
            *(one.stock, one.reorder_at),
        )


def _customers(shop: Shop) -> Iterator[SampleRow]:
    for one in shop.customers:
        yield (
            *(one.number, one.name, one.email, one.city, one.country),
            *(one.joined_on.isoformat(), int(one.newsletter)),
        )


def _order(order: Order) -> SampleRow:
    placed_at = f"{order.placed_at:%Y-%m-%d %H:%M:%S}"
    shipped_on = None if order.shipped_on is None else order.shipped_on.isoformat()
    buyer, total = order.customer.number, _euros(order.quarters)
    return order.number, buyer, placed_at, order.status, shipped_on, total


def _order_items(shop: Shop) -> Iterator[SampleRow]:
    for order in shop.orders:
        for number, line in enumerate(order.lines, start=1):
            product, price = line.product.number, _euros(line.quarters)
            yield order.number, number, product, line.quantity, price


def _payments(shop: Shop) -> Iterator[SampleRow]:
    paid = [(order, order.paid_on) for order in shop.orders if order.paid_on is not None]
    for number, (order, paid_on) in enumerate(paid, start=1):
        yield number, order.number, _euros(order.quarters), order.method, paid_on.isoformat()
