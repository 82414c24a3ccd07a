"""Answers in the log: what a start has to close, what became of a question, what is removed."""

from functools import partial

import pytest

from chatd.chat.commits import Committed
from chatd.chat.records import AnswerClosed, AnswerOpened, MessageRead, OpenAnswer, Record
from chatd.store.connections import Durability, connect_to_write
from chatd.store.log import Log
from chatd.store.message_reader import StoredAnswer
from chatd.store.opening import Store, open_store
from chatd.store.retention import Surplus, remove
from chatd.store.writer import LogWriter
from tests.chat.commands import message_id
from tests.store.logs import NOW_MS, ROOM, stored

QUESTION, ANSWER = message_id(1), message_id(2)
TABLE = b'{"rows":[[1]]}'


def opened(number: int = 1, **changes: object) -> AnswerOpened:
    fields: dict[str, object] = {
        "question_id": message_id(number),
        "answer_id": message_id(number + 1),
        "connection_id": ROOM,
        "user_id": "ada",
        "thread_id": None,
        "opened_ms": NOW_MS + number,
    }
    return AnswerOpened(OpenAnswer(**(fields | changes)))  # type: ignore[arg-type]


async def test_a_start_knows_the_answers_that_are_open_the_oldest_first(
    store: Store, writer: LogWriter
) -> None:
    in_thread = opened(5, thread_id=message_id(7), opened_ms=NOW_MS - 1)
    assert await writer.commit([stored(1, message_id=QUESTION), opened()]) == Committed(2)
    await writer.commit([stored(2, message_id=message_id(5)), in_thread])
    assert store.reread().open_answers == (in_thread.answer, opened().answer)


async def test_answers_of_one_millisecond_are_in_the_order_in_which_they_were_asked(
    store: Store, writer: LogWriter
) -> None:
    numbers = [30, 10, 50, 20, 40]
    records: list[Record] = []
    for seq, number in enumerate(numbers, 1):
        asked = opened(number, opened_ms=NOW_MS)
        records += [stored(seq, message_id=message_id(number)), asked]
    await writer.commit(records)
    found = [one.question_id for one in store.reread().open_answers]
    assert found == [message_id(number) for number in numbers]


async def test_an_answer_is_closed_with_the_message_that_ends_it(
    store: Store, writer: LogWriter
) -> None:
    await writer.commit([stored(1, message_id=QUESTION), opened()])
    assert await store.readers.answer_to(QUESTION) == StoredAnswer(ANSWER, ROOM, "ada", None)
    await writer.commit(
        [
            stored(2, message_id=ANSWER, user_id=f"db:{ROOM}", reply_to=QUESTION, answer=TABLE),
            AnswerClosed(ROOM, QUESTION, ANSWER, "done"),
        ]
    )
    assert store.reread().open_answers == ()
    assert await store.readers.answer_to(QUESTION) == StoredAnswer(ANSWER, ROOM, "ada", "done")
    found = await store.readers.message(ANSWER)
    assert found is not None
    assert (found.reply_to, found.answer) == (QUESTION, TABLE)


def to_read(number: int = 1) -> AnswerOpened:
    return opened(number, is_to_read=True)


def read(number: int = 1, *, is_question: bool) -> MessageRead:
    return MessageRead(ROOM, message_id(number), message_id(number + 1), is_question)


async def test_what_is_to_be_read_is_open_and_said_to_be_so(
    store: Store, writer: LogWriter
) -> None:
    await writer.commit([stored(1, message_id=QUESTION), to_read()])
    assert store.reread().open_answers == (to_read().answer,)
    assert await store.readers.answer_to(QUESTION) == StoredAnswer(ANSWER, ROOM, "ada", None)


@pytest.mark.parametrize("together", [True, False])
async def test_a_question_stays_open_once_it_is_read_and_talk_leaves_nothing(
    store: Store, writer: LogWriter, together: bool
) -> None:
    first = [stored(1, message_id=QUESTION), to_read(1)]
    second = [stored(2, message_id=message_id(5)), to_read(5)]
    outcome = [read(1, is_question=True), read(5, is_question=False)]
    for records in [first + second + outcome] if together else [first, second, outcome]:
        await writer.commit(records)
    assert store.reread().open_answers == (opened().answer,)
    assert store.reread().position == 6
    assert await store.readers.answer_to(message_id(5)) is None
    again = [read(5, is_question=False), read(1, is_question=False)]  # too late: it is a question
    assert await writer.commit(again) == Committed(8)
    assert store.reread().open_answers == (opened().answer,)


async def test_a_message_that_could_not_be_read_is_closed_like_a_question(
    store: Store, writer: LogWriter
) -> None:
    await writer.commit([stored(1, message_id=QUESTION), to_read()])
    await writer.commit(
        [
            stored(2, message_id=ANSWER, user_id=f"db:{ROOM}", reply_to=QUESTION, answer=TABLE),
            AnswerClosed(ROOM, QUESTION, ANSWER, "error"),
        ]
    )
    await writer.commit([read(is_question=False)])
    assert await store.readers.answer_to(QUESTION) == StoredAnswer(ANSWER, ROOM, "ada", "error")


async def test_a_message_that_asked_nothing_has_no_answer(store: Store, writer: LogWriter) -> None:
    await writer.commit([stored(1, message_id=QUESTION)])
    assert await store.readers.answer_to(QUESTION) is None
    with pytest.raises(ValueError, match="UUID"):
        await store.readers.answer_to("f" * 32)


async def test_retention_removes_what_is_known_of_a_question_with_it(
    store: Store, writer: LogWriter
) -> None:
    await writer.commit([stored(1, message_id=QUESTION), opened(), stored(2)])
    await writer.maintain(partial(remove, surplus=[Surplus(ROOM, 2)]))
    assert await store.readers.answer_to(QUESTION) is None
    assert store.reread().open_answers == ()


def test_open_answers_are_there_after_a_start(store: Store) -> None:
    log = Log(lambda: connect_to_write(store.path, Durability.FSYNC))
    log.commit([[stored(1, message_id=QUESTION), opened()]])
    log.close()
    store.close()
    again = open_store(store.path.parent, "fsync")
    assert again.recovered.open_answers == (opened().answer,)
    again.close()
