"""Whatever content holds, it is text: no element is made of it, and it breaks no layout."""

import json
import re
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import expect

from chatd.auth.mint import mint
from tests.page.browser.hostile import SHAPES, SHORT, Watch
from tests.page.browser.people import PATIENT, House, Person
from tests.peers.servers import ROOT, SECRET

PHONE: Final = {"viewport": {"width": 390, "height": 720}}
WIDE: Final = {"viewport": {"width": 1280, "height": 800}}


@pytest.fixture(params=[WIDE, PHONE], ids=["wide", "narrow"])
def screen(request: pytest.FixtureRequest) -> dict[str, object]:
    return dict(request.param)


def test_messages_are_text(house: House) -> None:
    house.start(f"[databases.other]\nsample = true\n{PATIENT}")
    ada, bob = house.person("ada", **WIDE).is_in(), house.person("bob", **PHONE).is_in()
    watches = [Watch(ada.page), Watch(bob.page)]
    for number, text in enumerate(SHAPES.values()):
        ada.say_as_is(f"{number} of all: {text}")
        expect(bob.message(f"{number} of all:").last).to_be_visible()
        for watch in watches:
            watch.is_calm()
    bob.reload()
    bob.is_in()
    watches[1].is_calm()


def test_what_is_found_is_text(house: House) -> None:
    ada = house.person("ada", **WIDE).is_in()
    watch = Watch(ada.page)
    for text in (*list(SHORT.values())[:9], SHAPES["a long word"]):
        ada.say_as_is(f"needle {text} needle")
    ada.page.get_by_role("button", name="Search").click()
    ada.page.get_by_role("searchbox").fill("needle")
    ada.page.keyboard.press("Enter")
    expect(ada.page.locator(".search-hit, .search li").first).to_be_visible()
    watch.is_calm()
    ada.page.get_by_role("searchbox").fill("<img src=x onerror=alert(1)>")
    ada.page.keyboard.press("Enter")
    watch.is_calm()


def test_titles_of_rooms_are_text(house: House, screen: dict[str, object]) -> None:
    # The configuration takes no title with characters that cannot be seen.
    titles = [text for text in (*SHORT.values(), "w" * 300) if text.isprintable()]
    rooms = [
        f"[directory.connections.room{number}]\nusers = ['*']\n"
        f"title = {json.dumps(text, ensure_ascii=False)}\n"
        for number, text in enumerate(titles)
    ]
    house.start('[directory]\nsource = "file"\n' + "".join(rooms))
    ada = house.person("ada", **screen).is_in()
    watch = Watch(ada.page)
    for number in (0, titles.index(SHAPES["marks"]), len(rooms) - 1):
        ada.page.goto(f"{house.server.url}/?room=room{number}")
        ada.is_in()
        watch.is_calm()
    ada.page.keyboard.press("Control+k")
    expect(ada.page.get_by_role("option").first).to_be_visible()
    watch.is_calm()


def named_token(user_id: str, name: str) -> str:
    """A token that gives its user any name."""
    return mint(
        SECRET,
        user_id=user_id,
        rooms=("demo",),
        name=name,
        ttl_s=600,
        now_s=time.time(),
        audience="authenticated",
        issuer="",
        claim="connections",
    )


def test_names_of_people_are_text(house: House) -> None:
    readers = [house.person("ada", **WIDE).is_in(), house.person("bob", **PHONE).is_in()]
    watches = [Watch(reader.page) for reader in readers]
    for number, text in enumerate(SHORT.values()):
        who = named_token(f"user{number}", text)
        mallory = house.profile(**WIDE).open(f"{house.server.url}/#token={who}").is_in()
        mallory.say(f"hello from {number}")
        for reader in readers:
            expect(reader.message(f"hello from {number}")).to_be_visible()
        for watch in (*watches, Watch(mallory.page)):
            watch.is_calm()
        house.leave(mallory)
    for reader, watch in zip(readers, watches, strict=True):
        reader.page.get_by_role("button", name=re.compile("here$")).first.click()
        watch.is_calm()


@pytest.fixture
def visitor(house: House, screen: dict[str, object], tmp_path: Path) -> Person:
    """Somebody in a room whose db-mcp means ill."""
    house.start(
        f'[databases.demo]\ncommand = ["{sys.executable}", "-m", "tests.page.browser.hostile_peer"]'
        '\ndialect = "sqlite"\nmapping = "chatd"\ncredentials = "read-only"\n'
        f'environment = {{ PYTHONPATH = "{ROOT}" }}\n{PATIENT}'
    )
    return house.person("ada", **screen).is_in()


def test_columns_cells_and_errors_of_a_hostile_database_are_text(visitor: Person) -> None:
    watch = Watch(visitor.page)
    card = visitor.ask("SELECT 'all'")
    expect(card.locator("table")).to_be_visible()
    watch.is_calm()
    card.get_by_role("button", name="Show all of it").first.click()
    expect(visitor.page.get_by_role("dialog")).to_be_visible()
    watch.is_calm()
    visitor.page.keyboard.press("Escape")
    card.get_by_role("button", name="SQL", exact=True).click()
    watch.is_calm()
    failed = visitor.ask("SELECT 'fault'")
    expect(failed.locator(".bad").first).to_be_visible()
    watch.is_calm()
    visitor.ask("/tables")
    watch.is_calm()


def test_tables_of_a_hostile_database_are_text(visitor: Person) -> None:
    watch = Watch(visitor.page)
    visitor.page.get_by_role("button", name="Tables of this database").click()
    expect(visitor.page.get_by_role("treeitem").first).to_be_visible()
    watch.is_calm()
    visitor.page.keyboard.press("Escape")
    visitor.write("SELECT * FROM ")
    visitor.page.keyboard.press("Control+Space")
    watch.is_calm()


def test_names_and_values_of_a_hostile_file_are_text(
    house: House, screen: dict[str, object], tmp_path: Path
) -> None:
    file = tmp_path / "evil.sqlite3"
    with closing(sqlite3.connect(file)) as database:
        for text in SHORT.values():
            name = text.replace('"', '""').replace("\x00", "")
            database.execute(f'CREATE TABLE "{name}" ("{name}" TEXT, b TEXT)')
            database.execute(f'INSERT INTO "{name}" VALUES (?, ?)', (text, SHAPES["a long word"]))
        database.commit()
    house.start(f'[databases.demo]\nsqlite = "{file}"\n{PATIENT}')
    ada = house.person("ada", **screen).is_in()
    watch = Watch(ada.page)
    expect(ada.ask("/tables").locator("table")).to_be_visible()
    watch.is_calm()
    for name in ("an image", "an override", "marks"):
        quoted = SHAPES[name].replace('"', '""')
        ada.say_as_is(f'SELECT b, * FROM "{quoted}"')
        card = ada.last_answer(re.compile("SELECT b"))
        expect(card).to_have_attribute("aria-label", "Answer: 1 row")
        watch.is_calm()
