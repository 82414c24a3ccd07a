"""Asking the sample of a first start: tables, charts, statements, exports, faults, cuts, hints."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import openpyxl
import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.page.browser.people import PATIENT, House, Person

BY_STATUS: Final = "SELECT status, count(*) AS orders FROM orders GROUP BY status"
STATUSES: Final = {"placed", "paid", "shipped", "delivered", "returned"}
ODD_VALUES: Final = (
    "SELECT 9007199254740993 AS whole, '0.10000000000000000001' AS exact, NULL AS missing"
    " UNION ALL SELECT 10, '2', 'x' UNION ALL SELECT 9, '10', NULL"
)
LONG_CELL: Final = "SELECT 1 AS id, substr(hex(zeroblob(2000)), 1, 3000) || 'the end' AS story"


@pytest.fixture(scope="module")
def shop(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A daemon as it is without any configuration: its database is the sample."""
    house = House(chromium, tmp_path_factory.mktemp("shop"))
    house.start()
    house.server.said("database.connected", "")
    yield house
    house.close()


@pytest.fixture
def ada(shop: House) -> Iterator[Person]:
    """Somebody in the room of the sample, who may use the clipboard."""
    ada = shop.person("ada", permissions=["clipboard-read", "clipboard-write"]).is_in()
    yield ada
    shop.leave(ada)


def cells(card: Locator) -> list[list[str]]:
    """What the table of a card shows, row by row."""
    rows = card.locator("tbody tr[data-row]")
    return [row.locator("td").all_inner_texts() for row in rows.all()]


def column(card: Locator, number: int) -> list[str]:
    return [row[number] for row in cells(card)]


def press(card: Locator, name: str) -> None:
    card.get_by_role("button", name=name, exact=True).click()


def downloaded(card: Locator, name: str) -> bytes:
    """The file that a button of a card gives."""
    with card.page.expect_download() as download:
        press(card, name)
    return Path(download.value.path()).read_bytes()


CUT_CELLS: Final = """
cells => cells.map((cell) => cell.querySelector("[dir]"))
  .filter((value) => value.scrollWidth > value.clientWidth).map((value) => value.textContent)
"""
LINES: Final = """
cells => cells.map((cell) => getComputedStyle(cell)).map(({borderLeftWidth, borderRightWidth}) =>
  [borderLeftWidth, borderRightWidth].join(" "))
"""


def test_short_values_are_shown_whole_where_there_is_room(ada: Person) -> None:
    values = ["Gadget 1", "WWWWWWWWWW", '{"a": 10}', "iiiiiiiiii", "%%@@MMmm", "-12.50", "שלום"]
    for shown in ([value] for value in values), [values]:
        for row in shown:
            columns = ", ".join(f"'{value}' AS c{number}" for number, value in enumerate(row))
            card = ada.ask(f"SELECT {columns}")
            assert cells(card) == [row]
            assert card.locator("tbody td").evaluate_all(CUT_CELLS) == []
            assert card.locator("[data-open]").count() == 0


def test_a_value_that_is_cut_has_a_sign(ada: Person) -> None:
    card = ada.ask("SELECT 'W' || substr(hex(zeroblob(60)), 1, 110) AS a, 'short' AS b")
    assert len(card.locator("tbody td").evaluate_all(CUT_CELLS)) == 1
    expect(card.locator("tbody td").first.locator("[data-open]")).to_be_visible()


def test_a_value_of_another_direction_leaves_the_lines_between_cells(ada: Person) -> None:
    card = ada.ask("SELECT 'one' AS a, 'שלום עולם' AS b, 'مرحبا' AS c")
    assert card.locator("tbody td").evaluate_all(LINES) == ["0px 1px"] * 3


def test_the_three_questions_of_an_empty_room_are_answered(house: House) -> None:
    ada = house.person("ada").is_in()
    questions = ada.page.locator(".message-questions button")
    expect(questions).to_have_text(["/tables", BY_STATUS, "/sample customers"])
    questions.nth(1).click()
    card = ada.last_answer(BY_STATUS)
    expect(card.get_by_role("button", name="Chart")).to_be_visible()
    assert {"delivered"} <= set(column(card, 0)) <= STATUSES
    expect(questions).to_have_count(0)


@pytest.mark.parametrize(
    ("question", "shows"),
    [
        ("/tables", "order_items"),
        ("/describe orders", "placed_at"),
        ("/sample customers", "joined_on"),
        ("/help", "/describe TABLE shows the columns of a table"),
    ],
)
def test_commands_are_answered(ada: Person, question: str, shows: str) -> None:
    card = ada.ask(question)
    expect(card).to_contain_text(shows)
    expect(card.locator(".answer-who")).to_have_text("You asked")


