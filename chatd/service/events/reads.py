"""`chat:read` from clients: up to where a user has read a room (docs/protocol, "Reading").

The marker is kept like a message: the ack says that it is in the log. One that does not move is
answered at once, and writes nothing. What is not known of the messages after the marker is read
first, so that the ack can count them.
"""

import attrs

from chatd.chat.messages import MarkRead
from chatd.service.acks import Handled, Outcome, outcome_of
from chatd.service.client import Client
from chatd.service.commands import Commands
from chatd.service.readings import Readings, read_ack
from chatd.service.routes import PERMITTED, Route, Routes
from chatd.service.senders import Origin
from chatd.wire.codes import Code, Refusal
from chatd.wire.converter import SAFE_INTEGER
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import ChatRead


@attrs.define(eq=False)
class ReadEvents:
    """Submits markers."""

    _commands: Commands
    _readings: Readings

    def routes(self) -> Routes:
        return {ClientEvent.CHAT_READ: Route(ChatRead, self.mark, self.read, PERMITTED)}

    def read(self, client: Client, marker: ChatRead, ack_id: int | None) -> MarkRead | Refusal:
        """The command that moves the marker, if its seq may be one."""
        if not 0 <= marker.seq <= SAFE_INTEGER:
            return Refusal(Code.INVALID_PAYLOAD, path="seq")
        origin = Origin(client, ClientEvent.CHAT_READ, ack_id)
        return MarkRead(origin, client.user_id, marker.connection_id, marker.seq)

    def mark(self, client: Client, command: MarkRead, ack_id: int | None) -> Handled:
        """Submit it, or say where the user stands, if that is further."""
        if self._readings.is_known(client.user_id, command.connection_id, command.seq):
            return self._mark(client, command)
        return self._mark_later(client, command)

    async def _mark_later(self, client: Client, command: MarkRead) -> Outcome:
        await self._readings.readings(client.user_id, (command.connection_id,))
        return None if client.is_gone else await outcome_of(self._mark(client, command))

    def _mark(self, client: Client, command: MarkRead) -> Handled:
        now = self._readings.reading(client.user_id, command.connection_id)
        if command.seq <= now.read_seq:
            return read_ack(command.connection_id, now)
        return self._commands.mark_read(command)
