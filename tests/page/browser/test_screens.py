"""Every screen as it comes by itself, or while somebody writes: as axe and the eye see it."""

from pathlib import Path

import pytest

from tests.page.browser import screens
from tests.page.browser.people import House


@pytest.mark.parametrize(
    "screen",
    [
        screens.sign_in,
        screens.link_of_another,
        screens.empty_room,
        screens.room_without_database,
        screens.answers,
        screens.older_answers,
        screens.chart,
        screens.streaming,
        screens.commands,
        screens.tables,
        screens.too_long,
        screens.offline,
    ],
    ids=lambda screen: screen.__name__,
)
def test_nothing_is_wrong_with_the_screen(
    home: House, tmp_path: Path, screen: screens.Screen
) -> None:
    screens.look(screen(home), tmp_path, screen.__name__)
