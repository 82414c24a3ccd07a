"""What several nodes know together of a member of a room.

A user may have sockets in a room on several nodes: it is away once it has none on any of them. Each
node keeps members in memory, and what it knows may be out of date. So a member carries the version
of its row in the log; a node that changes it names the version that the change rests on, and if the
log has another one, nothing is written (`chatd.chat.commits.Behind`). A node that has its log alone
needs none of this: no member has a share there.
"""

import attrs

from chatd.chat.queue import Queue


@attrs.frozen
class Share:
    """`stays`: the nodes on which the user has a socket in the room, by the number of their life.
    `seen_seq`: what it had seen where it left while it was still on another node: nothing up to
    that is owed once it has left everywhere. `version`: that of the row; 0 if there is no row."""

    stays: frozenset[int] = frozenset()
    version: int = 0
    seen_seq: int = 0

    def has_left(self, node: int, seen_seq: int) -> "Share":
        """The user has no socket on this node any longer, and has seen so much there."""
        stays, seen_seq = self.stays - {node}, max(self.seen_seq, seen_seq)
        return attrs.evolve(self, stays=stays, seen_seq=seen_seq)


NOBODY = Share()


@attrs.frozen
class SharedMember:
    """A member of a room as the log has it: what it is owed, up to where it has read the room, and
    its name, None if none is known."""

    queue: Queue
    read_seq: int
    name: str | None
    share: Share


@attrs.frozen
class Seen:
    """What was seen in the log of a user in a room: a member, None if the user is no longer one;
    and its version."""

    connection_id: str
    user_id: str
    member: SharedMember | None
    version: int
