"""Committed messages become visible to clients, in each room in the order of their seqs."""

from typing import Protocol

import attrs

from chatd.chat.records import Message
from chatd.service.timeline import Timelines
from chatd.sockets.emitter import rendered_packet
from chatd.sockets.ports import NAMESPACE, Adapter
from chatd.wire.events import PublishedMessage


class Publisher(Protocol):
    """Where messages go from the log."""

    def publish(self, message: Message) -> None:
        """The message is committed. The clients in its room get it once, after all that are before
        it there: at once, or when those are known."""
        ...


@attrs.define(eq=False, slots=False)
class LocalPublisher:
    """A `Publisher` where this node commits all messages, and so knows each in its order."""

    _timelines: Timelines
    _adapter: Adapter

    def publish(self, message: Message) -> None:
        body = self._timelines.render(message)
        packet = rendered_packet(PublishedMessage.event, body)
        self._timelines.publish(message, body)
        self._adapter.broadcast(NAMESPACE, message.connection_id, packet)
