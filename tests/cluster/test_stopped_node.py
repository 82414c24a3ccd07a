"""A node that is stopped, at whatever moment, delays nobody else's commit in the same room.

One node writes to a room as fast as it can. Another one writes there too, and is timed while both
run and while the first one is stopped, in turn. A node that held a lock of the room would hold up
the other one for as long as it is stopped, or until the server ends its transaction, 2 s.
"""

import random
import statistics
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs
import trio

from tests.app.client import Client, Gone, token_for
from tests.cluster.nodes import SECRET, Cluster, a_cluster

ROOM: Final = "hot"
STOPS: Final = 40
TIMED: Final = 3  # commits each time; the first of them meets a lock that is held
LANES: Final = 4
MOMENT_S: Final = 0.03  # the stop comes at any moment of so long
TWICE: Final = 2.0
HELD_S: Final = 1.0
"""No commit takes so long, unless it waits for somebody; on a slow machine the slowest one of those
that waited for nobody says more."""
LOCK: Final = "SELECT FROM chatd.rooms WHERE connection_id = %s FOR UPDATE"


@attrs.frozen
class Times:
    """Seconds that the other node's commits took."""

    usual: list[float] = attrs.field(factory=list)
    stopped: list[float] = attrs.field(factory=list)

    def problems(self) -> list[str]:
        held_s = max(HELD_S, TWICE * max(self.usual))
        found = [
            f"a commit took {took_s:.3f} s while the node was stopped; at most {held_s:.3f} s"
            for took_s in self.stopped
            if took_s > held_s
        ]
        for name, usual_s, stopped_s in (
            ("median", statistics.median(self.usual), statistics.median(self.stopped)),
            ("ninth decile", _ninth_decile(self.usual), _ninth_decile(self.stopped)),
        ):
            if stopped_s > TWICE * usual_s:
                found.append(f"{name} {stopped_s:.4f} s while stopped, {usual_s:.4f} s else")
        return found


def _ninth_decile(values: list[float]) -> float:
    return statistics.quantiles(values, n=10)[-1]


async def measured(
    writer: Client,
    stops: int,
    stop: Callable[[], Awaitable[None]],
    go_on: Callable[[], Awaitable[None]],
) -> Times:
    """What the writer's commits take, with each stop as long as they take."""
    times, chance = Times(), random.Random(stops)
    for _ in range(stops):
        await _timed(writer, times.usual)
        await trio.sleep(chance.random() * MOMENT_S)  # the moment itself, not a wait
        await stop()
        await _timed(writer, times.stopped)
        await go_on()
    return times


async def _timed(writer: Client, into: list[float]) -> None:
    for _ in range(TIMED):
        began_s = trio.current_time()
        ack = await writer.say("timed", ROOM)
        assert ack["ok"], ack
        into.append(trio.current_time() - began_s)


async def writes(client: Client) -> None:
    """Write all the time, until the node is gone."""
    with suppress(Gone, trio.TooSlowError):
        while (await client.say("busy", ROOM))["ok"]:
            pass


async def held(cluster: Cluster, writer: Client, nursery: trio.Nursery) -> Times:
    """The same where somebody is stopped in an open transaction, with the lock of the room."""
    with cluster.postgres.connect(cluster.database) as holder:

        async def stop() -> None:
            holder.execute("BEGIN")
            holder.execute(LOCK, [ROOM])
            nursery.start_soon(release)

        async def release() -> None:
            await trio.sleep(HELD_S * 1.5)  # how long it is stopped
            holder.execute("COMMIT")

        return await measured(writer, 1, stop, trio.lowlevel.checkpoint)


async def test_a_stopped_node_never_delays_another_ones_commit_beyond_twice(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    off = {"CHATD_ANSWERS__ENABLED": "false"}
    async with a_cluster(tmp_path, [ROOM], count=2, bus="none", **off) as cluster:
        [a, b] = cluster.nodes
        busy = await Client.connect(nursery, a.port, token_for(SECRET, "busy", [ROOM]))
        writer = await Client.connect(nursery, b.port, token_for(SECRET, "writer", [ROOM]))
        for _ in range(LANES):
            nursery.start_soon(writes, busy)
        found = await held(cluster, writer, nursery)
        assert any("a commit took" in problem for problem in found.problems()), "it would tell"

        async def stop() -> None:
            a.pause()

        async def go_on() -> None:
            a.resume()
            await a.ready()  # it runs again

        times = await measured(writer, STOPS, stop, go_on)
        rows = await writer.whole_room(ROOM)
        assert [shown["seq"] for shown in rows] == list(range(1, len(rows) + 1))
        busily = sum(shown["content"] == "busy" for shown in rows)
        assert busily >= STOPS, "the other node wrote all the time"
        assert times.problems() == []
