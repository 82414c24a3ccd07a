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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that kills a daemon again and again may take as much longer as is asked for. Said
    here, as a fixture would say it when the time has begun."""
    for item in items:
        if isinstance(item, pytest.Function) and "kill_rounds" in item.fixturenames:
            rounds = int(config.getoption("--kill-rounds"))
            item.add_marker(pytest.mark.timeout(120 + 60 * rounds))


@pytest.fixture
def kill_rounds(request: pytest.FixtureRequest) -> int:
    """How often a daemon is killed."""
    return int(request.config.getoption("--kill-rounds"))
