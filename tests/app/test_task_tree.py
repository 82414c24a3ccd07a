"""The tasks as text: names and places, siblings that are alike counted, and within a bound."""

import re

import pytest
import trio
import trio.testing

from chatd.actors.mailbox import Mailbox
from chatd.app import task_tree as tree_module
from chatd.app.task_tree import task_tree

SECRET = "a secret that a task holds"


async def wait_with(secret: str) -> None:
    await Mailbox[str](1).receive(len(secret))


async def wait_with_a_child(secret: str) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_with, secret)
        await trio.sleep_forever()


async def test_a_line_for_each_kind_of_task_and_place(nursery: trio.Nursery) -> None:
    for number in range(3):
        nursery.start_soon(wait_with, f"{SECRET} {number}")
        nursery.start_soon(wait_with_a_child, SECRET)
    nursery.start_soon(wait_with, SECRET, name="messages")
    await trio.testing.wait_all_tasks_blocked()
    tree = task_tree(nursery.parent_task)
    own = rf"{re.escape(__name__)}\.wait_with"
    waits = r"chatd\.actors\.mailbox\.Mailbox\._put_in, line \d+"
    for line in (
        rf"3 x {own}: {waits}",
        rf"3 x {own}_a_child: trio\.\S+, line \d+\n +{own}: {waits}",
        rf"messages: {waits}",
    ):
        assert re.search(rf"(?m)^ +{line}$", tree), tree
    assert SECRET not in tree
    nursery.cancel_scope.cancel()


async def test_many_tasks_and_many_kinds_of_them_stay_within_a_bound(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_module, "SIBLINGS_MAX", 20)
    monkeypatch.setattr(tree_module, "LINES_MAX", 10)
    for number in range(50):
        nursery.start_soon(wait_with, SECRET, name=f"kind {number}")
    await trio.testing.wait_all_tasks_blocked()
    lines = task_tree(nursery.parent_task).split("\n")
    assert len(lines) == 11
    assert re.fullmatch(r"and [\d,]+ more lines", lines[-1])
    monkeypatch.setattr(tree_module, "LINES_MAX", 1000)
    assert re.search(r"and 3\d more tasks", task_tree(nursery.parent_task))
    nursery.cancel_scope.cancel()
