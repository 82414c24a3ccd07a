"""How long and how large the checker's runs are."""

from pathlib import Path
from typing import Final

import pytest

AROUND_S: Final = 600.0
"""What a run may take beside its faults, on a slow machine: a start, the faults' own ends, the
looks."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A run may take longer than other tests, and as much longer as is asked for. Said here, as a
    fixture would say it when the time has begun."""
    for item in items:
        if item.path.parent == Path(__file__).parent and isinstance(item, pytest.Function):
            lasts_s = float(config.getoption("--cluster-seconds"))
            faults_s = 2 * lasts_s if "cluster_seconds" in item.fixturenames else 0.0
            item.add_marker(pytest.mark.timeout(AROUND_S + faults_s))


@pytest.fixture
def cluster_seconds(request: pytest.FixtureRequest) -> float:
    """How long faults befall the cluster."""
    return float(request.config.getoption("--cluster-seconds"))


@pytest.fixture
def cluster_nodes(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--cluster-nodes"))
