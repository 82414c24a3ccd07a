"""A house for each test, with what was started in it ended afterwards."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from tests.app.daemon import House


@pytest.fixture
async def house(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[House]:
    house = House(tmp_path, nursery)
    try:
        yield house
    finally:
        await house.tear_down()
