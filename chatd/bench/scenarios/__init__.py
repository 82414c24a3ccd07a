"""What can be measured, each scenario a module with its defaults: it is given a stage, and leaves
its points there. It must not know how results are shown.

A scenario is imported when it is played: the command line names all of them at each start of
chatd, and needs none.
"""

from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from chatd.bench.stage import Stage

Scenario: TypeAlias = "Callable[[Stage], Awaitable[None]]"

MODULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "idle": "idle",
        "messages": "messages",
        "fan-out": "fan_out",
        "connect": "connect",
        "reconnect": "reconnect",
        "answers": "answers",
        "echo": "echo",
        "growth": "growth",
        "history": "history",
        "soak": "soak",
    }
)
"""The module of each scenario, by its name."""


def scenario(name: str) -> Scenario:
    """How this scenario is played."""
    played: Scenario = import_module(f"{__name__}.{MODULES[name]}").run
    return played
