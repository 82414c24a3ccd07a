"""What is published on several nodes, with what it means for answers: a message that ends one is
shown behind the end, and a question that is deleted is answered no more, whichever node did it."""

import attrs

from chatd.answers.service import AnswerService
from chatd.chat.ids import written_id
from chatd.chat.records import Change, Message, MessageDeleted
from chatd.service.answer_signals import AnswerSignals
from chatd.service.publisher import Publisher


@attrs.define(eq=False, slots=False)
class EndingPublisher:
    """A `Publisher` that shows by another one."""

    _shown: Publisher
    _signals: AnswerSignals
    _answers: AnswerService

    def publish(self, message: Message) -> None:
        if message.answer is not None and message.reply_to is not None:
            self._signals.published(message)
            self._answers.overtaken(message.reply_to)
        self._shown.publish(message)

    def publish_change(self, change: Change) -> None:
        self._shown.publish_change(change)
        if isinstance(change, MessageDeleted):
            message = change.message
            self._answers.end_for_others(written_id(message.message_id), message.connection_id)
