import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from tests import no_tokens_told
from tests.engine.listeners import Door, open_door
from tests.nothing_skipped import pytest_make_collect_report, pytest_runtest_makereport
from tests.postgres import postgres
from tests.postgres_store.logs import log_address
from tests.service.chats import Chat, open_chat

__all__ = ["log_address", "postgres", "pytest_make_collect_report", "pytest_runtest_makereport"]

# The only place that says how hard Hypothesis tries: no test sets `max_examples` for itself. A busy
# machine keeps neither the 200 ms that an example has by default, nor the pace of making them.
UNHURRIED: Final = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("few", max_examples=30, **UNHURRIED)
settings.register_profile("many", max_examples=1000, **UNHURRIED)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--many-examples",
        action="store_true",
        help="try each property of Hypothesis with 1000 examples (default: 30)",
    )
    parser.addoption(
        "--fuzz-seconds",
        type=float,
        default=1.0,
        metavar="N",
        help="how long each fuzz target runs (default: 1)",
    )
    parser.addoption(
        "--kill-rounds",
        type=int,
        default=4,
        metavar="N",
        help="how often the daemon is killed in the middle of a flood (default: 4)",
    )
    parser.addoption(
        "--cluster-seconds",
        type=float,
        default=120.0,
        metavar="N",
        help="how long faults befall several nodes (default: 120)",
    )
    parser.addoption(
        "--cluster-nodes",
        type=int,
        default=3,
        metavar="N",
        help="how many nodes these are (default: 3)",
    )
    parser.addoption(
        "--next",
        action="store_true",
        help="build an application of Next.js with the parts of the page: minutes, from npm",
    )
    parser.addoption(
        "--every-crash",
        action="store_true",
        help="try whatever a crash may leave on the disk, not one in four by a fixed seed",
    )


def pytest_configure(config: pytest.Config) -> None:
    # What the tests start inherits it: what runs in the background of a shell, or under nohup, has
    # these ignored, and a daemon heeds that.
    for number in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    config.pluginmanager.register(no_tokens_told)
    # Before a test module is imported: a `@settings` in it starts from the profile of then.
    settings.load_profile("many" if config.getoption("--many-examples") else "few")


LONGEST: Final = (
    "cluster",
    "tooling",
    "page",
    "app",
    "peers",
    "conformance",
    "answers",
    "store",
    "sqlite_mcp",
)
"""Folders whose files take longest. They begin, so that the workers end at about the same time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: number for number, name in enumerate(LONGEST)}
    here = Path(__file__).parent
    items.sort(key=lambda item: rank.get(item.path.relative_to(here).parts[0], len(rank)))


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """A listener that echoes, with the usual limits."""
    async with open_door() as door:
        yield door


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    """The chat over a real store, with the usual limits."""
    async with open_chat(tmp_path) as chat:
        yield chat
