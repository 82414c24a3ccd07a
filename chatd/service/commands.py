"""Commands on their way to the actors: handed over at once, or as soon as there is space.

Waiting goes one way only. A mailbox that is full stops the input of the socket that met it; whoever
waits is told `draining` where the mailbox closes meanwhile.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import attrs
import trio

from chatd.actors.mailbox import Mailbox
from chatd.chat.messages import (
    Acknowledge,
    Barrier,
    Command,
    ForgetMessages,
    JoinRooms,
    LeaveRooms,
    NoteRead,
    OverflowTold,
    RemoveMember,
    Reply,
    SendMessage,
    TrimQueues,
)
from chatd.chat.records import Message, MessagePlace, OpenAnswer
from chatd.engine.transport import Work
from chatd.service.acks import refused
from chatd.service.clients import Client
from chatd.service.senders import Origin, Waiter
from chatd.sockets.socket import Socket
from chatd.store.retention import Surplus
from chatd.wire.codes import Code, Refusal
from chatd.wire.identifiers import RESERVED_USER_PREFIX
from chatd.wire.names import ClientEvent

T = TypeVar("T")


class Waits(Protocol):
    """Whoever asked for a command, and can be told that it will not be."""

    @property
    def is_gone(self) -> bool:
        """Whether nobody is left who asked."""
        ...

    def refuse(self, refusal: Refusal) -> None:
        """Tell why it will not be; whoever waits goes on."""
        ...

    def settle(self) -> None:
        """Whoever waits goes on."""
        ...


@attrs.frozen
class Answer:
    """Who is answered for an event whose answer is an ack, and nothing else."""

    socket: Socket
    event: ClientEvent
    ack_id: int | None

    @property
    def is_gone(self) -> bool:
        return self.socket.session.is_over

    def refuse(self, refusal: Refusal) -> None:
        refused(self.socket, self.event, self.ack_id, refusal)

    def settle(self) -> None:
        pass


def deliver(mailbox: Mailbox[T], command: T, asker: Waits) -> Work | None:
    """Give a command to an actor; where its mailbox is full, wait for space."""
    if mailbox.offer(command):
        return None
    return _deliver_later(mailbox, command, asker)


async def _deliver_later(mailbox: Mailbox[T], command: T, asker: Waits) -> None:
    while not asker.is_gone:
        if mailbox.offer(command):
            return
        if mailbox.is_closed:
            asker.refuse(Refusal(Code.DRAINING))
            return
        await mailbox.space()
    asker.settle()


class Commands:
    """The way to the messages actor."""

    def __init__(self, mailbox: Mailbox[Command]) -> None:
        self._mailbox = mailbox

    def submit(self, command: SendMessage | JoinRooms | Acknowledge) -> Work | None:
        """Give a command to the actor; where its mailbox is full, wait for space."""
        return deliver(self._mailbox, command, command.origin)

    def tell(self, command: LeaveRooms | RemoveMember | OverflowTold) -> None:
        """Give the actor a command that must not be lost, and that nobody waits for."""
        self._mailbox.put(command)

    def note_read(self, answer: OpenAnswer, *, is_question: bool) -> None:
        """Have the log know that a message was read; should it not be taken, the next start reads
        the message again."""
        self._mailbox.put(NoteRead(answer, is_question))

    async def trim(self, client: Client, cuts: dict[str, tuple[int, int]]) -> None:
        """Let fall out of the user's queues what is below `cuts`; return when it has."""
        origin = Origin(client, None, None, settled=trio.Event())
        await self._settle(TrimQueues(origin, client.identity.user_id, cuts), origin)

    async def acknowledge_part(
        self,
        client: Client,
        user_id: str,
        message: Message,
        receipts: tuple[MessagePlace, ...],
        *,
        up_to: bool,
    ) -> Refusal | None:
        """Return when a part of an acknowledgement is in the log; why it is not, where it is not.
        The client is told of neither."""
        origin = Origin(client, None, None, settled=trio.Event())
        await self._settle(Acknowledge(origin, user_id, message, up_to, receipts), origin)
        return origin.refusal

    async def barrier(self, client: Client) -> None:
        """Return when everything that was submitted before is settled."""
        origin = Origin(client, None, None, settled=trio.Event())
        await self._settle(Barrier(origin), origin)

    async def disown(self, surplus: Sequence[Surplus]) -> bool:
        """Take what retention removes out of the queues of members; False where that failed."""
        waiters = [Waiter() for _ in surplus]
        for one, waiter in zip(surplus, waiters, strict=True):
            command = ForgetMessages(one.connection_id, one.first_kept, waiter)
            work = deliver(self._mailbox, command, waiter)
            if work is not None:
                await work
        for waiter in waiters:
            await waiter.settled.wait()
        return all(waiter.refusal is None for waiter in waiters)

    async def conclude(
        self, answer: OpenAnswer, content: str, reply: Reply, told: Callable[[], None]
    ) -> Refusal | None:
        """Store the message that ends an answer; why it is not stored, where it is not.

        `told` is called once it is, before its room gets it.
        """
        waiter = Waiter(told)
        command = SendMessage(
            waiter,
            f"{RESERVED_USER_PREFIX}{answer.connection_id}",
            None,
            answer.answer_id,
            answer.connection_id,
            content,
            None,
            answer.thread_id,
            reply=reply,
        )
        work = deliver(self._mailbox, command, waiter)
        if work is not None:
            await work
        await waiter.settled.wait()
        return waiter.refusal

    async def _settle(self, command: Acknowledge | TrimQueues | Barrier, origin: Origin) -> None:
        work = deliver(self._mailbox, command, origin)
        if work is not None:
            await work
        assert origin.settled is not None
        await origin.settled.wait()
