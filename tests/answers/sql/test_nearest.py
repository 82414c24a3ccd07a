"""The names that may have been meant, by the words in which databases say what is not there."""

from chatd.answers.sql.nearest import nearest, unknown_column, unknown_table, with_nearest
from tests.rows import rows


@rows(
    ("complaint", "table"),
    [
        ("no such table: ordrs", "ordrs"),
        ("The database says: no such table: main.ordrs.", "main.ordrs"),
        ('The database says: relation "sales.ordrs" does not exist.', "sales.ordrs"),
        ("Table 'shop.ordrs' doesn't exist", "shop.ordrs"),
        ('There is no table "ordrs".', "ordrs"),
        ("There is no table ordrs here.", "ordrs"),
        ("There is no table My Ordrs here.", "My Ordrs"),
        ("There is no table ordrs here in the schema sales.", "ordrs"),
        ("The database says: no such column: ordrs.", None),
        ("There is no schema sales here; the only one is main.", None),
    ],
)
def test_the_table_is_known_that_is_not_there(complaint: str, table: str | None) -> None:
    assert unknown_table(complaint) == table


@rows(
    ("complaint", "column"),
    [
        ("no such column: o.pric", "pric"),
        ("table orders has no column named pric", "pric"),
        ("no such table: pric", None),
    ],
)
def test_the_column_is_known_that_is_not_there(complaint: str, column: str | None) -> None:
    assert unknown_column(complaint) == column


def test_the_nearest_names_come_first_whatever_their_case() -> None:
    known = ["Orders", "order_items", "customers"]
    assert nearest("ordrs", known)[0] == "Orders"
    assert nearest("CUSTOMERS", known) == ["customers"]
    assert nearest("weather", known) == []
    assert nearest("x" * 101, ["x" * 101]) == []


def test_a_sentence_asks_for_the_names() -> None:
    assert with_nearest("It is not there.", []) == "It is not there."
    assert with_nearest("It is not there.", ["a"]) == "It is not there; did you mean a?"
    assert with_nearest("It is not there.", ["a", "b"]) == "It is not there; did you mean a or b?"