def test_values_stand_exactly_as_they_are(ada: Person) -> None:
    card = ada.ask(ODD_VALUES)
    expect(card).to_have_attribute("aria-label", "Answer: 3 rows")
    assert cells(card) == [
        ["9007199254740993", "0.10000000000000000001", "NULL"],
        ["10", "2", "x"],
        ["9", "10", "NULL"],
    ]
    expect(card.locator("td.is-null")).to_have_count(2)
    whole = card.locator("tbody td").first
    assert whole.evaluate("(cell) => getComputedStyle(cell).textAlign") in ("right", "end")


def test_numbers_are_sorted_as_numbers_and_nulls_stand_last(ada: Person) -> None:
    card = ada.ask(ODD_VALUES)
    whole = card.get_by_role("columnheader", name="whole")
    press(card, "whole")
    expect(whole).to_have_attribute("aria-sort", "ascending")
    assert column(card, 0) == ["9", "10", "9007199254740993"]
    press(card, "whole")
    expect(whole).to_have_attribute("aria-sort", "descending")
    assert column(card, 0) == ["9007199254740993", "10", "9"]
    press(card, "whole")
    expect(whole).to_have_attribute("aria-sort", "none")
    press(card, "missing")
    assert column(card, 2) == ["x", "NULL", "NULL"]
    press(card, "missing")
    assert column(card, 2) == ["x", "NULL", "NULL"]


def test_a_long_value_is_cut_and_opens_whole(ada: Person) -> None:
    card = ada.ask(LONG_CELL)
    expect(card.locator("tbody td").nth(1)).not_to_contain_text("the end")
    card.get_by_role("button", name="Show all of it").click()
    dialog = ada.page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_contain_text("story row 1")
    expect(dialog).to_contain_text("the end")
    expect(dialog).to_contain_text("3,007 characters")
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    copied = ada.page.evaluate("navigator.clipboard.readText()")
    assert len(copied) == 3_007
    ada.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_what_is_copied_is_the_table_in_its_order(ada: Person) -> None:
    card = ada.ask(ODD_VALUES)
    expect(card.get_by_role("button", name="Copy table", exact=True)).to_be_visible()
    press(card, "whole")
    expect(card.get_by_role("columnheader", name="whole")).to_have_attribute(
        "aria-sort", "ascending"
    )
    press(card, "Copy table")
    expect(card.get_by_role("button", name="Copied")).to_be_visible()
    lines = ada.page.evaluate("navigator.clipboard.readText()").splitlines()
    assert [line.split("\t")[:2] for line in lines] == [
        ["whole", "exact"],
        ["9", "10"],
        ["10", "2"],
        ["9007199254740993", "0.10000000000000000001"],
    ]


def test_downloads_hold_what_the_answer_shows(ada: Person) -> None:
    card = ada.ask(ODD_VALUES)
    (head, *rows) = csv.reader(io.StringIO(downloaded(card, "CSV").decode("utf-8-sig")))
    assert head == ["whole", "exact", "missing"]
    assert [row[:2] for row in rows] == [
        ["9007199254740993", "0.10000000000000000001"],
        ["10", "2"],
        ["9", "10"],
    ]
    assert json.loads(downloaded(card, "JSON")) == [
        {"whole": "9007199254740993", "exact": "0.10000000000000000001", "missing": None},
        {"whole": 10, "exact": "2", "missing": "x"},
        {"whole": 9, "exact": "10", "missing": None},
    ]
    book = openpyxl.load_workbook(io.BytesIO(downloaded(card, "XLSX")))
    assert list(book.worksheets[0].iter_rows(values_only=True)) == [
        ("whole", "exact", "missing"),
        ("9007199254740993", "0.10000000000000000001", None),
        (10, "2", "x"),
        (9, "10", None),
    ]


def test_groups_are_drawn_and_the_table_is_a_click_away(ada: Person) -> None:
    card = ada.ask(BY_STATUS)
    counts = dict(zip(column(card, 0), column(card, 1), strict=True))
    press(card, "Chart")
    chart = card.get_by_role("img")
    expect(chart).to_be_visible()
    said = chart.get_attribute("aria-label") or ""
    words = said + (chart.text_content() or "")
    assert all(status in words for status in counts), words
    expect(card.locator("table")).to_have_count(0)
    press(card, "Table")
    expect(card.locator("table")).to_be_visible()


def test_the_axis_of_many_bars_is_in_sight_at_once(ada: Person) -> None:
    card = ada.ask("SELECT name, price FROM products")
    press(card, "Chart")
    axis = card.locator(".answer-picture-axis")
    expect(axis).to_have_text(re.compile(r"^0\d"))
    scroller = card.locator(".answer-chart-scroll").element_handle()
    below_px: float = axis.evaluate(
        """(axis, scroller) =>
          axis.getBoundingClientRect().bottom - scroller.getBoundingClientRect().bottom""",
        scroller,
    )
    assert below_px <= 1


