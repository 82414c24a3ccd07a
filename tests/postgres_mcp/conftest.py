from collections.abc import Iterator

import pytest

from tests.postgres import Postgres
from tests.postgres_mcp.shops import Shop


@pytest.fixture
def shop(postgres: Postgres) -> Iterator[Shop]:
    opened = Shop.opened(postgres)
    yield opened
    opened.close()
