"""Decides about changes of messages: edits, deletions, reactions, and erasures.

Each change gets the next rev of its room. It is decided on what the message was last. The message
was looked up earlier, and another command may have changed it meanwhile: so what the batch has
changed counts first, then what is known of recent changes (`chatd.chat.known_changes`), and only
then what was looked up. What a change makes of a message is said in `chatd.chat.changes`, and what
an erasure leaves of it in `chatd.chat.erasure`.
"""

from collections.abc import Sequence

from chatd.chat.changes import change
from chatd.chat.erasure import erased
from chatd.chat.message_state import MessageState
from chatd.chat.messages import (
    ChangeCommand,
    ChangeKept,
    ChangeRefused,
    ChangeRepeated,
    Command,
    DeleteMessage,
    EditMessage,
    Erased,
    EraseMessages,
    PutReaction,
)
from chatd.chat.overlay import Overlay
from chatd.chat.records import MessageErased
from chatd.wire.codes import Code


def change_message(
    command: ChangeCommand, over: Overlay
) -> ChangeKept | ChangeRepeated | ChangeRefused:
    """Edit a message, delete it, or put a reaction to it."""
    message, changes = command.message, over.state.changes
    room, seq = message.connection_id, message.seq
    if over.is_removed(room, seq):
        return ChangeRefused(command, Code.NOT_FOUND)
    known = over.changed.get((room, seq)) or changes.newest(room, seq)
    if known is not None:
        message = known
    elif not changes.has_all_since(room, command.as_of_rev):
        return ChangeRefused(command, Code.OVERLOADED)  # it is to be looked up again
    rev = over.next_rev(room)
    made = change(command, message, rev, over.now_ms)
    if made is None:
        return ChangeRepeated(command, message)
    if isinstance(made, Code):
        return ChangeRefused(command, made)
    over.revs[room] = rev
    over.changed[room, seq] = made.message
    over.records.append(made)
    return ChangeKept(command, made)


def erase_messages(command: EraseMessages, over: Overlay) -> Erased:
    """Leave nothing of the messages but their places."""
    made: list[MessageErased] = []
    for message in command.messages:
        room, seq = message.connection_id, message.seq
        if over.is_removed(room, seq):
            continue  # retention was faster
        rev = over.next_rev(room)
        left = erased(message, command.author, rev, over.now_ms)
        over.revs[room] = rev
        over.changed[room, seq] = left
        made.append(MessageErased(left, rev, command.author, over.now_ms))
    over.records += made
    return Erased(command, made)


def messages_to_look_up(batch: Sequence[Command], state: MessageState) -> set[tuple[str, int]]:
    """The messages that the commands change and that may have changed since they were looked up, by
    connectionId and seq."""
    return {
        (room, seq)
        for one in batch
        if isinstance(one, EditMessage | DeleteMessage | PutReaction)
        for room, seq in [(one.message.connection_id, one.message.seq)]
        if state.changes.newest(room, seq) is None
        and not state.changes.has_all_since(room, one.as_of_rev)
    }
