"""Sending: what somebody has written arrives once and in order, whatever dies meanwhile."""

from typing import Any, Final

from playwright.sync_api import Page, expect

from tests.page.browser.people import House, Person, sender_and_other

TALL: Final[dict[str, Any]] = {"viewport": {"width": 1_000, "height": 2_000}}
"""Shows each message that these tests write, at once."""

INSTALLED: Final = "navigator.serviceWorker.ready.then(({ active }) => active !== null)"


def words(count: int) -> list[str]:
    return [f"message number {at}." for at in range(1, count + 1)]


def has_all(person: Person, texts: list[str]) -> None:
    """These messages and no others stand in the room, in this order."""
    expect(person.texts).to_have_text(texts)


def is_stored(person: Person, text: str) -> None:
    """The server has the message; others may have it too."""
    expect(person.state(text)).to_have_attribute("title", "Somebody has it")


def waits(person: Person, text: str) -> None:
    expect(person.state(text)).to_have_attribute("title", "Waiting to be sent")


def is_at_rest(page: Page) -> None:
    """Its service worker has the page, for a reload without a network."""
    assert page.evaluate(INSTALLED)


def test_two_people_chat(house: House) -> None:
    ada = house.person("ada").is_in()
    ada.say("Is anybody there?")
    expect(ada.state("Is anybody there?")).to_have_attribute("title", "Sent")
    bob = house.person("bob").is_in()
    bob.sees("Is anybody there?")
    is_stored(ada, "Is anybody there?")
    bob.say("I am.")
    ada.sees("Is anybody there?", "I am.")
    is_stored(bob, "I am.")


def test_who_has_a_message_shows_to_an_author_who_was_away(house: House) -> None:
    ada = house.person("ada").is_in()
    ada.say("Lunch?")
    expect(ada.state("Lunch?")).to_have_attribute("title", "Sent")
    with ada.offline():
        expect(ada.banner).to_be_visible()
        house.person("bob").is_in().sees("Lunch?")
        expect(ada.state("Lunch?")).to_have_attribute("title", "Sent")
    is_stored(ada, "Lunch?")


def test_a_message_shows_before_the_server_has_it(house: House) -> None:
    ada = house.person("ada").is_in()
    house.server.pause()
    ada.say("at once")
    expect(ada.state("at once")).to_have_attribute("title", "Sending")
    house.server.resume()
    expect(ada.state("at once")).to_have_attribute("title", "Sent")


def test_who_types_is_shown_until_the_text_is_gone(house: House) -> None:
    ada, bob = house.person("ada").is_in(), house.person("bob").is_in()
    typing = bob.page.get_by_text("Ada is typing…")
    ada.composer.press_sequentially("Hm")
    expect(typing).to_be_visible()
    ada.composer.press("Backspace")
    ada.composer.press("Backspace")
    expect(typing).to_be_hidden()
    ada.composer.press_sequentially("Hello")
    expect(typing).to_be_visible()
    ada.composer.press("Enter")
    bob.sees("Hello")
    expect(typing).to_be_hidden()


def test_what_is_typed_while_the_server_is_killed_arrives_once_and_in_order(house: House) -> None:
    ada, bob = house.person("ada").is_in(), house.person("bob").is_in()
    texts = words(5)
    for text in texts[:2]:
        ada.say(text)
    house.server.kill()
    for text in texts[2:]:
        ada.say(text)
    waits(ada, texts[-1])
    house.start_again()
    for text in texts:
        is_stored(ada, text)
    has_all(ada, texts)
    has_all(bob, texts)


def test_a_new_tab_sends_what_a_crashed_one_has_left(house: House) -> None:
    ada, bob = house.person("ada").is_in(), house.person("bob").is_in()
    profile = house.profile_of(ada)
    house.server.kill()
    texts = words(5)
    for text in texts:
        ada.say(text)
    ada.crash()
    house.start_again()
    again = profile.open(house.server.url).is_in()
    for text in texts:
        is_stored(again, text)
    has_all(again, texts)
    has_all(bob, texts)


def test_two_tabs_of_one_user_keep_the_order_of_typing(house: House) -> None:
    first = house.person("ada", **TALL).is_in()
    second = house.profile_of(first).open(house.server.url).is_in()
    bob = house.person("bob", **TALL).is_in()
    house.server.kill()
    texts = words(20)
    for at, text in enumerate(texts):
        (first, second)[at % 2].say(text)
    has_all(first, texts)
    has_all(second, texts)
    house.start_again()
    for tab in (first, second):
        is_stored(tab, texts[-1])
        has_all(tab, texts)
    has_all(bob, texts)


def test_another_tab_goes_on_where_one_crashed_in_the_middle_of_a_send(house: House) -> None:
    first = house.person("ada").is_in()
    second = house.profile_of(first).open(house.server.url).is_in()
    bob = house.person("bob").is_in()
    house.server.pause()
    first.say("only once")
    sender, other = sender_and_other("only once", first, second)
    waits(other, "only once")
    sender.crash()
    house.server.resume()
    is_stored(other, "only once")
    other.say("and on")
    has_all(other, ["only once", "and on"])
    has_all(bob, ["only once", "and on"])


def test_what_is_written_offline_outlives_a_reload_and_is_sent_later(house: House) -> None:
    ada, bob = house.person("ada").is_in(), house.person("bob").is_in()
    is_at_rest(ada.page)
    texts = words(5)
    with ada.offline():
        expect(ada.banner).to_contain_text(
            "You are offline. What you write is kept and sent later."
        )
        for text in texts:
            ada.say(text)
        ada.reload()
        has_all(ada, texts)
        expect(ada.banner).to_contain_text("5 messages wait here and will be sent.")
    for text in texts:
        is_stored(ada, text)
    has_all(bob, texts)
    expect(ada.banner).to_be_hidden()
