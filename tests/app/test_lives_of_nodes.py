"""Daemons that share a log: what each tells of the others, and what becomes of one that hangs, is
killed, or ends."""

import json
import signal
from collections.abc import Mapping
from typing import Any

import attrs
import trio

from chatd.postgres_store.sessions import LogAddress
from tests.app.client import Client, token_for
from tests.app.daemon import Daemon, House, fetch, fetch_inside
from tests.app.test_errors import sentence
from tests.app.test_kill import SECRET
from tests.app.test_postgres_log import PASSWORD, settings
from tests.postgres import Postgres, a_server
from tests.postgres_store.logs import new_address, rows_of, run_in
from tests.redis import a_redis

LIMIT_S = 240.0
PAUSE_S = 0.1
DEAD_AFTER_S = {"a": "4", "b": "6"}  # "a" is the one that hangs, and all wait for its end
HANDSHAKE = "/socket.io/?EIO=4&transport=polling"


def of(address: LogAddress, node: str, **more: str) -> dict[str, str]:
    """The settings of a node. A busy machine may hold it up for a while, but not for so long."""
    cluster = {"CHATD_CLUSTER__NODE": node, "CHATD_CLUSTER__DEAD_AFTER_S": DEAD_AFTER_S[node]}
    return settings(address, **cluster, **more)


async def start(house: House, address: LogAddress, node: str) -> Daemon:
    return await house.start("--state-dir", node, env=of(address, node))


async def inside(house: House, node: str, path: str) -> tuple[int, bytes]:
    status, _, body = await fetch_inside(house.path / node / "internal.sock", path)
    return status, body


async def seen_by(house: House, node: str) -> Mapping[str, Any]:
    """What a daemon tells of the nodes."""
    _, body = await inside(house, node, "/cluster")
    found: Mapping[str, Any] = json.loads(body)
    return found


def id_of(told: Mapping[str, Any], name: str) -> int:
    """The number of the life of a node."""
    [found] = [one["nodeId"] for one in told["nodes"] if one["name"] == name]
    return int(found)


async def sees(house: House, node: str, *alive: str) -> Mapping[str, Any]:
    """The same, once these are the nodes, and all of them are alive."""
    with trio.fail_after(LIMIT_S):
        while True:
            told = await seen_by(house, node)
            if [(one["name"], one["isAlive"]) for one in told["nodes"]] == [
                (name, True) for name in alive
            ]:
                return told
            await trio.sleep(PAUSE_S)


async def is_on(address: LogAddress, user: str, *nodes: str) -> None:
    """Wait until the log has a user on these nodes alone; on none, it is away."""
    query = f"""
        SELECT array(SELECT name FROM nodes WHERE node_id = ANY (m.stays) ORDER BY name),
               cardinality(m.stays), m.away_seq IS NULL
        FROM members m WHERE user_id = '{user}'
    """
    wanted = [(list(nodes), len(nodes), bool(nodes))]
    with trio.fail_after(LIMIT_S):
        while rows_of(address, query) != wanted:  # noqa: ASYNC110  # the server sets no event
            await trio.sleep(PAUSE_S)


async def has_stored(port: int, user: str) -> None:
    """A user comes in, and a message is stored, which may be refused at first."""
    async with trio.open_nursery() as nursery:
        client = await Client.connect(nursery, port, token_for(SECRET, user))
        with trio.fail_after(LIMIT_S):
            while "seq" not in await client.say("hello"):  # noqa: ASYNC110  # of a process
                await trio.sleep(PAUSE_S)
        nursery.cancel_scope.cancel()


async def test_daemons_that_share_a_log_see_each_other_come_hang_die_and_leave(
    house: House, postgres: Postgres, nursery: trio.Nursery
) -> None:
    address = new_address(postgres)
    a = await start(house, address, "a")
    b = await start(house, address, "b")
    told = await sees(house, "a", "a", "b")
    assert [one["isThis"] for one in told["nodes"]] == [True, False]
    assert told["node"] == "a"
    assert told["bus"] is None
    assert told["log"]["kind"] == "postgresql"
    assert told["log"]["isReached"]
    assert len(told["log"]["epoch"]) == 16

    shown = await house.run("admin", "cluster", "--state-dir", "b", env=of(address, "b"))
    lines = shown.out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["node", "a", "b"]
    assert "(this one)" in lines[2]
    as_json = await house.run(
        "admin", "cluster", "--json", "--state-dir", "b", env=of(address, "b")
    )
    assert json.loads(as_json.out)["node"] == "b"
    _, metrics = await inside(house, "b", "/metrics")
    assert b'chatd_nodes_alive{node="b"} 2.0' in metrics
    assert b'chatd_reaped_nodes_total{node="b"} 0.0' in metrics

    taken = await house.run("serve", "--port", "0", "--state-dir", "c", env=of(address, "a"))
    assert "[cluster] node (node_name_in_use): Another node is called a" in sentence(taken, 1)

    bob = await Client.connect(nursery, a.port, token_for(SECRET, "bob"))
    eve = await Client.connect(nursery, b.port, token_for(SECRET, "eve"))
    assert (await bob.say("I am on a"))["ok"]
    assert (await eve.say("I am on b"))["ok"]
    await is_on(address, "bob", "a")
    await is_on(address, "eve", "b")

    hung = id_of(await sees(house, "b", "a", "b"), "a")
    a.send_signal(signal.SIGSTOP)  # it hangs, and comes back under another number
    await b.event("node.reaped")
    await sees(house, "b", "b")
    await is_on(address, "bob")
    assert (await eve.say("while bob is away"))["ok"]
    a.send_signal(signal.SIGCONT)
    await a.event("node.renewed")
    told = await sees(house, "a", "a", "b")
    assert id_of(told, "a") in [event["node_id"] for event in a.events("node.renewed")]
    await is_on(address, "bob", "a")
    await bob.hear("chat:message", content="while bob is away")
    await has_stored(a.port, "ada")
    assert (await inside(house, "a", "/readyz"))[0] == 200

    killed = id_of(await sees(house, "b", "a", "b"), "a")
    await a.kill()
    await bob.gone()
    await sees(house, "b", "b")
    await is_on(address, "bob")
    bob = await Client.connect(nursery, b.port, token_for(SECRET, "bob"))
    assert (await bob.say("I am on b, too"))["ok"]
    await is_on(address, "bob", "b")
    a = await start(house, address, "a")
    left = id_of(await sees(house, "b", "a", "b"), "a")
    moritz = await Client.connect(nursery, a.port, token_for(SECRET, "moritz"))
    seq = (await moritz.say("I am on a"))["seq"]
    await is_on(address, "moritz", "a")
    await a.stop()
    await is_on(address, "moritz")
    assert rows_of(address, "SELECT away_seq FROM members WHERE user_id = 'moritz'") == [(seq,)]
    assert rows_of(address, "SELECT name FROM nodes") == [("b",)]
    await sees(house, "b", "b")
    reaped = [event["node_id"] for event in b.events("node.reaped")]
    assert [reaped.count(one) for one in (hung, killed, left)] == [1, 1, 0]
    await b.stop()
    assert rows_of(address, "SELECT name FROM nodes") == []
    assert PASSWORD not in a.err.text + b.err.text + shown.out + as_json.out


