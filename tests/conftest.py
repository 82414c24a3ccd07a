import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz-seconds",
        type=float,
        default=1.0,
        metavar="N",
        help="how long each fuzz target runs (default: 1)",
    )
