"""The state of the message machine: what memory knows of the log, and what others may ask about it.

The state holds no history. It has the newest seq of each room, the members and what each is owed
(`chatd.chat.members`), and a bounded memory of recent messages, for retries and receipts
(`chatd.chat.known_messages`), and of recent changes (`chatd.chat.known_changes`). How far a room
was acknowledged is known only since the start (`chatd.chat.receipts`). Whoever needs more asks the
log, whose unique index has the last word on a messageId.

A member has a marker, up to where it has read the room. The marker never goes back, and the
member's own messages do not move it. `chatd.chat.reading` counts what lies behind it.

Everything here is as of the last batch that was applied. Others may ask between two batches; only
the machine, which derives from this class, changes anything (`chatd.chat.message_machine`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType

from chatd.chat.known_changes import CHANGED_MAX, KnownChanges
from chatd.chat.known_messages import RECENT_CHARS_MAX, RECENT_MESSAGES_MAX, KnownMessages
from chatd.chat.members import Members
from chatd.chat.queue import Gap, Queue, QueuesByRoom, needs_trim
from chatd.chat.reading import Lack, Reading, Tails
from chatd.chat.receipts import Frontier
from chatd.chat.records import MessagePlace, OpenAnswer
from chatd.chat.shares import Share


class MessageState:
    """Rooms, members, recent messages and recent changes, as of the last batch."""

    def __init__(
        self,
        last_seqs: Mapping[str, int],
        members: QueuesByRoom,
        position: int = 0,
        open_answers: Iterable[OpenAnswer] = (),
        last_revs: Mapping[str, int] = MappingProxyType({}),
        read_seqs: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
        names: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
        shares: Mapping[tuple[str, str], Share] = MappingProxyType({}),
        node: int = 0,
        *,
        recent_max: int = RECENT_MESSAGES_MAX,
        recent_chars_max: int = RECENT_CHARS_MAX,
        changed_max: int = CHANGED_MAX,
    ) -> None:
        """As `restore`; the bounds are those of recent messages and of recent changes."""
        self._recent_bounds = recent_max, recent_chars_max
        self._changed_max = changed_max
        # The first seq that retention has left, by connectionId. Not in `restore`: what was removed
        # since the process began stays removed when the actor starts again.
        self.kept_from: dict[str, int] = {}
        self.restore(
            last_seqs, members, position, open_answers, last_revs, read_seqs, names, shares, node
        )

    def restore(
        self,
        last_seqs: Mapping[str, int],
        members: QueuesByRoom,
        position: int,
        open_answers: Iterable[OpenAnswer] = (),
        last_revs: Mapping[str, int] = MappingProxyType({}),
        read_seqs: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
        names: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
        shares: Mapping[tuple[str, str], Share] = MappingProxyType({}),
        node: int = 0,
    ) -> None:
        """Forget all, and begin with what the log holds up to `position`.

        By connectionId: the newest seqs and the newest revs. By connectionId, then by userId: the
        queues of members, their markers, and their names, where known. And the answers that are
        open. Where several nodes share the log, `node` is the number of this node's life, and
        `shares` has all members, by connectionId and userId; else `node` is 0.
        """
        # Who is in which room, and what each is owed, has read and is called.
        self.members = Members(members, last_seqs, read_seqs, names, shares, node)
        # How far in the log this is; the ledger sets it after each commit.
        self.position = position
        # The newest seq of each room, by connectionId.
        self.last_seqs = dict(last_seqs)
        # The messages that memory knows by their ids, and their receipts.
        self.recent = KnownMessages(*self._recent_bounds)
        # The newest rev of each room, and messages as of their last change.
        self.changes = KnownChanges(last_revs, self._changed_max)
        # How far rooms are acknowledged, by connectionId.
        self.frontiers: dict[str, Frontier] = {}
        # The ends of rooms, in which unread messages are counted.
        self.tails = Tails()
        # The rooms of open answers, by messageId: clients know these ids before there are messages.
        self.promised = {one.answer_id: one.connection_id for one in open_answers}
        # What was looked up for one batch, and is forgotten with it:
        # questions whose answers have ended,
        self.ended: set[str] = set()
        # and own messages of users who leave, by connectionId and userId.
        self.own_seqs: dict[tuple[str, str], list[int]] = {}

    # Rooms

    def rooms(self) -> Collection[str]:
        """The rooms in which something was ever stored, or that have members."""
        return {*self.last_seqs, *self.members.rooms()}

    def last_seq(self, connection_id: str) -> int:
        """The newest seq of a room; 0 where nothing was ever stored."""
        return self.last_seqs.get(connection_id, 0)

    def last_rev(self, connection_id: str) -> int:
        """The newest rev of a room; 0 where nothing was ever changed."""
        return self.changes.last_rev(connection_id)

    def last_revs(self) -> dict[str, int]:
        """The newest revs of all rooms in which something was changed, as of now."""
        return self.changes.last_revs()

    # Messages and their receipts

    def knows(self, message_id: str, rooms: Collection[str] | None = None) -> bool:
        """Whether a message with this id is among the recent ones, for a user who may read these
        rooms; None: all rooms."""
        recent = self.recent
        if message_id not in recent.by_id and not recent.has_scoped:
            return False
        return recent.find(message_id, rooms, {}) is not None

    def recent_from(self, connection_id: str) -> int:
        """The first seq of a room from which on receipts are known here, without the log."""
        first_seq = self.recent.stored_from(connection_id)
        return self.last_seq(connection_id) + 1 if first_seq is None else first_seq

    def settled_to(self, connection_id: str, user_id: str) -> int:
        """The seq of a room up to which, as is known, no message is left for the user to be the
        first to acknowledge. What is above has to be looked up."""
        frontier = self.frontiers.get(connection_id)
        return 0 if frontier is None else frontier.reached_by(user_id)

    def undelivered(
        self, connection_id: str, user_id: str, first_seq: int, last_seq: int, limit: int
    ) -> tuple[MessagePlace, ...]:
        """Of the recent messages `first_seq` to `last_seq` the newest `limit`, oldest first, that
        others than `user_id` wrote and that nobody has acknowledged."""
        return self.recent.undelivered(connection_id, user_id, first_seq, last_seq, limit)

    # What a user is owed

    def owed_count(self, connection_id: str, user_id: str) -> int:
        """How many messages of a room are owed to the user."""
        queue = self.members.queue(connection_id, user_id)
        return 0 if queue is None else queue.owed_count(self.last_seq(connection_id))

    def owed_to(self, user_id: str) -> dict[str, tuple[Gap, ...]]:
        """All that is owed to the user, by room."""
        owed = {}
        for room, queue in self._queues_of(user_id):
            if gaps := queue.owed(self.last_seq(room)):
                owed[room] = gaps
        return owed

    def needs_trim(self, user_id: str, now_ms: int) -> bool:
        """Whether the user's queues may hold too much, or too old messages."""
        total, oldest_ms = 0, None
        for room, queue in self._queues_of(user_id):
            last_seq = self.last_seq(room)
            total += queue.owed_count(last_seq)
            since_ms = queue.oldest_ms(last_seq)
            if since_ms is not None and (oldest_ms is None or since_ms < oldest_ms):
                oldest_ms = since_ms
        return needs_trim(total, oldest_ms, now_ms)

    def _queues_of(self, user_id: str) -> Iterator[tuple[str, Queue]]:
        """The queue of a user in each of its rooms."""
        for room in self.members.rooms_of(user_id):
            queue = self.members.queue(room, user_id)
            assert queue is not None
            yield room, queue

    # What a user has read

    def reading(self, connection_id: str, user_id: str) -> Reading:
        """Where the user stands in the room; a user who is no member has read all. The count is
        right where nothing is `lacking`, and too high otherwise."""
        last_seq = self.last_seq(connection_id)
        read_seq = self._read_up_to(connection_id, user_id)
        return self.tails.reading(connection_id, user_id, read_seq, last_seq)

    def lacking(self, connection_id: str, user_id: str, at_least: int = 0) -> Lack | None:
        """What has to be read from the log next, for `reading` to be right, were the user to have
        read up to `at_least`."""
        last_seq = self.last_seq(connection_id)
        read_seq = max(self._read_up_to(connection_id, user_id), at_least)
        return self.tails.lacking(connection_id, user_id, read_seq, last_seq)

    def _read_up_to(self, connection_id: str, user_id: str) -> int:
        """Up to where a user has read a room: all of it, where it is no member."""
        read_seq = self.members.read_seq(connection_id, user_id)
        return self.last_seq(connection_id) if read_seq is None else read_seq
