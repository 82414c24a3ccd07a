"""What becomes of messages: edits, deletions, reactions, mentions, threads, on both sides."""

import re
from typing import Final

import pytest
from playwright.sync_api import Locator, ViewportSize, WebSocketRoute, expect

from tests.page.browser.people import House, Person
from tests.peers.servers import token

QUIET = "[answers]\nenabled = false\n"
WIDE: Final = ViewportSize(width=1280, height=800)
TELEPHONE: Final = ViewportSize(width=390, height=844)


@pytest.fixture
def ada(house: House) -> Person:
    house.start(QUIET)
    return house.person("ada").is_in()


@pytest.fixture
def bob(house: House, ada: Person) -> Person:
    return house.person("bob").is_in()


def act(person: Person, text: str, name: str) -> None:
    """Use a button of the toolbar of a message."""
    message = person.message(text)
    message.hover()
    message.get_by_role("button", name=name, exact=True).first.click()


def edit(person: Person, before: str, after: str) -> None:
    act(person, before, "Edit")
    box = person.log.get_by_role("textbox", name="Edit the message")
    box.fill(after)
    box.press("Enter")
    expect(box).to_have_count(0)


def test_an_edit_is_seen_at_once_and_after_a_reload(ada: Person, bob: Person) -> None:
    ada.say("helo")
    bob.sees("helo")
    edit(ada, "helo", "hello")
    for person in (ada, bob):
        expect(person.message("hello")).to_contain_text("(edited)")
        expect(person.message("helo ")).to_have_count(0)
    bob.reload()
    expect(bob.is_in().message("hello")).to_contain_text("(edited)")


def test_the_tools_of_a_message_leave_its_state_in_sight(ada: Person) -> None:
    ada.say("how far is it?")
    state = ada.state("how far is it?")
    expect(state).to_have_attribute("title", "Sent")
    toolbar = ada.message("how far is it?").get_by_role("toolbar")
    for width in (1_600, 1_280, 390):
        ada.page.set_viewport_size({"width": width, "height": 720})
        ada.message("how far is it?").hover()
        expect(toolbar).to_be_visible()
        state.hover(timeout=10_000)  # fails where something lies over it


@pytest.mark.parametrize("viewport", [WIDE, TELEPHONE], ids=["wide", "telephone"])
def test_the_tools_of_a_tall_message_stay_in_sight(house: House, viewport: ViewportSize) -> None:
    ada = house.person("ada", viewport=viewport).is_in()
    ada.say_as_is("the first\n" + "\n".join(f"line {n}" for n in range(12)))
    ada.ask("SELECT id, name FROM customers")
    for _ in range(4):
        ada.say_as_is("below it" + "\nanother line" * 12)
    ada.is_at_end()
    for message in (ada.message("the first").first, ada.answers().first):
        # Until only its last line is in sight.
        for shown_px in (300, 100, 20):
            scroll_to(ada, message, shown_px)
            point_at_the_end_of(message)
            tools = ada.log.get_by_role("toolbar")
            expect(tools).to_have_count(1)
            assert tools.evaluate(IS_UNCOVERED), shown_px


def scroll_to(person: Person, message: Locator, shown_px: int) -> None:
    """Scroll until so much of the end of a message is in sight."""
    person.page.mouse.move(0, 0)
    message.evaluate(SCROLL, shown_px)
    person.settle()


def point_at_the_end_of(message: Locator) -> None:
    box = message.bounding_box()
    assert box is not None
    message.page.mouse.move(box["x"] + 40, box["y"] + box["height"] - 8)


SCROLL: Final = """(element, shown) => {
  const list = element.closest("[role=log]");
  const below = element.getBoundingClientRect().bottom - list.getBoundingClientRect().top;
  list.scrollTop += below - shown;
}"""
IS_UNCOVERED: Final = """(tools) => [...tools.querySelectorAll("button")].every((button) => {
  const { left, right, top, bottom } = button.getBoundingClientRect();
  return [top + 1, bottom - 1].every((y) =>
    button.contains(document.elementFromPoint((left + right) / 2, y)));
})"""
"""Whether a click meets each of them, at its upper edge and at its lower one."""


