from pathlib import Path

import pytest

from tests.sqlite_mcp.databases import make_database


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return make_database(tmp_path / "people.db")
