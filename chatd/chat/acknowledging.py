"""Decides about messages that a user has received, and about those that it has read.

An acknowledgement takes messages out of the user's queue. For those that nobody acknowledged before
it is the receipt, which their authors are told of. Reading moves the user's marker forward, and
never back.
"""

from chatd.chat.messages import Acknowledge, AcknowledgementKept, Marked, MarkRead
from chatd.chat.overlay import Overlay
from chatd.chat.receipts import Frontier
from chatd.chat.records import Delivered, ReadMarked


def acknowledge(command: Acknowledge, over: Overlay) -> AcknowledgementKept:
    """The user has the message, or all of the room up to it."""
    state, message, user_id = over.state, command.message, command.user_id
    room, seq = message.connection_id, message.seq
    queue = over.queue(room, user_id)
    if queue is not None:
        rest = queue.without_up_to(seq) if command.up_to else queue.without(seq)
        over.keep_member(room, user_id, queue, rest)
    delivered = []
    for one in command.receipts:
        place = (room, one.seq)
        if place in over.delivered or state.recent.is_delivered(*place):
            continue
        over.delivered.add(place)
        over.records.append(Delivered(room, one.seq, user_id, over.now_ms))
        delivered.append(one)
    if command.settles_to:
        frontier = over.frontiers.get(room) or state.frontiers.get(room, Frontier())
        over.frontiers[room] = frontier.moved(user_id, command.settles_to)
    return AcknowledgementKept(command, tuple(delivered))


def mark_read(command: MarkRead, over: Overlay) -> Marked:
    """The user has read the room up to a seq."""
    room, user_id = command.connection_id, command.user_id
    seq = min(command.seq, over.last_seq(room))
    is_member = over.queue(room, user_id) is not None
    has_moved = is_member and seq > over.read_seq(room, user_id)
    if has_moved:
        over.read_seqs[room, user_id] = seq
        version = over.share(room, user_id).version
        over.records.append(ReadMarked(room, user_id, seq, version))
    return Marked(command, has_moved)
