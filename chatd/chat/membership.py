"""Decides about members: who joins and leaves rooms, and what each is owed from then on.

A user is there from the `JoinRooms` of its first socket in a room to the `LeaveRooms` of its last
one. The caller counts the sockets, and says what the last of them had seen. From then on the member
is away, and is owed what is stored (`chatd.chat.queue`), but for its own messages. A user who joins
for the first time becomes a member, and has read what is there.

Where several nodes share the log, each node has sockets of its own: a member is away once it has
left on all of them (`chatd.chat.shares`).
"""

from collections.abc import Collection, Mapping, Sequence

import attrs

from chatd.chat.message_state import MessageState
from chatd.chat.messages import (
    ClearOverflow,
    Command,
    ForgetMessages,
    Joined,
    JoinRooms,
    LeaveRooms,
    RemoveMember,
    TrimQueues,
)
from chatd.chat.overlay import Overlay
from chatd.chat.queue import PRESENT, QUEUE_MAX, Queue
from chatd.chat.shares import Share

# Coming


def join_rooms(command: JoinRooms, over: Overlay) -> Joined:
    """A socket of the user is in these rooms."""
    last_seqs, owed, fallen = [], [], []
    for room in command.connection_ids:
        last_seq = over.last_seq(room)
        before = over.queue(room, command.user_id)
        queue = _come(room, command.user_id, command.name, over)
        last_seqs.append(last_seq)
        owed.append(queue.owed(last_seq))
        fallen.append(None if before is None else before.fallen)
    return Joined(command, tuple(last_seqs), tuple(owed), tuple(fallen))


def _come(room: str, user_id: str, name: str | None, over: Overlay) -> Queue:
    """A socket of the user is in the room; returns what the user is owed there now."""
    before = over.queue(room, user_id)
    queue = PRESENT if before is None else before.returned(over.last_seq(room))
    node, share = over.state.members.node, over.share(room, user_id)
    if node and node not in share.stays:
        share = attrs.evolve(share, stays=share.stays | {node})
    if node and (before is None or before.is_away):  # what was stored until now is in a gap
        share = attrs.evolve(share, seen_seq=max(share.seen_seq, over.last_seq(room)))
    over.keep_member(room, user_id, before, queue, name, share=share)
    return queue


# Leaving


def leave_rooms(command: LeaveRooms, over: Overlay) -> None:
    """No socket of the user is in these rooms any more."""
    user_id = command.user_id
    for room, seen_seq in command.rooms:
        queue = over.queue(room, user_id)
        if queue is None:
            continue
        share = _share_of_who_left(room, user_id, seen_seq, over)
        if share.stays:  # on another node
            over.keep_member(room, user_id, queue, queue, share=share)
            continue
        seen_seq = _seen_up_to(queue, share, seen_seq)
        left = queue.left(seen_seq, over.now_ms)
        for seq in _own_seqs(room, user_id, seen_seq, over):
            left = left.without(seq)
        over.keep_member(room, user_id, queue, left, share=share)


def _share_of_who_left(room: str, user_id: str, seen_seq: int, over: Overlay) -> Share:
    """What the nodes know together of a member whose last socket on this node is gone; that one had
    seen the room up to `seen_seq`."""
    share, node = over.share(room, user_id), over.state.members.node
    return share.has_left(node, seen_seq) if node else share


def _seen_up_to(queue: Queue, share: Share, seen_seq: int) -> int:
    """The seq above which everything is owed to a user who leaves on the last node. What the user's
    sockets have seen, here or elsewhere, is not owed; what is in a gap is owed already."""
    return max(seen_seq, share.seen_seq, queue.gaps[-1].last if queue.gaps else 0)


def _own_seqs(room: str, user_id: str, seen_seq: int, over: Overlay) -> list[int]:
    """The seqs above `seen_seq` of the user's own messages: those of this batch, the recent ones,
    and those that were looked up for the batch."""
    state = over.state
    fresh = [
        one.seq
        for one in over.fresh.values()
        if one.connection_id == room and one.user_id == user_id and one.seq > seen_seq
    ]
    looked_up = (seq for seq in state.own_seqs.get((room, user_id), ()) if seq > seen_seq)
    return [*fresh, *state.recent.unconfirmed_of(room, user_id, seen_seq), *looked_up]


def own_to_look_up(batch: Sequence[Command], state: MessageState) -> Mapping[tuple[str, str], int]:
    """The users who leave by these commands and will be owed what is stored already, by
    connectionId and userId, with the seq above which their own messages have to be looked up.
    Older ones than the newest `QUEUE_MAX` messages do not matter: no queue holds more."""
    leaves = (
        (room, one.user_id, seen_seq)
        for one in batch
        if isinstance(one, LeaveRooms)
        for room, seen_seq in one.rooms
    )
    found: dict[tuple[str, str], int] = {}
    for room, user_id, seen_seq in leaves:
        queue = state.members.queue(room, user_id)
        share = state.members.share(room, user_id)
        if queue is None or queue.is_away or share.stays - {state.members.node}:
            continue
        last_seq = state.last_seq(room)
        above = max(_seen_up_to(queue, share, seen_seq), last_seq - QUEUE_MAX)
        if above < last_seq:
            found[room, user_id] = above
    return found


def remove_member(command: RemoveMember, over: Overlay) -> None:
    """The user may no longer use these rooms."""
    for room in command.connection_ids:
        if over.queue(room, command.user_id) is not None:
            over.remove_member(room, command.user_id)


# After a start


def reconcile(in_rooms: Collection[tuple[str, str]], over: Overlay) -> None:
    """Let only the users in `in_rooms`, by connectionId and userId, be in their rooms.

    Members that the log has in a room, and that are not there, have seen all until now.
    """
    for room, user_id, queue in over.state.members.each():
        if not queue.is_away and (room, user_id) not in in_rooms:
            share = _share_of_who_left(room, user_id, 0, over)
            left = queue if share.stays else queue.left(over.state.last_seq(room), over.now_ms)
            over.keep_member(room, user_id, queue, left, share=share)
    for room, user_id in in_rooms:
        _come(room, user_id, None, over)


# What falls out of queues


def trim_queues(command: TrimQueues, over: Overlay) -> None:
    """The user was owed too much, or too old messages."""
    for room, cut in command.cuts.items():
        _cut(room, command.user_id, cut.first_seq, cut.since_ms, over)


def forget_messages(command: ForgetMessages, over: Overlay) -> None:
    """Retention has removed the messages of a room below a seq."""
    room, first_seq = command.connection_id, command.first_seq
    over.kept_from[room] = max(first_seq, over.kept_from.get(room, 0))
    for user_id in over.state.members.of_room(room):
        _cut(room, user_id, first_seq, None, over)


def _cut(room: str, user_id: str, first_seq: int, since_ms: int | None, over: Overlay) -> None:
    """What is below `first_seq` falls out of a queue. Nothing that stays is older than `since_ms`;
    None: than what is in the queue now."""
    queue = over.queue(room, user_id)
    if queue is None:
        return
    last_seq = over.last_seq(room)
    if since_ms is None:
        since_ms = queue.oldest_ms(last_seq)
    if since_ms is not None:  # else nothing is owed
        over.keep_member(room, user_id, queue, queue.cut(first_seq, since_ms, last_seq))


def clear_overflow(command: ClearOverflow, over: Overlay) -> None:
    """A socket of the user was notified of what fell out."""
    room, user_id = command.connection_id, command.user_id
    queue = over.queue(room, user_id)
    if queue is not None:
        over.keep_member(room, user_id, queue, queue.notified(command.fallen))
