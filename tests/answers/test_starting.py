"""While the server of a database is being started, questions wait for it and are told so."""

import os
from pathlib import Path

import pytest
import trio
import trio.testing

from chatd.answers.cancels import CancelOutcome
from chatd.answers.life import STILL_STARTING
from tests.answers.mcp.pools import LIMIT_S, fake, running
from tests.answers.services import ROOM, Service, open_service

MINE = {ROOM: None}
NUMBERS = range(5)


async def ask_all(service: Service) -> list[str]:
    """Five users ask, each something else: more than a room answers at once."""
    return [
        await service.ask(f"SELECT 'rows' AS n{number}", user_id=f"u{number}") for number in NUMBERS
    ]


def phases(service: Service, question: str) -> list[str]:
    told: list[str] = service.told(question, "status")
    return told


async def test_a_start_is_waited_for_and_said(mock_clock: trio.testing.MockClock) -> None:
    async with open_service() as service:
        service.database.begin_start()
        asked = await ask_all(service)
        mock_clock.jump(20.0)
        await service.settled()
        assert service.shelf.stored == {}
        assert [phases(service, question) for question in asked] == [["starting"]] * len(asked)
        cancelled = await service.answers.cancel(asked[1], "u1", MINE)
        assert cancelled == CancelOutcome("cancelled", is_confirmed=True)
        service.database.end_start()
        await service.settled()
        for call in service.database.calls:  # three at once; the others follow
            call.rows(1)
            call.end()
            await service.settled()
        others = [asked[number] for number in NUMBERS if number != 1]
        assert [service.end(question)["state"] for question in others] == ["done"] * 4
        assert phases(service, asked[0]) == ["starting", "running", "fetching"]
        assert phases(service, asked[4]) == ["starting", "queued", "running", "fetching"]


async def test_the_wait_for_a_place_counts_from_when_the_database_is_there(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.database.begin_start()
        asked = await ask_all(service)
        mock_clock.jump(20.0)
        service.database.end_start()
        await service.settled()
        mock_clock.jump(4.9)
        await service.settled()
        assert service.shelf.stored == {}
        mock_clock.jump(0.2)
        await service.settled()
        assert service.end(asked[4])["error"]["code"] == "db_busy"


async def test_a_start_that_outlasts_the_answer_is_the_reason_that_is_told(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.database.begin_start()
        asked = await ask_all(service)
        mock_clock.jump(30.0)
        await service.settled()
        for question in asked:
            end = service.end(question)
            assert (end["state"], end["error"]["code"]) == ("timeout", "db_timeout")
            assert end["error"]["message"] == STILL_STARTING


async def test_a_start_anew_is_waited_for_by_who_waits_for_a_place(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        asked = await ask_all(service)
        mock_clock.jump(4.0)
        service.database.begin_start()
        mock_clock.jump(2.0)
        await service.settled()
        assert asked[4] not in service.shelf.stored
        service.database.end_start()
        for call in service.database.calls[:2]:
            call.end()
        await service.settled()
        assert phases(service, asked[4]) == ["queued", "running"]


async def open_gate(file: Path) -> None:
    """Let a peer whose start is `gated` go on; returns when it has come so far."""
    gate = await trio.to_thread.run_sync(os.open, f"{file}.gate", os.O_WRONLY)
    os.close(gate)


@pytest.fixture
def gated(tmp_path: Path) -> Path:
    file = tmp_path / "told"
    os.mkfifo(f"{file}.gate")
    return file


async def test_five_askers_wait_for_a_real_start_and_one_of_them_cancels(gated: Path) -> None:
    configured = fake("gated", gated, connections=2)
    async with (
        running(configured) as peer,
        open_service(peer.database, wait_s=LIMIT_S) as service,
    ):
        assert peer.database.is_starting
        with trio.fail_after(LIMIT_S):
            asked = await ask_all(service)
            assert [phases(service, question) for question in asked] == [["starting"]] * len(asked)
            await service.answers.cancel(asked[2], "u2", MINE)
            await open_gate(gated)
            await peer.database.started()
            ends = [await service.ended(question) for question in asked]
        assert [end["state"] for end in ends] == ["done", "done", "cancelled", "done", "done"]


async def test_a_start_that_fails_ends_every_wait_with_the_reason(gated: Path) -> None:
    async with (
        running(fake("gated and dead", gated)) as peer,
        open_service(peer.database) as service,
    ):
        with trio.fail_after(LIMIT_S):
            asked = await ask_all(service)
            await open_gate(gated)
            ends = [await service.ended(question) for question in asked]
        assert {end["error"]["code"] for end in ends} == {"db_unavailable"}
        assert not peer.database.is_starting
