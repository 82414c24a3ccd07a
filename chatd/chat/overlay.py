"""The overlay of a batch: what the batch has decided so far, over a state that it does not change.

The commands of one batch are decided one after the other, and each must see what those before it
came to: the second message of a room gets the next seq, a repeated id is found, a user who has just
joined is a member. But the state learns this only once the log has it. So each decision goes into
the overlay, and each lookup goes there first, and then to the state. A batch that is not committed
leaves no trace: its overlay is dropped.

`chatd.chat.sending`, `chatd.chat.membership`, `chatd.chat.acknowledging` and `chatd.chat.changing`
decide the commands.
"""

from chatd.chat.message_state import MessageState
from chatd.chat.queue import Queue
from chatd.chat.receipts import Frontier
from chatd.chat.records import MemberKept, MemberRemoved, Message, Record
from chatd.chat.shares import Share


class Overlay:
    """The decisions of one batch over `state`, were the records committed at `now_ms`."""

    def __init__(self, state: MessageState, now_ms: int) -> None:
        self.state = state
        self.now_ms = now_ms
        self.records: list[Record] = []  # what is to be committed, in this order

        # Of rooms, by connectionId
        self.seqs: dict[str, int] = {}  # the newest seq, where the batch stores messages
        self.revs: dict[str, int] = {}  # the newest rev, where it changes some
        self.frontiers: dict[str, Frontier] = {}  # how far the room is acknowledged
        self.kept_from: dict[str, int] = {}  # the first seq that retention has left

        # Of messages
        self.fresh: dict[str, Message] = {}  # the new ones, by the id under which they are stored
        self.has_scoped = False  # whether an id among those has a scope (`chatd.chat.ids`)
        self.changed: dict[tuple[str, int], Message] = {}  # as changed, by connectionId and seq
        self.delivered: set[tuple[str, int]] = set()  # first acknowledged now; likewise

        # Of answers
        self.promised: dict[str, str] = {}  # the room of each that was opened, by its messageId
        self.ended: set[str] = set()  # the questions whose answers have ended

        # Of members, by connectionId and userId
        self.queues: dict[tuple[str, str], Queue | None] = {}  # what is owed; None: it was removed
        self.read_seqs: dict[tuple[str, str], int] = {}  # up to where the room is read
        self.names: dict[tuple[str, str], str] = {}  # the newest name
        self.shares: dict[tuple[str, str], Share] = {}  # what the nodes know together

    # Rooms, as decided so far

    def last_seq(self, room: str) -> int:
        """The newest seq; 0 where nothing was ever stored."""
        return self.seqs.get(room) or self.state.last_seqs.get(room, 0)

    def next_rev(self, room: str) -> int:
        """The rev that the next change of a message gets."""
        return (self.revs.get(room) or self.state.changes.last_rev(room)) + 1

    def is_removed(self, room: str, seq: int) -> bool:
        """Whether retention has removed the message at this seq."""
        return seq < max(self.kept_from.get(room, 0), self.state.kept_from.get(room, 0))

    # Members, as decided so far. Most batches decide nothing about them, and build no key here.

    def queue(self, room: str, user_id: str) -> Queue | None:
        """What the user is owed in the room; None where the user is no member."""
        if self.queues and (room, user_id) in self.queues:
            return self.queues[room, user_id]
        return self.state.members.queue(room, user_id)

    def read_seq(self, room: str, user_id: str) -> int:
        """Up to where a member has read the room."""
        decided = self.read_seqs.get((room, user_id)) if self.read_seqs else None
        if decided is not None:
            return decided
        return self.state.members.read_seq(room, user_id) or 0

    def name(self, room: str, user_id: str) -> str | None:
        """What a member is called, where that is known."""
        decided = self.names.get((room, user_id)) if self.names else None
        if decided is not None:
            return decided
        return self.state.members.name(room, user_id)

    def share(self, room: str, user_id: str) -> Share:
        """What the nodes know together of a member."""
        decided = self.shares.get((room, user_id)) if self.shares else None
        return self.state.members.share(room, user_id) if decided is None else decided

    # What becomes of a member, by several commands

    def keep_member(
        self,
        room: str,
        user_id: str,
        before: Queue | None,
        queue: Queue,
        name: str | None = None,
        *,
        share: Share | None = None,
    ) -> None:
        """Let the user be a member that is owed `queue` now.

        `before` is what the user was owed until now; None: it was no member, and then it has read
        all that is there. `name` and `share` are newer ones; None: they stay as they are. Where
        nothing changes, nothing is recorded.
        """
        known_name = self.name(room, user_id) if before is not None else None
        known_share = self.share(room, user_id)
        name = known_name if name is None else name
        share = known_share if share is None else share
        if queue is before and name == known_name and share == known_share:
            return
        key = (room, user_id)
        self.queues[key] = queue
        if share is not known_share:
            self.shares[key] = share
        if name is not None:
            self.names[key] = name
        if before is None:
            self.read_seqs[key] = self.last_seq(room)
        read_seq = self.read_seq(room, user_id)
        self.records.append(MemberKept(room, user_id, queue, self.now_ms, read_seq, name, share))

    def remove_member(self, room: str, user_id: str) -> None:
        """Let the user no longer be a member."""
        key, version = (room, user_id), self.share(room, user_id).version
        self.queues[key] = None
        self.shares[key] = Share(version=version)
        self.names.pop(key, None)
        self.records.append(MemberRemoved(room, user_id, version))
