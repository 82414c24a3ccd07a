"""`chat:message` from clients.

A message is submitted at once if it is new and within the limits, its client has joined the room,
and it is in no thread, or in one whose opener is among the recent messages. Any other waits first.
"""

from functools import partial

import attrs

from chatd.answers.service import AnswerService
from chatd.chat.content import canonical_message_id, check_content, check_context
from chatd.chat.messages import AnswerRequest, SendMessage
from chatd.chat.records import Message
from chatd.observe import EventLog, MessageReceived, MessageRefused
from chatd.observe.ids import new_uuid
from chatd.observe.message_times import now_s
from chatd.service.acks import Handled, Outcome, echoed_id
from chatd.service.client import Client
from chatd.service.commands import Commands
from chatd.service.grants import refusal_to_write
from chatd.service.mentions import Mentions
from chatd.service.rate_limits import RateLimits
from chatd.service.recent_messages import RecentMessages
from chatd.service.rooms import Rooms
from chatd.service.routes import PERMITTED, Route, Routes
from chatd.service.senders import Origin
from chatd.service.timeline import Timelines
from chatd.store import MessageReader, StoreReadFailed
from chatd.wire.codes import Code, Refusal
from chatd.wire.converter import context_json
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import ChatMessage

WRITTEN_ID_CHARS_MAX = 64  # of a messageId that is echoed in a refusal, whatever it is
_EVENT = ClientEvent.CHAT_MESSAGE  # to look a member up costs 0.2 us


