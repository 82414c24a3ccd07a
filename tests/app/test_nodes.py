"""Daemons that share a log: what a client of one of them says reaches those of the others, once and
in order, over each bus and without one."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from chatd.postgres_store.sessions import LogAddress
from tests.app.client import Client, message, token_for
from tests.app.daemon import NO_LIMITS, PAUSE_S, Daemon, House, fetch_inside
from tests.app.test_internal import samples
from tests.postgres import Postgres, a_server
from tests.postgres_store.logs import new_address, rows_of, run_in
from tests.redis import Redis, a_redis

SECRET = "a secret that only these tests of several nodes know"
ROOM = "demo"
LIMIT_S = 90.0


@pytest.fixture
def redis() -> Iterator[Redis]:
    with a_redis() as server:
        yield server


@attrs.frozen
class Nodes:
    """Two daemons, and what they share."""

    address: LogAddress
    houses: tuple[House, House]
    daemons: tuple[Daemon, Daemon]

    @property
    def ports(self) -> tuple[int, int]:
        return self.daemons[0].port, self.daemons[1].port

    async def metrics(self, number: int) -> dict[tuple[str, ...], float]:
        """As `samples`, without the name of the node, which all of them have."""
        _, _, body = await fetch_inside(self.houses[number].state_dir / "internal.sock", "/metrics")
        name = "ab"[number]
        return {
            tuple(word for word in words if word != name): figure
            for words, figure in samples(body).items()
        }

    async def readiness(self, number: int) -> tuple[int, str]:
        place = self.houses[number].state_dir / "internal.sock"
        status, _, body = await fetch_inside(place, "/readyz", (("Accept", "text/plain"),))
        return status, body.decode()


@pytest.fixture
async def two_houses(tmp_path: Path, nursery: trio.Nursery) -> Any:
    made = []
    for name in ("a", "b"):
        path = tmp_path / name
        path.mkdir()
        made.append(House(path, nursery))
    yield tuple(made)
    for house in made:
        await house.tear_down()


async def started(
    houses: tuple[House, House], address: LogAddress, bus: str, durability: str = "write"
) -> Nodes:
    daemons: list[Daemon] = []

    async def start(number: int) -> None:
        env = {
            **NO_LIMITS,
            "CHATD_AUTH__JWT_SECRET": SECRET,
            "CHATD_ANSWERS__ENABLED": "false",
            "CHATD_STATE__URL": address.url,
            "CHATD_STATE__DURABILITY": durability,
            "CHATD_CLUSTER__NODE": "ab"[number],
            "CHATD_BUS__URL": bus,
        }
        daemons.append(await houses[number].start(env=env))

    for number in (0, 1):
        await start(number)
    first, second = daemons
    return Nodes(address, houses, (first, second))


async def entered(nursery: trio.Nursery, port: int, user: str, **auth: Any) -> Client:
    client = await Client.connect(nursery, port, token_for(SECRET, user), **auth)
    await client.caught_up([ROOM])
    return client


def seen(client: Client) -> list[tuple[int, str]]:
    """The messages that a client was told, in their order: in histories, and then live."""
    told = [one for page in client.said("chat:history") for one in page["messages"]]
    told += client.said("chat:message")
    return [(one["seq"], one["content"]) for one in told]


async def flood(nodes: Nodes, clients: list[Client], count: int) -> None:
    """So many messages of each client, at the same time; all of them are acknowledged."""

    async def talk(client: Client, name: str) -> None:
        for number in range(count):
            assert (await client.say(f"{name} {number}"))["ok"]

    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(talk, client, uuid.uuid4().hex)


async def all_see_the_log(nodes: Nodes, clients: list[Client]) -> None:
    """Each client is told all that is in the log, once and in order."""
    rows = rows_of(nodes.address, "SELECT seq, content FROM messages ORDER BY seq")
    assert [seq for seq, _ in rows] == list(range(1, len(rows) + 1))
    for client in clients:
        await client.hear("chat:message", LIMIT_S, seq=len(rows))
        assert seen(client) == rows


@pytest.mark.parametrize("kind", ["redis", "notify", "alone"])
async def test_what_either_node_commits_all_clients_get_in_order_and_once(
    two_houses: tuple[House, House],
    nursery: trio.Nursery,
    postgres: Postgres,
    redis: Redis,
    kind: str,
) -> None:
    address = new_address(postgres)
    bus = {"redis": redis.url(), "notify": address.url, "alone": ""}[kind]
    nodes = await started(two_houses, address, bus)
    with trio.fail_after(LIMIT_S):
        clients = [
            await entered(nursery, port, f"user{number}")
            for number, port in enumerate(nodes.ports * 2)
        ]
        await flood(nodes, clients, 15)
        await all_see_the_log(nodes, clients)
        ada, eve = clients[:2]
        said = await ada.say("first")
        edit = {"connectionId": ROOM, "messageId": said["messageId"], "content": "second"}
        assert (await ada.ask("chat:message:edit", edit))["ok"]
        edited = await eve.hear("chat:message:edited", seq=said["seq"])
        assert edited["content"] == "second"
        # A client moves, with all that it has seen.
        last = await eve.hear("chat:message", seq=said["seq"])
        epoch = ada.said("connection:status")[0]["epoch"]
        await eve.close()
        assert (await ada.say("third"))["ok"]
        since = {"since": {ROOM: last["seq"]}, "epoch": epoch}
        moved = await entered(nursery, nodes.ports[0], "user1", **since)
        [history] = moved.said("chat:history")
        assert [one["content"] for one in history["messages"]] == ["third"]
        found = await nodes.metrics(1)
        assert found[("chatd_bus_up",)] == (kind != "alone")
        assert (found["chatd_bus_messages_total", "in"] > 0) == (kind != "alone")
        assert found["chatd_healed_messages_total", "poll"] > 0 or kind != "alone"
        assert found["chatd_condition", "bus_down"] == 0
        assert found[("chatd_order_behind_seq",)] == 0
    for daemon in nodes.daemons:
        await daemon.stop()
        assert daemon.events("internal.error") == []
        assert daemon.events("actor.crashed") == []


async def test_while_redis_is_away_all_comes_by_looks_and_readiness_says_so(
    two_houses: tuple[House, House], nursery: trio.Nursery, postgres: Postgres, redis: Redis
) -> None:
    nodes = await started(two_houses, new_address(postgres), redis.url())
    with trio.fail_after(LIMIT_S):
        clients = [await entered(nursery, port, f"user{port}") for port in nodes.ports]
        await flood(nodes, clients, 3)
        await all_see_the_log(nodes, clients)
        redis.kill()
        await flood(nodes, clients, 5)
        await all_see_the_log(nodes, clients)
        began = await nodes.daemons[1].event("condition.began")
        assert began["code"] == "bus_down"
        status, body = await nodes.readiness(1)
        assert status == 200
        assert "bus_down: Redis" in body
        late = await entered(nursery, nodes.ports[1], "late")
        clients.append(late)
        redis.start()
        await nodes.daemons[1].event("condition.ended")
        await flood(nodes, clients, 5)
        await all_see_the_log(nodes, clients)


async def test_a_log_that_lost_its_end_ends_both_daemons_and_serves_anew_under_another_epoch(
    two_houses: tuple[House, House], nursery: trio.Nursery, postgres: Postgres, redis: Redis
) -> None:
    address = new_address(postgres)
    nodes = await started(two_houses, address, redis.url())
    with trio.fail_after(LIMIT_S):
        ada = await entered(nursery, nodes.ports[0], "ada")
        eve = await entered(nursery, nodes.ports[1], "eve")
        await ada.say("first")
        await ada.say("second")
        await eve.hear("chat:message", seq=2)
        epoch = ada.said("connection:status")[0]["epoch"]
        lost = "DELETE FROM chatd.messages WHERE seq = 2; UPDATE chatd.rooms SET last_seq = 1"
        run_in(address, lost)
        for daemon in nodes.daemons:
            assert await daemon.ended() == 1
            assert "has another epoch" in daemon.events("epoch.changed")[0]["detail"]
        again = await started(two_houses, address, redis.url())
        since = {"since": {ROOM: 2}, "epoch": epoch}
        for port in again.ports:
            client = await entered(nursery, port, "ada", **since)
            assert client.said("connection:status")[0]["epoch"] != epoch
            [history] = client.said("chat:history")
            assert history["reset"] is True
            assert [one["content"] for one in history["messages"]] == ["first"]
        assert len({client["epoch"] for client in client.said("connection:status")}) == 1


async def test_a_node_whose_own_commits_are_lost_drains_and_says_so(
    two_houses: tuple[House, House], nursery: trio.Nursery, postgres: Postgres
) -> None:
    nodes = await started(two_houses, new_address(postgres), "")
    with trio.fail_after(LIMIT_S):
        ada = await entered(nursery, nodes.ports[0], "ada")
        await ada.say("first")
        [(epoch,)] = rows_of(nodes.address, "SELECT epoch FROM meta")
        run_in(nodes.address, "UPDATE chatd.nodes SET commits = 0")
        await ada.emit("chat:message", message("second", ROOM))
        for daemon in nodes.daemons:
            assert await daemon.ended() == 1
            assert daemon.events("epoch.changed")
            assert daemon.events("daemon.stopping")[0]["reason"] == "epoch"
            assert daemon.events("actor.crashed") == []
        await ada.hear("connection:status", status="draining")
        assert rows_of(nodes.address, "SELECT epoch FROM meta") != [(epoch,)]


async def test_a_node_that_dies_and_a_database_that_crashes_leave_no_hole(
    two_houses: tuple[House, House], nursery: trio.Nursery, redis: Redis
) -> None:
    with a_server(fsync="on") as server:
        address = new_address(server)
        nodes = await started(two_houses, address, redis.url(), "fsync")
        with trio.fail_after(LIMIT_S):
            ada, eve = [await entered(nursery, port, f"user{port}") for port in nodes.ports]
            await flood(nodes, [ada, eve], 5)
            await all_see_the_log(nodes, [ada, eve])
            server.crash()
            server.start()
            await until_stored(ada, "after the crash")
            await flood(nodes, [ada, eve], 5)
            await all_see_the_log(nodes, [ada, eve])
            last_seq, epoch = len(seen(ada)), ada.said("connection:status")[0]["epoch"]
            await nodes.daemons[0].kill()
            await until_stored(eve, "after the node")
            since = {"since": {ROOM: last_seq}, "epoch": epoch}
            moved = await entered(nursery, nodes.ports[1], "moved", **since)
            assert [content for _, content in seen(moved)] == ["after the node"]
            await all_see_the_log(nodes, [eve])


async def until_stored(client: Client, content: str) -> None:
    """Send a message until it is acknowledged."""
    message_id = str(uuid.uuid4())
    while not (await client.say(content, message_id=message_id))["ok"]:  # noqa: ASYNC110
        await trio.sleep(PAUSE_S)
