"""Up to where users have seen their rooms when a node ends, for the nodes that stay."""

from chatd.app.build import Parts
from chatd.chat.messages import LeaveRooms


def last_seen(parts: Parts) -> dict[tuple[str, str], int]:
    """Up to where those have seen their rooms who are there now, or have left and the log does
    not know it yet: by connectionId and userId."""
    seen: dict[tuple[str, str], int] = {}
    for command in (*parts.messages.ledger.kept, *parts.messages.mailbox.left()):
        if isinstance(command, LeaveRooms):
            for room, seq in command.rooms:
                seen.setdefault((room, command.user_id), seq)
    for client in parts.publishing.clients.everybody():
        for room in client.rooms:
            key = (room, client.user_id)
            if not client.is_unseen:
                seen[key] = max(parts.entering.rooms.seen_seq(client, room), seen.get(key, 0))
    return seen
