"""What waits to be sent, where something has an end: the outbox, the browser's disk, the rules."""

from typing import Final

from playwright.sync_api import Locator, expect

from tests.page.browser.people import House, Person
from tests.peers.servers import token

OUTBOX_MAX: Final = 100
HUNDRED_S: Final = 120.0  # they are stored one after the other, and a disk may be slow

NO_DATABASE: Final = """
IDBFactory.prototype.open = () => { throw new DOMException("Not here.", "SecurityError"); };
"""
NOTHING_KEPT: Final = f"""{NO_DATABASE}
Object.defineProperty(globalThis, "localStorage", {{
  get() {{ throw new DOMException("Not here.", "SecurityError"); }},
}});
delete globalThis.BroadcastChannel;
"""
FULL_DISK: Final = """
() => {
  const full = () => { throw new DOMException("The disk is full.", "QuotaExceededError"); };
  IDBObjectStore.prototype.add = full;
  IDBObjectStore.prototype.put = full;
}
"""
SHIFTED_CLOCK: Final = """
const now = Date.now;
globalThis.shift = 0;
Date.now = () => now() + globalThis.shift;
"""
STORES_NOTHING: Final = (
    "This browser stores nothing for this page: what waits here is lost when the page is closed."
)


def notice(person: Person, words: str) -> Locator:
    return person.page.locator(".notice").filter(has_text=words)


def failed(person: Person, text: str, why: str) -> Locator:
    """A message that was given up, with the reason."""
    message = person.message(text)
    expect(message).to_contain_text(why)
    expect(person.state(text)).to_have_attribute("title", "Not sent")
    return message


def is_stored(person: Person, text: str) -> None:
    expect(person.state(text)).to_have_attribute("title", "Sent")


def test_a_hundred_wait_and_the_next_one_keeps_its_text(house: House) -> None:
    ada = house.person("ada").is_in()
    with ada.offline():
        for at in range(OUTBOX_MAX):
            ada.say(f"message number {at}.")
        ada.write("the one too many")
        ada.composer.press("Enter")
        expect(ada.box).to_contain_text("the one too many")
        words = "100 messages wait already. Yours is kept here; send it when some have left."
        expect(ada.page.get_by_text(words).first).to_be_visible()
        expect(ada.banner).to_contain_text("100 messages wait here and will be sent.")
        expect(ada.message("the one too many")).to_have_count(0)
    last = ada.state("message number 99.")
    expect(last).to_have_attribute("title", "Sent", timeout=HUNDRED_S * 1_000)
    ada.composer.press("Enter")
    is_stored(ada, "the one too many")


def test_a_message_that_is_too_long_by_now_is_given_back(house: House) -> None:
    ada = house.person("ada").is_in()
    house.server.kill()
    ada.say("far too long a text")
    ada.say("brief")
    house.configure("[messages]\ncontent_chars = 10\n")
    house.start_again()
    message = failed(
        ada, "far too long", "The message has 19 characters and may have 10; shorten it."
    )
    is_stored(ada, "brief")
    message.get_by_role("button", name="Edit").click()
    expect(ada.message("far too long")).to_have_count(0)
    expect(ada.box).to_contain_text("far too long a text")


def test_a_message_to_a_room_that_was_closed_meanwhile_is_given_back(house: House) -> None:
    ada = house.person("ada", "demo", "side").is_in()
    ada.page.get_by_role("button", name="side").click()
    expect(ada.page.get_by_role("heading", name="side")).to_be_visible()
    house.server.kill()
    ada.say("for this room alone")
    profile = house.profile_of(ada)
    ada.page.close()
    house.start_again()
    again = profile.open(f"{house.server.url}/#token={token('ada', 'demo')}").is_in()
    expect(notice(again, "You may not use this connection")).to_be_visible()
    again.page.get_by_role("button", name="Put it back").click()
    expect(again.box).to_contain_text("for this room alone")


def test_a_browser_without_a_database_still_sends(house: House) -> None:
    profile = house.profile()
    profile.context.add_init_script(NO_DATABASE)
    ada = profile.open(f"{house.server.url}/#token={token('ada', 'demo')}").is_in()
    ada.say("first")
    is_stored(ada, "first")
    house.server.kill()
    ada.say("second")
    expect(notice(ada, STORES_NOTHING)).to_be_visible()
    ada.say("third")
    house.start_again()
    is_stored(ada, "third")
    expect(ada.texts).to_have_text(["first", "second", "third"])


def test_a_browser_that_keeps_nothing_says_so_and_works(house: House) -> None:
    profile = house.profile()
    profile.context.add_init_script(NOTHING_KEPT)
    ada = profile.open(f"{house.server.url}/#token={token('ada', 'demo')}").is_in()
    ada.write("a draft")
    expect(ada.page.get_by_text("This browser does not keep what you write")).to_be_visible()
    house.server.kill()
    ada.say("first")
    ada.say("second")
    house.start_again()
    is_stored(ada, "second")
    expect(ada.texts).to_have_text(["first", "second"])


def test_a_full_disk_is_told_and_loses_nothing(house: House) -> None:
    ada = house.person("ada").is_in()
    house.server.kill()
    ada.say("on the disk")
    ada.page.evaluate(FULL_DISK)
    ada.say("in memory")
    expect(notice(ada, STORES_NOTHING)).to_be_visible()
    house.start_again()
    is_stored(ada, "in memory")
    expect(ada.texts).to_have_text(["on the disk", "in memory"])


def test_what_waits_outlives_a_cleared_browser(house: House) -> None:
    ada = house.person("ada").is_in()
    house.server.kill()
    ada.say("before")
    session = ada.page.context.new_cdp_session(ada.page)
    where = {"origin": house.server.url, "storageTypes": "indexeddb"}
    session.send("Storage.clearDataForOrigin", where)
    ada.say("after")
    expect(ada.texts).to_have_text(["before", "after"])
    expect(notice(ada, "1 waiting message was put back.")).to_be_visible()
    house.start_again()
    is_stored(ada, "after")
    expect(ada.texts).to_have_text(["before", "after"])


def test_a_clock_that_is_set_back_neither_stops_sending_nor_changes_the_order(house: House) -> None:
    profile = house.profile()
    profile.context.add_init_script(SHIFTED_CLOCK)
    house.start(CHATD_LIMITS__USER_MESSAGES_PER_MINUTE="12")
    ada = profile.open(f"{house.server.url}/#token={token('ada', 'demo')}").is_in()
    house.server.kill()
    texts = [f"message number {at}." for at in range(14)]
    for text in texts[:13]:
        ada.say(text)
    ada.page.evaluate("globalThis.shift = -3_600_000")
    ada.say(texts[13])
    house.start_again()
    is_stored(ada, texts[-1])
    expect(ada.texts).to_have_text(texts)
