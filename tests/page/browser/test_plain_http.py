"""The page over plain http in a network of one's own: browsers give it no locks, no service worker
and no clipboard."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.page.browser.conftest import FLAGS
from tests.page.browser.people import House, Person, sender_and_other
from tests.peers.servers import free_port, token

HOST: Final = "chat.test"
TALL: Final[dict[str, Any]] = {"viewport": {"width": 1_000, "height": 2_000}}
MISSING: Final = """
[isSecureContext, "locks" in navigator, "serviceWorker" in navigator, "clipboard" in navigator,
 "randomUUID" in crypto].every((it) => !it)
"""


@pytest.fixture(scope="module")
def named_browser(chromium: Browser) -> Iterator[Browser]:
    """A browser for which this machine has a name, which is no secure one."""
    browser = chromium.browser_type.launch(
        executable_path="/usr/bin/chromium",
        args=[*FLAGS, f"--host-resolver-rules=MAP {HOST} 127.0.0.1"],
    )
    yield browser
    browser.close()


@pytest.fixture
def house(named_browser: Browser, tmp_path: Path) -> Iterator[House]:
    house = House(named_browser, tmp_path)
    port = free_port()
    house.start(lets_in(port), port=port)
    yield house
    house.close()


def lets_in(port: int) -> str:
    """The configuration of a daemon that accepts its name."""
    return f'[server]\norigins = ["http://{HOST}:{port}"]\n'


def port_of(house: House) -> int:
    return urlsplit(house.server.url).port or 0


def called(house: House) -> str:
    """The daemon by its name."""
    return f"http://{HOST}:{port_of(house)}"


def person(house: House, user_id: str) -> Person:
    link = f"{called(house)}/#token={token(user_id, 'demo')}"
    return house.profile(**TALL).open(link).is_in()


def test_the_page_works_without_what_such_a_browser_lacks(house: House) -> None:
    ada = person(house, "ada")
    assert ada.page.evaluate(MISSING)
    ada.say("hello")
    expect(ada.state("hello")).to_have_attribute("title", "Sent")
    ada.message("hello").hover()
    ada.message("hello").get_by_role("button", name="Copy message", exact=True).click()
    expect(ada.message("hello").get_by_role("button", name="Copied")).to_be_visible()
    ada.composer.press("Control+V")
    expect(ada.box).to_contain_text("hello")


def test_two_tabs_send_each_message_once_and_in_order(house: House) -> None:
    first, bob = person(house, "ada"), person(house, "bob")
    second = house.profile_of(first).open(called(house)).is_in()
    house.server.kill()
    texts = [f"message number {at}." for at in range(1, 13)]
    for at, text in enumerate(texts):
        (first, second)[at % 2].say(text)
    house.start_again()
    for tab in (first, second, bob):
        expect(tab.texts).to_have_text(texts)
        expect(tab.page.get_by_title("Waiting to be sent")).to_have_count(0)
    for tab in (first, second):
        expect(tab.state(texts[-1])).to_have_attribute("title", "Somebody has it")


def test_another_tab_goes_on_when_the_lease_of_a_crashed_one_has_ended(house: House) -> None:
    first, bob = person(house, "ada"), person(house, "bob")
    second = house.profile_of(first).open(called(house)).is_in()
    house.server.pause()
    first.say("only once")
    sender, other = sender_and_other("only once", first, second)
    expect(other.state("only once")).to_have_attribute("title", "Waiting to be sent")
    sender.crash()
    house.server.resume()
    expect(other.state("only once")).to_have_attribute("title", "Somebody has it")
    other.say("and on")
    expect(other.texts).to_have_text(["only once", "and on"])
    expect(bob.texts).to_have_text(["only once", "and on"])


def test_a_server_that_does_not_accept_the_address_is_told_in_words(house: House) -> None:
    ada = person(house, "ada")
    house.server.kill()
    house.configure("")
    house.server.start()
    ada.banner.get_by_role("button", name="Try now").click()
    expect(ada.banner).to_contain_text("The server runs, but does not accept this address: ")
    expect(ada.banner).to_contain_text(HOST)
    house.server.kill()
    house.configure(lets_in(port_of(house)))
    house.start_again()
    ada.is_in()
    expect(ada.banner).to_be_hidden()
