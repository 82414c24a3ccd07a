"""`answer:cancel` from clients."""

import attrs

from chatd.answers.service import AnswerService
from chatd.chat.content import canonical_message_id
from chatd.service.acks import Outcome
from chatd.service.client import Client
from chatd.service.commands import Commands
from chatd.store import StoreClosed, StoreReadFailed
from chatd.wire.acks import CancelAck
from chatd.wire.codes import Code, Refusal
from chatd.wire.names import AnswerOutcome
from chatd.wire.payloads import AnswerCancel


@attrs.define(eq=False)
class AnswerEvents:
    """Cancels answers for clients."""

    _answers: AnswerService
    _commands: Commands

    async def cancel(self, client: Client, cancel: AnswerCancel, ack_id: int | None) -> Outcome:
        question_id = canonical_message_id(cancel.message_id)
        if isinstance(question_id, Refusal):
            return question_id
        await self._commands.barrier(client)  # the question may have come just before
        try:
            ended = await self._answers.cancel(question_id, client.user_id, client.grants)
        except (StoreReadFailed, StoreClosed):
            return Refusal(Code.STORAGE_READ_ERROR)
        if isinstance(ended, Refusal):
            return ended
        return CancelAck(state=AnswerOutcome(ended.state), confirmed=ended.is_confirmed)
