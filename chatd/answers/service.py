"""The open answers of all rooms: how they come, are cancelled, drained and taken up again.

A message that may be a question is stored first and read afterwards: the log notes that it is to be
read. A question has an answer, which belongs to its room: a task of this service, which goes on
when the client disconnects (`life`). Until the message that ends it is in the log, the answer is
open, both in the log and here, so that a start closes what a crash has interrupted.
"""

from collections import OrderedDict
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress

import trio

from chatd.actors.pulse import Pulse
from chatd.answers.active import ActiveAnswer
from chatd.answers.answer import ENDS, AnswerState
from chatd.answers.cancels import CancelOutcome, CancelsElsewhere
from chatd.answers.life import AnswerLife, AnswerLog
from chatd.answers.other_nodes import OtherNodes
from chatd.answers.sql.first_look import is_like_question, may_be_question
from chatd.answers.sql.talk import Talk
from chatd.auth import Grant
from chatd.chat.ids import written_id
from chatd.chat.messages import AnswerRequest
from chatd.chat.records import Message, OpenAnswer
from chatd.store import StoreClosed, StoreReadFailed
from chatd.wire.codes import Code, Refusal

HINTED_MAX = 1_000  # hints remembered for messages sent again; older ones lose their sentences
REPEATED_MAX = 1_000  # messages sent again that the log is asked about; more get no hint again


