"""One process of the generator: `python -m chatd.bench.worker`, orders in, reports out.

Owns the clock, the pace and the connections of the users that it plays. The rules are in `players`
and `client`, what is said on the pipes in `orders`. It ends with its standard input, even in the
middle of an order; Ctrl-C is for whoever started it.
"""

import heapq
import os
import resource
import signal
import socket
import ssl
import sys
import time
from contextlib import suppress
from functools import partial
from typing import Final, assert_never

import trio

from chatd.bench.askers import Asker
from chatd.bench.client import make_client
from chatd.bench.latencies import Latencies
from chatd.bench.orders import (
    Ask,
    Cast,
    Close,
    ComeBack,
    Look,
    Open,
    Order,
    Report,
    Send,
    cast_of,
    order_of,
    to_line,
)
from chatd.bench.players import Crew, Player, State
from chatd.bench.reactor import ClientWires, Reactor, Route
from chatd.observe.clock import Clock
from chatd.observe.ids import jitter_ms, new_uuid

BURST: Final = 32
"""So many late messages are sent in one go; then input is read."""
TURN_S: Final = 0.005
"""Seconds that sending waits in the kernel at most before Trio has its turn."""
TURN_US: Final = 5000
PROBE_US: Final = 10_000
"""The time between two checks how late a process is that has nothing to send while others do."""
TICK_S: Final = 0.05
"""The time between two checks who has something to acknowledge, and whether this process is
late."""
BACKOFF_MS: Final = (1000, 2000, 4000, 5000)
"""The waits of the stock client before its attempts to come back; the last one repeats."""
LINE_BYTES_MAX: Final = 1 << 28
_US_PER_S: Final = 1_000_000


