"""Committed messages become visible at once: one node commits all of them."""

import attrs

from chatd.chat.records import Change, Message
from chatd.service.timeline import Timelines
from chatd.sockets.adapter import NAMESPACE, Adapter
from chatd.sockets.emitter import rendered_packet
from chatd.wire.events import PublishedMessage


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

    def publish_change(self, change: Change) -> None:
        packet = self._timelines.render_change(change)
        self._timelines.change(change, packet)
        self._adapter.broadcast(NAMESPACE, change.message.connection_id, packet)
