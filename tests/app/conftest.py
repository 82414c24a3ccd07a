"""A house for each test, with what was started in it ended afterwards."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from tests.app.daemon import House


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "answers: daemons in this test answer questions")


@pytest.fixture
async def house(
    tmp_path: Path, nursery: trio.Nursery, request: pytest.FixtureRequest
) -> AsyncIterator[House]:
    house = House(tmp_path, nursery)
    if request.node.get_closest_marker("answers") is None:
        # A daemon that asks nothing starts with half the work: it imports no MCP.
        house.environment["CHATD_ANSWERS__ENABLED"] = "false"
    try:
        yield house
    finally:
        await house.tear_down()


@pytest.fixture
def kill_rounds(request: pytest.FixtureRequest) -> int:
    """How often a daemon is killed; its test may take that much longer than others."""
    rounds = int(request.config.getoption("--kill-rounds"))
    request.applymarker(pytest.mark.timeout(120 + 60 * rounds))
    return rounds
