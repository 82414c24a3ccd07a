"""Answers in the log: what a start has to close, what became of a question, what is removed."""

from functools import partial

import pytest

from chatd.chat.records import AnswerClosed, AnswerOpened, OpenAnswer
from chatd.store.connections import Durability, connect_to_write
from chatd.store.log import Committed, Log
from chatd.store.opening import Store, open_store
from chatd.store.readers import Answering
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


async def test_an_answer_is_closed_with_the_message_that_ends_it(
    store: Store, writer: LogWriter
) -> None:
    await writer.commit([stored(1, message_id=QUESTION), opened()])
    assert await store.readers.answer_to(QUESTION) == Answering(ANSWER, ROOM, "ada", None)
    await writer.commit(
        [
            stored(2, message_id=ANSWER, user_id=f"db:{ROOM}", reply_to=QUESTION, answer=TABLE),
            AnswerClosed(ROOM, QUESTION, ANSWER, "done"),
        ]
    )
    assert store.reread().open_answers == ()
    assert await store.readers.answer_to(QUESTION) == Answering(ANSWER, ROOM, "ada", "done")
    found = await store.readers.message(ANSWER)
    assert found is not None
    assert (found.reply_to, found.answer) == (QUESTION, TABLE)


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
