"""A lagging standby takes over: what it had not heard of is gone, though it was acknowledged.

That is what asynchronous replication means. What nodes owe to people then is to say so: the epoch
is another one, everybody starts over, and all that is acknowledged from then on is kept.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import trio

from tests.app.daemon import PAUSE_S
from tests.cluster.histories import Acked, Joined, Note
from tests.cluster.nodes import a_cluster, postgres_socket
from tests.cluster.people import Person
from tests.cluster.runs import ROOMS, run
from tests.cluster.verdict import CHECKS, judge
from tests.postgres import a_standby

SEED: Final = 15
MANY: Final = 10  # more than may have been on their way when it began to lag
LIMIT_S: Final = 120.0
CHAT_S: Final = 4.0
"""How long people chat before the standby lags, while it does, and after it took over."""


def acks_of(people: Sequence[Person]) -> list[Acked]:
    return [note for person in people for note in person.notes if isinstance(note, Acked)]


async def until(holds: Callable[[], bool]) -> None:
    """Chat on until it is so: on a busy machine little is said in a while."""
    with trio.fail_after(LIMIT_S):
        while not holds():  # noqa: ASYNC110  # many tasks note
            await trio.sleep(PAUSE_S)


async def test_the_epoch_changes_and_everybody_starts_over(
    tmp_path: Path, cluster_nodes: int
) -> None:
    in_thread = trio.to_thread.run_sync
    async with a_cluster(tmp_path, ROOMS, cluster_nodes) as cluster:
        with a_standby(cluster.postgres) as standby:

            async def fail_over(people: Sequence[Person]) -> None:
                await trio.sleep(CHAT_S)  # what is chatted meanwhile is what is looked at
                await in_thread(standby.lag)
                before = len(acks_of(people))
                await trio.sleep(CHAT_S)
                await until(lambda: len(acks_of(people)) > before + MANY)
                await in_thread(cluster.postgres.crash)
                await in_thread(standby.promote)
                for node in cluster.nodes:
                    node.wires[0].lead_to(postgres_socket(standby))
                await trio.sleep(CHAT_S)
                for node in cluster.nodes:
                    await node.back()
                await until(lambda: len({ack.epoch for ack in acks_of(people)}) > 1)

            async with trio.open_nursery() as nursery:
                for node in cluster.nodes:
                    nursery.start_soon(node.kept_running)
                done = await run(cluster, SEED, fail_over, is_epoch_kept=False)
                nursery.cancel_scope.cancel()
            await cluster.end()
    case = done.case
    notes: list[Note] = [note for person in done.people for note in person.notes]
    stored = {row.message_id for rows in case.log.values() for row in rows}
    lost = [note for note in notes if isinstance(note, Acked) and note.message_id not in stored]
    assert lost, "the standby did not lag"
    epochs = {note.epoch for note in notes if isinstance(note, Joined)}
    assert len(epochs) == 2, "one before, and one after"
    assert any(isinstance(note, Acked) and note.epoch == case.epoch for note in notes)
    # A node may end, to start over.
    problems = judge(case, [name for name in CHECKS if name != "crashes"])
    assert problems == [], "\n".join([done.told(), *problems[:40], f"{len(problems)} problems"])
