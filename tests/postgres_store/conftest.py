from collections.abc import AsyncIterator

import pytest

from chatd.postgres_store.sessions import LogAddress
from tests.store.histories import PostgresHistory, open_in_postgres


@pytest.fixture
async def history(log_address: LogAddress) -> AsyncIterator[PostgresHistory]:
    async with open_in_postgres(log_address) as history:
        yield history
