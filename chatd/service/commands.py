"""Commands on their way to the actors: delivered at once, or as soon as there is space.

Waiting goes one way only. A full mailbox stops the input of the socket whose command does not fit;
if the mailbox closes meanwhile, the command is refused with `draining`.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from chatd.actors.mailbox import Mailbox
from chatd.chat.messages import (
    Acknowledge,
    Audit,
    Barrier,
    ChangeCommand,
    ClearOverflow,
    Command,
    EraseMessages,
    ForgetMessages,
    JoinRooms,
    LeaveRooms,
    MarkRead,
    NoteRead,
    RemoveMember,
    Reply,
    SendMessage,
    TrimQueues,
)
from chatd.chat.queue import QueueCut
from chatd.chat.records import Message, MessagePlace, OpenAnswer
from chatd.service.client import Client
from chatd.service.senders import Origin, TaskOrigin
from chatd.store.retention import Surplus
from chatd.wire.codes import Code, Refusal
from chatd.wire.identifiers import RESERVED_USER_PREFIX

T = TypeVar("T")
Settling: TypeAlias = (
    SendMessage
    | JoinRooms
    | Acknowledge
    | TrimQueues
    | RemoveMember
    | EraseMessages
    | Audit
    | Barrier
)


MARKERS_WAIT_S = 0.2  # for a commit to share, so that messages seldom wait for one of markers


def deliver(
    mailbox: Mailbox[T],
    command: T,
    origin: Origin | TaskOrigin,
    patience_s: float = 0.0,
    *,
    is_urgent: bool = False,
) -> Coroutine[Any, Any, None] | None:
    """Give a command to an actor; if its mailbox is full, the coroutine waits for space."""
    if mailbox.offer(command, patience_s, is_urgent=is_urgent):
        return None
    return _deliver_later(mailbox, command, origin)


async def _deliver_later(mailbox: Mailbox[T], command: T, origin: Origin | TaskOrigin) -> None:
    while not origin.is_gone:
        if mailbox.offer(command):
            return
        if mailbox.is_closed:
            origin.refuse(Refusal(Code.DRAINING))
            return
        await mailbox.space()
    origin.settle()


def _is_urgent(command: Command) -> bool:
    """Whether somebody waits for more than its ack: the asker of a question waits for its first
    row, as the database begins once the question is in the log; and for the end of the answer."""
    if not isinstance(command, SendMessage):
        return False
    return command.asks is not None or command.reply is not None


class Commands:
    """The way to the messages actor."""

    def __init__(self, mailbox: Mailbox[Command]) -> None:
        self._mailbox = mailbox

    def mark_read(self, command: MarkRead) -> Coroutine[Any, Any, None] | None:
        """As `submit`; it may wait for `MARKERS_WAIT_S`."""
        return deliver(self._mailbox, command, command.origin, MARKERS_WAIT_S)

    def submit(
        self, command: SendMessage | Acknowledge | ChangeCommand
    ) -> Coroutine[Any, Any, None] | None:
        """Give a command to the actor; if its mailbox is full, the coroutine waits for space."""
        is_urgent = _is_urgent(command)
        return deliver(self._mailbox, command, command.origin, is_urgent=is_urgent)

    def post(self, command: LeaveRooms | RemoveMember | ClearOverflow | Audit) -> None:
        """Give the actor a command that must not be lost, and whose outcome nobody waits for."""
        self._mailbox.put(command)

    async def remove_member(self, connection_id: str, user_id: str) -> Refusal | None:
        """End a membership, and return when it has ended, or why it has not."""
        origin = TaskOrigin()
        await self.settle(RemoveMember(user_id, (connection_id,), origin))
        return origin.refusal

    def note_read(self, answer: OpenAnswer, *, is_question: bool) -> None:
        """Record that a message was read for a question; if this is lost, the next start reads the
        message again."""
        self._mailbox.put(NoteRead(answer, is_question), MARKERS_WAIT_S)

    async def settle(self, command: Settling) -> None:
        """Give a command to the actor, and return at its end."""
        is_urgent = _is_urgent(command)
        work = deliver(self._mailbox, command, command.origin, is_urgent=is_urgent)
        if work is not None:
            await work
        await command.origin.settled.wait()

    async def trim(self, client: Client, cuts: Mapping[str, QueueCut]) -> None:
        """Drop from the user's queues what is below `cuts`; return when it is done."""
        await self.settle(TrimQueues(TaskOrigin(client), client.user_id, cuts))

    async def acknowledge_part(
        self,
        client: Client,
        message: Message,
        receipts: tuple[MessagePlace, ...],
        *,
        up_to: bool,
    ) -> Refusal | None:
        """Return when a part of an acknowledgement is in the log, or why it is not. The client is
        not answered."""
        origin = TaskOrigin(client)
        await self.settle(Acknowledge(origin, client.user_id, message, up_to, receipts))
        return origin.refusal

    async def barrier(self, client: Client) -> None:
        """Return when everything that was submitted before is settled."""
        await self.settle(Barrier(TaskOrigin(client)))

    async def disown(self, surplus: Sequence[Surplus]) -> bool:
        """Take what retention removes out of the queues of members; False if that failed."""
        commands = [
            ForgetMessages(one.connection_id, one.first_kept, TaskOrigin()) for one in surplus
        ]
        for command in commands:
            work = deliver(self._mailbox, command, command.origin)
            if work is not None:
                await work
        for command in commands:
            await command.origin.settled.wait()
        return all(command.origin.refusal is None for command in commands)

    async def conclude(
        self, answer: OpenAnswer, content: str, reply: Reply, on_stored: Callable[[], None]
    ) -> Refusal | None:
        """Store the message that ends an answer; or why it is not stored.

        `on_stored` is called once it is, before its room gets it.
        """
        origin = TaskOrigin(on_stored=on_stored)
        await self.settle(
            SendMessage(
                origin,
                f"{RESERVED_USER_PREFIX}{answer.connection_id}",
                None,
                answer.answer_id,
                answer.connection_id,
                content,
                None,
                answer.thread_id,
                reply=reply,
            )
        )
        return origin.refusal
