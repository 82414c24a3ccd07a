"""Daemons that share a log show their clients one presence and typing, over each bus."""

import pytest
import trio

from chatd.chat.presence import GRACE_S
from tests.app.daemon import House
from tests.app.test_nodes import LIMIT_S, ROOM, entered, redis, started, two_houses
from tests.postgres import Postgres
from tests.postgres_store.logs import new_address
from tests.redis import Redis

__all__ = ["redis", "two_houses"]  # fixtures

AT_REST_S = 15.0
SLOW_S = 10.0  # what a busy machine may add


@pytest.mark.parametrize("kind", ["redis", "notify"])
async def test_clients_of_two_daemons_see_each_other_until_one_dies(
    two_houses: tuple[House, House],
    nursery: trio.Nursery,
    postgres: Postgres,
    redis: Redis,
    kind: str,
) -> None:
    address = new_address(postgres)
    nodes = await started(two_houses, address, redis.url() if kind == "redis" else address.url)
    with trio.fail_after(LIMIT_S):
        ada, eve = [
            await entered(nursery, port, user)
            for port, user in zip(nodes.ports, ("ada", "eve"), strict=True)
        ]
        await ada.hear("presence:update", userId="eve", status="online")
        await eve.ask("presence:update", {"connectionId": ROOM, "status": "away"})
        await ada.hear("presence:update", userId="eve", status="away")
        await eve.ask("chat:typing:start", {"connectionId": ROOM})
        await ada.hear("chat:typing", userId="eve", isTyping=True)
        await eve.say("said")
        await ada.hear("chat:typing", userId="eve", isTyping=False)
        if kind == "notify":
            await nodes.daemons[1].kill()
            at_s = trio.current_time()
            await ada.hear("presence:update", AT_REST_S + SLOW_S, userId="eve", status="offline")
            assert trio.current_time() - at_s > GRACE_S / 2
