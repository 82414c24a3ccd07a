"""Answers while they come: what renders, what stays in view, who stops them, how they end."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Locator, expect

from tests.page.browser.frames import painted
from tests.page.browser.people import PATIENT, House, Person
from tests.peers.servers import token

SAMPLE = f"[databases.demo]\nsample = true\n{PATIENT}"
ENDLESS = (
    "/sql WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) "
    "SELECT n FROM r WHERE n < 3"
)
"""Two rows, and then no end."""
SLOW = (
    "/sql WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 900), "
    "s(m) AS (SELECT 1 UNION ALL SELECT m + 1 FROM s WHERE m < 60000) "
    "SELECT n, (SELECT count(*) FROM s WHERE m > n) AS slow FROM r"
)
"""Hundreds of rows, each of which takes some milliseconds."""
FETCHING = re.compile(r"[\d,]+ rows so far")


@pytest.fixture
def ada(house: House) -> Person:
    house.start(SAMPLE, CHATD_ANSWERS__TIMEOUT_S="120")
    house.server.said("database.connected", "")
    return house.person("ada").is_in()


def card(person: Person) -> Locator:
    """The card of the newest answer."""
    return person.answers().last


def ask(person: Person, question: str) -> Locator:
    person.composer.fill(question)
    person.composer.press("Enter")
    return card(person)


@contextmanager
def unmoved_elsewhere(person: Person) -> Iterator[list[str]]:
    """What changes on the page outside of the newest answer's row."""
    changed: list[str] = []
    person.page.evaluate(WATCH_ELSEWHERE)
    yield changed
    changed += person.page.evaluate("globalThis.changedElsewhere")


WATCH_ELSEWHERE = """
() => {
  const rows = document.querySelector(".room-list .message-rows");
  const own = [...rows.querySelectorAll("[data-index]")].at(-1);
  const changed = globalThis.changedElsewhere = [];
  new MutationObserver((all) => {
    for (const { target, type, attributeName } of all) {
      if (own.contains(target)) continue;
      const element = target instanceof Element ? target : target.parentElement;
      changed.push(`${type} ${attributeName ?? ""} ${element.tagName} ${element.className}`);
    }
  }).observe(rows, { subtree: true, childList: true, attributes: true, characterData: true });
}
"""


def test_rows_that_come_render_nothing_but_their_card_and_the_end_stays(ada: Person) -> None:
    for one in range(12):
        ada.say(f"before {one}")
    stream = ask(ada, SLOW)
    expect(stream).to_contain_text(FETCHING)
    # The card is at its full height.
    expect(stream.locator("tbody tr").nth(20)).to_be_attached()
    before = rows_so_far(stream)
    with unmoved_elsewhere(ada) as changed, painted(ada.page, direction=-1) as frames:
        ada.page.wait_for_function(MORE_ROWS, arg=before + 150)
    assert changed == []
    assert frames.far_from_end <= 3
    assert frames.blanks == []
    stream.get_by_role("button", name="Stop", exact=True).click()
    expect(card(ada)).to_contain_text("Stopped after")
    ada.is_at_end()


MORE_ROWS = """
(count) => {
  const text = [...document.querySelectorAll(".room-list .answer-status")].at(-1)?.innerText ?? "";
  return Number(/([\\d,]+) rows so far/.exec(text)?.[1].replaceAll(",", "") ?? 0) >= count;
}
"""


def rows_so_far(stream: Locator) -> int:
    found = FETCHING.search(stream.inner_text())
    return int(re.sub(r"\D", "", found[0])) if found else 0


def test_the_end_stays_while_the_last_card_grows_from_nothing(ada: Person) -> None:
    for one in range(12):
        ada.say(f"before {one}")
    ada.settle()
    with painted(ada.page) as frames:
        stream = ask(ada, SLOW)
        expect(stream.locator("tbody tr").nth(20)).to_be_attached()
        ada.settle()
    assert frames.far_from_end <= 3
    assert frames.blanks == []


def test_who_comes_late_sees_the_stream(house: House, ada: Person) -> None:
    stream = ask(ada, SLOW)
    expect(stream).to_contain_text(FETCHING)
    late = house.person("bob").is_in()
    expect(card(late)).to_contain_text(FETCHING)
    expect(card(late)).to_contain_text("Ada asked")
    expect(card(late).locator("tbody tr").first).to_be_visible()
    stream.get_by_role("button", name="Stop", exact=True).click()
    for person in (ada, late):
        expect(card(person)).to_contain_text("Stopped after")
        expect(card(person).locator("tbody tr").first).to_be_visible()


def test_its_asker_stops_an_answer_from_the_first_frame_and_nobody_else_does(
    house: House, ada: Person
) -> None:
    bob = house.person("bob").is_in()
    ask(ada, ENDLESS).get_by_role("button", name="Stop", exact=True).click()
    expect(card(ada)).to_contain_text("Stopped after")
    expect(card(bob)).to_contain_text("Stopped after")
    ask(ada, f"{ENDLESS} AND 1 = 1")
    expect(ada.answers()).to_have_count(2)
    expect(bob.answers()).to_have_count(2)
    card(bob).get_by_role("button", name="Stop Ada’s question").click()
    expect(bob.page.get_by_role("alert")).to_contain_text("Only the user who asked may cancel")
    expect(card(ada).get_by_role("button", name="Stop", exact=True)).to_be_visible()
    ada.reload()
    card(ada.is_in()).get_by_role("button", name="Stop", exact=True).click()
    expect(card(ada)).to_contain_text("Stopped after")
    expect(card(bob)).to_contain_text("Stopped after")


def test_a_server_that_dies_ends_its_answers_as_interrupted(house: House) -> None:
    house.start(SAMPLE)
    ada = house.profile().open(f"{house.server.url}/#token={token('ada', 'demo')}").is_in()
    expect(ask(ada, ENDLESS).get_by_role("button", name="Stop", exact=True)).to_be_visible()
    expect(ada.message(re.compile("WITH RECURSIVE")).first).to_be_visible()
    house.server.kill()
    house.start_again()
    ada.is_in()
    expect(card(ada)).to_contain_text("The server was stopped while the database answered")
    expect(ada.log.get_by_role("timer")).to_have_count(0)
    expect(ada.log.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
    expect(card(ada).get_by_role("button", name="Run again")).to_be_visible()
    ada.reload()
    expect(card(ada.is_in())).to_contain_text("The server was stopped")
