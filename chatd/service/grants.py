"""What a client may use, once that has changed: it leaves rooms that are gone, and is told of rooms
that are new, and of its roles. Statements of its user that write are ended where the user may write
no longer."""

from collections.abc import Mapping
from typing import Protocol

import attrs

from chatd.auth import Grant
from chatd.chat.markup import Markup
from chatd.service.client import Client
from chatd.service.clients import Clients
from chatd.service.rooms import Rooms
from chatd.wire.codes import Code, Refusal
from chatd.wire.events import RoleChanged, RoomGranted, RoomRevoked


class WritingAnswers(Protocol):
    """Answers whose statements may write."""

    def end_writing(self, user_id: str, connection_id: str | None = None) -> None:
        """End those of a user in a room, None: in all rooms; never waits."""
        ...


@attrs.frozen(eq=False)
class Granting:
    """Gives clients other grants."""

    _rooms: Rooms
    _clients: Clients
    _answers: WritingAnswers
    _markup: Markup

    def give(self, client: Client, grants: Mapping[str, Grant]) -> bool:
        """Let the client use these rooms from now on, and take it out of others at once; returns
        whether it was in one of those."""
        is_out = False
        before, client.grants = client.grants, grants
        for room in list(client.rooms):
            grant = grants.get(room)
            if grant is None:
                is_out = True
                self._rooms.leave(client, [room])
                client.send(RoomRevoked(room))
            elif room in before and before[room].role is not grant.role:
                client.send(RoleChanged(room, grant.role))
        if client.is_greeted:
            for room, grant in grants.items():
                if room not in before:
                    client.send(self._granted(grant))
        self._rooms.end_memberships(client, self._rooms.standing(client))
        for room, had in before.items():
            if had.may_write and not self._may_write(client.user_id, room):
                self._answers.end_writing(client.user_id, room)
        return is_out

    def _granted(self, grant: Grant) -> RoomGranted:
        title = None if grant.title is None else self._markup(grant.title)
        return RoomGranted(grant.connection_id, grant.role, title)

    def _may_write(self, user_id: str, room: str) -> bool:
        """Whether a client of the user may write in a room."""
        clients = self._clients.of(user_id)
        return any(refusal_to_write(client.grants, room) is None for client in clients)


def refusal_to_write(grants: Mapping[str, Grant], room: str) -> Refusal | None:
    """Why these grants do not let their user write in a room; None if they do."""
    grant = grants.get(room)
    if grant is None:
        return Refusal(Code.FORBIDDEN_ROOM, path="connectionId", connection_id=room)
    if not grant.may_write:
        return Refusal(Code.READ_ONLY_ROOM, path="connectionId", connection_id=room)
    return None
