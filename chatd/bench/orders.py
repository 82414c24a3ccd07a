"""What the measuring process tells the processes that play users, and what they answer. Pure.

Owns the form of both on the pipe between them: an object of JSON on a line. A worker gets its
`Cast` first; each order after that has one answer, a `Report`.
"""

from typing import Any, Final, TypeAlias

import attrs
import cattrs
import orjson

from chatd.bench.address import Address
from chatd.bench.client import Transport
from chatd.bench.dialect import Dialect
from chatd.bench.players import User


@attrs.frozen
class Cast:
    """Whom a worker plays, and against whom.

    sql: what they ask, where they are askers.
    """

    address: Address
    family: int
    sockaddr: list[str | int]
    transport: Transport
    dialect: Dialect
    users: list[User]
    padding_bytes: int
    sql: str | None = None


@attrs.frozen
class Open:
    """Have the first `count` of the users come, `at_once` at a time, within `within_s`."""

    count: int
    at_once: int
    within_s: float


@attrs.frozen
class Send:
    """Send messages of a step: the n-th is due `n * period_us` after `begin_us`, as long as that is
    within `seconds`. `senders` are places among the users of this worker, who take turns. In a step
    without senders, other workers send."""

    step: int
    begin_us: int
    period_us: float
    seconds: float
    senders: list[int]


@attrs.frozen
class Ask:
    """Have the first `count` users ask for `seconds`, each again when the last answer has ended."""

    step: int
    count: int
    seconds: float


@attrs.frozen
class Look:
    """Tell how the step goes."""


@attrs.frozen
class ComeBack:
    """From now on a lost client comes back, as stock clients do; the report has the times that this
    takes."""


@attrs.frozen
class Close:
    """Have everybody hang up."""


Order: TypeAlias = Open | Send | Ask | Look | ComeBack | Close


@attrs.frozen
class Report:
    """What a worker has seen. Counts of messages are for the step; `busy_s` (of the processor) and
    `at_us` are for the process: take the difference of two reports. Samples as in
    `Latencies.to_json`."""

    at_us: int
    busy_s: float
    lag: dict[str, Any]
    ready: int
    failed_to_come: int
    opening: dict[str, Any]
    sent: int
    acked: int
    received: int
    failed: int
    twice: int
    out_of_order: int
    last_us: int
    acks: dict[str, Any]
    deliveries: dict[str, Any]
    returned_us: list[int]
    reasons: dict[str, int]


ORDERS: Final[dict[str, Any]] = {
    kind.__name__: kind for kind in (Open, Send, Ask, Look, ComeBack, Close)
}
_CONVERTER: Final = cattrs.Converter()
_CONVERTER.register_structure_hook(str | int, lambda value, _: value)


def to_line(said: Cast | Order | Report) -> bytes:
    """A line, with its end."""
    body = attrs.asdict(said)
    return orjson.dumps({"kind": type(said).__name__, **body}) + b"\n"


def cast_of(line: bytes) -> Cast:
    """The cast in the first line of a worker."""
    return _CONVERTER.structure(orjson.loads(line), Cast)


def order_of(line: bytes) -> Order:
    """The order in a line."""
    said = orjson.loads(line)
    order: Order = _CONVERTER.structure(said, ORDERS[said["kind"]])
    return order


def report_of(line: bytes) -> Report:
    """The report in a line."""
    return _CONVERTER.structure(orjson.loads(line), Report)
