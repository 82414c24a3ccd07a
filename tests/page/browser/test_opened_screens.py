"""Every screen that somebody opens: as axe and the eye see it."""

from pathlib import Path

import pytest

from tests.page.browser import screens
from tests.page.browser.people import House


@pytest.mark.parametrize(
    "screen",
    [
        screens.actions,
        screens.reactions,
        screens.editing,
        screens.thread,
        screens.search,
        screens.schema,
        screens.people,
        screens.switcher,
        screens.keys,
        screens.connection,
        screens.account,
        screens.drawer,
    ],
    ids=lambda screen: screen.__name__,
)
def test_nothing_is_wrong_with_the_screen(
    home: House, tmp_path: Path, screen: screens.Screen
) -> None:
    screens.look(screen(home), tmp_path, screen.__name__)
