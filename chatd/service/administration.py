"""What operators see of the running daemon, and may do to it (docs/administration, "Commands").

None of it holds the content of a message. Each action has an entry in the audit before it is done,
its end afterwards, and an event of the log; if the disk does not take the entry, nothing is done.
An action that fails has no end.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import attrs

from chatd.chat.audit import BEGUN, DONE, NOTHING, AuditAction, AuditEnd, AuditEntry
from chatd.chat.content import check_content
from chatd.chat.message_state import MessageState
from chatd.chat.messages import SendMessage
from chatd.observe import AdministratorActed, EventLog
from chatd.observe.clock import Clock
from chatd.observe.ids import new_uuid, unguessable_id
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
"""Rooms or users in one list; `total` says how many there are."""
BOT_REVOKED: Final = "The token of a bot is revoked by taking it out of [api.tokens], and a reload."
SYSTEM_NAME: Final = "Administrator"
"""What the system user is called."""


@attrs.frozen
class Acted:
    """What came of an action: how many sessions or rooms of this node it was about, and the
    `outcome` as the audit has it."""

    count: int
    outcome: str


@attrs.frozen
class _Begun:
    """An action whose beginning the audit has."""

    action: AuditAction
    target: str
    by: str
    span: str


@attrs.define(eq=False)
class Administration:
    """Looks and actions of administrators; `by` is who does it, as the audit has it.

    `status` gives what the daemon says of itself. `revoke` ends the sessions of a user, and refuses
    the tokens that were issued until now; it returns how many sessions there were.
    """

    _state: MessageState
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
            "rooms": len(self._state.rooms()),
            "users": len(users),
            "sockets": self._clients.count,
        }

    def rooms(self) -> dict[str, Any]:
        """The rooms that the log knows, or that somebody is in; those with the most people
        first."""
        present = Counter(room for room, _ in self._occupancy.pairs())
        names = {*self._state.rooms(), *present}
        ordered = sorted(names, key=lambda room: (-present[room], room))
        listed = [
            {
                "connectionId": room,
                "present": present[room],
                "members": len(self._state.members.of_room(room)),
                "lastSeq": self._state.last_seq(room),
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
                "rooms": sorted({room for client in clients for room in client.rooms}),
                "sockets": [
                    {
                        "socketId": client.socket.id,
                        "address": client.address,
                        "rooms": len(client.rooms),
                        "expiresAt": client.identity.expires_at_ms,
                    }
                    for client in clients
                ],
            }
            for user_id, clients in sorted(by_user.items())[:LISTED_MAX]
        ]
        return {"total": len(by_user), "users": listed}

    # Actions

    async def kick(self, target: str, by: str) -> Acted | Refusal:
        """End the sessions of a user, or the session of a socket; the client may come back. Returns
        how many ended on this node. Other nodes are told, and do not say what they found."""
        begun = await self._begin(AuditAction.KICK, by, target=target)
        if isinstance(begun, Refusal):
            return begun
        kicked = self._kicks.kick(target)
        is_nothing = kicked == 0 and self._kicks.is_alone
        return await self._end(begun, kicked, NOTHING if is_nothing else DONE)

    async def revoke(self, user_id: str, by: str) -> Acted | Refusal:
        """End the sessions of a user, and return how many; tokens that were issued until now are no
        longer good."""
        if user_id.startswith(BOT_USER_PREFIX):
            return Refusal(Code.INVALID_PAYLOAD, BOT_REVOKED)
        if not is_user_id(user_id):
            return Refusal(Code.INVALID_PAYLOAD, f"A user id is {USER_ID_RULE}.")
        begun = await self._begin(AuditAction.REVOKE, by, target=user_id)
        if isinstance(begun, Refusal):
            return begun
        try:
            ended = await self._revoke(user_id)
        except RevocationNotKept as error:
            return Refusal(Code.STORAGE_ERROR, str(error))
        return await self._end(begun, ended, DONE)

    def knows(self, user_id: str) -> bool:
        """Whether somebody of this id is connected, or is a member of a room."""
        return bool(self._clients.of(user_id)) or bool(self._state.members.rooms_of(user_id))

    async def say(self, connection_id: str | None, content: str, by: str) -> Acted | Refusal:
        """Say something in a room, or in all rooms that somebody is in; returns in how many it was
        said."""
        refusal = check_content(content, self._content_chars)
        if refusal is not None:
            return refusal
        present = dict.fromkeys(room for room, _ in self._occupancy.pairs())
        if connection_id is None:
            rooms = list(present)
        elif connection_id in present or connection_id in self._state.rooms():
            rooms = [connection_id]
        else:
            return Refusal(Code.NOT_FOUND, "There is no such room.")
        begun = await self._begin(AuditAction.SAY, by, connection_id=connection_id)
        if isinstance(begun, Refusal):
            return begun
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
        return await self._end(begun, len(rooms), DONE if rooms else NOTHING)

    async def _begin(
        self,
        action: AuditAction,
        by: str,
        target: str | None = None,
        connection_id: str | None = None,
    ) -> _Begun | Refusal:
        """Write the beginning into the audit; returns why, if the audit did not take it."""
        begun = _Begun(action, target or connection_id or "*", by, unguessable_id())
        entry = AuditEntry(
            action,
            self._clock.wall_ms(),
            by,
            BEGUN,
            connection_id=connection_id,
            target=target,
            span=begun.span,
        )
        refusal = await self._trail.append(entry)
        return begun if refusal is None else refusal

    async def _end(self, begun: _Begun, count: int, outcome: str) -> Acted:
        """Tell the log and the audit how an action ended. The action is done, whether or not the
        disk takes this."""
        self._event_log.record(
            AdministratorActed(str(begun.action), begun.target, begun.by, outcome)
        )
        await self._trail.append(AuditEnd(begun.span, self._clock.wall_ms(), outcome))
        return Acted(count, outcome)
