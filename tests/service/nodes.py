"""Several nodes in one process, over one log in PostgreSQL and a bus in memory."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from chatd.app import fan_out
from chatd.bus import Bus
from chatd.postgres_store.sessions import LogAddress
from tests.bus.memory_bus import MemoryBus, Wire
from tests.service.chats import Chat, open_chat

BUS = "redis://in-memory"
NAMES = ("a", "b", "c")


@asynccontextmanager
async def open_nodes(
    address: LogAddress,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    count: int = 2,
    *,
    wire: Wire | None = None,
    **sections: Any,
) -> AsyncIterator[list[Chat]]:
    """So many nodes, whose buses hang on the wire; without one they have no bus."""

    def make_bus(_url: str, _scope: str, on_change: Any) -> Bus:
        assert wire is not None
        return MemoryBus(wire, on_change)

    monkeypatch.setattr(fan_out, "make_bus", make_bus)
    async with AsyncExitStack() as stack:
        nodes = []
        for name in NAMES[:count]:
            chat = open_chat(
                directory / name,
                postgres=attrs.evolve(address, node=name),
                state={"url": address.url},
                cluster={"node": name},
                bus={"url": BUS if wire is not None else ""},
                **sections,
            )
            nodes.append(await stack.enter_async_context(chat))
        yield nodes
