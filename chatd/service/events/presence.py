"""`presence:update` from clients."""

import attrs

from chatd.chat.presence import Declare
from chatd.service.acks import Handled
from chatd.service.client import Client
from chatd.service.presence_roster import PresenceRoster
from chatd.service.senders import Origin
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import PresenceUpdate


@attrs.define(eq=False)
class PresenceEvents:
    """Hands declared statuses over to the actor of presence."""

    _roster: PresenceRoster

    def update(self, client: Client, update: PresenceUpdate, ack_id: int | None) -> Handled:
        origin = Origin(client, ClientEvent.PRESENCE_UPDATE, ack_id)
        return self._roster.declare(
            client, Declare(origin, client.socket, update.connection_id, update.status)
        )
