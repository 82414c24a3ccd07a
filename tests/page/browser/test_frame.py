"""The frame of the page: where the focus is when something opens and closes, and whose keys win."""

import re

import pytest
from playwright.sync_api import expect

from tests.page.browser.people import PATIENT, House, Person


@pytest.fixture
def ada(house: House) -> Person:
    house.start(f"[databases.demo]\nsample = true\n{PATIENT}")
    return house.person("ada", viewport={"width": 1280, "height": 800}).is_in()


def test_a_panel_gives_the_focus_back_to_what_opened_it(ada: Person) -> None:
    button = ada.page.get_by_role("button", name="Search messages")
    button.focus()
    ada.page.keyboard.press("Enter")
    expect(ada.page.get_by_role("searchbox")).to_be_focused()
    ada.page.keyboard.press("Escape")
    expect(button).to_be_focused()


def test_a_thread_gives_the_focus_back_to_its_message(ada: Person) -> None:
    ada.say("Talk about this.")
    row = ada.message("Talk about this.")
    expect(ada.state("Talk about this.")).to_have_attribute("title", "Sent")
    row.focus()
    ada.page.keyboard.press("r")
    panel = ada.page.get_by_role("complementary", name="Thread")
    expect(panel.get_by_role("textbox")).to_be_focused()
    panel.get_by_role("button", name="Close Thread").click()
    expect(panel).to_have_count(0)
    expect(row).to_be_focused()


def test_what_is_asked_for_by_a_key_is_typed_into_at_once(ada: Person) -> None:
    ada.page.keyboard.press("Control+k")
    expect(ada.page.get_by_role("combobox", name="A room or a command")).to_be_focused()
    ada.page.keyboard.press("Escape")
    expect(ada.page.get_by_role("dialog")).to_have_count(0)


def test_escape_in_a_dialog_closes_the_dialog_alone(ada: Person) -> None:
    ada.page.get_by_role("button", name="Search messages").click()
    account = ada.page.get_by_role("button", name=re.compile("settings and sign out"))
    account.click()
    expect(ada.page.get_by_role("dialog")).to_be_visible()
    ada.page.keyboard.press("Escape")
    expect(ada.page.get_by_role("dialog")).to_have_count(0)
    expect(ada.page.get_by_role("complementary", name="Search")).to_be_visible()
    expect(account).to_be_focused()


def test_a_list_of_people_taller_than_the_window_keeps_the_account_in_sight(ada: Person) -> None:
    ada.page.set_viewport_size({"width": 1280, "height": 180})
    account = ada.page.get_by_role("button", name=re.compile("settings and sign out"))
    expect(account).to_be_in_viewport(ratio=1)
    assert ada.page.evaluate("document.querySelector('.rooms').scrollHeight > innerHeight")
    assert ada.page.evaluate("document.scrollingElement.scrollHeight === innerHeight")
    ada.page.get_by_role("listitem", name="ada").scroll_into_view_if_needed()
    expect(account).to_be_in_viewport(ratio=1)