class AnswerService:
    """All open answers of this node. `others` are the nodes that share its log."""

    def __init__(self, life: AnswerLife, log: AnswerLog, others: OtherNodes | None = None) -> None:
        self._life = life
        self._log = log
        self._others = others
        if others is not None:
            life.executions.tell_written = others.written
        self._elsewhere = None if others is None else CancelsElsewhere(log, others)
        self._hinted: OrderedDict[str, Talk] = OrderedDict()  # by the id of the message
        self._repeated: list[OpenAnswer] = []
        self._open: OrderedDict[str, ActiveAnswer] = OrderedDict()  # by the id of the question
        self._arrived: list[ActiveAnswer] = []
        self._arrival = trio.Event()
        self._none_open = trio.Event()
        self._is_draining = False
        self.pulse = Pulse()

    @property
    def count(self) -> int:
        """How many answers are open, including those that are to be read."""
        return len(self._open)

    def may_be_one(self, connection_id: str, content: str) -> bool:
        """Whether a message may be a question, and is to be read; cheap.

        In a room without a database, it is only if nobody would take it for talk.
        """
        if not may_be_question(content):
            return False
        return connection_id in self._life.databases or is_like_question(content)

    def foresee(
        self, connection_id: str, user_id: str, content: str, context: bytes | None
    ) -> None:
        """A message that may be a question is on its way into the log; never waits."""
        if not self._is_draining:
            self._life.foresee(connection_id, user_id, content, context)

    def begin(self, question: Message, asked: AnswerRequest) -> None:
        """A message that may be a question is in the log, and is to be read; never waits."""
        self._arrive(asked.opened_by(question), question)

    def repeat(self, question: Message, asked: AnswerRequest) -> None:
        """A message that may be a question was sent again; never waits. If it was talk, its sender
        is told so again. If not, its answer is on its way to the room, or in its history."""
        one = asked.opened_by(question)
        if one.question_id in self._open:
            return
        talk = self._hinted.get(one.question_id)
        if talk is not None:
            self._life.tell(one, talk)
        elif len(self._repeated) < REPEATED_MAX:
            self._repeated.append(one)
            self._arrival.set()

    def adopt(self, open_answers: Sequence[OpenAnswer]) -> None:
        """The log holds these as open, and nobody else owes their ends: those that are not open
        here were interrupted, by a crash or because their node is dead."""
        for one in open_answers:
            if one.question_id not in self._open:
                self._arrive(one, None)

    def _arrive(self, open_answer: OpenAnswer, message: Message | None) -> None:
        if self._is_draining and open_answer.is_to_read:
            return  # the next start reads it
        one = self._life.opened(open_answer, message)
        self._open[open_answer.question_id] = one
        self._arrived.append(one)
        self._arrival.set()

    async def cancel(
        self, question_id: str, user_id: str, rooms: Mapping[str, Grant]
    ) -> CancelOutcome | Refusal:
        """Have an answer stopped, and return when it has ended, in whichever way. An answer whose
        end cannot be stored any more has not ended: the next start ends it.

        `rooms` are those that the user may use; a viewer may stop nobody else's answer. Raises
        StoreReadFailed, StoreClosed.
        """
        one = self._open_in(question_id, rooms)
        if one is None:
            known = await self._log.answer_to(question_id, rooms)
            if known is not None and known.state is not None:
                return CancelOutcome(known.state)
            if known is None or self._elsewhere is None:
                return Refusal(Code.NOT_FOUND, path="messageId")
            room = known.connection_id
            refusal = self._why_not(user_id, known.user_id, rooms[room])
            return refusal or await self._elsewhere.cancel(question_id, room, self.end_for_others)
        refusal = self._why_not(user_id, one.of.user_id, rooms[one.of.connection_id])
        if refusal is not None:
            return refusal
        one.want_end(AnswerState.CANCELLED)
        await one.ended.wait()
        if one.is_stored:
            return CancelOutcome(one.content.state, one.is_confirmed)
        if one.is_overtaken:  # the log says how it has ended
            return await self.cancel(question_id, user_id, rooms)
        if one.talk is not None:
            return Refusal(Code.NOT_FOUND, path="messageId")
        return Refusal(Code.DRAINING, path="messageId")  # it is left to the next start

    def _why_not(self, user_id: str, asker: str, grant: Grant) -> Refusal | None:
        """Why a user may not cancel an answer of `asker` in a room."""
        if user_id == asker or (self._life.rules.anybody_cancels and grant.may_write):
            return None
        sentence = "Only the user who asked may cancel this answer."
        return Refusal(Code.FORBIDDEN, sentence, path="messageId")

    def withdraw(self, question_id: str, connection_id: str) -> None:
        """A message was deleted. If it is to be read, or is being answered, on any node, that ends
        as if its sender had cancelled it; never waits."""
        one = self._open.get(question_id)
        if one is not None:
            one.want_end(AnswerState.CANCELLED)
        elif self._others is not None and connection_id in self._life.databases:
            self._others.want_end(written_id(question_id), connection_id)

    async def end_those(
        self, *, user_id: str | None = None, connection_id: str | None = None
    ) -> None:
        """Have the answers of a user, or of a room, stopped, as if those who asked had cancelled
        them, and return when each of this node has ended; nothing that is remembered of any answer
        is kept."""
        if self._others is not None:
            self._others.end_those(user_id, connection_id)
        for one in self.end_for_erasure(user_id=user_id, connection_id=connection_id):
            await one.ended.wait()
        self._hinted.clear()
        self._life.executions.forget_results()

    def end_writing(self, user_id: str, connection_id: str | None = None) -> None:
        """A user may write no longer, in a room or (None) in all: what the user has asked and may
        write ends as if the user had cancelled it; never waits."""
        for one in list(self._open.values()):
            is_there = connection_id in (None, one.of.connection_id)
            if is_there and one.of.user_id == user_id and self._life.may_write(one):
                one.want_end(AnswerState.CANCELLED)

    # What other nodes tell

    def end_for_others(self, question_id: str, connection_id: str) -> bool:
        """Somebody on another node has cancelled an answer, or deleted its question; returns
        whether the answer is open here."""
        one = self._open_in(question_id, (connection_id,))
        if one is None:
            return False
        one.cancelled_as = question_id
        one.want_end(AnswerState.CANCELLED)
        return True

    def ended_elsewhere(self, question_id: str, state: str, *, is_confirmed: bool | None) -> None:
        """An answer of another node has ended."""
        if self._elsewhere is not None and state in ENDS:
            self._elsewhere.ended(question_id, CancelOutcome(state, is_confirmed))

    def overtaken(self, question_id: str) -> None:
        """The message that ends an answer was published: if the answer is still open here, another
        node has ended it, and it goes no further."""
        one = self._open.get(question_id)
        if one is not None and one.content.ending is None:
            one.want_end(AnswerState.INTERRUPTED)

    def written_elsewhere(self, connection_id: str) -> None:
        """The database of a room was written to through another node."""
        self._life.executions.forget(connection_id)

    def end_for_erasure(
        self, *, user_id: str | None, connection_id: str | None
    ) -> Sequence[ActiveAnswer]:
        """A user, or a room, is erased: have their answers end, and return these; nothing that is
        remembered of any answer is kept."""
        self._hinted.clear()
        self._life.executions.forget_results()
        meant = [
            one
            for one in self._open.values()
            if user_id == one.of.user_id or connection_id == one.of.connection_id
        ]
        for one in meant:
            one.want_end(AnswerState.CANCELLED)
        return meant

    def _open_in(self, question_id: str, rooms: Container[str]) -> ActiveAnswer | None:
        """The open answer to the question that is known by this id in these rooms. An answer in
        another room is looked up like one that is not open, so that both take equally long."""
        one = self._open.get(question_id)
        if one is not None and one.of.connection_id in rooms:
            return one
        for one in self._open.values():
            if written_id(one.of.question_id) == question_id and one.of.connection_id in rooms:
                return one
        return None

    async def drain(self) -> None:
        """End all open answers, and return when that is in the log. Messages that are to be read
        are left to the next start, since they may be talk, which has no end."""
        self._is_draining = True
        for one in list(self._open.values()):
            if one.is_to_read:
                self._forget(one)
        while self._open:
            for one in self._open.values():
                one.want_end(AnswerState.INTERRUPTED)
            self._none_open = trio.Event()
            await self._none_open.wait()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer, until cancelled. What a crash of this task left open ends as interrupted."""
        arrived = {id(one) for one in self._arrived}
        for one in self._open.values():
            if id(one) not in arrived:
                one.message = None
                self._arrived.append(one)
        self._life.executions.clear()
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                while self._arrived:
                    nursery.start_soon(self._answer, nursery, self._arrived.pop(0))
                    # Trio runs tasks that are started together in any order; so each gets in line
                    # before the next is there.
                    await trio.lowlevel.checkpoint()
                if self._repeated:
                    self.pulse.begin(trio.current_time())
                    await self._repeat(self._repeated.pop(0))
                    self.pulse.end()
                    continue
                self._arrival = trio.Event()
                await self._arrival.wait()

    async def _answer(self, nursery: trio.Nursery, one: ActiveAnswer) -> None:
        is_crowded = len(self._open) > self._life.rules.open_max
        await self._life.live(nursery, one, is_crowded=is_crowded)
        self._forget(one)

    async def _repeat(self, one: OpenAnswer) -> None:
        """Give a hint that is not remembered again, if the log has no answer to the message."""
        with suppress(StoreReadFailed, StoreClosed):
            if await self._log.answer_to(one.question_id, (one.connection_id,)) is None:
                self._life.tell(one, Talk())

    def _forget(self, one: ActiveAnswer) -> None:
        if one.ended.is_set():
            return  # a drain was faster
        del self._open[one.of.question_id]
        if one.talk is not None:
            self._hinted[one.of.question_id] = one.talk
            if len(self._hinted) > HINTED_MAX:
                self._hinted.popitem(last=False)
        one.ended.set()
        self._tell_end(one)
        if not self._open:
            self._none_open.set()

    def _tell_end(self, one: ActiveAnswer) -> None:
        """Tell the end, once it is stored, to those who wait for it on another node and, if the
        answer was adopted, on this one."""
        question_id, state = one.cancelled_as, one.content.state
        if question_id is None or not one.is_stored or self._others is None:
            return
        self.ended_elsewhere(question_id, state, is_confirmed=one.is_confirmed)
        self._others.ended(question_id, state, is_confirmed=one.is_confirmed)
