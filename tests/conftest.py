from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.engine.listeners import Door, open_door
from tests.postgres import postgres
from tests.service.chats import Chat, open_chat

__all__ = ["postgres"]

# Hypothesis ends an example after 200 ms by default, which a busy machine does not keep.
settings.register_profile("chatd", deadline=None)
settings.load_profile("chatd")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz-seconds",
        type=float,
        default=1.0,
        metavar="N",
        help="how long each fuzz target runs (default: 1)",
    )
    parser.addoption(
        "--kill-rounds",
        type=int,
        default=20,
        metavar="N",
        help="how often the daemon is killed in the middle of a flood (default: 20)",
    )


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """A listener that echoes, with the usual limits."""
    async with open_door() as door:
        yield door


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    """The chat over a real store, with the usual limits."""
    async with open_chat(tmp_path) as chat:
        yield chat
