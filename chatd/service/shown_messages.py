"""Which messages a node showed last, so that it notices another one in the place of one of them:
then the log has lost what was there, and has gone on."""

from typing import Final

import attrs

from chatd.chat.order import Place
from chatd.chat.records import Message
from chatd.store.room_log import Shown

IDS_KEPT: Final = 32
"""Of a room: so many messages can be lost and written over between two looks at the log."""


@attrs.define(eq=False)
class ShownMessages:
    """The last ones of each room."""

    _ids: dict[str, dict[int, str]] = attrs.field(init=False, factory=dict)  # by seq
    _doubted: dict[str, Shown] = attrs.field(init=False, factory=dict)

    def add(self, message: Message) -> None:
        """It was shown."""
        ids = self._ids.setdefault(message.connection_id, {})
        ids[message.seq] = message.message_id
        if len(ids) > IDS_KEPT:
            del ids[next(iter(ids))]

    def compare(self, message: Message) -> None:
        """This message was heard of: if another one was shown in its place, the log has to be
        asked."""
        room = message.connection_id
        shown_id = self._ids.get(room, {}).get(message.seq)
        if shown_id not in (None, message.message_id):
            self._doubted[room] = Shown(Place(message.seq), shown_id)

    def to_look_at(self, room: str, place: Place) -> Shown:
        """What to ask the log about a room that was shown up to `place`."""
        doubted = self._doubted.pop(room, None)
        return Shown(place, self._ids.get(room, {}).get(place.seq)) if doubted is None else doubted

    def forget(self, room: str) -> None:
        """Nobody is in the room any more."""
        self._ids.pop(room, None)
        self._doubted.pop(room, None)
