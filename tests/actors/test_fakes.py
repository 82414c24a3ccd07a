"""The log in memory and the log on disk keep the same contract."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from chatd.actors.machine_ledger import RecordLog
from chatd.chat.commits import Committed, Conflict, RecordRefused
from chatd.chat.queue import PRESENT
from chatd.chat.records import MemberKept, MessageStored
from chatd.store import open_store
from tests.actors.fakes import MemoryLog
from tests.chat.commands import send, stored

ONE, TWO, THREE = (MessageStored(stored(send(number), number)) for number in (1, 2, 3))


@pytest.fixture(params=["memory", "disk"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RecordLog]:
    if request.param == "memory":
        yield MemoryLog()
        return
    store = open_store(tmp_path / "state", "write")
    writer = store.start_writer(trio.lowlevel.current_trio_token())
    yield writer
    assert await writer.close(30)
    store.close()


async def test_records_that_fit_are_committed(log: RecordLog) -> None:
    member = MemberKept("demo", "ann", PRESENT, 0)
    assert isinstance(await log.commit([ONE, member, TWO]), Committed)
    assert isinstance(await log.commit([THREE]), Committed)


async def test_a_known_id_conflicts_and_nothing_of_the_request_is_written(log: RecordLog) -> None:
    await log.commit([ONE])
    again = MessageStored(stored(send(1, "else"), 2))
    third = MessageStored(stored(send(3), 3))
    known = Conflict({ONE.message.message_id: ONE.message})
    assert await log.commit([again, third]) == known
    assert isinstance(await log.commit([TWO, THREE]), Committed)


async def test_every_known_id_is_named(log: RecordLog) -> None:
    await log.commit([ONE, TWO])
    outcome = await log.commit([THREE, TWO, ONE])
    assert isinstance(outcome, Conflict)
    assert set(outcome.existing) == {ONE.message.message_id, TWO.message.message_id}


async def test_a_gap_is_refused_and_nothing_of_the_request_is_written(log: RecordLog) -> None:
    with pytest.raises(RecordRefused):
        await log.commit([ONE, THREE])
    assert isinstance(await log.commit([ONE]), Committed)
