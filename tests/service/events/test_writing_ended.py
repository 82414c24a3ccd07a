"""Statements that write, of users who may write no longer: they do not run, and go no further."""

from pathlib import Path

import pytest
import trio.testing

from chatd.auth import Grant
from chatd.service.client import Client
from chatd.wire.names import Role
from tests.service.chats import ROOM, Chat
from tests.service.events.test_answers import ask, called, open_answering

WRITE = "INSERT INTO numbers VALUES (4)"
WRITES = {"context": {"config": {"readOnly": False}}}
VIEWER = {ROOM: Grant(ROOM, None, Role.VIEWER)}


def clients(chat: Chat, user_id: str = "ada") -> list[Client]:
    return list(chat.parts.publishing.clients.of(user_id))


def give(chat: Chat, client: Client, grants: dict[str, Grant]) -> None:
    chat.parts.entering.granting.give(client, grants)


async def take(chat: Chat, how: str) -> None:
    """Take from ada what lets her write."""
    match how:
        case "another role":
            give(chat, *clients(chat), VIEWER)
        case "another room":
            give(chat, *clients(chat), {"other": Grant("other", None)})
        case "revoked":
            await chat.parts.access.revoke("ada")


@pytest.mark.parametrize("how", ["another role", "another room", "revoked"])
async def test_what_waits_does_not_run_and_what_runs_is_stopped(tmp_path: Path, how: str) -> None:
    few: dict[str, object] = {"answers_per_user": 1}
    async with open_answering(tmp_path, read_only=False, answers=few) as (chat, database):
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        running = await ask(ada, WRITE, **WRITES)
        call = await called(database)
        waiting = await ask(ada, WRITE + ", (5)", **WRITES)
        await bob.until("chat:answer:status")
        await take(chat, how)
        ends = [await bob.until("chat:answer:end") for _ in range(2)]
        assert {end["replyTo"] for end in ends} == {running, waiting}
        assert {end["state"] for end in ends} == {"cancelled"}
        await call.stop.wait()
        assert database.calls == [call]


async def test_who_only_reads_is_answered_all_the_same(tmp_path: Path) -> None:
    async with open_answering(tmp_path, read_only=False) as (chat, database):
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        await ask(ada)
        read = await called(database)
        written = await ask(bob, WRITE, **WRITES)
        give(chat, *clients(chat), VIEWER)
        assert not read.stop.is_set()
        assert not (await called(database, 2)).stop.is_set(), written  # bob's


async def test_a_user_who_may_write_by_another_socket_goes_on(tmp_path: Path) -> None:
    async with open_answering(tmp_path, read_only=False) as (chat, database):
        ada = await chat.enter("ada")
        await chat.enter("ada")
        await ask(ada, WRITE, **WRITES)
        call = await called(database)
        first, second = clients(chat)
        give(chat, first, VIEWER)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert not call.stop.is_set()
        give(chat, second, VIEWER)
        await call.stop.wait()
