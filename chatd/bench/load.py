"""Sends messages at a rate that does not wait for the server (open loop), and sees what becomes of
them.

Owns one step: when it begins, when it is over, what was lost in it, and its points. A latency
counts from when the message was due, so a server that stalls hides no message that others would
have sent meanwhile (coordinated omission).
"""

from collections.abc import Sequence
from typing import Final

import attrs
import trio

from chatd.bench.fleet import Fleet, Seen
from chatd.bench.orders import Look, Send
from chatd.bench.results import Point
from chatd.bench.server_watch import spent
from chatd.bench.stage import Stage
from chatd.observe.clock import Clock

LEAD_US: Final = 100_000
"""Between the order and the first message, so that all processes begin together."""
LOOK_EVERY_S: Final = 0.1
SETTLE_MAX_S: Final = 60.0
"""Seconds after its end in which a step may still bring what was sent; beyond it is lost."""
KEPT_SHARE: Final = 0.7
"""If a server keeps up with less than this share of a load, it is at its limit, and gets no higher
load."""
_US: Final = 1_000_000


@attrs.frozen
class Load:
    """What is sent in a step.

    rate: messages a second, of all senders together; senders: their numbers among the users, who
    take turns; receivers: how many get each message, 0 where it is only acked.
    """

    rate: float
    seconds: float
    senders: Sequence[int]
    receivers: int
    present: int
    """How many users have to be there all the time."""


@attrs.frozen
class Held:
    """What became of a load: a point of the acks, and one of the deliveries if there are any."""

    acks: Point
    deliveries: Point | None

    @property
    def is_kept(self) -> bool:
        """Whether the server kept up, more or less."""
        return self.acks.rate >= self.acks.load * KEPT_SHARE

    @property
    def points(self) -> list[Point]:
        return [self.acks] if self.deliveries is None else [self.acks, self.deliveries]


async def hold(stage: Stage, fleet: Fleet, load: Load, step: int, what: str = "") -> Held:
    """Put this load on the server. `what` is added to `ack` and `delivery` if one run has several
    kinds of load."""
    before = await fleet.all(Look())
    watched = await stage.watch.look()
    begin_us = Clock().monotonic_us() + LEAD_US
    step += stage.first_step
    sent = await fleet.each(lambda place: _part(load, step, begin_us, place, len(fleet)))
    server = spent(watched, await stage.watch.look())
    seen = await _settled(stage, fleet, load, sent)
    stage.note(seen)
    last_s = (seen.last_us - begin_us) / _US
    seconds = max(load.seconds, last_s)
    totals = _Totals.of(seen)
    acks = seen.acks.summary()
    absent = max(0, load.present - seen.ready)
    point = Point(
        load=load.rate,
        load_unit="messages/s",
        seconds=seconds,
        rate=totals.acked / seconds,
        rate_unit="messages/s",
        what=_named("ack", what),
        latency_ms=acks,
        server=server,
        generator=sent.since(before, acks.p99 if acks else None),
        failed=totals.failed + absent,
        lost=max(0, totals.sent - totals.failed - totals.acked),
        twice=0 if load.receivers else totals.twice,
    )
    if not load.receivers:
        return Held(point, None)
    came = seen.deliveries.summary()
    due = (totals.sent - totals.failed) * load.receivers
    deliveries = Point(
        load=load.rate,
        load_unit="messages/s",
        seconds=seconds,
        rate=totals.received / seconds,
        rate_unit="deliveries/s",
        what=_named("delivery", what),
        latency_ms=came,
        server=server,
        generator=sent.since(before, came.p99 if came else None),
        lost=max(0, due - totals.received),
        twice=totals.twice,
        out_of_order=totals.out_of_order,
        strays=max(0, totals.received - due),
    )
    return Held(point, deliveries)


async def hold_rising(
    stage: Stage, fleet: Fleet, loads: Sequence[Load], first_step: int = 0, what: str = ""
) -> None:
    """Put these loads on the server, one after the other, until it cannot keep up."""
    for step, load in enumerate(loads, first_step):
        said = f"{what}: " if what else ""
        with stage.progress.step(f"{said}{load.rate:,g} messages/s", load.seconds):
            held = await hold(stage, fleet, load, step, what)
        for point in held.points:
            stage.add(point)
        if not held.is_kept and load is not loads[-1]:
            stage.progress.tell(
                f"At {load.rate:,g} messages/s {held.acks.rate:,.0f} were answered: "
                "higher loads are left out."
            )
            return


@attrs.frozen
class _Totals:
    sent: int
    acked: int
    received: int
    failed: int
    twice: int
    out_of_order: int

    @classmethod
    def of(cls, seen: Seen) -> "_Totals":
        return cls(
            sent=seen.total(lambda one: one.sent),
            acked=seen.total(lambda one: one.acked),
            received=seen.total(lambda one: one.received),
            failed=seen.total(lambda one: one.failed),
            twice=seen.total(lambda one: one.twice),
            out_of_order=seen.total(lambda one: one.out_of_order),
        )

    def is_whole(self, receivers: int) -> bool:
        """Whether everything that was sent has come."""
        taken = self.sent - self.failed
        return self.acked >= taken and self.received >= taken * receivers


def _named(kind: str, what: str) -> str:
    return f"{kind}, {what}" if what else kind


def _part(load: Load, step: int, begin_us: int, place: int, processes: int) -> Send:
    """What one process sends of a load."""
    mine = [sender // processes for sender in load.senders if sender % processes == place]
    rate = load.rate * len(mine) / len(load.senders)
    period_us = _US / rate if rate else 0.0
    # The processes take turns as well: otherwise all would send at the same moment.
    offset_us = int(period_us * place / processes)
    return Send(step, begin_us + offset_us, period_us, load.seconds, mine)


async def _settled(stage: Stage, fleet: Fleet, load: Load, sent: Seen) -> Seen:
    """Wait for what is on its way, as long as something comes."""
    seen, totals = sent, _Totals.of(sent)
    progress_s = trio.current_time()
    end_s = progress_s + SETTLE_MAX_S
    while not totals.is_whole(load.receivers) and trio.current_time() < end_s:
        await trio.sleep(LOOK_EVERY_S)
        seen = await fleet.all(Look())
        newest = _Totals.of(seen)
        if newest != totals:
            totals, progress_s = newest, trio.current_time()
        elif trio.current_time() - progress_s > stage.options.patience_s:
            break
    return seen
