"""A user whose statement the database does not stop gets no other place there until it has
ended."""

import trio
import trio.testing

from chatd.answers.requests import Stopped, WatchingSink
from chatd.answers.slots import DATABASE, STILL_RUNS, USER, AnswerSlots
from chatd.answers.slots import ROOM as ROOM_SLOT
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


async def test_who_waits_for_a_place_when_the_statement_turns_out_to_run_on_gets_none(
    mock_clock: trio.testing.MockClock,
) -> None:
    slots = AnswerSlots(2, 4, lambda _room: 2, 5.0)
    places = [(USER, "ann"), (ROOM_SLOT, ROOM), (DATABASE, ROOM)]
    assert await slots.acquire_in_time("ann", places)
    got: list[bool] = []

    async def wait() -> None:
        got.append(await slots.acquire_in_time("ann", places))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        slots.hold_back("ann", ROOM, ended := trio.Event())
        slots.release("ann", places)
    assert got == [False]
    assert slots.why_busy("ann", places) == STILL_RUNS
    ended.set()
    assert await slots.acquire_in_time("ann", places)


async def test_a_question_that_waits_is_held_back_too(mock_clock: trio.testing.MockClock) -> None:
    async with open_service(per_user=1) as service:
        first = await service.ask("SELECT 1")
        (call,) = service.database.calls
        second = await service.ask("SELECT 2")
        assert isinstance(call.sink, WatchingSink)
        call.sink.runs_on(trio.Event())
        call.end()
        await service.settled()
        assert service.end(first)["state"] == "done"
        error = service.end(second)["error"]
        assert (error["code"], error["message"]) == ("db_busy", STILL_RUNS)
