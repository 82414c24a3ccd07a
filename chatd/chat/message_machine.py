"""The machine that gives messages their place, and keeps what members are owed.

It decides over an overlay of its state, so that seq and dedupe are right inside a batch; what it
decided is applied only after the log has it (`chatd.actors.machine_ledger`):

    decide(batch, now) -> Decision      records to commit, effects that wait for the commit
    apply(decision)                     the state catches up with the log; the effects may go out
    remember(messages)                  the log knew these ids; decide the batch again
    remember_ends(question_ids)         answers that have ended; likewise

A decision that is never applied leaves no trace: a failed commit simply drops it. The state holds
no history: the newest seq of each room, the queue of each member (`chatd.chat.queue`), and a
bounded memory of recent messages, for retries and receipts; the unique index in the log has the
last word on a messageId. How far each room was acknowledged is known from the start on only
(`chatd.chat.receipts`): below that, and below the recent messages, the log is asked. Changes of
messages (`chatd.chat.changes`) are numbered here, and decided on what each message was last
(`chatd.chat.known_changes`).

A member has a marker, up to where it has read the room, which never goes back; its own messages do
not move it. Who becomes a member has read what is there. What lies behind the marker is counted by
`chatd.chat.reading`. Members are known by name too, the newest that a socket of theirs had
(`chatd.chat.members`).

A member is in a room from the `JoinRooms` of its first socket to the `LeaveRooms` of its last one.
The caller counts the sockets, and says what the last of them had seen. Where several nodes share
the log, that is so on each of them, and a member is away once it has left on all
(`chatd.chat.shares`). What other nodes did is learnt (`hear` and what follows it).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import assert_never

import attrs

from chatd.chat.changes import change
from chatd.chat.erasure import erased
from chatd.chat.ids import scoped_id
from chatd.chat.known_changes import CHANGED_MAX, KnownChanges
from chatd.chat.known_messages import RECENT_CHARS_MAX, RECENT_MESSAGES_MAX, KnownMessages
from chatd.chat.members import Members
from chatd.chat.messages import (
    Accepted,
    Acknowledge,
    AcknowledgementKept,
    Audit,
    Barrier,
    ChangeCommand,
    ChangeKept,
    ChangeRefused,
    ChangeRepeated,
    ClearOverflow,
    Command,
    Conflicted,
    DeleteMessage,
    EditMessage,
    Effect,
    EndedAlready,
    Erased,
    EraseMessages,
    ForgetMessages,
    Joined,
    JoinRooms,
    LeaveRooms,
    Marked,
    MarkRead,
    NoteRead,
    PlainCommand,
    PutReaction,
    RemoveMember,
    Repeated,
    SendMessage,
    Settled,
    TrimQueues,
)
from chatd.chat.queue import PRESENT, QUEUE_MAX, Gap, Queue, QueuesByRoom, needs_trim
from chatd.chat.reading import Lack, Reading, Stretch, Tails
from chatd.chat.receipts import Frontier
from chatd.chat.records import (
    AnswerClosed,
    AnswerOpened,
    Audited,
    Change,
    Delivered,
    MemberKept,
    MemberRemoved,
    Message,
    MessageDeleted,
    MessageEdited,
    MessageErased,
    MessagePlace,
    MessageRead,
    MessageStored,
    OpenAnswer,
    ReactionChanged,
    ReadMarked,
    Record,
)
from chatd.chat.shares import Share, SharedMember
from chatd.wire.codes import Code


@attrs.define
class Decision:
    """What a batch comes to: the records to commit, then one effect for each command, in order;
    how far rooms are acknowledged then, and from which seq on they have messages."""

    records: list[Record]
    effects: list[Effect]
    frontiers: dict[str, Frontier] = attrs.field(factory=dict)
    kept_from: dict[str, int] = attrs.field(factory=dict)


class _Overlay:
    """What a batch has decided so far, over a state that does not know it yet."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.records: list[Record] = []
        self.seqs: dict[str, int] = {}
        self.fresh: dict[str, Message] = {}
        self.has_scoped = False
        self.queues: dict[tuple[str, str], Queue | None] = {}
        self.read_seqs: dict[tuple[str, str], int] = {}
        self.names: dict[tuple[str, str], str] = {}
        self.shares: dict[tuple[str, str], Share] = {}
        self.delivered: set[tuple[str, int]] = set()
        self.frontiers: dict[str, Frontier] = {}
        self.promised: dict[str, str] = {}
        self.ended: set[str] = set()
        self.revs: dict[str, int] = {}
        self.changed: dict[tuple[str, int], Message] = {}
        self.kept_from: dict[str, int] = {}


