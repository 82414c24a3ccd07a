"""The nodes themselves, before anything is asked of them: they share a log, and answer by name."""

from pathlib import Path

import requests
import trio

from tests.app.client import Client, token_for
from tests.cluster.nodes import SECRET, a_cluster, routed
from tests.peers.test_cluster import NGINX

ROOMS = ("red", "blue")


def test_the_documented_block_is_for_any_number_of_nodes() -> None:
    three = {name: f"10.0.0.{number}:8765" for number, name in enumerate("abc", 1)}
    assert sorted(routed(NGINX, three).splitlines()) == sorted(NGINX.splitlines())
    ten = routed(NGINX, {name: f"node-{name}:1" for name in "abcdefghij"})
    assert ten.count("server node-j:1;") == 2
    assert "~^j\\. chatd_j;" in ten
    assert "10.0.0." not in ten


async def test_two_nodes_share_a_log_and_come_back(tmp_path: Path, nursery: trio.Nursery) -> None:
    off = {"CHATD_ANSWERS__ENABLED": "false"}
    async with a_cluster(tmp_path, ROOMS, count=2, bus="none", **off) as cluster:
        polled = f"{cluster.proxy_url}/socket.io/?EIO=4&transport=polling"
        sids = set()
        for _ in range(4):
            answer = await trio.to_thread.run_sync(lambda: requests.get(polled, timeout=30))
            sids.add(cluster.node_of(answer.text.partition('"sid":"')[2]))
        assert sids == {"a", "b"}
        for number, node in enumerate(cluster.nodes):
            client = await Client.connect(nursery, node.port, token_for(SECRET, "ada", ROOMS))
            ack = await client.say(f"at {node.name}", "red")
            assert (ack["ok"], ack["seq"]) == (True, number + 1)
        [a, b] = cluster.nodes
        a.pause()
        await b.ready()
        a.resume()
        await a.ready()
        await a.kill()
        await a.start()
        client = await Client.connect(nursery, cluster.proxy_port, token_for(SECRET, "ada", ROOMS))
        assert [shown["seq"] for shown in await client.whole_room("red")] == [1, 2]
        await cluster.end()
