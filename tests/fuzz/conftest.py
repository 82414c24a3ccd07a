import pytest


@pytest.fixture
def fuzz_seconds(request: pytest.FixtureRequest) -> float:
    """How long a target runs; its test may take that much longer than others."""
    seconds = float(request.config.getoption("--fuzz-seconds"))
    request.applymarker(pytest.mark.timeout(120 + 2 * seconds))
    return seconds
