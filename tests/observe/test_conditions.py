"""The registry of what may be amiss."""

from collections.abc import Iterable

import attrs
import pytest

from chatd.observe import conditions
from chatd.observe.conditions import (
    KINDS,
    ConditionKind,
    Conditions,
    Gravity,
    OneCondition,
    Reason,
    is_ready,
    readiness,
)

KEYS_OLD = ConditionKind("keys_old", Gravity.DEGRADED, "the keys are old", is_public=True)


@attrs.frozen
class Rooms:
    """A condition of several rooms."""

    kind: ConditionKind
    rooms: tuple[str, ...]

    def reasons(self) -> Iterable[Reason]:
        return [Reason(self.kind, "away", room) for room in self.rooms]


def test_codes_are_all_different_and_each_is_explained() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS)
    assert all(kind.means for kind in KINDS)


def test_a_part_adds_its_own_condition_and_the_gravest_comes_first() -> None:
    registry = Conditions()
    sentence: str | None = None
    registry.add(Rooms(conditions.DB_STARTING, ("stock",)))
    registry.add(OneCondition(KEYS_OLD, lambda: sentence))
    registry.add(Rooms(conditions.DB_UNAVAILABLE, ("sales", "hr")))
    registry.add(OneCondition(conditions.STORAGE_ERROR, lambda: "The disk took nothing."))
    assert [kind.code for kind in registry.kinds] == [
        "db_starting",
        "keys_old",
        "db_unavailable",
        "storage_error",
    ]
    codes = ["storage_error", "db_unavailable", "db_unavailable", "db_starting"]
    assert [reason.code for reason in registry.reasons()] == codes
    sentence = "They are a day old."
    assert registry.reasons()[1] == Reason(KEYS_OLD, sentence)


def test_a_code_is_there_once() -> None:
    registry = Conditions()
    registry.add(OneCondition(KEYS_OLD, lambda: None))
    with pytest.raises(ValueError, match="keys_old"):
        registry.add(OneCondition(KEYS_OLD, lambda: None))


def test_a_condition_that_cannot_be_told_holds_and_the_others_are_told() -> None:
    registry = Conditions()

    def broken() -> str | None:
        raise KeyError("a secret")

    registry.add(OneCondition(KEYS_OLD, broken))
    registry.add(OneCondition(conditions.STORAGE_ERROR, lambda: "The disk took nothing."))
    full, untold = registry.reasons()
    assert full.message == "The disk took nothing."
    assert untold == Reason(KEYS_OLD, "This cannot be told: KeyError was raised.")


def test_readiness_is_one_word() -> None:
    out, away, coming = (
        Reason(kind, "a sentence")
        for kind in (conditions.DRAINING, KEYS_OLD, conditions.DB_STARTING)
    )
    assert readiness([]) == "ready"
    assert readiness([coming]) == "starting"
    assert readiness([away, coming]) == "degraded"
    assert readiness([out, away]) == "not_ready"
    assert [is_ready(some) for some in ([], [coming, away], [out])] == [True, True, False]
