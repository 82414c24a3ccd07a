"""Scrolling through a long room in Chromium: nothing jumps, nothing is bare, the end stays."""

from collections.abc import Callable
from itertools import count

import pytest
from playwright.sync_api import CDPSession, expect

from tests.page.browser.frames import painted
from tests.page.browser.people import House, Person
from tests.page.browser.seeds import history, text_of, write

ROOM = "long"
MESSAGES = 10_000
ROUNDING_PX = 3
PAGE = 50
WINDOW_MAX = 5_000
HELD_HEIGHT = """() => document.querySelector(".room-list .message-sizer").offsetHeight"""


@pytest.fixture
def long_room(house: House) -> House:
    """A daemon with a room of 10,000 messages, and one of none."""
    write(house.state, history(ROOM, MESSAGES))
    house.start("[answers]\nenabled = false\n")
    return house


@pytest.fixture
def ada(long_room: House) -> Person:
    """Somebody at the end of the long room, with the mouse on its messages."""
    return at_end(long_room.person("ada", ROOM, "empty"))


def at_end(person: Person) -> Person:
    person.is_in()
    expect(person.message(text_of(MESSAGES).partition("\n")[0])).to_be_visible()
    person.is_at_end()
    box = person.log.bounding_box()
    assert box is not None
    person.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    return person


def wheel_until(person: Person, px: int, is_there: Callable[[int], bool]) -> int:
    """Turn the wheel until the message at the top is one of these; how many ticks it took."""
    for ticks in count(1):
        person.page.mouse.wheel(0, px)
        if is_there(person.top_seq()):
            return ticks
        assert ticks < 5_000
    raise AssertionError


def test_forty_pages_up_have_no_jump_and_no_bare_place(ada: Person) -> None:
    with painted(ada.page, direction=1) as frames:
        wheel_until(ada, -900, lambda seq: seq <= MESSAGES - 40 * PAGE)
    assert frames.frames > 40
    assert (frames.jumps, frames.blanks) == ([], [])


def test_a_fling_up_and_down_again_has_no_jump_and_no_bare_place(ada: Person) -> None:
    with painted(ada.page, direction=1) as up:
        wheel_until(ada, -3_000, lambda seq: seq <= MESSAGES - 20 * PAGE)
    with painted(ada.page, direction=-1) as down:
        wheel_until(ada, 3_000, lambda _: ada.from_end() <= 1)
    assert (up.jumps, up.blanks) == ([], [])
    assert (down.jumps, down.blanks) == ([], [])


def test_what_is_held_and_what_it_costs_are_bounded(ada: Person) -> None:
    """To scroll by a message costs with thousands of messages about what it costs with a few
    hundred, in CPU time of the page's thread: whatever else the machine does, and however often the
    wheel turns in vain before the server has sent the next ones."""
    session = ada.page.context.new_cdp_session(ada.page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    mean_px = ada.page.evaluate(HELD_HEIGHT) / PAGE
    first_s = script_of_a_message(ada, session)
    before = metrics(session)
    wheel_until(ada, -6_000, lambda seq: seq <= MESSAGES - WINDOW_MAX - 20 * PAGE)
    last_s = script_of_a_message(ada, session)
    after = metrics(session)
    assert ada.page.evaluate(HELD_HEIGHT) / mean_px <= WINDOW_MAX * 1.2
    assert after["JSHeapUsedSize"] - before["JSHeapUsedSize"] < 60e6
    assert last_s < 3 * first_s
    ada.page.get_by_role("button", name="Newest").click()
    ada.is_at_end()
    assert ada.page.evaluate(HELD_HEIGHT) / mean_px <= 10 * PAGE


def script_of_a_message(person: Person, session: CDPSession) -> float:
    """Seconds of scripts for each message that one scrolls by, on eight pages of the way up."""
    before, begun = metrics(session), person.top_seq()
    wheel_until(person, -900, lambda top: top <= begun - 8 * PAGE)
    spent_s = metrics(session)["ScriptDuration"] - before["ScriptDuration"]
    return spent_s / (begun - person.top_seq())


def metrics(session: CDPSession) -> dict[str, float]:
    """What Chromium measures of a page, once what nobody needs is gone."""
    session.send("HeapProfiler.collectGarbage")
    told = session.send("Performance.getMetrics")["metrics"]
    return {one["name"]: one["value"] for one in told}


def test_a_message_of_ones_own_that_arrives_while_one_reads_above_moves_nothing(
    long_room: House,
) -> None:
    here = at_end(long_room.person("ada", ROOM))
    there = long_room.person("ada", ROOM).is_in()
    wheel_until(here, -900, lambda seq: seq <= MESSAGES - 30)
    here.settle()
    with painted(here.page) as frames:
        there.say("from my other device")
        there.sees("from my other device")
        first = here.log.get_by_role("article").first
        expect(first).to_have_attribute("aria-setsize", str(MESSAGES + 1))
        expect(here.page.get_by_role("button", name="Newest")).to_be_visible()
        here.settle()
    assert (frames.moved, frames.blanks) == (0, [])
    here.page.get_by_role("button", name="Newest").click()
    here.sees("from my other device")


def test_the_end_follows_what_is_appended(long_room: House) -> None:
    ada = at_end(long_room.person("ada", ROOM))
    bob = long_room.person("bob", ROOM).is_in()
    ada.settle()
    with painted(ada.page, direction=-1) as frames:
        for one in range(8):
            bob.say(f"news {one}\nand a second line")
            expect(ada.message(f"news {one}")).to_be_visible()
        ada.settle()
    assert frames.far_from_end <= ROUNDING_PX
    assert (frames.jumps, frames.blanks) == ([], [])


def test_a_resize_and_a_notice_keep_the_end(ada: Person) -> None:
    for width, height in ((1280, 400), (700, 500), (390, 640), (1280, 720)):
        ada.page.set_viewport_size({"width": width, "height": height})
        ada.is_at_end()
    ada.is_at_end()
    height = ada.log.evaluate("(log) => log.clientHeight")
    with ada.offline():
        expect(ada.banner).to_be_visible()
        assert ada.log.evaluate("(log) => log.clientHeight") < height
        ada.settle()
        assert ada.from_end() <= 1
    expect(ada.banner).to_be_hidden()
    ada.settle()
    assert ada.from_end() <= 1


def test_a_room_that_was_left_stands_where_it_was(ada: Person) -> None:
    wheel_until(ada, -900, lambda seq: seq <= MESSAGES - 120)
    ada.settle()
    place = PLACE.format(seq=ada.top_seq() + 1)
    before = ada.page.evaluate(place)
    ada.room("empty").click()
    expect(ada.page.get_by_text("Nobody has written here yet.")).to_be_visible()
    ada.room(ROOM).click()
    expect(ada.log).to_be_visible()
    ada.settle()
    assert ada.page.evaluate(place) == pytest.approx(before, abs=1)


PLACE = (
    """() => document.querySelector('.room-list [data-seq="{seq}"]').getBoundingClientRect().top"""
)
