"""`python -m tests.page.picture` makes the pictures of the page in the README anew, light and dark.

Two people ask the sample database in a daemon of their own; what stands in the room is the
same at each run, but for the shop's figures and the time. It needs the page to be built.
"""

import re
import sys
import tempfile
from pathlib import Path
from typing import Final, Literal, TypeAlias

from playwright.sync_api import expect, sync_playwright

from tests.page.browser.conftest import FLAGS
from tests.page.browser.people import House, Person

Scheme: TypeAlias = Literal["light", "dark"]

DOCS: Final = Path(__file__).parents[2] / "chatd" / "docs"
PICTURES: Final[dict[Scheme, Path]] = {
    "light": DOCS / "page-light.png",
    "dark": DOCS / "page-dark.png",
}
SIZE: Final = {"width": 1180, "height": 940}
BYTES_MAX: Final = 150_000
MONTHS: Final = (
    "SELECT strftime('%Y-%m', placed_at) AS month, round(sum(total)) AS revenue "
    "FROM orders GROUP BY month ORDER BY month"
)
BEST: Final = (
    "SELECT customer, count(*) AS items, round(sum(amount), 2) AS spent FROM sales "
    "GROUP BY customer ORDER BY spent DESC LIMIT 4"
)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*FLAGS])
        house = House(browser, Path(directory))
        try:
            show(house)
        finally:
            house.close()
        browser.close()


def show(house: House) -> None:
    """Let two people talk, and take a picture of what each of them sees."""
    for event in ("reader.ready", "database.connected"):
        house.server.said(event, "")  # the first answer is as fast as the others
    people = {
        scheme: house.person(user_id, viewport=SIZE, color_scheme=scheme).is_in()
        for scheme, user_id in (("light", "ada"), ("dark", "grace"))
    }
    talk(people["light"], people["dark"])
    for scheme, path in PICTURES.items():
        take(people[scheme], path)


def talk(ada: Person, grace: Person) -> None:
    """What stands in the room of the picture."""
    ada.say("Who are our best customers?")
    ada.say(BEST)
    expect(ada.answers().first).to_contain_text("4 rows")  # it has ended
    grace.say("@ada and in which months do they buy?")
    grace.say(MONTHS)
    for person in (ada, grace):
        chart = person.answers().last
        expect(chart).to_contain_text(re.compile("2[45] rows"))  # two years, in 24 or 25 months
        chart.get_by_role("button", name="Chart").click()
        expect(chart.get_by_role("img")).to_be_visible()


def take(person: Person, path: Path) -> None:
    """Save what a person sees, with nothing below the pointer, and nothing that has the focus."""
    person.page.mouse.move(0, 0)
    person.page.evaluate("document.activeElement?.blur()")
    person.page.screenshot(path=path, animations="disabled", caret="hide")
    size = path.stat().st_size
    sys.stdout.write(f"{path}: {size:,} bytes\n")
    if size > BYTES_MAX:
        sys.exit(f"That is more than {BYTES_MAX:,}; have less on it.")


if __name__ == "__main__":
    main()
