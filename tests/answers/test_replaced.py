"""A database takes the place of another one while questions are read, wait, and are answered."""

from collections.abc import Callable

import attrs
import trio
import trio.testing

from chatd.answers.life import REPLACED
from chatd.answers.reruns import Rerun, Reruns
from chatd.answers.sql.reading import Piece, Response
from chatd.answers.terms import RoomDatabase
from chatd.wire.codes import Code, Refusal
from tests.answers.services import (
    OTHER_ROOM,
    ROOM,
    HeldDatabase,
    ReaderHere,
    Service,
    open_service,
)
from tests.answers.test_reruns import BOUNDS, prepared


@attrs.define
class HeldReader:
    """Reads when it is let."""

    _reader: ReaderHere = attrs.field(factory=ReaderHere)
    let: trio.Event = attrs.field(factory=trio.Event)

    async def respond(self, user_id: str, piece: Piece, accept: Callable[[], None]) -> Response:
        await self.let.wait()
        return await self._reader.respond(user_id, piece, accept)


class NoSink:
    """Takes nothing."""

    def columns(self, columns: object) -> None:
        raise AssertionError(columns)

    def rows(self, rows: object) -> None:
        raise AssertionError(rows)


def replace(service: Service, database: HeldDatabase | None) -> None:
    life = service.answers._life
    others = {OTHER_ROOM: life.databases[OTHER_ROOM]}
    fresh = {} if database is None else {ROOM: RoomDatabase(database, "sqlite")}
    life.replace_databases(others | fresh)


async def test_what_is_asked_already_is_answered_by_the_old_one(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        asked = await service.ask()
        new = HeldDatabase()
        replace(service, new)
        [call] = service.database.calls
        call.rows(1)
        call.end()
        await service.settled()
        assert service.end(asked)["state"] == "done"
        again = await service.ask()  # the same statement: the old answer is not the new one's
        assert (len(service.database.calls), len(new.calls)) == (1, 1)
        new.calls[0].rows(1, 2)
        new.calls[0].end()
        await service.settled()
        assert service.end(again)["rowCount"] == 2


async def test_an_answer_of_the_old_one_that_comes_later_is_not_kept(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        await service.ask()
        new = HeldDatabase()
        replace(service, new)
        await service.ask()
        assert len(new.calls) == 1  # and has not joined what the old one is at
        service.database.calls[0].rows(1)
        service.database.calls[0].end()
        new.calls[0].rows(1, 2)
        new.calls[0].end()
        await service.settled()
        third = await service.ask()
        assert service.end(third)["rowCount"] == 2  # the cache has it from the new one


async def test_a_statement_that_was_read_for_the_old_one_is_never_run_by_the_new_one(
    mock_clock: trio.testing.MockClock,
) -> None:
    """What may run depends on the dialect, and on whether the database may be written."""
    reader = HeldReader()
    async with open_service(responder=reader) as service:
        asked = await service.ask()
        new = HeldDatabase()
        replace(service, new)
        reader.let.set()
        await service.settled()
        error = service.end(asked)["error"]
        assert (error["code"], error["message"]) == ("db_unavailable", REPLACED)
        assert service.database.calls == new.calls == []


async def test_a_download_never_runs_what_was_read_for_another_database(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        rerun = await prepared(service, "SELECT 1")
        assert isinstance(rerun, Rerun)
        new = HeldDatabase()
        replace(service, new)
        reruns = Reruns(service.answers._life, BOUNDS, lambda: 0)
        refused = await reruns.run("bob", rerun, NoSink())
        assert refused == Refusal(Code.DB_UNAVAILABLE, REPLACED)
        assert service.database.calls == new.calls == []


async def test_who_waits_for_a_place_when_the_database_goes_is_told(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        asked = [await service.ask(f"SELECT {n}", user_id=f"u{n}") for n in range(4)]
        assert len(service.database.calls) == 3  # the last one waits
        replace(service, None)
        for call in service.database.calls:
            call.end()
            await service.settled()
        states = [service.end(one)["state"] for one in asked]
        assert states == ["done", "done", "done", "error"]
        assert service.end(asked[3])["error"]["message"] == REPLACED
        await service.ask()
        assert len(service.database.calls) == 3
