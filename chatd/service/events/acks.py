"""`chat:ack` from clients: acknowledgements, with the messages that they are the first for.

With `upTo` a client acknowledges all of a room up to a message. Which of these nobody has
acknowledged yet is looked up in memory for recent messages, in the log for all others; and once a
user has acknowledged everything up to some seq, nothing below it is looked up again
(`chatd.chat.receipts`). So most acknowledgements are submitted to the actor at once.

More receipts than one commit should hold go in pieces, from the acknowledged message back. Each
piece is a command of its own, and the next one is looked up when it is in the log. The last one
carries the ack: `ok` says that all are committed. If an error ends this early, the pieces that are
in the log stay, and the same `chat:ack` again does the rest.
"""

import attrs

from chatd.chat.content import canonical_message_id
from chatd.chat.messages import Acknowledge
from chatd.chat.records import Message, MessagePlace
from chatd.service.acks import Handled, Outcome, outcome_of
from chatd.service.client import Client
from chatd.service.commands import Commands
from chatd.service.recent_messages import RecentMessages
from chatd.service.rooms import forbidden
from chatd.service.routes import Route, Routes
from chatd.service.senders import Origin
from chatd.service.timeline import Timelines
from chatd.store import MessageReader, StoreReadFailed
from chatd.wire.codes import Code, Refusal
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import ChatAck

RECEIPTS_PER_COMMIT = 1_000  # messages that one command is the first to acknowledge
RECEIPTS_PER_ACK = 10_000  # the same for one `chat:ack`; older ones are left to the next
SEQS_PER_READ = 10_000  # messages that one read of the log goes through, delivered ones too


@attrs.define(eq=False)
class AckEvents:
    """Submits acknowledgements.

    One `chat:ack` is the first for `receipts_per_ack` messages at most, the newest: if nobody has
    ever acknowledged still more, the next one with `upTo` goes on with the older ones. One command
    holds `receipts_per_commit`, one read of the log goes through `seqs_per_read` messages.
    """

    _commands: Commands
    _timelines: Timelines
    _messages: MessageReader
    _recent: RecentMessages
    _receipts_per_commit: int = attrs.field(default=RECEIPTS_PER_COMMIT, kw_only=True)
    _receipts_per_ack: int = attrs.field(default=RECEIPTS_PER_ACK, kw_only=True)
    _seqs_per_read: int = attrs.field(default=SEQS_PER_READ, kw_only=True)

    def routes(self) -> Routes:
        return {ClientEvent.CHAT_ACK: Route(ChatAck, self.acknowledge)}

    def acknowledge(self, client: Client, ack: ChatAck, ack_id: int | None) -> Handled:
        message_id = canonical_message_id(ack.message_id)
        if isinstance(message_id, Refusal):
            return message_id
        room = ack.connection_id
        if room is not None and room not in client.grants:
            return forbidden(room)
        rooms = client.rooms if room is None else (room,)
        message = self._timelines.find(message_id, rooms)
        if message is None:
            return self._acknowledge_old(client, message_id, room, ack_id, up_to=bool(ack.up_to))
        return self._acknowledge(client, message, ack_id, up_to=bool(ack.up_to))

    async def _acknowledge_old(
        self,
        client: Client,
        message_id: str,
        room: str | None,
        ack_id: int | None,
        *,
        up_to: bool,
    ) -> Outcome:
        """The message is not among the recent ones: ask the log for it.

        The actor may not have applied yet what the log has: that is settled first.
        """
        try:
            rooms = client.grants if room is None else (room,)
            message = await self._messages.message(message_id, rooms)
        except StoreReadFailed:
            return Refusal(Code.STORAGE_READ_ERROR)
        if message is None:
            return _not_found()
        await self._commands.barrier(client)
        return await outcome_of(self._acknowledge(client, message, ack_id, up_to=up_to))

    def _acknowledge(
        self, client: Client, message: Message, ack_id: int | None, *, up_to: bool
    ) -> Handled:
        room, seq, user_id = message.connection_id, message.seq, client.user_id
        if room not in client.grants:
            return _not_found()
        first_seq = max(1 if up_to else seq, self._recent.settled_to(room, user_id) + 1)
        if min(seq, self._recent_from(room, seq) - 1) < first_seq:
            most = self._receipts_per_commit
            receipts = self._recent.undelivered(room, user_id, first_seq, seq, most)
            if len(receipts) < most:
                origin = Origin(client, ClientEvent.CHAT_ACK, ack_id)
                settles_to = seq if up_to else 0
                return self._commands.submit(
                    Acknowledge(origin, user_id, message, up_to, receipts, settles_to)
                )
        return self._acknowledge_in_pieces(client, message, first_seq, ack_id, up_to=up_to)

    async def _acknowledge_in_pieces(
        self, client: Client, message: Message, first_seq: int, ack_id: int | None, *, up_to: bool
    ) -> Outcome:
        below, left = message.seq + 1, self._receipts_per_ack
        while not client.is_gone:
            try:
                receipts, below = await self._piece(
                    message.connection_id, client.user_id, first_seq, below
                )
            except StoreReadFailed:
                return Refusal(Code.STORAGE_READ_ERROR)
            left -= len(receipts)
            if below <= first_seq or left <= 0:
                origin = Origin(client, ClientEvent.CHAT_ACK, ack_id)
                settles_to = message.seq if up_to and below <= first_seq else 0
                return await outcome_of(
                    self._commands.submit(
                        Acknowledge(origin, client.user_id, message, up_to, receipts, settles_to)
                    )
                )
            if receipts:
                refusal = await self._commands.acknowledge_part(
                    client, message, receipts, up_to=up_to
                )
                if refusal is not None:
                    return refusal
        return None

    async def _piece(
        self, room: str, user_id: str, first_seq: int, below: int
    ) -> tuple[tuple[MessagePlace, ...], int]:
        """The newest messages from `first_seq` on and below `below` that the user is the first to
        acknowledge, oldest first, as many as go into a commit; and the seq down to which these are
        all, `first_seq` in the end. Raises StoreReadFailed."""
        most, recent_from = self._receipts_per_commit, self._recent_from(room, below - 1)
        first_recent = max(first_seq, recent_from)
        recent = self._recent.undelivered(room, user_id, first_recent, below - 1, most)
        space, last_old = most - len(recent), min(below, recent_from) - 1
        if space == 0:
            return recent, recent[0].seq
        if last_old < first_seq:
            return recent, first_seq
        first_read = max(first_seq, last_old - self._seqs_per_read + 1)
        old = await self._messages.undelivered(room, user_id, first_read, last_old, space)
        return (*old, *recent), old[0].seq if len(old) == space else first_read

    def _recent_from(self, room: str, up_to: int) -> int:
        """The first seq from which on memory knows all receipts of messages up to a seq: it knows
        nothing of what other nodes have stored behind its own last one."""
        is_known = up_to <= self._recent.last_seq(room)
        return self._recent.recent_from(room) if is_known else up_to + 1


def _not_found() -> Refusal:
    return Refusal(Code.NOT_FOUND, path="messageId")
