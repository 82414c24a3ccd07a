"""A responder that takes its time is a phase of the answer: it has one end, whatever happens."""

from collections.abc import Awaitable, Callable

import trio
import trio.testing

from chatd.answers.cancels import CancelOutcome
from chatd.answers.requests import RunStatement
from chatd.answers.sql.reading import Piece, Response, Talk
from chatd.answers.sql.verdicts import Rejected
from chatd.chat.records import OpenAnswer
from chatd.observe import InternalError
from chatd.wire.codes import Code, Refusal
from tests.answers.services import ROOM, Service, open_service
from tests.answers.test_service import cancelled, left_over
from tests.chat.commands import message_id


class Model:
    """Stands for a language model: the test says what it does with a message."""

    def __init__(self, work: Callable[[Callable[[], None]], Awaitable[Response]]) -> None:
        self.count = 0
        self.given_up = 0
        self._work = work

    async def respond(self, user_id: str, piece: Piece, accept: Callable[[], None]) -> Response:
        self.count += 1
        try:
            return await self._work(accept)
        except trio.Cancelled:
            self.given_up += 1
            raise


async def hang(accept: Callable[[], None]) -> Response:
    accept()
    await trio.sleep_forever()
    raise AssertionError


async def hang_undecided(accept: Callable[[], None]) -> Response:
    await trio.sleep_forever()
    raise AssertionError


async def crash(accept: Callable[[], None]) -> Response:
    accept()
    await trio.sleep(2)
    raise RuntimeError("for the test")


async def crash_undecided(accept: Callable[[], None]) -> Response:
    raise RuntimeError("for the test")


async def refuse(accept: Callable[[], None]) -> Response:
    accept()
    await trio.sleep(2)
    return Rejected(Code.DB_STATEMENT_REJECTED, "That cannot be asked.")


async def find(accept: Callable[[], None]) -> Response:
    accept()
    await trio.sleep(2)
    return RunStatement("SELECT 42")


async def chat(accept: Callable[[], None]) -> Response:
    accept()
    return Talk()


def ended_once(service: Service, question: str) -> tuple[str, str | None]:
    """The state and the code of the one end that the room has seen and the log holds."""
    shown = [what for what, _ in service.watcher.shown[question]]
    assert shown[0] == "start"
    assert (shown.count("start"), shown.count("end")) == (1, 1)
    assert service.shelf.read == {question: True}
    assert service.answers.count == 0
    end = service.end(question)
    return end["state"], end["error"]["code"] if "error" in end else None


async def test_an_accepted_question_is_shown_before_its_statement_is_known(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service(responder=Model(find)) as service:
        question = await service.ask("how many people are there?")
        assert [what for what, _ in service.watcher.shown[question]] == ["start"]
        mock_clock.jump(2)
        await service.settled()
        [call] = service.database.calls
        assert call.request == RunStatement("SELECT 42")
        call.rows(1)
        call.end()
        await service.settled()
        assert ended_once(service, question) == ("done", None)


async def test_a_cancel_reaches_a_responder_that_hangs(mock_clock: trio.testing.MockClock) -> None:
    model = Model(hang)
    async with open_service(responder=model) as service:
        question = await service.ask("how many people are there?")
        assert await cancelled(service, question) == CancelOutcome("cancelled")
        assert ended_once(service, question) == ("cancelled", "db_cancelled")
        assert (model.given_up, service.database.calls) == (1, [])


async def test_the_deadline_reaches_a_responder_that_hangs(
    mock_clock: trio.testing.MockClock,
) -> None:
    model = Model(hang)
    async with open_service(responder=model) as service:
        question = await service.ask("how many people are there?")
        mock_clock.jump(29)
        await service.settled()
        assert question not in service.shelf.stored
        mock_clock.jump(1)
        await service.settled()
        assert ended_once(service, question) == ("timeout", "db_timeout")
        assert (model.given_up, service.database.calls) == (1, [])


async def test_a_drain_reaches_a_responder_that_hangs(mock_clock: trio.testing.MockClock) -> None:
    async with open_service(responder=Model(hang)) as service:
        question = await service.ask("how many people are there?")
        await service.answers.drain()
        assert ended_once(service, question) == ("interrupted", "db_interrupted")


async def test_a_responder_that_never_decides_is_given_up(
    mock_clock: trio.testing.MockClock,
) -> None:
    model = Model(hang_undecided)
    async with open_service(responder=model, decide_s=7.0) as service:
        question = await service.ask("how many people are there?")
        mock_clock.jump(6)
        await service.settled()
        assert question not in service.watcher.shown
        mock_clock.jump(1)
        await service.settled()
        assert ended_once(service, question) == ("error", "db_unavailable")
        assert model.given_up == 1


async def test_a_message_that_is_left_by_a_drain_is_shown_to_nobody_when_it_is_accepted_late(
    mock_clock: trio.testing.MockClock,
) -> None:
    decide = trio.Event()

    async def decide_late(accept: Callable[[], None]) -> Response:
        await decide.wait()
        return await hang(accept)

    model = Model(decide_late)
    async with open_service(responder=model) as service:
        question = await service.ask("how many people are there?")
        await service.answers.drain()
        decide.set()
        await service.settled()
        assert model.given_up == 1
        assert (service.watcher.shown, service.shelf.stored, service.shelf.read) == ({}, {}, {})
        assert await cancelled(service, question) == Refusal(Code.NOT_FOUND, path="messageId")


async def test_a_responder_that_crashes_ends_the_answer_and_no_other(
    mock_clock: trio.testing.MockClock,
) -> None:
    for work in (crash, crash_undecided, chat):
        async with open_service(responder=Model(work)) as service:
            question = await service.ask("how many people are there?")
            mock_clock.jump(2)
            await service.settled()
            assert ended_once(service, question) == ("error", "internal")
            assert len(service.recorder.of(InternalError)) == (0 if work is chat else 1)
            assert service.database.calls == []


async def test_a_responder_that_refuses_says_why(mock_clock: trio.testing.MockClock) -> None:
    async with open_service(responder=Model(refuse)) as service:
        question = await service.ask("how many people are there?")
        mock_clock.jump(2)
        await service.settled()
        assert ended_once(service, question) == ("error", "db_statement_rejected")
        assert service.end(question)["error"]["message"] == "That cannot be asked."


async def test_what_a_crash_left_is_a_question_once_it_is_accepted(
    mock_clock: trio.testing.MockClock,
) -> None:
    model = Model(hang)
    async with open_service(responder=model) as service:
        asked = [left_over(service, 500 + 2 * n, "how many people are there?") for n in range(2)]
        service.answers.adopt([*asked, OpenAnswer(message_id(90), message_id(91), ROOM, "a", 1, 5)])
        await service.settled()
        assert {end["state"] for _, end in service.shelf.stored.values()} == {"interrupted"}
        assert len(service.shelf.stored) == 3
        assert (model.count, model.given_up) == (2, 2)
