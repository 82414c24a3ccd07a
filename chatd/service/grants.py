"""What a client may use, once that has changed: rooms that are gone are left, roles are told."""

from collections.abc import Mapping

from chatd.auth import Grant
from chatd.service.client import Client
from chatd.service.rooms import Rooms
from chatd.wire.codes import Code, Refusal
from chatd.wire.events import RoleChanged, RoomRevoked


def give(rooms: Rooms, client: Client, grants: Mapping[str, Grant]) -> bool:
    """The client may use these rooms from now on, and is taken out of others at once; whether it
    was in one of those."""
    is_out = False
    before, client.grants = client.grants, grants
    for room in list(client.wanted):
        grant = grants.get(room)
        if grant is None:
            is_out = True
            rooms.leave(client, [room])
            client.send(RoomRevoked(room))
        elif room in before and before[room].role is not grant.role:
            client.send(RoleChanged(room, grant.role))
    rooms.end_memberships(client, rooms.standing(client))
    return is_out


def refusal_to_write(grants: Mapping[str, Grant], room: str) -> Refusal | None:
    """Why these grants do not let their user write in a room; None where they do."""
    grant = grants.get(room)
    if grant is None:
        return Refusal(Code.FORBIDDEN_ROOM, path="connectionId", connection_id=room)
    if not grant.may_write:
        return Refusal(Code.READ_ONLY_ROOM, path="connectionId", connection_id=room)
    return None