def test_the_statement_is_shown_and_run_again_tells_that_the_rows_are_known(ada: Person) -> None:
    question = "SELECT city,\n  count(*) AS people\nFROM customers\nGROUP BY city"
    card = ada.ask(question)
    expect(card.locator(".answer-badge")).to_have_count(0)
    press(card, "SQL")
    expect(card.locator("pre")).to_have_text(question)
    press(card, "Run again")
    expect(ada.message("SELECT city").filter(has=ada.page.locator(".answer"))).to_have_count(2)
    expect(ada.last_answer(question).locator(".answer-badge")).to_have_text("cached")


LONG_QUESTION: Final = "SELECT " + ", ".join(f"{number} AS c{number}" for number in range(24))
TELEPHONE: Final = {"has_touch": True, "is_mobile": True, "viewport": {"width": 390, "height": 720}}


APART = """([one, other]) => {
    const [a, b] = [one, other].map((element) => element.getBoundingClientRect());
    return a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
}"""


def come_apart(one: Locator, other: Locator) -> None:
    """Return once two elements that are shown do not lie over each other: the page may scroll."""
    one.page.wait_for_function(APART, arg=[one.element_handle(), other.element_handle()])


def test_what_can_be_done_with_an_answer_leaves_its_statement_in_sight(ada: Person) -> None:
    card = ada.ask(LONG_QUESTION)
    card.hover()
    toolbar = ada.log.get_by_role("toolbar")
    expect(toolbar).to_be_visible()
    come_apart(toolbar, card.locator(".answer-line"))


def test_on_a_telephone_the_actions_stand_in_one_row_and_cover_nothing(shop: House) -> None:
    ada = shop.person("ada", **TELEPHONE).is_in()
    card = ada.ask(LONG_QUESTION)
    bar = card.get_by_role("group", name="Actions").last
    tops = "(bar) => [...bar.querySelectorAll(':scope > button')].map((one) => one.offsetTop)"
    assert len(set(bar.evaluate(tops))) == 1
    more = bar.get_by_role("button", name="More actions")
    expect(more).to_be_in_viewport(ratio=1)
    more.tap()
    expect(bar.get_by_role("button", name="Download as NDJSON")).to_be_in_viewport(ratio=1)
    ada.page.keyboard.press("Escape")
    edit = bar.get_by_role("button", name="Edit and run")
    edit.focus()
    expect(edit).to_be_in_viewport(ratio=1)
    come_apart(edit, more)
    line = card.locator(".answer-line")
    line.tap()
    expect(line).to_have_attribute("aria-expanded", "true")
    toolbar = ada.log.get_by_role("toolbar")
    expect(toolbar).to_have_count(0)
    card.locator(".answer-status").tap(position={"x": 4, "y": 4})
    expect(toolbar).to_be_visible()
    come_apart(toolbar, line)
    shop.leave(ada)


def test_a_question_is_edited_and_run(ada: Person) -> None:
    card = ada.ask("SELECT name FROM suppliers WHERE id = 1")
    press(card, "Edit and run")
    ada.has_written("SELECT name FROM suppliers WHERE id = 1")
    ada.page.keyboard.press("Backspace")
    ada.page.keyboard.type("2")
    ada.page.keyboard.press("Enter")
    edited = ada.last_answer("SELECT name FROM suppliers WHERE id = 2")
    assert cells(edited) != cells(card)


def test_an_edited_question_is_asked_again_by_a_click(ada: Person) -> None:
    ada.ask("SELECT 'as it was' AS said")
    asked = ada.log.locator("article:not(.is-database)").last
    asked.hover()
    asked.get_by_role("button", name="Edit", exact=True).click()
    box = ada.log.get_by_role("textbox", name="Edit the message")
    box.fill("SELECT 'as it is' AS said")
    box.press("Enter")
    expect(asked).to_contain_text("An edited question is not asked again.")
    asked.get_by_role("button", name="Ask again").click()
    assert cells(ada.last_answer("SELECT 'as it is' AS said")) == [["as it is"]]
    expect(ada.log).not_to_contain_text("An edited question")


def test_what_was_meant_is_one_click_away(ada: Person) -> None:
    card = ada.ask("SELECT nmae FROM customers LIMIT 1")
    expect(card.locator(".bad").first).to_contain_text("no such column: nmae; did you mean name?")
    expect(card.get_by_role("group", name="Actions").get_by_role("button").first).to_have_text(
        "Edit and run"
    )
    press(card, "Use name")
    ada.has_written("SELECT name FROM customers LIMIT 1")
    ada.page.keyboard.press("Enter")
    expect(ada.last_answer("SELECT name FROM customers LIMIT 1")).to_have_attribute(
        "aria-label", "Answer: 1 row"
    )


