"""The state of the connection, as the page tells it: by a dot, and in words where it lasts."""

import re
from typing import Any, Final

from playwright.sync_api import Locator, Route, expect

from tests.page.browser.people import House, Person

QUIET_MS: Final = 3_000
SLACK_MS: Final = 100
INSTALLED: Final = "navigator.serviceWorker.ready.then(({ active }) => active !== null)"

WATCH: Final = """
() => {
  const told = (globalThis.told = []);
  const look = () => {
    const dot = document.querySelector(".room-header .dot");
    const banner = document.querySelector(".banner");
    const words = banner.hidden ? "" : banner.innerText;
    const last = told.at(-1);
    if (last?.dot === dot.title && last.banner === words) return;
    told.push({ at: performance.now(), dot: dot.title, banner: words });
  };
  look();
  const watched = { subtree: true, childList: true, attributes: true, characterData: true };
  new MutationObserver(look).observe(document.querySelector("main"), watched);
}
"""

TRY_NOW: Final = """
async () => {
  const banner = document.querySelector(".banner");
  const before = banner.innerText;
  [...banner.querySelectorAll("button")].find((it) => it.innerText === "Try now").click();
  while (banner.innerText === before) await new Promise(requestAnimationFrame);
  return [before, banner.innerText];
}
"""
"""A click, and what the banner says before it and next: had nothing been tried, one second less."""


def watch(person: Person) -> None:
    person.page.evaluate(WATCH)


def told(person: Person) -> list[dict[str, Any]]:
    """What the dot and the banner have said since `watch`."""
    lines: list[dict[str, Any]] = person.page.evaluate("globalThis.told")
    return lines


def try_now(person: Person) -> Locator:
    return person.banner.get_by_role("button", name="Try now")


def test_a_restart_shows_at_the_dot_and_nowhere_else_while_it_is_quick(house: House) -> None:
    ada = house.person("ada").is_in()
    ada.say("before")
    watch(ada)
    assert house.server.stop() == 0
    ada.say("meanwhile")
    house.server.start()
    expect(ada.state("meanwhile")).to_have_attribute("title", "Sent")
    ada.is_in()
    lines = told(ada)
    assert "the server is restarting" in {line["dot"] for line in lines}
    began = next(line["at"] for line in lines if line["dot"] != "connected")
    early = [line for line in lines if line["at"] - began < QUIET_MS - SLACK_MS]
    assert {line["banner"] for line in early} == {""}
    assert (lines[-1]["dot"], lines[-1]["banner"]) == ("connected", "")


def test_a_long_loss_is_told_and_tried_less_and_less_often(house: House) -> None:
    ada = house.person("ada").is_in()
    house.server.kill()
    ada.say("kept")
    expect(ada.banner).to_contain_text("Connection lost. 1 message waits here and will be sent.")
    for seconds in ("[34]", "[6-9]", "1[1-9]"):
        expect(ada.banner).to_contain_text(re.compile(f"Trying again in {seconds} s"))
    before, after = ada.page.evaluate(TRY_NOW)
    assert re.search(r"Trying again in \d+ s", before)
    assert re.search(r"Trying again(…| in [23]\d s)", after)
    house.start_again()
    ada.is_in()
    expect(ada.banner).to_be_hidden()
    expect(ada.state("kept")).to_have_attribute("title", "Sent")


def test_the_first_connection_is_told_where_it_takes_long(house: House) -> None:
    ada = house.person("ada").is_in()
    assert ada.page.evaluate(INSTALLED)
    house.server.pause()
    ada.reload()
    expect(ada.banner).to_have_text("Connecting…")
    house.server.resume()
    ada.is_in()
    expect(ada.banner).to_be_hidden()


def test_a_server_that_restarts_for_long_says_so(house: House) -> None:
    ada = house.person("ada").is_in()

    def draining(route: Route) -> None:
        route.fulfill(status=503, json={"status": "draining"})

    ada.page.route("**/api/websocket/health", draining)
    house.server.kill()
    ada.say("kept")
    expect(ada.banner).to_contain_text("The server is restarting. 1 message waits here")
    expect(try_now(ada)).to_be_visible()
    house.start_again()
    ada.is_in()
    expect(ada.banner).to_be_hidden()


def test_a_server_that_takes_nobody_in_says_so(house: House) -> None:
    ada = house.person("ada").is_in()

    def full(route: Route) -> None:
        route.fulfill(status=503, json={"code": 503, "message": "It holds as many as it may."})

    def healthy(route: Route) -> None:
        route.fulfill(json={"status": "ok"})

    ada.page.route("**/api/websocket/health", healthy)
    ada.page.route("**/socket.io/?*", full)
    house.server.kill()
    expect(ada.banner).to_contain_text("It holds as many as it may.")
    ada.page.unroute("**/socket.io/?*")
    house.start_again()
    ada.is_in()