@attrs.define(eq=False)
class MessageEvents:
    """What clients send to rooms. `content_chars`: the most code points of a message."""

    _commands: Commands
    _rooms: Rooms
    _timelines: Timelines
    _messages: MessageReader
    _recent: RecentMessages
    _answers: AnswerService
    _mentions: Mentions
    _limits: RateLimits
    _event_log: EventLog
    _content_chars: int = attrs.field(kw_only=True)

    def routes(self) -> Routes:
        return {
            # The handler limits and joins by itself: a repeated message does not count.
            ClientEvent.CHAT_MESSAGE: Route(
                ChatMessage, self.send, self.read, PERMITTED, writes=True, refuse=self.refuse
            ),
        }

    def read(
        self, client: Client, message: ChatMessage, ack_id: int | None
    ) -> SendMessage | Refusal:
        """The command that stores the message, if its id and its content are good."""
        if self._event_log.wants(MessageReceived.level):
            self._event_log.record(
                MessageReceived(
                    client.log_id,
                    client.user_id,
                    message.connection_id[:128],
                    message.message_id[:WRITTEN_ID_CHARS_MAX],
                )
            )
        message_id = canonical_message_id(message.message_id)
        if isinstance(message_id, Refusal):
            return message_id
        context = None if message.context is None else context_json(message.context)
        refusal = check_content(message.content, self._content_chars)
        if refusal is None and context is not None:
            refusal = check_context(context)
        if refusal is not None:
            return refusal
        return SendMessage(
            Origin(client, _EVENT, ack_id, message_id, now_s()),
            client.user_id,
            client.identity.name,
            message_id,
            message.connection_id,
            message.content,
            context,
            message.thread_id,
            rooms=client.grants,
        )

    def send(self, client: Client, command: SendMessage, ack_id: int | None) -> Handled:
        """Submit the message, now or later. One whose id is known repeats an earlier one, and does
        not count."""
        room, is_in_place = command.connection_id, command.connection_id in client.rooms
        if command.thread_id is not None:
            thread_id = canonical_message_id(command.thread_id)
            if isinstance(thread_id, Refusal):
                return _unknown_thread()
            command.thread_id = thread_id
            opener = self._timelines.find(thread_id, (room,))
            is_in_place = is_in_place and opener is not None and _opens_thread(opener, room)
        if not self._recent.knows(command.message_id, client.grants):
            if not self._limits.spend_message(client.user_id, client.allowance, room):
                return self._prepare(client, command, is_limited=True)
            command.origin.refund_to = self._limits
        if not is_in_place:
            return self._prepare(client, command, is_limited=False)
        return self._submit(command)

    async def _prepare(self, client: Client, command: SendMessage, *, is_limited: bool) -> Outcome:
        """Wait for what has to be known of a message, and submit it."""
        room = command.connection_id
        refusal = await self._admit_repeated(client, command) if is_limited else None
        if refusal is None and command.thread_id is not None:
            refusal = await self._check_thread(client, command, command.thread_id)
        if refusal is not None:
            return refusal
        submit = partial(self._submit_after_wait, client, command)
        return await self._rooms.enter_first(client, room, submit)

    def _submit_after_wait(self, client: Client, command: SendMessage) -> Handled:
        """Submit the message, unless the client may not write in its room any more."""
        refused = refusal_to_write(client.grants, command.connection_id)
        return self._submit(command) if refused is None else refused

    async def _admit_repeated(self, client: Client, command: SendMessage) -> Refusal | None:
        """No token is left: what repeats a stored message is admitted, and does not count.

        What it repeats may be on its way into the log, so that this is settled first.
        """
        await self._commands.barrier(client)
        try:
            if await self._is_stored(client, command.message_id):
                return None
        except StoreReadFailed:
            pass  # it counts as new
        limited = self._limits.admit_message(
            client.user_id, client.allowance, command.connection_id
        )
        if limited is not None:
            return limited.refusal(client.user_id, self._event_log)
        command.origin.refund_to = self._limits
        return None

    async def _check_thread(
        self, client: Client, command: SendMessage, thread_id: str
    ) -> Refusal | None:
        """Whether the room has the thread. Its opener may be on its way into the log, so that this
        is settled before the log is asked.

        If retention removed the opener, a message that is stored may still be repeated.
        """
        room = command.connection_id
        opener = self._timelines.find(thread_id, (room,))
        if opener is None:
            await self._commands.barrier(client)
            opener = self._timelines.find(thread_id, (room,))
            try:
                if opener is None:
                    opener = await self._messages.message(thread_id, (room,))
                if opener is None and await self._is_stored(client, command.message_id):
                    return None
            except StoreReadFailed:
                return Refusal(Code.STORAGE_READ_ERROR)
        return None if opener is not None and _opens_thread(opener, room) else _unknown_thread()

    async def _is_stored(self, client: Client, message_id: str) -> bool:
        """Whether the client may read a message of this id. Raises StoreReadFailed."""
        if self._recent.knows(message_id, client.grants):
            return True
        return await self._messages.message(message_id, client.grants) is not None

    def _submit(self, command: SendMessage) -> Handled:
        """Hand the message over, with the users whom it mentions; if it may be a question, it is
        read for one once it is stored."""
        command.mentions = self._mentions.of(command.connection_id, command.content)
        if self._answers.may_be_one(command.connection_id, command.content):
            command.asks = AnswerRequest(new_uuid(), command.origin.client.address)
            command.origin.is_read = True
            self._answers.foresee(
                command.connection_id, command.user_id, command.content, command.context
            )
        return self._commands.submit(command)

    def refuse(self, client: Client, ack_id: int | None, written: object, refusal: Refusal) -> None:
        """Refuse a message, of which `written` is the payload."""
        fields = written if isinstance(written, dict) else {}
        message_id = echoed_id(fields.get("messageId"), WRITTEN_ID_CHARS_MAX)
        if message_id is not None:
            canonical = canonical_message_id(message_id)
            message_id = message_id if isinstance(canonical, Refusal) else canonical
        client.refuse_message(message_id, ack_id, refusal)
        self._event_log.record(
            MessageRefused(
                client.log_id,
                client.user_id,
                echoed_id(fields.get("connectionId")),
                message_id,
                refusal.code,
            )
        )


def _opens_thread(message: Message, connection_id: str) -> bool:
    """Whether a thread of this room may begin at the message: one that is in no thread itself."""
    return message.connection_id == connection_id and message.thread_id is None


def _unknown_thread() -> Refusal:
    return Refusal(Code.UNKNOWN_THREAD, path="threadId")
