"""What nodes tell each other about a room: a message, a change of one, or only how far the room is.

A frame is JSON: `[version, needs, kind, fields]`. `version` is that of the node that wrote it, and
`needs` the lowest version that understands it. A version adds fields after those of the version
before, and gives a default to each field that an older frame lacks. So nodes of two neighbouring
versions understand each other while they are restarted one by one. What a node does not understand,
it reads from the log.

    [1, 1, "m", [messageId, seq, userId, ...]]      a message, as it is kept
    [1, 1, "c", ["edited", rev, by, atMs, ...]]     a change, with its message
    [1, 1, "h", [seq, rev]]                         a head: the room is there at least

Each node renders messages itself, by its own version and markup rule.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, TypeVar, assert_never

import orjson

from chatd.chat.order import Place
from chatd.chat.records import (
    Change,
    Changes,
    Message,
    MessageDeleted,
    MessageEdited,
    MessageErased,
    Reaction,
    ReactionChanged,
)

VERSION: Final = 1
OLDEST: Final = max(1, VERSION - 1)
"""The lowest version that is understood."""
MOST: Final = 2**53 - 1
"""The largest seq, rev and time: what JSON carries exactly."""

Frame: TypeAlias = Message | Change | Place

Value = TypeVar("Value")


class UnreadableFrame(Exception):
    """Not a frame, or one of a version that this node does not know."""


def encode(frame: Frame) -> bytes:
    """A frame as it travels."""
    match frame:
        case Message():
            kind, fields = "m", _message(frame)
        case Place(seq, rev):
            kind, fields = "h", [seq, rev]
        case _:
            kind, fields = "c", _change(frame)
    return orjson.dumps([VERSION, VERSION, kind, fields])


def decode(payload: bytes, room: str) -> Frame | None:
    """The frame that was heard about a room; None for a kind that this version does not know.
    Raises UnreadableFrame, and nothing else, whatever the bytes are."""
    try:
        version, needs, kind, fields, *_ = orjson.loads(payload)
        if not _whole(needs) <= VERSION or _whole(version) < OLDEST:
            raise UnreadableFrame
        match kind:
            case "m":
                return _read_message(fields, room)
            case "c":
                return _read_change(fields, room)
            case "h":
                seq, rev, *_ = fields
                return Place(_whole(seq), _whole(rev))
    except (ValueError, TypeError) as error:
        raise UnreadableFrame from error
    return None


def _message(message: Message) -> list[Any]:
    return [
        message.message_id,
        message.seq,
        message.user_id,
        message.name,
        message.content,
        None if message.context is None else message.context.decode(),
        message.thread_id,
        message.timestamp_ms,
        message.reply_to,
        None if message.answer is None else message.answer.decode(),
        message.mentions,
        None if message.changes is None else _changes(message.changes),
    ]


def _changes(changes: Changes) -> list[Any]:
    return [
        changes.rev,
        changes.at_ms,
        changes.edited_rev,
        changes.edited_ms,
        changes.deleted_ms,
        [[one.emoji, one.users] for one in changes.reactions],
    ]


def _change(change: Change) -> list[Any]:
    of = [change.rev, change.by, change.at_ms, _message(change.message)]
    match change:
        case MessageEdited():
            return ["edited", *of]
        case MessageErased():
            return ["erased", *of]
        case MessageDeleted():
            return ["deleted", *of]
        case ReactionChanged(emoji=emoji, is_on=is_on):
            return ["reaction", *of, emoji, is_on]
        case _:
            assert_never(change)


def _read_message(fields: Sequence[Any], room: str) -> Message:
    (
        id_,
        seq,
        user,
        name,
        content,
        context,
        thread,
        at_ms,
        reply_to,
        answer,
        mentions,
        changes,
        *_,
    ) = _listed(fields)
    return Message(
        message_id=_text(id_),
        connection_id=room,
        seq=_number(seq),
        user_id=_text(user),
        name=_if_any(name, _text),
        content=_text(content),
        context=_if_any(context, _bytes),
        thread_id=_if_any(thread, _text),
        timestamp_ms=_whole(at_ms),
        reply_to=_if_any(reply_to, _text),
        answer=_if_any(answer, _bytes),
        mentions=tuple(map(_text, _listed(mentions))),
        changes=_if_any(changes, _read_changes),
    )


def _read_changes(fields: Any) -> Changes:
    rev, at_ms, edited_rev, edited_ms, deleted_ms, reactions, *_ = _listed(fields)
    return Changes(
        rev=_number(rev),
        at_ms=_whole(at_ms),
        edited_rev=_whole(edited_rev),
        edited_ms=_if_any(edited_ms, _whole),
        deleted_ms=_if_any(deleted_ms, _whole),
        reactions=tuple(
            Reaction(_text(emoji), tuple(map(_text, _listed(users)))) for emoji, users in reactions
        ),
    )


def _read_change(fields: Sequence[Any], room: str) -> Change:
    what, rev, by, at_ms, message, *more = _listed(fields)
    of = (_read_message(message, room), _number(rev), _text(by), _whole(at_ms))
    match what:
        case "edited":
            return MessageEdited(*of)
        case "erased":
            return MessageErased(*of)
        case "deleted":
            return MessageDeleted(*of)
        case "reaction":
            emoji, is_on, *_ = more
            if not isinstance(is_on, bool):
                raise UnreadableFrame
            return ReactionChanged(*of, emoji=_text(emoji), is_on=is_on)
        case _:
            raise UnreadableFrame


def _if_any(value: Any, read: Callable[[Any], Value]) -> Value | None:
    return None if value is None else read(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise UnreadableFrame
    return value


def _bytes(value: Any) -> bytes:
    return _text(value).encode()


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise UnreadableFrame
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MOST:
        raise UnreadableFrame
    return value


def _number(value: Any) -> int:
    """A seq or a rev, from 1."""
    if _whole(value) == 0:
        raise UnreadableFrame
    return int(value)
