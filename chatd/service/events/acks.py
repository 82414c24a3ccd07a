"""Acknowledgements on their way to the actor, with the messages that they are the first for.

With `upTo` all of the room up to a message is acknowledged (SPEC 3), be it from before the start:
what nobody has acknowledged is looked up where it is known. Memory knows it of recent messages, the
log of all; and where a user has acknowledged everything up to some seq, nothing below it is looked
up again (`chatd.chat.receipts`). So as a rule an acknowledgement goes to the actor at once.

What is more than one commit should hold goes in pieces, from the acknowledged message back. Each is
a command of its own, and the next is looked up when it is in the log. The last one carries the
answer: `ok` says that all of it is committed. Where it is cut short, what is done stays done, and
doing it again does the rest.
"""

from typing import Protocol

from chatd.chat.messages import Acknowledge
from chatd.chat.records import Message, MessagePlace
from chatd.engine.transport import Work
from chatd.service.acks import refused
from chatd.service.clients import Client
from chatd.service.commands import Commands
from chatd.service.senders import Origin
from chatd.store import StoreReadFailed
from chatd.wire.codes import Code, Refusal
from chatd.wire.names import ClientEvent

RECEIPTS_PER_COMMIT = 1_000  # messages that one command is the first to acknowledge
RECEIPTS_PER_ACK = 10_000  # the same for one `chat:ack`; older ones are left to the next
SEQS_PER_LOOK = 10_000  # messages that one read of the log goes through, delivered ones too


class Reader(Protocol):
    """What the log knows of messages that nobody has acknowledged."""

    async def undelivered(
        self, connection_id: str, user_id: str, first_seq: int, last_seq: int, limit: int
    ) -> tuple[MessagePlace, ...]:
        """The newest of a range that others wrote and nobody has acknowledged, oldest first."""
        ...


class Members(Protocol):
    """What the actor knows of them, to be looked at between its batches."""

    def recent_from(self, connection_id: str) -> int:
        """The first seq of a room from which on receipts are known without the log."""
        ...

    def settled_to(self, connection_id: str, user_id: str) -> int:
        """The seq of a room up to which the user is the first to acknowledge nothing any more."""
        ...

    def undelivered(
        self, connection_id: str, user_id: str, first_seq: int, last_seq: int, limit: int
    ) -> tuple[MessagePlace, ...]:
        """As of the log, among the recent messages."""
        ...


class Receipts:
    """Hands acknowledgements over.

    One `chat:ack` is the first for `RECEIPTS_PER_ACK` messages at most, the newest: where more were
    never acknowledged by anybody, the next one with `upTo` goes on with what is older.
    """

    def __init__(self, commands: Commands, readers: Reader, members: Members) -> None:
        self._commands = commands
        self._readers = readers
        self._members = members

    def acknowledge(
        self, client: Client, message: Message, ack_id: int | None, *, up_to: bool
    ) -> Work | None:
        """The client has this message, which the actor knows of, or with `up_to` all up to it."""
        room, seq, user_id = message.connection_id, message.seq, client.identity.user_id
        first_seq = max(1 if up_to else seq, self._members.settled_to(room, user_id) + 1)
        if min(seq, self._members.recent_from(room) - 1) < first_seq:
            receipts = self._members.undelivered(room, user_id, first_seq, seq, RECEIPTS_PER_COMMIT)
            if len(receipts) < RECEIPTS_PER_COMMIT:
                origin = Origin(client, ClientEvent.CHAT_ACK, ack_id)
                settles_to = seq if up_to else 0
                return self._commands.submit(
                    Acknowledge(origin, user_id, message, up_to, receipts, settles_to)
                )
        return self._in_pieces(client, message, first_seq, ack_id, up_to=up_to)

    async def _in_pieces(
        self, client: Client, message: Message, first_seq: int, ack_id: int | None, *, up_to: bool
    ) -> None:
        user_id = client.identity.user_id
        below, left = message.seq + 1, RECEIPTS_PER_ACK
        while not client.socket.session.is_over:
            try:
                receipts, below = await self._piece(
                    message.connection_id, user_id, first_seq, below
                )
            except StoreReadFailed:
                self._refuse(client, ack_id, Refusal(Code.STORAGE_READ_ERROR))
                return
            left -= len(receipts)
            if below <= first_seq or left <= 0:
                origin = Origin(client, ClientEvent.CHAT_ACK, ack_id)
                settles_to = message.seq if up_to and below <= first_seq else 0
                work = self._commands.submit(
                    Acknowledge(origin, user_id, message, up_to, receipts, settles_to)
                )
                if work is not None:
                    await work
                return
            if receipts:
                refusal = await self._commands.acknowledge_part(
                    client, user_id, message, receipts, up_to=up_to
                )
                if refusal is not None:
                    self._refuse(client, ack_id, refusal)
                    return

    async def _piece(
        self, room: str, user_id: str, first_seq: int, below: int
    ) -> tuple[tuple[MessagePlace, ...], int]:
        """The newest of `first_seq` up to `below` that are the user's to acknowledge, oldest first,
        as many as go into a commit; and the seq down to which these are all, `first_seq` in the
        end. Raises StoreReadFailed."""
        recent_from = self._members.recent_from(room)
        recent = self._members.undelivered(room, user_id, first_seq, below - 1, RECEIPTS_PER_COMMIT)
        space, last_old = RECEIPTS_PER_COMMIT - len(recent), min(below, recent_from) - 1
        if space == 0:
            return recent, recent[0].seq
        if last_old < first_seq:
            return recent, first_seq
        first_looked = max(first_seq, last_old - SEQS_PER_LOOK + 1)
        old = await self._readers.undelivered(room, user_id, first_looked, last_old, space)
        return (*old, *recent), old[0].seq if len(old) == space else first_looked

    def _refuse(self, client: Client, ack_id: int | None, refusal: Refusal) -> None:
        refused(client.socket, ClientEvent.CHAT_ACK, ack_id, refusal)
