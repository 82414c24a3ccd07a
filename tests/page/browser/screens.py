"""The screens of the page, each as somebody comes to it, and what must be so on all of them.

A picture of each is left in pytest's temporary directory, for whoever wants to look.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.page.browser.people import PATIENT, SCHEMES, House, Person
from tests.page.client import CLIENT
from tests.peers.servers import token

CONFIGURATION: Final = f"""
[databases.demo]
sample = true
{PATIENT}
[databases.fresh]
sample = true
{PATIENT}
"""
WIDE: Final = ViewportSize(width=1280, height=800)
STILL: Final[dict[str, Any]] = {"viewport": WIDE, "reduced_motion": "reduce"}
NARROWER: Final = (ViewportSize(width=640, height=400), ViewportSize(width=390, height=720))
"""A window of 1280 px at 200 %, and a telephone."""

QUESTIONS: Final = (
    "/help",
    "/tables",
    "SELECT status, count(*) AS orders, NULL AS missing FROM orders GROUP BY status",
    "SELECT * FROM orders, customers",
    "SELECT name FROM customers WHERE 0",
    "SELECT nme FROM customers",
    "/sql SELEC x",
    "/explain SELECT * FROM orders WHERE id = 1",
)
"""Each is answered in its own way."""
ENDLESS: Final = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
)

Screen = Callable[[House], Person]


def furnish(home: House) -> None:
    """Start the daemon; in `demo` somebody has asked before."""
    home.start(CONFIGURATION)
    bob = home.person("bob", viewport=WIDE).is_in()
    bob.say("Good morning. Which orders are open? @ada, have a look at `status`.")
    for number, question in enumerate(QUESTIONS, 1):
        bob.say(question)
        answer = bob.log.locator(f'[aria-posinset="{2 * number + 1}"]')
        expect(answer.get_by_role("button", name="Edit and run")).to_be_visible()
    bob.page.close()


def look(person: Person, place: Path, name: str) -> None:
    """Fail where axe finds a fault, where something moves, or is wider than its place."""
    page = person.page
    moving = page.evaluate(MOVING)
    faults = person.axe((CLIENT / "node_modules" / "axe-core" / "axe.min.js").read_text())
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=place / f"{name}-{scheme}.png")
    for size in NARROWER:
        page.set_viewport_size(size)
        faults += [f"{size['width']} px: {wide}" for wide in page.evaluate(TOO_WIDE)]
    page.screenshot(path=place / f"{name}-narrow.png")
    page.close()
    assert faults == []
    assert moving == []


MOVING: Final = """
() => document.getAnimations().map((one) =>
  `${one.effect.target.className}: ${one.animationName ?? one.transitionProperty}`)
"""
TOO_WIDE: Final = """
async () => { for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  const parts = document.querySelectorAll(".chatd, main, aside, dialog[open]");
  return [document.documentElement, ...parts]
  .filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0)
  .map((one) => `${one.tagName} ${one.className}: ${one.scrollWidth} > ${one.clientWidth}`); }
