"""The page at /admin in a browser: live, for administrators, and nothing of what people write."""

import re
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.page.browser.people import WATCH_POLICY, House
from tests.peers.servers import token

CONFIG = '[auth]\nadmin_claim = "connections"\nadmin_role = "admins"\n'
QUIET = "[answers]\nenabled = false\n"  # no database connects while the page looks
ODD = "a&lt;b&gt;"  # an id that HTML would show as something else


def opened(chromium: Browser, house: House, fragment: str = "") -> Page:
    page = chromium.new_page()
    page.add_init_script(WATCH_POLICY)
    page.goto(f"{house.server.url}/admin{fragment}")
    return page


def violations(page: Page) -> Any:
    return page.evaluate("globalThis.violations ?? []")


def test_an_administrator_sees_who_is_there_and_what_happens_live(
    chromium: Browser, house: House
) -> None:
    house.start(CONFIG)
    admin = opened(chromium, house, f"#token={token('root', 'admins')}")
    expect(admin.get_by_role("status")).to_contain_text("As of")
    assert "token" not in admin.url
    ada = house.person(ODD).is_in()
    expect(admin.get_by_role("cell", name=ODD, exact=True)).to_be_visible()
    ada.say("marmalade")
    events = admin.get_by_role("list", name="Events of the log, the newest first")
    expect(events.get_by_text("message.sent").first).to_be_visible()
    expect(admin.get_by_role("row", name="demo 1 1 1")).to_be_visible()
    assert "marmalade" not in admin.content()
    assert violations(admin) == []
    admin.get_by_role("link", name="Back to the chat").click()
    expect(admin).to_have_url(re.compile(rf"^{re.escape(house.server.url)}/(\?|$)"))
    admin.close()


def test_where_nothing_is_that_is_said_and_no_word_is_broken_on_a_telephone(
    chromium: Browser, house: House
) -> None:
    house.start(CONFIG + QUIET)
    admin = opened(chromium, house, f"#token={token('root', 'admins')}")
    admin.set_viewport_size({"width": 360, "height": 720})
    events = admin.get_by_role("list", name="Events of the log, the newest first")
    expect(events).to_have_text("What the log says from now on is shown here.")
    expect(admin.get_by_role("row", name="Nobody is connected.")).to_be_visible()
    ada = house.person("ada").is_in()
    ada.say("marmalade")
    expect(admin.get_by_role("cell", name="127.0.0.1")).to_be_visible()
    expect(events).not_to_contain_text("What the log says from now on is shown here.")
    assert admin.evaluate(BROKEN) == []
    assert admin.evaluate("document.documentElement.scrollWidth") == 360
    admin.close()


BROKEN = """
() => [...document.querySelectorAll("th, td")].filter((cell) => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  return !cell.textContent.includes(" ") && range.getClientRects().length > 1;
}).map((cell) => cell.textContent)
"""
"""Words on more than one line."""


def test_others_are_told_that_they_are_none_and_may_sign_in(
    chromium: Browser, house: House
) -> None:
    house.start(CONFIG)
    page = opened(chromium, house, f"#token={token('ada', 'demo')}")
    expect(page.get_by_role("status")).to_have_text(
        "Your token is not that of an administrator; ask the operator for that role."
    )
    expect(page.get_by_role("heading", name="Users")).to_be_hidden()
    page.get_by_label("Token of an administrator").fill(token("root", "admins"))
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="Users")).to_be_visible()
    assert violations(page) == []
    page.close()
