"""A db-mcp that misbehaves behind a real daemon: it costs its own questions only.

Whatever a db-mcp does, each question reaches exactly one end.
"""

import sys
from pathlib import Path

import pytest
import trio

from tests.answers.mcp.fake_peer import main as fake_peer
from tests.answers.mcp.faults import FAULTS, End, statement
from tests.app.client import Client, message, token_for
from tests.app.daemon import NO_LIMITS, Daemon, House
from tests.app.questions import answer, answer_to, ask, ends

pytestmark = pytest.mark.answers

ROOMS = ("good", "bad")
GROWTH_MAX_BYTES = 64 * 1024 * 1024
"""What the daemon may have held more, at its most, than before it met a peer; 10 MiB were seen."""


def configure(house: House, more: str = "", **answers: float) -> None:
    """A room with the sample, and one with a db-mcp that does what the statement says."""
    file = sys.modules[fake_peer.__module__].__file__
    bounds = "\n".join(f"{key} = {value}" for key, value in answers.items())
    house.config(
        f"""
        [answers]
        {bounds}
        [databases.good]
        sample = true
        [databases.bad]
        command = ["{sys.executable}", "{file}", "well"]
        dialect = "sqlite"
        mapping = "chatd"
        credentials = "read-only"
        connections = 1
        {more}
        """
    )


async def members(house: House, daemon: Daemon, nursery: trio.Nursery) -> tuple[Client, Client]:
    """Two members of both rooms."""
    clients = []
    for user in ("alice", "bob"):
        token = token_for(house.secret, user, ROOMS)
        clients.append(await Client.connect(nursery, daemon.port, token))
        await clients[-1].caught_up(ROOMS)
    return clients[0], clients[1]


def most_memory_bytes(daemon: Daemon) -> int:
    """The most that the daemon has held in memory so far."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


async def test_whatever_a_peer_does_each_question_has_one_end_and_nobody_else_is_held_up(
    house: House, nursery: trio.Nursery
) -> None:
    configure(house)
    daemon = await house.start(env=NO_LIMITS)
    alice, bob = await members(house, daemon, nursery)
    assert (await answer(bob, statement("0"), "good"))["rows"] == [["0"]]
    assert (await answer(alice, statement("rows"), "bad"))["rows"] == [[1], [2], [3]]
    before_bytes = most_memory_bytes(daemon)
    expected: dict[str, str] = {}
    for fault, end in FAULTS.items():
        question = await ask(alice, f"/sql {statement(fault)} AS again", "bad")
        expected[question] = end.state
        async with trio.open_nursery() as meanwhile:
            meanwhile.start_soon(bystander, bob, fault)
            came = await answer_to(alice, question)
        code = came["error"]["code"] if "error" in came else None
        assert End(came["state"], code, len(came["rows"]), came["truncated"]) == end, fault
    assert most_memory_bytes(daemon) - before_bytes < GROWTH_MAX_BYTES
    kept = await ends(alice, "bad")
    assert expected.items() <= kept.items()
    assert len(kept) == len(expected) + 1
    for client in (alice, bob):
        told = [it["replyTo"] for it in client.said("chat:answer:end")]
        assert len(told) == len(set(told))
    assert daemon.events("internal.error") == []
    await daemon.stop()


async def bystander(bob: Client, fault: str) -> None:
    """Who asks another database meanwhile is answered, and who talks is heard."""
    assert (await answer(bob, statement(fault), "good"))["rows"] == [[fault]]
    assert (await bob.ask("chat:message", message("Anybody here?", "bad")))["ok"]


async def test_while_a_peer_hangs_others_are_answered_and_a_cancel_says_that_it_may_run_on(
    house: House, nursery: trio.Nursery
) -> None:
    configure(house)
    daemon = await house.start(env=NO_LIMITS)
    alice, bob = await members(house, daemon, nursery)
    question = await ask(alice, statement("hang"), "bad")
    await alice.hear("chat:answer:rows", replyTo=question)
    await bystander(bob, "meanwhile")
    assert not [it for it in alice.said("chat:answer:end") if it["replyTo"] == question]
    ack = await alice.ask("answer:cancel", {"messageId": question})
    assert ack == {"ok": True, "state": "cancelled", "confirmed": False}
    came = await answer_to(alice, question)
    assert (came["error"]["code"], came["rows"]) == ("db_cancelled", [[1]])
    assert (await answer(alice, statement("rows"), "bad"))["state"] == "done"
    await daemon.stop()


@pytest.mark.parametrize(
    ("of_the_peer", "answers"),
    [("call_timeout_s = 0.5", {}), ("", {"timeout_s": 0.5})],
    ids=["of the call", "of the answer"],
)
async def test_a_peer_that_hangs_runs_out_of_time(
    house: House, nursery: trio.Nursery, of_the_peer: str, answers: dict[str, float]
) -> None:
    configure(house, of_the_peer, **answers)
    daemon = await house.start(env=NO_LIMITS)
    await daemon.err.having('"event":"database.connected","connection_id":"bad".*\n', 30)
    alice, bob = await members(house, daemon, nursery)
    question = await ask(alice, statement("hang"), "bad")
    came = await answer_to(alice, question)
    assert (came["state"], came["error"]["code"]) == ("timeout", "db_timeout")
    assert await ends(bob, "bad") == {question: "timeout"}
    await daemon.stop()
