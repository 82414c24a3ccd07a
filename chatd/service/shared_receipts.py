"""Receipts on several nodes: each node tells its own authors, and remembers what was delivered.

    receipts   [by, [[seq, messageId, author], ...]]

An author who misses one reads it with the message, which says whether it was delivered.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import attrs

from chatd.chat.records import MessagePlace
from chatd.service.receipts import Receipts
from chatd.service.signals import Signals, in_pieces

_KIND: Final = "receipts"


@attrs.define(eq=False, slots=False)
class SharedReceipts(Receipts):
    """`Receipts` of one of several nodes; `to_user` reaches the sockets of this node alone."""

    _signals: Signals

    def __attrs_post_init__(self) -> None:
        self._signals.on(_KIND, self._heard)

    def delivered(self, places: Sequence[MessagePlace], by: str) -> None:
        super().delivered(places, by)
        by_room: dict[str, list[list[object]]] = defaultdict(list)
        for one in places:
            by_room[one.connection_id].append([one.seq, one.message_id, one.user_id])
        for room, told in by_room.items():
            for piece in in_pieces(told):
                self._signals.send(room, _KIND, [by, piece])

    def _heard(self, room: str, _node: str, fields: Sequence[Any]) -> None:
        by, told, *_ = fields
        places = [
            MessagePlace(
                message_id=str(message_id), connection_id=room, seq=int(seq), user_id=str(author)
            )
            for seq, message_id, author in told
        ]
        super().delivered(places, str(by))
