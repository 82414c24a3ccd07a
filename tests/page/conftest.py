"""Which tests of the page wait to be asked for."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    is_long = collection_path.name == "test_next.py"
    return True if is_long and not config.getoption("--next") else None
