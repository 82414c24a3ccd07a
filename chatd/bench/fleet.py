"""The processes that play the users, as the process that measures sees them.

Owns starting and ending them, and putting together what they report. It must not know scenarios.
Each is a plain process with a pipe in each direction, so a broken one is noticed at its next
answer.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeVar

import attrs
import trio

from chatd.bench.honesty import judge
from chatd.bench.latencies import Latencies, together
from chatd.bench.orders import Cast, Order, Report, report_of, to_line
from chatd.bench.players import User
from chatd.bench.results import Generator

END_S: Final = 10.0
"""How many seconds a process has to end once its input has ended; then it is killed."""

Each = TypeVar("Each")


class GeneratorError(Exception):
    """A process of the generator has broken; the message is one sentence for a person."""


@attrs.frozen
class Seen:
    """What all processes report together; fields as in `Report`."""

    reports: tuple[Report, ...]

    def total(self, count: Callable[[Report], int]) -> int:
        """The sum of a count over all processes."""
        return sum(map(count, self.reports))

    @property
    def ready(self) -> int:
        return self.total(lambda report: report.ready)

    @property
    def failed_to_come(self) -> int:
        return self.total(lambda report: report.failed_to_come)

    @property
    def opening(self) -> Latencies:
        return together(report.opening for report in self.reports)

    @property
    def acks(self) -> Latencies:
        return together(report.acks for report in self.reports)

    @property
    def deliveries(self) -> Latencies:
        return together(report.deliveries for report in self.reports)

    @property
    def last_us(self) -> int:
        return max(report.last_us for report in self.reports)

    @property
    def reasons(self) -> Counter[str]:
        """Why something failed, and how often."""
        reasons: Counter[str] = Counter()
        for report in self.reports:
            reasons.update(report.reasons)
        return reasons

    def since(self, before: "Seen", latency_p99_ms: float | None) -> Generator:
        """How busy and how late the busiest process was since that report."""
        busy_share, lag_ms = 0.0, 0.0
        for then, now in zip(before.reports, self.reports, strict=True):
            spent_s = (now.at_us - then.at_us) / 1e6
            busy_share = max(busy_share, (now.busy_s - then.busy_s) / spent_s if spent_s else 0.0)
            lag_ms = max(lag_ms, together([now.lag]).percentile_ms(0.99) or 0.0)
        return judge(busy_share, lag_ms, latency_p99_ms)


class Fleet:
    """The processes. User n is played by process n modulo their number."""

    def __init__(self, processes: Sequence[trio.Process]) -> None:
        self._processes = processes
        self._rests = [bytearray() for _ in processes]

    def __len__(self) -> int:
        return len(self._processes)

    def share(self, of: Sequence[Each]) -> list[list[Each]]:
        """Something that exists for each user, divided among the processes."""
        return [list(of[place :: len(self)]) for place in range(len(self))]

    def counts(self, count: int) -> list[int]:
        """How many of the first `count` users each process plays."""
        return [len(part) for part in self.share(range(count))]

    async def each(self, order: Callable[[int], Order]) -> Seen:
        """Give each process its order, and wait for all reports. Raises GeneratorError."""
        for place, process in enumerate(self._processes):
            assert process.stdin is not None
            with suppress(trio.BrokenResourceError):  # it shows when the report does not come
                await process.stdin.send_all(to_line(order(place)))
        return Seen(tuple([await self._report(place) for place in range(len(self))]))

    async def all(self, order: Order) -> Seen:
        """Give all processes the same order. Raises GeneratorError."""
        return await self.each(lambda _place: order)

    async def _report(self, place: int) -> Report:
        process, rest = self._processes[place], self._rests[place]
        assert process.stdout is not None
        while (end := rest.find(b"\n")) < 0:
            piece = await process.stdout.receive_some(1 << 20)
            if not piece:
                raise GeneratorError("A process of the generator has ended; see above.")
            rest += piece
        line = bytes(rest[:end])
        del rest[: end + 1]
        return report_of(line)


@asynccontextmanager
async def open_fleet(processes: int, cast: Cast, users: Sequence[User]) -> AsyncIterator[Fleet]:
    """So many processes, which play `users` as `cast` says; afterwards they have ended."""
    started: list[trio.Process] = []
    try:
        for place in range(processes):
            process = await trio.lowlevel.open_process(
                [sys.executable, "-m", "chatd.bench.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            started.append(process)
            assert process.stdin is not None
            part = attrs.evolve(cast, users=list(users[place::processes]))
            await process.stdin.send_all(to_line(part))
        yield Fleet(started)
    finally:
        with trio.CancelScope(shield=True):
            for process in started:
                await _end(process)


async def _end(process: trio.Process) -> None:
    assert process.stdin is not None
    await process.stdin.aclose()
    with trio.move_on_after(END_S):
        await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()
    assert process.stdout is not None
    await process.stdout.aclose()
