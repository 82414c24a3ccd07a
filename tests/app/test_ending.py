"""The order of the end, seen from inside: what waits for peers, and what goes on beside that."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import trio

from chatd.actors.supervisor import Child, Supervisor
from chatd.app.daemon import _drain
from chatd.app.last_seen import last_seen
from chatd.app.tree import _while_needed
from chatd.chat.order import Place
from tests.service.chats import ROOM, message, open_chat


async def test_sessions_with_databases_last_from_the_opening_of_the_port_to_the_last_answer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    book: list[str] = []

    async def session(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        book.append("opened")
        try:
            await trio.sleep_forever()
        finally:
            book.append("closed")

    def crashed(name: str, error: Exception) -> None:
        pytest.fail(f"{name} {error!r}")

    is_open, is_over = trio.Event(), trio.Event()
    parts = SimpleNamespace(
        http=SimpleNamespace(listener=SimpleNamespace(is_open=is_open)),
        answering=SimpleNamespace(is_over=is_over),
    )
    databases = Supervisor("databases", [Child("database demo", session)], on_crash=crashed)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_while_needed, parts, databases.run)
        await trio.sleep(1)
        assert book == []
        is_open.set()
        await trio.sleep(1)
        assert book == ["opened"]
        is_over.set()
    assert book == ["opened", "closed"]


async def test_a_node_ends_with_what_each_has_seen_who_is_there_or_left_last(
    tmp_path: Path,
) -> None:
    """The log takes nothing more then. Others have stored messages before the node ends."""
    async with open_chat(tmp_path) as chat:
        parts, ann, bob = chat.parts, await chat.enter("ann"), await chat.enter("bob")
        await ann.say(message())
        assert last_seen(parts) == {(ROOM, "ann"): 1, (ROOM, "bob"): 1}
        parts.messages.mailbox.close()
        await parts.messages.acted.wait()
        parts.publishing.timelines.begin(ROOM, Place(3, 0))
        assert last_seen(parts) == {(ROOM, "ann"): 3, (ROOM, "bob"): 3}
        parts.publishing.timelines.begin(ROOM, Place(1, 0))
        await bob.peer.stream.aclose()
        while len(parts.chat.effects.in_rooms()) == 2:
            await trio.lowlevel.checkpoint()
        parts.publishing.timelines.begin(ROOM, Place(3, 0))
        assert last_seen(parts) == {(ROOM, "ann"): 3, (ROOM, "bob"): 1}
        [client] = parts.publishing.clients.of("ann")
        client.begin_catching_up(ROOM, 2)
        assert last_seen(parts) == {(ROOM, "ann"): 2, (ROOM, "bob"): 1}
        client.end_catching_up(ROOM)


async def test_databases_are_let_go_while_clients_are_still_leaving(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        await chat.enter("alice")  # who does not answer the goodbye
        assert await _drain(chat.parts, 0, chat.recorder)
        assert chat.parts.engine_io.admission.connections == 1
        assert chat.parts.answering.is_over.is_set()
