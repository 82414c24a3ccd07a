"""A user whose statement the database does not stop gets no other place there until it has
ended."""

import trio
import trio.testing

from chatd.answers.requests import Stopped, WatchingSink
from chatd.answers.slots import STILL_RUNS
from chatd.auth import Grant
from tests.answers.services import OTHER_ROOM, ROOM, Service, open_service

MINE = {ROOM: Grant(ROOM, None)}


async def run_on(service: Service) -> trio.Event:
    """Ann asks and cancels, and her statement runs on until the event."""
    asked = await service.ask("SELECT 1")
    (call,) = service.database.calls
    call.stops = False
    await service.answers.cancel(asked, "ann", MINE)
    if call.outcome is None:
        call.end(Stopped(is_confirmed=False))
    await service.settled()
    ended = trio.Event()
    assert isinstance(call.sink, WatchingSink)
    call.sink.runs_on(ended)
    return ended


async def test_a_user_whose_statement_runs_on_is_busy_and_nobody_else(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        ended = await run_on(service)
        refused = await service.ask("SELECT 2")
        error = service.end(refused)["error"]
        assert (error["code"], error["message"]) == ("db_busy", STILL_RUNS)
        assert len(service.database.calls) == 1
        await service.ask("SELECT 2", user_id="bob")
        assert len(service.database.calls) == 2
        await service.ask("SELECT 2", room=OTHER_ROOM)
        assert len(service.other.calls) == 1
        ended.set()
        await service.ask("SELECT 3")
        assert len(service.database.calls) == 3


async def test_who_only_joined_is_not_held_back(mock_clock: trio.testing.MockClock) -> None:
    async with open_service() as service:
        await service.ask("SELECT 1")
        await service.ask("SELECT 1", user_id="bob")
        (call,) = service.database.calls
        assert isinstance(call.sink, WatchingSink)
        call.sink.runs_on(trio.Event())
        await service.ask("SELECT 2", user_id="bob")
        assert len(service.database.calls) == 2
