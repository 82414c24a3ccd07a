"""Messages and acknowledgements from clients: shape, access, content, limits; then one command.

The order of the checks: what cannot be read, what may not be (id, content, room), what is too much.
A retry of a message that is known is never too much (SPEC 5, "Message").
"""

from collections.abc import Collection, Container
from typing import Protocol

from chatd.chat.content import canonical_message_id, check_content, check_context
from chatd.chat.messages import Asked, SendMessage
from chatd.chat.records import Message
from chatd.engine.transport import Work
from chatd.observe import EventLog, LimitHit, MessageReceived, MessageRefused
from chatd.observe.ids import new_uuid
from chatd.service.acks import message_refused, refused, told_back
from chatd.service.clients import Client
from chatd.service.commands import Commands
from chatd.service.events.acks import Receipts
from chatd.service.events.rooms import RoomEvents
from chatd.service.senders import Origin
from chatd.service.timeline import Timelines
from chatd.store import StoreReadFailed
from chatd.wire.codes import Code, Refusal
from chatd.wire.converter import context_json, structure
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import ChatAck, ChatMessage

WRITTEN_ID_MAX = 64  # characters of a messageId that are told back, whatever it is


class Questions(Protocol):
    """Who knows what may be a question, and where there is somebody to answer it."""

    def may_be_one(self, connection_id: str, content: str) -> bool:
        """Whether it is worth reading once it is stored; costs next to nothing."""
        ...


class MessageReader(Protocol):
    """Looks into the log go past the actors, to the store."""

    async def message(self, message_id: str, rooms: Container[str]) -> Message | None:
        """A message of one of these rooms by its id."""
        ...


class Members(Protocol):
    """What the actor knows of messages, to be looked at between its batches."""

    def knows(self, message_id: str, rooms: Collection[str]) -> bool:
        """Whether a message of this id is among the recent ones, for who may read these rooms."""
        ...


