"""What is published on several nodes, with what it means for answers.

A message that ends an answer is shown after the end. What was heard of an answer is shown after its
question. A question that is deleted is no longer answered, whichever node deleted it.
"""

import attrs

from chatd.answers.service import AnswerService
from chatd.chat.ids import written_id
from chatd.chat.records import Change, Message, MessageDeleted
from chatd.service.answer_signals import AnswerSignals
from chatd.service.publisher import Publisher


@attrs.define(eq=False, slots=False)
class EndingPublisher:
    """A `Publisher` that shows messages by another one; `tell` says whom it tells."""

    _shown: Publisher
    _told: tuple[AnswerSignals, AnswerService] | None = attrs.field(init=False, default=None)

    def tell(self, signals: AnswerSignals, answers: AnswerService) -> None:
        """Tell these two of what is shown; they can only be built once this publisher is."""
        self._told = signals, answers

    def publish(self, message: Message) -> None:
        if self._told is not None and message.answer is not None and message.reply_to is not None:
            signals, answers = self._told
            signals.published(message)
            answers.overtaken(message.reply_to)
        self._shown.publish(message)
        if self._told is not None:
            self._told[0].shown(message)

    def publish_change(self, change: Change) -> None:
        self._shown.publish_change(change)
        if self._told is not None and isinstance(change, MessageDeleted):
            message, (_, answers) = change.message, self._told
            answers.end_for_others(written_id(message.message_id), message.connection_id)