def test_nobody_can_change_what_others_wrote(ada: Person, bob: Person) -> None:
    ada.say("this is mine")
    bob.sees("this is mine")
    bob.message("this is mine").hover()
    toolbar = bob.message("this is mine").get_by_role("toolbar")
    expect(toolbar.get_by_role("button", name="Copy message", exact=True)).to_be_visible()
    expect(toolbar.get_by_role("button", name="Edit", exact=True)).to_have_count(0)
    expect(toolbar.get_by_role("button", name="Delete", exact=True)).to_have_count(0)


def test_what_changed_while_somebody_was_away_is_seen_when_they_come_back(
    ada: Person, bob: Person
) -> None:
    for text in ("first as it was", "second to go", "third to like"):
        ada.say(text)
        bob.sees(text)
    with bob.offline():
        expect(bob.banner).to_contain_text("You are offline")
        edit(ada, "first as it was", "first as it is")
        delete(ada, "second to go")
        react(ada, "third to like", "Thumbs up")
        ada.say("a fourth one")
        expect(bob.message("first as it was")).to_have_count(1)
    expect(bob.message("a fourth one")).to_be_visible()
    expect(bob.message("first as it is")).to_contain_text("(edited)")
    expect(bob.message("second to go")).to_have_count(0)
    expect(bob.message("This message was deleted.")).to_have_count(1)
    expect(bob.message("third to like").locator(".reaction")).to_have_text(re.compile("👍1"))


def delete(person: Person, text: str) -> None:
    act(person, text, "Delete")
    message = person.log.get_by_role("group", name="Delete this message?")
    message.get_by_role("button", name="Delete", exact=True).click()


def react(person: Person, text: str, words: str) -> None:
    act(person, text, "React")
    person.page.get_by_role("dialog", name="Reactions").get_by_role(
        "button", name=re.compile(words, re.IGNORECASE)
    ).first.click()


def test_a_deleted_message_leaves_its_place(ada: Person, bob: Person) -> None:
    for text in ("before", "to be deleted", "behind"):
        ada.say(text)
    bob.sees("before", "to be deleted", "behind")
    delete(ada, "to be deleted")
    for person in (ada, bob):
        person.sees("before", "This message was deleted.", "behind")
        expect(person.message("to be deleted")).to_have_count(0)
    bob.reload()
    bob.is_in().sees("before", "This message was deleted.", "behind")


def test_two_people_react_and_one_takes_it_back(ada: Person, bob: Person) -> None:
    ada.say("lunch?")
    bob.sees("lunch?")
    react(bob, "lunch?", "Thumbs up")
    mine = ada.message("lunch?").locator(".reaction")
    expect(mine).to_have_text(re.compile("👍1, Bob"))
    mine.click()
    expect(mine).to_have_text(re.compile("👍2, you and Bob"))
    expect(mine).to_have_attribute("aria-pressed", "true")
    theirs = bob.message("lunch?").locator(".reaction")
    expect(theirs).to_have_text(re.compile("👍2, you and Ada"))
    mine.click()
    expect(theirs).to_have_text(re.compile("👍1, you"))
    bob.reload()
    expect(bob.is_in().message("lunch?").locator(".reaction")).to_have_text(re.compile("👍1, you"))


def test_a_change_on_another_device_is_told_to_who_edits(house: House, ada: Person) -> None:
    elsewhere = house.person("ada").is_in()
    ada.say("the same message")
    elsewhere.sees("the same message")
    act(ada, "the same message", "Edit")
    box = ada.log.get_by_role("textbox", name="Edit the message")
    box.fill("as I want it here")
    edit(elsewhere, "the same message", "as I wanted it there")
    changed = ada.log.get_by_role("alert")
    expect(changed).to_contain_text("This message was changed meanwhile, in another place.")
    expect(changed).to_contain_text("as I wanted it there")
    expect(box).to_have_value("as I want it here")
    box.press("Enter")
    expect(elsewhere.message("as I want it here")).to_be_visible()