class MessageEvents:
    """What clients send to rooms. `content_chars`: the most code points of a message."""

    def __init__(
        self,
        commands: Commands,
        rooms: RoomEvents,
        timelines: Timelines,
        readers: MessageReader,
        questions: Questions,
        receipts: Receipts,
        event_log: EventLog,
        *,
        content_chars: int,
        members: Members,
    ) -> None:
        self._commands = commands
        self._rooms = rooms
        self._timelines = timelines
        self._readers = readers
        self._questions = questions
        self._receipts = receipts
        self._event_log = event_log
        self._content_chars = content_chars
        self._members = members

    def message_event(self, client: Client, payload: object, ack_id: int | None) -> Work | None:
        message = structure(payload, ChatMessage)
        if isinstance(message, Refusal):
            self.refuse_message(client, ack_id, payload, message)
            return None
        room, user_id = message.connection_id, client.identity.user_id
        if self._event_log.wants(MessageReceived.level):
            self._event_log.record(
                MessageReceived(
                    client.socket.session.log_id,
                    user_id,
                    room[:128],
                    message.message_id[:WRITTEN_ID_MAX],
                )
            )
        message_id = canonical_message_id(message.message_id)
        if isinstance(message_id, Refusal):
            self.refuse_message(client, ack_id, payload, message_id)
            return None
        context = None if message.context is None else context_json(message.context)
        unfit = check_content(message.content, self._content_chars)
        if unfit is None and context is not None:
            unfit = check_context(context)
        if unfit is None and room not in client.grants:
            unfit = Refusal(Code.FORBIDDEN_ROOM, path="connectionId")
        if unfit is not None:
            self.refuse_message(client, ack_id, payload, unfit)
            return None
        thread_id = None
        if message.thread_id is not None:
            canonical = canonical_message_id(message.thread_id)
            if isinstance(canonical, Refusal):
                unknown = Refusal(Code.UNKNOWN_THREAD, path="threadId")
                self.refuse_message(client, ack_id, payload, unknown)
                return None
            thread_id = canonical
        is_new = not self._members.knows(message_id, client.grants)
        counted = is_new and client.take_message(room)
        command = SendMessage(
            Origin(
                client,
                ClientEvent.CHAT_MESSAGE,
                ack_id,
                written_id=message.message_id,
                counted=counted,
            ),
            user_id,
            client.identity.name,
            message_id,
            room,
            message.content,
            context,
            thread_id,
            rooms=client.grants,
        )
        if is_new and not counted:
            return self._send_if_stored(client, command, payload)
        return self._send_if_in_place(client, command, payload)

    def _send_if_in_place(
        self, client: Client, command: SendMessage, payload: object
    ) -> Work | None:
        """Hand the message over, unless it is in a thread that is none."""
        if command.thread_id is not None:
            room = command.connection_id
            known = self._timelines.find(command.thread_id, (room,))
            if known is None:
                return self._send_in_thread(client, command, payload)
            if not _opens_thread(known, room):
                unknown = Refusal(Code.UNKNOWN_THREAD, path="threadId")
                self.refuse_message(client, command.origin.ack_id, payload, unknown)
                return None
        return self._send(client, command)

    def _send(self, client: Client, command: SendMessage) -> Work | None:
        """Hand the message over, with whether it is to be read for a question, and after a join
        where the socket is not in the room yet."""
        if self._questions.may_be_one(command.connection_id, command.content):
            command.asks = Asked(new_uuid())
        if command.connection_id in client.wanted:
            return self._commands.submit(command)
        return self._join_and_send(client, command)

    async def _join_and_send(self, client: Client, command: SendMessage) -> None:
        refusal = await self._rooms.enter(client, [command.connection_id])
        if refusal is not None:
            written = {
                "messageId": command.origin.written_id,
                "connectionId": command.connection_id,
            }
            self.refuse_message(client, command.origin.ack_id, written, refusal)
            return
        if command.connection_id not in client.wanted:
            return  # it is gone
        work = self._commands.submit(command)
        if work is not None:
            await work

    async def _send_if_stored(self, client: Client, command: SendMessage, payload: object) -> None:
        """There is no token left: only a retry of what is stored goes on, and is not held against
        the sender. What it repeats may be on its way into the log: that is settled first."""
        room = command.connection_id
        await self._commands.barrier(client)
        try:
            is_stored = await self._is_stored(client, command.message_id)
        except StoreReadFailed:
            is_stored = False
        wait_ms = None if is_stored else client.admit_message(room)
        if wait_ms is not None:
            self._event_log.record(LimitHit(client.message_limit(room), command.user_id, None))
            refusal = Refusal(Code.RATE_LIMITED, retry_after_ms=wait_ms)
            self.refuse_message(client, command.origin.ack_id, payload, refusal)
            return
        command.origin.counted = not is_stored
        work = self._send_if_in_place(client, command, payload)
        if work is not None:
            await work

    async def _is_stored(self, client: Client, message_id: str) -> bool:
        """Whether there is a message of this id that the client may read, be it another one. Raises
        StoreReadFailed."""
        if self._members.knows(message_id, client.grants):
            return True
        return await self._readers.message(message_id, client.grants) is not None

    async def _send_in_thread(self, client: Client, command: SendMessage, payload: object) -> None:
        """The opener of the thread is not among the recent messages.

        It may have come just before, and be on its way into the log: what is in front of this
        message is settled first. Then the log is asked. Where retention removed it, what is stored
        is still told to who sends it again: then the messageId decides, and not the thread.
        """
        ack_id, room = command.origin.ack_id, command.connection_id
        assert command.thread_id is not None
        await self._commands.barrier(client)
        opener = self._timelines.find(command.thread_id, (room,))
        try:
            if opener is None:
                opener = await self._readers.message(command.thread_id, (room,))
            is_stored = opener is None and await self._is_stored(client, command.message_id)
        except StoreReadFailed:
            self.refuse_message(client, ack_id, payload, Refusal(Code.STORAGE_READ_ERROR))
            return
        if not is_stored and (opener is None or not _opens_thread(opener, room)):
            unknown = Refusal(Code.UNKNOWN_THREAD, path="threadId")
            self.refuse_message(client, ack_id, payload, unknown)
            return
        work = self._send(client, command)
        if work is not None:
            await work

    def refuse_message(
        self, client: Client, ack_id: int | None, payload: object, refusal: Refusal
    ) -> None:
        written = payload.get("messageId") if isinstance(payload, dict) else None
        room = payload.get("connectionId") if isinstance(payload, dict) else None
        message_id = told_back(written, WRITTEN_ID_MAX)
        message_refused(client.socket, ack_id, message_id, refusal)
        self._event_log.record(
            MessageRefused(
                client.socket.session.log_id,
                client.identity.user_id,
                told_back(room),
                message_id,
                refusal.code,
            )
        )

    def ack_event(self, client: Client, payload: object, ack_id: int | None) -> Work | None:
        ack = structure(payload, ChatAck)
        message_id = ack if isinstance(ack, Refusal) else canonical_message_id(ack.message_id)
        if isinstance(message_id, Refusal):
            refused(client.socket, ClientEvent.CHAT_ACK, ack_id, message_id)
            return None
        assert not isinstance(ack, Refusal)
        up_to = bool(ack.up_to)
        known = self._timelines.find(message_id, client.wanted)
        if known is None:
            return self._acknowledge_old(client, message_id, ack_id, up_to=up_to)
        return self._acknowledge(client, known, ack_id, up_to=up_to)

    async def _acknowledge_old(
        self, client: Client, message_id: str, ack_id: int | None, *, up_to: bool
    ) -> None:
        """The message is not among the recent ones: ask the log where it stands.

        What the log has, the actor may be about to learn: what is in front of this is settled then.
        """
        try:
            known = await self._readers.message(message_id, client.grants)
        except StoreReadFailed:
            refused(client.socket, ClientEvent.CHAT_ACK, ack_id, Refusal(Code.STORAGE_READ_ERROR))
            return
        if known is not None:
            await self._commands.barrier(client)
        work = self._acknowledge(client, known, ack_id, up_to=up_to)
        if work is not None:
            await work

    def _acknowledge(
        self, client: Client, known: Message | None, ack_id: int | None, *, up_to: bool
    ) -> Work | None:
        if known is None or known.connection_id not in client.grants:
            refusal = Refusal(Code.NOT_FOUND, path="messageId")
            refused(client.socket, ClientEvent.CHAT_ACK, ack_id, refusal)
            return None
        return self._receipts.acknowledge(client, known, ack_id, up_to=up_to)


def _opens_thread(message: Message, connection_id: str) -> bool:
    """Whether a thread of this room may begin at the message: one that is in no thread itself."""
    return message.connection_id == connection_id and message.thread_id is None
