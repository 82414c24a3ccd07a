"""Which commands the log waits for others with, on their way to the messages actor."""

from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from chatd.actors.mailbox import Mailbox
from chatd.chat.messages import AnswerRequest, Command, NoteRead, Reply, SendMessage
from chatd.chat.records import OpenAnswer
from chatd.service.commands import Commands
from tests.chat.commands import message_id, send

ANSWER = OpenAnswer(message_id(1), message_id(2), "demo", "ann", None, 0)


@pytest.fixture
def mailbox() -> Mailbox[Command]:
    return Mailbox(capacity=9)


async def test_a_message_that_may_be_a_question_is_urgent(
    mailbox: Mailbox[Command],
) -> None:
    commands = Commands(mailbox)
    commands.submit(send(1))
    assert not mailbox.is_urgent
    commands.submit(send(2, "SELECT 1", asks=AnswerRequest(message_id(3))))
    assert mailbox.is_urgent


async def test_the_end_of_an_answer_is_urgent(
    mailbox: Mailbox[Command], nursery: trio.Nursery
) -> None:
    conclude = Commands(mailbox).conclude
    reply = Reply(ANSWER.question_id, "done", b"{}")
    nursery.start_soon(partial(conclude, ANSWER, "1 row", reply, lambda: None))
    await wait_all_tasks_blocked()
    assert mailbox.is_urgent
    [command] = await mailbox.receive(9)
    assert isinstance(command, SendMessage)
    assert command.reply is reply
    command.origin.settle()


async def test_that_a_message_was_read_causes_no_commit_of_its_own(
    mailbox: Mailbox[Command],
) -> None:
    commands = Commands(mailbox)
    commands.note_read(ANSWER, is_question=True)
    assert not mailbox.has_due
    commands.submit(send(1))
    [noted, _] = await mailbox.receive(9)
    assert noted == NoteRead(ANSWER, is_question=True)
