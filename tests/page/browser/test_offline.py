"""The page while the server is away: the service worker shows it, and keeps nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.page.browser.files import FileServer, first_build, next_build
from tests.page.browser.people import House, Person

KEPT: Final = """
(async () => {
  const kept = [];
  for (const name of await caches.keys()) {
    for (const request of await (await caches.open(name)).keys()) {
      kept.push([name, new URL(request.url).pathname + new URL(request.url).search]);
    }
  }
  return kept;
})()
"""
INSTALLED: Final = """
(async () => {
  const { active } = await navigator.serviceWorker.ready;
  if (active.state !== "activated") {
    await new Promise((done) => active.addEventListener("statechange", done));
  }
  return active.state;
})()
"""

UPDATED: Final = """
(async () => {
  const at = await navigator.serviceWorker.ready;
  await at.update().catch(() => {});
  const fresh = at.installing ?? at.waiting ?? at.active;
  while (!["activated", "redundant"].includes(fresh.state)) {
    await new Promise((done) => fresh.addEventListener("statechange", done, { once: true }));
  }
  return fresh.state;
})()
"""


def is_installed(page: Page) -> None:
    assert page.evaluate(INSTALLED) == "activated"


def visitor(house: House, place: str = "") -> Person:
    """Somebody without a token."""
    return house.profile().open(f"{house.server.url}/{place}")


def test_a_reload_while_the_server_is_away_shows_the_page(house: House) -> None:
    guest = visitor(house)
    heading = guest.page.get_by_role("heading", name="chatd")
    expect(heading).to_be_visible()
    is_installed(guest.page)
    house.server.kill()
    guest.reload()
    expect(heading).to_be_visible()
    guest.page.goto(f"{house.server.url}/?room=demo#1")
    expect(heading).to_be_visible()
    house.server.start()
    guest.reload()
    expect(heading).to_be_visible()


def test_what_is_kept_are_the_files_of_the_build(house: House) -> None:
    guest = visitor(house, "?room=secret")
    expect(guest.page.get_by_role("heading", name="chatd")).to_be_visible()
    is_installed(guest.page)
    guest.page.evaluate("fetch('api/web/config')")
    guest.reload()
    kept: list[Any] = guest.page.evaluate(KEPT)
    assert len({name for name, _ in kept}) == 1
    paths = sorted(path for _, path in kept)
    usual = ["/", "/icon.svg", "/manifest.webmanifest"]
    assert [path for path in paths if not path.startswith("/assets/")] == usual
    assert all(
        re.fullmatch(r"/assets/[\w.-]+-[\w-]{8}\.\w+", path) for path in paths[:-3] if path != "/"
    )


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FileServer]:
    """The page of this tree, without a daemon."""
    with FileServer(first_build(tmp_path / "first")) as server:
        yield server
        server.shutdown()


def script_of(page: Page) -> str:
    """The script that the page is of."""
    found = page.locator("script[type=module]").get_attribute("src")
    assert found is not None
    return found.removeprefix("./")


def test_a_new_build_takes_over_whole_and_an_open_page_keeps_its_parts(
    house: House, files: FileServer, tmp_path: Path
) -> None:
    page = house.profile().open(files.url).page
    is_installed(page)
    old = script_of(page)
    files.serve(next_build(tmp_path / "first", tmp_path / "second", "deadbeef"))
    assert page.evaluate(UPDATED) == "activated"
    files.asked.clear()
    assert page.evaluate(f"fetch('{old}').then((answer) => answer.status)") == 200
    assert f"/{old}" not in files.asked
    files.is_away = True
    page.reload()
    assert script_of(page) == "assets/index-deadbeef.js"
    expect(page.get_by_role("heading", name="chatd")).to_be_visible()


def test_a_build_that_does_not_come_whole_changes_nothing(
    house: House, files: FileServer, tmp_path: Path
) -> None:
    page = house.profile().open(files.url).page
    is_installed(page)
    old = script_of(page)
    broken = next_build(tmp_path / "first", tmp_path / "second", "deadbeef")
    (broken / "dist" / "assets" / "index-deadbeef.js").unlink()
    files.serve(broken)
    assert page.evaluate(UPDATED) == "redundant"
    files.is_away = True
    page.reload()
    assert script_of(page) == old
    expect(page.get_by_role("heading", name="chatd")).to_be_visible()
