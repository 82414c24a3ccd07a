from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.server.chats import Chat, open_chat
from tests.server.doors import Door, open_door


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """A front door that echoes, with the usual limits."""
    async with open_door() as door:
        yield door


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    """The chat over a real store, with the usual limits."""
    async with open_chat(tmp_path) as chat:
        yield chat
