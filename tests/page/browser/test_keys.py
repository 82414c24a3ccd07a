"""Keys that work anywhere, and what is told outside of the page."""

import re

import pytest
from playwright.sync_api import expect

from tests.page.browser.people import House, Person

RECORD = """
globalThis.told = [];
globalThis.Notification = class extends EventTarget {
  static permission = "granted";
  static requestPermission = async () => "granted";
  constructor(title, options) {
    super();
    globalThis.told.push([title, options.body]);
  }
  close() {}
};
"""


@pytest.fixture
def ada(house: House) -> Person:
    house.start("[answers]\nenabled = false\n")
    return house.person("ada", "alpha", "beta", "gamma").is_in()


def is_in_room(person: Person, name: str) -> None:
    expect(person.room(name)).to_have_attribute("aria-current", "page")


def test_keys_work_where_nothing_has_the_focus(ada: Person) -> None:
    ada.page.evaluate("document.activeElement.blur()")
    ada.page.keyboard.press("Control+k")
    dialog = ada.page.get_by_role("dialog", name="Go to")
    dialog.get_by_role("combobox").fill("gam")
    ada.page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    is_in_room(ada, "gamma")
    ada.page.evaluate("document.activeElement.blur()")
    ada.page.keyboard.press("?")
    keys = ada.page.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("go to a room or a command")
    ada.page.keyboard.press("Escape")
    expect(keys).to_have_count(0)


def test_arrows_go_through_the_rooms_and_through_the_unread_ones(house: House, ada: Person) -> None:
    bob = house.person("bob", "gamma").is_in()
    bob.say("something new")
    expect(ada.room("gamma")).to_contain_text("unread")
    is_in_room(ada, "alpha")
    ada.page.keyboard.press("Alt+ArrowDown")
    is_in_room(ada, "beta")
    ada.page.keyboard.press("Alt+ArrowUp")
    is_in_room(ada, "alpha")
    ada.page.keyboard.press("Alt+Shift+ArrowDown")
    is_in_room(ada, "gamma")
    expect(ada.message("something new")).to_be_visible()


def test_f6_goes_round_the_regions(ada: Person) -> None:
    ada.say("something to stand on")
    ada.composer.focus()
    seen = []
    for _ in range(3):
        ada.page.keyboard.press("F6")
        seen.append(ada.page.evaluate(REGION))
    assert seen == ["rooms", "list", "composer"]
    ada.page.keyboard.press("Shift+F6")
    assert ada.page.evaluate(REGION) == "list"


REGION = "() => document.activeElement.closest('[data-region]')?.dataset.region"


def test_a_mention_is_told_while_nobody_looks_and_nothing_else(house: House) -> None:
    house.start("[answers]\nenabled = false\n")
    profile = house.profile()
    profile.context.add_init_script(RECORD)
    ada = profile.open(house.link("ada", "demo")).is_in()
    bob = house.person("bob").is_in()
    ada.page.get_by_role("button", name=re.compile("settings and sign out")).click()
    ada.page.get_by_label("Tell me outside of this page").select_option(
        "Mentions, and answers to my questions"
    )
    ada.page.keyboard.press("Escape")
    bob.say("@ada while you look")
    expect(ada.message("while you look")).to_be_visible()
    expect(ada.page).to_have_title("demo · chatd")
    ada.look_away()
    bob.say("to nobody")
    bob.say("@ada are you there?")
    expect(ada.page).to_have_title("(@1) demo · chatd")
    ada.page.wait_for_function("() => globalThis.told.length > 0")
    assert ada.page.evaluate("globalThis.told") == [
        ["You are mentioned in demo", "Bob: @ada are you there?"]
    ]
