"""Chromium, and daemons of their own, for the tests of the page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.page.browser import screens
from tests.page.browser.people import House

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a file; each person has a context of its own. While it runs, its
    thread has a loop of asyncio, in which tests of other files could start none."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*FLAGS])
        yield browser
        browser.close()


@pytest.fixture
def house(chromium: Browser, tmp_path: Path) -> Iterator[House]:
    """A place for a daemon and the people who use its page."""
    house = House(chromium, tmp_path)
    yield house
    house.close()


@pytest.fixture(scope="module")
def home(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A place that all tests of a module share, with a room in which somebody has asked."""
    home = House(chromium, tmp_path_factory.mktemp("home"))
    screens.furnish(home)
    yield home
    home.close()
