"""Rooms of users who are connected, from a directory that is asked again; the test moves the clock.

The directory is a table in memory. What a real database does is in `tests/auth` and `tests/app`.
"""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import attrs
import orjson
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.app import running_directory
from chatd.auth import DirectoryFailed, DirectoryStatus, Grant, Identity, TokenRefused
from chatd.net.disconnects import DisconnectReason
from chatd.observe import SessionClosed
from chatd.service.readings import Readings
from chatd.wire.codes import Code
from chatd.wire.names import Role
from tests.service.chats import Chat, MemoryPeer, open_chat, token

TTL_S, OUTAGE_S = 60.0, 300.0
STEP_S = TTL_S / 10


@attrs.define(eq=False)
class Table:
    """A directory in memory, in place of the one in SQL."""

    rooms: dict[str, dict[str, Role]] = attrs.field(factory=dict)
    is_away: bool = False
    asked: list[str] = attrs.field(factory=list)
    checks: int = 0
    is_closed: bool = False
    status: DirectoryStatus = attrs.field(factory=DirectoryStatus)

    def grants_now(self, identity: Identity) -> None:
        return None

    async def grants(self, identity: Identity) -> Mapping[str, Grant]:
        await trio.lowlevel.checkpoint()
        self.asked.append(identity.user_id)
        if self.is_away:
            self.status = DirectoryStatus("It is away.")
            raise DirectoryFailed("The directory is away.")
        self.status = DirectoryStatus()
        if identity.user_id not in self.rooms:
            raise TokenRefused(Code.TOKEN_INVALID, "This is nobody.")
        return {
            room: Grant(room, None, role) for room, role in self.rooms[identity.user_id].items()
        }

    async def check(self) -> None:
        self.checks += 1
        if self.is_away:
            raise DirectoryFailed("The directory is away.")
        self.status = DirectoryStatus()

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    table = Table({"ada": {"sales": Role.MEMBER, "crm": Role.OWNER}, "bob": {"sales": Role.VIEWER}})
    monkeypatch.setattr(running_directory, "open_sql_directory", lambda *_: table)
    return table


@pytest.fixture
async def chat(tmp_path: Path, table: Table, mock_clock: MockClock) -> AsyncIterator[Chat]:
    sql: dict[str, object] = {"source": "sql", "url": "postgresql://nobody@nowhere/none"}
    heart: dict[str, object] = {"ping_interval_s": 1e5, "ping_timeout_s": 1e5}
    async with open_chat(tmp_path, in_memory=True, directory=sql, server=heart) as chat:
        await wait_all_tasks_blocked()
        yield chat
    assert table.is_closed


async def entered(chat: Chat, user_id: str = "ada") -> MemoryPeer:
    peer = await chat.attach_and_enter(token(user_id, [], ttl_s=100_000))
    peer.take()
    return peer


async def passing(clock: MockClock, seconds: float) -> None:
    """Let time pass, so that everything that is due in it happens in its order."""
    until_s = trio.current_time() + seconds
    while trio.current_time() < until_s:
        clock.jump(min(STEP_S, until_s - trio.current_time()))
        await wait_all_tasks_blocked()


async def test_a_room_that_is_taken_away_is_left_within_the_time_of_an_answer(
    chat: Chat, table: Table, mock_clock: MockClock
) -> None:
    ada = await entered(chat)
    await entered(chat, "bob")
    ada.take()
    del table.rooms["ada"]["sales"]
    await passing(mock_clock, TTL_S)
    assert ada.take_events() == [
        ("connection:left", {"connectionId": "sales", "code": "forbidden_room"})
    ]
    await ada.say('420["chat:history:get",{"connectionId":"sales"}]')
    assert "forbidden_room" in ada.take()[0]
    assert set(chat.parts.messages.machine.members.rooms_of("ada")) == {"crm"}  # its queue ends too
    assert set(chat.parts.messages.machine.members.rooms_of("bob")) == {"sales"}


async def test_all_devices_of_a_user_lose_the_room_and_one_question_serves_them(
    chat: Chat, table: Table, mock_clock: MockClock
) -> None:
    peers = [await entered(chat) for _ in range(3)]
    assert table.asked == ["ada"]
    table.rooms["ada"] = {}
    await passing(mock_clock, TTL_S)
    for peer in peers:
        assert sorted(name for name, _ in peer.take_events()) == ["connection:left"] * 2
    assert table.asked == ["ada", "ada"]


async def test_another_role_is_told_within_it_too_and_the_same_one_is_not(
    chat: Chat, table: Table, mock_clock: MockClock
) -> None:
    ada = await entered(chat)
    table.rooms["ada"] = {"crm": Role.OWNER, "sales": Role.VIEWER}
    await passing(mock_clock, TTL_S)
    assert ada.take_events() == [("connection:role", {"connectionId": "sales", "role": "viewer"})]
    await passing(mock_clock, 10 * TTL_S)
    assert ada.take_events() == []


async def test_a_room_that_is_given_is_told_once_and_can_be_joined_within_it(
    chat: Chat, table: Table, mock_clock: MockClock
) -> None:
    ada, again, bob = await entered(chat), await entered(chat), await entered(chat, "bob")
    bob.take()
    table.rooms["ada"]["hr"] = Role.VIEWER
    await passing(mock_clock, TTL_S)
    for peer in (ada, again):
        told = [payload for name, payload in peer.take_events() if name == "connection:granted"]
        assert told == [{"connectionId": "hr", "role": "viewer"}]
    assert "connection:granted" not in dict(bob.take_events())
    await passing(mock_clock, 10 * TTL_S)
    assert ada.take_events() == []
    await ada.say('420["connection:join",{"connectionId":"hr"}]')
    assert any('"ok":true' in text for text in ada.take())


