from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trio

from chatd.store.opening import Store, open_store
from chatd.store.writer import LogWriter


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
