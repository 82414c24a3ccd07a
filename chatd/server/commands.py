"""Commands on their way to the messages actor: handed over at once, or as soon as there is space.

Waiting goes one way only. A mailbox that is full stops the input of the socket that met it; whoever
waits is told `draining` where the mailbox closes meanwhile.
"""

from functools import partial

import trio

from chatd.actors.mailbox import Mailbox
from chatd.chat.messages import Acknowledge, Command, JoinRooms, SendMessage
from chatd.server.clients import Client
from chatd.server.effects import Origin
from chatd.server.replies import message_refused, refused
from chatd.server.session import Later
from chatd.wire.codes import Code, Refusal
from chatd.wire.names import ClientEvent


class Commands:
    """The way to one mailbox."""

    def __init__(self, mailbox: Mailbox[Command]) -> None:
        self._mailbox = mailbox

    def submit(self, command: Command) -> Later | None:
        """Give a command to the actor; where its mailbox is full, wait for space."""
        if self._mailbox.offer(command):
            return None
        return partial(self._submit_later, command)

    async def barrier(self, client: Client) -> None:
        """Return when everything that was submitted before is settled."""
        settled = trio.Event()
        later = self.submit(
            JoinRooms(Origin(client, None, settled=settled), client.identity.user_id, ())
        )
        if later is not None:
            await later()
        await settled.wait()

    async def _submit_later(self, command: Command) -> None:
        while not self._mailbox.offer(command):
            if self._mailbox.is_closed:
                origin: Origin = command.origin
                refusal = Refusal(Code.DRAINING)
                socket = origin.client.socket
                if isinstance(command, JoinRooms) and not command.connection_ids:
                    pass  # a barrier: nobody asked for it
                elif isinstance(command, SendMessage):
                    message_refused(socket, origin.ack_id, origin.written_id, refusal)
                else:
                    event = (
                        ClientEvent.CHAT_ACK
                        if isinstance(command, Acknowledge)
                        else ClientEvent.CONNECTION_JOIN
                    )
                    refused(socket, event, origin.ack_id, refusal)
                if origin.settled is not None:
                    origin.settled.set()
                return
            await self._mailbox.space()