async def test_a_user_whom_the_directory_knows_no_more_loses_all_rooms(
    chat: Chat, table: Table, mock_clock: MockClock
) -> None:
    ada = await entered(chat)
    del table.rooms["ada"]
    await passing(mock_clock, TTL_S)
    assert sorted(name for name, _ in ada.take_events()) == ["connection:left"] * 2


async def test_who_is_gone_is_not_asked_about(
    chat: Chat, table: Table, mock_clock: MockClock
) -> None:
    ada = await entered(chat)
    ada.session.lost(DisconnectReason.TRANSPORT_CLOSE)
    await passing(mock_clock, 3 * TTL_S)
    assert table.asked == ["ada"]


async def test_those_who_are_in_outlive_an_outage_of_the_directory_for_a_while(
    chat: Chat, table: Table, mock_clock: MockClock
) -> None:
    ada = await entered(chat)
    table.is_away = True
    await passing(mock_clock, OUTAGE_S)
    assert ada.take_events() == []
    table.is_away = False
    await passing(mock_clock, 2 * (TTL_S + OUTAGE_S))
    assert ada.take_events() == []
    table.is_away = True
    await passing(mock_clock, TTL_S + OUTAGE_S + 2 * STEP_S)
    assert ada.take_events() == [
        ("connection:status", {"status": "closing", "code": "directory_unavailable"})
    ]
    assert ada.transport.closed.is_set()
    [closed] = chat.recorder.of(SessionClosed)
    assert closed.reason == "directory unavailable"
    assert ada.take() == []  # no DISCONNECT: a stock client is to come back


async def test_during_an_outage_nobody_comes_in_whose_rooms_are_not_known(
    chat: Chat, table: Table, mock_clock: MockClock
) -> None:
    await entered(chat)
    table.is_away = True
    again = await chat.attach_and_enter(token("ada", []))  # what is known of her is fresh
    assert "connection:status" in [name for name, _ in again.take_events()]
    bob = await chat.attach_and_enter(token("bob", []))
    [refusal] = [text for text in bob.take() if text.startswith("44")]
    error = orjson.loads(refusal[2:])
    assert (error["data"]["code"], error["data"]["retryable"]) == ("directory_unavailable", True)
    await passing(mock_clock, TTL_S)
    ada = await chat.attach_and_enter(token("ada", []))
    assert any("directory_unavailable" in text for text in ada.take())


async def test_a_directory_that_fails_is_looked_at_until_it_is_well_though_nobody_is_there(
    chat: Chat, table: Table, mock_clock: MockClock
) -> None:
    assert table.checks == 1
    await passing(mock_clock, 5 * TTL_S)
    assert table.checks == 1
    table.is_away = True
    table.status = DirectoryStatus("It is away.")
    await passing(mock_clock, TTL_S)
    assert table.checks > 5
    assert chat.parts.access.directory.why_unavailable() == "It is away."
    table.is_away = False
    await passing(mock_clock, TTL_S)
    assert chat.parts.access.directory.why_unavailable() is None


async def test_rooms_that_change_while_a_client_is_greeted_are_greeted_as_they_are_then(
    chat: Chat, table: Table, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: Readings = chat.parts.messages.readings
    may_read = trio.Event()
    read = readings.readings

    async def slowly(user_id: str, rooms: Mapping[str, object]) -> object:
        found = await read(user_id, rooms)  # type: ignore[arg-type]
        await may_read.wait()
        return found

    monkeypatch.setattr(type(readings), "readings", lambda _, *asked: slowly(*asked))
    ada = chat.attach()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ada.say, '40{"token":"' + token("ada", [], ttl_s=100_000) + '"}')
        await wait_all_tasks_blocked()
        table.rooms["ada"] = {"hr": Role.VIEWER}
        await passing(mock_clock, TTL_S)
        may_read.set()
    name, status = ada.take_events()[0]
    assert name == "connection:status"
    rooms = status["rooms"]
    assert [(room["connectionId"], room["role"]) for room in rooms] == [("hr", "viewer")]


async def told_of_room_taken_meanwhile(
    chat: Chat, table: Table, clock: MockClock, packet: str
) -> list[str]:
    """What a client is told that sends an event for the room sales, in which it is not yet, and
    which is taken away while the join is on its way into the log."""
    ada = chat.attach()
    await ada.say(f'40{{"token":"{token("ada", [], ttl_s=100_000)}","connectionId":"crm"}}')
    ada.take()
    chat.log.held = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ada.say, packet)
        await wait_all_tasks_blocked()
        del table.rooms["ada"]["sales"]
        await passing(clock, TTL_S)
        chat.log.held.set()
    await wait_all_tasks_blocked()
    return ada.take()


async def test_a_room_that_is_taken_away_while_it_is_joined_is_not_joined(
    chat: Chat, table: Table, mock_clock: MockClock
) -> None:
    join = '420["connection:join",{"connectionId":"sales"}]'
    told = await told_of_room_taken_meanwhile(chat, table, mock_clock, join)
    assert any(text.startswith("430") and "forbidden_room" in text for text in told), told
    assert not any("chat:history" in text for text in told)
    assert "sales" not in chat.parts.messages.machine.members.rooms_of("ada")


async def test_an_event_that_joins_such_a_room_first_is_refused(
    chat: Chat, table: Table, mock_clock: MockClock
) -> None:
    typing = '420["chat:typing:start",{"connectionId":"sales"}]'
    told = await told_of_room_taken_meanwhile(chat, table, mock_clock, typing)
    assert any(text.startswith("430") and "forbidden_room" in text for text in told), told
