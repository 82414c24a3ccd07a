"""The changes that memory knows: the newest rev of each room, and messages as of their last change.

Messages are looked up before a command about them is decided, in the log or in the heads of rooms,
and others may be changed in between. So a bounded number of messages that were changed lately is
kept here, and what was looked up counts only if it is not among them. This also knows from which
rev on all changes of a room are here: a look-up from before that may be out of date.
"""

from collections import OrderedDict
from collections.abc import Mapping

from chatd.chat.erasure import without_mention
from chatd.chat.records import Message

CHANGED_MAX = 20_000  # messages kept as of their last change: more than commands that can wait
CHANGED_CHARS_MAX = 8_000_000  # characters of all that these may hold together


class KnownChanges:
    """The newest revs, and messages that were changed, those changed longest ago first."""

    def __init__(
        self,
        last_revs: Mapping[str, int],
        changed_max: int = CHANGED_MAX,
        chars_max: int = CHANGED_CHARS_MAX,
    ) -> None:
        self._last_revs = dict(last_revs)
        self._all_since = dict(last_revs)  # what is above is here; by room
        self._changed_max = changed_max
        self._chars_max = chars_max
        self._changed: OrderedDict[tuple[str, int], Message] = OrderedDict()
        self._chars = 0

    def last_rev(self, connection_id: str) -> int:
        """The newest rev of a room; 0 if nothing was ever changed."""
        return self._last_revs.get(connection_id, 0)

    def last_revs(self) -> dict[str, int]:
        """The newest revs of all rooms, as of now."""
        return dict(self._last_revs)

    def newest(self, connection_id: str, seq: int) -> Message | None:
        """A message as of its last change, if that is known here."""
        return self._changed.get((connection_id, seq))

    def has_all_since(self, connection_id: str, rev: int) -> bool:
        """Whether all that was changed in a room after `rev` is known here."""
        return rev >= self._all_since.get(connection_id, 0)

    def keep(self, message: Message) -> None:
        """A message was changed, by the newest change of its room."""
        self._last_revs[message.connection_id] = message.rev
        self.learn(message)
        while len(self._changed) > self._changed_max or self._chars > self._chars_max:
            _, oldest = self._changed.popitem(last=False)
            self._chars -= _weight(oldest)
            self._all_since[oldest.connection_id] = oldest.rev

    def learn(self, message: Message) -> None:
        """This is what a message is now, by a change no newer than the newest known one of its
        room."""
        place = message.connection_id, message.seq
        before = self._changed.pop(place, None)
        if before is not None:
            self._chars -= _weight(before)
        self._changed[place] = message
        self._chars += _weight(message)

    def skip_to(self, connection_id: str, rev: int) -> None:
        """Others have changed messages of a room, up to this rev, which are not known here."""
        self._last_revs[connection_id] = rev
        self.forget_room(connection_id)

    def forget_room(self, connection_id: str) -> None:
        """All that was said in a room until now is gone from the log."""
        for place in [place for place in self._changed if place[0] == connection_id]:
            self._chars -= _weight(self._changed.pop(place))
        self._all_since[connection_id] = self.last_rev(connection_id)

    def forget_mentions(self, user_id: str) -> None:
        """Remove this user from the mentions of all messages."""
        for place, one in self._changed.items():
            if user_id in one.mentions:
                self._changed[place] = without_mention(one, user_id)


def _weight(message: Message) -> int:
    """What a message counts against `CHANGED_CHARS_MAX`."""
    held = len(message.content) + len(message.context or b"") + len(message.answer or b"")
    reactions = () if message.changes is None else message.changes.reactions
    return held + sum(len(user) for one in reactions for user in (one.emoji, *one.users))
