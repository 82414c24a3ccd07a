"""How long and how large the checker's runs are."""

from typing import Final

import pytest

AROUND_S: Final = 240.0
"""What a run takes beside its faults: a start, the end of the last fault, and the looks."""


@pytest.fixture
def cluster_seconds(request: pytest.FixtureRequest) -> float:
    """How long faults befall the cluster; its test may take that much longer than others."""
    seconds = float(request.config.getoption("--cluster-seconds"))
    request.applymarker(pytest.mark.timeout(AROUND_S + 2 * seconds))
    return seconds


@pytest.fixture
def cluster_nodes(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--cluster-nodes"))
