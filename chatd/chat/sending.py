"""Decides about messages that are sent: which are new and get a place, and which are not stored.

A message gets the next seq of its room. A client that got no ack sends the same message again, and
gets the one that was stored. Where a different message has the id, it depends on the sender
(`chatd.chat.ids`): one who may read that message gets a conflict; the message of one who may not is
stored under an id with a scope, so that the sender learns nothing. An id that was promised to an
answer is taken, too.

A message may ask a question, which opens an answer, or it may end the answer to one. An answer ends
once: what comes later, from this node or another one, is not stored.
"""

import attrs

from chatd.chat.ids import scoped_id
from chatd.chat.messages import (
    Accepted,
    Conflicted,
    EndedAlready,
    Repeated,
    Reply,
    SendMessage,
)
from chatd.chat.overlay import Overlay
from chatd.chat.records import AnswerClosed, AnswerOpened, Audited, Message, MessageStored


def send_message(
    command: SendMessage, over: Overlay
) -> Accepted | Repeated | Conflicted | EndedAlready:
    """Store the message, unless it was stored before or its id is taken.

    This runs for every message, which is why it makes few calls.
    """
    state, reply = over.state, command.reply
    if reply is not None and (reply.question_id in state.ended or reply.question_id in over.ended):
        return EndedAlready(command)

    # Is the id free, or has a message got it, or was it promised to an answer?
    message_id, recent = command.message_id, state.recent
    if recent.has_scoped or over.has_scoped:
        there = scoped_id(message_id, command.connection_id)
        own = over.fresh.get(there) or recent.by_id.get(there)
        if own is not None:
            return _sent_again(command, own)
    taken_in: str | None = None  # the room of that message or answer
    holder = over.fresh.get(message_id) or recent.by_id.get(message_id)
    if holder is not None:
        taken_in = holder.connection_id
    elif reply is None:  # a reply is that answer, and takes the id that was promised to it
        taken_in = over.promised.get(message_id) or state.promised.get(message_id)
    if taken_in is not None:
        known = recent.find(message_id, command.rooms, over.fresh)
        if known is not None:
            return _sent_again(command, known)
        if command.rooms is None or taken_in in command.rooms:
            return Conflicted(command)  # everybody in the room has heard of that id, or will
        message_id = scoped_id(message_id, command.connection_id)
        over.has_scoped = True

    # The message gets the next place in its room.
    room, user_id = command.connection_id, command.user_id
    seq = (over.seqs.get(room) or state.last_seqs.get(room, 0)) + 1  # `last_seq`, without a call
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

    # What else changes with it?
    if reply is not None:
        _end_answer(reply, message, over)
    if command.asks is not None:
        over.promised[command.asks.answer_id] = room
        over.records.append(AnswerOpened(command.asks.opened_by(message)))
    queue = over.queue(room, user_id)
    if queue is not None:
        # A member that is away is not owed its own message, and any member may have a new name.
        left, name = queue.without(seq) if queue.is_away else queue, command.name
        is_renamed = name is not None and name != over.name(room, user_id)
        if left is not queue or is_renamed:
            over.keep_member(room, user_id, queue, left, name)
    return Accepted(command, message)


def _end_answer(reply: Reply, message: Message, over: Overlay) -> None:
    """The message ends the answer to a question."""
    over.ended.add(reply.question_id)
    over.records.append(
        AnswerClosed(message.connection_id, reply.question_id, message.message_id, reply.state)
    )
    if reply.audit is not None:
        over.records.append(Audited(reply.audit))


def _sent_again(command: SendMessage, known: Message) -> Repeated | Conflicted:
    """What comes of a command whose id belongs to a message that its sender may read."""
    return Repeated(command, known) if _is_retry(command, known) else Conflicted(command)


def _is_retry(command: SendMessage, known: Message) -> bool:
    """Whether a command is a retry: same user, content, room, context and thread as stored."""
    return (
        command.user_id == known.user_id
        and command.content == known.content
        and command.connection_id == known.connection_id
        and command.context == known.context
        and command.thread_id == known.thread_id
    )
