"""The verdict on a run: each check of a case, by its name, says what does not hold."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from tests.cluster.histories import Case
from tests.cluster.judged_log import (
    acknowledged,
    changes,
    crashes,
    dense,
    markers,
    questions,
    refusals,
)
from tests.cluster.judged_owed import owed
from tests.cluster.judged_signals import presence, typing
from tests.cluster.judged_streams import streams, views

Check: TypeAlias = Callable[[Case], Iterator[str]]

CHECKS: Final[Mapping[str, Check]] = {
    check.__name__: check
    for check in (
        acknowledged,
        dense,
        refusals,
        streams,
        views,
        changes,
        questions,
        markers,
        owed,
        presence,
        typing,
        crashes,
    )
}


def judge(case: Case, names: Iterable[str] = tuple(CHECKS)) -> list[str]:
    """What is wrong, each as `check: who, where, what`; nothing where all holds."""
    return [f"{name}: {problem}" for name in names for problem in CHECKS[name](case)]
