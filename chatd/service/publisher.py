"""Committed messages become visible to clients, in each room in the order of their seqs."""

from typing import Protocol

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


class LocalPublisher:
    """A `Publisher` where this node commits all messages, and so knows each in its order."""

    def __init__(self, timelines: Timelines, adapter: Adapter) -> None:
        self._timelines = timelines
        self._adapter = adapter

    def publish(self, message: Message) -> None:
        body = self._timelines.render(message)
        packet = rendered_packet(PublishedMessage.event, body)
        self._timelines.publish(message, body)
        self._adapter.broadcast(NAMESPACE, message.connection_id, packet)
