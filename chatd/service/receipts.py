"""Receipts on their way to authors: `chat:message:status`, on each device of the author."""

from collections.abc import Callable, Sequence

import attrs

from chatd.chat.ids import written_id
from chatd.chat.records import MessagePlace
from chatd.engine.outgoing import Outgoing
from chatd.service.timeline import Timelines
from chatd.sockets.emitter import event_packet
from chatd.wire.events import MessageReceipt


@attrs.define(eq=False, slots=False)
class Receipts:
    """The receipts of acknowledgements; `to_user` sends to those sockets of a user that may use a
    room."""

    _timelines: Timelines
    _to_user: Callable[[str, str, Outgoing], None]

    def delivered(self, places: Sequence[MessagePlace], by: str) -> None:
        """These messages were acknowledged for the first time."""
        for place in places:
            room = place.connection_id
            self._timelines.confirm(room, place.seq)
            receipt = MessageReceipt(
                message_id=written_id(place.message_id), connection_id=room, by=by
            )
            self._to_user(place.user_id, room, event_packet(receipt))
