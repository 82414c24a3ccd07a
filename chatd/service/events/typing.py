"""`chat:typing:start` and `chat:typing:stop` from clients."""

from functools import partial

from chatd.chat.typing import (
    StartTyping,
    StopTyping,
)
from chatd.engine.transport import Work
from chatd.observe import EventLog, LimitHit
from chatd.service.acks import refused
from chatd.service.clients import Client
from chatd.service.commands import Answer
from chatd.service.effects import Signs
from chatd.service.events.rooms import RoomEvents
from chatd.service.typing_roster import TypingRoster
from chatd.wire.codes import Code, Refusal
from chatd.wire.converter import structure
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import TypingSignal


class TypingEvents:
    """`chat:typing:start` and `chat:typing:stop` from clients."""

    def __init__(
        self, board: TypingRoster, rooms: RoomEvents, presence: Signs, event_log: EventLog
    ) -> None:
        self._board = board
        self._rooms = rooms
        self._presence = presence
        self._event_log = event_log

    def start_event(self, client: Client, payload: object, ack_id: int | None) -> Work | None:
        event = ClientEvent.TYPING_START
        room = self._room(client, event, payload, ack_id)
        if room is None:
            return None
        wait_ms = client.admit_typing()
        if wait_ms is not None:
            self._event_log.record(
                LimitHit("user_typing_per_minute", client.identity.user_id, None)
            )
            refusal = Refusal(Code.RATE_LIMITED, retry_after_ms=wait_ms)
            refused(client.socket, event, ack_id, refusal, connection_id=room)
            return None
        start = StartTyping(
            Answer(client.socket, event, ack_id),
            client.socket,
            room,
            client.identity.user_id,
            client.identity.name,
        )
        then = partial(self._submit, client, start)
        return self._rooms.once_in(client, room, event, ack_id, then)

    def stop_event(self, client: Client, payload: object, ack_id: int | None) -> Work | None:
        event = ClientEvent.TYPING_STOP
        room = self._room(client, event, payload, ack_id)
        if room is None:
            return None
        stop = StopTyping(Answer(client.socket, event, ack_id), client.socket, room)
        then = partial(self._submit, client, stop)
        return self._rooms.once_in(client, room, event, ack_id, then)

    def _submit(self, client: Client, command: StartTyping | StopTyping) -> Work | None:
        self._presence.sign(command.connection_id, client.identity.user_id)
        return self._board.submit(command)

    def _room(
        self, client: Client, event: ClientEvent, payload: object, ack_id: int | None
    ) -> str | None:
        typing = structure(payload, TypingSignal)
        if isinstance(typing, Refusal):
            refused(client.socket, event, ack_id, typing)
            return None
        if typing.connection_id not in client.grants:
            self._rooms.refuse(client, event, ack_id, typing.connection_id)
            return None
        return typing.connection_id
