"""`answer:cancel` from clients."""

from collections.abc import Mapping
from typing import Protocol

from chatd.answers.service import Cancelled
from chatd.chat.content import canonical_message_id
from chatd.engine.throttle import Work
from chatd.service.acks import accepted, refused
from chatd.service.clients import Client
from chatd.service.commands import Commands
from chatd.store import StoreClosed, StoreReadFailed
from chatd.wire.codes import Code, Refusal
from chatd.wire.converter import structure
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import AnswerCancel


class Answers(Protocol):
    """Who answers."""

    async def cancel(
        self, question_id: str, user_id: str, rooms: Mapping[str, object]
    ) -> Cancelled | Refusal:
        """Have an answer stopped, and return when it has ended."""
        ...


class AnswerEvents:
    """`answer:cancel` from clients."""

    def __init__(self, answers: Answers, commands: Commands) -> None:
        self._answers = answers
        self._commands = commands

    def cancel_event(self, client: Client, payload: object, ack_id: int | None) -> Work | None:
        cancel = structure(payload, AnswerCancel)
        refusal: Refusal | None = cancel if isinstance(cancel, Refusal) else None
        if not isinstance(cancel, Refusal):
            question_id = canonical_message_id(cancel.message_id)
            if not isinstance(question_id, Refusal):
                return self._cancel(client, question_id, ack_id)
            refusal = question_id
        assert refusal is not None
        refused(client.socket, ClientEvent.ANSWER_CANCEL, ack_id, refusal)
        return None

    async def _cancel(self, client: Client, question_id: str, ack_id: int | None) -> None:
        outcome: Cancelled | Refusal
        await self._commands.barrier(client)  # the question may have come just before
        try:
            outcome = await self._answers.cancel(
                question_id, client.identity.user_id, client.grants
            )
        except (StoreReadFailed, StoreClosed):
            outcome = Refusal(Code.STORAGE_READ_ERROR)
        if isinstance(outcome, Refusal):
            refused(client.socket, ClientEvent.ANSWER_CANCEL, ack_id, outcome)
            return
        fields: dict[str, object] = {"state": outcome.state}
        if outcome.is_confirmed is not None:
            fields["confirmed"] = outcome.is_confirmed
        accepted(client.socket, ack_id, **fields)
