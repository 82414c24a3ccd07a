"""Where a reader is: at the first unread message, at a link, back where one was, at a hit."""

import re

import pytest
from playwright.sync_api import expect

from chatd.chat.records import Record
from tests.page.browser.people import House, Person
from tests.page.browser.seeds import history, member, write
from tests.peers.servers import token

MESSAGES = 300
READ = 240
"""Ada has read so far."""
ROOM = "talk"
NEEDLE = "Here lies the needle."
QUIET = "[answers]\nenabled = false\n"


@pytest.fixture
def house(house: House) -> House:
    """A daemon with a room that Ada has read in part, and another one."""
    words = {40: NEEDLE, READ + 1: "the first unread one", MESSAGES: "the newest one"}
    records: list[Record] = [
        *history(ROOM, MESSAGES, words),
        member(ROOM, "ada", READ),
        *history("other", 20),
        member("other", "ada", 20),
    ]
    write(house.state, records)
    house.start(QUIET)
    return house


def ada_in(house: House, place: str = "", *rooms: str) -> Person:
    """Ada, who opens the page at a place, in a profile of her own."""
    link = f"{house.server.url}/{place}#token={token('ada', *(rooms or (ROOM, 'other')))}"
    return house.profile().open(link).is_in()


def bob_in(house: House, *rooms: str) -> Person:
    return house.person("bob", *(rooms or (ROOM, "other"))).is_in()


def unread(person: Person, room: str, count: int) -> None:
    """So many messages of a room are unread in the list of rooms."""
    words = re.compile(rf"{count} unread") if count else re.compile(r"^#?\S*$")
    expect(person.room(room)).to_have_text(words)


def test_a_room_opens_at_the_first_unread_message_and_nothing_is_read_by_that(
    house: House,
) -> None:
    ada = ada_in(house)
    first = ada.message("the first unread one")
    expect(first).to_be_in_viewport()
    expect(ada.log.get_by_role("separator").filter(has_text="60 new messages")).to_be_visible()
    expect(ada.page).to_have_title(f"(60) {ROOM} · chatd")
    expect(ada.page.get_by_role("button", name="Newest")).to_contain_text("60")
    ada.settle()
    box = ada.log.bounding_box()
    top = first.bounding_box()
    assert box is not None
    assert top is not None
    assert 0.2 < (top["y"] - box["y"]) / box["height"] < 0.5
    expect(ada_in(house).page).to_have_title(f"(60) {ROOM} · chatd")


def test_what_was_seen_is_read_on_the_other_device_too(house: House) -> None:
    ada, elsewhere = ada_in(house), ada_in(house, "?room=other")
    unread(elsewhere, ROOM, 60)
    ada.log.hover()
    ada.page.mouse.wheel(0, 1_500)
    expect(elsewhere.room(ROOM)).not_to_have_text(re.compile("60 unread"))
    expect(elsewhere.room(ROOM)).to_have_text(re.compile(r"[1-5]\d unread"))
    ada.page.get_by_role("button", name="Newest").click()
    expect(ada.page).to_have_title(f"{ROOM} · chatd")
    unread(elsewhere, ROOM, 0)
    expect(elsewhere.page).to_have_title("other · chatd")


def test_nothing_is_read_while_nobody_looks(house: House) -> None:
    ada, bob = ada_in(house, "?room=other"), bob_in(house, "other")
    ada.is_at_end()
    ada.look_away()
    for one in range(3):
        bob.say(f"unseen {one}")
    expect(ada.page).to_have_title("(63) other · chatd")
    ada.look_back()
    expect(ada.page).to_have_title("(60) other · chatd")


def test_mentions_are_counted_apart(house: House) -> None:
    ada, bob = ada_in(house), bob_in(house, "other")
    bob.say("good morning @ada")
    bob.say("and all others")
    expect(ada.room("other")).to_have_text(re.compile(r"@1 mention of you.*2 unread"))
    expect(ada.page).to_have_title(f"(@1) {ROOM} · chatd")
    ada.room("other").click()
    expect(ada.room("other")).not_to_have_text(re.compile("unread|mention"))
    expect(ada.message("good morning")).to_have_class(re.compile("mentions-me"))


def test_a_link_to_a_message_shows_it_with_its_surroundings(house: House) -> None:
    ada = ada_in(house, f"?room={ROOM}&at=40")
    expect(ada.message(NEEDLE)).to_be_in_viewport()
    expect(ada.message("message 39 of all")).to_be_in_viewport()
    expect(ada.message("message 42 of all")).to_be_in_viewport()
    assert ada.page.url.endswith(f"?room={ROOM}&at=40") or ada.page.url.endswith(f"?room={ROOM}")


def test_the_link_that_is_copied_leads_to_the_message(house: House) -> None:
    ada = ada_in(house, f"?room={ROOM}&at=40")
    ada.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ada.message(NEEDLE).hover()
    ada.message(NEEDLE).get_by_role("button", name="Copy link").click()
    expect(ada.message(NEEDLE).get_by_role("button", name="Copied")).to_be_visible()
    link = ada.page.evaluate("navigator.clipboard.readText()")
    assert link == f"{house.server.url}/?room={ROOM}&at=40"


