"""What may be amiss with the daemon, by name, and who knows whether it is (docs/operations,
"Health").

A part that may be amiss is a `Condition`. `chatd.app` adds each to one `Conditions`, which
readiness, the public health, the metrics and the log read. A new one is a constant in `KINDS`, and
one call of `Conditions.add`.
"""

import enum
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import attrs


class Gravity(enum.IntEnum):
    """What a condition means for clients; the gravest comes first."""

    OUT_OF_SERVICE = 0
    """No client is served: `/readyz` answers 503."""
    DEGRADED = 1
    """Clients are served, but not with all that was promised."""
    STARTING = 2
    """A part is on its way, and clients wait for it."""


@attrs.frozen
class ConditionKind:
    """A condition by its stable code.

    `means` stands in the documents. `is_public`: the public health answers 503 `degraded` while it
    holds, so that a person is called.
    """

    code: str
    gravity: Gravity
    means: str
    is_public: bool = False


STARTING: Final = ConditionKind("starting", Gravity.OUT_OF_SERVICE, "the port is not open yet")
DRAINING: Final = ConditionKind("draining", Gravity.OUT_OF_SERVICE, "the daemon is about to end")
STORAGE_ERROR: Final = ConditionKind(
    "storage_error",
    Gravity.OUT_OF_SERVICE,
    "no message is accepted: the log took nothing of the last commit, or a file of it is gone",
    is_public=True,
)
LOG_UNREACHABLE: Final = ConditionKind(
    "log_unreachable",
    Gravity.OUT_OF_SERVICE,
    "the database of the log cannot be reached, or has taken this node for dead: no message is "
    "accepted until it comes back, by itself",
    is_public=True,
)
ACTOR_SILENT: Final = ConditionKind(
    "actor_silent",
    Gravity.OUT_OF_SERVICE,
    "an actor has been at one piece of work for 10 s, or leaves one waiting for so long: a disk "
    "may hang",
    is_public=True,
)
STORAGE_DAMAGED: Final = ConditionKind(
    "storage_damaged",
    Gravity.DEGRADED,
    "some of the log cannot be read and is passed over",
    is_public=True,
)
STORAGE_READ_ERROR: Final = ConditionKind(
    "storage_read_error",
    Gravity.DEGRADED,
    "a read of the log failed within the last minute",
    is_public=True,
)
DISK_LOW: Final = ConditionKind(
    "disk_low",
    Gravity.DEGRADED,
    "less is free on the disk of the state directory than `[state] min_free_bytes`: make room "
    "before messages are refused",
    is_public=True,
)
CLOCK_OFF: Final = ConditionKind(
    "clock_off",
    Gravity.DEGRADED,
    "the clock of this machine is 5 s or more off that of the database of the log: the times of "
    "messages differ from node to node, their order does not",
)
KEYS_UNAVAILABLE: Final = ConditionKind(
    "keys_unavailable",
    Gravity.DEGRADED,
    "the key set of whoever signs tokens could not be read when it was last tried: the one before "
    "serves, or no token that its keys sign is taken (`[auth] jwks`)",
)
DIRECTORY_UNAVAILABLE: Final = ConditionKind(
    "directory_unavailable",
    Gravity.DEGRADED,
    "the database of `[directory]` did not answer when it was last asked: nobody comes in whose "
    "rooms are not known",
)
BUS_DOWN: Final = ConditionKind(
    "bus_down",
    Gravity.DEGRADED,
    "the bus between nodes (`[bus]`) carries nothing: this node looks 5 times a second what others "
    "have committed, and what no log keeps (who is present, who types) does not come over",
)
DB_UNAVAILABLE: Final = ConditionKind(
    "db_unavailable",
    Gravity.DEGRADED,
    "the database of a room (`connectionId`) does not answer, or no message can be read for a "
    "question",
)
DB_STARTING: Final = ConditionKind(
    "db_starting",
    Gravity.STARTING,
    "the db-mcp of a room (`connectionId`) is being started; questions wait for it. Where nothing "
    "else is amiss, `status` is `starting`",
)

KINDS: Final = (
    STARTING,
    DRAINING,
    STORAGE_ERROR,
    LOG_UNREACHABLE,
    ACTOR_SILENT,
    STORAGE_DAMAGED,
    STORAGE_READ_ERROR,
    DISK_LOW,
    CLOCK_OFF,
    KEYS_UNAVAILABLE,
    DIRECTORY_UNAVAILABLE,
    BUS_DOWN,
    DB_UNAVAILABLE,
    DB_STARTING,
)
"""All of them; the document lists them in this order (`python -m tests.cli.operations_tables`)."""


@attrs.frozen
class Reason:
    """Something that is amiss now: a sentence for people, and which database it is about."""

    kind: ConditionKind
    message: str
    connection_id: str | None = None

    @property
    def code(self) -> str:
        return self.kind.code


class Condition(Protocol):
    """The port: one kind of thing that may be amiss."""

    @property
    def kind(self) -> ConditionKind: ...

    def reasons(self) -> Iterable[Reason]:
        """What is amiss now. It waits for nothing: it says what is known."""
        ...


@attrs.frozen
class OneCondition:
    """A condition that one sentence tells; `why` gives the sentence, or None if all is well."""

    kind: ConditionKind
    _why: Callable[[], str | None]

    def reasons(self) -> Iterable[Reason]:
        sentence = self._why()
        return () if sentence is None else (Reason(self.kind, sentence),)


class Conditions:
    """The registry of a daemon's conditions."""

    def __init__(self) -> None:
        self._conditions: dict[str, Condition] = {}

    def add(self, condition: Condition) -> None:
        """Look at this condition too from now on. Raises ValueError if its code is in use."""
        code = condition.kind.code
        if code in self._conditions:
            raise ValueError(f"the condition {code} is there twice")
        self._conditions[code] = condition

    @property
    def kinds(self) -> Sequence[ConditionKind]:
        """Those that are looked at."""
        return [condition.kind for condition in self._conditions.values()]

    def reasons(self) -> Sequence[Reason]:
        """Everything that is amiss now, the gravest first."""
        found = [reason for one in self._conditions.values() for reason in _told(one)]
        return sorted(found, key=lambda reason: reason.kind.gravity)


def _told(condition: Condition) -> list[Reason]:
    """What a condition says; one that raises counts as amiss, as nobody knows that all is well."""
    try:
        return list(condition.reasons())
    except Exception as error:
        sentence = f"This cannot be told: {type(error).__name__} was raised."
        return [Reason(condition.kind, sentence)]


def is_ready(reasons: Iterable[Reason]) -> bool:
    """Whether clients are served; they are even without a database, or some rows."""
    return all(reason.kind.gravity is not Gravity.OUT_OF_SERVICE for reason in reasons)


def readiness(reasons: Sequence[Reason]) -> str:
    """The state in a word: `ready`, `starting` if nothing is amiss except parts that are on their
    way, `degraded`, or `not_ready`."""
    if not is_ready(reasons):
        return "not_ready"
    if not reasons:
        return "ready"
    is_starting = all(reason.kind.gravity is Gravity.STARTING for reason in reasons)
    return "starting" if is_starting else "degraded"