def test_a_fault_of_the_statement_is_marked_in_it(ada: Person) -> None:
    card = ada.ask("SELECT id FROM order")
    expect(card.locator(".answer-failure")).to_contain_text("line 1, column 16")
    expect(card.locator(".answer-failure mark")).to_have_text("order")


def test_a_cut_answer_says_so_and_its_export_has_as_many_rows(ada: Person) -> None:
    card = ada.ask("SELECT order_id, line FROM order_items")
    expect(card).to_have_attribute("aria-label", "Answer: 1,000 rows")
    expect(card.locator(".answer-badge")).to_have_text("first 1,000 only")
    expect(card.locator(".answer-cut")).to_contain_text("there are more in the database")
    lines = downloaded(card, "CSV").decode().splitlines()
    assert len(lines) == 1_001


def test_of_a_thousand_rows_those_in_view_are_made(ada: Person) -> None:
    card = ada.ask("SELECT order_id, line FROM order_items ORDER BY order_id, line")
    rows = card.locator("tbody tr[data-row]")
    assert 5 < rows.count() < 60
    box = card.locator(".answer-scroll")
    box.evaluate("(box) => { box.scrollTop = box.scrollHeight; }")
    expect(card.locator("tr[data-row='999']")).to_be_visible()
    assert rows.count() < 60
    expect(card.locator("table")).to_have_attribute("aria-rowcount", "1001")


def test_plan_only_shows_the_plan_for_the_next_question_alone(ada: Person) -> None:
    plan_only = ada.page.get_by_role("checkbox", name="Plan only")
    plan_only.check()
    question = "SELECT total FROM orders WHERE id = 7"
    card = ada.ask(question)
    expect(card.locator(".answer-badge")).to_have_text("plan")
    expect(card).to_contain_text("orders")
    expect(plan_only).not_to_be_checked()
    expect(ada.ask(f"{question} + 0").locator(".answer-badge")).to_have_count(0)


def test_the_sample_is_not_written_to_and_says_why(ada: Person) -> None:
    read_only = ada.page.get_by_role("checkbox", name="Read only")
    expect(read_only).to_have_attribute("aria-disabled", "true")
    card = ada.ask("DELETE FROM orders")
    expect(card.locator(".bad").first).to_contain_text("Only reading is allowed here")


def test_what_is_nearly_sql_can_be_run(ada: Person) -> None:
    ada.say("select name from suppliers where id 3")
    hint = ada.page.locator(".message-hint").last
    expect(hint).to_be_visible()
    hint.get_by_role("button", name="Run it").click()
    expect(ada.last_answer("/sql select name from suppliers where id 3")).to_contain_text("Failed")


def test_a_keyword_that_was_meant_is_put_in_its_place(ada: Person) -> None:
    ada.say("select name frm suppliers")
    hint = ada.page.locator(".message-hint").last
    expect(hint).to_contain_text("did you mean FROM?")
    hint.get_by_role("button", name="Use FROM").click()
    ada.has_written("select name FROM suppliers")


def test_an_unknown_command_is_told_with_what_was_meant(ada: Person) -> None:
    ada.say("/tabels")
    expect(ada.page.locator(".message-hint").last).to_contain_text("did you mean /tables?")


def test_an_answer_that_takes_too_long_is_told_in_words(house: House) -> None:
    house.start("", CHATD_ANSWERS__TIMEOUT_S="1")
    for event in ("reader.ready", "database.connected"):
        house.server.said(event, "")
    ada = house.person("ada").is_in()
    card = ada.ask(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    )
    # What it took, with its stop, which comes late on a busy machine.
    expect(card).to_contain_text(re.compile(r"Took longer than [1-9]\d* s"))
    expect(card).to_contain_text("Ask for less: add WHERE or LIMIT")


def test_a_file_that_may_be_written_to_is_written_when_it_is_allowed(
    house: House, tmp_path: Path
) -> None:
    file = tmp_path / "notes.sqlite3"
    file.touch()
    house.start(f'[databases.demo]\nsqlite = "{file}"\nread_only = false\n{PATIENT}')
    ada = house.person("ada").is_in()
    read_only = ada.page.get_by_role("checkbox", name="Read only")
    expect(read_only).to_be_checked()
    refused = ada.ask("CREATE TABLE notes (text)")
    expect(refused.locator(".bad").first).to_be_visible()
    read_only.uncheck()
    written = ada.ask("CREATE TABLE notes (text, at)")
    expect(written.locator(".answer-badge")).to_have_text("write")
    expect(written.locator(".bad")).to_have_count(0)
    expect(read_only).to_be_checked()
    press(written, "Run again")
    expect(written.get_by_role("button", name=re.compile("It may write"))).to_be_visible()
