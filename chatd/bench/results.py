"""What a run measured, as values, and as the JSON document that others read (version 1).

Owns the names of that document and the rule of what makes a run fail. It must not know how anything
was measured, or how it is shown. A number that is not known is None, in the values and in JSON.
"""

from typing import Any, Final

import attrs
import cattrs
import orjson

VERSION: Final = 1
"""The document's form, in its key `chatd_bench`. A new optional key does not make a new version."""

KINDS: Final = ("chatd", "socket.io")


class ResultsError(Exception):
    """The document does not hold a run; the message is one sentence for a person."""


@attrs.frozen
class LatencyMs:
    """Percentiles of one sample, in milliseconds, each measured from when the message was due."""

    p50: float
    p90: float
    p99: float
    p999: float
    max: float


@attrs.frozen
class Target:
    """What was measured: its address, and `chatd` or `socket.io` (any other server)."""

    url: str
    kind: str


@attrs.frozen
class Machine:
    """Where the generator ran, and the server too if its address is this machine's."""

    cores: int
    python: str
    kernel: str


@attrs.frozen
class Server:
    """What the server spent. `cpu_share` is 1 for one core; `memory_bytes` is resident memory."""

    cpu_share: float | None = None
    memory_bytes: float | None = None
    bytes_per_connection: float | None = None
    descriptors: float | None = None
    tasks: float | None = None
    loop_lag_ms: float | None = None


@attrs.frozen
class Generator:
    """What the generator itself did: the busiest of its processes counts.

    `busy_share` is the processor time of that process divided by the time that passed; `lag_ms` is
    how late it sent what was due (the 99th percentile).
    """

    busy_share: float
    lag_ms: float
    is_bottleneck: bool


@attrs.frozen
class Point:
    """One load that was held for a while, or one step of a growth.

    load: what was asked for, for instance 100 `messages/s`; rate: what came back. what: what
    `latency_ms` measures, for instance `delivery`; points of one `what` make one line. failed:
    operations that ended in an error. lost, twice, out_of_order: messages that did not come, came
    again, or came after a later one. strays: deliveries beyond those that were due: messages came
    to clients they were not for, and may hide as many lost ones.
    """

    load: float
    load_unit: str
    seconds: float
    rate: float
    rate_unit: str
    what: str = ""
    latency_ms: LatencyMs | None = None
    server: Server | None = None
    generator: Generator | None = None
    failed: int = 0
    lost: int = 0
    twice: int = 0
    out_of_order: int = 0
    strays: int = 0

    @property
    def is_good(self) -> bool:
        """Whether everything came, once and in order, and to nobody else."""
        return not (self.failed or self.lost or self.twice or self.out_of_order or self.strays)


@attrs.frozen
class Moment:
    """One look at a server under a load that does not change; `at_s` counts from the beginning."""

    at_s: float
    memory_bytes: float | None = None
    descriptors: float | None = None
    tasks: float | None = None
    loop_lag_ms: float | None = None
    latency_ms: LatencyMs | None = None


@attrs.frozen
class Results:
    """One run of one scenario. `points` is over load, `series` over time; either may be empty.

    `grew` names what grew in the series, though the load did not.
    """

    scenario: str
    target: Target
    began: str
    machine: Machine
    options: dict[str, Any]
    points: tuple[Point, ...] = ()
    series: tuple[Moment, ...] = ()
    grew: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether nothing failed or grew, and every message came, once and in order."""
        return not self.grew and all(point.is_good for point in self.points)


def to_json(results: Results) -> bytes:
    """The document of one run, readable as it is, with a line break at its end."""
    document = {"chatd_bench": VERSION, **attrs.asdict(results)}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def from_json(text: bytes) -> Results:
    """The run of a document; unknown keys are ignored. Raises ResultsError."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ResultsError("The file is no JSON; chatd bench --json writes it.") from None
    version = document.get("chatd_bench") if isinstance(document, dict) else None
    if version != VERSION:
        raise ResultsError(
            f"The file is no run of chatd bench in version {VERSION}; chatd bench --json writes it."
        )
    try:
        results = _CONVERTER.structure(document, Results)
    except cattrs.BaseValidationError as error:
        wrong = cattrs.transform_error(error, path="$")[0]
        raise ResultsError(f"The file is no run of chatd bench: {wrong}.") from None
    if results.target.kind not in KINDS:
        raise ResultsError(
            "The file is no run of chatd bench: its target is neither chatd nor socket.io."
        )
    return results


def _as(*kinds: type) -> Any:
    """A hook that takes these JSON types as they are; cattrs would coerce."""

    def take(value: object, _: type) -> Any:
        if type(value) not in kinds:
            raise TypeError(f"{type(value).__name__} in the place of {kinds[0].__name__}")
        return value

    return take


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter()
    converter.register_structure_hook(str, _as(str))
    converter.register_structure_hook(int, _as(int))
    converter.register_structure_hook(bool, _as(bool))
    converter.register_structure_hook(float, _as(float, int))
    return converter


_CONVERTER: Final = _converter()