class MessageMachine:
    """Newest seq of each room, members and their queues, recent messages. Owned by one actor."""

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
        """As `restore`."""
        self._bounds = recent_max, recent_chars_max
        self._changed_max = changed_max
        # What retention has removed since the process began is removed for every life of the actor.
        self._kept_from: dict[str, int] = {}
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
        """Begin with what the log holds up to `position`: the newest seqs by connectionId, the
        queues of members by connectionId, then by userId, the answers that are open, and the
        newest revs by connectionId; of the members in the same way their markers, and the names
        that are known. Where several nodes share the log, `node` is the number of this one's life,
        and `shares` has all members, by connectionId and userId; else it is 0."""
        self.members = Members(members, last_seqs, read_seqs, names, shares, node)
        self.position = position
        self._last_seqs = dict(last_seqs)
        # Ids of messages that are to come: those of open answers, which clients know.
        self._promised = {one.answer_id: one.connection_id for one in open_answers}
        self._ended: set[str] = set()  # questions of the batch that is decided again
        # Seqs of what those have written who leave in this batch, by connectionId and userId.
        self._own: dict[tuple[str, str], list[int]] = {}
        self._tails = Tails()
        self._recent = KnownMessages(*self._bounds)
        self._frontiers: dict[str, Frontier] = {}
        self._changes = KnownChanges(last_revs, self._changed_max)

    # What others may look at between two batches

    def last_seq(self, connection_id: str) -> int:
        """The newest seq of a room; 0 where nothing was ever stored."""
        return self._last_seqs.get(connection_id, 0)

    def rooms(self) -> Collection[str]:
        """The rooms in which something was ever stored, or that have members."""
        return {*self._last_seqs, *self.members.rooms()}

    def last_rev(self, connection_id: str) -> int:
        """The newest rev of a room; 0 where nothing was ever changed."""
        return self._changes.last_rev(connection_id)

    def last_revs(self) -> dict[str, int]:
        """The newest revs of all rooms in which something was changed, as of now."""
        return self._changes.last_revs()

    def knows(self, message_id: str, rooms: Collection[str] | None = None) -> bool:
        """Whether a message of this id is among the recent ones, for a user who may read these
        rooms; None are all."""
        recent = self._recent
        if message_id not in recent.by_id and not recent.has_scoped:
            return False
        return recent.find(message_id, rooms, {}) is not None

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

    def _queues_of(self, user_id: str) -> Iterator[tuple[str, Queue]]:
        """What a user is owed in each of its rooms."""
        for room in self.members.rooms_of(user_id):
            queue = self.members.queue(room, user_id)
            assert queue is not None
            yield room, queue

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

    def recent_from(self, connection_id: str) -> int:
        """The first seq of a room from which on receipts are known here, without the log."""
        first_seq = self._recent.stored_from(connection_id)
        return self.last_seq(connection_id) + 1 if first_seq is None else first_seq

    def settled_to(self, connection_id: str, user_id: str) -> int:
        """The seq of a room up to which the user is known to be the first to acknowledge nothing
        any more; what is above it has to be looked up."""
        frontier = self._frontiers.get(connection_id)
        return 0 if frontier is None else frontier.reached_by(user_id)

    def undelivered(
        self, connection_id: str, user_id: str, first_seq: int, last_seq: int, limit: int
    ) -> tuple[MessagePlace, ...]:
        """Of the recent messages `first_seq` to `last_seq` the newest `limit`, oldest first, that
        others than `user_id` wrote and that nobody has acknowledged."""
        return self._recent.undelivered(connection_id, user_id, first_seq, last_seq, limit)

    def reading(self, connection_id: str, user_id: str) -> Reading:
        """Where the user stands in the room; who is no member has read all. Right where nothing is
        `lacking`, and too much otherwise."""
        last_seq = self.last_seq(connection_id)
        read_seq = self._read_up_to(connection_id, user_id)
        return self._tails.reading(connection_id, user_id, read_seq, last_seq)

    def lacking(self, connection_id: str, user_id: str, at_least: int = 0) -> Lack | None:
        """What has to be learnt of the log next, for `reading` to be right, were the user to have
        read up to `at_least`."""
        last_seq = self.last_seq(connection_id)
        read_seq = max(self._read_up_to(connection_id, user_id), at_least)
        return self._tails.lacking(connection_id, user_id, read_seq, last_seq)

    def _read_up_to(self, connection_id: str, user_id: str) -> int:
        """Up to where a user has read a room: all of it, where it is no member."""
        read_seq = self.members.read_seq(connection_id, user_id)
        return self.last_seq(connection_id) if read_seq is None else read_seq

    def learn(self, lack: Lack, stretch: Stretch) -> None:
        """What the log has of it."""
        self._tails.learn(lack, stretch)

    def forget_user(self, user_id: str) -> None:
        """The log holds no mention of a user any more."""
        self._changes.forget_mentions(user_id)
        self._recent.forget_mentions(user_id)
        self._tails.clear()

    def forget_room(self, connection_id: str) -> None:
        """The log holds nothing any more of what was said in a room until now."""
        self._changes.forget_room(connection_id)
        self._recent.forget_room(connection_id)
        self._tails.drop(connection_id)

    # The machine

    def decide(self, batch: Sequence[Command], now_ms: int) -> Decision:
        """What each command of the batch comes to, were the records committed at `now_ms`."""
        over = _Overlay(now_ms)
        effects: list[Effect] = []
        for command in batch:
            match command:
                case SendMessage():
                    effects.append(self._send(command, over))
                case JoinRooms():
                    effects.append(self._join(command, over))
                case Acknowledge():
                    effects.append(self._acknowledge(command, over))
                case MarkRead():
                    effects.append(self._mark_read(command, over))
                case EditMessage() | DeleteMessage() | PutReaction():
                    effects.append(self._change(command, over))
                case EraseMessages():
                    effects.append(self._erase(command, over))
                case _:
                    self._settle(command, over)
                    effects.append(Settled(command))
        return Decision(over.records, effects, over.frontiers, over.kept_from)

    def reconcile(self, in_rooms: Collection[tuple[str, str]], now_ms: int) -> Decision:
        """Make the users in `in_rooms`, as (connectionId, userId), those that are in their rooms.

        After a start there are none; after a restart of the actor those with a socket there. A
        member that the log has in a room, and that is not, has seen all until now.
        """
        over = _Overlay(now_ms)
        for room, user_id, queue in self.members.each():
            if not queue.is_away and (room, user_id) not in in_rooms:
                share = self._left(room, user_id, 0, over)
                left = queue if share.stays else queue.left(self.last_seq(room), now_ms)
                self._keep_member(room, user_id, queue, left, over, share=share)
        for room, user_id in in_rooms:
            self._come(room, user_id, None, over)
        return Decision(over.records, [])

    def _come(self, room: str, user_id: str, name: str | None, over: _Overlay) -> Queue:
        """A socket of the user is in the room; what it is owed there then."""
        before = self._queue(room, user_id, over)
        queue = PRESENT if before is None else before.returned(self._last_seq(room, over))
        node, share = self.members.node, self._share(room, user_id, over)
        if node and node not in share.stays:
            share = attrs.evolve(share, stays=share.stays | {node})
        if node and (before is None or before.is_away):  # what was stored until now is in a gap
            share = attrs.evolve(share, seen_seq=max(share.seen_seq, self._last_seq(room, over)))
        self._keep_member(room, user_id, before, queue, over, name, share=share)
        return queue

    def _share(self, room: str, user_id: str, over: _Overlay) -> Share:
        """What the nodes know together of a member, as decided so far."""
        decided = over.shares.get((room, user_id)) if over.shares else None
        return self.members.share(room, user_id) if decided is None else decided

    def _left(self, room: str, user_id: str, seen_seq: int, over: _Overlay) -> Share:
        """The same once the last socket here is gone, which has seen so much."""
        share, node = self._share(room, user_id, over), self.members.node
        return share.has_left(node, seen_seq) if node else share

    def _send(self, command: SendMessage, over: _Overlay) -> Effect:
        message_id, reply = command.message_id, command.reply
        if reply is not None and (
            reply.question_id in self._ended or reply.question_id in over.ended
        ):
            return EndedAlready(command)
        if self._recent.has_scoped or over.has_scoped:
            there = scoped_id(message_id, command.connection_id)
            own = over.fresh.get(there) or self._recent.by_id.get(there)
            if own is not None:
                return _sent_again(command, own)
        taken_in = self._room_of(message_id, over, is_reply=command.reply is not None)
        if taken_in is not None:
            known = self._recent.find(message_id, command.rooms, over.fresh)
            if known is not None:
                return _sent_again(command, known)
            if command.rooms is None or taken_in in command.rooms:
                return Conflicted(command)  # everybody in the room has heard of that id, or will
            message_id = scoped_id(message_id, command.connection_id)
            over.has_scoped = True
        room, user_id = command.connection_id, command.user_id
        seq = (over.seqs.get(room) or self._last_seqs.get(room, 0)) + 1
        message = Message(
            message_id,
            room,
            seq,
            user_id,
            command.name,
            command.content,
            command.context,
            command.thread_id,
            over.now_ms,
            mentions=command.mentions,
        )
        if reply is not None:
            message = attrs.evolve(message, reply_to=reply.question_id, answer=reply.answer)
        over.seqs[room] = seq
        over.fresh[message_id] = message
        over.records.append(MessageStored(message))
        if reply is not None:
            closed = AnswerClosed(room, reply.question_id, message.message_id, reply.state)
            over.records.append(closed)
            over.ended.add(reply.question_id)
            if reply.audit is not None:
                over.records.append(Audited(reply.audit))
        if command.asks is not None:
            over.promised[command.asks.answer_id] = room
            over.records.append(AnswerOpened(command.asks.opened_by(message)))
        queue = self._queue(room, user_id, over)
        if queue is not None:
            # Where it is gone, it is not owed its own message.
            left, name = queue.without(seq) if queue.is_away else queue, command.name
            is_renamed = name is not None and name != self._name(room, user_id, over)
            if left is not queue or is_renamed:
                self._keep_member(room, user_id, queue, left, over, name)
        return Accepted(command, message)

    def _room_of(self, message_id: str, over: _Overlay, *, is_reply: bool) -> str | None:
        """The room that has a message of this id, or was promised one, which only a reply may be;
        None where the id is free."""
        known = over.fresh.get(message_id) or self._recent.by_id.get(message_id)
        if known is not None:
            return known.connection_id
        return None if is_reply else over.promised.get(message_id) or self._promised.get(message_id)

    def _join(self, command: JoinRooms, over: _Overlay) -> Effect:
        last_seqs, owed, fallen = [], [], []
        for room in command.connection_ids:
            last_seq = self._last_seq(room, over)
            queue = self._queue(room, command.user_id, over)
            joined = self._come(room, command.user_id, command.name, over)
            last_seqs.append(last_seq)
            owed.append(joined.owed(last_seq))
            fallen.append(None if queue is None else queue.fallen)
        return Joined(command, tuple(last_seqs), tuple(owed), tuple(fallen))

    def _settle(self, command: PlainCommand, over: _Overlay) -> None:
        """Carry out a command of which nothing more is to be said."""
        match command:
            case LeaveRooms():
                self._leave(command, over)
            case TrimQueues():
                for room, cut in command.cuts.items():
                    self._cut(room, command.user_id, cut.first_seq, cut.since_ms, over)
            case ClearOverflow(user_id, room, fallen):
                queue = self._queue(room, user_id, over)
                if queue is not None:
                    self._keep_member(room, user_id, queue, queue.notified(fallen), over)
            case RemoveMember():
                for room in command.connection_ids:
                    if self._queue(room, command.user_id, over) is not None:
                        over.queues[room, command.user_id] = None
                        over.names.pop((room, command.user_id), None)
                        version = self.members.share(room, command.user_id).version
                        over.shares[room, command.user_id] = Share(version=version)
                        over.records.append(MemberRemoved(room, command.user_id, version))
            case NoteRead(answer, is_question):
                ids = answer.connection_id, answer.question_id, answer.answer_id
                over.records.append(MessageRead(*ids, is_question))
            case ForgetMessages(room, first_seq):
                over.kept_from[room] = max(first_seq, over.kept_from.get(room, 0))
                for user_id in self.members.of_room(room):
                    self._cut(room, user_id, first_seq, None, over)
            case Audit(entry):
                over.records.append(Audited(entry))
            case Barrier():
                pass
            case _:
                assert_never(command)

    def _leave(self, command: LeaveRooms, over: _Overlay) -> None:
        user_id = command.user_id
        for room, seen_seq in command.rooms:
            queue = self._queue(room, user_id, over)
            if queue is None:
                continue
            share = self._left(room, user_id, seen_seq, over)
            if share.stays:
                self._keep_member(room, user_id, queue, queue, over, share=share)
                continue
            seen_seq = _floor(queue, share, seen_seq)
            left = queue.left(seen_seq, over.now_ms)
            for seq in self._unseen_of(user_id, room, seen_seq, over):
                left = left.without(seq)
            self._keep_member(room, user_id, queue, left, over, share=share)

    def _unseen_of(self, user_id: str, room: str, seen_seq: int, over: _Overlay) -> list[int]:
        """The user's own messages that no socket of the room was given when the user left."""
        own = [
            one.seq
            for one in over.fresh.values()
            if one.connection_id == room and one.user_id == user_id and one.seq > seen_seq
        ]
        looked_up = (seq for seq in self._own.get((room, user_id), ()) if seq > seen_seq)
        return [*own, *self._recent.unconfirmed_of(room, user_id, seen_seq), *looked_up]

    def _acknowledge(self, command: Acknowledge, over: _Overlay) -> Effect:
        message, user_id = command.message, command.user_id
        room, seq = message.connection_id, message.seq
        queue = self._queue(room, user_id, over)
        if queue is not None:
            rest = queue.without_up_to(seq) if command.up_to else queue.without(seq)
            self._keep_member(room, user_id, queue, rest, over)
        delivered = []
        for one in command.receipts:
            place = (room, one.seq)
            if place in over.delivered or self._recent.is_delivered(*place):
                continue
            over.delivered.add(place)
            over.records.append(Delivered(room, one.seq, user_id, over.now_ms))
            delivered.append(one)
        if command.settles_to:
            frontier = over.frontiers.get(room) or self._frontiers.get(room, Frontier())
            over.frontiers[room] = frontier.moved(user_id, command.settles_to)
        return AcknowledgementKept(command, tuple(delivered))

    def _mark_read(self, command: MarkRead, over: _Overlay) -> Effect:
        room, user_id = command.connection_id, command.user_id
        seq = min(command.seq, self._last_seq(room, over))
        is_member = self._queue(room, user_id, over) is not None
        has_moved = is_member and seq > self._read_seq(room, user_id, over)
        if has_moved:
            over.read_seqs[room, user_id] = seq
            version = self.members.share(room, user_id).version
            over.records.append(ReadMarked(room, user_id, seq, version))
        return Marked(command, has_moved)

    def _change(self, command: ChangeCommand, over: _Overlay) -> Effect:
        message = command.message
        room, seq = message.connection_id, message.seq
        if seq < max(over.kept_from.get(room, 0), self._kept_from.get(room, 0)):
            return ChangeRefused(command, Code.NOT_FOUND)
        known = over.changed.get((room, seq)) or self._changes.newest(room, seq)
        if known is not None:
            message = known
        elif not self._changes.has_all_since(room, command.as_of_rev):
            return ChangeRefused(command, Code.OVERLOADED)  # it is to be looked up again
        rev = (over.revs.get(room) or self._changes.last_rev(room)) + 1
        made = change(command, message, rev, over.now_ms)
        if made is None:
            return ChangeRepeated(command, message)
        if isinstance(made, Code):
            return ChangeRefused(command, made)
        over.revs[room] = rev
        over.changed[room, seq] = made.message
        over.records.append(made)
        return ChangeKept(command, made)

    def _erase(self, command: EraseMessages, over: _Overlay) -> Effect:
        made: list[MessageErased] = []
        for message in command.messages:
            room, seq = message.connection_id, message.seq
            if seq < max(over.kept_from.get(room, 0), self._kept_from.get(room, 0)):
                continue  # retention was faster
            rev = (over.revs.get(room) or self._changes.last_rev(room)) + 1
            left = erased(message, command.author, rev, over.now_ms)
            over.revs[room] = rev
            over.changed[room, seq] = left
            made.append(MessageErased(left, rev, command.author, over.now_ms))
        over.records += made
        return Erased(command, made)

    def _cut(
        self, room: str, user_id: str, first_seq: int, since_ms: int | None, over: _Overlay
    ) -> None:
        """What is below `first_seq` falls out of a queue; nothing that stays is older than
        `since_ms`, None: than what is in it now."""
        queue = self._queue(room, user_id, over)
        if queue is None:
            return
        last_seq = self._last_seq(room, over)
        if since_ms is None:
            since_ms = queue.oldest_ms(last_seq)
        if since_ms is not None:  # else nothing is owed
            self._keep_member(room, user_id, queue, queue.cut(first_seq, since_ms, last_seq), over)

    def _last_seq(self, room: str, over: _Overlay) -> int:
        return over.seqs.get(room) or self._last_seqs.get(room, 0)

    def _queue(self, room: str, user_id: str, over: _Overlay) -> Queue | None:
        """What the user is owed in the room, None where it is no member, as decided so far."""
        if over.queues and (room, user_id) in over.queues:
            return over.queues[room, user_id]
        return self.members.queue(room, user_id)

    def _keep_member(
        self,
        room: str,
        user_id: str,
        before: Queue | None,
        queue: Queue,
        over: _Overlay,
        name: str | None = None,
        *,
        share: Share | None = None,
    ) -> None:
        """What a member is owed is `queue` now, and `before` was; where it was no member, it has
        read what is there. `name` is a newer name of it, `share` is newer, too."""
        known = self._name(room, user_id, over) if before is not None else None
        name = known if name is None else name
        shared = self._share(room, user_id, over)
        share = shared if share is None else share
        if queue is before and name == known and share == shared:
            return
        key = (room, user_id)
        if share is not shared:
            over.shares[key] = share
        if before is None:
            over.read_seqs[key] = self._last_seq(room, over)
        if name is not None:
            over.names[key] = name
        over.queues[key] = queue
        read_seq = self._read_seq(room, user_id, over)
        over.records.append(MemberKept(room, user_id, queue, over.now_ms, read_seq, name, share))

    def _read_seq(self, room: str, user_id: str, over: _Overlay) -> int:
        """Up to where a member has read the room."""
        decided = over.read_seqs.get((room, user_id)) if over.read_seqs else None
        if decided is not None:
            return decided
        return self.members.read_seq(room, user_id) or 0

    def _name(self, room: str, user_id: str, over: _Overlay) -> str | None:
        """The name of a member, where one is known."""
        decided = over.names.get((room, user_id)) if over.names else None
        if decided is not None:
            return decided
        return self.members.name(room, user_id)

    def apply(self, decision: Decision, version: int = 0) -> None:
        """Bring the state up to records that the log now holds; `version` is that of the members
        among them."""
        for record in decision.records:
            if isinstance(record, MessageStored):  # most are; a pattern costs five times as much
                self._apply_stored(record.message)
                continue
            match record:
                case MemberKept(connection_id, user_id, queue, _, read_seq, name, share):
                    share = attrs.evolve(share, version=version)
                    member = SharedMember(queue, read_seq, name, share)
                    self.members.keep(connection_id, user_id, member)
                case MemberRemoved(connection_id, user_id):
                    self.members.remove(connection_id, user_id)
                case ReadMarked(connection_id, user_id, read_seq):
                    self.members.mark_read(connection_id, user_id, read_seq, version)
                case Delivered(connection_id, seq):
                    self._recent.confirm(connection_id, seq)
                case AnswerOpened(answer):
                    self._promised[answer.answer_id] = answer.connection_id
                case MessageRead(answer_id=answer_id, is_question=is_question):
                    if not is_question:
                        self._promised.pop(answer_id, None)
                case AnswerClosed(answer_id=answer_id):
                    self._promised.pop(answer_id, None)
                case MessageEdited() | MessageDeleted() | ReactionChanged():
                    self._apply_change(record)
                case Audited():
                    pass
                case _:
                    assert_never(record)
        self._frontiers.update(decision.frontiers)
        for room, first_seq in decision.kept_from.items():
            self._kept_from[room] = max(first_seq, self._kept_from.get(room, 0))
            self._tails.forget(room, first_seq)
        self.forget_surplus()

    def _apply_stored(self, message: Message) -> None:
        self._last_seqs[message.connection_id] = message.seq
        self._recent.add_stored(message)
        self._tails.add(message.connection_id, message.seq, message.user_id, message.mentions)

    def _apply_change(self, changed: Change) -> None:
        """What was deleted is unread no more, and what was edited mentions whom it says now."""
        message = changed.message
        self._changes.keep(message)
        match changed:
            case MessageErased():
                self._recent.erase(message.message_id)
                self._tails.drop(message.connection_id)
            case MessageDeleted():
                self._tails.delete(message.connection_id, message.seq, message.user_id)
            case MessageEdited():
                self._tails.mention_anew(
                    message.connection_id, message.seq, message.user_id, message.mentions
                )
            case ReactionChanged():
                pass
            case _:
                assert_never(changed)

    def remember(self, messages: Iterable[Message]) -> None:
        """Learn of messages that the log holds, so that the next decision knows their ids.

        Nothing is forgotten here, or deciding again would run into the same ids for ever; `apply`
        does that, and `forget_surplus` where the commit failed.
        """
        for message in messages:
            self._recent.add(message)

    def remember_ends(self, question_ids: Iterable[str]) -> None:
        """Learn that these answers have ended, so that the next decision ends none of them again;
        forgotten with it."""
        self._ended.update(question_ids)

    # What other nodes have committed, to be called between two batches

    def hear(self, message: Message) -> None:
        """Another node has stored a message. Those of a room are heard in the order of their
        seqs."""
        room, last_seq = message.connection_id, self.last_seq(message.connection_id)
        if message.seq <= last_seq:
            return
        self.learn_head(room, message.seq - 1, 0)
        self._apply_stored(message)
        self.forget_surplus()

    def hear_change(self, changed: Change) -> None:
        """Another node has changed a message. Changes of a room are heard in the order of their
        revs."""
        room = changed.message.connection_id
        if changed.rev <= self.last_rev(room):
            return
        self.learn_head(room, 0, changed.rev - 1)
        self._apply_change(changed)

    def learn_head(self, connection_id: str, last_seq: int, last_rev: int) -> None:
        """Others have stored messages and changed some, up to these, which are not known here: what
        is said of older ones has a hole."""
        if last_seq > self.last_seq(connection_id):
            self._last_seqs[connection_id] = last_seq
            self._tails.drop(connection_id)
            self._recent.forget_receipts(connection_id)
        if last_rev > self.last_rev(connection_id):
            self._changes.skip_to(connection_id, last_rev)
            self._tails.drop(connection_id)

    def lacking_messages(self, batch: Sequence[Command]) -> set[tuple[str, int]]:
        """Which messages have to be learnt for the commands that change them to be decided, by
        connectionId and seq."""
        return {
            (room, seq)
            for one in batch
            if isinstance(one, EditMessage | DeleteMessage | PutReaction)
            for room, seq in [(one.message.connection_id, one.message.seq)]
            if self._changes.newest(room, seq) is None
            and not self._changes.has_all_since(room, one.as_of_rev)
        }

    def learn_message(self, message: Message) -> None:
        """This is what the log has of a message now."""
        self._changes.learn(message)

    def lacking_own(self, batch: Sequence[Command]) -> Mapping[tuple[str, str], int]:
        """Who leaves by these commands and will be owed what is stored already, by connectionId and
        userId: from behind which seq on. Of more than a queue holds only the newest counts."""
        leaves = (
            (room, one.user_id, seen_seq)
            for one in batch
            if isinstance(one, LeaveRooms)
            for room, seen_seq in one.rooms
        )
        found: dict[tuple[str, str], int] = {}
        for room, user_id, seen_seq in leaves:
            queue = self.members.queue(room, user_id)
            share = self.members.share(room, user_id)
            if queue is None or queue.is_away or share.stays - {self.members.node}:
                continue
            last_seq = self.last_seq(room)
            floor = max(_floor(queue, share, seen_seq), last_seq - QUEUE_MAX)
            if floor < last_seq:
                found[room, user_id] = floor
        return found

    def learn_own(self, written: Iterable[tuple[str, str, int]]) -> None:
        """Who leaves has written these messages, each as (connectionId, userId, seq); forgotten
        with the batch."""
        for room, user_id, seq in written:
            self._own.setdefault((room, user_id), []).append(seq)

    def forget_surplus(self) -> None:
        """Forget the oldest messages beyond the bounds, but never the newest one; and what was
        learnt for the batch that was decided again."""
        self._recent.forget_surplus()
        self._ended.clear()
        self._own.clear()


def _floor(queue: Queue, share: Share, seen_seq: int) -> int:
    """Behind which seq all is owed to who leaves everywhere, and has seen so much here; what is
    in a gap is owed already."""
    return max(seen_seq, share.seen_seq, queue.gaps[-1].last if queue.gaps else 0)


def _sent_again(command: SendMessage, known: Message) -> Repeated | Conflicted:
    """What a command comes to whose id a message has that its sender may read."""
    return Repeated(command, known) if is_repeat(command, known) else Conflicted(command)


def is_repeat(command: SendMessage, known: Message) -> bool:
    """Whether a command is a retry: same user, content, room, context and thread as stored."""
    return (
        command.user_id == known.user_id
        and command.content == known.content
        and command.connection_id == known.connection_id
        and command.context == known.context
        and command.thread_id == known.thread_id
    )