async def test_a_daemon_without_its_database_is_not_ready_until_it_is_back(house: House) -> None:
    with a_server(fsync="on") as server:
        address = LogAddress(server.url(server.new_database(), "postgres"), "chatd")
        daemon = await start(house, address, "a")
        await has_stored(daemon.port, "ada")
        server.stop()
        lost = await daemon.event("node.lost")
        status, body = await inside(house, "a", "/readyz")
        assert status == 503
        reasons = json.loads(body)["reasons"]
        assert "log_unreachable" in [reason["code"] for reason in reasons]
        assert (await fetch(daemon.port, "/api/websocket/health"))[0] == 503
        assert not (await seen_by(house, "a"))["log"]["isReached"]
        await trio.to_thread.run_sync(server.start)
        await daemon.event("node.resumed")
        await has_stored(daemon.port, "ada")
        with trio.fail_after(LIMIT_S):
            while (await inside(house, "a", "/readyz"))[0] != 200:  # noqa: ASYNC110  # of a process
                await trio.sleep(PAUSE_S)
        assert daemon.events("node.renewed") == []
        await daemon.stop()
        assert "cannot be reached" in lost["reason"] or "has failed" in lost["reason"]
        assert PASSWORD not in daemon.err.text


async def test_a_daemon_that_alone_is_cut_from_the_database_sends_its_clients_away(
    house: House, postgres: Postgres, nursery: trio.Nursery
) -> None:
    address = new_address(postgres)
    role = f"cut_{address.url.partition('/test_')[2].partition('?')[0]}"
    run_in(address, f"CREATE ROLE {role} SUPERUSER LOGIN")
    cut_off = attrs.evolve(address, url=address.url.replace("postgres@", f"{role}@"))
    with a_redis() as redis:
        b = await house.start("--state-dir", "b", env=of(address, "b", CHATD_BUS__URL=redis.url()))
        env = of(cut_off, "a", CHATD_BUS__URL=redis.url())
        a = await house.start("--state-dir", "a", env=env)
        told = await sees(house, "a", "a", "b")
        assert told["bus"] == {"place": redis.url(options="?db=0"), "isUp": True, "whyDown": None}
        ada = await Client.connect(nursery, a.port, token_for(SECRET, "ada"))
        bea = await Client.connect(nursery, b.port, token_for(SECRET, "bea"))
        run_in(
            address,
            f"ALTER ROLE {role} NOLOGIN;"
            f" SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'",
        )
        await a.event("node.lost")
        await ada.gone(LIMIT_S)
        assert (await fetch(a.port, HANDSHAKE))[0] == 503
        assert (await inside(house, "b", "/readyz"))[0] == 200
        assert (await bea.say("still here"))["ok"]
        run_in(address, f"ALTER ROLE {role} LOGIN")
        await a.event("node.renewed")  # the other one took it for dead meanwhile
        with trio.fail_after(LIMIT_S):
            while (await fetch(a.port, HANDSHAKE))[0] != 200:  # noqa: ASYNC110  # of a process
                await trio.sleep(PAUSE_S)
        await has_stored(a.port, "ada")
        await a.stop()
        await b.stop()


async def test_a_daemon_that_keeps_its_log_by_itself_is_alone(house: House) -> None:
    daemon = await house.start()
    shown = await house.run("admin", "cluster", "--json")
    told = json.loads(shown.out)
    assert [(one["name"], one["isThis"], one["sockets"]) for one in told["nodes"]] == [
        ("", True, 0)
    ]
    assert told["log"]["kind"] == "sqlite"
    lines = (await house.run("admin", "cluster")).out.splitlines()
    assert lines[-1].startswith("The log is in sqlite, with the epoch ")
    await daemon.stop()
