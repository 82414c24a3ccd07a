from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trio

from chatd.postgres_store.sessions import LogAddress
from chatd.store.opening import Store, open_store
from chatd.store.writer import LogWriter
from tests.store.histories import (
    KINDS,
    History,
    OpenHistory,
    open_in_memory,
    open_in_postgres,
    open_in_sqlite,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def every_crash(request: pytest.FixtureRequest) -> bool:
    """Whether to try all points of a crash, or else a sample of them."""
    return bool(request.config.getoption("--every-crash"))


@pytest.fixture
def store(directory: Path) -> Iterator[Store]:
    store = open_store(directory, "fsync")
    yield store
    store.close()


@pytest.fixture
async def writer(store: Store) -> AsyncIterator[LogWriter]:
    writer = store.start_writer(trio.lowlevel.current_trio_token())
    yield writer
    assert await writer.close(30)


@pytest.fixture(scope="session", params=KINDS)
def open_history(request: pytest.FixtureRequest) -> OpenHistory:
    """Opens an empty history of each kind, in a directory where it needs one."""
    match request.param:
        case "sqlite":
            return open_in_sqlite
        case "memory":
            return open_in_memory
    address: LogAddress = request.getfixturevalue("log_address")
    return lambda _directory: open_in_postgres(address)


@pytest.fixture
async def history(open_history: OpenHistory, tmp_path: Path) -> AsyncIterator[History]:
    async with open_history(tmp_path / "state") as history:
        yield history
