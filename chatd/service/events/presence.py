"""`presence:update` from clients."""

from functools import partial

from chatd.chat.presence import Declare
from chatd.engine.transport import Work
from chatd.service.acks import refused
from chatd.service.clients import Client
from chatd.service.commands import Answer
from chatd.service.events.rooms import RoomEvents
from chatd.service.presence_roster import PresenceRoster
from chatd.wire.codes import Refusal
from chatd.wire.converter import structure
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import PresenceUpdate


class PresenceEvents:
    """`presence:update` from clients."""

    def __init__(self, board: PresenceRoster, rooms: RoomEvents) -> None:
        self._board = board
        self._rooms = rooms

    def update_event(self, client: Client, payload: object, ack_id: int | None) -> Work | None:
        update = structure(payload, PresenceUpdate)
        event = ClientEvent.PRESENCE_UPDATE
        if isinstance(update, Refusal):
            refused(client.socket, event, ack_id, update)
            return None
        room = update.connection_id
        if room not in client.grants:
            self._rooms.refuse(client, event, ack_id, room)
            return None
        declare = Declare(Answer(client.socket, event, ack_id), client.socket, room, update.status)
        then = partial(self._board.declare, client, declare)
        return self._rooms.once_in(client, room, event, ack_id, then)
