"""What a change makes of a message (docs/protocol, "Changes").

Each change takes the next number of its room, its rev. A command that changes nothing takes none,
so that a change that is asked for again, after its ack was lost, is not a second change.
"""

from typing import assert_never

import attrs

from chatd.chat.messages import ChangeCommand, DeleteMessage, EditMessage, PutReaction
from chatd.chat.reactions import has_reaction, with_reaction, without_reaction
from chatd.chat.records import (
    Change,
    Changes,
    Message,
    MessageDeleted,
    MessageEdited,
    ReactionChanged,
)
from chatd.wire.codes import Code

_NEVER = Changes(rev=0, at_ms=0)


def change(command: ChangeCommand, message: Message, rev: int, now_ms: int) -> Change | Code | None:
    """The change that a command makes to a message, as number `rev` of its room; why it makes no
    change; or None if the message already is that way."""
    if message.is_deleted:
        return None if isinstance(command, DeleteMessage) else Code.MESSAGE_DELETED
    by = command.user_id
    match command:
        case EditMessage(content=content, seen_rev=seen_rev):
            if content == message.content:
                return None
            if seen_rev is not None and seen_rev < _changes(message).edited_rev:
                return Code.EDIT_CONFLICT
            text = edited(message, content, rev, now_ms, command.mentions)
            return MessageEdited(text, rev, by, now_ms)
        case DeleteMessage():
            return MessageDeleted(deleted(message, rev, now_ms), rev, by, now_ms)
        case PutReaction(emoji=emoji, is_on=is_on):
            if has_reaction(_changes(message).reactions, emoji, by) is is_on:
                return None
            changed = reacted(message, emoji, by, rev, now_ms, is_on=is_on)
            if changed is None:
                return Code.TOO_MANY_REACTIONS
            return ReactionChanged(changed, rev, by, now_ms, emoji, is_on)
        case _:
            assert_never(command)


def edited(
    message: Message, content: str, rev: int, at_ms: int, mentions: tuple[str, ...] = ()
) -> Message:
    """The message with another text, and with the users whom that mentions."""
    changes = attrs.evolve(_changes(message), rev=rev, at_ms=at_ms, edited_rev=rev, edited_ms=at_ms)
    return attrs.evolve(message, content=content, mentions=mentions, changes=changes)


def deleted(message: Message, rev: int, at_ms: int) -> Message:
    """The message after it was taken back: its place, and nothing in it."""
    changes = attrs.evolve(_changes(message), rev=rev, at_ms=at_ms, deleted_ms=at_ms, reactions=())
    return attrs.evolve(message, content="", context=None, mentions=(), changes=changes)


def reacted(
    message: Message, emoji: str, user_id: str, rev: int, at_ms: int, *, is_on: bool
) -> Message | None:
    """The message with a reaction, or without it; None if it would have too many."""
    before = _changes(message)
    put = with_reaction if is_on else without_reaction
    reactions = put(before.reactions, emoji, user_id)
    if reactions is None:
        return None
    changes = attrs.evolve(before, rev=rev, at_ms=at_ms, reactions=reactions)
    return attrs.evolve(message, changes=changes)


def _changes(message: Message) -> Changes:
    return message.changes or _NEVER
