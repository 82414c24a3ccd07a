"""What messages of other nodes say of their authors: they are there, and have stopped typing."""

from collections.abc import Callable

import attrs

from chatd.chat.records import Change, Message
from chatd.service.publisher import Publisher


def _nobody_asks(_room: str, _user_id: str) -> None:
    """Until somebody does."""


@attrs.define(eq=False, slots=False)
class ShownSigns:
    """A `Publisher` that says whose message was shown in which room, whichever node stored it."""

    _shown: Publisher
    wrote: Callable[[str, str], None] = attrs.field(init=False, default=_nobody_asks)
    signed: Callable[[str, str], None] = attrs.field(init=False, default=_nobody_asks)

    def publish(self, message: Message) -> None:
        self._shown.publish(message)
        self.wrote(message.connection_id, message.user_id)
        self.signed(message.connection_id, message.user_id)

    def publish_change(self, change: Change) -> None:
        self._shown.publish_change(change)
        self.signed(change.message.connection_id, change.by)
