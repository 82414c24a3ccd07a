"""The machine that gives messages their place: seq, idempotent retries, membership, acks.

It decides over an overlay of its state, so that seq and dedupe are right inside a batch; what it
decided is applied only after the log has it (DESIGN, "Actors and supervision"):

    decide(batch, now) -> Decision      records to commit, effects that wait for the commit
    apply(decision)                     the state catches up with the log; the effects may go out
    remember(messages)                  the log knew these ids; decide the batch again

A decision that is never applied leaves no trace: a failed commit simply drops it. The state holds
no history: the newest seq of each room, who is a member, and a bounded memory of recent messages
for retries; the unique index in the log has the last word on a messageId.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, assert_never

import attrs

from chatd.chat.records import Acknowledged, MemberJoined, Message, MessageStored, Record

RECENT_MESSAGES_MAX = 10_000  # messages kept for recognising retries without a look at the log
RECENT_CHARS_MAX = 8_000_000  # characters of content and context that these may hold together


@attrs.define
class SendMessage:
    """Store a message. Shape, access, content and limits were checked by the sender.

    `origin` is whoever wants to hear of the outcome; the machine hands it back untouched. Not
    frozen, like the other commands: built once for each message, and this halves the cost.
    """

    origin: Any
    user_id: str
    name: str | None
    message_id: str
    connection_id: str
    content: str
    context: bytes | None
    thread_id: str | None


@attrs.define
class JoinRooms:
    """Make the user a member of these rooms, as far as it is not one already."""

    origin: Any
    user_id: str
    connection_ids: tuple[str, ...]


@attrs.define
class Acknowledge:
    """The user has the message `seq` of the room, with `up_to` all up to it."""

    origin: Any
    user_id: str
    connection_id: str
    seq: int
    up_to: bool


Command: TypeAlias = SendMessage | JoinRooms | Acknowledge


@attrs.define
class Accepted:
    """The message is in the log, at its place."""

    command: SendMessage
    message: Message


@attrs.define
class Repeated:
    """The same message was stored before; `message` is the original."""

    command: SendMessage
    message: Message


@attrs.define
class Conflicted:
    """The messageId belongs to another message."""

    command: SendMessage


@attrs.define
class Joined:
    """The user is a member of all the rooms; `last_seqs` in their order."""

    command: JoinRooms
    last_seqs: tuple[int, ...]


@attrs.define
class AcknowledgementKept:
    """The acknowledgement is in the log."""

    command: Acknowledge


Effect: TypeAlias = Accepted | Repeated | Conflicted | Joined | AcknowledgementKept


@attrs.define
class Decision:
    """What a batch comes to: the records to commit, then one effect for each command, in order."""

    records: list[Record]
    effects: list[Effect]


class Messages:
    """The state: newest seq of each room, members, recent messages. Owned by one actor."""

    def __init__(
        self,
        last_seqs: Mapping[str, int],
        members: Mapping[str, Iterable[str]],
        *,
        recent_max: int = RECENT_MESSAGES_MAX,
        recent_chars_max: int = RECENT_CHARS_MAX,
    ) -> None:
        """`last_seqs` and `members` by connectionId, as recovered from the log."""
        self._last_seqs = dict(last_seqs)
        self._members = {room: set(users) for room, users in members.items()}
        self._recent: dict[str, Message] = {}
        self._recent_chars = 0
        self._recent_max = recent_max
        self._recent_chars_max = recent_chars_max

    def last_seq(self, connection_id: str) -> int:
        """The newest seq of a room; 0 where nothing was ever stored."""
        return self._last_seqs.get(connection_id, 0)

    def decide(self, batch: Sequence[Command], now_ms: int) -> Decision:
        """What each command of the batch comes to, were the records committed at `now_ms`."""
        records: list[Record] = []
        effects: list[Effect] = []
        seqs: dict[str, int] = {}
        fresh: dict[str, Message] = {}
        joining: set[tuple[str, str]] = set()
        for command in batch:
            match command:
                case SendMessage():
                    known = fresh.get(command.message_id) or self._recent.get(command.message_id)
                    if known is not None:
                        same = is_repeat(command, known)
                        effects.append(Repeated(command, known) if same else Conflicted(command))
                        continue
                    room = command.connection_id
                    seq = (seqs.get(room) or self._last_seqs.get(room, 0)) + 1
                    message = Message(
                        command.message_id,
                        room,
                        seq,
                        command.user_id,
                        command.name,
                        command.content,
                        command.context,
                        command.thread_id,
                        now_ms,
                    )
                    seqs[room] = seq
                    fresh[command.message_id] = message
                    records.append(MessageStored(message))
                    effects.append(Accepted(command, message))
                case JoinRooms():
                    last = []
                    for room in command.connection_ids:
                        member = (room, command.user_id)
                        if member not in joining and not self.is_member(*member):
                            joining.add(member)
                            records.append(MemberJoined(room, command.user_id, now_ms))
                        last.append(seqs.get(room) or self._last_seqs.get(room, 0))
                    effects.append(Joined(command, tuple(last)))
                case Acknowledge():
                    records.append(
                        Acknowledged(
                            command.connection_id,
                            command.user_id,
                            command.seq,
                            command.up_to,
                            now_ms,
                        )
                    )
                    effects.append(AcknowledgementKept(command))
                case _:
                    assert_never(command)
        return Decision(records, effects)

    def apply(self, decision: Decision) -> None:
        """Bring the state up to records that the log now holds."""
        for record in decision.records:
            match record:
                case MessageStored(message):
                    self._last_seqs[message.connection_id] = message.seq
                    self._keep(message)
                case MemberJoined(connection_id, user_id):
                    self._members.setdefault(connection_id, set()).add(user_id)
                case _:
                    pass
        self.forget_surplus()

    def remember(self, messages: Iterable[Message]) -> None:
        """Learn of messages that the log holds, so that the next decision knows their ids.

        Nothing is forgotten here, or deciding again would run into the same ids for ever; `apply`
        does that, and `forget_surplus` where the commit failed.
        """
        for message in messages:
            self._keep(message)

    def forget_surplus(self) -> None:
        """Forget the oldest messages beyond the bounds, but never the newest one."""
        recent = self._recent
        while len(recent) > self._recent_max or self._recent_chars > self._recent_chars_max:
            if len(recent) <= 1:
                break
            oldest = recent.pop(next(iter(recent)))
            self._recent_chars -= _weight(oldest)

    def knows(self, message_id: str) -> bool:
        """Whether a message of this id is among the recent ones."""
        return message_id in self._recent

    def is_member(self, connection_id: str, user_id: str) -> bool:
        """Whether the user has joined the room."""
        return user_id in self._members.get(connection_id, ())

    def _keep(self, message: Message) -> None:
        known = self._recent.pop(message.message_id, None)
        if known is not None:
            self._recent_chars -= _weight(known)
        self._recent[message.message_id] = message
        self._recent_chars += _weight(message)


def _weight(message: Message) -> int:
    """What a message counts against `RECENT_CHARS_MAX`."""
    return len(message.content) + (len(message.context) if message.context is not None else 0)


def is_repeat(command: SendMessage, known: Message) -> bool:
    """Whether a command is a retry: same user, content, room, context and thread as stored."""
    return (
        command.user_id == known.user_id
        and command.content == known.content
        and command.connection_id == known.connection_id
        and command.context == known.context
        and command.thread_id == known.thread_id
    )
