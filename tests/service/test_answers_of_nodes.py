"""Questions on several nodes over one log, as clients of each see them; the test holds the
databases."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from chatd.app.parts import answering
from chatd.postgres_store.recovery import recover
from chatd.postgres_store.sessions import LogAddress, connect
from tests.answers.services import HeldDatabase
from tests.answers.sql.readers import ReaderHere
from tests.bus.memory_bus import Wire
from tests.postgres import Postgres
from tests.postgres_store.logs import new_address, rows_of
from tests.service.chats import ROOM, Chat, ChatPeer, message, token
from tests.service.events.test_answers import SQL, RunningDatabase, ask, called, heard
from tests.service.nodes import open_nodes
from tests.service.test_catch_up_of_clients import FREE
from tests.service.test_downloads import Asker

pytestmark = pytest.mark.timeout(120)

GROWS = [
    "chat:message",
    "chat:answer:start",
    "chat:answer:status",
    "chat:answer:status",
    "chat:answer:status",
    "chat:answer:rows",
    "chat:answer:rows",
    "chat:answer:end",
    "chat:message",
]


@pytest.fixture
def address(postgres: Postgres) -> LogAddress:
    return new_address(postgres)


@asynccontextmanager
async def two_nodes(
    address: LogAddress, directory: Path, *, has_bus: bool = True, **sections: Any
) -> AsyncIterator[tuple[tuple[Chat, HeldDatabase], tuple[Chat, HeldDatabase]]]:
    databases: list[RunningDatabase] = []

    def make(*_: object, **__: object) -> RunningDatabase:
        databases.append(RunningDatabase())
        return databases[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answering, "McpDatabase", make)
        patch.setattr(answering, "StatementReader", ReaderHere)
        async with open_nodes(
            address,
            directory,
            patch,
            wire=Wire() if has_bus else None,
            databases={ROOM: {"sqlite": str(directory / "any")}},
            limits=dict(FREE),
            **sections,
        ) as (one, other):
            yield (one, databases[0]), (other, databases[1])


async def grown(peer: ChatPeer) -> list[tuple[str, Any]]:
    """What the peer hears of a question and its answer, up to the message that ends it."""
    return [*await heard(peer, "chat:answer:end"), await peer.packet()]


def of_answer(packets: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(name, it) for name, it in packets if name.startswith("chat:answer:")]


async def test_clients_of_each_node_see_the_same_answer_grow_and_end_once(
    address: LogAddress, tmp_path: Path
) -> None:
    async with two_nodes(address, tmp_path) as ((one, database), (other, idle)):
        ada, eve = await one.enter("ada"), await other.enter("eve")
        question = await ask(ada)
        call = await called(database)
        call.rows(1, 2)
        call.rows(3)
        late = await other.enter("late")
        so_far = of_answer([await late.packet() for _ in range(4)])
        assert [name for name, _ in so_far] == [*GROWS[1:3], *GROWS[5:7]]
        call.end()
        seen = await grown(eve)
        assert [name for name, _ in seen] == GROWS
        assert of_answer(seen) == of_answer(await grown(ada))
        final = seen[-1][1]
        assert (final["replyTo"], final["answer"]["rows"]) == (question, [[1], [2], [3]])
        assert [name for name, _ in await grown(late)] == GROWS[-2:]
        assert idle.calls == []
        again = {**message(SQL), "messageId": question}
        moved = await other.enter("ada")
        assert (await moved.call("chat:message", again))["duplicate"] is True
        for peer in (ada, eve):
            await peer.quiet()
        assert idle.calls == []


async def test_without_a_bus_the_other_node_shows_the_question_and_the_answer(
    address: LogAddress, tmp_path: Path
) -> None:
    async with two_nodes(address, tmp_path, has_bus=False) as ((one, database), (other, _)):
        ada, eve = await one.enter("ada"), await other.enter("eve")
        question = await ask(ada)
        call = await called(database)
        call.rows(1)
        call.end()
        assert (await eve.expect("chat:message"))["messageId"] == question
        assert (await eve.expect("chat:message"))["replyTo"] == question


@pytest.mark.parametrize("way", ["cancel", "delete"])
async def test_a_question_is_cancelled_or_deleted_on_any_node(
    address: LogAddress, tmp_path: Path, way: str
) -> None:
    async with two_nodes(address, tmp_path) as ((one, database), (other, _)):
        ada, moved, eve = await one.enter("ada"), await other.enter("ada"), await other.enter("eve")
        question = await ask(ada)
        call = await called(database)
        if way == "cancel":
            refused = await eve.call("answer:cancel", {"messageId": question})
            assert refused["error"]["code"] == "forbidden"
            ack = await moved.call("answer:cancel", {"messageId": question})
            assert (ack["state"], ack["confirmed"]) == ("cancelled", True)
            late = await moved.call("answer:cancel", {"messageId": question})
            assert late["state"] == "cancelled"
        else:
            gone = {"connectionId": ROOM, "messageId": question}
            assert (await moved.call("chat:message:delete", gone))["ok"]
        for peer in (ada, eve):
            assert (await peer.until("chat:answer:end"))["state"] == "cancelled"
        assert call.stop.is_set()
        assert rows_of(address, "SELECT state FROM answers") == [("cancelled",)]


async def test_who_is_taken_for_dead_and_comes_back_ends_nothing_twice(
    address: LogAddress, tmp_path: Path
) -> None:
    async with two_nodes(address, tmp_path) as ((one, database), (other, _)):
        ada, eve = await one.enter("ada"), await other.enter("eve")
        question = await ask(ada)
        call = await called(database)
        call.rows(1)
        database.stops = False  # it goes on, as one that cannot be stopped
        with connect(attrs.evolve(address, node="b")) as connection:
            dead, heir = (
                one.parts.storage.store.recovered.node,
                other.parts.storage.store.recovered.node,
            )
            connection.execute(
                "UPDATE answers SET node_id = %s WHERE node_id = %s AND state IS NULL", (heir, dead)
            )
            inherited = recover(connection, heir).recovered.open_answers
        assert [written.question_id for written in inherited] == [question]
        other.parts.answering.service.adopt(inherited)
        for peer in (ada, eve):
            assert (await peer.until("chat:answer:end"))["state"] == "interrupted"
            assert (await peer.expect("chat:message"))["answer"]["state"] == "interrupted"
        call.end()
        while one.parts.answering.service.count:
            await one.parts.answering.service._open[question].ended.wait()
        assert rows_of(address, "SELECT count(*) FROM messages WHERE reply_to IS NOT NULL") == [
            (1,)
        ]
        for peer in (ada, eve):
            await peer.quiet()


async def test_an_answer_is_downloaded_from_any_node_and_a_ticket_once_from_its_own(
    address: LogAddress, tmp_path: Path
) -> None:
    async with two_nodes(address, tmp_path) as ((one, database), (other, _)):
        ada, eve = await one.enter("ada"), await other.enter("eve")
        await ask(ada)
        call = await called(database)
        call.rows(1)
        call.end()
        answer = str((await grown(eve))[-1][1]["messageId"])
        here, there = Asker(one), Asker(other)
        for asker in (here, there):
            found = await asker.ask(f"{answer}.csv", token("eve"))
            assert (found.status, found.body) == (200, b"n\r\n1\r\n")
        ticket = await there.ticket(answer, token("eve"))
        assert ticket.startswith("b.")
        assert (await here.ask(f"{answer}.csv", ticket=ticket)).status == 401
        assert (await there.ask(f"{answer}.csv", ticket=ticket)).status == 200
        assert (await there.ask(f"{answer}.csv", ticket=ticket)).status == 401
        void = await there.ticket(answer, token("eve"))
        one.parts.access.tickets.void("eve")
        assert (await there.ask(f"{answer}.csv", ticket=void)).status == 401
