"""The checker: several nodes behind nginx, people who move, and faults in turn.

What was acknowledged is stored once with that seq; rooms are dense; each stream is the log from its
`since`; each question has one end; what is owed is exact up to the detection window; all nodes show
the same people after the last fault. Longer and with more nodes: --cluster-seconds 3600
--cluster-nodes 10.
"""

from collections.abc import Sequence
from pathlib import Path

from tests.cluster.faults import Struck, strike_on
from tests.cluster.nodes import a_cluster
from tests.cluster.people import Person
from tests.cluster.runs import ROOMS, run
from tests.cluster.verdict import judge

SEED = 14


async def test_what_nodes_promise_outlives_every_fault(
    tmp_path: Path, cluster_seconds: float, cluster_nodes: int
) -> None:
    struck: list[Struck] = []
    async with a_cluster(tmp_path, ROOMS, cluster_nodes) as cluster:

        async def faults(_: Sequence[Person]) -> None:
            struck.extend(await strike_on(cluster, cluster_seconds, SEED))

        done = await run(cluster, SEED, faults)
        await cluster.end()
    told = "\n".join([done.told(), *map(str, struck)])
    problems = judge(done.case)
    assert problems == [], "\n".join([told, *problems[:40], f"{len(problems)} problems"])
