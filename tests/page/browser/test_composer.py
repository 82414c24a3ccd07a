"""Writing at the page: completions, drafts, recall, the editor that takes the textarea's place."""

import re

import pytest
from playwright.sync_api import expect

from tests.page.browser.people import PATIENT, House, Person
from tests.peers.servers import token

TOUCH = {"has_touch": True, "is_mobile": True, "viewport": {"width": 390, "height": 720}}


def has_editor(person: Person) -> Person:
    """Wait until the editor has taken the place of the textarea."""
    expect(person.box.locator(".composer-editor")).to_be_visible()
    return person


@pytest.fixture(params=["textarea", "editor"])
def ada(request: pytest.FixtureRequest, house: House) -> Person:
    """Somebody with a telephone, who keeps the textarea, or with a mouse, who gets the editor."""
    house.start(f"[databases.demo]\nsample = true\n{PATIENT}")
    if request.param == "textarea":
        return house.person("ada", **TOUCH).is_in()
    return has_editor(house.person("ada").is_in())


def test_a_command_and_its_table_are_completed_and_asked(ada: Person) -> None:
    ada.composer.click()
    ada.page.keyboard.type("/des")
    expect(ada.options).to_have_text([re.compile("/describe TABLE")])
    ada.page.keyboard.press("Tab")
    expect(ada.options.first).to_contain_text("customers")
    ada.page.keyboard.type("pay")
    ada.page.keyboard.press("Tab")
    ada.has_written("/describe payments")
    ada.page.keyboard.press("Enter")
    expect(ada.answers()).to_have_count(1)


def test_columns_are_completed_behind_an_alias(ada: Person) -> None:
    ada.write("SELECT o. FROM orders o")
    ada.composer.click()
    ada.page.keyboard.press("Home")
    for _ in "SELECT o.":
        ada.page.keyboard.press("ArrowRight")
    ada.page.keyboard.type("cust")
    expect(ada.options).to_have_text([re.compile("customer_id")])
    ada.page.keyboard.press("ArrowDown")
    ada.page.keyboard.press("Enter")
    ada.has_written("SELECT o.customer_id FROM orders o")
    ada.page.keyboard.press("Enter")
    expect(ada.answers()).to_have_count(1)


@pytest.mark.parametrize("entry", ["SELECT count(*) o FROM orders o", "SELECT * FROM order"])
def test_enter_sends_the_statement_that_was_typed(ada: Person, entry: str) -> None:
    ada.composer.click()
    ada.page.keyboard.type("SELECT * FROM ord")
    expect(ada.options).to_have_count(2)  # it knows the tables from now on
    ada.page.keyboard.press("Control+a")
    ada.page.keyboard.press("Backspace")
    ada.page.keyboard.type(entry)
    ada.page.keyboard.press("Enter")
    ada.has_written("")
    expect(ada.answers()).to_have_count(1)
    expect(ada.log.locator(".answer-head")).to_contain_text(entry)


def test_a_draft_survives_a_reload_and_goes_when_it_is_sent(ada: Person) -> None:
    ada.composer.click()
    ada.page.keyboard.type("not sent yet")
    ada.reload()
    ada.is_in().has_written("not sent yet")
    ada.composer.press("Enter")
    ada.has_written("")
    ada.sees("not sent yet")
    ada.reload()
    ada.is_in().has_written("")


def test_what_was_written_before_comes_back_by_arrow_up(ada: Person) -> None:
    ada.say("one")
    ada.say("two")
    ada.sees("one", "two")
    ada.composer.press("ArrowUp")
    ada.has_written("two")
    ada.page.keyboard.press("ArrowUp")
    ada.has_written("one")
    ada.page.keyboard.press("Escape")
    ada.has_written("")


def test_the_editor_comes_while_somebody_types_and_loses_no_letter(house: House) -> None:
    ada = house.person("ada").is_in()
    ada.composer.click()
    texts = [f"line {number} of what is typed without a pause" for number in range(6)]
    for text in texts:
        ada.page.keyboard.type(text, delay=5)
        ada.page.keyboard.press("Enter")
        ada.has_written("")  # until the outbox has it, what is typed goes with it
    has_editor(ada).sees(*texts)


def test_without_its_file_the_textarea_stays_and_nothing_is_said(house: House) -> None:
    profile = house.profile()
    profile.context.route(re.compile("SqlEditor"), lambda route: route.abort())
    house.start()
    ada = profile.open(f"{house.server.url}/#token={token('ada', 'demo')}").is_in()
    ada.say("as ever")
    ada.sees("as ever")
    expect(ada.box.locator("textarea")).to_be_visible()
    expect(ada.page.get_by_role("alert")).to_have_count(0)
