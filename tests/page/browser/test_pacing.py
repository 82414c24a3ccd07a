"""Sending under the limits that a daemon has by default, and to one that does not answer."""

import re
from itertools import pairwise
from statistics import median
from typing import Any, Final

from playwright.sync_api import expect

from tests.page.browser.people import House, Person

TALL: Final[dict[str, Any]] = {"viewport": {"width": 1_000, "height": 2_400}}
WAITING: Final = 44
PACED: Final = 12
"""The last ones of them, beyond what goes out at first."""
PACE_S: Final = 2.0
MOST_PACE_S: Final = 3.0
"""Of the gap in the middle; half a pace is left to a slow machine."""
HANG_S: Final = 150.0
MOST_REFUSED: Final = 3

WATCH_SENT: Final = """
() => {
  const log = document.querySelector(".room-list [role=log]");
  const sentAt = (globalThis.sentAt = new Map());
  const look = () => {
    for (const article of log.querySelectorAll("article")) {
      if (article.querySelector(".message-state")?.title !== "Sent") continue;
      const text = article.querySelector(".message-body").innerText;
      if (!sentAt.has(text)) sentAt.set(text, performance.now());
    }
  };
  const watched = { subtree: true, childList: true, attributes: true };
  new MutationObserver(look).observe(log, watched);
}
"""
SENT_AT: Final = "[...globalThis.sentAt.values()]"


def figure(person: Person, name: str) -> int:
    """What the panel of the connection says."""
    shown = person.page.locator(".figures > div").filter(has_text=name).locator("dd")
    return int(shown.inner_text())


def test_many_that_wait_go_out_as_fast_as_the_limit_lets_them(house: House) -> None:
    house.start(
        CHATD_LIMITS__USER_MESSAGES_PER_MINUTE="30", CHATD_LIMITS__SOCKET_MESSAGES_PER_MINUTE="60"
    )
    ada = house.person("ada", **TALL).is_in()
    texts = [f"message number {at}." for at in range(1, WAITING + 1)]
    with ada.offline():
        for text in texts:
            ada.say(text)
        ada.page.evaluate(WATCH_SENT)
    slow = ada.page.get_by_text(re.compile(r"^\d+ messages wait; one goes every 2 s"))
    expect(slow).to_be_visible()
    expect(ada.state(texts[-1])).to_have_attribute("title", "Sent", timeout=HANG_S * 1_000)
    sent_ms = ada.page.evaluate(SENT_AT)
    expect(slow).to_be_hidden()
    expect(ada.texts).to_have_text(texts)
    ada.page.get_by_role("button", name="settings and sign out").click()
    ada.page.get_by_role("button", name="Connection and log").click()
    assert figure(ada, "Refused") <= MOST_REFUSED
    assert len(sent_ms) == WAITING
    gaps_s = [(after - before) / 1_000 for before, after in pairwise(sent_ms[-PACED - 1 :])]
    assert PACE_S * 0.9 <= median(gaps_s) <= MOST_PACE_S, gaps_s


def test_a_message_that_was_not_answered_is_tried_again_and_stored_once(house: House) -> None:
    house.start(CHATD_SERVER__PING_INTERVAL_S="120")
    ada, bob = house.person("ada").is_in(), house.person("bob").is_in()
    house.server.pause()
    ada.say("hello")
    message = ada.message("hello")
    expect(message).to_contain_text("The server did not answer. Try again.", timeout=90_000)
    expect(ada.state("hello")).to_have_attribute("title", "Not sent")
    message.get_by_role("button", name="Try again").click()
    expect(ada.state("hello")).to_have_attribute("title", "Sending")
    house.server.resume()
    expect(ada.state("hello")).to_have_attribute("title", "Somebody has it")
    expect(ada.texts).to_have_text(["hello"])
    expect(bob.texts).to_have_text(["hello"])
