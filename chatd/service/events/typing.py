"""`chat:typing:start` and `chat:typing:stop` from clients."""

import attrs

from chatd.chat.typing import StartTyping, StopTyping
from chatd.service.acks import Handled
from chatd.service.client import Client
from chatd.service.presence_roster import PresenceRoster
from chatd.service.rates import Limit
from chatd.service.routes import JOINED, Route, Routes
from chatd.service.senders import Origin
from chatd.service.typing_roster import TypingRoster
from chatd.wire.acks import AckPayload
from chatd.wire.names import ClientEvent, PresenceStatus
from chatd.wire.payloads import TypingStart, TypingStop


@attrs.define(eq=False)
class TypingEvents:
    """Hands typing over to its actor; each event is a sign that the user is there. A user who has
    declared to be unseen is not shown as typing."""

    _roster: TypingRoster
    _presence: PresenceRoster

    def routes(self) -> Routes:
        return {
            ClientEvent.TYPING_START: Route(
                TypingStart, self.start, room=JOINED, limit=Limit.USER_TYPING, writes=True
            ),
            ClientEvent.TYPING_STOP: Route(TypingStop, self.stop, room=JOINED),
        }

    def start(self, client: Client, typing: TypingStart, ack_id: int | None) -> Handled:
        room, origin = typing.connection_id, Origin(client, ClientEvent.TYPING_START, ack_id)
        self._presence.sign(room, client.user_id)
        if self._presence.status_of(client, room) is PresenceStatus.OFFLINE:
            return AckPayload()
        return self._roster.submit(
            StartTyping(origin, client.socket, room, client.user_id, client.identity.name)
        )

    def stop(self, client: Client, typing: TypingStop, ack_id: int | None) -> Handled:
        room, origin = typing.connection_id, Origin(client, ClientEvent.TYPING_STOP, ack_id)
        self._presence.sign(room, client.user_id)
        return self._roster.submit(StopTyping(origin, client.socket, room))
