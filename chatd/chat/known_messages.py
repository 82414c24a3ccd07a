"""The messages that memory knows, a bounded number: for retries, and for receipts.

By their ids a message that a client sends again is recognised. For messages stored since the start,
this also knows which ones nobody has acknowledged, in each room from its first such message on.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping

from chatd.chat.erasure import without_mention
from chatd.chat.ids import WRITTEN_CHARS, scoped_id
from chatd.chat.records import Message, MessagePlace

RECENT_MESSAGES_MAX = 10_000  # messages kept for recognising retries without a look at the log
RECENT_CHARS_MAX = 8_000_000  # characters of content and context that these may hold together


class KnownMessages:
    """Messages by id, in the order of their age, and the receipts of those that are recent."""

    def __init__(self, recent_max: int, chars_max: int) -> None:
        self._recent_max = recent_max
        self._chars_max = chars_max
        # A dict whose first entries were removed is slow to find the first.
        self.by_id: OrderedDict[str, Message] = OrderedDict()
        self.has_scoped = False  # whether an id with a scope was ever among them: mostly not
        self._chars = 0
        self._unconfirmed: dict[str, dict[int, Message]] = {}  # by room and seq
        self._stored_from: dict[str, int] = {}  # all of the room from this seq on are known
        # What was delivered lately: a user who looked just before may still name it.
        self._delivered: OrderedDict[tuple[str, int], None] = OrderedDict()

    def find(
        self, message_id: str, rooms: Collection[str] | None, fresh: Mapping[str, Message]
    ) -> Message | None:
        """The message that has this id for a user who may read these rooms; None means all rooms.
        `fresh` are newer messages, by id."""
        known = fresh.get(message_id) or self.by_id.get(message_id)
        if rooms is None or (known is not None and known.connection_id in rooms):
            return known
        for room in rooms:
            there = scoped_id(message_id, room)
            known = fresh.get(there) or self.by_id.get(there)
            if known is not None:
                return known
        return None

    def stored_from(self, connection_id: str) -> int | None:
        """The seq of a room from which on receipts are known; None if no message is."""
        return self._stored_from.get(connection_id)

    def is_delivered(self, connection_id: str, seq: int) -> bool:
        """Whether a message is among those that were acknowledged lately."""
        return (connection_id, seq) in self._delivered

    def undelivered(
        self, connection_id: str, user_id: str, first_seq: int, last_seq: int, limit: int
    ) -> tuple[MessagePlace, ...]:
        """Those of the recent messages `first_seq` to `last_seq` that somebody other than `user_id`
        wrote and nobody has acknowledged: the newest `limit`, oldest first."""
        unconfirmed = self._unconfirmed.get(connection_id, {})
        first_seq = max(first_seq, self._stored_from.get(connection_id, last_seq + 1))
        found: list[MessagePlace] = []
        for seq in range(last_seq, first_seq - 1, -1):
            one = unconfirmed.get(seq)
            if one is not None and one.user_id != user_id:
                found.append(MessagePlace(one.message_id, connection_id, seq, one.user_id))
                if len(found) == limit:
                    break
        return tuple(found[::-1])

    def unconfirmed_of(self, connection_id: str, user_id: str, after_seq: int) -> Iterator[int]:
        """The seqs of a user's own messages in a room that nobody has acknowledged, above a seq."""
        for seq, one in reversed(self._unconfirmed.get(connection_id, {}).items()):
            if seq <= after_seq:
                break
            if one.user_id == user_id:
                yield seq

    def add(self, message: Message) -> None:
        """Learn of a message that the log holds."""
        message_id = message.message_id
        if message_id in self.by_id:
            self._chars -= _weight(self.by_id.pop(message_id))
        self.by_id[message_id] = message
        self._chars += _weight(message)
        if len(message_id) > WRITTEN_CHARS:
            self.has_scoped = True

    def add_stored(self, message: Message) -> None:
        """Learn of a message that was just stored."""
        self.add(message)
        room, seq = message.connection_id, message.seq
        unconfirmed = self._unconfirmed.get(room)
        if unconfirmed is None:
            unconfirmed = self._unconfirmed[room] = {}
            self._stored_from[room] = seq
        unconfirmed[seq] = message

    def confirm(self, connection_id: str, seq: int) -> None:
        """A message was acknowledged by another user than its author."""
        self._unconfirmed.get(connection_id, {}).pop(seq, None)
        self._delivered[connection_id, seq] = None

    def forget_receipts(self, connection_id: str) -> None:
        """Receipts of a room are known from its next message on."""
        self._unconfirmed.pop(connection_id, None)
        self._stored_from.pop(connection_id, None)

    def erase(self, message_id: str) -> None:
        """A message was erased; the log still knows its id."""
        known = self.by_id.pop(message_id, None)
        if known is not None:
            self._chars -= _weight(known)
            self._unconfirmed.get(known.connection_id, {}).pop(known.seq, None)

    def forget_room(self, connection_id: str) -> None:
        """All that was said in a room until now is gone from the log."""
        for one in [it for it in self.by_id.values() if it.connection_id == connection_id]:
            self.erase(one.message_id)

    def forget_mentions(self, user_id: str) -> None:
        """Remove this user from the mentions of all messages."""
        for message_id, one in self.by_id.items():
            if user_id in one.mentions:
                self.by_id[message_id] = without_mention(one, user_id)
        for unconfirmed in self._unconfirmed.values():
            for seq, one in unconfirmed.items():
                if user_id in one.mentions:
                    unconfirmed[seq] = without_mention(one, user_id)

    def forget_surplus(self) -> None:
        """Forget the oldest messages beyond the bounds, but never the newest one."""
        by_id = self.by_id
        while len(by_id) > self._recent_max or self._chars > self._chars_max:
            if len(by_id) <= 1:
                break
            _, oldest = by_id.popitem(last=False)
            self._chars -= _weight(oldest)
            room = oldest.connection_id
            if oldest.seq >= self._stored_from.get(room, oldest.seq + 1):
                self._stored_from[room] = oldest.seq + 1
                self._unconfirmed[room].pop(oldest.seq, None)
        while len(self._delivered) > self._recent_max:
            self._delivered.popitem(last=False)


def _weight(message: Message) -> int:
    """What a message counts against `RECENT_CHARS_MAX`."""
    context, answer = message.context, message.answer
    if context is None and answer is None:  # most have neither
        return len(message.content)
    return len(message.content) + len(context or b"") + len(answer or b"")