class Worker:
    """The users of this process, and what they are told to do."""

    def __init__(self, cast: Cast, nursery: trio.Nursery) -> None:
        self._cast = cast
        self._nursery = nursery
        self._clock = Clock()
        tls = ssl.create_default_context() if cast.address.is_tls else None
        family, place = socket.AddressFamily(cast.family), tuple(cast.sockaddr)
        route = Route(family, place, tls, cast.address.host)
        self.reactor = Reactor(route, self._clock.monotonic_us)
        crew = Crew(
            cast.dialect,
            b"x" * cast.padding_bytes,
            new_uuid()[:24].encode(),
            lambda: self.reactor.now_us,
        )
        crew.settled, crew.ended = self._settled, self._ended
        self._crew = crew
        if cast.sql is None:
            self._players = [Player(user, crew) for user in cast.users]
        else:
            self._players = [Asker(user, crew, cast.sql) for user in cast.users]
        self._coming: list[Player] = []  # players that have not been told to come yet
        self._under_way = 0
        self._all_settled = trio.Event()
        self._comes_back = False
        self._returns: list[tuple[int, int]] = []  # when, and which player
        self._attempts: dict[int, int] = {}
        self._places = {id(player): place for place, player in enumerate(self._players)}
        self._lag = Latencies()
        self._is_pacing = False  # lag is measured by what is due, and Trio has to wait

    async def obey(self, order: Order) -> Report:
        """Do what is ordered, and report."""
        match order:
            case Open(count, at_once, within_s):
                await self._open(count, at_once, within_s)
            case Send():
                await self._send(order)
            case Ask(step, count, seconds):
                await self._ask(step, count, seconds)
            case Look():
                pass
            case ComeBack():
                self._comes_back = True
                self._crew.returned_us.clear()
            case Close():
                self._comes_back = False
                for player in self._players:
                    player.go()
            case _:
                assert_never(order)
        return self._report()

    async def watch(self) -> None:
        """Do what recurs: receipts, returns, and measuring the lag of this process."""
        while True:
            due_s = trio.current_time() + TICK_S
            await trio.sleep_until(due_s)
            now_us = self._clock.monotonic_us()
            # Trio wakes in whole milliseconds, up to one too late: that is not lag.
            if not self._is_pacing:
                self._lag.add(int((trio.current_time() - due_s) * _US_PER_S) - 1000)
            self._crew.send_receipts(now_us)
            while self._returns and self._returns[0][0] <= now_us:
                _, place = heapq.heappop(self._returns)
                self._begin(self._players[place])

    def _begin(self, player: Player) -> None:
        wires = ClientWires(self.reactor)
        cast = self._cast
        client = make_client(cast.transport, cast.address, player.user.auth, wires)
        wires.client = client
        player.come(client, self._clock.monotonic_us())

    async def _open(self, count: int, at_once: int, within_s: float) -> None:
        crew = self._crew
        crew.opening, crew.failed = Latencies(), 0
        absent = [player for player in self._players[:count] if player.state is State.AWAY]
        self._coming = absent[::-1]
        self._under_way = 0
        self._all_settled = trio.Event()
        for _ in range(min(at_once, len(absent))):
            self._next()
        if absent:
            with trio.move_on_after(within_s):
                await self._all_settled.wait()
        self._coming.clear()
        for player in absent:
            if player.state is State.COMING:
                player.go()
                crew.failed += 1
                crew.reasons["did not come in time"] += 1

    def _next(self) -> None:
        self._under_way += 1
        self._begin(self._coming.pop())

    def _settled(self, player: Player) -> None:
        """A player has come, or could not."""
        if self._comes_back:
            if player.state is State.READY:
                self._attempts.pop(self._places[id(player)], None)
            else:
                self._ended(player)
            return
        self._under_way -= 1
        if self._coming:
            self._next()
        elif not self._under_way:
            self._all_settled.set()

    def _ended(self, player: Player) -> None:
        """A player was lost; it comes back later, if it was told to."""
        if not self._comes_back:
            return
        place = self._places[id(player)]
        attempt = self._attempts.get(place, 0)
        self._attempts[place] = attempt + 1
        pause_ms = BACKOFF_MS[min(attempt, len(BACKOFF_MS) - 1)]
        wait_us = jitter_ms(pause_ms // 2, pause_ms * 3 // 2) * 1000
        heapq.heappush(self._returns, (self._clock.monotonic_us() + wait_us, place))

    async def _send(self, order: Send) -> None:
        """Open loop: what is due is sent, however late the answers are."""
        self._crew.begin(order.step, order.begin_us)
        self._lag = Latencies()
        players = [self._players[place] for place in order.senders]
        period_us = order.period_us if players else PROBE_US
        end_us = order.begin_us + int(order.seconds * _US_PER_S)
        # A generator that cannot keep up stops after twice its time.
        give_up_us = end_us + int(order.seconds * _US_PER_S)
        now_us, reactor = self._clock.monotonic_us, self.reactor
        number = burst = 0
        rest_us = now_us()
        self._is_pacing = True
        while True:
            due_us = min(order.begin_us + int(number * period_us), end_us)
            at_us = now_us()
            if due_us > at_us or burst == BURST:
                burst = 0
                reactor.timer.set(due_us)
                reactor.turn(TURN_S)
                if at_us >= rest_us:
                    rest_us = at_us + TURN_US
                    await trio.lowlevel.checkpoint()
            elif due_us == end_us or at_us >= give_up_us:
                break
            else:
                self._lag.add(at_us - due_us)
                if players:
                    players[number % len(players)].say(due_us)
                number += 1
                burst += 1
        self._is_pacing = False

    async def _ask(self, step: int, count: int, seconds: float) -> None:
        now_us = self._clock.monotonic_us()
        self._crew.begin(step, now_us)
        self._lag = Latencies()
        for player in self._players[:count]:
            assert isinstance(player, Asker)
            player.until_us = now_us + int(seconds * _US_PER_S)
            player.ask(now_us)
        await trio.sleep(seconds)

    def _report(self) -> Report:
        crew, tally = self._crew, self._crew.tally
        return Report(
            at_us=self._clock.monotonic_us(),
            busy_s=time.process_time(),
            lag=self._lag.to_json(),
            ready=crew.ready,
            failed_to_come=crew.failed,
            opening=crew.opening.to_json(),
            sent=tally.sent,
            acked=tally.acked,
            received=tally.received,
            failed=tally.failed,
            twice=tally.twice + sum(one.twice for one in tally.receivers),
            out_of_order=sum(one.out_of_order for one in tally.receivers),
            last_us=tally.last_us,
            acks=tally.acks.to_json(),
            deliveries=tally.deliveries.to_json(),
            returned_us=crew.returned_us if self._comes_back else [],
            reasons=dict(crew.reasons),
        )


async def serve() -> None:
    """Obey until standard input ends."""
    orders = trio.lowlevel.FdStream(os.dup(sys.stdin.fileno()))
    reports = trio.lowlevel.FdStream(os.dup(sys.stdout.fileno()))
    lines = _Lines(orders)
    first = await lines.next()
    if first is None:
        return
    async with trio.open_nursery() as nursery:
        worker = Worker(cast_of(first), nursery)
        nursery.start_soon(worker.reactor.run)
        nursery.start_soon(worker.watch)
        to_obey, orders_of_it = trio.open_memory_channel[bytes](0)
        nursery.start_soon(_obey, worker, orders_of_it, reports, nursery.cancel_scope)
        while (line := await lines.next()) is not None:
            await to_obey.send(line)
        nursery.cancel_scope.cancel()


async def _obey(
    worker: Worker,
    lines: trio.MemoryReceiveChannel[bytes],
    reports: trio.lowlevel.FdStream,
    ending: trio.CancelScope,
) -> None:
    """Do one order after the other, until nobody reads the reports."""
    with suppress(trio.BrokenResourceError):
        async for line in lines:
            await reports.send_all(to_line(await worker.obey(order_of(line))))
    ending.cancel()


class _Lines:
    """The lines of a stream."""

    def __init__(self, stream: trio.lowlevel.FdStream) -> None:
        self._stream = stream
        self._rest = bytearray()

    async def next(self) -> bytes | None:
        """The next line, None at the end."""
        seen = 0
        while (end := self._rest.find(b"\n", seen)) < 0:
            seen = len(self._rest)
            piece = await self._stream.receive_some(1 << 20)
            if not piece or seen > LINE_BYTES_MAX:
                return None
            self._rest += piece
        line = bytes(self._rest[:end])
        del self._rest[: end + 1]
        return line


def allow_descriptors() -> None:
    """Allow as many connections as the system lets this process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    allow_descriptors()
    trio.run(partial(serve))


if __name__ == "__main__":
    main()
