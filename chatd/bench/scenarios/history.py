"""`history`: joins of a room, and pages of it, as its history grows by tens to a million messages.

The log of the run's own chatd is filled while it is stopped (`filling`); another chatd is sent the
messages. Ten users sit in the room; each join is one more `connection:join`, acknowledged once the
client has caught up, and each page is fifty messages from the middle of the history. Each size has
its own users: those of the previous size would be owed what has come since.
"""

from typing import Final

import attrs
import orjson
import trio

from chatd.bench.daemon import OwnDaemon
from chatd.bench.dialect import Dialect, chat_echo
from chatd.bench.filling import fill
from chatd.bench.load import Load, hold
from chatd.bench.players import User
from chatd.bench.server_watch import ServerWatch
from chatd.bench.stage import SetupError, Stage
from chatd.counts import counted
from chatd.observe.clock import Clock
from chatd.wire.names import ClientEvent

ROOM: Final = "bench-history"
LOADS: Final = (1000.0, 10_000.0, 100_000.0, 1_000_000.0)
"""Messages in the room, one step after the other."""
LOADS_TO_SEND: Final = (1000.0, 10_000.0)
"""The same if they have to be sent: a million would take minutes."""
SENT_A_SECOND: Final = 1000.0
FILLED_A_SECOND: Final = 40_000
"""About how many messages are written a second, for the bar."""
USERS: Final = 10
RATE: Final = 20.0
"""Joins a second, and then pages: what one costs while nothing else goes on."""
PAGE: Final = 50
SECONDS: Final = 5.0


async def run(stage: Stage) -> None:
    """Have the room grow, and measure it at each size."""
    options = stage.options
    if not stage.is_chatd or options.event is not None:
        raise SetupError("Joins and pages of a history are events of chatd alone.")
    room = options.rooms[0] if options.rooms else ROOM
    loads = sorted(options.loads or (LOADS_TO_SEND if stage.daemon is None else LOADS))
    count = options.connections or USERS
    everybody = stage.users([room] * count * len(loads))
    there = 0
    for index, load in enumerate(loads):
        users, size = everybody[index * count :][:count], int(load)
        if stage.daemon is not None:
            await _refill(stage, stage.daemon, room, size)
        else:
            await _send(stage, users, size - there, index)
        there = size
        await _measure(stage, users, size, ("join", "joins/s", _join()))
        await _measure(stage, users, size, ("page", "pages/s", _page(size)))


async def _refill(stage: Stage, daemon: OwnDaemon, room: str, size: int) -> None:
    """Stop the daemon, have its log hold so many messages in the room, and start it again."""
    now_ms = Clock().wall_ms()
    with stage.progress.step(f"{counted(size, 'message')} to write", size / FILLED_A_SECOND + 2):
        await daemon.stop()
        await trio.to_thread.run_sync(fill, daemon.state_dir, room, size, now_ms)
        await daemon.start()
        await daemon.quiet()
    stage.watch = ServerWatch(daemon.pid, daemon.metrics)


async def _send(stage: Stage, users: list[User], count: int, step: int) -> None:
    """Have the users send so many messages. Raises SetupError if not all were accepted."""
    load = Load(SENT_A_SECOND, count / SENT_A_SECOND, range(len(users)), 0, len(users))
    # Without receivers: only that they are stored counts.
    async with stage.fleet(users, stage.dialect()) as fleet:
        await stage.come(fleet, len(users))
        with stage.progress.step(f"{counted(count, 'message')} to send", load.seconds):
            held = await hold(stage, fleet, load, step)
    if held.acks.failed or held.acks.lost:
        why = next(iter(stage.reasons), "no answer came in time")
        raise SetupError(f"The messages of the history were not all taken: {why}.")


async def _measure(
    stage: Stage, users: list[User], size: int, kind: tuple[str, str, Dialect]
) -> None:
    what, unit, dialect = kind
    seconds = stage.options.seconds or SECONDS
    async with stage.fleet(users, dialect) as fleet:
        seen = await stage.come(fleet, len(users))
        load = Load(RATE, seconds, range(len(users)), 0, seen.ready)
        with stage.progress.step(f"{counted(size, 'message')}, {RATE:g} {unit}", seconds):
            held = await hold(stage, fleet, load, 0)
    unit_of_size = "messages in the room"
    point = attrs.evolve(held.acks, load=size, load_unit=unit_of_size, rate_unit=unit, what=what)
    stage.add(point)


def _join() -> Dialect:
    return _asking([ClientEvent.CONNECTION_JOIN, {"connectionId": "%r"}])


def _page(size: int) -> Dialect:
    wanted = {"connectionId": "%r", "before": size // 2 + 1, "limit": PAGE}
    return _asking([ClientEvent.HISTORY_GET, wanted])


def _asking(event: list[object]) -> Dialect:
    """A user who sends this instead of a message."""
    return attrs.evolve(chat_echo(), message=orjson.dumps(event).decode())