def test_a_link_in_a_message_opens_its_place_here_and_any_other_elsewhere(house: House) -> None:
    ada = ada_in(house, "?room=other")
    here = f"{house.server.url}/?room={ROOM}&at=40"
    ada.say_as_is(f"It was {here}, not {house.server.url}/icon.svg.")
    with ada.page.context.expect_page() as opened:
        ada.log.get_by_role("link", name="icon.svg").click()
    assert opened.value.url == f"{house.server.url}/icon.svg"
    assert opened.value.evaluate("opener") is None
    opened.value.close()
    ada.log.get_by_role("link", name=here, exact=True).click()
    expect(ada.message(NEEDLE)).to_be_in_viewport()
    assert len(ada.page.context.pages) == 1


def test_a_link_to_a_message_that_is_not_there_says_so(house: House) -> None:
    ada = ada_in(house, f"?room={ROOM}&at=99999")
    expect(ada.log).to_be_visible()
    expect(ada.page.locator(".notices")).to_contain_text("not there")


@pytest.mark.parametrize("place", ["", "&at=6", "&thread=t"])
def test_a_link_to_a_room_that_one_has_not_says_so_and_is_no_place_to_come_back_to(
    house: House, place: str
) -> None:
    ada = ada_in(house, "?room=other", ROOM, "other")
    ada.page.goto(f"{house.server.url}/?room=stock{place}")
    ada.is_in()
    notice = ada.page.locator(".notices")
    expect(notice).to_have_text("You may not use the room stock, or it does not exist.")
    expect(ada.page.locator(".panel")).to_have_count(0)
    expect(ada.page).not_to_have_url(re.compile("stock"))
    ada.page.go_back()
    expect(ada.page).to_have_url(re.compile(r"\?room=other$"))
    ada.is_in()
    expect(notice).to_have_text("")


def test_back_and_forward_go_through_the_rooms(house: House) -> None:
    ada = ada_in(house)
    ada.room("other").click()
    expect(ada.page).to_have_url(re.compile(r"\?room=other$"))
    expect(ada.page.get_by_role("log", name="Messages of other")).to_be_visible()
    ada.page.go_back()
    expect(ada.page.get_by_role("log", name=f"Messages of {ROOM}")).to_be_visible()
    expect(ada.room(ROOM)).to_have_attribute("aria-current", "page")
    ada.page.go_forward()
    expect(ada.page.get_by_role("log", name="Messages of other")).to_be_visible()
    ada.reload()
    expect(ada.page.get_by_role("log", name="Messages of other")).to_be_visible()


def test_a_hit_is_shown_with_its_surroundings_and_leads_back_to_the_end(house: House) -> None:
    ada, bob = ada_in(house), bob_in(house)
    ada.page.get_by_role("button", name="Newest").click()
    ada.is_at_end()
    ada.page.keyboard.press("Control+Shift+F")
    search = ada.page.get_by_role("search")
    search.get_by_role("searchbox").fill("needle")
    search.get_by_role("searchbox").press("Enter")
    hits = ada.page.locator(".search-hits").get_by_role("button")
    expect(hits).to_have_count(1)
    hits.click()
    expect(ada.message(NEEDLE)).to_have_class(re.compile("is-marked"))  # for a moment only
    expect(ada.message(NEEDLE)).to_be_in_viewport()
    bob.say("written meanwhile")
    newest = ada.page.get_by_role("button", name="Newest")
    expect(newest).to_contain_text("1")
    expect(ada.message(NEEDLE)).to_be_in_viewport()
    ada.log.hover()
    wheel_to(ada, -600, "message 1 of all")
    wheel_to(ada, 600, "written meanwhile")
    ada.is_at_end()
    expect(newest).to_have_count(0)
    bob.say("written at last")
    expect(ada.message("written at last")).to_be_in_viewport()


def wheel_to(person: Person, px: int, text: str) -> None:
    """Turn the wheel until there is no more that way: this message is in sight."""
    last = person.message(re.compile(rf"{text}$", re.MULTILINE)).first
    for _ in range(200):
        if last.count() and last.is_visible():
            break
        person.page.mouse.wheel(0, px)
        person.settle()
    person.page.mouse.wheel(0, px * 10)
    expect(last).to_be_in_viewport()


def test_newest_leads_from_far_above_to_what_was_written_meanwhile(house: House) -> None:
    ada, bob = ada_in(house, f"?room={ROOM}&at=40"), bob_in(house)
    expect(ada.message(NEEDLE)).to_be_in_viewport()
    bob.say("written meanwhile")
    newest = ada.page.get_by_role("button", name="Newest")
    expect(newest).to_contain_text("61")
    newest.click()
    expect(ada.message("written meanwhile")).to_be_in_viewport()
    ada.is_at_end()
    expect(newest).to_have_count(0)
    expect(ada.page).to_have_title(f"{ROOM} · chatd")
