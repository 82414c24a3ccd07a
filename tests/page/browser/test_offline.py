"""The page while the server is away: the service worker shows it, and keeps nothing else."""

import re
from typing import Any, Final

from playwright.sync_api import Page, expect

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
