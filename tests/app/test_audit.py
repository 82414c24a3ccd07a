"""`chatd audit` beside a running daemon, behind a killed one, and what it says to people."""

import json
from typing import Any

import pytest
import trio

from tests.app.client import Client, token_for
from tests.app.daemon import House
from tests.app.questions import answer
from tests.app.test_errors import sentence

pytestmark = pytest.mark.answers

SQL = "SELECT count(*) FROM products"


async def audit(house: House, *arguments: str) -> list[dict[str, Any]]:
    done = await house.run("audit", "--json", *arguments)
    assert (done.code, done.err) == (0, ""), done
    return [json.loads(line) for line in done.out.splitlines()]


async def test_it_tells_who_asked_what_while_the_daemon_runs_and_after_it_was_killed(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start()
    alice = await Client.connect(nursery, daemon.port, token_for(house.secret, "alice", ["demo"]))
    await alice.say("good morning", room="demo")
    await answer(alice, SQL)
    [entry] = await audit(house)
    assert [bool(entry.pop(name)) for name in ("at", "messageId")] == [True, True]
    assert entry.pop("elapsedMs") >= 0
    assert entry == {
        "action": "ask",
        "userId": "alice",
        "address": "127.0.0.1",
        "connectionId": "demo",
        "statement": SQL,
        "outcome": "done",
        "rows": 1,
    }
    await daemon.kill()
    assert [one["statement"] for one in await audit(house, "--since", "1h")] == [SQL]
    everything, nothing, wrong = await house.run_each(
        ("audit", "--user", "alice", "--room", "demo"),
        ("audit", "--until", "2001-02-03"),
        ("audit", "--since", "yesterday"),
    )
    shown = everything.out.splitlines()
    assert "alice  from 127.0.0.1  ask  in demo  = done  1 row" in shown[0]
    assert shown[1] == f"    {SQL}"
    assert nothing.out == "There are no entries.\n"
    assert wrong.code == 2
    assert "'yesterday' is not a moment; write it as 2026-01-31" in " ".join(wrong.err.split())


async def test_without_a_log_it_says_so(house: House) -> None:
    assert "nothing to audit" in sentence(await house.run("audit"), 1)
