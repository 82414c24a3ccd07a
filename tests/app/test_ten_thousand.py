"""Ten thousand peers that come and go leave nothing behind; an office comes in beside a flood."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import trio

from tests.app.client import Client, token_for
from tests.app.daemon import NO_LIMITS, PAUSE_S, House, fetch_inside
from tests.app.storms import flood, office, storm
from tests.app.test_internal import samples
from tests.app.test_strangers import descriptors, rss_mib

SECRET: Final = "a secret for the tests, of more than 32 bytes"
PEERS: Final = 10_000
GROWTH_MIB: Final = 4  # it was 1; 1 KiB that each of them left would be 10
POURS: Final = 3  # at most, until one of them leaves nothing
OFFICE: Final = 700
FLOOD, COLLEAGUES = "127.0.0.2", "127.0.0.3"
FLOODS: Final = 2  # connections that open sessions without end
PENDING: Final = "pending_sessions_per_address"
WAIT_S: Final = 60.0
Counts: TypeAlias = dict[str, float]
COUNTS: Final = ("connections", "sessions", "sockets", "places", "tasks")
ENV: Final = {
    **NO_LIMITS,
    "CHATD_AUTH__JWT_SECRET": SECRET,
    "CHATD_SERVER__CONNECT_TIMEOUT_S": "5",
}


async def counts(place: Path) -> Counts:
    """What there is of each."""
    _, _, body = await fetch_inside(place, "/metrics")
    found = samples(body)
    return {name: found[f"chatd_{name}",] for name in COUNTS}


async def settled(place: Path, condition: Callable[[Counts], bool]) -> Counts:
    """The counts, once they are so; after a while, whatever they are."""
    now = await counts(place)
    with trio.move_on_after(WAIT_S):
        while not condition(now):
            await trio.sleep(PAUSE_S)
            now = await counts(place)
    return now


async def test_ten_thousand_peers_that_leave_without_a_word_leave_nothing_behind(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    place = house.state_dir / "internal.sock"
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    tokens = [token_for(SECRET, f"user {number}") for number in range(20)]

    async def pour(count: int, before: Counts | None = None) -> Counts:
        assert await trio.to_thread.run_sync(storm, daemon.port, count, tokens) > 0.9 * count
        if before is not None:
            return await settled(place, lambda now: now == before)
        return await settled(place, lambda now: now["sessions"] == now["connections"] == 1)

    # As many come before anything is measured: memory is taken once for all that are there at a
    # time, and it depends on the machine how many that is.
    before = await pour(PEERS)
    files, mib = descriptors(daemon), rss_mib(daemon)
    grown = []
    # The faster they come, the more are there at a time: what each leaves is left again and again.
    while not grown or (grown[-1] >= GROWTH_MIB and len(grown) < POURS):
        after = await pour(PEERS, before)
        assert after == before
        assert after["sockets"] == after["places"] == 1  # alice's
        with trio.fail_after(WAIT_S):
            while descriptors(daemon) > files:  # noqa: ASYNC110 - of a process
                await trio.sleep(PAUSE_S)
        was, mib = mib, rss_mib(daemon)
        grown.append(mib - was)
    assert grown[-1] < GROWTH_MIB, grown
    assert (await alice.say("I am still here"))["ok"]
    await daemon.stop()
    assert daemon.events("internal.error") == []


async def test_an_office_of_700_behind_one_address_comes_in_while_another_address_floods(
    house: House,
) -> None:
    patience = {f"CHATD_SERVER__{name}_TIMEOUT_S": "300" for name in ("CONNECT", "PING")}
    # With the usual limits; that a machine is slow must put nobody out.
    daemon = await house.start(env={"CHATD_AUTH__JWT_SECRET": SECRET, **patience})
    place = house.state_dir / "internal.sock"
    tokens = [token_for(SECRET, f"user {number}") for number in range(OFFICE)]
    is_over = threading.Event()
    async with trio.open_nursery() as floods:
        for _ in range(FLOODS):
            floods.start_soon(trio.to_thread.run_sync, flood, daemon.port, FLOOD, is_over)
        try:
            hits = await limits_hit(place, lambda hits: hits.get(PENDING, 0) > 0)
            assert hits[PENDING] > 0  # the flood has all that it can get, and asks for more
            connections = await trio.to_thread.run_sync(office, daemon.port, COLLEAGUES, tokens)
        finally:
            is_over.set()
    assert (await counts(place))["sockets"] == OFFICE
    assert set(await limits_hit(place)) == {PENDING}
    addresses = {event["address"] for event in daemon.events("limit.hit")}
    assert addresses == {FLOOD}
    for connection in connections:
        connection.close()
    await daemon.stop()
    assert daemon.events("internal.error") == []


async def limits_hit(
    place: Path, condition: Callable[[dict[str, float]], bool] = lambda _: True
) -> dict[str, float]:
    """How often each limit refused or ended something, once it is so; after a while, however."""
    found: dict[str, float] = {}
    with trio.move_on_after(WAIT_S):
        while True:
            _, _, body = await fetch_inside(place, "/metrics")
            every = samples(body).items()
            found = {key[1]: value for key, value in every if key[0] == "chatd_limits_hit_total"}
            if condition(found):
                break
            await trio.sleep(PAUSE_S)
    return found
