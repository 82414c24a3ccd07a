"""What the messages actor decided, told to senders and rooms: after the commit, encoded once."""

from collections.abc import Sequence
from typing import assert_never

import orjson
import trio

from chatd.chat.messages import (
    Accepted,
    Acknowledge,
    AcknowledgementKept,
    Command,
    Conflicted,
    Effect,
    Joined,
    JoinRooms,
    Repeated,
    SendMessage,
)
from chatd.chat.records import Message
from chatd.observe import Emit, InternalError, MessageRefused, MessageSent, StoreFailed
from chatd.server.clients import Client
from chatd.server.feeds import Feeds
from chatd.server.hub import Hub
from chatd.server.outgoing import Outgoing
from chatd.server.replies import accepted, message_refused, refused
from chatd.wire.codes import Code, Refusal
from chatd.wire.names import ClientEvent, ServerEvent

NAMESPACE = "/"  # the chat lives here, and nowhere else (SPEC, "Words")

_MESSAGE_HEAD = orjson.dumps([ServerEvent.CHAT_MESSAGE])[:-1]  # `["chat:message"`


class Origin:
    """Where a command came from. `__slots__`: one for each command.

    `settled` is set once the outcome is known, for who waits for it. `counted`: a message was
    counted against the limits, and is given back where it was stored before.
    """

    __slots__ = ("ack_id", "client", "counted", "settled", "written_id")

    def __init__(
        self,
        client: Client,
        ack_id: int | None,
        *,
        written_id: str | None = None,
        settled: trio.Event | None = None,
        counted: bool = False,
    ) -> None:
        """`written_id`: the messageId as the client wrote it, which is how it knows the message."""
        self.client = client
        self.ack_id = ack_id
        self.written_id = written_id
        self.settled = settled
        self.counted = counted


class ChatEffects:
    """Carries effects out. A fault in one of them is reported and costs no other."""

    def __init__(self, hub: Hub, feeds: Feeds, epoch: str, emit: Emit) -> None:
        self._hub = hub
        self._feeds = feeds
        self._epoch = epoch
        self._emit = emit

    def run(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            try:
                self._run(effect)
            except Exception as error:
                self._emit.emit(InternalError.of("effect", error))
            settled = effect.command.origin.settled
            if settled is not None:
                settled.set()

    def failed(self, batch: Sequence[Command], code: str) -> None:
        self._emit.emit(StoreFailed(code, f"{len(batch)} commands were not committed"))
        refusal = Refusal(Code(code))
        for command in batch:
            origin: Origin = command.origin
            socket = origin.client.socket
            match command:
                case SendMessage():
                    self._refuse_message(command, refusal)
                case JoinRooms(_, _, ()):
                    pass  # a barrier: nobody asked for it
                case JoinRooms(_, _, connection_ids):
                    self._give_up(origin.client, connection_ids)
                    refused(
                        socket,
                        ClientEvent.CONNECTION_JOIN,
                        origin.ack_id,
                        refusal,
                        connection_id=connection_ids[0] if len(connection_ids) == 1 else None,
                    )
                case Acknowledge():
                    refused(socket, ClientEvent.CHAT_ACK, origin.ack_id, refusal)
                case _:
                    assert_never(command)
            if origin.settled is not None:
                origin.settled.set()

    def _run(self, effect: Effect) -> None:
        match effect:
            case Accepted(command, message):
                self._accepted(command, message)
            case Repeated(command, message):
                self._give_back(command)
                self._sent(command, message, duplicate=True)
            case Conflicted(command):
                self._give_back(command)
                self._refuse_message(command, Refusal(Code.MESSAGE_ID_CONFLICT))
            case Joined(command, last_seqs):
                self._joined(command, last_seqs)
            case AcknowledgementKept(command):
                origin: Origin = command.origin
                accepted(origin.client.socket, origin.ack_id)
            case _:
                assert_never(effect)

    def _give_back(self, command: SendMessage) -> None:
        origin: Origin = command.origin
        if origin.counted:
            origin.client.give_back(command.connection_id)

    def _give_up(self, client: Client, connection_ids: Sequence[str]) -> None:
        """Rooms that were not joined after all: the next event for one of them joins it."""
        for connection_id in connection_ids:
            if connection_id in client.wanted and connection_id not in client.socket.rooms:
                del client.wanted[connection_id]
                self._feeds.release(connection_id)

    def _accepted(self, command: SendMessage, message: Message) -> None:
        body = self._feeds.publish(message)
        self._sent(command, message, duplicate=False)
        packet = Outgoing(b"42%b,%b]" % (_MESSAGE_HEAD, body))
        self._hub.broadcast(NAMESPACE, message.connection_id, packet)

    def _sent(self, command: SendMessage, message: Message, *, duplicate: bool) -> None:
        origin: Origin = command.origin
        socket = origin.client.socket
        fields = {
            "messageId": origin.written_id,
            "timestamp": message.timestamp_ms,
            "connectionId": message.connection_id,
            "seq": message.seq,
        }
        if duplicate:
            fields["duplicate"] = True
        sent = orjson.dumps(fields)
        socket.emit_json(ServerEvent.CHAT_MESSAGE_SENT, sent)
        socket.ack_json(origin.ack_id, b'{"ok":true,' + sent[1:])
        self._emit.emit(
            MessageSent(
                message.message_id, message.connection_id, message.seq, message.user_id, duplicate
            )
        )

    def _refuse_message(self, command: SendMessage, refusal: Refusal) -> None:
        origin: Origin = command.origin
        socket = origin.client.socket
        message_refused(socket, origin.ack_id, origin.written_id, refusal)
        self._emit.emit(
            MessageRefused(
                socket.session.log_id,
                command.user_id,
                command.connection_id,
                command.message_id,
                refusal.code,
            )
        )

    def _joined(self, command: JoinRooms, last_seqs: Sequence[int]) -> None:
        origin: Origin = command.origin
        client, socket = origin.client, origin.client.socket
        for connection_id, last_seq in zip(command.connection_ids, last_seqs, strict=True):
            if connection_id in client.wanted:  # else it left again, or is gone
                self._hub.join(socket, connection_id)
                socket.session.send_catch_up(self._feeds.history(connection_id))
            accepted(
                socket,
                origin.ack_id,
                connectionId=connection_id,
                lastSeq=last_seq,
                epoch=self._epoch,
            )
