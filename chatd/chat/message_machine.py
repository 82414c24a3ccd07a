"""The machine that gives messages their place, and keeps what members are owed.

It turns batches of commands into decisions. Each batch is decided over an overlay of the state, and
the state changes only once the log has what was decided (`chatd.actors.machine_ledger`):

    decide(batch, now) -> Decision      records to commit, and effects that wait for the commit
    apply(decision)                     the state catches up with the log; the effects may go out
    remember(messages)                  the log knew these ids; decide the batch again
    remember_ends(question_ids)         answers that have ended; likewise

A decision that is never applied leaves no trace: a failed commit simply drops it.

    chatd.chat.message_state            the state, and what others may ask about it
    chatd.chat.overlay                  what a batch has decided so far, over the state
    chatd.chat.sending                  decides about messages that are sent,
    chatd.chat.membership               members who join, leave, and are owed messages,
    chatd.chat.acknowledging            receipts and read markers,
    chatd.chat.changing                 edits, deletions, reactions, erasures

Where several nodes share the log, the machine also learns what other nodes have committed (`hear`
and what follows it), between two batches (`chatd.actors.shared_ledger`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import assert_never

import attrs

from chatd.chat.acknowledging import acknowledge, mark_read
from chatd.chat.changing import change_message, erase_messages, messages_to_look_up
from chatd.chat.decision import Decision
from chatd.chat.membership import (
    clear_overflow,
    forget_messages,
    join_rooms,
    leave_rooms,
    own_to_look_up,
    reconcile,
    remove_member,
    trim_queues,
)
from chatd.chat.message_state import MessageState
from chatd.chat.messages import (
    Acknowledge,
    Audit,
    Barrier,
    ClearOverflow,
    Command,
    DeleteMessage,
    EditMessage,
    Effect,
    EraseMessages,
    ForgetMessages,
    JoinRooms,
    LeaveRooms,
    MarkRead,
    NoteRead,
    PlainCommand,
    PutReaction,
    RemoveMember,
    SendMessage,
    Settled,
    TrimQueues,
)
from chatd.chat.overlay import Overlay
from chatd.chat.reading import Lack, Stretch
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
    MessageRead,
    MessageStored,
    ReactionChanged,
    ReadMarked,
)
from chatd.chat.sending import send_message
from chatd.chat.shares import SharedMember


class MessageMachine(MessageState):
    """The state, which also decides and changes. One actor owns it."""

    # Deciding, which changes nothing

    def decide(self, batch: Sequence[Command], now_ms: int) -> Decision:
        """What each command of the batch comes to, were the records committed at `now_ms`."""
        over = Overlay(self, now_ms)
        effects: list[Effect] = []
        for command in batch:
            match command:
                case SendMessage():
                    effects.append(send_message(command, over))
                case JoinRooms():
                    effects.append(join_rooms(command, over))
                case Acknowledge():
                    effects.append(acknowledge(command, over))
                case MarkRead():
                    effects.append(mark_read(command, over))
                case EditMessage() | DeleteMessage() | PutReaction():
                    effects.append(change_message(command, over))
                case EraseMessages():
                    effects.append(erase_messages(command, over))
                case _:
                    _settle(command, over)
                    effects.append(Settled(command))
        return Decision(over.records, effects, over.frontiers, over.kept_from)

    def reconcile(self, in_rooms: Collection[tuple[str, str]], now_ms: int) -> Decision:
        """Let only the users in `in_rooms`, by connectionId and userId, be in their rooms: nobody
        after a start, and after a restart of the actor those with a socket there."""
        over = Overlay(self, now_ms)
        reconcile(in_rooms, over)
        return Decision(over.records, [])

    # Applying what the log has now

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
                    self.recent.confirm(connection_id, seq)
                case AnswerOpened(answer):
                    self.promised[answer.answer_id] = answer.connection_id
                case MessageRead(answer_id=answer_id, is_question=is_question):
                    if not is_question:
                        self.promised.pop(answer_id, None)
                case AnswerClosed(answer_id=answer_id):
                    self.promised.pop(answer_id, None)
                case MessageEdited() | MessageDeleted() | ReactionChanged():
                    self._apply_change(record)
                case Audited():
                    pass
                case _:
                    assert_never(record)
        self.frontiers.update(decision.frontiers)
        for room, first_seq in decision.kept_from.items():
            self.kept_from[room] = max(first_seq, self.kept_from.get(room, 0))
            self.tails.forget(room, first_seq)
        self.forget_surplus()

    def _apply_stored(self, message: Message) -> None:
        self.last_seqs[message.connection_id] = message.seq
        self.recent.add_stored(message)
        self.tails.add(message.connection_id, message.seq, message.user_id, message.mentions)

    def _apply_change(self, changed: Change) -> None:
        """A deleted message no longer counts as unread, and an edited one mentions the users whom
        it names now."""
        message = changed.message
        self.changes.keep(message)
        match changed:
            case MessageErased():
                self.recent.erase(message.message_id)
                self.tails.drop(message.connection_id)
            case MessageDeleted():
                self.tails.delete(message.connection_id, message.seq, message.user_id)
            case MessageEdited():
                self.tails.mention_anew(
                    message.connection_id, message.seq, message.user_id, message.mentions
                )
            case ReactionChanged():
                pass
            case _:
                assert_never(changed)

    def forget_surplus(self) -> None:
        """Forget the oldest messages beyond the bounds, but never the newest one; and what was
        looked up for the batch. `apply` does this; where the commit failed, the caller does."""
        self.recent.forget_surplus()
        self.ended.clear()
        self.own_seqs.clear()

    # Learning what the log has, so that the next decision of a batch knows it

    def remember(self, messages: Iterable[Message]) -> None:
        """The log holds these messages, whose ids the batch uses. Nothing is forgotten here, or
        deciding again would run into the same ids for ever."""
        for message in messages:
            self.recent.add(message)

    def remember_ends(self, question_ids: Iterable[str]) -> None:
        """The answers to these questions have ended. Forgotten with the batch."""
        self.ended.update(question_ids)

    def lacking_messages(self, batch: Sequence[Command]) -> set[tuple[str, int]]:
        """The messages to read from the log before the batch is decided, by connectionId and seq:
        its commands change them, and other nodes may have done so too."""
        return messages_to_look_up(batch, self)

    def learn_message(self, message: Message) -> None:
        """This is what the log has of a message now."""
        self.changes.learn(message)

    def lacking_own(self, batch: Sequence[Command]) -> Mapping[tuple[str, str], int]:
        """The users who leave by these commands and whose own messages are to be read from the log
        first, by connectionId and userId: those above this seq."""
        return own_to_look_up(batch, self)

    def learn_own(self, written: Iterable[tuple[str, str, int]]) -> None:
        """A user who leaves has written these messages, each as (connectionId, userId, seq).
        Forgotten with the batch."""
        for room, user_id, seq in written:
            self.own_seqs.setdefault((room, user_id), []).append(seq)

    def learn(self, lack: Lack, stretch: Stretch) -> None:
        """This is what the log has of what a count of unread messages is `lacking`."""
        self.tails.learn(lack, stretch)

    # Hearing what other nodes have committed, between two batches

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
        """Other nodes have stored messages of a room up to this seq, and changed some up to this
        rev. Where these are not known here, what memory says of older ones would have a hole, and
        is forgotten."""
        if last_seq > self.last_seq(connection_id):
            self.last_seqs[connection_id] = last_seq
            self.tails.drop(connection_id)
            self.recent.forget_receipts(connection_id)
        if last_rev > self.last_rev(connection_id):
            self.changes.skip_to(connection_id, last_rev)
            self.tails.drop(connection_id)

    # Forgetting what was erased

    def forget_user(self, user_id: str) -> None:
        """The log holds no mention of a user any more."""
        self.changes.forget_mentions(user_id)
        self.recent.forget_mentions(user_id)
        self.tails.clear()

    def forget_room(self, connection_id: str) -> None:
        """The log holds nothing any more of what was said in a room until now."""
        self.changes.forget_room(connection_id)
        self.recent.forget_room(connection_id)
        self.tails.drop(connection_id)


def _settle(command: PlainCommand, over: Overlay) -> None:
    """Carry out a command whose effect says that it is carried out, and nothing more."""
    match command:
        case LeaveRooms():
            leave_rooms(command, over)
        case TrimQueues():
            trim_queues(command, over)
        case ClearOverflow():
            clear_overflow(command, over)
        case RemoveMember():
            remove_member(command, over)
        case ForgetMessages():
            forget_messages(command, over)
        case NoteRead(answer, is_question):
            ids = answer.connection_id, answer.question_id, answer.answer_id
            over.records.append(MessageRead(*ids, is_question))
        case Audit(entry):
            over.records.append(Audited(entry))
        case Barrier():
            pass
        case _:
            assert_never(command)
