"""Sending under the limits that a daemon has by default, and to one that does not answer."""

import re
import time
from typing import Any, Final

from playwright.sync_api import expect

from tests.page.browser.people import House, Person

TALL: Final[dict[str, Any]] = {"viewport": {"width": 1_000, "height": 2_400}}
WAITING: Final = 44
MOST_S: Final = 35.0
MOST_REFUSED: Final = 3


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
    began_s = time.monotonic()
    slow = ada.page.get_by_text(re.compile(r"^\d+ messages wait; one goes every 2 s"))
    expect(slow).to_be_visible()
    expect(ada.state(texts[-1])).to_have_attribute("title", "Sent", timeout=MOST_S * 2_000)
    took_s = time.monotonic() - began_s
    expect(slow).to_be_hidden()
    expect(ada.texts).to_have_text(texts)
    ada.page.get_by_role("button", name="settings and sign out").click()
    ada.page.get_by_role("button", name="Connection and log").click()
    assert figure(ada, "Refused") <= MOST_REFUSED
    assert took_s <= MOST_S


def test_a_message_that_was_not_answered_is_tried_again_and_stored_once(house: House) -> None:
    house.start(CHATD_SERVER__PING_INTERVAL_S="120")
    ada, bob = house.person("ada").is_in(), house.person("bob").is_in()
    house.server.pause()
    ada.say("hello")
    message = ada.message("hello")
    expect(message).to_contain_text("The server did not answer. Try again.", timeout=45_000)
    expect(ada.state("hello")).to_have_attribute("title", "Not sent")
    message.get_by_role("button", name="Try again").click()
    expect(ada.state("hello")).to_have_attribute("title", "Sending")
    house.server.resume()
    expect(ada.state("hello")).to_have_attribute("title", "Somebody has it")
    expect(ada.texts).to_have_text(["hello"])
    expect(bob.texts).to_have_text(["hello"])
