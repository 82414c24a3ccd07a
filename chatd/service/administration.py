"""What operators see of the running daemon, and may do to it (docs/administration, "Commands").

No content of a message is in any of it. Each action has an entry in the audit before it is done,
and an event of the log; where the disk does not take the entry, nothing is done.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import attrs

from chatd.chat.audit import AuditAction, AuditEntry
from chatd.chat.content import check_content
from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import SendMessage
from chatd.observe import AdministratorActed, EventLog
from chatd.observe.clock import Clock
from chatd.observe.ids import new_uuid
from chatd.service.audit_trail import AuditTrail
from chatd.service.clients import Clients
from chatd.service.commands import Commands
from chatd.service.kicks import Kicks
from chatd.service.occupancy import Occupancy
from chatd.service.revoking import RevocationNotKept
from chatd.service.senders import TaskOrigin
from chatd.wire.codes import Code, Refusal
from chatd.wire.identifiers import BOT_USER_PREFIX, SYSTEM_USER, USER_ID_RULE, is_user_id

LISTED_MAX: Final = 1_000
"""Rooms or users of one list; `total` says how many there are."""
BOT_REVOKED: Final = "The token of a bot is revoked by taking it out of [api.tokens], and a reload."
SYSTEM_NAME: Final = "Administrator"
"""What the system user is called."""


@attrs.define(eq=False)
class Administration:
    """Looks and actions of administrators; `by` is who does it, as the audit has it.

    `status` gives what the daemon says of itself. `revoke` ends the sessions of a user, and has the
    tokens refused that were issued until now; it returns how many sessions there were.
    """

    _machine: MessageMachine
    _clients: Clients
    _occupancy: Occupancy
    _commands: Commands
    _trail: AuditTrail
    _clock: Clock
    _event_log: EventLog
    _status: Callable[[], Mapping[str, Any]]
    _kicks: Kicks
    _revoke: Callable[[str], Awaitable[int]]
    _content_chars: int = attrs.field(kw_only=True)

    # Looks

    def status(self) -> dict[str, Any]:
        """The state of the daemon, and how many of everything there are."""
        users = {client.user_id for client in self._clients.everybody()}
        return {
            **self._status(),
            "rooms": len(self._machine.rooms()),
            "users": len(users),
            "sockets": self._clients.count,
        }

    def rooms(self) -> dict[str, Any]:
        """The rooms that the log knows, or somebody is in; those with the most people first."""
        present = Counter(room for room, _ in self._occupancy.pairs())
        names = {*self._machine.rooms(), *present}
        ordered = sorted(names, key=lambda room: (-present[room], room))
        listed = [
            {
                "connectionId": room,
                "present": present[room],
                "members": len(self._machine.members.of_room(room)),
                "lastSeq": self._machine.last_seq(room),
            }
            for room in ordered[:LISTED_MAX]
        ]
        return {"total": len(names), "rooms": listed}

    def users(self) -> dict[str, Any]:
        """The users who are connected, by id, with their sockets."""
        by_user: dict[str, list[Any]] = {}
        for client in self._clients.everybody():
            by_user.setdefault(client.user_id, []).append(client)
        listed = [
            {
                "userId": user_id,
                "name": clients[0].identity.name,
                "rooms": sorted({room for client in clients for room in client.wanted}),
                "sockets": [
                    {
                        "socketId": client.socket.id,
                        "address": client.address,
                        "rooms": len(client.wanted),
                        "expiresAt": client.identity.expires_at_ms,
                    }
                    for client in clients
                ],
            }
            for user_id, clients in sorted(by_user.items())[:LISTED_MAX]
        ]
        return {"total": len(by_user), "users": listed}

    # Actions

    async def kick(self, target: str, by: str) -> int | Refusal:
        """End the sessions of a user, or the one of a socket, which may come back; how many on this
        node."""
        refusal = await self._note(AuditAction.KICK, by, target=target)
        if refusal is not None:
            return refusal
        kicked = self._kicks.kick(target)
        self._done(AuditAction.KICK, target, by)
        return kicked

    async def revoke(self, user_id: str, by: str) -> int | Refusal:
        """End the sessions of a user, and return how many; tokens that were issued until now are
        good no more."""
        if user_id.startswith(BOT_USER_PREFIX):
            return Refusal(Code.INVALID_PAYLOAD, BOT_REVOKED)
        if not is_user_id(user_id):
            return Refusal(Code.INVALID_PAYLOAD, f"A user id is {USER_ID_RULE}.")
        refusal = await self._note(AuditAction.REVOKE, by, target=user_id)
        if refusal is not None:
            return refusal
        try:
            ended = await self._revoke(user_id)
        except RevocationNotKept as error:
            return Refusal(Code.STORAGE_ERROR, str(error))
        self._done(AuditAction.REVOKE, user_id, by)
        return ended

    def knows(self, user_id: str) -> bool:
        """Whether somebody of this id is connected, or is a member of a room."""
        return bool(self._clients.of(user_id)) or bool(self._machine.members.rooms_of(user_id))

    async def say(self, connection_id: str | None, content: str, by: str) -> int | Refusal:
        """Say something in a room, or in all in which somebody is; in how many it was said."""
        refusal = check_content(content, self._content_chars)
        if refusal is not None:
            return refusal
        present = dict.fromkeys(room for room, _ in self._occupancy.pairs())
        if connection_id is None:
            rooms = list(present)
        elif connection_id in present or connection_id in self._machine.rooms():
            rooms = [connection_id]
        else:
            return Refusal(Code.NOT_FOUND, "There is no such room.")
        refusal = await self._note(AuditAction.SAY, by, connection_id=connection_id)
        if refusal is not None:
            return refusal
        origins = [TaskOrigin() for _ in rooms]
        for room, origin in zip(rooms, origins, strict=True):  # they share commits
            message_id = new_uuid()
            work = self._commands.submit(
                SendMessage(origin, SYSTEM_USER, SYSTEM_NAME, message_id, room, content, None, None)
            )
            if work is not None:
                await work
        for origin in origins:
            await origin.settled.wait()
            if origin.refusal is not None:
                return origin.refusal
        self._done(AuditAction.SAY, connection_id or "*", by)
        return len(rooms)

    async def _note(
        self,
        action: AuditAction,
        by: str,
        target: str | None = None,
        connection_id: str | None = None,
    ) -> Refusal | None:
        now_ms = self._clock.wall_ms()
        return await self._trail.append(
            AuditEntry(action, now_ms, by, "done", connection_id=connection_id, target=target)
        )

    def _done(self, action: AuditAction, target: str, by: str) -> None:
        self._event_log.record(AdministratorActed(str(action), target, by, "done"))