def test_a_mention_is_marked_for_whom_it_names(ada: Person, bob: Person) -> None:
    ada.say("@bob look at this, please")
    expect(bob.message("look at this")).to_have_class(re.compile("mentions-me"))
    expect(bob.message("look at this").locator(".message-mention.is-me")).to_have_text("@bob")
    expect(ada.message("look at this")).not_to_have_class(re.compile("mentions-me"))
    expect(ada.message("look at this").locator(".message-mention")).to_have_text("@bob")


def test_a_thread_is_counted_and_read_on_both_sides(ada: Person, bob: Person) -> None:
    ada.say("who is coming?")
    ada.say("another subject")
    bob.sees("who is coming?", "another subject")
    act(bob, "who is coming?", "Reply in a thread")
    reply(bob, "I am")
    replies = ada.message("who is coming?").get_by_role("button", name=re.compile("1 reply"))
    expect(replies).to_be_visible()
    expect(ada.message("I am").get_by_text("In the thread of “who is coming?”")).to_be_visible()
    replies.click()
    panel = ada.page.get_by_role("log", name="Messages of the thread")
    expect(panel.get_by_role("article")).to_have_count(2)
    reply(ada, "good")
    theirs = bob.page.get_by_role("log", name="Messages of the thread")
    expect(theirs.get_by_role("article").filter(has_text="good")).to_have_count(1)
    room = bob.page.get_by_role("log", name="Messages of demo")
    opener = room.get_by_role("article").filter(
        has=bob.page.get_by_role("button", name=re.compile("2 replies"))
    )
    expect(opener).to_contain_text("who is coming?")
    ada.reload()
    expect(ada.is_in().page.get_by_role("log", name="Messages of the thread")).to_contain_text(
        "good"
    )


def reply(person: Person, text: str) -> None:
    box = person.page.locator(".thread .composer-box").get_by_role("textbox")
    box.fill(text)
    box.press("Enter")
    panel = person.page.get_by_role("log", name="Messages of the thread")
    expect(panel.get_by_role("article").filter(has_text=text)).to_be_visible()


def test_a_reply_elsewhere_does_not_enter_the_thread_that_is_open(ada: Person, bob: Person) -> None:
    for text in ("one subject", "another subject"):
        ada.say(text)
        bob.sees(text)
    act(ada, "one subject", "Reply in a thread")
    panel = ada.page.get_by_role("log", name="Messages of the thread")
    expect(panel.get_by_role("article")).to_have_count(1)
    act(bob, "another subject", "Reply in a thread")
    reply(bob, "to the other one")
    room = ada.page.get_by_role("log", name="Messages of demo")
    expect(room.get_by_role("article").filter(has_text="to the other one")).to_be_visible()
    expect(panel.get_by_role("article")).to_have_count(1)
    expect(panel).not_to_contain_text("to the other one")


def test_an_older_server_has_no_buttons_for_what_it_cannot_do(house: House) -> None:
    house.start(QUIET)
    person = house.profile()
    person.context.route_web_socket(re.compile("/socket.io/"), without_features)

    old = person.open(f"{house.server.url}/#token={token('ada', 'demo')}").is_in()
    old.say("to an older server")
    old.message("to an older server").hover()
    toolbar = old.message("to an older server").get_by_role("toolbar")
    expect(toolbar.get_by_role("button", name="Copy message", exact=True)).to_be_visible()
    for name in ("React", "Reply in a thread", "Edit", "Delete"):
        expect(toolbar.get_by_role("button", name=name, exact=True)).to_have_count(0)


def without_features(route: WebSocketRoute) -> None:
    """Between page and server: what the server says of itself is taken out."""
    server = route.connect_to_server()
    server.on_message(
        lambda message: route.send(
            re.sub(r'"features":\[[^\]]*\]', '"features":[]', message)
            if isinstance(message, str)
            else message
        )
    )