"""
"""Once the page has been drawn in its new size."""


def ada(home: House, *rooms: str) -> Person:
    return home.person("ada", *(rooms or ("demo", "fresh", "talk")), **STILL).is_in()


def sign_in(home: House) -> Person:
    person = home.profile(**STILL).open(home.server.url)
    expect(person.page.get_by_role("button", name="Connect")).to_be_visible()
    return person


def link_of_another(home: House) -> Person:
    person = ada(home)
    person.page.goto("about:blank")
    person.page.goto(f"{home.server.url}/#token={token('eve', 'demo')}")
    expect(person.page.get_by_role("heading")).to_be_visible()
    expect(person.page.get_by_role("button")).not_to_have_count(0)
    return person


def empty_room(home: House) -> Person:
    person = ada(home, "fresh")
    expect(person.page.get_by_role("heading", name="Ask fresh")).to_be_visible()
    expect(person.page.get_by_role("button", name="/sample customers")).to_be_visible()
    return person


def room_without_database(home: House) -> Person:
    person = ada(home, "talk")
    expect(person.page.get_by_text("Nobody has written here yet.")).to_be_visible()
    return person


def answers(home: House) -> Person:
    person = ada(home)
    expect(person.answers().last).to_be_visible()
    return person


def older_answers(home: House) -> Person:
    person = answers(home)
    person.log.press("Home")
    expect(person.message("Good morning.")).to_be_visible()
    return person


def chart(home: House) -> Person:
    person = older_answers(home)
    button = person.page.get_by_role("button", name="Chart").first
    button.scroll_into_view_if_needed()
    button.click()
    expect(person.page.get_by_role("slider")).to_be_visible()
    return person


def streaming(home: House) -> Person:
    person = ada(home)
    person.say(ENDLESS)
    expect(person.page.get_by_role("button", name="Stop")).to_be_visible()
    expect(person.page.locator(".answer-status").last).to_contain_text("Running")
    return person


def commands(home: House) -> Person:
    person = ada(home)
    person.composer.click()
    person.page.keyboard.type("/")
    expect(person.options).not_to_have_count(0)
    return person


def tables(home: House) -> Person:
    person = ada(home)
    person.composer.click()
    person.page.keyboard.type("SELECT * FROM c")
    expect(person.options.first).to_contain_text("customers")
    return person


def too_long(home: House) -> Person:
    person = ada(home)
    person.write("long " * 2_100)
    expect(person.page.locator(".composer-count")).to_be_visible()
    return person


def actions(home: House) -> Person:
    person = ada(home)
    person.say("This is mine.")
    person.message("This is mine.").last.hover()
    expect(person.page.get_by_role("toolbar")).to_be_visible()
    return person


def reactions(home: House) -> Person:
    person = actions(home)
    person.page.get_by_role("toolbar").get_by_role("button", name=re.compile("eact")).first.click()
    return person


def editing(home: House) -> Person:
    person = actions(home)
    person.page.get_by_role("toolbar").get_by_role("button", name="Edit").click()
    expect(person.log.get_by_role("textbox")).to_be_visible()
    return person


def thread(home: House) -> Person:
    person = actions(home)
    reply = re.compile("Reply in a thread|Open the thread")
    person.page.get_by_role("toolbar").get_by_role("button", name=reply).click()
    expect(panel(person.page, "Thread")).to_be_visible()
    return person


def search(home: House) -> Person:
    person = ada(home)
    person.page.keyboard.press("Control+Shift+F")
    box = panel(person.page, "Search").get_by_role("searchbox")
    box.fill("orders")
    box.press("Enter")
    expect(panel(person.page, "Search").locator("mark").first).to_be_visible()
    return person


def schema(home: House) -> Person:
    person = ada(home)
    person.page.get_by_role("button", name=re.compile("^Tables")).click()
    expect(panel(person.page, "Tables").get_by_text("customers").first).to_be_visible()
    return person


def people(home: House) -> Person:
    person = ada(home)
    person.page.get_by_role("button", name=re.compile("person here|people here")).click()
    expect(panel(person.page, "Here now").get_by_text("Ada")).to_be_visible()
    return person


def switcher(home: House) -> Person:
    person = ada(home)
    person.page.keyboard.press("Control+k")
    expect(person.page.get_by_role("dialog").get_by_role("option").first).to_be_visible()
    return person


def keys(home: House) -> Person:
    person = account(home)
    person.page.get_by_role("dialog").get_by_role("button", name="Keys").click()
    expect(person.page.get_by_text("While writing")).to_be_visible()
    return person


def connection(home: House) -> Person:
    person = account(home)
    person.page.get_by_role("dialog").get_by_role("button", name="Connection and log").click()
    expect(panel(person.page, "Connection and log")).to_be_visible()
    return person


def account(home: House) -> Person:
    person = ada(home)
    person.page.get_by_role("button", name=re.compile("settings and sign out")).click()
    expect(person.page.get_by_role("dialog")).to_be_visible()
    return person


def offline(home: House) -> Person:
    person = ada(home)
    person.page.context.set_offline(True)
    expect(person.banner).to_contain_text("You are offline")
    person.say("This waits here.")
    expect(person.message("This waits here.")).to_be_visible()
    return person


def drawer(home: House) -> Person:
    person = ada(home)
    person.page.set_viewport_size(NARROWER[1])
    person.page.get_by_role("button", name="Rooms").click()
    expect(person.page.get_by_role("dialog").get_by_text("Here now")).to_be_visible()
    return person


def panel(page: Page, name: str) -> Locator:
    return page.get_by_role("complementary", name=name).or_(page.get_by_role("dialog", name=name))
