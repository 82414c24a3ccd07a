"""The page with a server that is older or newer than itself: it works with what is there."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.page.browser.fake_server import ROOM, FakeServer
from tests.page.browser.hostile import SHAPES, Watch
from tests.page.browser.people import House, Person
from tests.peers.servers import token


@pytest.fixture
def old() -> Iterator[FakeServer]:
    """A server of the first version: it tells no features, and knows few events."""
    server = FakeServer("written before", "and this")
    yield server
    server.close()


@pytest.fixture
def new() -> Iterator[FakeServer]:
    """A server of a later version, which tells of things that this page has not heard of."""
    server = FakeServer(
        "written before",
        more={
            "server": {
                "version": "99.0.0",
                "features": ["telepathy", "search", {"name": "odd"}],
                "commands": [{"name": "/dream", "argument": None, "purpose": "x", "new": 1}],
                "mood": "good",
            },
            "planet": {"name": "Mars"},
        },
    )
    yield server
    server.close()


def visitor(house: House, server: FakeServer) -> Person:
    """Somebody at the page of this server."""
    return house.profile().open(f"{server.url}/#token={token('ada', ROOM)}").is_in()


def test_with_an_older_server_people_read_and_write(house: House, old: FakeServer) -> None:
    ada = visitor(house, old)
    ada.sees("written before", "and this")
    ada.say("from a newer page")
    expect(ada.message("from a newer page").get_by_text("Sent")).to_have_count(1)
    old.write("from an older server")
    ada.sees("written before", "and this", "from a newer page", "from an older server")
    expect(ada.log.locator(".is-failed")).to_have_count(0)
    ada.reload()
    ada.is_in().sees("from a newer page", "from an older server")


def test_with_an_older_server_nothing_is_offered_that_it_lacks(
    house: House, old: FakeServer
) -> None:
    ada = visitor(house, old)
    ada.say("mine")
    ada.message("mine").hover()
    toolbar = ada.page.get_by_role("toolbar", name="Actions")
    expect(toolbar.get_by_role("button", name="Copy message", exact=True)).to_be_visible()
    for lacking in ("React", "Edit", "Delete"):
        expect(toolbar.get_by_role("button", name=lacking)).to_have_count(0)
    expect(ada.page.get_by_role("button", name="Tables of this database")).to_have_count(0)
    assert not {"chat:read", "schema:get", "chat:message:edit"} & set(old.heard)


def test_with_an_older_server_nothing_waits_for_an_answer_for_ever(
    house: House, old: FakeServer
) -> None:
    ada = visitor(house, old)
    ada.page.keyboard.press("Control+Shift+f")
    box = ada.page.get_by_role("searchbox")
    box.fill("before")
    box.press("Enter")
    expect(ada.page.locator(".search-results")).to_have_attribute("aria-busy", "false")
    expect(ada.page.locator(".search-results").get_by_role("status")).to_have_class("bad")
    ada.page.keyboard.press("Escape")
    ada.message("written before").hover()
    toolbar = ada.page.get_by_role("toolbar", name="Actions")
    expect(toolbar.get_by_role("button", name="Copy message", exact=True)).to_be_visible()
    expect(toolbar.get_by_role("button", name="Reply in a thread")).to_have_count(0)
    ada.say("still here")
    ada.sees("still here")


def test_with_a_newer_server_what_is_unknown_changes_nothing(house: House, new: FakeServer) -> None:
    ada = visitor(house, new)
    ada.sees("written before")
    new.emit("chat:dream", {"connectionId": ROOM, "dream": "of sheep"})
    new.emit("chat:message:status", {"messageId": "unknown", "status": "cherished"})
    new.emit("connection:status", {"status": "meditating"})
    new.emit("chat:answer:end", {"connectionId": ROOM, "messageId": "x", "outcome": 7})
    payloads: list[Any] = [[], None, 7, "text", {"connectionId": ROOM}]
    for odd in payloads:
        for event in ("chat:message", "chat:history", "presence:update", "chat:read"):
            new.emit(event, odd)
    new.write("after that")
    ada.sees("written before", "after that")
    new.write("with a field", future={"a": 1}, status="cherished", mentions="all", reactions=7)
    ada.sees("written before", "with a field")
    ada.say("and it goes on")
    ada.sees("written before", "with a field", "and it goes on")


def test_what_a_server_lets_through_is_text(house: House, new: FakeServer) -> None:
    ada = visitor(house, new)
    watch = Watch(ada.page)
    for number, text in enumerate(SHAPES.values()):
        new.write(f"{number} of all: {text}", userId=text[:50], name=text)
        expect(ada.message(f"{number} of all:").last).to_be_visible()
        watch.is_calm()
