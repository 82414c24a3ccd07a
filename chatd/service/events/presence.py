"""`presence:update` from clients."""

from functools import partial

import attrs

from chatd.chat.presence import Declare
from chatd.service.acks import Handled
from chatd.service.client import Client
from chatd.service.presence_roster import PresenceRoster
from chatd.service.rooms import Rooms
from chatd.service.routes import PERMITTED, Route, Routes
from chatd.service.senders import Origin
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import PresenceUpdate


@attrs.define(eq=False)
class PresenceEvents:
    """Hands declared statuses over to the actor of presence."""

    _roster: PresenceRoster
    _rooms: Rooms

    def routes(self) -> Routes:
        # The handler joins by itself: others see the client with this status at once.
        return {
            ClientEvent.PRESENCE_UPDATE: Route(PresenceUpdate, self.update, room=PERMITTED),
        }

    def update(self, client: Client, update: PresenceUpdate, ack_id: int | None) -> Handled:
        """A client that is not in the room joins it with this status: nobody sees another."""
        room, origin = update.connection_id, Origin(client, ClientEvent.PRESENCE_UPDATE, ack_id)
        declare = Declare(origin, client.socket, room, update.status)
        if room in client.rooms:
            return self._roster.declare(client, declare)
        self._roster.note_declared(client, room, update.status)
        return self._rooms.enter_first(client, room, partial(self._roster.declare, client, declare))
