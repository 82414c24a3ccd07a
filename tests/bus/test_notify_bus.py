"""The bus over NOTIFY: what the server sees of it, and what stands between."""

import uuid
from typing import Any

import psycopg
import pytest
import trio

from chatd.bus import notify_bus
from chatd.bus.notify_bus import PAYLOAD_BYTES_MAX, NotifyBus
from chatd.postgres_client import TrioConnection
from chatd.postgres_client.threaded import ThreadedConnection
from tests.bus.listeners import LIMIT_S, Notes
from tests.postgres import Postgres

ROOM = "r:sales"
SEEN = "SELECT state, xact_start, query FROM pg_stat_activity WHERE application_name = %s"
LONGEST_TOPIC = "r:" + "x" * 128


@pytest.mark.parametrize("kind", [TrioConnection, ThreadedConnection])
async def test_a_notify_is_a_statement_of_its_own_and_nothing_is_left_open(
    postgres: Postgres, kind: type[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a transaction it would hold a lock of the whole server until the commit."""
    monkeypatch.setattr(notify_bus, "TrioConnection", kind)
    name = f"bus-test-{uuid.uuid4()}"  # the server is that of other tests too
    address = postgres.url("postgres", "postgres") + f"&application_name={name}"
    bus, notes = NotifyBus(address, "chatd"), Notes()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bus.run, notes)
        await notes.is_up()
        assert await bus.subscribe(ROOM)
        for number in range(3):
            assert bus.publish(ROOM, b"%d" % number)
            await notes.hears(ROOM, b"%d" % number)
        with postgres.connect("postgres") as admin, trio.fail_after(LIMIT_S):
            while True:
                seen = admin.execute(SEEN, [name]).fetchall()
                if {state for state, *_ in seen} == {"idle"}:
                    break
                await trio.sleep(0.01)  # a notice comes before the statement that sent it has ended
        nursery.cancel_scope.cancel()
    assert len(seen) == 2
    assert {(state, begun) for state, begun, _ in seen} == {("idle", None)}
    assert any("pg_notify" in query for *_, query in seen)


async def test_what_comes_while_a_statement_is_under_way_goes_with_the_next_one(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[int] = []
    execute = TrioConnection.execute

    async def counted(self: TrioConnection, query: object, *arguments: object) -> object:
        if query == notify_bus._SEND:
            statements.append(len(arguments[0][1]))  # type: ignore[index]
        return await execute(self, query, *arguments)  # type: ignore[call-overload]

    monkeypatch.setattr(TrioConnection, "execute", counted)
    bus, notes = NotifyBus(postgres.url("postgres", "postgres"), "chatd"), Notes()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bus.run, notes)
        await notes.is_up()
        assert await bus.subscribe(ROOM)
        statements.clear()
        for room in range(100):  # the batch of one commit
            for seq in range(5):
                assert bus.publish(f"r:{room}", b"%d" % seq, latest_of="head")
        assert bus.publish(ROOM, b"the last one")
        await notes.hears(ROOM, b"the last one")
        nursery.cancel_scope.cancel()
    assert statements == [101]


async def test_more_than_may_wait_is_dropped(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify_bus, "WAITING_MAX", 2)
    bus, notes = NotifyBus(postgres.url("postgres", "postgres"), "chatd"), Notes()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bus.run, notes)
        await notes.is_up()
        taken = [bus.publish(ROOM, b"x"), bus.publish(ROOM, b"1", "head"), bus.publish(ROOM, b"y")]
        assert taken == [True, True, False]
        assert bus.publish(ROOM, b"2", "head")  # in the place of another one
        nursery.cancel_scope.cancel()


async def test_the_longest_topic_leaves_room_for_the_longest_payload(postgres: Postgres) -> None:
    bus, notes = NotifyBus(postgres.url("postgres", "postgres"), "s" * 57), Notes()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bus.run, notes)
        await notes.is_up()
        assert await bus.subscribe(LONGEST_TOPIC)
        assert bus.publish(LONGEST_TOPIC, b"x" * PAYLOAD_BYTES_MAX)
        await notes.hears(LONGEST_TOPIC, b"x" * PAYLOAD_BYTES_MAX)
        nursery.cancel_scope.cancel()


async def test_a_pooler_that_keeps_no_session_is_told(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between transactions it takes away what LISTEN has asked for."""
    monkeypatch.setattr("chatd.bus.server_bus.CONNECT_S", 0.3)
    execute = TrioConnection.execute

    async def and_forget(self: TrioConnection, statement: Any, parameters: Any = None) -> Any:
        done = await execute(self, statement, parameters)
        if "LISTEN" in repr(statement):
            await execute(self, b"UNLISTEN *")
        return done

    monkeypatch.setattr(TrioConnection, "execute", and_forget)
    told = await why_down(postgres.url("postgres", "postgres"))
    assert "session mode" in told


async def why_down(address: str) -> str:
    notes = Notes()
    bus = NotifyBus(address, "chatd", notes.tell)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bus.run, notes)
        await notes.until(lambda: bool(notes.told))
        nursery.cancel_scope.cancel()
    assert notes.told[0] is not None
    return notes.told[0]


async def test_a_database_that_is_not_there_is_told_without_its_password() -> None:
    told = await why_down("postgresql://node:hunter2@127.0.0.1:1/none")
    assert told.startswith("The database cannot be reached: ")
    assert "hunter2" not in told


async def test_notifications_come_to_a_connection_that_asks_nothing(postgres: Postgres) -> None:
    """What psycopg's connections are relied on for."""
    heard: list[psycopg.Notify] = []
    address = postgres.url("postgres", "postgres")
    connection = await TrioConnection.open(address, trio.CapacityLimiter(1))
    connection.add_notify_handler(heard.append)
    await connection.execute(b"LISTEN here")
    with trio.move_on_after(0.05) as waited:
        await connection.notified()
    assert waited.cancelled_caught
    assert not connection.closed  # a wait that is cancelled has asked for nothing
    with postgres.connect("postgres") as other:
        other.execute("NOTIFY here, 'one'")
    with trio.fail_after(30):
        while not heard:
            await connection.notified()
    assert heard[0].payload == "one"
    connection.drop()
