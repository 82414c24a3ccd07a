"""Questions to a real daemon, what becomes of them, and the processes that answer them."""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trio

from tests.app.client import Client, message
from tests.processes import children_of, commands_of

PATIENT = (sys.executable, str(Path(__file__).with_name("patient.py")), "serve")
"""Starts a daemon in which no question is refused because the one before it takes long."""
ANSWER_S = 30.0
"""No answer here takes this long, unless something is broken."""
ENDLESS = (
    "/sql WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) "
    "SELECT n FROM r WHERE n < 3"
)
"""Two rows, and then no end."""


async def ask(client: Client, content: str, room: str = "demo", **context: Any) -> str:
    """Ask, and return the id of the question once it is stored."""
    asked: dict[str, Any] = message(content, room)
    if context:
        asked["context"] = context
    ack = await client.ask("chat:message", asked)
    assert ack["ok"], ack
    return str(asked["messageId"])


async def answer(client: Client, content: str, room: str = "demo", **context: Any) -> Any:
    """Ask, and return the `answer` of the message that ends it."""
    return await answer_to(client, await ask(client, content, room, **context))


async def answer_to(client: Client, question_id: str) -> Any:
    """The `answer` of the message that ends it; it was told before that it has ended, and how."""
    final = await client.hear("chat:message", ANSWER_S, replyTo=question_id)
    [end] = [told for told in client.said("chat:answer:end") if told["replyTo"] == question_id]
    assert final["userId"] == f"db:{final['connectionId']}"
    for key in end.keys() - {"messageId", "replyTo", "connectionId"}:
        assert final["answer"][key] == end[key]
    return final["answer"]


async def ends(client: Client, room: str = "demo") -> dict[str, str]:
    """The state in which each question of a room has ended, by its id; each has one end."""
    finals = [told for told in await client.whole_room(room) if "answer" in told]
    states = {told["replyTo"]: told["answer"]["state"] for told in finals}
    assert len(states) == len(finals)
    return states


def children(pid: int, word: str) -> list[int]:
    """The processes that a process has started and that are there, with a word of their command."""
    return [child for child, words in commands_of(*children_of(pid)).items() if word in words]


@contextmanager
def watched(pid: int) -> Iterator[int]:
    """A descriptor that becomes readable when a process has ended, whosever child it is."""
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def has_ended(descriptor: int) -> bool:
    """Whether a watched process has ended by now."""
    return bool(select.select([descriptor], [], [], 0)[0])


async def ended(descriptor: int) -> None:
    """Return when a watched process has ended."""
    with trio.fail_after(ANSWER_S):
        await trio.lowlevel.wait_readable(descriptor)
