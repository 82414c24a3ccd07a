"""`chat:message:edit`, `chat:message:delete` and `chat:message:react` from clients.

A change of a message that lies in the head of its room is submitted at once. Any other waits: the
message may be on its way into the log, and is then looked up there. Whether it may still be changed
is decided by the actor, on what the message is by then.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

import attrs

from chatd.chat.content import canonical_message_id, check_content
from chatd.chat.messages import ChangeCommand, DeleteMessage, EditMessage, PutReaction
from chatd.chat.reactions import check_emoji
from chatd.chat.records import Message
from chatd.observe import ChangeRefused, EventLog
from chatd.service.acks import Handled, Outcome, outcome_of
from chatd.service.client import Client
from chatd.service.commands import Commands
from chatd.service.grants import refusal_to_write
from chatd.service.mentions import Mentions
from chatd.service.rate_limits import RateLimits
from chatd.service.rates import Limit
from chatd.service.routes import JOINED, Route, Routes
from chatd.service.senders import Origin
from chatd.service.timeline import Timelines
from chatd.store import MessageReader, StoreReadFailed
from chatd.wire.codes import Code, Refusal
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import MessageDelete, MessageEdit, MessageReact

ONLY_ITS_AUTHOR: Final = "Only its author may change this message; a reaction is open to everybody."
DAMAGED: Final = "This message cannot be changed: its record on the server's disk is damaged."

ChangePayload: TypeAlias = MessageEdit | MessageDelete | MessageReact
Make: TypeAlias = Callable[[Message, int], ChangeCommand]
"""Makes the command of a message, and of the rev as of which it was looked up."""


@attrs.define(eq=False)
class ChangeEvents:
    """What clients change of messages. `content_chars`: the most code points of a message."""

    _commands: Commands
    _timelines: Timelines
    _messages: MessageReader
    _mentions: Mentions
    _limits: RateLimits
    _event_log: EventLog
    _content_chars: int = attrs.field(kw_only=True)

    def routes(self) -> Routes:
        return {
            # The handler of edits limits by itself, as for messages.
            ClientEvent.MESSAGE_EDIT: Route(
                MessageEdit, self.edit, self.read_edit, JOINED, writes=True
            ),
            ClientEvent.MESSAGE_DELETE: Route(
                MessageDelete,
                self.delete,
                self.read_delete,
                JOINED,
                Limit.USER_CHANGES,
                writes=True,
            ),
            ClientEvent.MESSAGE_REACT: Route(
                MessageReact, self.react, self.read_react, JOINED, Limit.USER_CHANGES, writes=True
            ),
        }

    def read_edit(
        self, client: Client, asked: MessageEdit, ack_id: int | None
    ) -> MessageEdit | Refusal:
        refusal = check_content(asked.content, self._content_chars)
        if refusal is None and asked.rev is not None and asked.rev < 0:
            refusal = Refusal(Code.INVALID_PAYLOAD, path="rev")
        message_id = canonical_message_id(asked.message_id)
        if isinstance(message_id, Refusal):
            return message_id
        return refusal or attrs.evolve(asked, message_id=message_id)

    def read_delete(
        self, client: Client, asked: MessageDelete, ack_id: int | None
    ) -> MessageDelete | Refusal:
        message_id = canonical_message_id(asked.message_id)
        if isinstance(message_id, Refusal):
            return message_id
        return attrs.evolve(asked, message_id=message_id)

    def read_react(
        self, client: Client, asked: MessageReact, ack_id: int | None
    ) -> MessageReact | Refusal:
        message_id = canonical_message_id(asked.message_id)
        if isinstance(message_id, Refusal):
            return message_id
        return check_emoji(asked.emoji) or attrs.evolve(asked, message_id=message_id)

    def edit(self, client: Client, asked: MessageEdit, ack_id: int | None) -> Handled:
        """Give a message another text, which costs what a message does."""
        room = asked.connection_id
        limited = self._limits.admit_message(client.user_id, client.allowance, room)
        if limited is not None:
            return limited.refusal(client.user_id, self._event_log)
        origin = Origin(client, ClientEvent.MESSAGE_EDIT, ack_id, asked.message_id)
        origin.refund_to = self._limits

        def make(message: Message, as_of_rev: int) -> ChangeCommand:
            return EditMessage(
                origin,
                client.user_id,
                message,
                as_of_rev,
                asked.content,
                asked.rev,
                self._mentions.of(room, asked.content),
            )

        return self._change(client, asked, make)

    def delete(self, client: Client, asked: MessageDelete, ack_id: int | None) -> Handled:
        """Take a message back."""
        origin = Origin(client, ClientEvent.MESSAGE_DELETE, ack_id, asked.message_id)

        def make(message: Message, as_of_rev: int) -> ChangeCommand:
            return DeleteMessage(origin, client.user_id, message, as_of_rev)

        return self._change(client, asked, make)

    def react(self, client: Client, asked: MessageReact, ack_id: int | None) -> Handled:
        """Put a reaction to a message, or take it off."""
        origin = Origin(client, ClientEvent.MESSAGE_REACT, ack_id, asked.message_id)

        def make(message: Message, as_of_rev: int) -> ChangeCommand:
            user_id = client.user_id
            return PutReaction(origin, user_id, message, as_of_rev, asked.emoji, asked.is_on)

        return self._change(client, asked, make)

    def _change(self, client: Client, asked: ChangePayload, make: Make) -> Handled:
        room = asked.connection_id
        message = self._timelines.find(asked.message_id, (room,))
        if message is None:
            return self._change_old(client, asked, make)
        return self._submit(client, asked, message, make(message, self._timelines.last_rev(room)))

    async def _change_old(self, client: Client, asked: ChangePayload, make: Make) -> Outcome:
        """The message is not in the head of its room, or was sent just before."""
        room = asked.connection_id
        await self._commands.barrier(client)
        as_of_rev = self._timelines.last_rev(room)
        message = self._timelines.find(asked.message_id, (room,))
        if message is None:
            try:
                message = await self._messages.message(asked.message_id, (room,))
            except StoreReadFailed:
                return Refusal(Code.STORAGE_READ_ERROR)
        if message is None:
            return self._refused(client, asked, Refusal(Code.NOT_FOUND, path="messageId"))
        return await outcome_of(self._submit(client, asked, message, make(message, as_of_rev)))

    def _submit(
        self, client: Client, asked: ChangePayload, message: Message, command: ChangeCommand
    ) -> Handled:
        refused = refusal_to_write(client.grants, message.connection_id)
        if refused is not None:  # its rights have changed meanwhile
            return refused
        if message.is_damaged:
            return self._refused(client, asked, Refusal(Code.NOT_FOUND, DAMAGED, path="messageId"))
        if not isinstance(command, PutReaction) and message.user_id != client.user_id:
            refusal = Refusal(Code.FORBIDDEN, ONLY_ITS_AUTHOR, path="messageId")
            return self._refused(client, asked, refusal)
        return self._commands.submit(command)

    def _refused(self, client: Client, asked: ChangePayload, refusal: Refusal) -> Refusal:
        self._event_log.record(
            ChangeRefused(
                client.log_id,
                client.user_id,
                asked.connection_id,
                asked.message_id,
                refusal.code,
            )
        )
        return refusal
