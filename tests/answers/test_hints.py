"""What is read for a question ends in an answer or in a hint to its sender, whatever happens."""

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from chatd.answers import life
from chatd.answers import service as answers_service
from chatd.answers.cancels import CancelOutcome
from chatd.answers.sql.reading import Response
from chatd.answers.sql.talk import Talk
from chatd.chat.messages import AnswerRequest
from chatd.observe import InternalError
from chatd.wire.codes import HINTS, HintCode, Refusal
from tests.answers.services import ROOM, Service, open_service
from tests.answers.sql.readers import ENDLESS
from tests.answers.test_responder import Model, crash, crash_undecided, hang, hang_undecided
from tests.answers.test_service import cancelled, left_over
from tests.chat.commands import message_id
from tests.rows import rows

PLAIN = "Select the best one, please."
NOWHERE = "a room without a database"


def hints_of(service: Service, question: str) -> list[tuple[HintCode, str | None]]:
    """What was told of a message that was no question; to its sender, and to nobody else."""
    assert question not in service.watcher.shown
    told = [hint for hint in service.watcher.hinted if hint[1] == question]
    assert {user for user, *_ in told} <= {"ann"}
    return [(code, sentence) for _, _, code, sentence in told]


async def again(service: Service, question: str) -> None:
    """The same message is sent again."""
    service.answers.repeat(service.shelf.messages[question], AnswerRequest(message_id(999)))
    await service.settled()


@rows(
    ("content", "room", "code"),
    [
        (PLAIN, ROOM, HintCode.TALK),
        ("drop table reservations", ROOM, HintCode.NEAR_SQL),
        ("/tabels", ROOM, HintCode.UNKNOWN_COMMAND),
        ("/tables", NOWHERE, HintCode.NO_DATABASE),
    ],
)
def test_a_message_that_is_no_question_ends_in_one_hint(
    content: str, room: str, code: HintCode
) -> None:
    async def script() -> None:
        async with open_service() as service:
            question = await service.ask(content, room=room)
            [(told, sentence)] = hints_of(service, question)
            assert told is code
            assert (sentence is None) is (code is HintCode.TALK)
            assert service.shelf.read == {question: False}
            assert (service.shelf.stored, service.answers.count) == ({}, 0)

    trio.run(script, clock=trio.testing.MockClock())


async def test_a_question_gets_no_hint(mock_clock: trio.testing.MockClock) -> None:
    async with open_service() as service:
        for content in ("SELECT 1", "SELECT * FORM orders", ENDLESS, "/help"):
            await service.ask(content)
        assert service.watcher.hinted == []
        assert len(service.watcher.shown) == 4


async def test_a_room_without_a_database_reads_only_what_nobody_takes_for_talk(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        answers = service.answers
        for content in ("/tables", "select * from orders", "```sql\nSELECT 1\n```"):
            assert answers.may_be_one(NOWHERE, content)
        for content in ("/shrug", "select one from the list", "With best regards", "hello"):
            assert not answers.may_be_one(NOWHERE, content)
        assert answers.may_be_one(ROOM, "With best regards")


async def test_what_cannot_be_read_or_decided_ends_in_an_answer(
    mock_clock: trio.testing.MockClock,
) -> None:
    responders: list[Callable[..., Awaitable[Response]]] = [crash, crash_undecided, hang]
    for work in (*responders, hang_undecided):
        async with open_service(responder=Model(work), decide_s=7.0) as service:
            question = await service.ask(PLAIN)
            mock_clock.jump(30)
            await service.settled()
            shown = [what for what, _ in service.watcher.shown[question]]
            assert (shown.count("start"), shown.count("end")) == (1, 1), work
            assert service.watcher.hinted == []


async def test_a_fault_of_the_service_is_an_answer_that_begins_before_it_ends(
    mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "piece_of", None)
    async with open_service() as service:
        question = await service.ask("SELECT 1")
        assert [what for what, _ in service.watcher.shown[question]] == ["start", "end"]
        assert service.end(question)["error"]["code"] == "internal"
        assert len(service.recorder.of(InternalError)) == 1


async def test_a_cancel_of_what_turns_out_to_be_talk_leaves_the_hint(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.reader.hold()
        question = await service.ask(PLAIN)
        outcomes: list[CancelOutcome | Refusal] = []

        async def cancel() -> None:
            outcomes.append(await cancelled(service, question))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel)
            await service.settled()
            service.reader.release()
        assert isinstance(outcomes[0], Refusal)
        assert hints_of(service, question) == [(HintCode.TALK, None)]


async def test_a_message_that_is_sent_again_gets_its_hint_again(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        near = await service.ask("drop table reservations")
        talk = await service.ask(PLAIN)
        for question in (near, talk):
            await again(service, question)
            first, second = hints_of(service, question)
            assert first == second
        assert len(service.reader.pieces) == 2


async def test_a_message_that_is_sent_again_while_it_is_read_gets_one_hint(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.reader.hold()
        question = await service.ask(PLAIN)
        await again(service, question)
        service.reader.release()
        await service.settled()
        assert hints_of(service, question) == [(HintCode.TALK, None)]


async def test_a_question_that_is_sent_again_gets_no_hint_whether_it_goes_on_or_has_ended(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        question = await service.ask("SELECT 1")
        await again(service, question)
        service.database.calls[0].end()
        await service.settled()
        assert service.end(question)["state"] == "done"
        await again(service, question)
        assert service.watcher.hinted == []


async def test_what_nobody_remembers_is_told_as_talk(mock_clock: trio.testing.MockClock) -> None:
    async with open_service() as service:
        question = await service.ask("drop table reservations")
        service.answers._hinted.clear()  # as after a restart
        await again(service, question)
        [_, told] = hints_of(service, question)
        assert told == (HintCode.TALK, HINTS[HintCode.TALK])


async def test_hints_are_remembered_up_to_a_bound(
    mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_service, "HINTED_MAX", 2)
    async with open_service() as service:
        for _ in range(4):
            await service.ask(PLAIN)
        assert list(service.answers._hinted) == [message_id(3), message_id(4)]


async def test_talk_that_a_crash_left_is_told_to_its_sender(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.answers.adopt(
            [
                left_over(service, 500, PLAIN),
                left_over(service, 510, "drop table reservations"),
                left_over(service, 520, "/tables", room=NOWHERE),
                left_over(service, 530, None),
            ]
        )
        await service.settled()
        assert [code for _, _, code, _ in service.watcher.hinted] == [
            HintCode.TALK,
            HintCode.NEAR_SQL,
            HintCode.NO_DATABASE,
            HintCode.TALK,
        ]
        assert service.answers.count == 0


async def test_a_hint_has_the_sentence_of_its_code_unless_more_is_known() -> None:
    assert Talk() == Talk(HintCode.TALK, None)
    assert Talk.near_sql() == Talk(HintCode.NEAR_SQL, HINTS[HintCode.NEAR_SQL])
    assert Talk.near_sql("Closer.").sentence == "Closer."
