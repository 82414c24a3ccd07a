"""`answer:cancel` from clients."""

import attrs

from chatd.answers.service import AnswerService
from chatd.chat.content import canonical_message_id
from chatd.service.acks import Outcome
from chatd.service.client import Client
from chatd.service.commands import Commands
from chatd.service.routes import Route, Routes
from chatd.store import MessageReader, StoreClosed, StoreReadFailed
from chatd.wire.acks import CancelAck
from chatd.wire.codes import Code, Refusal
from chatd.wire.names import AnswerOutcome, ClientEvent
from chatd.wire.payloads import AnswerCancel


@attrs.define(eq=False)
class AnswerEvents:
    """Cancels answers for clients."""

    _answers: AnswerService
    _commands: Commands
    _messages: MessageReader

    def routes(self) -> Routes:
        return {ClientEvent.ANSWER_CANCEL: Route(AnswerCancel, self.cancel)}

    async def cancel(self, client: Client, cancel: AnswerCancel, ack_id: int | None) -> Outcome:
        question_id = canonical_message_id(cancel.message_id)
        if isinstance(question_id, Refusal):
            return question_id
        await self._commands.barrier(client)  # the question may have come just before
        try:
            ended = await self._answers.cancel(question_id, client.user_id, client.grants)
            if isinstance(ended, Refusal) and ended.code is Code.NOT_FOUND:
                return await self._not_found(client, question_id)
        except (StoreReadFailed, StoreClosed):
            return Refusal(Code.STORAGE_READ_ERROR)
        if isinstance(ended, Refusal):
            return ended
        return CancelAck(state=AnswerOutcome(ended.state), confirmed=ended.is_confirmed)

    async def _not_found(self, client: Client, message_id: str) -> Refusal:
        """The refusal if no answer to a message is known; the message itself may be there. Raises
        StoreReadFailed."""
        sentence, message = None, await self._messages.message(message_id, client.grants)
        if message is not None:
            sentence = "This message has no answer; only a question can be cancelled."
            if message.reply_to is not None:
                sentence = "This is the answer itself; name its question, which is its replyTo."
        return Refusal(Code.NOT_FOUND, sentence, path="messageId")
